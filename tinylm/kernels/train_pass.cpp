// Loss and gradients of a pass: model.py's function and its derivative, in the order of its lines.
//
// Each thread takes windows of its own through the whole model and back, so that what stands between the products never
// leaves its core's cache, and threads meet three times a pass: when the weights are laid out, when all windows are
// through, and when the gradients are summed. Who takes which window is fixed: the same sums, in the same order.
//
// What is multiplied is fp32, or bf16 where products are asked for in bf16; nothing else is rounded.
//
// Letters: B windows, T tokens, C n_embd, H n_head, K n_kv_head, D head_size, I inside of the feed-forward,
// V vocabulary. Rows of activations are padded to a multiple of NR, windows to a multiple of ROWS; what is padded is 0.

#include "muon.h"
#include "gemm.h"
#include "parallel.h"

#include <vector>

namespace {

// ---- the model --------------------------------------------------------------------------------------------------

struct Shape {
    int64_t n_layer, B, T, C, H, K, D, I, V, qk_norm, tied, threads;
    float eps, attention_scale, logit_scale, kept_scale;
    int32_t dropped_below;  // a hash of less means that a number is dropped; the others are multiplied by kept_scale
};

struct Given {
    const float *const *weights;  // embedding; of each block qkv, out, gate and up, down; head
    const int64_t *ids, *targets;
    const int32_t *key;  // dropout.Key, or none where nothing is dropped
    const float *cosine, *sine;
    float *const *grads;  // as weights; none where only losses are asked for
    float *loss;          // their mean
    float *losses;        // of each target, (B, T), or none; where they are asked for, nothing is dropped
};

// Weight matrices: rows are outputs, as nn.Linear has them.
struct Matrix {
    int64_t rows, columns;
    int64_t size() const { return up_to(rows, ROWS) * up_to(columns, NR); }  // padded, as gradients are summed up
};

struct Matrices {
    std::vector<Matrix> all;
    explicit Matrices(const Shape &s) {
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            all.push_back({(s.H + 2 * s.K) * s.D, s.C});
            all.push_back({s.C, s.H * s.D});
            all.push_back({2 * s.I, s.C});
            all.push_back({s.C, s.I});
        }
        all.push_back({s.V, s.C});
    }
};

// The weights in panels, for both ways.
template <class Num>
struct Panels {
    std::vector<Num *> forward, backward;
    Panels(const Matrices &matrices, Room &room) {
        for (const Matrix &m : matrices.all) {
            forward.push_back(reinterpret_cast<Num *>(room.take(panels_size<Num>(m.columns, m.rows))));
            backward.push_back(reinterpret_cast<Num *>(room.take(panels_size<Num>(m.rows, m.columns))));
        }
    }
};

// lowbias32, as dropout.py has it.
inline uint32_t hash(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7FEB352D;
    x ^= x >> 15;
    x *= 0x846CA68B;
    return x ^ x >> 16;
}

// softmax's weights again, from what it returned; and from d, the gradient of the weights, that of the scores. mean: of
// d, by the weights.
inline void softmax_gradient(float *__restrict row, float *__restrict d, int64_t n, float scale, float less, float mean) {
    for (int64_t i = 0; i < n; i++) {
        row[i] = exponential(scale * row[i] - less);
        d[i] = scale * row[i] * (d[i] - mean);
    }
}

// gate's numbers again, and from d, their gradient, those of gate and up.
inline void gate_gradient(const float *__restrict gate, const float *__restrict up, const float *__restrict d,
                          float *__restrict to, float *__restrict d_gate, float *__restrict d_up, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float x = gate[i], share = gelu_share(x), most = x * share;
        d_gate[i] = d[i] * up[i] * share * (1 + x * (1 - share) * (GELU_1 + 3 * GELU_3 * x * x));
        d_up[i] = d[i] * most;
        to[i] = most * up[i];
    }
}

// What one thread works with: a window's activations, and the gradients of all of its windows.
template <class Num>
struct Desk {
    const Shape s;
    const int64_t M, C, Q, Y, G, I, S, V, D, heads;  // padded: tokens, widths of rows, a head
    std::vector<float *> x, in_scale, out_scale, qkv, head_scale, log_sums, mixed, gate_up;
    float *normed, *out, *hidden, *scores, *dx, *d_inside, *d_mixed, *weights, *d_weights, *head, *packed, *line;
    float *keys, *keys_turned, *values, *values_turned, *queries, *d_head, *d_keys, *d_values;
    std::vector<float *> grads;
    float *d_embedding;
    double loss = 0;

