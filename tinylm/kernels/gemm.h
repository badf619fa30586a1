// Matrix products in fp32 or bf16, on one core: packed panels and one micro-kernel, as in BLIS (Van Zee and van de
// Geijn 2015, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality").
//
//     micro_kernel         C (MR, NR) = A B over up to KC steps; C stays in registers, A and B stream by
//     pack                 B (inner, columns) into panels of NR columns, in the order in which the kernel reads them
//     gemm                 C = A B, B packed
//     add_weight_gradient  dW += dY^T X, summed over tokens
//
// A step is one index of the inner dimension in fp32 and two in bf16 (K_PACK): a bf16 instruction multiplies pairs.
// Guarantees: in bf16, operands are rounded to nearest even and sums are fp32; sums run in the same order on every run.

#pragma once

#include "simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace {

// ---- block sizes, named as in BLIS ------------------------------------------------------------------------------

#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int MR = 8;  // rows of a micro-kernel's tile: with 32 registers
#else
constexpr int MR = 4;  // with 16 registers
#endif
constexpr int NR_VECS = 2, NR = NR_VECS * LANES;  // columns of a tile
constexpr int64_t KC = 512;     // steps of the inner dimension that all tiles do before the next block of steps
constexpr int64_t MC = 8 * MR;  // rows of A that are packed at once, where a weight gradient is summed over tokens

struct __attribute__((may_alias)) BFloat16 {  // the upper half of a float
    uint16_t bits;
};

// ---- element types ----------------------------------------------------------------------------------------------

// How the micro-kernel loads and multiplies elements: K_PACK inner indices of each lane lie next to each other.
template <class Num>
struct GemmTraits;

template <>
struct GemmTraits<float> {
    static constexpr int K_PACK = 1;
    typedef Vec Operand;
    static Operand load(const float *from) { return *reinterpret_cast<const Vec *>(from); }
    static Operand broadcast(const float *from) { return Vec{} + *from; }
    static Vec multiply_add(Vec sum, Operand a, Operand b) { return sum + a * b; }
};

#if defined(__AVX512BF16__)
template <>
struct GemmTraits<BFloat16> {
    static constexpr int K_PACK = 2;
    typedef __m512bh Operand;
    static Operand load(const BFloat16 *from) { return (Operand)_mm512_loadu_si512(from); }
    static Operand broadcast(const BFloat16 *from) {
        int32_t pair;
        std::memcpy(&pair, from, sizeof pair);
        return (Operand)_mm512_set1_epi32(pair);
    }
    static Vec multiply_add(Vec sum, Operand a, Operand b) { return (Vec)_mm512_dpbf16_ps((__m512)sum, a, b); }
};
#endif

inline void store(float *to, float x) { *to = x; }
inline float to_float(float x) { return x; }
#if defined(__AVX512BF16__)
inline void store(BFloat16 *to, BFloat16 x) { *to = x; }
inline void store(BFloat16 *to, float x) {  // rounded to nearest, ties to even; NaN stays NaN
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    to->bits = (bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded;
}
inline float to_float(BFloat16 x) {
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}
inline void store_n(void *to, const BFloat16 *from, int n) { std::memcpy(to, from, n * sizeof(BFloat16)); }
inline void store_n(void *to, const float *from, int n) {
    for (int i = 0; i < n; i++) store(static_cast<BFloat16 *>(to) + i, from[i]);
}
#endif

// How many steps an inner dimension of n takes.
template <class Num>
int64_t k_steps(int64_t n) {
    return round_up(n, GemmTraits<Num>::K_PACK) / GemmTraits<Num>::K_PACK;
}

// to (n,) = from (n,), with zeros up to a whole step.
template <class Num>
void store_row(Num *__restrict to, const float *__restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) store(to + i, from[i]);
    for (int64_t i = n; i < round_up(n, GemmTraits<Num>::K_PACK); i++) store(to + i, 0.f);
}

// A matrix of Nums in a buffer of floats whose rows are `width` floats apart: bf16 uses half of each row.
template <class Num>
struct MatrixView {
    Num *data;
    int64_t stride;  // in Nums
    MatrixView(float *buffer, int64_t width)
        : data(reinterpret_cast<Num *>(buffer)), stride(width * GemmTraits<Num>::K_PACK) {}
    Num *operator[](int64_t row) const { return data + row * stride; }
};

