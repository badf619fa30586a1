// One step of decoding for B texts, on one core: model.py's function for their newest tokens, in the order of its lines.
// Several cores share many texts: each makes its part of them go on, by a call of its own.
//
// Compiled on the machine that runs it (native.py), without any header of torch's, in half a second. A step reads every
// weight once, as nn.Linear has them: a row streams by while what it is multiplied with stays in the core's first cache.
// Four rows at once keep enough reads under way for one text; with four texts, each number that is read is used again.
// Processors foresee no reads beyond a page of memory, which is four rows, so the next ones are asked for: a fifth to a
// quarter of a step's time.
//
// Letters: B texts of this call, A of the cache, C n_embd, H n_head, K n_kv_head, D head_size, I inside of the feed-forward, V vocabulary.

#include "numbers.h"

namespace {

constexpr int LINE = 16;  // numbers that come from memory together

// The sum of N numbers: halves on halves.
template <int N>
float total(const float *lanes) {
    typedef typename Lanes<N / 2>::type Half;
    const Half half = *reinterpret_cast<const Half *>(lanes) + *reinterpret_cast<const Half *>(lanes + N / 2);
    return total<N / 2>(reinterpret_cast<const float *>(&half));
}
template <>
float total<2>(const float *lanes) {
    return lanes[0] + lanes[1];
}

struct Shape {
    int64_t n_layer, A, B, C, H, K, D, I, V, room, qk_norm;
    float eps, attention_scale, logit_scale;
};

// R rows of W (., n) times the vectors of B texts, x (B, n): y[r] of each text, whose vectors lie `out` apart.
template <int R, int B>
void tile(const float *W, const float *x, float *y, int64_t n, int64_t out, const float *scale) {
    Some sums[R][B] = {};
    int64_t j = 0;
    for (; j + WIDE <= n; j += WIDE) {
        Some each[B];
#pragma GCC unroll 4
        for (int b = 0; b < B; b++) each[b] = *reinterpret_cast<const Some *>(x + b * n + j);
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            const Some some = *reinterpret_cast<const Some *>(W + r * n + j);
            __builtin_prefetch(W + (r + 2 * R) * n + j);
#pragma GCC unroll 4
            for (int b = 0; b < B; b++) sums[r][b] += some * each[b];
        }
    }
    for (int r = 0; r < R; r++)
        for (int b = 0; b < B; b++) {
            float sum = total<WIDE>(reinterpret_cast<const float *>(&sums[r][b]));
            for (int64_t rest = j; rest < n; rest++) sum += W[r * n + rest] * x[b * n + rest];
            y[b * out + r] = scale[b] * sum;
        }
}

template <int R>
void some_rows(const float *W, const float *x, float *y, int64_t n, int64_t out, int64_t B, const float *scale) {
    int64_t b = 0;
    for (; b + 4 <= B; b += 4) tile<R, 4>(W, x + b * n, y + b * out, n, out, scale + b);
    for (; b < B; b++) tile<R, 1>(W, x + b * n, y + b * out, n, out, scale + b);
}

// R rows times N texts, one a lane: x is turned, (n, N), so that nothing is left to be summed up.
template <int R, int N>
void lanes(const float *W, const float *turned, float *y, int64_t n, int64_t out, int64_t B, const float *scale) {
    typedef typename Lanes<N>::type Each;
    Each sums[R] = {};
    for (int64_t first = 0; first < n; first += LINE) {
        const int64_t end = first + LINE < n ? first + LINE : n;
        // Into the second cache: in the first, rows whose length is a power of two would drive each other out.
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) __builtin_prefetch(W + (r + 2 * R) * n + first, 0, 2);
        for (int64_t j = first; j < end; j++) {
            const Each each = *reinterpret_cast<const Each *>(turned + j * N);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) sums[r] += W[r * n + j] * each;
        }
    }
    for (int64_t b = 0; b < B; b++)
        for (int r = 0; r < R; r++) y[b * out + r] = scale[b] * sums[r][b];
}

// For up to N texts.
template <int N>
void many_texts(const float *W, const float *x, float *y, int64_t rows, int64_t n, int64_t B, const float *scale,
                float *turned) {
    for (int64_t j = 0; j < n; j++)
        for (int64_t b = 0; b < N; b++) turned[j * N + b] = b < B ? x[b * n + j] : 0;
    int64_t i = 0;
    for (; i + 8 <= rows; i += 8) lanes<8, N>(W + i * n, turned, y + i, n, rows, B, scale);
    for (; i < rows; i++) lanes<1, N>(W + i * n, turned, y + i, n, rows, B, scale);
}

// y (B, rows) = scale (B) * x (B, n) W^T, with W (rows, n). turned: room for n WIDE numbers.
void product(const float *W, const float *x, float *y, int64_t rows, int64_t n, int64_t B, const float *scale,
             float *turned) {
    for (; B > WIDE / 2; B -= WIDE, x += WIDE * n, y += WIDE * rows, scale += WIDE)
        many_texts<WIDE>(W, x, y, rows, n, B < WIDE ? B : WIDE, scale, turned);
    if (B <= 0) return;
    if (B > 4) return many_texts<WIDE / 2>(W, x, y, rows, n, B, scale, turned);
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) some_rows<4>(W + i * n, x, y + i, n, rows, B, scale);
    for (; i < rows; i++) some_rows<1>(W + i * n, x, y + i, n, rows, B, scale);
}

