// A step of Muon, as optim.py has it: momentum, the nearest orthogonal matrix by Newton-Schulz, the move.
//
// Each thread takes matrices of its own, and what an iteration needs stays in its core's cache.

#pragma once

#include <algorithm>

#include "gemm.h"
#include "parallel.h"

namespace {

struct Muon {
    int64_t count, threads, rounds;
    float momentum, kept;  // kept: what weights are multiplied with, for their decay
    float a, b, c;         // of a round: x becomes a x + x (b G + c G G), with G = x^T x
};

// Rows lie one behind the other in all three.
struct Trained {
    float *weight, *momentum;
    const float *grad;
    int64_t rows, columns;
    float rate;  // how far the weights go along the orthogonal matrix
};

template <class Num>
struct Orthogonal {
    float *x, *y, *gram, *other, *operand, *square, *packed;

    // Matrices stand upright: (long, short), and are turned where they lie.
    Orthogonal(const Muon &muon, const Trained *trained, Room &room) {
        int64_t N = 0, K = 0;
        for (int64_t i = 0; i < muon.count; i++) {
            N = std::max(N, up_to(std::max(trained[i].rows, trained[i].columns), ROWS));
            K = std::max(K, up_to(std::min(trained[i].rows, trained[i].columns), NR));
        }
        x = room.take(N * K), y = room.take(N * K), gram = room.take(K * K), other = room.take(K * K);
        operand = room.take(N * K), square = room.take(K * K);
        packed = room.take(panels_size<Num>(N, K) + GROUP * ROWS * N);
    }

    static void ready(const float *from, Rows<Num> to, int64_t rows, int64_t width, int64_t n) {
        for (int64_t r = 0; r < up_to(rows, ROWS); r++) put_row(to[r], from + r * width, n);
    }

    // x becomes what it is rounded to: all of a round's terms are of the same matrix, or errors grow.
    static void round_to(Rows<Num> from, float *x, int64_t rows, int64_t width, int64_t n) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < n; j++) x[r * width + j] = value(from[r][j]);
    }

    void step(const Muon &muon, const Trained &of) {
        const bool lies = of.rows < of.columns;
        const int64_t n = lies ? of.columns : of.rows, k = lies ? of.rows : of.columns, width = up_to(k, NR);
        auto place = [&](int64_t i, int64_t j) { return lies ? j * width + i : i * width + j; };
        std::memset(x, 0, up_to(n, ROWS) * width * sizeof(float));
        float squares = 0;
        for (int64_t i = 0; i < of.rows; i++)
            for (int64_t j = 0; j < of.columns; j++) {
                const float grad = of.grad[i * of.columns + j];
                float &momentum = of.momentum[i * of.columns + j];
                momentum += (1 - muon.momentum) * (grad - momentum);
                const float ahead = grad + muon.momentum * (momentum - grad);  // Nesterov's
                x[place(i, j)] = ahead;
                squares += ahead * ahead;
            }
        const float scale = 1 / (std::sqrt(squares) + 1e-7f);
        for (int64_t i = 0; i < n * width; i++) x[i] *= scale;

        const Rows<Num> tall(operand, width), small(square, width);
        Num *panels = reinterpret_cast<Num *>(packed);
        for (int64_t round = 0; round < muon.rounds; round++) {
            ready(x, tall, n, width, k);
            round_to(tall, x, n, width, k);
            std::memset(gram, 0, up_to(k, ROWS) * width * sizeof(float));
            add_weight_gradient(tall, tall, n, k, k, gram, packed);
            ready(gram, small, k, width, k);
            round_to(small, gram, k, width, k);
            pack<Num, NR, Num>(panels, small.at, small.apart, k, k);
            product(small, panels, up_to(k, ROWS), k, k, other, width);
            for (int64_t i = 0; i < k * width; i++) other[i] = muon.b * gram[i] + muon.c * other[i];
            pack<Num, NR, float>(panels, other, width, k, k);
            product(tall, panels, up_to(n, ROWS), k, k, y, width);
            for (int64_t i = 0; i < n * width; i++) x[i] = muon.a * x[i] + y[i];
        }
        for (int64_t i = 0; i < of.rows; i++)
            for (int64_t j = 0; j < of.columns; j++) {
                float &weight = of.weight[i * of.columns + j];
                weight = muon.kept * weight - of.rate * x[place(i, j)];
            }
    }
};

// All matrices; returns how many floats scratch has to hold, and does nothing where there is none.
template <class Num>
int64_t muon_step(const Muon &muon, const Trained *trained, float *scratch) {
    Room room{scratch};
    std::vector<Orthogonal<Num>> desks;
    for (int64_t i = 0; i < muon.threads; i++) desks.emplace_back(muon, trained, room);
    if (scratch)
        on_threads(muon.threads, [&](int64_t i) {
            for (int64_t j = i; j < muon.count; j += muon.threads) desks[i].step(muon, trained[j]);
        });
    return room.taken;
}

}  // namespace
