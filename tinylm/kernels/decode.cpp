// One decoding step for B sequences, a prompt's tokens or one token each, and the sampling of what comes next.
//
// Layers in order, as in model/transformer.py, which is the reference (`Transformer.next_logits` with a KVCache; for
// softmax and sampling it is inference/sampling.py). Compiled code is checked before it is used (decode.py).
//
//     embedding -> n_layer times:  x = x + norm(out(attention(heads(qkv(norm(x))), cache)))
//                                  x = x + norm(down(geglu(gate_up(norm(x)))))
//               -> norm -> head, for the last token of each sequence
//
// Shapes: B sequences, T new tokens of each, C n_embd, H n_head, K n_kv_head, D head_size, I the feed-forward's inner
// size, V vocabulary. A row is one token of one sequence, row b T + t: x (B T, C), qkv (B T, (H + 2K) D), attended
// (B T, H D), gate_up (B T, 2I), logits (B, V). All in fp32; nothing is kept for a backward pass.
//
// For one token, a step costs what reading every weight once costs, so weights are packed in panels, in the order in
// which they are read; from eight rows on, arithmetic costs more. Keys and values are packed too, which makes attention
// two products. Threads share the rows, and each takes its rows through the whole model.
//
// Guarantees: the same inputs and number of threads give the same bits. NaN and infinity reach the logits. After a step
// the cache holds the new keys and values as the model itself would write them.

#include "thread_pool.h"
#include "gemm.h"
#include "model_shape.h"
#include "parallel.h"

namespace {

// ---- arguments --------------------------------------------------------------------------------------------------

struct Args {
    const float *panels;         // the weights, by tinylm_pack_weights
    const float *embedding;      // (V, C)
    const int64_t *tokens;       // the new ones, (B, T)
    const float *cosine, *sine;  // rotary table, (capacity, D) each
    float *keys, *values;        // the cache, (n_layer, B, K, capacity, D) each; new tokens are written
    int64_t length;              // tokens in the cache before this step
    int64_t packed_length;       // how many of these are in scratch, in panels, from earlier steps
    float *logits;               // (B, V)
};

// ---- products of few rows ---------------------------------------------------------------------------------------

// y (R, NR) = x (R, n) times a panel; rows of y are `y_stride` apart. With few rows, several independent sums for each
// element: within one sum, each addition waits for the one before.
template <int R>
NOINLINE void skinny_micro_kernel(const float *x, const float *panel, float *y, int64_t n, int64_t y_stride) {
    constexpr int CHAINS = MR / R;
    Vec sums[CHAINS][R][NR_VECS] = {};
    int64_t k = 0;
    for (; k + CHAINS <= n; k += CHAINS)
#pragma GCC unroll 8
        for (int chain = 0; chain < CHAINS; chain++, panel += NR)
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
#pragma GCC unroll 8
                for (int j = 0; j < NR_VECS; j++)
                    sums[chain][r][j] += x[r * n + k + chain] * *reinterpret_cast<const Vec *>(panel + j * LANES);
    for (; k < n; k++, panel += NR)
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int j = 0; j < NR_VECS; j++)
                sums[0][r][j] += x[r * n + k] * *reinterpret_cast<const Vec *>(panel + j * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int j = 0; j < NR_VECS; j++) {
            Vec sum = sums[0][r][j];
#pragma GCC unroll 8
            for (int chain = 1; chain < CHAINS; chain++) sum += sums[chain][r][j];
            *reinterpret_cast<Vec *>(y + r * y_stride + j * LANES) = sum;
        }
}

// The first `rows` rows and the first `columns` columns of a tile (R, NR).
template <int R>
void skinny_tile(const float *x, const float *panel, float *y, int64_t rows, int64_t n, int64_t columns,
                 int64_t y_stride) {
    if (rows == R && columns == NR) return skinny_micro_kernel<R>(x, panel, y, n, y_stride);
    float tile[R * NR];
    skinny_micro_kernel<R>(x, panel, tile, n, NR);
    for (int64_t r = 0; r < rows; r++) std::memcpy(y + r * y_stride, tile + r * NR, columns * sizeof(float));
}

