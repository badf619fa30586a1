// Peak arithmetic of the processor: gemm.h's micro-kernel on operands that stay in the L1 cache, again and again.
//
// --bench limits measures with it. It computes nothing that is used, so it has no reference.

#include "gemm.h"
#include "parallel.h"

#include <chrono>

namespace {

constexpr int64_t STEPS = 128;  // 20 kB of operands: they fit into any core's L1 cache

// Floating-point operations per second of one core.
template <class Num>
double flops(double seconds) {
    constexpr int K_PACK = GemmTraits<Num>::K_PACK;
    alignas(64) static thread_local Num A[MR * STEPS * K_PACK], B[NR * STEPS * K_PACK];
    alignas(64) static thread_local float C[MR * NR];
    for (Num &a : A) store(&a, 1.f);
    for (Num &b : B) store(&b, 1.f);
    const auto start = std::chrono::steady_clock::now();
    double elapsed = 0, calls = 0;
    for (; elapsed < seconds; calls += 100) {
        for (int i = 0; i < 100; i++) micro_kernel<Num, false>(A, K_PACK, MR * K_PACK, B, STEPS, C, NR);
        elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    return calls * 2 * MR * NR * STEPS * K_PACK / elapsed;
}

}  // namespace

// Floating-point operations per second of `threads` cores together, measured for `seconds`; 0 if bf16 is asked for and
// the processor has no such instructions.
extern "C" double tinylm_peak_flops(int64_t bf16, int64_t threads, double seconds) {
    std::vector<double> each(threads);
    run_on_threads(threads, [&](int64_t i) {
        if (!bf16) each[i] = flops<float>(seconds);
#if defined(__AVX512BF16__)
        else each[i] = flops<BFloat16>(seconds);
#endif
    });
    double sum = 0;
    for (double one : each) sum += one;
    return sum;
}
