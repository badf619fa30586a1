"""Refuses a training that cannot fit in memory, before it starts."""

from __future__ import annotations

import torch

from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.errors import ConfigError
from tinylm.model import size
from tinylm.words import counted, gigabytes


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


def refuse_too_large(config: RunConfig, vocab_size: int, sequences: int, free_bytes: float | None) -> None:
    """ConfigError where passes over `sequences` take more memory than is free; a lower bound, so it never errs."""
    refuse_giants(config, vocab_size, free_bytes)
    needed = _state_bytes(config, vocab_size) + sequences * sequence_bytes(config.model, vocab_size)
    if free_bytes is not None and needed > free_bytes:
        batch_size = sequences // 2  # on a CPU, a pass has a part of the batch already
        passes = round(config.train.sequences_per_step / max(1, batch_size))
        raise ConfigError(
            f"A step on {counted(sequences, 'window')} at once needs at least {gigabytes(needed)}, "
            f"and {gigabytes(free_bytes)} are free.",
            f"With train.batch_size={batch_size} and train.accumulation_steps={passes} the steps need half of it."
            if batch_size
            else "Make it smaller: a shorter context (model.block_size), or fewer layers (model.n_layer).",
        )


def _state_bytes(config: RunConfig, vocab_size: int) -> int:
    """Bytes of weights, gradients, AdamW's two moments and, where kept, the EMA of the weights; all in fp32."""
    copies = 5 if config.train.average else 4
    return copies * size.parameters(config.model, vocab_size) * torch.float32.itemsize


def sequence_bytes(model: ModelConfig, vocab_size: int) -> int:
    """Bytes of one sequence's activations in half precision, plus its logits and their gradient: a lower bound."""
    heads = (model.n_head + 2 * model.n_kv_head) * model.head_size
    activations = model.n_layer * ((4 + 3 * model.mlp_ratio) * model.n_embd + heads) * torch.float16.itemsize
    return model.block_size * (activations + 2 * vocab_size * torch.float32.itemsize)