    Desk(const Shape &shape, const Matrices &matrices, Room &room)
        : s(shape), M(up_to(s.T, ROWS)), C(up_to(s.C, NR)), Q(up_to((s.H + 2 * s.K) * s.D, NR)),
          Y(up_to(s.H * s.D, NR)), G(up_to(2 * s.I, NR)), I(up_to(s.I, NR)), S(up_to(s.T, NR)), V(up_to(s.V, NR)),
          D(up_to(s.D, NR)), heads(s.H + s.K) {
        for (int64_t i = 0; i <= 2 * s.n_layer; i++) x.push_back(room.take(M * C)), in_scale.push_back(room.take(M));
        for (int64_t i = 0; i < 2 * s.n_layer; i++) out_scale.push_back(room.take(M));
        for (int64_t i = 0; i < s.n_layer; i++) {
            qkv.push_back(room.take(M * Q)), head_scale.push_back(room.take(M * heads));
            log_sums.push_back(room.take(M * s.H)), mixed.push_back(room.take(M * Y)), gate_up.push_back(room.take(M * G));
        }
        normed = room.take(M * C), out = room.take(M * C), hidden = room.take(M * (I > Y ? I : Y)), scores = room.take(M * V);
        dx = room.take(M * C), d_inside = room.take(M * (G > Q ? G : Q)), d_mixed = room.take(M * Y);
        weights = room.take(M * S), d_weights = room.take(M * S), head = room.take(M * D);
        line = room.take(V > 2 * G ? (V > Q ? V : Q) : (2 * G > Q ? 2 * G : Q));
        packed = room.take(panels_size<Num>(M, C > I ? (C > Y ? C : Y) : (I > Y ? I : Y)) + GROUP * ROWS * M);
        keys = room.take(M * D), keys_turned = room.take(s.D * S), values = room.take(M * D);
        values_turned = room.take(s.D * S), queries = room.take(M * D);
        d_head = room.take(M * D), d_keys = room.take(M * D), d_values = room.take(M * D);
        for (const Matrix &m : matrices.all) grads.push_back(room.take(m.size()));
        d_embedding = s.tied ? grads.back() : room.take(s.V * C);
    }

    // ---- norms, dropout

    // to = norm(x), ready for a product; scale keeps what each row was multiplied with
    void norm(const float *from, float *scale, Rows<Num> to, float factor = 1) {
        for (int64_t t = 0; t < M; t++, from += C) {
            scale[t] = rms_scale(from, s.C, s.eps);
            normed_row(from, scale[t] * factor, to[t]);
        }
    }

    void normed_row(const float *from, float scale, Num *to) {
        for (int64_t i = 0; i < s.C; i++) line[i] = scale * from[i];
        put_row(to, line, s.C);
    }

    // The same again, with the scales that are known.
    void norm_again(const float *from, const float *scale, Rows<Num> to, float factor = 1) {
        for (int64_t t = 0; t < M; t++) normed_row(from + t * C, scale[t] * factor, to[t]);
    }

    // dx += the gradient of x, from d, that of factor norm(x)
    void add_norm_gradient(const float *from, const float *scale, const float *d, float factor = 1) {
        for (int64_t t = 0; t < M; t++, from += C, d += C) {
            const float share = scale[t] * scale[t] * dot(d, from, s.C) / s.C, scaled = factor * scale[t];
            float *to = dx + t * C;
            for (int64_t i = 0; i < s.C; i++) to[i] += scaled * (d[i] - share * from[i]);
        }
    }

    // Numbers of a token are dropped, or multiplied: as dropout.py has it. first: what the first of them is called.
    void drop(float *row, uint32_t seed_and_step, uint32_t sublayer, uint32_t first) {
        const uint32_t key = hash(seed_and_step + sublayer * 0x632BE5ABu) + first;
        const int32_t below = s.dropped_below, n = s.C;
        const float scale = s.kept_scale;
        for (int32_t i = 0; i < n; i++) row[i] *= static_cast<int32_t>(hash(i + key)) < below ? 0 : scale;
    }

    // x' = x + norm(drop(out))
    void add_normed(int64_t sublayer, const int32_t *key, uint32_t first) {
        const float *from = x[sublayer];
        float *to = x[sublayer + 1], *z = out;
        for (int64_t t = 0; t < M; t++, from += C, to += C, z += C, first += s.C) {
            if (key) drop(z, key[0], sublayer, first);
            const float scale = out_scale[sublayer][t] = rms_scale(z, s.C, s.eps);
            for (int64_t i = 0; i < s.C; i++) to[i] = from[i] + scale * z[i];
        }
    }

