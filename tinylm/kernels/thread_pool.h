// Persistent thread pool that spins briefly between jobs: starting a thread costs 50 us, a token 200 us.
//
// Only decode.cpp uses it. Training passes are long enough to start threads anew (parallel.h), and workers that spin
// would compete with torch's threads for the cores.
//
// Guarantees: jobs of several callers run one after the other; run() returns once every thread is done; an exception is
// thrown only before any work has begun (a thread could not be started).

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace {

// ---- spinning ---------------------------------------------------------------------------------------------------

inline void cpu_relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// How long a thread spins before it sleeps or yields: longer than sampling takes between two decoding steps.
constexpr std::chrono::microseconds SPIN{200};

// Spins until the condition holds; false if it does not within SPIN.
template <class Condition>
bool spin_until(const Condition &condition) {
    const auto end = std::chrono::steady_clock::now() + SPIN;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        for (int i = 0; i < 16 && !condition(); i++) cpu_relax();
    }
    return true;
}

// ---- barrier ----------------------------------------------------------------------------------------------------

// Reusable barrier: wait() returns once all `threads` of a job have called it.
class Barrier {
    std::atomic<int64_t> arrived{0};  // calls so far, over all rounds

  public:
    void wait(int64_t threads) {
        const int64_t target = (arrived++ / threads + 1) * threads;
        while (!spin_until([&] { return arrived.load() >= target; })) std::this_thread::yield();
    }
};

// ---- pool -------------------------------------------------------------------------------------------------------

class ThreadPool {
    struct Worker {
        std::atomic<int64_t> jobs{0};  // given to this worker so far
        std::mutex mutex;
        std::condition_variable wake;
    };
    std::mutex run_mutex;             // one job at a time
    std::vector<Worker *> workers;    // never freed: their threads run until the process ends
    std::atomic<int64_t> running{0};  // workers that have not finished the current job
    void (*invoke)(const void *, int64_t) = nullptr;
    const void *job = nullptr;

    void worker_loop(Worker &worker, int64_t index) {
        for (int64_t done = 0;; done++) {
            const auto has_job = [&] { return worker.jobs.load() != done; };
            if (!spin_until(has_job)) {
                std::unique_lock<std::mutex> lock(worker.mutex);
                worker.wake.wait(lock, has_job);
            }
            invoke(job, index);
            running--;
        }
    }

  public:
    // Calls work(0) to work(threads - 1) in parallel, work(0) on the calling thread; waits for all of them.
    template <class Work>
    void run(int64_t threads, const Work &work) {
        if (threads <= 1) return work(0);
        std::lock_guard<std::mutex> lock(run_mutex);
        while (static_cast<int64_t>(workers.size()) < threads - 1) {
            workers.push_back(new Worker);
            try {
                std::thread(&ThreadPool::worker_loop, this, std::ref(*workers.back()), workers.size()).detach();
            } catch (...) {
                delete workers.back();
                workers.pop_back();
                throw;
            }
        }
        invoke = [](const void *job, int64_t index) { (*static_cast<const Work *>(job))(index); };
        job = &work, running = threads - 1;
        for (int64_t i = 0; i < threads - 1; i++) {
            {
                std::lock_guard<std::mutex> lock(workers[i]->mutex);
                workers[i]->jobs++;
            }
            workers[i]->wake.notify_one();
        }
        work(0);
        const auto all_done = [&] { return running.load() == 0; };
        while (!spin_until(all_done)) std::this_thread::yield();
    }
};

// The library's only pool. It is never destroyed: its threads use it until the process ends. A forked child has none of
// those threads, so it gets a new pool.
inline ThreadPool &thread_pool() {
    static ThreadPool *pool = new ThreadPool;
#if defined(__unix__) || defined(__APPLE__)
    static const int registered = pthread_atfork(nullptr, nullptr, [] { pool = new ThreadPool; });
    (void)registered;
#endif
    return *pool;
}

}  // namespace
