// Loss and gradients of one training pass: forward, backward, and the reduction over threads.
//
// Layers in order, as in model/transformer.py, which is the reference (`Transformer.forward`, and its derivative by
// `eager_pass` in model/gradients.py; compiled code is checked against it before it is used, train_pass.py):
//
//     embedding -> n_layer times:  x = x + norm(dropout(out(attention(heads(qkv(norm(x)))))))
//                                  x = x + norm(dropout(down(geglu(gate_up(norm(x))))))
//               -> norm -> head -> cross-entropy
//
// Shapes: B windows, T tokens, C n_embd, H n_head, K n_kv_head, D head_size, I the feed-forward's inner size,
// V vocabulary. A window's activations are matrices with a row for each token: x (T, C), qkv (T, (H + 2K) D), attended
// (T, H D), gate_up (T, 2I), logits (T, V). Columns are padded to a multiple of NR, tokens to a multiple of MR; padding
// is 0.
//
// Kept for the backward pass, of each layer: x before and after each sublayer, qkv after the rotation, attended,
// gate_up, the factors of all norms, and the logsumexp of each attention row. Recomputed: normed inputs, GeGLU,
// attention weights and dropout masks.
//
// Parallel over windows: each thread takes whole windows through the model and back, so that what stands between the
// products stays in its core's cache. Threads meet three times in a pass: when the weights are packed, when all windows
// are done, and when the gradients are summed.
//
// Guarantees: the same inputs and number of threads give the same bits, since each window has a fixed thread and sums
// have a fixed order. In bf16, the operands of products with weights and of weight gradients are rounded, and nothing
// else is. NaN and infinity reach the loss or the gradients. Nothing is remembered from pass to pass.

#include "muon.h"
#include "gemm.h"
#include "model_shape.h"
#include "parallel.h"

#include <vector>

namespace {

// ---- arguments --------------------------------------------------------------------------------------------------

struct Args {
    const float *const *weights;   // embedding; of each block qkv, out, gate_up, down; head. Each (out, in)
    const int64_t *ids, *targets;  // (B, T); a negative target does not count
    const int32_t *key;            // dropout.Key (2,), or null: nothing is dropped
    const float *cosine, *sine;    // rotary table, (T, D) each
    float *const *grads;           // as weights; null where only losses are asked for
    float *loss;                   // the mean over targets that count
    float *losses;                 // of each target, (B, T), or null
};

// ---- weights ----------------------------------------------------------------------------------------------------

struct MatrixShape {
    int64_t rows, columns;  // (out, in), as in nn.Linear
    int64_t padded_size() const { return round_up(rows, MR) * round_up(columns, NR); }
};

// The matrices that products are taken with, in order: of each block qkv, out, gate_up, down; head.
struct MatrixShapes {
    std::vector<MatrixShape> all;
    explicit MatrixShapes(const ModelShape &s) {
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            all.push_back({(s.H + 2 * s.K) * s.D, s.C});
            all.push_back({s.C, s.H * s.D});
            all.push_back({2 * s.I, s.C});
            all.push_back({s.C, s.I});
        }
        all.push_back({s.V, s.C});
    }
};

// The weights in panels: y = x W^T reads `forward`, dx = dy W reads `backward`.
template <class Num>
struct PackedWeights {
    std::vector<Num *> forward, backward;
    PackedWeights(const MatrixShapes &matrices, Arena &arena) {
        for (const MatrixShape &m : matrices.all) {
            forward.push_back(reinterpret_cast<Num *>(arena.allocate(packed_size<Num>(m.columns, m.rows))));
            backward.push_back(reinterpret_cast<Num *>(arena.allocate(packed_size<Num>(m.rows, m.columns))));
        }
    }
};

// ---- elementwise functions --------------------------------------------------------------------------------------

// lowbias32, as `_hash` in model/dropout.py.
inline uint32_t hash(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7FEB352D;
    x ^= x >> 15;
    x *= 0x846CA68B;
    return x ^ x >> 16;
}

