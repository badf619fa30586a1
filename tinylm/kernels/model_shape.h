// The shape of a model's passes, as kernels/ctypes_args.py fills it in, and the order of a block's matrices.

#pragma once

#include "simd.h"

namespace {

struct ModelShape {
    int64_t n_layer, B, T, C, H, K, D, I, V, qk_norm, tied, threads;
    int64_t capacity;  // decoding: of the cache, in tokens
    float eps, attention_scale, logit_scale, dropout_scale;
    int32_t dropout_threshold;  // an element is dropped if its hash is less, otherwise multiplied by dropout_scale
};

// The matrices of a block; the head comes after those of all blocks.
enum : int64_t { QKV, OUT, GATE_UP, DOWN, PER_BLOCK };

}  // namespace
