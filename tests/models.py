"""The small model that the tests of single passes, steps and draws compute with."""

import torch

from tinylm.config.schema import ModelConfig
from tinylm.model.transformer import Transformer

SMALL = {"n_layer": 2, "n_head": 4, "n_kv_head": 2, "n_embd": 24, "head_size": 8, "block_size": 16}


def build(vocab_size: int = 50, seed: int = 0, **changes: object) -> Transformer:
    """A model of SMALL with `changes`, and with random weights of this seed."""
    return Transformer(ModelConfig(**{**SMALL, **changes}), vocab_size, torch.Generator().manual_seed(seed))