// Softmax backward, in place: row (n,) goes from scores to weights, recomputed from their logsumexp; d (n,) from the
// gradient of the weights to that of the scores. mean: of d, weighted by the weights.
inline void softmax_backward(float *__restrict row, float *__restrict d, int64_t n, float scale, float logsumexp,
                             float mean) {
    for (int64_t i = 0; i < n; i++) {
        row[i] = exponential(scale * row[i] - logsumexp);
        d[i] = scale * row[i] * (d[i] - mean);
    }
}

// GeGLU backward: from d, the gradient of its output, those of gate and up; `out` is the output, recomputed. All (n,).
inline void geglu_backward(const float *__restrict gate, const float *__restrict up, const float *__restrict d,
                           float *__restrict out, float *__restrict d_gate, float *__restrict d_up, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float x = gate[i], sigmoid = gelu_sigmoid(x), activated = x * sigmoid;
        d_gate[i] = d[i] * up[i] * sigmoid * (1 + x * (1 - sigmoid) * (GELU_1 + 3 * GELU_3 * x * x));
        d_up[i] = d[i] * activated;
        out[i] = activated * up[i];
    }
}

// ---- a window's workspace ---------------------------------------------------------------------------------------

// One thread's buffers: the activations of a window, and the gradients summed over all of the thread's windows.
template <class Num>
struct WindowWorkspace {
    const ModelShape s;
    // Padded sizes: M tokens as rows, S tokens as columns; C, I, V, D those of the shape; Q for qkv, Y for attended,
    // G for gate_up. heads: H + K, those that are rotated.
    const int64_t M, C, Q, Y, G, I, S, V, D, heads;

    // Kept for the backward pass. x: (M, C) before each sublayer and after the last; in_scale, out_scale (M,): the
    // factors of the norms before and after a sublayer. Of each layer: qkv (M, Q), head_scale (M, heads): the factors
    // of qk_norm, logsumexp (H, M), attended (M, Y), gate_up (M, G).
    std::vector<float *> x, in_scale, out_scale, qkv, head_scale, logsumexp, attended, gate_up;

    // Of one sublayer: normed, out, dx (M, C); hidden (M, I or Y); logits (M, V); d_projected: the gradient of qkv
    // (M, Q) or of gate_up (M, G); d_attended (M, Y). Attention weights of one head: probs, d_probs (M, S); its output:
    // head_out (M, D). panels: packed operands; row_buffer: one row of any matrix.
    float *normed, *out, *hidden, *logits, *dx, *d_projected, *d_attended;
    float *probs, *d_probs, *head_out, *panels, *row_buffer;

    // Of one head: k and v in panels, as they are and transposed; row_panels: q or a gradient; gradients (M, D).
    float *k_panels, *k_panels_t, *v_panels, *v_panels_t, *row_panels, *d_q, *d_k, *d_v;

    std::vector<float *> grads;  // of the weights, as MatrixShapes orders them, padded
    float *d_embedding;          // (V, C); with tied weights the head's gradient
    double loss = 0;             // the sum over targets

