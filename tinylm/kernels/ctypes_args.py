"""What the calls of C++ share: the model's shape, addresses of tensors, and the results that mean failure."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Self

from torch import Tensor

from tinylm.config.schema import ModelConfig
from tinylm.model import dropout
from tinylm.model.transformer import logit_scale


class ModelShape(ctypes.Structure):
    """`ModelShape` of model_shape.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in "n_layer B T C H K D I V qk_norm tied threads capacity".split()),
        *((name, ctypes.c_float) for name in ("eps", "attention_scale", "logit_scale", "dropout_scale")),
        ("dropout_threshold", ctypes.c_int32),
    )

    @classmethod
    def of(cls, config: ModelConfig, vocab_size: int, threads: int) -> Self:
        """The shape of a model's passes over whole windows (T = block_size); the number B of sequences is 0."""
        C, D, rate = config.n_embd, config.head_size, config.dropout  # noqa: N806
        return cls(
            config.n_layer, 0, config.block_size, C, config.n_head, config.n_kv_head, D, config.mlp_ratio * C,
            vocab_size, config.qk_norm, config.tie_embeddings, threads, config.block_size, config.norm_eps,
            config.attention_scale * D**-0.5, logit_scale(config), 1 / (1 - rate), dropout.threshold(rate),
        )  # fmt: skip


def addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """The addresses of the tensors' elements; they hold as long as the tensors live."""
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def checked(result: int) -> int:
    """What a C++ function returned; RuntimeError if that says that it failed."""
    if result < 0:
        raise RuntimeError("no thread could be had: can't allocate memory")
    return result