// y (rows, columns) = x (rows, n) times panels, each allocated for `depth` >= n inner indices. Up to MR - 1 rows past x
// are read too, so they must be readable memory.
void skinny_gemm(const float *x, const float *panels, float *y, int64_t rows, int64_t n, int64_t columns,
                 int64_t depth) {
    for (int64_t first = 0; first < columns; first += NR, panels += depth * NR) {
        const int64_t width = columns - first < NR ? columns - first : NR;
        const float *from = x;
        float *to = y + first;
        int64_t left = rows;
        for (; left > MR / 2; left -= MR, from += MR * n, to += MR * columns)
            skinny_tile<MR>(from, panels, to, left < MR ? left : MR, n, width, columns);
        if (left > 2) skinny_tile<MR / 2>(from, panels, to, left, n, width, columns);
        if (left == 2) skinny_tile<2>(from, panels, to, left, n, width, columns);
        if (left == 1) skinny_tile<1>(from, panels, to, left, n, width, columns);
    }
}

// ---- RMSNorm, residual, rotary positions ------------------------------------------------------------------------

// to (n,) = factor norm(x)
void norm(const float *x, float *to, int64_t n, float eps, float factor = 1) {
    const float scale = factor * inverse_rms(x, n, eps);
    for (int64_t i = 0; i < n; i++) to[i] = scale * x[i];
}

// x (n,) += norm(y)
void add_norm(float *x, const float *y, int64_t n, float eps) {
    const float scale = inverse_rms(y, n, eps);
    for (int64_t i = 0; i < n; i++) x[i] += scale * y[i];
}

// Rotates the pairs (i, i + D/2) of heads (n, D) by the angles of one position, cosine and sine (D,).
void rotate(float *heads, int64_t n, int64_t D, const float *cosine, const float *sine) {
    const int64_t half = D / 2;
    for (float *head = heads; head < heads + n * D; head += D)
        for (int64_t i = 0; i < half; i++) {
            const float x1 = head[i], x2 = head[i + half];
            head[i] = x1 * cosine[i] - x2 * sine[i];
            head[i + half] = x2 * cosine[i + half] + x1 * sine[i + half];
        }
}

// ---- weights ----------------------------------------------------------------------------------------------------

// The weights in panels: of each block qkv, out, gate_up, down; then the head.
struct PackedWeights {
    struct Matrix {
        float *panels;
        int64_t inner, columns;
    };
    std::vector<Matrix> all;
    PackedWeights(const ModelShape &s, Arena &arena) {
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            add(s.C, (s.H + 2 * s.K) * s.D, arena);
            add(s.H * s.D, s.C, arena);
            add(s.C, 2 * s.I, arena);
            add(s.I, s.C, arena);
        }
        add(s.C, s.V, arena);
    }
    void add(int64_t inner, int64_t columns, Arena &arena) {
        all.push_back({arena.allocate(packed_size<float>(inner, columns)), inner, columns});
    }
    // y (rows, columns) = x (rows, inner) W^T, with the matrix W of that index
    void multiply(int64_t index, const float *x, float *y, int64_t rows) const {
        const Matrix &m = all[index];
        skinny_gemm(x, m.panels, y, rows, m.inner, m.columns, m.inner);
    }
};

// ---- key/value cache --------------------------------------------------------------------------------------------

// Keys and values of all sequences in panels. A column is a position in those of keys (q k^T), and an element of the
// head in those of values (weights v).
struct PackedKVCache {
    const ModelShape s;
    const int64_t depth, keys_size, values_size;  // depth: positions, padded; sizes of one head, in floats
    float *keys, *values;