    WindowWorkspace(const ModelShape &shape, const MatrixShapes &matrices, Arena &arena)
        : s(shape), M(round_up(s.T, MR)), C(round_up(s.C, NR)), Q(round_up((s.H + 2 * s.K) * s.D, NR)),
          Y(round_up(s.H * s.D, NR)), G(round_up(2 * s.I, NR)), I(round_up(s.I, NR)), S(round_up(s.T, NR)),
          V(round_up(s.V, NR)), D(round_up(s.D, NR)), heads(s.H + s.K) {
        for (int64_t i = 0; i <= 2 * s.n_layer; i++)
            x.push_back(arena.allocate(M * C)), in_scale.push_back(arena.allocate(M));
        for (int64_t i = 0; i < 2 * s.n_layer; i++) out_scale.push_back(arena.allocate(M));
        for (int64_t i = 0; i < s.n_layer; i++) {
            qkv.push_back(arena.allocate(M * Q)), head_scale.push_back(arena.allocate(M * heads));
            logsumexp.push_back(arena.allocate(M * s.H)), attended.push_back(arena.allocate(M * Y));
            gate_up.push_back(arena.allocate(M * G));
        }
        normed = arena.allocate(M * C), out = arena.allocate(M * C), hidden = arena.allocate(M * (I > Y ? I : Y));
        logits = arena.allocate(M * V);
        dx = arena.allocate(M * C), d_projected = arena.allocate(M * (G > Q ? G : Q));
        d_attended = arena.allocate(M * Y);
        probs = arena.allocate(M * S), d_probs = arena.allocate(M * S), head_out = arena.allocate(M * D);
        row_buffer = arena.allocate(V > 2 * G ? (V > Q ? V : Q) : (2 * G > Q ? 2 * G : Q));
        panels = arena.allocate(packed_size<Num>(M, C > I ? (C > Y ? C : Y) : (I > Y ? I : Y)) + MC * M);
        k_panels = arena.allocate(M * D), k_panels_t = arena.allocate(s.D * S), v_panels = arena.allocate(M * D);
        v_panels_t = arena.allocate(s.D * S), row_panels = arena.allocate(M * D);
        d_q = arena.allocate(M * D), d_k = arena.allocate(M * D), d_v = arena.allocate(M * D);
        for (const MatrixShape &m : matrices.all) grads.push_back(arena.allocate(m.padded_size()));
        d_embedding = s.tied ? grads.back() : arena.allocate(s.V * C);
    }

    // The first n floats of each row (M, width) become Nums, in place.
    void convert_rows(float *buffer, int64_t width, int64_t n) {
        if (GemmTraits<Num>::K_PACK == 1) return;
        const MatrixView<Num> to(buffer, width);
        for (int64_t t = 0; t < M; t++)
            std::memcpy(row_buffer, buffer + t * width, n * sizeof(float)), store_row(to[t], row_buffer, n);
    }

    // ---- RMSNorm: norm(x) = x / rms(x) --------------------------------------------------------------------------

    // to = factor norm(from), from (M, C); scale (M,) keeps the norm's factors
    void norm_forward(const float *from, float *scale, MatrixView<Num> to, float factor = 1) {
        for (int64_t t = 0; t < M; t++, from += C) {
            scale[t] = inverse_rms(from, s.C, s.eps);
            scale_row(from, scale[t] * factor, to[t]);
        }
    }

    void scale_row(const float *from, float scale, Num *to) {
        for (int64_t i = 0; i < s.C; i++) row_buffer[i] = scale * from[i];
        store_row(to, row_buffer, s.C);
    }

    // The same again, by the factors that were kept.
    void norm_recompute(const float *from, const float *scale, MatrixView<Num> to, float factor = 1) {
        for (int64_t t = 0; t < M; t++) scale_row(from + t * C, scale[t] * factor, to[t]);
    }

    // dx += the gradient of x, from d (M, C), that of factor norm(x)
    void norm_backward(const float *from, const float *scale, const float *d, float factor = 1) {
        for (int64_t t = 0; t < M; t++, from += C, d += C) {
            const float along = scale[t] * scale[t] * dot(d, from, s.C) / s.C, scaled = factor * scale[t];
            float *to = dx + t * C;
            for (int64_t i = 0; i < s.C; i++) to[i] += scaled * (d[i] - along * from[i]);
        }
    }

    // ---- dropout, its own backward ------------------------------------------------------------------------------

    // `drop` of model/dropout.py for one token's row (C,), whose first element has the number `first_element`.
    void drop(float *row, uint32_t seed_and_step, uint32_t sublayer, uint32_t first_element) {
        const uint32_t key = hash(seed_and_step + sublayer * 0x632BE5ABu) + first_element;
        const int32_t threshold = s.dropout_threshold, n = s.C;
        const float scale = s.dropout_scale;
        for (int32_t i = 0; i < n; i++) row[i] *= static_cast<int32_t>(hash(i + key)) < threshold ? 0 : scale;
    }

    // ---- residual: x' = x + norm(dropout(out)) ------------------------------------------------------------------

    void residual_forward(int64_t sublayer, const int32_t *key, uint32_t first_element) {
        const float *from = x[sublayer];
        float *to = x[sublayer + 1], *z = out;
        for (int64_t t = 0; t < M; t++, from += C, to += C, z += C, first_element += s.C) {
            if (key) drop(z, key[0], sublayer, first_element);
            const float scale = out_scale[sublayer][t] = inverse_rms(z, s.C, s.eps);
            for (int64_t i = 0; i < s.C; i++) to[i] = from[i] + scale * z[i];
        }
    }

