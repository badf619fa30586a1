// Products of matrices, in fp32 or bf16, on one core.
//
// Every product is made of tiles, ROWS of A times NR columns of B, which stay in registers while the inner numbers
// stream by. B lies in panels of NR columns. In bf16, numbers are rounded before they are multiplied, and summed in fp32.

#pragma once

#include "simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int ROWS = 8;  // 32 registers
#else
constexpr int ROWS = 4;  // 16 registers
#endif
constexpr int ACROSS = 2, NR = ACROSS * WIDE;
constexpr int64_t INNER = 512;  // steps of a product that are done for all tiles before the next ones
constexpr int64_t GROUP = 8;    // so many ROWS are packed at once where a gradient is summed over tokens

struct __attribute__((may_alias)) Half {  // the upper half of a float: bf16
    uint16_t bits;
};

// ---- numbers ----------------------------------------------------------------------------------------------------

// How products take numbers in: STEP of each lane's at once, next to each other in memory.
template <class Num>
struct Kind;

template <>
struct Kind<float> {
    static constexpr int STEP = 1;
    typedef Some Wide;
    static Wide load(const float *at) { return *reinterpret_cast<const Some *>(at); }
    static Wide all(const float *at) { return Some{} + *at; }
    static Some plus(Some sum, Wide a, Wide b) { return sum + a * b; }
};

#if defined(__AVX512BF16__)
template <>
struct Kind<Half> {
    static constexpr int STEP = 2;
    typedef __m512bh Wide;
    static Wide load(const Half *at) { return (Wide)_mm512_loadu_si512(at); }
    static Wide all(const Half *at) {
        int32_t both;
        std::memcpy(&both, at, sizeof both);
        return (Wide)_mm512_set1_epi32(both);
    }
    static Some plus(Some sum, Wide a, Wide b) { return (Some)_mm512_dpbf16_ps((__m512)sum, a, b); }
};
#endif

inline void put(float *at, float x) { *at = x; }
inline float value(float x) { return x; }
#if defined(__AVX512BF16__)
inline void put(Half *at, Half x) { *at = x; }
inline void put(Half *at, float x) {  // to the nearest, ties to even; what is no number stays none
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    at->bits = (bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded;
}
inline float value(Half x) {
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float found;
    std::memcpy(&found, &bits, sizeof found);
    return found;
}
inline void put_some(void *to, const Half *from, int n) { std::memcpy(to, from, n * sizeof(Half)); }
inline void put_some(void *to, const float *from, int n) {
    for (int i = 0; i < n; i++) put(static_cast<Half *>(to) + i, from[i]);
}
#endif

// Steps of a product over n inner numbers.
template <class Num>
int64_t steps_of(int64_t n) {
    return up_to(n, Kind<Num>::STEP) / Kind<Num>::STEP;
}

// n floats as Nums, and zeros up to a whole step.
template <class Num>
void put_row(Num *__restrict to, const float *__restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) put(to + i, from[i]);
    for (int64_t i = n; i < up_to(n, Kind<Num>::STEP); i++) put(to + i, 0.f);
}

// A matrix whose rows lie in a buffer of floats, `width` floats apart, as Nums.
template <class Num>
struct Rows {
    Num *at;
    int64_t apart;
    Rows(float *buffer, int64_t width) : at(reinterpret_cast<Num *>(buffer)), apart(width * Kind<Num>::STEP) {}
    Num *operator[](int64_t row) const { return at + row * apart; }
};

// ---- products ---------------------------------------------------------------------------------------------------

#if defined(__clang__)
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noinline, noclone))  // GCC's copy for arguments that it knows keeps its sums in memory
#endif

