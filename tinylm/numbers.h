// What decode.cpp and passes.cpp share: many numbers at once, and functions of them.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

#if defined(__AVX512F__)
constexpr int WIDE = 16;
#elif defined(__AVX__)
constexpr int WIDE = 8;
#else
constexpr int WIDE = 4;
#endif

// N numbers at once, anywhere in memory: a language extension that GCC and Clang share.
template <int N>
struct Lanes {
    typedef float type __attribute__((vector_size(N * sizeof(float)), aligned(sizeof(float)), may_alias));
};
typedef Lanes<WIDE>::type Some;

// exp(x), as good as a float can say it, in operations that take many numbers at once: 2^n times a polynomial in what is
// left, of Taylor's terms up to where they no longer count. What is no number stays none.
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

inline float highest_of(const float *x, int64_t n) {
    Some most = Some{} - INFINITY;
    int64_t j = 0;
    for (; j + WIDE <= n; j += WIDE) {
        const Some some = *reinterpret_cast<const Some *>(x + j);
        most = some > most ? some : most;
    }
    float highest = -INFINITY;
    for (int i = 0; i < WIDE; i++) highest = most[i] > highest ? most[i] : highest;
    for (; j < n; j++) highest = x[j] > highest ? x[j] : highest;
    return highest;
}

// 1 / rms: what a norm multiplies with
inline float rms_scale(const float *x, int64_t n, float eps) { return 1 / std::sqrt(dot(x, x, n) / n + eps); }

// GELU by its tanh approximation is x times a sigmoid of GELU_1 x + GELU_3 x^3:
// 1 + tanh(u) = 2 sigmoid(2 u), with u = sqrt(2/pi) (x + 0.044715 x^3)
constexpr float GELU_1 = 1.5957691216f, GELU_3 = 0.044715f * GELU_1;
inline float gelu_share(float x) { return 1 / (1 + exponential(-x * (GELU_1 + GELU_3 * x * x))); }
inline float gelu(float x) { return x * gelu_share(x); }

}  // namespace
