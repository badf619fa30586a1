// One step of decoding for B texts: model.py's function for their newest tokens, in the order of its lines; and the draw
// of what comes next, as sampling.py has it.
//
// Compiled on the machine that runs it (native.py), without any header of torch's, in half a second. For one text a step
// costs what it costs to read every weight once, so they are laid out in the order in which they are read; for eight, the
// arithmetic costs more. Keys and values are laid out like weights: attention is two products as well. Several cores
// share many texts: each takes some of them through the whole model.
//
// Letters: B texts, C n_embd, H n_head, K n_kv_head, D head_size, I inside of the feed-forward, V vocabulary.

#include "crew.h"
#include "products.h"
#include "threads.h"

namespace {

struct Shape {
    int64_t n_layer, B, C, H, K, D, I, V, room, qk_norm, threads;
    float eps, attention_scale, logit_scale;
};

struct Given {
    const float *panels;     // tinylm_weights' work
    const float *embedding;  // (V, C)
    const int64_t *tokens;   // the newest ones, (B)
    const float *cosine, *sine;  // of each place, (room, D)
    float *keys, *values;    // the cache: (n_layer, B, K, room, D), of which the newest are written
    int64_t place;           // how many tokens are in the cache before
    int64_t held;            // so many of these are known from the steps before
    float *scores;           // (B, V)
};

// ---- products ---------------------------------------------------------------------------------------------------

// R rows of x (., n) times a panel: y (R, NR), whose rows lie `out` apart. Few rows are summed up in several chains,
// since in a chain each addition waits for the one before.
template <int R>
ALONE void tile(const float *x, const float *panel, float *y, int64_t n, int64_t out) {
    constexpr int CHAINS = ROWS / R;
    Some sums[CHAINS][R][ACROSS] = {};
    int64_t k = 0;
    for (; k + CHAINS <= n; k += CHAINS)
#pragma GCC unroll 8
        for (int chain = 0; chain < CHAINS; chain++, panel += NR)
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
#pragma GCC unroll 8
                for (int j = 0; j < ACROSS; j++)
                    sums[chain][r][j] += x[r * n + k + chain] * *reinterpret_cast<const Some *>(panel + j * WIDE);
    for (; k < n; k++, panel += NR)
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int j = 0; j < ACROSS; j++)
                sums[0][r][j] += x[r * n + k] * *reinterpret_cast<const Some *>(panel + j * WIDE);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int j = 0; j < ACROSS; j++) {
            Some sum = sums[0][r][j];
#pragma GCC unroll 8
            for (int chain = 1; chain < CHAINS; chain++) sum += sums[chain][r][j];
            *reinterpret_cast<Some *>(y + r * out + j * WIDE) = sum;
        }
}

// The first `rows` of R rows, times panels of which each has room for `depth` numbers a column.
template <int R>
void few_rows(const float *x, const float *panels, float *y, int64_t rows, int64_t n, int64_t columns, int64_t depth) {
    for (int64_t first = 0; first < columns; first += NR, panels += depth * NR) {
        const int64_t there = columns - first < NR ? columns - first : NR;
        if (rows == R && there == NR) {
            tile<R>(x, panels, y + first, n, columns);
            continue;
        }
        float edge[R * NR];
        tile<R>(x, panels, edge, n, NR);
        for (int64_t r = 0; r < rows; r++) std::memcpy(y + r * columns + first, edge + r * NR, there * sizeof(float));
    }
}

// y (rows, columns) = x (rows, n) times panels. Behind x's rows up to ROWS - 1 more are read, whatever they are.
void product(const float *x, const float *panels, float *y, int64_t rows, int64_t n, int64_t columns, int64_t depth) {
    for (; rows > ROWS / 2; rows -= ROWS, x += ROWS * n, y += ROWS * columns)
        few_rows<ROWS>(x, panels, y, rows < ROWS ? rows : ROWS, n, columns, depth);
    if (rows > 2) few_rows<ROWS / 2>(x, panels, y, rows, n, columns, depth);
    if (rows == 2) few_rows<2>(x, panels, y, rows, n, columns, depth);
    if (rows == 1) few_rows<1>(x, panels, y, rows, n, columns, depth);
}