    // The gradient of a sublayer's output, from dx behind it, ready for a product: what was added is the difference.
    void output_gradient(int64_t sublayer, const int32_t *key, uint32_t first, Rows<Num> to) {
        const float *before = x[sublayer], *behind = x[sublayer + 1], *d = dx;
        for (int64_t t = 0; t < M; t++, before += C, behind += C, d += C, first += s.C) {
            float share = 0;
            for (int64_t i = 0; i < s.C; i++) share += d[i] * (behind[i] - before[i]);
            share /= s.C;
            const float scale = out_scale[sublayer][t];
            for (int64_t i = 0; i < s.C; i++) line[i] = scale * (d[i] - share * (behind[i] - before[i]));
            if (key) drop(line, key[0], sublayer, first);
            put_row(to[t], line, s.C);
        }
    }

    // ---- attention

    void prepare_heads(int64_t layer, const Given &given) {
        const int64_t half = s.D / 2;
        for (int64_t t = 0; t < M; t++) {
            const float *cosine = given.cosine + (t < s.T ? t : 0) * s.D, *sine = given.sine + (t < s.T ? t : 0) * s.D;
            for (int64_t h = 0; h < heads; h++) {
                float *q = qkv[layer] + t * Q + h * s.D, scale = 1;
                if (s.qk_norm) scale = head_scale[layer][t * heads + h] = rms_scale(q, s.D, s.eps);
                for (int64_t i = 0; i < half; i++) {
                    const float left = scale * q[i], right = scale * q[i + half];
                    q[i] = left * cosine[i] - right * sine[i];
                    q[i + half] = right * cosine[i] + left * sine[i];
                }
            }
        }
    }

    // The gradient of a head before it was turned and normed, into `to`, from d (M, D), that of what it was turned into.
    void head_gradient(int64_t layer, int64_t h, const float *d, const Given &given) {
        const int64_t half = s.D / 2;
        for (int64_t t = 0; t < s.T; t++, d += D) {
            const float *cosine = given.cosine + t * s.D, *sine = given.sine + t * s.D;
            const float *q = qkv[layer] + t * Q + h * s.D;
            float *to = d_inside + t * Q + h * s.D, scale = 1, share = 0;
            if (s.qk_norm) scale = head_scale[layer][t * heads + h], share = dot(d, q, s.D) / s.D;
            for (int64_t i = 0; i < half; i++) {
                const float left = scale * (d[i] - share * q[i]), right = scale * (d[i + half] - share * q[i + half]);
                to[i] = left * cosine[i] + right * sine[i];
                to[i + half] = right * cosine[i] - left * sine[i];
            }
        }
    }

    // weights (M, M) = q k below and on the diagonal, in blocks
    void causal_scores(const float *q, int64_t apart, const float *turned, float *to) {
        for (int64_t n = 0; n < M; n += NR)
            for (int64_t m = n; m < M; m += ROWS)
                tile<float, false>(q + m * apart, apart, 1, turned + n * s.D, s.D, to + m * S + n, S);
    }

    // (M, D) = weights times what is in panels, up to the diagonal
    void causal_sum(const float *weights, const float *panels, float *to) {
        for (int64_t n = 0; n < s.D; n += NR)
            for (int64_t m = 0; m < M; m += ROWS)
                tile<float, false>(weights + m * S, S, 1, panels + n * M, m + ROWS, to + m * D + n, D);
    }

    // (M, D) += the turned weights times what is in panels, from the diagonal on
    void add_causal_sum_turned(const float *weights, const float *panels, float *to) {
        for (int64_t n = 0; n < s.D; n += NR)
            for (int64_t m = 0; m < M; m += ROWS)
                tile<float, true>(weights + m * S + m, 1, S, panels + n * M + m * NR, M - m, to + m * D + n, D);
    }

