"""The small model that the tests of single passes, steps and draws compute with."""

import torch

from tinylm.config.schema import ModelConfig
from tinylm.model.transformer import Transformer

SMALL = {"n_layer": 2, "n_head": 4, "n_kv_head": 2, "n_embd": 24, "head_size": 8, "block_size": 16}

VARIANTS: list[dict[str, object]] = [
    {},
    {"n_kv_head": 4},
    {"n_kv_head": 1},
    {"qk_norm": True},
    {"qk_norm": True, "attention_scale": 3.0},
    {"attention_scale": 0.5},
    {"tie_embeddings": True},
    {"head_size": 2, "n_layer": 1},
]
"""Changes of SMALL that compute something else."""


def build(vocab_size: int = 50, seed: int = 0, **changes: object) -> Transformer:
    """A model of SMALL with `changes`, and with random weights of this seed."""
    return Transformer(ModelConfig(**{**SMALL, **changes}), vocab_size, torch.Generator().manual_seed(seed))