    PackedKVCache(const ModelShape &s, Arena &arena)
        : s(s), depth(round_up(s.capacity, NR)), keys_size(packed_size<float>(s.D, s.capacity)),
          values_size(packed_size<float>(depth, s.D)), keys(arena.allocate(heads() * keys_size)),
          values(arena.allocate(heads() * values_size)) {}
    int64_t heads() const { return s.n_layer * s.B * s.K; }
    int64_t head_index(int64_t layer, int64_t b, int64_t h) const { return (layer * s.B + b) * s.K + h; }

    // Puts k and v (D,) of a position into the panels of a head.
    void put(int64_t head, int64_t position, const float *k, const float *v) const {
        float *to_keys = keys + head * keys_size + position / NR * s.D * NR + position % NR;
        float *to_values = values + head * values_size + position * NR;
        for (int64_t i = 0; i < s.D; i++) to_keys[i * NR] = k[i], to_values[i / NR * depth * NR + i % NR] = v[i];
    }

    // Packs what the cache holds of a sequence that was not written by earlier steps.
    void catch_up(const Args &args, int64_t b) const {
        for (int64_t layer = 0; layer < s.n_layer; layer++)
            for (int64_t head = head_index(layer, b, 0); head < head_index(layer, b, s.K); head++)
                for (int64_t position = args.packed_length; position < args.length; position++) {
                    const int64_t offset = (head * s.capacity + position) * s.D;
                    put(head, position, args.keys + offset, args.values + offset);
                }
    }
};

// ---- a thread's rows --------------------------------------------------------------------------------------------

// The buffers of one thread, for rows first to first + N - 1: (N, .) each, padded where skinny_gemm reads them.
struct DecodeWorker {
    const ModelShape s;
    const PackedKVCache &cache;
    const int64_t first, N;
    float *x, *normed, *qkv, *attended, *gate_up, *hidden, *out;
    float *probs;  // attention weights of the query heads that share a key head, (H / K, positions)

    DecodeWorker(const ModelShape &shape, const PackedKVCache &cache, int64_t first, int64_t N, Arena &arena)
        : s(shape), cache(cache), first(first), N(N) {
        const int64_t rows = round_up(N, MR), queries = round_up(s.H / s.K, MR);
        x = arena.allocate(N * s.C), normed = arena.allocate(rows * s.C), out = arena.allocate(N * s.C);
        qkv = arena.allocate(rows * (s.H + 2 * s.K) * s.D + queries * s.D);
        attended = arena.allocate(rows * s.H * s.D);
        gate_up = arena.allocate(N * 2 * s.I), hidden = arena.allocate(rows * s.I);
        probs = arena.allocate(queries * cache.depth);
    }

    int64_t sequence(int64_t row) const { return (first + row) / s.T; }
    int64_t offset(int64_t row) const { return (first + row) % s.T; }  // among the new tokens of its sequence

    // ---- heads: qk_norm, rotary positions, and keys and values into the cache -----------------------------------

    void heads(const Args &args, int64_t layer, int64_t row) {
        float *q = qkv + row * (s.H + 2 * s.K) * s.D, *k = q + s.H * s.D, *v = k + s.K * s.D;
        const int64_t position = args.length + offset(row);
        for (int64_t h = 0; s.qk_norm && h < s.H + s.K; h++) norm(q + h * s.D, q + h * s.D, s.D, s.eps);
        rotate(q, s.H + s.K, s.D, args.cosine + position * s.D, args.sine + position * s.D);
        for (int64_t h = 0; h < s.K; h++, k += s.D, v += s.D) {
            const int64_t head = cache.head_index(layer, sequence(row), h), at = (head * s.capacity + position) * s.D;
            cache.put(head, position, k, v);
            std::memcpy(args.keys + at, k, s.D * sizeof(float));
            std::memcpy(args.values + at, v, s.D * sizeof(float));
        }
    }

    // ---- attention: softmax(scale q k^T) v over all positions up to the row's own -------------------------------