// C (ROWS, NR) = A B, or C += A B. A's numbers of row r and step k are at A[r * row + k * step], those of C's rows `out`
// apart, and B is (steps, NR, STEP).
template <class Num, bool ADD>
ALONE void tile(const Num *A, int64_t row, int64_t step, const Num *B, int64_t steps, float *C, int64_t out) {
    typedef Kind<Num> Of;
    Some sums[ROWS][ACROSS] = {};
    // Where a large matrix's gradient is summed, C is in no cache: asked for now, it is there at the end.
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 8
        for (int j = 0; j < ACROSS; j++) __builtin_prefetch(C + r * out + j * WIDE, 1);
    for (int64_t k = 0; k < steps; k++, A += step, B += NR * Of::STEP) {
        typename Of::Wide some[ACROSS];
#pragma GCC unroll 8
        for (int j = 0; j < ACROSS; j++) some[j] = Of::load(B + j * WIDE * Of::STEP);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            const typename Of::Wide each = Of::all(A + r * row);
#pragma GCC unroll 8
            for (int j = 0; j < ACROSS; j++) sums[r][j] = Of::plus(sums[r][j], each, some[j]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 8
        for (int j = 0; j < ACROSS; j++) {
            Some *to = reinterpret_cast<Some *>(C + r * out + j * WIDE);
            *to = ADD ? *to + sums[r][j] : sums[r][j];
        }
}

// A step of a panel: the numbers of STEP rows, of each column next to each other. Past `there` columns, zeros.
template <int WIDTH>
inline void pack_step(float *__restrict to, const float *row, int64_t, int64_t, int64_t there) {
    if (there >= WIDTH)
        for (int i = 0; i < WIDTH; i++) to[i] = row[i];
    else
        for (int i = 0; i < WIDTH; i++) to[i] = i < there ? row[i] : 0;
}
#if defined(__AVX512BF16__)
template <int N>
struct Pairs {
    typedef uint16_t one __attribute__((vector_size(2 * N)));
    typedef uint32_t both __attribute__((vector_size(4 * N), aligned(4), may_alias));
};
template <int WIDTH, class From>
inline void pack_step(Half *__restrict to, const From *row, int64_t apart, int64_t rows, int64_t there) {
    typedef typename Pairs<WIDTH>::both Both;
    typename Pairs<WIDTH>::one one = {}, other = {};
    if (there >= WIDTH) {  // of a size that the compiler knows
        put_some(&one, row, WIDTH);
        if (rows > 1) put_some(&other, row + apart, WIDTH);
    } else {
        put_some(&one, row, there);
        if (rows > 1) put_some(&other, row + apart, there);
    }
    *reinterpret_cast<Both *>(to) = __builtin_convertvector(one, Both) | __builtin_convertvector(other, Both) << 16;
}
#endif

// Panels of `WIDTH` columns each, (columns / WIDTH, steps, WIDTH, STEP), of a matrix whose rows are inner numbers.
template <class Num, int WIDTH, class From>
void pack(Num *to, const From *from, int64_t apart, int64_t inner, int64_t columns) {
    constexpr int STEP = Kind<Num>::STEP;
    for (int64_t first = 0; first < columns; first += WIDTH)
        for (int64_t k = 0; k < inner; k += STEP, to += WIDTH * STEP)
            pack_step<WIDTH>(to, from + k * apart + first, apart, inner - k, columns - first);
}

// The same of a matrix whose rows are columns: B (inner, columns) from (columns, inner).
template <class Num, class From>
void pack_turned(Num *to, const From *from, int64_t apart, int64_t inner, int64_t columns) {
    constexpr int STEP = Kind<Num>::STEP;
    const int64_t steps = steps_of<Num>(inner);
    for (int64_t first = 0; first < columns; first += NR, to += steps * NR * STEP) {
        if (columns - first < NR || inner % STEP) std::memset(to, 0, sizeof(Num) * steps * NR * STEP);
        for (int64_t k = 0; k < inner; k += 8)  // 8 by NR numbers at a time stay close to each other on both sides
            for (int64_t i = 0; i < NR && first + i < columns; i++)
                for (int64_t j = k; j < k + 8 && j < inner; j++)
                    put(to + (j / STEP * NR + i) * STEP + j % STEP, from[(first + i) * apart + j]);
    }
}

template <class Num>
int64_t panels_size(int64_t inner, int64_t columns) {  // in floats
    return up_to(columns, NR) * steps_of<Num>(inner);
}

// What is needed next comes into the cache meanwhile, a part at a time.
struct Ahead {
    const char *at;
    int64_t part;
    Ahead(const void *at, int64_t bytes, int64_t parts)
        : at(static_cast<const char *>(at)), part(up_to(bytes / parts, 64)) {}
    void fetch() {
        for (const char *end = at + part; at < end; at += 64) __builtin_prefetch(at, 0, 2);
    }
};

// C (M, columns) = A B, with A (M, inner) and B in panels.
template <class Num>
void product(const Rows<Num> A, const Num *B, int64_t M, int64_t inner, int64_t columns, float *C, int64_t out) {
    constexpr int STEP = Kind<Num>::STEP;
    const int64_t steps = steps_of<Num>(inner);
    for (int64_t k = 0; k < steps; k += INNER) {
        const int64_t some = steps - k < INNER ? steps - k : INNER;
        for (int64_t n = 0; n < columns; n += NR) {
            const Num *panel = B + (n * steps + k * NR) * STEP;
            Ahead next(panel + steps * NR * STEP, some * NR * STEP * sizeof(Num), M / ROWS);
            for (int64_t m = 0; m < M; m += ROWS) {
                next.fetch();
                (k ? tile<Num, true> : tile<Num, false>)(A[m] + k * STEP, A.apart, STEP, panel, some, C + m * out + n,
                                                         out);
            }
        }
    }
}

// dW (N, K) += dY^T X over M tokens, with dY (M, N) and X (M, K): the gradient of y = x W^T. room: for both, packed,
// panels_size(M, K) + GROUP ROWS M floats.
template <class Num>
void add_weight_gradient(const Rows<Num> dY, const Rows<Num> X, int64_t M, int64_t N, int64_t K, float *dW, float *room) {
    constexpr int STEP = Kind<Num>::STEP;
    const int64_t steps = steps_of<Num>(M), width = up_to(K, NR);
    Num *panels = reinterpret_cast<Num *>(room), *rows = reinterpret_cast<Num *>(room + panels_size<Num>(M, K));
    pack<Num, NR, Num>(panels, X.at, X.apart, M, K);
    for (int64_t first = 0; first < N; first += GROUP * ROWS) {
        const int64_t there = N - first < GROUP * ROWS ? N - first : GROUP * ROWS;
        pack<Num, ROWS, Num>(rows, dY.at + first, dY.apart, M, there);
        for (int64_t step = 0; step < steps; step += INNER) {
            const int64_t some = steps - step < INNER ? steps - step : INNER;
            for (int64_t k = 0; k < K; k += NR)
                for (int64_t n = 0; n < there; n += ROWS)
                    tile<Num, true>(rows + (n * steps + step * ROWS) * STEP, STEP, ROWS * STEP,
                                    panels + (k * steps + step * NR) * STEP, some, dW + (first + n) * width + k, width);
        }
    }
}

}  // namespace
