// What the processor multiplies at most: a tile whose numbers stay in the nearest cache, again and again.

#include "gemm.h"
#include "parallel.h"

#include <chrono>

namespace {

constexpr int64_t STEPS = 128;  // 20 kB of numbers: the nearest cache of any core

// Operations per second of one core.
template <class Num>
double speed(double seconds) {
    constexpr int STEP = Kind<Num>::STEP;
    alignas(64) static thread_local Num A[ROWS * STEPS * STEP], B[NR * STEPS * STEP];
    alignas(64) static thread_local float C[ROWS * NR];
    for (Num &a : A) put(&a, 1.f);
    for (Num &b : B) put(&b, 1.f);
    const auto begin = std::chrono::steady_clock::now();
    double taken = 0, tiles = 0;
    for (; taken < seconds; tiles += 100) {
        for (int i = 0; i < 100; i++) tile<Num, false>(A, STEP, ROWS * STEP, B, STEPS, C, NR);
        taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return tiles * 2 * ROWS * NR * STEPS * STEP / taken;
}

}  // namespace

// Operations per second of so many cores together; 0 where there is no such precision.
extern "C" double tinylm_peak(int64_t bf16, int64_t threads, double seconds) {
    std::vector<double> speeds(threads);
    on_threads(threads, [&](int64_t i) {
        if (!bf16) speeds[i] = speed<float>(seconds);
#if defined(__AVX512BF16__)
        else speeds[i] = speed<Half>(seconds);
#endif
    });
    double sum = 0;
    for (double one : speeds) sum += one;
    return sum;
}