// ---- the model --------------------------------------------------------------------------------------------------

// to = factor norm(x)
void norm(const float *x, float *to, int64_t n, float eps, float factor = 1) {
    const float scale = factor * rms_scale(x, n, eps);
    for (int64_t i = 0; i < n; i++) to[i] = scale * x[i];
}

// x += norm(y)
void add_normed(float *x, const float *y, int64_t n, float eps) {
    const float scale = rms_scale(y, n, eps);
    for (int64_t i = 0; i < n; i++) x[i] += scale * y[i];
}

// Turn the pairs (i, i + D/2) of each head by its position's angles.
void rotate(float *heads, int64_t n, int64_t D, const float *cosine, const float *sine) {
    const int64_t half = D / 2;
    for (float *head = heads; head < heads + n * D; head += D)
        for (int64_t i = 0; i < half; i++) {
            const float left = head[i], right = head[i + half];
            head[i] = left * cosine[i] - right * sine[i];
            head[i + half] = right * cosine[i + half] + left * sine[i + half];
        }
}

// The weights in panels: of each block qkv, out, gate and up, down; then the head.
struct Panels {
    struct Matrix {
        float *at;
        int64_t inner, columns;
    };
    std::vector<Matrix> all;
    Panels(const Shape &s, Room &room) {
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            add(s.C, (s.H + 2 * s.K) * s.D, room);
            add(s.H * s.D, s.C, room);
            add(s.C, 2 * s.I, room);
            add(s.I, s.C, room);
        }
        add(s.C, s.V, room);
    }
    void add(int64_t inner, int64_t columns, Room &room) {
        all.push_back({room.take(panels_size<float>(inner, columns)), inner, columns});
    }
    void times(int64_t number, const float *x, float *y, int64_t rows) const {
        const Matrix &m = all[number];
        product(x, m.at, y, rows, m.inner, m.columns, m.inner);
    }
};

// What one core works with, for B texts from the `first` one on.
struct Desk {
    const Shape s;
    const int64_t first, B;
    float *x, *normed, *qkv, *mixed, *gate_up, *hidden, *out, *weights, *keys, *values;

    Desk(const Shape &shape, int64_t first, int64_t B, Room &room) : s(shape), first(first), B(B) {
        const int64_t rows = up_to(B, ROWS), queries = up_to(s.H / s.K, ROWS), heads = s.n_layer * B * s.K;
        x = room.take(B * s.C), normed = room.take(rows * s.C), out = room.take(B * s.C);
        qkv = room.take(rows * (s.H + 2 * s.K) * s.D + queries * s.D), mixed = room.take(rows * s.H * s.D);
        gate_up = room.take(B * 2 * s.I), hidden = room.take(rows * s.I), weights = room.take(queries * up_to(s.room, NR));
        keys = room.take(heads * keys_size()), values = room.take(heads * values_size());
    }

    // Of a head of keys and values: the product with queries has the places as columns, that with weights the numbers.
    int64_t keys_size() const { return panels_size<float>(s.D, s.room); }
    int64_t values_size() const { return panels_size<float>(up_to(s.room, NR), s.D); }
    float *keys_of(int64_t layer, int64_t b, int64_t head) const { return keys + number(layer, b, head) * keys_size(); }
    float *values_of(int64_t layer, int64_t b, int64_t head) const { return values + number(layer, b, head) * values_size(); }
    int64_t number(int64_t layer, int64_t b, int64_t head) const { return (layer * B + b) * s.K + head; }
    int64_t cached(int64_t layer, int64_t b, int64_t head) const {
        return ((layer * s.B + first + b) * s.K + head) * s.room * s.D;
    }

    // A place's key and value (D) into the panels of their head.
    void hold(float *keys, float *values, const float *k, const float *v, int64_t place) const {
        for (int64_t i = 0; i < s.D; i++) {
            keys[place / NR * s.D * NR + i * NR + place % NR] = k[i];
            values[i / NR * up_to(s.room, NR) * NR + place * NR + i % NR] = v[i];
        }
    }

