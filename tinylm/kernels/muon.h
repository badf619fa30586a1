// A step of Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum, the nearest orthogonal matrix by
// Newton-Schulz, the update. Reference: `Optimizer` in training/optimizer.py.
//
//     u = grad + momentum (m - grad)                      Nesterov, with m the running mean of the gradients
//     X = u / |u|;  ns_steps times: G = X^T X,  X = a X + X (b G + c G G)
//     W = decay_factor W - lr X
//
// Each thread takes whole matrices, so what an iteration needs stays in its core's cache. Guarantee: which thread takes
// which matrix changes no result.

#pragma once

#include <algorithm>

#include "gemm.h"
#include "parallel.h"

namespace {

struct MuonArgs {
    int64_t n_matrices, threads, ns_steps;
    float momentum, decay_factor;  // decay_factor: 1 - weight decay
    float a, b, c;                 // coefficients of the Newton-Schulz polynomial
};

// One matrix and its state, each (rows, columns) and contiguous.
struct MuonMatrix {
    float *weight, *momentum;
    const float *grad;
    int64_t rows, columns;
    float lr;
};

template <class Num>
struct MuonWorkspace {
    float *x, *y, *gram, *polynomial;  // X (N, K), X (b G + c G G) (N, K), G (K, K), b G + c G G (K, K)
    float *x_num, *gram_num, *panels;  // X and G as Nums; packed operands

    // Large enough for every matrix. Wide ones are transposed, so that N >= K: G is then the smaller of the two.
    MuonWorkspace(const MuonArgs &args, const MuonMatrix *matrices, Arena &arena) {
        int64_t N = 0, K = 0;
        for (int64_t i = 0; i < args.n_matrices; i++) {
            N = std::max(N, round_up(std::max(matrices[i].rows, matrices[i].columns), MR));
            K = std::max(K, round_up(std::min(matrices[i].rows, matrices[i].columns), NR));
        }
        x = arena.allocate(N * K), y = arena.allocate(N * K);
        gram = arena.allocate(K * K), polynomial = arena.allocate(K * K);
        x_num = arena.allocate(N * K), gram_num = arena.allocate(K * K);
        panels = arena.allocate(packed_size<Num>(N, K) + MC * N);
    }

    static void convert(const float *from, MatrixView<Num> to, int64_t rows, int64_t width, int64_t n) {
        for (int64_t r = 0; r < round_up(rows, MR); r++) store_row(to[r], from + r * width, n);
    }

    // x becomes what it was rounded to: all terms of an iteration must be of the same matrix, or errors grow.
    static void convert_back(MatrixView<Num> from, float *x, int64_t rows, int64_t width, int64_t n) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < n; j++) x[r * width + j] = to_float(from[r][j]);
    }

    void step(const MuonArgs &args, const MuonMatrix &matrix) {
        const bool transposed = matrix.rows < matrix.columns;
        const int64_t n = transposed ? matrix.columns : matrix.rows, k = transposed ? matrix.rows : matrix.columns;
        const int64_t width = round_up(k, NR);
        auto index = [&](int64_t i, int64_t j) { return transposed ? j * width + i : i * width + j; };

        // momentum
        std::memset(x, 0, round_up(n, MR) * width * sizeof(float));
        float squares = 0;
        for (int64_t i = 0; i < matrix.rows; i++)
            for (int64_t j = 0; j < matrix.columns; j++) {
                const float grad = matrix.grad[i * matrix.columns + j];
                float &momentum = matrix.momentum[i * matrix.columns + j];
                momentum += (1 - args.momentum) * (grad - momentum);
                const float update = grad + args.momentum * (momentum - grad);
                x[index(i, j)] = update;
                squares += update * update;
            }

        // Newton-Schulz
        const float scale = 1 / (std::sqrt(squares) + 1e-7f);
        for (int64_t i = 0; i < n * width; i++) x[i] *= scale;
        const MatrixView<Num> X(x_num, width), G(gram_num, width);
        Num *B = reinterpret_cast<Num *>(panels);  // the right operand
        for (int64_t iteration = 0; iteration < args.ns_steps; iteration++) {
            convert(x, X, n, width, k);
            convert_back(X, x, n, width, k);
            std::memset(gram, 0, round_up(k, MR) * width * sizeof(float));
            add_weight_gradient(X, X, n, k, k, gram, panels);
            convert(gram, G, k, width, k);
            convert_back(G, gram, k, width, k);
            pack<Num, NR, Num>(B, G.data, G.stride, k, k);
            gemm(G, B, round_up(k, MR), k, k, polynomial, width);
            for (int64_t i = 0; i < k * width; i++) polynomial[i] = args.b * gram[i] + args.c * polynomial[i];
            pack<Num, NR, float>(B, polynomial, width, k, k);
            gemm(X, B, round_up(n, MR), k, k, y, width);
            for (int64_t i = 0; i < n * width; i++) x[i] = args.a * x[i] + y[i];
        }

        // update
        for (int64_t i = 0; i < matrix.rows; i++)
            for (int64_t j = 0; j < matrix.columns; j++) {
                float &weight = matrix.weight[i * matrix.columns + j];
                weight = args.decay_factor * weight - matrix.lr * x[index(i, j)];
            }
    }
};

// A step for all matrices; returns how many floats scratch must hold, and without scratch does nothing else.
template <class Num>
int64_t muon_step(const MuonArgs &args, const MuonMatrix *matrices, float *scratch) {
    Arena arena{scratch};
    std::vector<MuonWorkspace<Num>> workspaces;
    for (int64_t i = 0; i < args.threads; i++) workspaces.emplace_back(args, matrices, arena);
    if (scratch)
        run_on_threads(args.threads, [&](int64_t i) {
            for (int64_t j = i; j < args.n_matrices; j += args.threads) workspaces[i].step(args, matrices[j]);
        });
    return arena.used;
}

}  // namespace
