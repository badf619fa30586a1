// Threads that stay, for work that comes again in a moment: to begin one takes a twentieth of a millisecond. (A pass is
// long enough to begin them anew, threads.h; those that looked out would be in the way of torch's behind it.)

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
    struct Member {
        std::atomic<int64_t> works{0};  // how many it was called to
        std::mutex asleep;
        std::condition_variable awake;
    };
    std::mutex taken;
    std::vector<Member *> members;  // they stay as long as their threads
    std::atomic<int64_t> left{0};   // members who are at work
    void (*call)(const void *, int64_t) = nullptr;
    const void *work = nullptr;

    void serve(Member &me, int64_t number) {
        for (int64_t done = 0;; done++) {
            const auto called = [&] { return me.works.load() != done; };
            if (!seen_soon(called)) {
                std::unique_lock<std::mutex> lock(me.asleep);
                me.awake.wait(lock, called);
            }
            call(work, number);
            left--;
        }
    }

  public:
    // todo(0) to todo(threads - 1), beside each other; callers wait for one another.
    template <class Work>
    void all(int64_t threads, const Work &todo) {
        if (threads <= 1) return todo(0);
        std::lock_guard<std::mutex> mine(taken);
        while (static_cast<int64_t>(members.size()) < threads - 1) {
            members.push_back(new Member);
            try {
                std::thread(&Crew::serve, this, std::ref(*members.back()), members.size()).detach();
            } catch (...) {
                delete members.back();
                members.pop_back();
                throw;
            }
        }
        call = [](const void *work, int64_t number) { (*static_cast<const Work *>(work))(number); };
        work = &todo, left = threads - 1;
        for (int64_t i = 0; i < threads - 1; i++) {
            {
                std::lock_guard<std::mutex> lock(members[i]->asleep);
                members[i]->works++;
            }
            members[i]->awake.notify_one();
        }
        todo(0);
        const auto done = [&] { return left.load() == 0; };
        while (!seen_soon(done)) std::this_thread::yield();
    }
};

// The one of this library. It is never taken down: its threads look at it until the process ends. In a process that was
// forked they are gone, and another one takes its place.
inline Crew &crew() {
    static Crew *one = new Crew;
#if defined(__unix__) || defined(__APPLE__)
    static const int watched = pthread_atfork(nullptr, nullptr, [] { one = new Crew; });
    (void)watched;
#endif
    return *one;
}

}  // namespace