    // What is in the cache, and was not put there by this desk.
    void catch_up(const Given &given) const {
        for (int64_t layer = 0; layer < s.n_layer; layer++)
            for (int64_t b = 0; b < B; b++)
                for (int64_t head = 0; head < s.K; head++)
                    for (int64_t place = given.held; place < given.place; place++) {
                        const int64_t at = cached(layer, b, head) + place * s.D;
                        hold(keys_of(layer, b, head), values_of(layer, b, head), given.keys + at, given.values + at, place);
                    }
    }

    void attention(const Given &given, int64_t layer, int64_t b) {
        const int64_t sharing = s.H / s.K, places = given.place + 1, padded = up_to(places, NR);
        float *q = qkv + b * (s.H + 2 * s.K) * s.D, *k = q + s.H * s.D, *v = k + s.K * s.D;
        for (int64_t h = 0; s.qk_norm && h < s.H + s.K; h++) norm(q + h * s.D, q + h * s.D, s.D, s.eps);
        rotate(q, s.H + s.K, s.D, given.cosine + given.place * s.D, given.sine + given.place * s.D);
        float *to = mixed + b * s.H * s.D;
        for (int64_t head = 0; head < s.K; head++, k += s.D, v += s.D, q += sharing * s.D, to += sharing * s.D) {
            float *keys = keys_of(layer, b, head), *values = values_of(layer, b, head);
            hold(keys, values, k, v, given.place);
            const int64_t at = cached(layer, b, head) + given.place * s.D;
            std::memcpy(given.keys + at, k, s.D * sizeof(float));
            std::memcpy(given.values + at, v, s.D * sizeof(float));
            product(q, keys, weights, sharing, s.D, padded, s.D);
            for (int64_t h = 0; h < sharing; h++) {
                softmax(weights + h * padded, places, s.attention_scale);
                for (int64_t i = up_to(places, WIDE); i < padded; i++) weights[h * padded + i] = 0;
            }
            product(weights, values, to, sharing, padded, s.D, up_to(s.room, NR));
        }
    }

    void step(const Given &given, const Panels &panels) {
        catch_up(given);
        for (int64_t b = 0; b < B; b++)
            std::memcpy(x + b * s.C, given.embedding + given.tokens[first + b] * s.C, s.C * sizeof(float));
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            for (int64_t b = 0; b < B; b++) norm(x + b * s.C, normed + b * s.C, s.C, s.eps);
            panels.times(4 * layer, normed, qkv, B);
            for (int64_t b = 0; b < B; b++) attention(given, layer, b);
            panels.times(4 * layer + 1, mixed, out, B);
            for (int64_t b = 0; b < B; b++) add_normed(x + b * s.C, out + b * s.C, s.C, s.eps);

            for (int64_t b = 0; b < B; b++) norm(x + b * s.C, normed + b * s.C, s.C, s.eps);
            panels.times(4 * layer + 2, normed, gate_up, B);
            for (int64_t b = 0; b < B; b++) gate(gate_up + 2 * b * s.I, gate_up + (2 * b + 1) * s.I, hidden + b * s.I, s.I);
            panels.times(4 * layer + 3, hidden, out, B);
            for (int64_t b = 0; b < B; b++) add_normed(x + b * s.C, out + b * s.C, s.C, s.eps);
        }
        for (int64_t b = 0; b < B; b++) norm(x + b * s.C, normed + b * s.C, s.C, s.eps, s.logit_scale);
        panels.times(4 * s.n_layer, normed, given.scores + first * s.V, B);
    }
};

int64_t step(const Shape &s, const Given *given, float *scratch) {
    Room room{scratch}, laid_out{given ? const_cast<float *>(given->panels) : nullptr};
    std::vector<Desk> desks;
    for (int64_t i = 0; i < s.threads; i++) {
        const int64_t first = s.B * i / s.threads;
        desks.emplace_back(s, first, s.B * (i + 1) / s.threads - first, room);
    }
    if (!given) return room.taken;
    const Panels panels(s, laid_out);
    crew().all(s.threads, [&](int64_t i) { desks[i].step(*given, panels); });
    return room.taken;
}

