// One step of decoding for B texts: model.py's function for the newest tokens of each, in the order of its lines; and the
// draw of what comes next, as sampling.py has it.
//
// Compiled on the machine that runs it (native.py), without any header of torch's, in half a second. For one token a step
// costs what it costs to read every weight once, so they are laid out in the order in which they are read; from eight on,
// the arithmetic costs more. Keys and values are laid out like weights: attention is two products as well. Several cores
// share the rows, a row being a token of a text: each takes some of them through the whole model.
//
// Letters: B texts, T new tokens of each, C n_embd, H n_head, K n_kv_head, D head_size, I inside of the feed-forward,
// V vocabulary.

#include "thread_pool.h"
#include "gemm.h"
#include "parallel.h"

namespace {

struct Shape {
    int64_t n_layer, B, T, C, H, K, D, I, V, room, qk_norm, threads;
    float eps, attention_scale, logit_scale;
};

struct Given {
    const float *panels;         // tinylm_weights' work
    const float *embedding;      // (V, C)
    const int64_t *tokens;       // the new ones, (B, T)
    const float *cosine, *sine;  // of each place, (room, D)
    float *keys, *values;        // the cache: (n_layer, B, K, room, D), of which what is new is written
    int64_t place;               // how many tokens are in the cache before
    int64_t held;                // so many of these are in scratch, from the steps before
    float *scores;               // behind each text, (B, V)
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

// The first `rows` of R rows times the first `columns` of a panel.
template <int R>
void few_rows(const float *x, const float *panel, float *y, int64_t rows, int64_t n, int64_t columns, int64_t out) {
    if (rows == R && columns == NR) return tile<R>(x, panel, y, n, out);
    float edge[R * NR];
    tile<R>(x, panel, edge, n, NR);
    for (int64_t r = 0; r < rows; r++) std::memcpy(y + r * out, edge + r * NR, columns * sizeof(float));
}

// y (rows, columns) = x (rows, n) times panels, of which each has room for `depth` numbers a column. Behind x's rows up to
// ROWS - 1 more are read, whatever they are.
void product(const float *x, const float *panels, float *y, int64_t rows, int64_t n, int64_t columns, int64_t depth) {
    for (int64_t first = 0; first < columns; first += NR, panels += depth * NR) {
        const int64_t there = columns - first < NR ? columns - first : NR;
        const float *from = x;
        float *to = y + first;
        int64_t left = rows;
        for (; left > ROWS / 2; left -= ROWS, from += ROWS * n, to += ROWS * columns)
            few_rows<ROWS>(from, panels, to, left < ROWS ? left : ROWS, n, there, columns);
        if (left > 2) few_rows<ROWS / 2>(from, panels, to, left, n, there, columns);
        if (left == 2) few_rows<2>(from, panels, to, left, n, there, columns);
        if (left == 1) few_rows<1>(from, panels, to, left, n, there, columns);
    }
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

// Keys and values of all texts in panels: the product with queries has the places as columns, that with weights the
// numbers of a head.
struct Held {
    const Shape s;
    const int64_t depth, keys_size, values_size;  // of a head
    float *keys, *values;

    Held(const Shape &s, Room &room)
        : s(s), depth(up_to(s.room, NR)), keys_size(panels_size<float>(s.D, s.room)),
          values_size(panels_size<float>(depth, s.D)), keys(room.take(heads() * keys_size)),
          values(room.take(heads() * values_size)) {}
    int64_t heads() const { return s.n_layer * s.B * s.K; }
    int64_t number(int64_t layer, int64_t b, int64_t head) const { return (layer * s.B + b) * s.K + head; }

    // A place's key and value (D) into the panels of a head.
    void take(int64_t head, int64_t place, const float *k, const float *v) const {
        float *to_keys = keys + head * keys_size + place / NR * s.D * NR + place % NR;
        float *to_values = values + head * values_size + place * NR;
        for (int64_t i = 0; i < s.D; i++) to_keys[i * NR] = k[i], to_values[i / NR * depth * NR + i % NR] = v[i];
    }

    // What is in the cache of a text, and was not put there by a step.
    void catch_up(const Given &given, int64_t b) const {
        for (int64_t layer = 0; layer < s.n_layer; layer++)
            for (int64_t head = number(layer, b, 0); head < number(layer, b, s.K); head++)
                for (int64_t place = given.held; place < given.place; place++) {
                    const int64_t at = (head * s.room + place) * s.D;
                    take(head, place, given.keys + at, given.values + at);
                }
    }
};

// What one core works with, for N rows from the `first` one on: all new tokens of the first text, of the next, and so on.
struct Desk {
    const Shape s;
    const Held &held;
    const int64_t first, N;
    float *x, *normed, *qkv, *mixed, *gate_up, *hidden, *out, *weights;

    Desk(const Shape &shape, const Held &held, int64_t first, int64_t N, Room &room)
        : s(shape), held(held), first(first), N(N) {
        const int64_t rows = up_to(N, ROWS), queries = up_to(s.H / s.K, ROWS);
        x = room.take(N * s.C), normed = room.take(rows * s.C), out = room.take(N * s.C);
        qkv = room.take(rows * (s.H + 2 * s.K) * s.D + queries * s.D), mixed = room.take(rows * s.H * s.D);
        gate_up = room.take(N * 2 * s.I), hidden = room.take(rows * s.I), weights = room.take(queries * held.depth);
    }

    int64_t text(int64_t row) const { return (first + row) / s.T; }
    int64_t later(int64_t row) const { return (first + row) % s.T; }  // than the first new token of its text

    // Heads normed and turned; keys and values into the cache and the panels.
    void prepare_heads(const Given &given, int64_t layer, int64_t row) {
        float *q = qkv + row * (s.H + 2 * s.K) * s.D, *k = q + s.H * s.D, *v = k + s.K * s.D;
        const int64_t place = given.place + later(row);
        for (int64_t h = 0; s.qk_norm && h < s.H + s.K; h++) norm(q + h * s.D, q + h * s.D, s.D, s.eps);
        rotate(q, s.H + s.K, s.D, given.cosine + place * s.D, given.sine + place * s.D);
        for (int64_t h = 0; h < s.K; h++, k += s.D, v += s.D) {
            const int64_t head = held.number(layer, text(row), h), at = (head * s.room + place) * s.D;
            held.take(head, place, k, v);
            std::memcpy(given.keys + at, k, s.D * sizeof(float));
            std::memcpy(given.values + at, v, s.D * sizeof(float));
        }
    }

    void attention(const Given &given, int64_t layer, int64_t row) {
        const int64_t sharing = s.H / s.K, places = given.place + later(row) + 1, padded = up_to(places, NR);
        for (int64_t h = 0; h < s.K; h++) {
            const int64_t head = held.number(layer, text(row), h), query = h * sharing;
            product(qkv + (row * (s.H + 2 * s.K) + query) * s.D, held.keys + head * held.keys_size, weights, sharing, s.D,
                    padded, s.D);
            for (int64_t i = 0; i < sharing; i++) {
                softmax(weights + i * padded, places, s.attention_scale);
                for (int64_t j = up_to(places, WIDE); j < padded; j++) weights[i * padded + j] = 0;
            }
            product(weights, held.values + head * held.values_size, mixed + (row * s.H + query) * s.D, sharing, padded,
                    s.D, held.depth);
        }
    }

    void step(const Given &given, const Panels &panels, Meeting &meeting) {
        for (int64_t row = 0; row < N; row++) {
            if (later(row) == 0) held.catch_up(given, text(row));
            std::memcpy(x + row * s.C, given.embedding + given.tokens[first + row] * s.C, s.C * sizeof(float));
        }
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            for (int64_t row = 0; row < N; row++) norm(x + row * s.C, normed + row * s.C, s.C, s.eps);
            panels.times(4 * layer, normed, qkv, N);
            for (int64_t row = 0; row < N; row++) prepare_heads(given, layer, row);
            if (s.T > 1) meeting.wait(s.threads);  // for the rows before of the same text
            for (int64_t row = 0; row < N; row++) attention(given, layer, row);
            panels.times(4 * layer + 1, mixed, out, N);
            for (int64_t row = 0; row < N; row++) add_normed(x + row * s.C, out + row * s.C, s.C, s.eps);

            for (int64_t row = 0; row < N; row++) norm(x + row * s.C, normed + row * s.C, s.C, s.eps);
            panels.times(4 * layer + 2, normed, gate_up, N);
            for (int64_t row = 0; row < N; row++) {
                const float *inside = gate_up + 2 * row * s.I;
                gate(inside, inside + s.I, hidden + row * s.I, s.I);
            }
            panels.times(4 * layer + 3, hidden, out, N);
            for (int64_t row = 0; row < N; row++) add_normed(x + row * s.C, out + row * s.C, s.C, s.eps);
        }
        int64_t ends = 0;
        for (int64_t row = 0; row < N; row++)
            if (later(row) == s.T - 1) norm(x + row * s.C, normed + ends++ * s.C, s.C, s.eps, s.logit_scale);
        panels.times(4 * s.n_layer, normed, given.scores + text(0) * s.V, ends);
    }
};

int64_t step(const Shape &s, const Given *given, float *scratch) {
    Room room{scratch}, laid_out{given ? const_cast<float *>(given->panels) : nullptr};
    const Held held(s, room);  // at the same place, however many tokens and threads there are
    std::vector<Desk> desks;
    for (int64_t i = 0; i < s.threads; i++) {
        const int64_t first = s.B * s.T * i / s.threads;
        desks.emplace_back(s, held, first, s.B * s.T * (i + 1) / s.threads - first, room);
    }
    if (!given) return room.taken;
    const Panels panels(s, laid_out);
    Meeting meeting;
    crew().all(s.threads, [&](int64_t i) { desks[i].step(*given, panels, meeting); });
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

// A step of all texts; scratch keeps keys and values from step to step. Returns how many floats that has to hold, without
// `given` nothing else; -1: not possible.
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