    void attention(int64_t layer) {
        for (int64_t h = 0; h < s.H; h++) {
            const int64_t sharing = s.H / s.K, key = s.H + h / sharing, value = key + s.K;
            if (h % sharing == 0) {
                pack_turned<float, float>(keys_turned, qkv[layer] + key * s.D, Q, s.D, M);
                pack<float, NR, float>(values, qkv[layer] + value * s.D, Q, M, s.D);
            }
            causal_scores(qkv[layer] + h * s.D, Q, keys_turned, weights);
            for (int64_t t = 0; t < s.T; t++) {
                float *row = weights + t * S;
                log_sums[layer][h * M + t] = softmax(row, t + 1, s.attention_scale);
                for (int64_t i = t + 1; i < up_to(t + 1, ROWS); i++) row[i] = 0;
            }
            causal_sum(weights, values, head);
            for (int64_t t = 0; t < M; t++) std::memcpy(mixed[layer] + t * Y + h * s.D, head + t * D, s.D * sizeof(float));
        }
    }

    // d_inside (M, Q), from d_mixed (M, Y)
    void attention_gradient(int64_t layer, const Given &given) {
        const int64_t sharing = s.H / s.K;
        for (int64_t h = 0; h < s.H; h++) {
            const int64_t key = s.H + h / sharing, value = key + s.K;
            if (h % sharing == 0) {
                pack_turned<float, float>(keys_turned, qkv[layer] + key * s.D, Q, s.D, M);
                pack_turned<float, float>(values_turned, qkv[layer] + value * s.D, Q, s.D, M);
                pack<float, NR, float>(keys, qkv[layer] + key * s.D, Q, M, s.D);
                std::memset(d_keys, 0, M * D * sizeof(float));
                std::memset(d_values, 0, M * D * sizeof(float));
            }
            causal_scores(qkv[layer] + h * s.D, Q, keys_turned, weights);
            causal_scores(d_mixed + h * s.D, Y, values_turned, d_weights);
            for (int64_t t = 0; t < s.T; t++) {
                float *row = weights + t * S, *d = d_weights + t * S;
                const float mean = dot(d_mixed + t * Y + h * s.D, mixed[layer] + t * Y + h * s.D, s.D);
                softmax_gradient(row, d, t + 1, s.attention_scale, log_sums[layer][h * M + t], mean);
                for (int64_t i = t + 1; i < up_to(t + 1, ROWS); i++) row[i] = d[i] = 0;
            }
            pack<float, NR, float>(queries, d_mixed + h * s.D, Y, M, s.D);
            add_causal_sum_turned(weights, queries, d_values);
            pack<float, NR, float>(queries, qkv[layer] + h * s.D, Q, M, s.D);
            add_causal_sum_turned(d_weights, queries, d_keys);
            causal_sum(d_weights, keys, d_head);
            head_gradient(layer, h, d_head, given);
            if ((h + 1) % sharing == 0) {
                head_gradient(layer, key, d_keys, given);
                for (int64_t t = 0; t < s.T; t++)
                    std::memcpy(d_inside + t * Q + value * s.D, d_values + t * D, s.D * sizeof(float));
            }
        }
        for (int64_t t = s.T; t < M; t++) std::memset(d_inside + t * Q, 0, Q * sizeof(float));
    }

    // ---- feed-forward

    // hidden = gelu(gate) up, ready for a product
    void gated(int64_t layer, Rows<Num> to) {
        for (int64_t t = 0; t < M; t++) {
            const float *row = gate_up[layer] + t * G;
            gate(row, row + s.I, line, s.I);
            put_row(to[t], line, s.I);
        }
    }

    // From d (M, I), that of hidden: the gradient of gate and up; both ready for products, hidden in the place of d.
    void gated_gradient(int64_t layer, float *d, Rows<Num> hidden, Rows<Num> to) {
        for (int64_t t = 0; t < M; t++) {
            const float *row = gate_up[layer] + t * G;
            float *inside = line + 2 * s.I;
            gate_gradient(row, row + s.I, d + t * I, inside, line, line + s.I, s.I);
            put_row(to[t], line, 2 * s.I);
            put_row(hidden[t], inside, s.I);
        }
    }

    // ---- a window, there and back

    // A row of floats becomes one of Nums, in its place.
    void ready(float *buffer, int64_t width, int64_t n) {
        if (Kind<Num>::STEP == 1) return;
        const Rows<Num> to(buffer, width);
        for (int64_t t = 0; t < M; t++) std::memcpy(line, buffer + t * width, n * sizeof(float)), put_row(to[t], line, n);
    }

