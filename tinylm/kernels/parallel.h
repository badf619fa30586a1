// Threads for one job, and the arena that gives each of them a part of one buffer.

#pragma once

#include "simd.h"

#include <thread>
#include <vector>

namespace {

// Bump allocator over a buffer of floats. Without a buffer it only counts: the same code then tells the size needed.
struct Arena {
    float *base;
    int64_t used = 0;  // floats

    // The next `floats` of the buffer, 64-byte aligned if the buffer is; null without a buffer.
    float *allocate(int64_t floats) {
        float *block = base ? base + used : nullptr;
        used += round_up(floats, 16);
        return block;
    }
};

// Calls work(0) to work(threads - 1) in parallel, work(0) on the calling thread; waits for all of them. The threads are
// started for this call.
template <class Work>
void run_on_threads(int64_t threads, const Work &work) {
    std::vector<std::thread> others;
    for (int64_t i = 1; i < threads; i++) others.emplace_back([&work, i] { work(i); });
    work(0);
    for (std::thread &other : others) other.join();
}

}  // namespace