    void attention(const Args &args, int64_t layer, int64_t row) {
        const int64_t group_size = s.H / s.K, positions = args.length + offset(row) + 1;
        const int64_t padded = round_up(positions, NR);
        for (int64_t h = 0; h < s.K; h++) {
            const int64_t head = cache.head_index(layer, sequence(row), h), query = h * group_size;
            skinny_gemm(qkv + (row * (s.H + 2 * s.K) + query) * s.D, cache.keys + head * cache.keys_size, probs,
                        group_size, s.D, padded, s.D);
            for (int64_t i = 0; i < group_size; i++) {
                softmax(probs + i * padded, positions, s.attention_scale);
                for (int64_t j = round_up(positions, LANES); j < padded; j++) probs[i * padded + j] = 0;
            }
            skinny_gemm(probs, cache.values + head * cache.values_size, attended + (row * s.H + query) * s.D,
                        group_size, padded, s.D, cache.depth);
        }
    }

    // ---- the model ----------------------------------------------------------------------------------------------

    void step(const Args &args, const PackedWeights &weights, Barrier &barrier) {
        for (int64_t row = 0; row < N; row++) {
            if (offset(row) == 0) cache.catch_up(args, sequence(row));
            std::memcpy(x + row * s.C, args.embedding + args.tokens[first + row] * s.C, s.C * sizeof(float));
        }
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            for (int64_t row = 0; row < N; row++) norm(x + row * s.C, normed + row * s.C, s.C, s.eps);
            weights.multiply(PER_BLOCK * layer + QKV, normed, qkv, N);
            for (int64_t row = 0; row < N; row++) heads(args, layer, row);
            if (s.T > 1) barrier.wait(s.threads);  // another thread may have the sequence's earlier rows
            for (int64_t row = 0; row < N; row++) attention(args, layer, row);
            weights.multiply(PER_BLOCK * layer + OUT, attended, out, N);
            for (int64_t row = 0; row < N; row++) add_norm(x + row * s.C, out + row * s.C, s.C, s.eps);

            for (int64_t row = 0; row < N; row++) norm(x + row * s.C, normed + row * s.C, s.C, s.eps);
            weights.multiply(PER_BLOCK * layer + GATE_UP, normed, gate_up, N);
            for (int64_t row = 0; row < N; row++) {
                const float *gate = gate_up + 2 * row * s.I;
                geglu(gate, gate + s.I, hidden + row * s.I, s.I);
            }
            weights.multiply(PER_BLOCK * layer + DOWN, hidden, out, N);
            for (int64_t row = 0; row < N; row++) add_norm(x + row * s.C, out + row * s.C, s.C, s.eps);
        }
        int64_t ends = 0;  // last tokens of a sequence among these rows
        for (int64_t row = 0; row < N; row++)
            if (offset(row) == s.T - 1) norm(x + row * s.C, normed + ends++ * s.C, s.C, s.eps, s.logit_scale);
        weights.multiply(PER_BLOCK * s.n_layer, normed, args.logits + sequence(0) * s.V, ends);
    }
};

int64_t decode_step(const ModelShape &s, const Args *args, float *scratch) {
    Arena arena{scratch}, weights_arena{args ? const_cast<float *>(args->panels) : nullptr};
    const PackedKVCache cache(s, arena);  // first, so that its address does not depend on T and threads
    std::vector<DecodeWorker> workers;
    for (int64_t i = 0; i < s.threads; i++) {
        const int64_t first = s.B * s.T * i / s.threads;
        workers.emplace_back(s, cache, first, s.B * s.T * (i + 1) / s.threads - first, arena);
    }
    if (!args) return arena.used;
    const PackedWeights weights(s, weights_arena);
    Barrier barrier;
    thread_pool().run(s.threads, [&](int64_t i) { workers[i].step(*args, weights, barrier); });
    return arena.used;
}

// ---- sampling ---------------------------------------------------------------------------------------------------

constexpr int64_t BLOCK = 64;  // probabilities that are summed together, so that sums vectorize

double sum_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

