"""Refuses a training that cannot fit in memory, before it starts."""

from __future__ import annotations

import torch

from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.errors import ConfigError
from tinylm.model import size
from tinylm.words import gigabytes

MIN_SHARE = 0.8
"""A run is refused where less than this share of the estimated memory is free: `sequence_bytes` is that precise."""


def refuse_giants(config: RunConfig, vocab_size: int, free_bytes: float | None) -> None:
    """ConfigError where weights, gradients and optimizer state alone are larger than the free memory."""
    parameters = size.parameters(config.model, vocab_size)
    needed = _state_bytes(config, vocab_size)
    if free_bytes is not None and needed > free_bytes:
        raise ConfigError(
            f"A model of {parameters / 1e6:,.0f} million parameters needs {gigabytes(needed)} to train, "
            f"and {gigabytes(free_bytes)} are free.",
            "Make it smaller: fewer layers (model.n_layer) or less width (model.n_embd).",
        )


def fitting_sequences(config: RunConfig, vocab_size: int, wanted: int, free_bytes: float | None) -> int:
    """How many sequences a pass takes at once: `wanted`, halved until it fits; ConfigError where not even one does."""
    refuse_giants(config, vocab_size, free_bytes)
    if free_bytes is None:
        return wanted
    each = sequence_bytes(config.model, vocab_size, half=config.train.precision in ("bf16", "fp16"))
    room = free_bytes - _state_bytes(config, vocab_size)
    while wanted > 1 and wanted * each > room:
        wanted = (wanted + 1) // 2
    if MIN_SHARE * wanted * each > room:
        raise ConfigError(
            f"A step on a single window needs about {gigabytes(free_bytes - room + each)}, "
            f"and {gigabytes(free_bytes)} are free.",
            "Make the context shorter (model.block_size), or the model smaller (model.n_layer, model.n_embd).",
        )
    return wanted


def _state_bytes(config: RunConfig, vocab_size: int) -> int:
    """Bytes of weights, gradients, AdamW's two moments and, where kept, the EMA of the weights; all in fp32."""
    copies = 5 if config.train.average else 4
    return copies * size.parameters(config.model, vocab_size) * torch.float32.itemsize


def sequence_bytes(model: ModelConfig, vocab_size: int, *, half: bool) -> int:
    """Bytes that a forward pass over one sequence keeps for its backward pass, plus the gradients of its logits.

    `half`: the pass runs in bf16 or fp16, with residual stream and logits in fp32. Weights do not count.
    """
    width, q_width, kv_width = model.n_embd, model.n_head * model.head_size, model.n_kv_head * model.head_size
    residual = 2 * width  # the inputs of the norms before attention and feed-forward
    others = 4 * width + (q_width + 2 * kv_width)  # other norms and products with weights
    others += 2 * q_width + kv_width  # attention: rotated queries and keys, and its output
    others += 4 * model.mlp_ratio * width  # gate and up, GELU, and what goes down
    others += q_width if model.qk_norm else 0
    others += 2 * width if model.dropout else 0
    small = 2 if half else 4
    logits = 3 * vocab_size  # log-probabilities, their gradients, and those of the logits
    return model.block_size * (model.n_layer * (4 * residual + small * others) + 4 * (2 * width + logits))