    // The scores' gradient in their place, ready for products; adds to the loss. each: what a target counts.
    void loss_gradient(const int64_t *targets, float each, float *losses) {
        for (int64_t t = 0; t < M; t++) {
            float *row = scores + t * V, *__restrict d = line, sum = 0;
            const int64_t target = t < s.T ? targets[t] : -1;
            if (target < 0) {
                if (losses && t < s.T) losses[t] = 0;
                std::memset(row, 0, V * sizeof(float));
                continue;
            }
            const float most = highest_of(row, s.V), right = row[target];
            for (int64_t i = 0; i < s.V; i++) sum += d[i] = exponential(row[i] - most);
            for (int64_t i = 0; i < s.V; i++) d[i] *= each / sum;
            d[target] -= each;
            const float nats = std::log(sum) + most - right;
            loss += nats;
            if (losses) losses[t] = nats;
            put_row(reinterpret_cast<Num *>(row), line, s.V);
        }
    }

    void window(int64_t number, const Given &given, const Panels<Num> &panels, float each) {
        const int64_t *ids = given.ids + number * s.T;
        const int64_t inside = (s.H + 2 * s.K) * s.D, across = s.H * s.D;
        const uint32_t first = given.key ? (number + given.key[1]) * s.T * s.C : 0;
        const Rows<Num> at_normed(normed, C), at_hidden(hidden, I), at_scores(scores, V), at_out(out, C);

        for (int64_t t = 0; t < M; t++)
            if (t < s.T) std::memcpy(x[0] + t * C, given.weights[0] + ids[t] * s.C, s.C * sizeof(float));
            else std::memset(x[0] + t * C, 0, C * sizeof(float));
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            Num *const *forward = panels.forward.data() + 4 * layer;
            norm(x[2 * layer], in_scale[2 * layer], at_normed);
            product(at_normed, forward[0], M, s.C, inside, qkv[layer], Q);
            prepare_heads(layer, given);
            attention(layer);
            const Rows<Num> at_mixed(d_mixed, Y);
            for (int64_t t = 0; t < M; t++) put_row(at_mixed[t], mixed[layer] + t * Y, across);
            product(at_mixed, forward[1], M, across, s.C, out, C);
            add_normed(2 * layer, given.key, first);

            norm(x[2 * layer + 1], in_scale[2 * layer + 1], at_normed);
            product(at_normed, forward[2], M, s.C, 2 * s.I, gate_up[layer], G);
            gated(layer, at_hidden);
            product(at_hidden, forward[3], M, s.I, s.C, out, C);
            add_normed(2 * layer + 1, given.key, first);
        }
        const int64_t last = 2 * s.n_layer;
        norm(x[last], in_scale[last], at_normed, s.logit_scale);
        product(at_normed, panels.forward[4 * s.n_layer], M, s.C, s.V, scores, V);

        loss_gradient(given.targets + number * s.T, each, given.losses ? given.losses + number * s.T : nullptr);
        if (!given.grads) return;
        add_weight_gradient(at_scores, at_normed, M, s.V, s.C, grads[4 * s.n_layer], packed);
        product(at_scores, panels.backward[4 * s.n_layer], M, s.V, s.C, out, C);
        std::memset(dx, 0, M * C * sizeof(float));
        add_norm_gradient(x[last], in_scale[last], out, s.logit_scale);
        for (int64_t layer = s.n_layer; layer-- > 0;) {
            Num *const *backward = panels.backward.data() + 4 * layer;
            float *const *sums = grads.data() + 4 * layer;
            output_gradient(2 * layer + 1, given.key, first, at_out);
            product(at_out, backward[3], M, s.C, s.I, hidden, I);
            const Rows<Num> at_inside(d_inside, G);
            gated_gradient(layer, hidden, at_hidden, at_inside);
            add_weight_gradient(at_out, at_hidden, M, s.C, s.I, sums[3], packed);
            norm_again(x[2 * layer + 1], in_scale[2 * layer + 1], at_normed);
            add_weight_gradient(at_inside, at_normed, M, 2 * s.I, s.C, sums[2], packed);
            product(at_inside, backward[2], M, 2 * s.I, s.C, out, C);
            add_norm_gradient(x[2 * layer + 1], in_scale[2 * layer + 1], out);

            output_gradient(2 * layer, given.key, first, at_out);
            const Rows<Num> at_mixed(hidden, Y);
            product(at_out, backward[1], M, s.C, across, d_mixed, Y);
            for (int64_t t = 0; t < M; t++) put_row(at_mixed[t], mixed[layer] + t * Y, across);
            add_weight_gradient(at_out, at_mixed, M, s.C, across, sums[1], packed);
            attention_gradient(layer, given);
            ready(d_inside, Q, inside);
            const Rows<Num> at_qkv(d_inside, Q);
            norm_again(x[2 * layer], in_scale[2 * layer], at_normed);
            add_weight_gradient(at_qkv, at_normed, M, inside, s.C, sums[0], packed);
            product(at_qkv, backward[0], M, inside, s.C, out, C);
            add_norm_gradient(x[2 * layer], in_scale[2 * layer], out);
        }
        for (int64_t t = 0; t < s.T; t++)
            for (int64_t i = 0; i < s.C; i++) d_embedding[ids[t] * C + i] += dx[t * C + i];
    }
};