// What norms multiply with, which may as well be done behind a product.
void rms_scales(const float *x, float *scale, int64_t n, int64_t B, float eps, float factor) {
    for (int64_t b = 0; b < B; b++) scale[b] = factor * rms_scale(x + b * n, n, eps);
}

// x += norm(y)
void add_normed(float *x, const float *y, int64_t n, int64_t B, float eps) {
    for (int64_t b = 0; b < B; b++, x += n, y += n) {
        float scale = rms_scale(y, n, eps);
        for (int64_t i = 0; i < n; i++) x[i] += scale * y[i];
    }
}

void norm_heads(float *heads, int64_t n, int64_t D, float eps) {
    for (float *head = heads; head < heads + n * D; head += D) {
        float scale = rms_scale(head, D, eps);
        for (int64_t i = 0; i < D; i++) head[i] *= scale;
    }
}

// Turn the pairs (i, i + D/2) of each head by its position's angles.
void rotate(float *heads, int64_t n, int64_t D, const float *cosine, const float *sine) {
    int64_t half = D / 2;
    for (float *head = heads; head < heads + n * D; head += D)
        for (int64_t i = 0; i < half; i++) {
            float left = head[i], right = head[i + half];
            head[i] = left * cosine[i] - right * sine[i];
            head[i + half] = right * cosine[i + half] + left * sine[i + half];
        }
}

// The mean of T values, weighed by the softmax of scale q k: (D) into y. weights: room for T numbers.
void attend(const float *q, const float *keys, const float *values, float *weights, float *y, int64_t T, int64_t D,
            float scale) {
    float highest = -INFINITY, sum = 0;
    for (int64_t t = 0; t < T; t++) {
        weights[t] = scale * dot(q, keys + t * D, D);
        if (!(weights[t] <= highest)) highest = weights[t];
    }
    for (int64_t t = 0; t < T; t++) weights[t] = exponential(weights[t] - highest), sum += weights[t];
    for (int64_t i = 0; i < D; i++) y[i] = 0;
    for (int64_t t = 0; t < T; t++) {
        float weight = weights[t] / sum;
        for (int64_t i = 0; i < D; i++) y[i] += weight * values[t * D + i];
    }
}

}  // namespace

extern "C" {

// From the newest tokens' rows of the embedding, x (B, C), which are used up, to scores (B, V).
//
// weights: of each block qkv (H + 2K) D x C, out C x H D, gate and up 2 I x C, down C x I; then the head, V x C. cosine
// and sine (D) are those of `place`, which is how many tokens are in keys and values (n_layer, A, K, room, D) before;
// these begin with the call's first text.
// scratch: B ((2 H + 2 K) D + C + 2 I + 2) + room + 16 max(C, H D, I) numbers.
void tinylm_step(const Shape *shape, const float *const *weights, float *x, const float *cosine, const float *sine,
                 float *keys, float *values, int64_t place, float *scores, float *scratch) {
    const Shape s = *shape;
    const int64_t heads = s.H + 2 * s.K, sharing = s.H / s.K;
    float *qkv = scratch, *mixed = qkv + s.B * heads * s.D, *y = mixed + s.B * s.H * s.D, *gate_up = y + s.B * s.C;
    float *scale = gate_up + 2 * s.B * s.I, *ones = scale + s.B, *attention = ones + s.B;
    float *turned = attention + s.room;
    for (int64_t b = 0; b < s.B; b++) ones[b] = 1;

    for (int64_t layer = 0; layer < s.n_layer; layer++, weights += 4) {
        rms_scales(x, scale, s.C, s.B, s.eps, 1);
        product(weights[0], x, qkv, heads * s.D, s.C, s.B, scale, turned);
        for (int64_t b = 0; b < s.B; b++) {
            float *q = qkv + b * heads * s.D, *k = q + s.H * s.D, *v = k + s.K * s.D;
            if (s.qk_norm) norm_heads(q, s.H + s.K, s.D, s.eps);
            rotate(q, s.H + s.K, s.D, cosine, sine);
            for (int64_t head = 0; head < s.K; head++) {
                int64_t first = ((layer * s.A + b) * s.K + head) * s.room * s.D;
                for (int64_t i = 0; i < s.D; i++) {
                    keys[first + place * s.D + i] = k[head * s.D + i];
                    values[first + place * s.D + i] = v[head * s.D + i];
                }
                for (int64_t h = head * sharing; h < (head + 1) * sharing; h++)
                    attend(q + h * s.D, keys + first, values + first, attention, mixed + (b * s.H + h) * s.D, place + 1,
                           s.D, s.attention_scale);
            }
        }
        product(weights[1], mixed, y, s.C, s.H * s.D, s.B, ones, turned);
        add_normed(x, y, s.C, s.B, s.eps);

        rms_scales(x, scale, s.C, s.B, s.eps, 1);
        product(weights[2], x, gate_up, 2 * s.I, s.C, s.B, scale, turned);
        for (int64_t b = 0; b < s.B; b++) {  // what is gated lies side by side again, in front
            const float *gate = gate_up + 2 * b * s.I, *up = gate + s.I;
            for (int64_t i = 0; i < s.I; i++) gate_up[b * s.I + i] = gelu(gate[i]) * up[i];
        }
        product(weights[3], gate_up, y, s.C, s.I, s.B, ones, turned);
        add_normed(x, y, s.C, s.B, s.eps);
    }
    rms_scales(x, scale, s.C, s.B, s.eps, s.logit_scale);
    product(weights[0], x, scores, s.V, s.C, s.B, scale, turned);
}
}