    // The gradient of out, from dx, that of x'. norm(dropout(out)) is x' - x, so it was not kept.
    void residual_backward(int64_t sublayer, const int32_t *key, uint32_t first_element, MatrixView<Num> to) {
        const float *before = x[sublayer], *after = x[sublayer + 1], *d = dx;
        for (int64_t t = 0; t < M; t++, before += C, after += C, d += C, first_element += s.C) {
            float along = 0;
            for (int64_t i = 0; i < s.C; i++) along += d[i] * (after[i] - before[i]);
            along /= s.C;
            const float scale = out_scale[sublayer][t];
            for (int64_t i = 0; i < s.C; i++) row_buffer[i] = scale * (d[i] - along * (after[i] - before[i]));
            if (key) drop(row_buffer, key[0], sublayer, first_element);
            store_row(to[t], row_buffer, s.C);
        }
    }

    // ---- heads: qk_norm and rotary positions --------------------------------------------------------------------

    // Queries and keys in qkv (M, Q), in place.
    void heads_forward(int64_t layer, const Args &args) {
        const int64_t half = s.D / 2;
        for (int64_t t = 0; t < M; t++) {
            const float *cosine = args.cosine + (t < s.T ? t : 0) * s.D, *sine = args.sine + (t < s.T ? t : 0) * s.D;
            for (int64_t h = 0; h < heads; h++) {
                float *q = qkv[layer] + t * Q + h * s.D, scale = 1;
                if (s.qk_norm) scale = head_scale[layer][t * heads + h] = inverse_rms(q, s.D, s.eps);
                for (int64_t i = 0; i < half; i++) {
                    const float x1 = scale * q[i], x2 = scale * q[i + half];
                    q[i] = x1 * cosine[i] - x2 * sine[i];
                    q[i + half] = x2 * cosine[i] + x1 * sine[i];
                }
            }
        }
    }

    // From d (M, D), the gradient of head h, to that before norm and rotation, into its columns of d_projected.
    void head_backward(int64_t layer, int64_t h, const float *d, const Args &args) {
        const int64_t half = s.D / 2;
        for (int64_t t = 0; t < s.T; t++, d += D) {
            const float *cosine = args.cosine + t * s.D, *sine = args.sine + t * s.D;
            const float *q = qkv[layer] + t * Q + h * s.D;
            float *to = d_projected + t * Q + h * s.D, scale = 1, along = 0;
            if (s.qk_norm) scale = head_scale[layer][t * heads + h], along = dot(d, q, s.D) / s.D;
            for (int64_t i = 0; i < half; i++) {
                const float d1 = scale * (d[i] - along * q[i]), d2 = scale * (d[i + half] - along * q[i + half]);
                to[i] = d1 * cosine[i] + d2 * sine[i];
                to[i + half] = d2 * cosine[i] - d1 * sine[i];
            }
        }
    }

    // ---- attention: softmax(scale q k^T, causal) v, head by head, in fp32 ---------------------------------------
    //
    // A head's matrix (M, S) of scores or weights is lower triangular: blocks above the diagonal are neither computed
    // nor read.

    // to (M, S) = a b^T on and below the diagonal, with a (M, D) and b^T in panels
    void tril_product(const float *a, int64_t stride, const float *b_panels_t, float *to) {
        for (int64_t n = 0; n < M; n += NR)
            for (int64_t m = n; m < M; m += MR)
                micro_kernel<float, false>(a + m * stride, stride, 1, b_panels_t + n * s.D, s.D, to + m * S + n, S);
    }

    // to (M, D) = L b, with the lower triangular L (M, S) and b (M, D) in panels
    void tril_times(const float *L, const float *b_panels, float *to) {
        for (int64_t n = 0; n < s.D; n += NR)
            for (int64_t m = 0; m < M; m += MR)
                micro_kernel<float, false>(L + m * S, S, 1, b_panels + n * M, m + MR, to + m * D + n, D);
    }