// ---- threads ----------------------------------------------------------------------------------------------------

template <class Num>
int64_t pass(const Shape &s, const Given *given, float *scratch) {
    Room room{scratch};
    const Matrices matrices(s);
    const Panels<Num> panels(matrices, room);
    std::vector<Desk<Num>> desks;
    for (int64_t i = 0; i < s.threads; i++) desks.emplace_back(s, matrices, room);
    if (!given) return room.taken;

    int64_t counted = 0;
    for (int64_t i = 0; i < s.B * s.T; i++) counted += given->targets[i] >= 0;
    const int64_t many = matrices.all.size();
    auto of = [&](int64_t i) { return i == many - 1 && s.tied ? 0 : i + 1; };  // which weight a matrix is

    on_threads(s.threads, [&](int64_t i) {
        for (int64_t j = i; j < 2 * many; j += s.threads) {
            const Matrix m = matrices.all[j / 2];
            const float *weight = given->weights[of(j / 2)];
            if (j % 2 && !given->grads) continue;
            if (j % 2) pack<Num, NR, float>(panels.backward[j / 2], weight, m.columns, m.rows, m.columns);
            else pack_turned<Num, float>(panels.forward[j / 2], weight, m.columns, m.columns, m.rows);
        }
    });
    on_threads(s.threads, [&](int64_t i) {
        Desk<Num> &desk = desks[i];
        for (int64_t j = 0; given->grads && j < many; j++) std::memset(desk.grads[j], 0, matrices.all[j].size() * sizeof(float));
        if (given->grads && !s.tied) std::memset(desk.d_embedding, 0, s.V * desk.C * sizeof(float));
        for (int64_t b = s.B * i / s.threads; b < s.B * (i + 1) / s.threads; b++)
            desk.window(b, *given, panels, 1.f / counted);
    });
    if (!given->grads) return room.taken;
    on_threads(s.threads, [&](int64_t i) {
        auto sum = [&](float *to, int64_t rows, int64_t columns, int64_t width, auto part) {
            for (int64_t r = rows * i / s.threads; r < rows * (i + 1) / s.threads; r++)
                for (int64_t j = 0; j < s.threads; j++) {
                    const float *from = part(desks[j]) + r * width;
                    for (int64_t c = 0; c < columns; c++) to[r * columns + c] = from[c] + (j ? to[r * columns + c] : 0);
                }
        };
        for (int64_t j = 0; j < many; j++) {
            const Matrix m = matrices.all[j];
            sum(given->grads[of(j)], m.rows, m.columns, up_to(m.columns, NR), [j](auto &desk) { return desk.grads[j]; });
        }
        if (!s.tied) sum(given->grads[0], s.V, s.C, up_to(s.C, NR), [](auto &desk) { return desk.d_embedding; });
    });
    double loss = 0;
    for (const Desk<Num> &desk : desks) loss += desk.loss;
    *given->loss = loss / counted;
    return room.taken;
}

}  // namespace

extern "C" {

// With `given`, the loss and the gradients of a pass, worked out in scratch; returns how many floats that has to hold,
// or -1 where this code cannot do it.
int64_t tinylm_pass(const Shape *shape, int64_t bf16, const Given *given, float *scratch) {
    try {
        if (!bf16) return pass<float>(*shape, given, scratch);
#if defined(__AVX512BF16__)
        return pass<Half>(*shape, given, scratch);
#endif
    } catch (...) {  // no memory for a list, no thread to be had
    }
    return -1;
}

// A step of Muon for all of its matrices; returns as tinylm_pass does.
int64_t tinylm_muon(const Muon *muon, int64_t bf16, const Trained *trained, float *scratch) {
    try {
        if (!bf16) return muon_step<float>(*muon, trained, scratch);
#if defined(__AVX512BF16__)
        return muon_step<Half>(*muon, trained, scratch);
#endif
    } catch (...) {
    }
    return -1;
}
}
