"""A pass as machine code of our own: loss and gradients by one call of `passes.cpp`.

It is the model's own function, written down once more, window by window: what stands between the products stays in a
core's cache, and threads hardly ever wait for each other. Nothing is traced, so one library is right for every model.
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
from tinylm.hardware import device
from tinylm.hardware.device import Precision
from tinylm.kernels import compiler
from tinylm.model import dropout, gradients
from tinylm.model.transformer import Transformer, logit_scale, rotary_table

SOURCE = "train_pass.cpp"

CLOSE: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.1}
"""The precisions that there are, and how far a gradient may be from the eager one: the norm of what differs, over its
norm."""

LONGEST = 4096
"""Tokens of a window: a head's attention weights are held as a whole, 64 MB of them; torch's attention holds none."""

_ALIGNED = 64
"""Bytes that the scratch begins at a multiple of: a line of the cache."""


class _Shape(ctypes.Structure):
    """`Shape` of passes.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in "n_layer B T C H K D I V qk_norm tied threads".split()),
        *((name, ctypes.c_float) for name in ("eps", "attention_scale", "logit_scale", "kept_scale")),
        ("dropped_below", ctypes.c_int32),
    )


class _Given(ctypes.Structure):
    """`Given` of passes.cpp."""

    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in "weights ids targets key cosine sine grads loss losses".split()
    )


def _function(code: ctypes.CDLL) -> Any:
    function = code.tinylm_pass
    function.restype = ctypes.c_int64
    function.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    return function


class NativePass:
    """Passes of one model, on so many threads."""

    def __init__(
        self, code: ctypes.CDLL, config: ModelConfig, vocab_size: int, precision: Precision, threads: int
    ) -> None:
        """RuntimeError where this processor multiplies no bf16, or there is too little memory."""
        self._run = _function(code)
        self._half = precision == "bf16"
        C, D, share = config.n_embd, config.head_size, config.dropout  # noqa: N806
        self._shape = _Shape(
            config.n_layer, 0, config.block_size, C, config.n_head, config.n_kv_head, D, config.mlp_ratio * C,
            vocab_size, config.qk_norm, config.tie_embeddings, threads, config.norm_eps,
            config.attention_scale * D**-0.5, logit_scale(config), 1 / (1 - share), dropout.threshold(share),
        )  # fmt: skip
        self._drops = share > 0
        self._tables = rotary_table(D, config.block_size, config.rope_theta)
        if not knows(code, precision):
            raise RuntimeError(f"our own code has no products in {precision} on this processor")
        needed = self._run(ctypes.byref(self._shape), self._half, None, None)
        self._scratch = torch.zeros(needed + _ALIGNED)

    def __call__(
        self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor, noise: dropout.Key | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The mean loss over targets (B, T) that are not IGNORED, and its gradient for each of the model's weights."""
        loss, grads = torch.empty(()), [torch.empty_like(weight) for weight in weights]
        self._call(weights, ids, targets, noise, _addresses(grads), loss.data_ptr(), None)
        return loss, grads

    def losses(self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor) -> Tensor:
        """Nats of each target, (B, T); 0 where it is IGNORED. Nothing is dropped."""
        losses = torch.empty(ids.shape)
        self._call(weights, ids, targets, None, None, None, losses.data_ptr())
        return losses

    def _call(
        self,
        weights: Sequence[Tensor],
        ids: Tensor,
        targets: Tensor,
        noise: dropout.Key | None,
        grads: ctypes.Array[ctypes.c_void_p] | None,
        loss: int | None,
        losses: int | None,
    ) -> None:
        ids, targets, of = ids.contiguous(), targets.contiguous(), _addresses(weights)
        assert noise is not None or not self._drops or grads is None
        key = noise.data_ptr() if noise is not None and grads is not None else None
        cos, sin = (table.data_ptr() for table in self._tables)
        given = _Given(
            ctypes.addressof(of), ids.data_ptr(), targets.data_ptr(), key, cos, sin,
            ctypes.addressof(grads) if grads is not None else None, loss, losses,
        )  # fmt: skip
        self._shape.B = len(ids)
        scratch = -(-self._scratch.data_ptr() // _ALIGNED) * _ALIGNED
        if self._run(ctypes.byref(self._shape), self._half, ctypes.byref(given), scratch) < 0:
            raise RuntimeError("no thread could be had: can't allocate memory")


def possible(config: RunConfig, place: torch.device) -> bool:
    """Whether there is code for such runs: it knows no attention dropout, and Windows is untried."""
    model = config.model
    known = not model.attention_dropout and model.block_size <= LONGEST
    return place.type == "cpu" and known and sys.platform != "win32"


def ready(config: RunConfig, place: torch.device, home: Path) -> ctypes.CDLL | None:
    """The code for such runs, where it is wanted and has been made; nothing waits."""
    if config.train.compile != "off" and possible(config, place):
        with suppress(OSError):
            code = compiler.opened(compiler.library(home, SOURCE))
            return (
                code if config.train.precision == "fp32" or knows(code, "bf16") or not device.has_fast_bf16() else None
            )
    return None


def rehearsal(
    code: ctypes.CDLL | None, model: Transformer, ids: Tensor, targets: Tensor, noise: dropout.Key | None
) -> Callable[[Precision], None]:
    """A pass to be timed, in some precision and with the threads that are set: by our own code, or else by torch's."""
    weights = list(model.parameters())

    def eager(precision: Precision) -> None:
        loss, _ = gradients.eager_pass(model, weights, precision, 1.0, ids, targets, noise)
        loss.item()  # waits for a GPU

    if code is None:
        return eager

    @lru_cache(maxsize=1)  # one count of threads is measured after the other, and each has its own memory
    def made(precision: Precision, threads: int) -> NativePass:
        return NativePass(code, model.config, model.vocab_size, precision, threads)

    def native(precision: Precision) -> None:
        made(precision, torch.get_num_threads())([weight.detach() for weight in weights], ids, targets, noise)

    return native


def knows(code: ctypes.CDLL, precision: Precision) -> bool:
    """Whether it multiplies in that precision."""
    return bool(precision in CLOSE and _function(code)(ctypes.byref(_Shape()), precision == "bf16", None, None) >= 0)


def _addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def check(code: ctypes.CDLL) -> None:
    """RuntimeError where the code computes something else than the model itself."""
    config = ModelConfig(
        n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=20, qk_norm=True, dropout=0.2
    )
    model = Transformer(config, 40, torch.Generator().manual_seed(0))
    weights = list(model.parameters())
    windows = torch.randint(40, (3, config.block_size + 1), generator=torch.Generator().manual_seed(1))
    given = windows[:, :-1], windows[:, 1:], dropout.key(1, 2, windows.device)
    for precision, close in CLOSE.items():
        if precision != "fp32" and not knows(code, precision):
            continue
        native = NativePass(code, config, model.vocab_size, precision, 2)
        loss, grads = gradients.eager_pass(model, weights, precision, 1.0, *given)
        found, found_grads = native([weight.detach() for weight in weights], *given)
        for one, other in zip([found, *found_grads], [loss, *grads], strict=True):
            if not torch.linalg.vector_norm(one - other) <= close * torch.linalg.vector_norm(other):
                raise RuntimeError("the compiled pass computes something else than the eager one")
