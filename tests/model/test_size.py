"""Sizes counted from a configuration are those of the model itself."""

import pytest
from torch import nn

from tinylm.config.schema import ModelConfig
from tinylm.model import size
from tinylm.model.transformer import Transformer


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_head": 6, "n_kv_head": 2, "n_embd": 48, "head_size": 10},
        {"n_layer": 1, "qk_norm": True},
        {"mlp_ratio": 3},
    ],
)
def test_counts(changes: dict[str, object], tied: bool) -> None:
    config = ModelConfig.model_validate({**changes, "tie_embeddings": tied})
    model = Transformer(config, 321)
    assert size.parameters(config, 321) == model.n_parameters()
    assert size.block_parameters(config) == sum(weight.numel() for weight in model.blocks.parameters())
    assert size.embedding_parameters(config, 321) == (1 if tied else 2) * model.embedding.weight.numel()

    matrices = sum(part.weight.numel() for part in model.modules() if isinstance(part, nn.Linear))
    matrices += model.embedding.weight.numel() if tied else 0  # also the head
    attention = 12 * config.n_layer * config.n_head * config.head_size * config.block_size
    assert size.flops_per_token(config, 321) == 6 * matrices + attention