// ---- micro-kernel -----------------------------------------------------------------------------------------------

#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))  // GCC's clone for constant arguments spills the sums to memory
#endif

// C (MR, NR) = A B, or C += A B if ADD. Row r of A at step k is A[r * row_stride + k * step_stride], rows of C are
// `c_stride` apart, B is (steps, NR, K_PACK).
template <class Num, bool ADD>
NOINLINE void micro_kernel(const Num *A, int64_t row_stride, int64_t step_stride, const Num *B, int64_t steps, float *C,
                           int64_t c_stride) {
    typedef GemmTraits<Num> Traits;
    Vec sums[MR][NR_VECS] = {};
    // C of a large weight gradient is in no cache: prefetched now, it is there when the sums are done.
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
        for (int j = 0; j < NR_VECS; j++) __builtin_prefetch(C + r * c_stride + j * LANES, 1);
    for (int64_t k = 0; k < steps; k++, A += step_stride, B += NR * Traits::K_PACK) {
        typename Traits::Operand b[NR_VECS];
#pragma GCC unroll 8
        for (int j = 0; j < NR_VECS; j++) b[j] = Traits::load(B + j * LANES * Traits::K_PACK);
#pragma GCC unroll 8
        for (int r = 0; r < MR; r++) {
            const typename Traits::Operand a = Traits::broadcast(A + r * row_stride);
#pragma GCC unroll 8
            for (int j = 0; j < NR_VECS; j++) sums[r][j] = Traits::multiply_add(sums[r][j], a, b[j]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
        for (int j = 0; j < NR_VECS; j++) {
            Vec *c = reinterpret_cast<Vec *>(C + r * c_stride + j * LANES);
            *c = ADD ? *c + sums[r][j] : sums[r][j];
        }
}

// ---- packing ----------------------------------------------------------------------------------------------------

// One step of a panel, (WIDTH, K_PACK), from `rows` rows that are `stride` apart. Columns past `columns` become 0.
template <int WIDTH>
inline void pack_step(float *__restrict to, const float *row, int64_t, int64_t, int64_t columns) {
    if (columns >= WIDTH)
        for (int i = 0; i < WIDTH; i++) to[i] = row[i];
    else
        for (int i = 0; i < WIDTH; i++) to[i] = i < columns ? row[i] : 0;
}
#if defined(__AVX512BF16__)
template <int N>
struct PairVecs {
    typedef uint16_t single __attribute__((vector_size(2 * N)));
    typedef uint32_t pair __attribute__((vector_size(4 * N), aligned(4), may_alias));
};
template <int WIDTH, class From>
inline void pack_step(BFloat16 *__restrict to, const From *row, int64_t stride, int64_t rows, int64_t columns) {
    typedef typename PairVecs<WIDTH>::pair Pair;
    typename PairVecs<WIDTH>::single even = {}, odd = {};
    if (columns >= WIDTH) {  // apart from the other case, so that the compiler knows the size of the copy
        store_n(&even, row, WIDTH);
        if (rows > 1) store_n(&odd, row + stride, WIDTH);
    } else {
        store_n(&even, row, columns);
        if (rows > 1) store_n(&odd, row + stride, columns);
    }
    *reinterpret_cast<Pair *>(to) = __builtin_convertvector(even, Pair) | __builtin_convertvector(odd, Pair) << 16;
}
#endif

// Panels (columns / WIDTH, steps, WIDTH, K_PACK) of a matrix (inner, columns).
template <class Num, int WIDTH, class From>
void pack(Num *to, const From *from, int64_t stride, int64_t inner, int64_t columns) {
    constexpr int K_PACK = GemmTraits<Num>::K_PACK;
    for (int64_t first = 0; first < columns; first += WIDTH)
        for (int64_t k = 0; k < inner; k += K_PACK, to += WIDTH * K_PACK)
            pack_step<WIDTH>(to, from + k * stride + first, stride, inner - k, columns - first);
}

// Panels of NR columns of the transpose of a matrix (columns, inner).
template <class Num, class From>
void pack_transposed(Num *to, const From *from, int64_t stride, int64_t inner, int64_t columns) {
    constexpr int K_PACK = GemmTraits<Num>::K_PACK;
    const int64_t steps = k_steps<Num>(inner);
    for (int64_t first = 0; first < columns; first += NR, to += steps * NR * K_PACK) {
        if (columns - first < NR || inner % K_PACK) std::memset(to, 0, sizeof(Num) * steps * NR * K_PACK);
        for (int64_t k = 0; k < inner; k += 8)  // blocks of 8 by NR, which stay in the cache on both sides
            for (int64_t i = 0; i < NR && first + i < columns; i++)
                for (int64_t j = k; j < k + 8 && j < inner; j++)
                    store(to + (j / K_PACK * NR + i) * K_PACK + j % K_PACK, from[(first + i) * stride + j]);
    }
}

// Floats that the panels of a matrix (inner, columns) take.
template <class Num>
int64_t packed_size(int64_t inner, int64_t columns) {
    return round_up(columns, NR) * k_steps<Num>(inner);
}

// ---- products ---------------------------------------------------------------------------------------------------

// Prefetches a range of memory into the L2 cache, a chunk for each call of fetch().
struct Prefetch {
    const char *next;
    int64_t chunk;  // bytes
    Prefetch(const void *first, int64_t bytes, int64_t chunks)
        : next(static_cast<const char *>(first)), chunk(round_up(bytes / chunks, 64)) {}
    void fetch() {
        for (const char *end = next + chunk; next < end; next += 64) __builtin_prefetch(next, 0, 2);
    }
};

// C (M, columns) = A B, with A (M, inner) and B in panels; M is a multiple of MR, rows of C are `c_stride` apart.
template <class Num>
void gemm(const MatrixView<Num> A, const Num *B, int64_t M, int64_t inner, int64_t columns, float *C,
          int64_t c_stride) {
    constexpr int K_PACK = GemmTraits<Num>::K_PACK;
    const int64_t steps = k_steps<Num>(inner);
    for (int64_t k = 0; k < steps; k += KC) {
        const int64_t block = steps - k < KC ? steps - k : KC;
        for (int64_t n = 0; n < columns; n += NR) {
            const Num *panel = B + (n * steps + k * NR) * K_PACK;
            Prefetch next_panel(panel + steps * NR * K_PACK, block * NR * K_PACK * sizeof(Num), M / MR);
            for (int64_t m = 0; m < M; m += MR) {
                next_panel.fetch();
                (k ? micro_kernel<Num, true> : micro_kernel<Num, false>)(A[m] + k * K_PACK, A.stride, K_PACK, panel,
                                                                         block, C + m * c_stride + n, c_stride);
            }
        }
    }
}

// dW (N, K) += dY^T X over M tokens, with dY (M, N) and X (M, K): the gradient of y = x W^T. Both are packed into
// workspace: packed_size(M, K) + MC M floats. Rows of dW are padded to a multiple of NR.
template <class Num>
void add_weight_gradient(const MatrixView<Num> dY, const MatrixView<Num> X, int64_t M, int64_t N, int64_t K, float *dW,
                         float *workspace) {
    constexpr int K_PACK = GemmTraits<Num>::K_PACK;
    const int64_t steps = k_steps<Num>(M), width = round_up(K, NR);
    Num *panels = reinterpret_cast<Num *>(workspace);
    Num *rows = reinterpret_cast<Num *>(workspace + packed_size<Num>(M, K));
    pack<Num, NR, Num>(panels, X.data, X.stride, M, K);
    for (int64_t first = 0; first < N; first += MC) {
        const int64_t count = N - first < MC ? N - first : MC;
        pack<Num, MR, Num>(rows, dY.data + first, dY.stride, M, count);
        for (int64_t step = 0; step < steps; step += KC) {
            const int64_t block = steps - step < KC ? steps - step : KC;
            for (int64_t k = 0; k < K; k += NR)
                for (int64_t n = 0; n < count; n += MR)
                    micro_kernel<Num, true>(rows + (n * steps + step * MR) * K_PACK, K_PACK, MR * K_PACK,
                                            panels + (k * steps + step * NR) * K_PACK, block,
                                            dW + (first + n) * width + k, width);
        }
    }
}

}  // namespace
