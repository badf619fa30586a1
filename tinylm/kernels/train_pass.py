"""Loss and gradients of a training pass in one call of C++ (`train_pass.cpp`); reference: `gradients.eager_pass`.

The C++ is the model's own function, written once more, window by window: activations stay in a core's cache, and
threads hardly ever wait for each other. Nothing is traced, so one library serves every model.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.hardware.device import Precision, has_fast_bf16
from tinylm.kernels import compiler
from tinylm.kernels.ctypes_args import ModelShape, addresses, checked
from tinylm.model import dropout, gradients
from tinylm.model.transformer import Transformer, rotary_table

SOURCE = "train_pass.cpp"

TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.1}
"""For each precision that the code may support, the largest relative error |g - g_eager| / |g_eager| of a gradient."""

MAX_BLOCK_SIZE = 4096
"""Tokens of a window. A head's attention weights are held whole, 64 MB at this size; torch's attention holds none."""

_ALIGNMENT = 64
"""Bytes, one cache line: scratch begins at a multiple of it."""


class _Args(ctypes.Structure):
    """`Args` of train_pass.cpp."""

    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in "weights ids targets key cosine sine grads loss losses".split()
    )


def _function(code: ctypes.CDLL) -> Any:
    function = code.tinylm_train_pass
    function.restype = ctypes.c_int64
    function.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    return function


class NativePass:
    """Forward and backward passes of one model with a fixed precision and number of threads."""

    def __init__(
        self, code: ctypes.CDLL, config: ModelConfig, vocab_size: int, precision: Precision, threads: int
    ) -> None:
        """RuntimeError if this processor does not support the precision, or there is too little memory."""
        self._run = _function(code)
        self._bf16 = precision == "bf16"
        self._shape = ModelShape.of(config, vocab_size, threads)
        self._has_dropout = config.dropout > 0
        self._rotary_table = rotary_table(config.head_size, config.block_size, config.rope_theta)
        if not supports(code, precision):
            raise RuntimeError(f"our own code has no products in {precision} on this processor")
        scratch_size = self._run(ctypes.byref(self._shape), self._bf16, None, None)
        self._scratch = torch.zeros(scratch_size + _ALIGNMENT)

    def __call__(
        self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor, dropout_key: dropout.Key | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The mean loss over the targets that are not IGNORE_INDEX, and its gradient for each of the weights.

        `weights` are the model's parameters in their order; `ids` and `targets` are (B, T).
        """
        assert dropout_key is not None or not self._has_dropout
        loss, grads = torch.empty(()), [torch.empty_like(weight) for weight in weights]
        grad_addresses = addresses(grads)
        key = dropout_key.data_ptr() if dropout_key is not None else None
        self._call(weights, ids, targets, key=key, grads=ctypes.addressof(grad_addresses), loss=loss.data_ptr())
        return loss, grads

    def losses(self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor) -> Tensor:
        """Loss of each target in nats, (B, T), from `ids` (B, T); 0 where it is IGNORE_INDEX. No dropout."""
        losses = torch.empty(ids.shape)
        self._call(weights, ids, targets, losses=losses.data_ptr())
        return losses

    def _call(self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor, **others: int | None) -> None:
        """`others` are the addresses of a dropout key and of what the C++ is to write; those left out are null."""
        ids, targets, weight_addresses = ids.contiguous(), targets.contiguous(), addresses(weights)
        cos, sin = (table.data_ptr() for table in self._rotary_table)
        args = _Args(
            ctypes.addressof(weight_addresses), ids.data_ptr(), targets.data_ptr(), cosine=cos, sine=sin, **others
        )
        self._shape.B = len(ids)
        scratch = -(-self._scratch.data_ptr() // _ALIGNMENT) * _ALIGNMENT
        checked(self._run(ctypes.byref(self._shape), self._bf16, ctypes.byref(args), scratch))


def is_supported(config: RunConfig, device: torch.device) -> bool:
    """Whether the C++ can compute this run: a CPU, no attention dropout, and not Windows, which is untested."""
    model = config.model
    fits = not model.attention_dropout and model.block_size <= MAX_BLOCK_SIZE
    return device.type == "cpu" and fits and sys.platform != "win32"


def load_if_built(config: RunConfig, device: torch.device, home: Path) -> ctypes.CDLL | None:
    """The compiled code for this run if the run wants it and it is in the cache; nothing is compiled."""
    if config.train.compile != "off" and is_supported(config, device):
        with suppress(OSError):
            code = compiler.load(compiler.library_path(home, SOURCE))
            if config.train.precision == "fp32" or supports(code, "bf16") or not has_fast_bf16():
                return code
    return None


def pass_to_time(
    code: ctypes.CDLL | None, model: Transformer, ids: Tensor, targets: Tensor, dropout_key: dropout.Key | None
) -> Callable[[Precision], None]:
    """A pass to be timed in a given precision with torch's current number of threads: in C++, or eager without `code`.

    `ids` and `targets` are (B, T).
    """
    weights = list(model.parameters())

    def eager(precision: Precision) -> None:
        loss, _ = gradients.eager_pass(model, weights, precision, 1.0, ids, targets, dropout_key)
        loss.item()  # waits for a GPU

    if code is None:
        return eager

    @lru_cache(maxsize=1)  # numbers of threads are timed one after the other, and each pass has its own scratch
    def native_pass(precision: Precision, threads: int) -> NativePass:
        return NativePass(code, model.config, model.vocab_size, precision, threads)

    def native(precision: Precision) -> None:
        run = native_pass(precision, torch.get_num_threads())
        run([weight.detach() for weight in weights], ids, targets, dropout_key)

    return native


def supports(code: ctypes.CDLL, precision: Precision) -> bool:
    """Whether the code computes in this precision on this processor."""
    known = precision in TOLERANCE
    return bool(known and _function(code)(ctypes.byref(ModelShape()), precision == "bf16", None, None) >= 0)


def check(code: ctypes.CDLL) -> None:
    """Compare the code with `eager_pass` on a small model; RuntimeError if they differ by more than TOLERANCE."""
    config = ModelConfig(
        n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=20, qk_norm=True, dropout=0.2
    )
    model = Transformer(config, 40, torch.Generator().manual_seed(0))
    weights = list(model.parameters())
    windows = torch.randint(40, (3, config.block_size + 1), generator=torch.Generator().manual_seed(1))
    inputs = windows[:, :-1], windows[:, 1:], dropout.key(1, 2, windows.device)
    for precision, tolerance in TOLERANCE.items():
        if precision != "fp32" and not supports(code, precision):
            continue
        native = NativePass(code, config, model.vocab_size, precision, 2)
        eager_loss, eager_grads = gradients.eager_pass(model, weights, precision, 1.0, *inputs)
        loss, grads = native([weight.detach() for weight in weights], *inputs)
        for result, expected in zip([loss, *grads], [eager_loss, *eager_grads], strict=True):
            if not torch.linalg.vector_norm(result - expected) <= tolerance * torch.linalg.vector_norm(expected):
                raise RuntimeError("the compiled pass computes something else than the eager one")
