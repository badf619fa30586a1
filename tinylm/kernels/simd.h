// Elementwise functions and reductions that train_pass.cpp and decode.cpp share: exp, max, RMS, GELU, softmax.
//
// They are plain loops, which the compiler vectorizes with the flags of compiler.py. These let it reorder sums, so
// results depend on the instruction set, but on one machine they are the same on every run.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

// ---- vectors ----------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int LANES = 16;  // floats in a SIMD register
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

// A vector of N floats at any address: a language extension that GCC and Clang share.
template <int N>
struct VecOf {
    typedef float type __attribute__((vector_size(N * sizeof(float)), aligned(sizeof(float)), may_alias));
};
typedef VecOf<LANES>::type Vec;

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// ---- elementwise and reductions ---------------------------------------------------------------------------------

// exp(x) to the accuracy of a float, in operations that vectorize: 2^n times the Taylor polynomial of the remainder.
// x is clamped to [-87, 88], where the result is a normal float. NaN stays NaN.
inline float exponential(float x) {
    x = x < -87 ? -87 : x > 88 ? 88 : x;
    const float n = std::rint(x * 1.44269504f), r = x - n * 0.693145752f - n * 1.42860677e-6f;
    const float p = 1 + r * (1 + r * (1 / 2.f + r * (1 / 6.f + r * (1 / 24.f + r * (1 / 120.f + r * (1 / 720.f))))));
    const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

inline float dot(const float *a, const float *b, int64_t n) {
    float sum = 0;
    for (int64_t j = 0; j < n; j++) sum += a[j] * b[j];
    return sum;
}

// The largest of N floats, by halving the vector.
template <int N>
float horizontal_max(const float *x) {
    typedef typename VecOf<N / 2>::type HalfVec;
    const HalfVec low = *reinterpret_cast<const HalfVec *>(x), high = *reinterpret_cast<const HalfVec *>(x + N / 2);
    const HalfVec larger = low > high ? low : high;
    return horizontal_max<N / 2>(reinterpret_cast<const float *>(&larger));
}
template <>
inline float horizontal_max<2>(const float *x) {
    return x[0] > x[1] ? x[0] : x[1];
}

// The largest of x (n,); NaN is ignored.
inline float max_of(const float *x, int64_t n) {
    Vec largest = Vec{} - INFINITY;
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        const Vec v = *reinterpret_cast<const Vec *>(x + j);
        largest = v > largest ? v : largest;
    }
    float result = horizontal_max<LANES>(reinterpret_cast<const float *>(&largest));
    for (; j < n; j++) result = x[j] > result ? x[j] : result;
    return result;
}

// 1 / rms(x), the factor of RMSNorm.
inline float inverse_rms(const float *x, int64_t n, float eps) { return 1 / std::sqrt(dot(x, x, n) / n + eps); }

// ---- GELU -------------------------------------------------------------------------------------------------------

// GELU's tanh approximation is x sigmoid(GELU_1 x + GELU_3 x^3), since 1 + tanh(u) = 2 sigmoid(2 u) with
// u = sqrt(2/pi) (x + 0.044715 x^3).
constexpr float GELU_1 = 1.5957691216f, GELU_3 = 0.044715f * GELU_1;
inline float gelu_sigmoid(float x) { return 1 / (1 + exponential(-x * (GELU_1 + GELU_3 * x * x))); }
inline float gelu(float x) { return x * gelu_sigmoid(x); }

// out = gelu(gate) up, all (n,)
inline void geglu(const float *__restrict gate, const float *__restrict up, float *__restrict out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = gelu(gate[i]) * up[i];
}

// ---- softmax ----------------------------------------------------------------------------------------------------

// row (n,) becomes softmax(scale row); returns logsumexp(scale row). The row is padded to a multiple of LANES, and the
// padding becomes 0.
inline float softmax(float *row, int64_t n, float scale) {
    const int64_t end = round_up(n, LANES);
    for (int64_t i = n; i < end; i++) row[i] = -INFINITY;
    const float largest = max_of(row, end);
    float sum = 0;
    for (int64_t i = 0; i < end; i++) sum += row[i] = exponential(scale * (row[i] - largest));
    const float factor = 1 / sum;
    for (int64_t i = 0; i < end; i++) row[i] *= factor;
    for (int64_t i = n; i < end; i++) row[i] = 0;
    return scale * largest + std::log(sum);
}

}  // namespace
