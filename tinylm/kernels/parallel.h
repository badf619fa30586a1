// Several cores, and a part of a buffer for each.

#pragma once

#include "simd.h"

#include <thread>
#include <vector>

namespace {

// Hands out parts of a buffer; without one it only counts.
struct Room {
    float *at;
    int64_t taken = 0;
    float *take(int64_t floats) {
        float *part = at ? at + taken : nullptr;
        taken += up_to(floats, 16);
        return part;
    }
};

// work(0) to work(threads - 1), beside each other.
template <class Work>
void on_threads(int64_t threads, const Work &work) {
    std::vector<std::thread> others;
    for (int64_t i = 1; i < threads; i++) others.emplace_back([&work, i] { work(i); });
    work(0);
    for (std::thread &other : others) other.join();
}

}  // namespace
