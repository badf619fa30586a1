// Threads that stay, for work that comes again in a moment: to begin one takes a twentieth of a millisecond.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace {

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// So long a thread looks out before it sleeps, or lets others run: longer than it takes to choose tokens.
constexpr std::chrono::microseconds LOOKOUT{200};

template <class Condition>
bool seen_soon(const Condition &condition) {
    const auto end = std::chrono::steady_clock::now() + LOOKOUT;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        for (int i = 0; i < 16 && !condition(); i++) pause();
    }
    return true;
}

// Where the threads of a work wait until all of them are there; as often as they like.
class Meeting {
    std::atomic<int64_t> came{0};

  public:
    void wait(int64_t threads) {
        const int64_t all = (came++ / threads + 1) * threads;
        while (!seen_soon([&] { return came.load() >= all; })) std::this_thread::yield();
    }
};

class Crew {
    std::mutex taken, asleep;
    std::condition_variable awake;
    std::atomic<int64_t> round{0}, left{0};  // how many works there were; members who are at the last one
    int64_t members = 0, wanted = 0;
    void (*call)(const void *, int64_t) = nullptr;
    const void *work = nullptr;

    void serve(int64_t number, int64_t seen) {
        const auto called = [&] { return round.load() != seen; };
        for (;; seen++) {
            if (!seen_soon(called)) {
                std::unique_lock<std::mutex> lock(asleep);
                awake.wait(lock, called);
            }
            if (number < wanted) call(work, number);
            left--;
        }
    }

  public:
    // todo(0) to todo(threads - 1), beside each other; callers wait for one another.
    template <class Work>
    void all(int64_t threads, const Work &todo) {
        if (threads <= 1) return todo(0);
        std::lock_guard<std::mutex> mine(taken);
        for (; members < threads - 1; members++) std::thread(&Crew::serve, this, members + 1, round.load()).detach();
        call = [](const void *work, int64_t number) { (*static_cast<const Work *>(work))(number); };
        work = &todo, wanted = threads, left = members;
        {
            std::lock_guard<std::mutex> lock(asleep);
            round++;
        }
        awake.notify_all();
        todo(0);
        const auto done = [&] { return left.load() == 0; };
        while (!seen_soon(done)) std::this_thread::yield();
    }
};

// The one of this library. It is never taken down: its threads look at it until the process ends.
inline Crew &crew() {
    static Crew &one = *new Crew;
    return one;
}

}  // namespace
