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

// The highest of N numbers: halves against halves.
template <int N>
float highest_lane(const float *lanes) {
    typedef typename Lanes<N / 2>::type Half;
    const Half one = *reinterpret_cast<const Half *>(lanes), other = *reinterpret_cast<const Half *>(lanes + N / 2);
    const Half most = one > other ? one : other;
    return highest_lane<N / 2>(reinterpret_cast<const float *>(&most));
}
template <>
inline float highest_lane<2>(const float *lanes) {
    return lanes[0] > lanes[1] ? lanes[0] : lanes[1];
}

inline float highest_of(const float *x, int64_t n) {
    Some most = Some{} - INFINITY;
    int64_t j = 0;
    for (; j + WIDE <= n; j += WIDE) {
        const Some some = *reinterpret_cast<const Some *>(x + j);
        most = some > most ? some : most;
    }
    float highest = highest_lane<WIDE>(reinterpret_cast<const float *>(&most));
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

inline void gate(const float *__restrict gate, const float *__restrict up, float *__restrict to, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = gelu(gate[i]) * up[i];
}

constexpr int64_t up_to(int64_t n, int64_t size) { return (n + size - 1) / size * size; }

// Scores of attention before their scale become weights; returns what their logarithms are less the scores. The last of
// the numbers taken at once may lie behind n: they become 0.
inline float softmax(float *row, int64_t n, float scale) {
    const int64_t end = up_to(n, WIDE);
    for (int64_t i = n; i < end; i++) row[i] = -INFINITY;
    const float most = highest_of(row, end);
    float sum = 0;
    for (int64_t i = 0; i < end; i++) sum += row[i] = exponential(scale * (row[i] - most));
    const float share = 1 / sum;
    for (int64_t i = 0; i < end; i++) row[i] *= share;
    for (int64_t i = n; i < end; i++) row[i] = 0;
    return scale * most + std::log(sum);
}

}  // namespace