// The index at which the cumulative sum of probabilities (n,) passes `uniform` times their total. Never one whose
// probability is 0.
int64_t sample(const float *probabilities, int64_t n, double uniform) {
    double cumulative = 0;
    for (int64_t first = 0; first < n; first += BLOCK)
        cumulative += sum_of(probabilities + first, n - first < BLOCK ? n - first : BLOCK);
    const double target = uniform * cumulative;
    int64_t index = 0;
    cumulative = 0;
    for (int64_t first = 0; first < n && cumulative <= target; first += BLOCK) {
        const int64_t end = n - first < BLOCK ? n : first + BLOCK;
        const double after = cumulative + sum_of(probabilities + first, end - first);
        for (int64_t i = first; after > target && i < end && cumulative <= target; i++)
            if (probabilities[i] > 0) cumulative += probabilities[i], index = i;
        cumulative = after;
    }
    return index;
}

// Calls work(0) to work(rows - 1), a range of rows for each thread. Returns 0, or -1 where no thread could be had.
template <class Work>
int64_t for_each_row(int64_t rows, int64_t threads, const Work &work) {
    try {
        thread_pool().run(threads, [&](int64_t i) {
            for (int64_t r = rows * i / threads; r < rows * (i + 1) / threads; r++) work(r);
        });
        return 0;
    } catch (...) {
        return -1;
    }
}

}  // namespace

// ---- what Python calls ------------------------------------------------------------------------------------------

extern "C" {

// Packs weights, in the order of PackedWeights: of each block qkv ((H + 2K) D, C), out (C, H D), gate_up (2I, C),
// down (C, I); then head (V, C). Returns how many floats `panels` must hold, and without `panels` does nothing else;
// -1: no memory or thread could be had.
int64_t tinylm_pack_weights(const ModelShape *shape, const float *const *weights, float *panels) {
    try {
        Arena arena{panels};
        const PackedWeights packed(*shape, arena);
        const int64_t n_matrices = packed.all.size();
        if (panels)
            thread_pool().run(shape->threads, [&](int64_t i) {
                for (int64_t j = i; j < n_matrices; j += shape->threads) {
                    const PackedWeights::Matrix &m = packed.all[j];
                    pack_transposed<float, float>(m.panels, weights[j], m.inner, m.inner, m.columns);
                }
            });
        return arena.used;
    } catch (...) {
        return -1;
    }
}

// A step of all sequences; scratch keeps the packed cache from step to step. Returns how many floats scratch must hold,
// and without `args` does nothing else; -1: no memory or thread could be had.
int64_t tinylm_decode_step(const ModelShape *shape, const Args *args, float *scratch) {
    try {
        return decode_step(*shape, args, scratch);
    } catch (...) {
        return -1;
    }
}

// probabilities (rows, n) = softmax(logits / temperature). max_logits (rows,): the largest logit of each row, or NaN if
// any of its logits is NaN or that one is infinite. Returns 0; -1: no thread could be had.
int64_t tinylm_softmax(const float *logits, int64_t rows, int64_t n, int64_t threads, float temperature,
                       float *probabilities, float *max_logits) {
    return for_each_row(rows, threads, [&](int64_t r) {
        const float *from = logits + r * n, largest = max_of(from, n), factor = 1 / temperature;
        float *to = probabilities + r * n, sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const float below = (from[i] - largest) * factor;
            sum += to[i] = below < -87 ? 0 : exponential(below);
        }
        for (int64_t i = 0; i < n; i++) to[i] /= sum;
        max_logits[r] = largest + 0 * sum;
    });
}

// One index for each row of probabilities (rows, n), by a uniform draw in [0, 1) each. Returns 0; -1: no thread could
// be had.
int64_t tinylm_sample(const float *probabilities, int64_t rows, int64_t n, int64_t threads, const double *uniform,
                      int64_t *indices) {
    return for_each_row(rows, threads, [&](int64_t r) { indices[r] = sample(probabilities + r * n, n, uniform[r]); });
}
}