    // to (M, D) += L^T b
    void add_tril_transposed_times(const float *L, const float *b_panels, float *to) {
        for (int64_t n = 0; n < s.D; n += NR)
            for (int64_t m = 0; m < M; m += MR)
                micro_kernel<float, true>(L + m * S + m, 1, S, b_panels + n * M + m * NR, M - m, to + m * D + n, D);
    }

    // attended (M, Y), from qkv (M, Q)
    void attention_forward(int64_t layer) {
        for (int64_t h = 0; h < s.H; h++) {
            const int64_t group_size = s.H / s.K, k_head = s.H + h / group_size, v_head = k_head + s.K;
            if (h % group_size == 0) {
                pack_transposed<float, float>(k_panels_t, qkv[layer] + k_head * s.D, Q, s.D, M);
                pack<float, NR, float>(v_panels, qkv[layer] + v_head * s.D, Q, M, s.D);
            }
            tril_product(qkv[layer] + h * s.D, Q, k_panels_t, probs);
            for (int64_t t = 0; t < s.T; t++) {
                float *row = probs + t * S;
                logsumexp[layer][h * M + t] = softmax(row, t + 1, s.attention_scale);
                for (int64_t i = t + 1; i < round_up(t + 1, MR); i++) row[i] = 0;
            }
            tril_times(probs, v_panels, head_out);
            for (int64_t t = 0; t < M; t++)
                std::memcpy(attended[layer] + t * Y + h * s.D, head_out + t * D, s.D * sizeof(float));
        }
    }

    // d_projected (M, Q), from d_attended (M, Y)
    void attention_backward(int64_t layer, const Args &args) {
        const int64_t group_size = s.H / s.K;
        for (int64_t h = 0; h < s.H; h++) {
            const int64_t k_head = s.H + h / group_size, v_head = k_head + s.K;
            if (h % group_size == 0) {
                pack_transposed<float, float>(k_panels_t, qkv[layer] + k_head * s.D, Q, s.D, M);
                pack_transposed<float, float>(v_panels_t, qkv[layer] + v_head * s.D, Q, s.D, M);
                pack<float, NR, float>(k_panels, qkv[layer] + k_head * s.D, Q, M, s.D);
                std::memset(d_k, 0, M * D * sizeof(float));
                std::memset(d_v, 0, M * D * sizeof(float));
            }
            tril_product(qkv[layer] + h * s.D, Q, k_panels_t, probs);
            tril_product(d_attended + h * s.D, Y, v_panels_t, d_probs);
            for (int64_t t = 0; t < s.T; t++) {
                float *row = probs + t * S, *d = d_probs + t * S;
                const float mean = dot(d_attended + t * Y + h * s.D, attended[layer] + t * Y + h * s.D, s.D);
                softmax_backward(row, d, t + 1, s.attention_scale, logsumexp[layer][h * M + t], mean);
                for (int64_t i = t + 1; i < round_up(t + 1, MR); i++) row[i] = d[i] = 0;
            }
            pack<float, NR, float>(row_panels, d_attended + h * s.D, Y, M, s.D);
            add_tril_transposed_times(probs, row_panels, d_v);
            pack<float, NR, float>(row_panels, qkv[layer] + h * s.D, Q, M, s.D);
            add_tril_transposed_times(d_probs, row_panels, d_k);
            tril_times(d_probs, k_panels, d_q);
            head_backward(layer, h, d_q, args);
            if ((h + 1) % group_size == 0) {
                head_backward(layer, k_head, d_k, args);
                for (int64_t t = 0; t < s.T; t++)
                    std::memcpy(d_projected + t * Q + v_head * s.D, d_v + t * D, s.D * sizeof(float));
            }
        }
        for (int64_t t = s.T; t < M; t++) std::memset(d_projected + t * Q, 0, Q * sizeof(float));
    }

    // ---- feed-forward: hidden = gelu(gate) up -------------------------------------------------------------------