// ---- what comes next ----------------------------------------------------------------------------------------------

constexpr int64_t BLOCK = 64;  // probabilities that are summed up at once

double sum_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

// The place at which the sum of n probabilities passes their whole sum's share `luck`.
int64_t drawn(const float *probabilities, int64_t n, double luck) {
    double before = 0;
    for (int64_t first = 0; first < n; first += BLOCK)
        before += sum_of(probabilities + first, n - first < BLOCK ? n - first : BLOCK);
    const double wanted = luck * before;
    int64_t place = 0;
    before = 0;
    for (int64_t first = 0; first < n && before <= wanted; first += BLOCK) {
        const int64_t end = n - first < BLOCK ? n : first + BLOCK;
        const double behind = before + sum_of(probabilities + first, end - first);
        for (int64_t i = first; behind > wanted && i < end && before <= wanted; i++)
            if (probabilities[i] > 0) before += probabilities[i], place = i;
        before = behind;
    }
    return place;
}

// work(0) to work(rows - 1), each thread the next ones: 0, or -1 where no thread could be had.
template <class Work>
int64_t on_rows(int64_t rows, int64_t threads, const Work &work) {
    try {
        crew().all(threads, [&](int64_t i) {
            for (int64_t r = rows * i / threads; r < rows * (i + 1) / threads; r++) work(r);
        });
        return 0;
    } catch (...) {
        return -1;
    }
}

}  // namespace

extern "C" {

// Lays out weights, each (columns, inner): of each block qkv (H + 2K) D x C, out C x H D, gate and up 2 I x C, down
// C x I; then the head, V x C. Returns how many floats that takes; without `panels` nothing else; -1: not possible.
int64_t tinylm_weights(const Shape *shape, const float *const *weights, float *panels) {
    try {
        Room room{panels};
        const Panels laid_out(*shape, room);
        const int64_t many = laid_out.all.size();
        if (panels)
            crew().all(shape->threads, [&](int64_t i) {
                for (int64_t j = i; j < many; j += shape->threads) {
                    const Panels::Matrix &m = laid_out.all[j];
                    pack_turned<float, float>(m.at, weights[j], m.inner, m.inner, m.columns);
                }
            });
        return room.taken;
    } catch (...) {  // no memory for a list, no thread to be had
        return -1;
    }
}

// A step of all texts; scratch keeps keys and values from step to step. Without `given`, how many floats scratch has to
// hold; -1: not possible.
int64_t tinylm_step(const Shape *shape, const Given *given, float *scratch) {
    try {
        return step(*shape, given, scratch);
    } catch (...) {
        return -1;
    }
}

// Softmax of scores (rows, n) over a temperature; highest: of each row, or no number where that or any score is none.
// Returns 0, or -1: not possible.
int64_t tinylm_softmax(const float *scores, int64_t rows, int64_t n, int64_t threads, float temperature,
                       float *probabilities, float *highest) {
    return on_rows(rows, threads, [&](int64_t r) {
        const float *from = scores + r * n, most = highest_of(from, n), factor = 1 / temperature;
        float *to = probabilities + r * n, sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const float below = (from[i] - most) * factor;
            sum += to[i] = below < -87 ? 0 : exponential(below);
        }
        for (int64_t i = 0; i < n; i++) to[i] /= sum;
        highest[r] = most + 0 * sum;
    });
}

// For each row of probabilities (rows, n) a place, by a number in [0, 1). Returns 0, or -1: not possible.
int64_t tinylm_draw(const float *probabilities, int64_t rows, int64_t n, int64_t threads, const double *luck,
                    int64_t *places) {
    return on_rows(rows, threads, [&](int64_t r) { places[r] = drawn(probabilities + r * n, n, luck[r]); });
}
}