    void geglu_forward(int64_t layer, MatrixView<Num> to) {
        for (int64_t t = 0; t < M; t++) {
            const float *row = gate_up[layer] + t * G;
            geglu(row, row + s.I, row_buffer, s.I);
            store_row(to[t], row_buffer, s.I);
        }
    }

    // From d (M, I), the gradient of hidden, that of gate_up into `to`. `recomputed` receives hidden, and may be d.
    void geglu_rows_backward(int64_t layer, float *d, MatrixView<Num> recomputed, MatrixView<Num> to) {
        for (int64_t t = 0; t < M; t++) {
            const float *row = gate_up[layer] + t * G;
            float *hidden_row = row_buffer + 2 * s.I;
            geglu_backward(row, row + s.I, d + t * I, hidden_row, row_buffer, row_buffer + s.I, s.I);
            store_row(to[t], row_buffer, 2 * s.I);
            store_row(recomputed[t], hidden_row, s.I);
        }
    }

    // ---- cross-entropy ------------------------------------------------------------------------------------------

    // Adds to the loss, and replaces logits (M, V) by their gradient, as Nums. weight: of each target in the mean.
    // losses (T,): of each target, or null.
    void cross_entropy(const int64_t *targets, float weight, float *losses) {
        for (int64_t t = 0; t < M; t++) {
            float *row = logits + t * V, *__restrict d = row_buffer, sum = 0;
            const int64_t target = t < s.T ? targets[t] : -1;
            if (target < 0) {
                if (losses && t < s.T) losses[t] = 0;
                std::memset(row, 0, V * sizeof(float));
                continue;
            }
            const float largest = max_of(row, s.V), target_logit = row[target];
            for (int64_t i = 0; i < s.V; i++) sum += d[i] = exponential(row[i] - largest);
            for (int64_t i = 0; i < s.V; i++) d[i] *= weight / sum;
            d[target] -= weight;
            const float nats = std::log(sum) + largest - target_logit;
            loss += nats;
            if (losses) losses[t] = nats;
            store_row(reinterpret_cast<Num *>(row), row_buffer, s.V);
        }
    }

    // ---- a window, forward and backward -------------------------------------------------------------------------

    // Through the model: from ids (T,) to logits (M, V).
    void forward(const int64_t *ids, const Args &args, const PackedWeights<Num> &weights, uint32_t first_element) {
        const int64_t qkv_width = (s.H + 2 * s.K) * s.D, attended_width = s.H * s.D;
        const MatrixView<Num> normed_view(normed, C), hidden_view(hidden, I);
        const MatrixView<Num> attended_view(d_attended, Y);  // attended as Nums, in a buffer that is free here

        for (int64_t t = 0; t < M; t++)
            if (t < s.T) std::memcpy(x[0] + t * C, args.weights[0] + ids[t] * s.C, s.C * sizeof(float));
            else std::memset(x[0] + t * C, 0, C * sizeof(float));
        for (int64_t layer = 0; layer < s.n_layer; layer++) {
            Num *const *matrices = weights.forward.data() + PER_BLOCK * layer;
            norm_forward(x[2 * layer], in_scale[2 * layer], normed_view);
            gemm(normed_view, matrices[QKV], M, s.C, qkv_width, qkv[layer], Q);
            heads_forward(layer, args);
            attention_forward(layer);
            for (int64_t t = 0; t < M; t++) store_row(attended_view[t], attended[layer] + t * Y, attended_width);
            gemm(attended_view, matrices[OUT], M, attended_width, s.C, out, C);
            residual_forward(2 * layer, args.key, first_element);

            norm_forward(x[2 * layer + 1], in_scale[2 * layer + 1], normed_view);
            gemm(normed_view, matrices[GATE_UP], M, s.C, 2 * s.I, gate_up[layer], G);
            geglu_forward(layer, hidden_view);
            gemm(hidden_view, matrices[DOWN], M, s.I, s.C, out, C);
            residual_forward(2 * layer + 1, args.key, first_element);
        }
        const int64_t last = 2 * s.n_layer;
        norm_forward(x[last], in_scale[last], normed_view, s.logit_scale);
        gemm(normed_view, weights.forward[PER_BLOCK * s.n_layer], M, s.C, s.V, logits, V);
    }

    // Back through the model, from the gradient of logits, which lies in their place; adds to the weights' gradients.
    void backward(const int64_t *ids, const Args &args, const PackedWeights<Num> &weights, uint32_t first_element) {
        const int64_t qkv_width = (s.H + 2 * s.K) * s.D, attended_width = s.H * s.D;
        const MatrixView<Num> normed_view(normed, C), out_view(out, C), d_logits_view(logits, V);
        const MatrixView<Num> hidden_view(hidden, I), attended_view(hidden, Y);  // one after the other
        const MatrixView<Num> d_gate_up_view(d_projected, G), d_qkv_view(d_projected, Q);

        const int64_t last = 2 * s.n_layer;
        add_weight_gradient(d_logits_view, normed_view, M, s.V, s.C, grads[PER_BLOCK * s.n_layer], panels);
        gemm(d_logits_view, weights.backward[PER_BLOCK * s.n_layer], M, s.V, s.C, out, C);
        std::memset(dx, 0, M * C * sizeof(float));
        norm_backward(x[last], in_scale[last], out, s.logit_scale);
        for (int64_t layer = s.n_layer; layer-- > 0;) {
            Num *const *matrices = weights.backward.data() + PER_BLOCK * layer;
            float *const *d_matrices = grads.data() + PER_BLOCK * layer;
            residual_backward(2 * layer + 1, args.key, first_element, out_view);
            gemm(out_view, matrices[DOWN], M, s.C, s.I, hidden, I);
            geglu_rows_backward(layer, hidden, hidden_view, d_gate_up_view);
            add_weight_gradient(out_view, hidden_view, M, s.C, s.I, d_matrices[DOWN], panels);
            norm_recompute(x[2 * layer + 1], in_scale[2 * layer + 1], normed_view);
            add_weight_gradient(d_gate_up_view, normed_view, M, 2 * s.I, s.C, d_matrices[GATE_UP], panels);
            gemm(d_gate_up_view, matrices[GATE_UP], M, 2 * s.I, s.C, out, C);
            norm_backward(x[2 * layer + 1], in_scale[2 * layer + 1], out);

            residual_backward(2 * layer, args.key, first_element, out_view);
            gemm(out_view, matrices[OUT], M, s.C, attended_width, d_attended, Y);
            for (int64_t t = 0; t < M; t++) store_row(attended_view[t], attended[layer] + t * Y, attended_width);
            add_weight_gradient(out_view, attended_view, M, s.C, attended_width, d_matrices[OUT], panels);
            attention_backward(layer, args);
            convert_rows(d_projected, Q, qkv_width);
            norm_recompute(x[2 * layer], in_scale[2 * layer], normed_view);
            add_weight_gradient(d_qkv_view, normed_view, M, qkv_width, s.C, d_matrices[QKV], panels);
            gemm(d_qkv_view, matrices[QKV], M, qkv_width, s.C, out, C);
            norm_backward(x[2 * layer], in_scale[2 * layer], out);
        }
        for (int64_t t = 0; t < s.T; t++)
            for (int64_t i = 0; i < s.C; i++) d_embedding[ids[t] * C + i] += dx[t * C + i];
    }

    // The loss of one window, and its gradients where they are asked for. target_weight: of a target in the mean loss.
    void run(int64_t window, const Args &args, const PackedWeights<Num> &weights, float target_weight) {
        const int64_t offset = window * s.T;
        const uint32_t first_element = args.key ? (window + args.key[1]) * s.T * s.C : 0;
        forward(args.ids + offset, args, weights, first_element);
        cross_entropy(args.targets + offset, target_weight, args.losses ? args.losses + offset : nullptr);
        if (args.grads) backward(args.ids + offset, args, weights, first_element);
    }
};

// ---- a pass: pack, all windows, sum -----------------------------------------------------------------------------

template <class Num>
int64_t train_pass(const ModelShape &s, const Args *args, float *scratch) {
    Arena arena{scratch};
    const MatrixShapes matrices(s);
    const PackedWeights<Num> weights(matrices, arena);
    std::vector<WindowWorkspace<Num>> workspaces;
    for (int64_t i = 0; i < s.threads; i++) workspaces.emplace_back(s, matrices, arena);
    if (!args) return arena.used;

    int64_t n_targets = 0;
    for (int64_t i = 0; i < s.B * s.T; i++) n_targets += args->targets[i] >= 0;
    const int64_t n_matrices = matrices.all.size();
    // Where a matrix is in Args::weights: embedding first, which is also the head where they are tied.
    auto weight_index = [&](int64_t i) { return i == n_matrices - 1 && s.tied ? 0 : i + 1; };

    run_on_threads(s.threads, [&](int64_t i) {
        for (int64_t j = i; j < 2 * n_matrices; j += s.threads) {
            const MatrixShape m = matrices.all[j / 2];
            const float *weight = args->weights[weight_index(j / 2)];
            if (j % 2 && !args->grads) continue;
            if (j % 2) pack<Num, NR, float>(weights.backward[j / 2], weight, m.columns, m.rows, m.columns);
            else pack_transposed<Num, float>(weights.forward[j / 2], weight, m.columns, m.columns, m.rows);
        }
    });
    run_on_threads(s.threads, [&](int64_t i) {
        WindowWorkspace<Num> &workspace = workspaces[i];
        for (int64_t j = 0; args->grads && j < n_matrices; j++)
            std::memset(workspace.grads[j], 0, matrices.all[j].padded_size() * sizeof(float));
        if (args->grads && !s.tied) std::memset(workspace.d_embedding, 0, s.V * workspace.C * sizeof(float));
        for (int64_t b = s.B * i / s.threads; b < s.B * (i + 1) / s.threads; b++)
            workspace.run(b, *args, weights, 1.f / n_targets);
    });
    if (!args->grads) return arena.used;
    run_on_threads(s.threads, [&](int64_t i) {
        // Each thread sums its rows of a gradient over all workspaces, in their order.
        auto reduce = [&](float *to, int64_t rows, int64_t columns, int64_t width, auto gradient_of) {
            for (int64_t r = rows * i / s.threads; r < rows * (i + 1) / s.threads; r++)
                for (int64_t j = 0; j < s.threads; j++) {
                    const float *from = gradient_of(workspaces[j]) + r * width;
                    for (int64_t c = 0; c < columns; c++)
                        to[r * columns + c] = from[c] + (j ? to[r * columns + c] : 0);
                }
        };
        for (int64_t j = 0; j < n_matrices; j++) {
            const MatrixShape m = matrices.all[j];
            reduce(args->grads[weight_index(j)], m.rows, m.columns, round_up(m.columns, NR),
                   [j](auto &workspace) { return workspace.grads[j]; });
        }
        if (!s.tied)
            reduce(args->grads[0], s.V, s.C, round_up(s.C, NR), [](auto &workspace) { return workspace.d_embedding; });
    });
    double loss = 0;
    for (const WindowWorkspace<Num> &workspace : workspaces) loss += workspace.loss;
    *args->loss = loss / n_targets;
    return arena.used;
}

}  // namespace

// ---- what Python calls ------------------------------------------------------------------------------------------

extern "C" {

// The loss and gradients of a pass, computed in scratch. Returns how many floats scratch must hold, and without `args`
// does nothing else; -1: the processor has no bf16 instructions, or no memory or thread could be had.
int64_t tinylm_train_pass(const ModelShape *shape, int64_t bf16, const Args *args, float *scratch) {
    try {
        if (!bf16) return train_pass<float>(*shape, args, scratch);
#if defined(__AVX512BF16__)
        return train_pass<BFloat16>(*shape, args, scratch);
#endif
    } catch (...) {
    }
    return -1;
}

// A step of Muon for all of its matrices. Returns as tinylm_train_pass; without `scratch` it only tells the size.
int64_t tinylm_muon_step(const MuonArgs *muon, int64_t bf16, const MuonMatrix *matrices, float *scratch) {
    try {
        if (!bf16) return muon_step<float>(*muon, matrices, scratch);
#if defined(__AVX512BF16__)
        return muon_step<BFloat16>(*muon, matrices, scratch);
#endif
    } catch (...) {
    }
    return -1;
}
}
