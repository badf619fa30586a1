"""`decode.cpp`: the step of decoding as one call, where there is a C++ compiler.

Where there is none, or what comes out of it does not load or computes something else, `code` is None, and writing takes
torch's operations.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tinylm import cpp, device
from tinylm.config import ModelConfig
from tinylm.model import Block, KVCache, Transformer

SOURCE = "decode.cpp"

SMALL = 100_000
"""Parameters of a model for which nothing is compiled."""

PART = 8
"""Texts that a core has at least, where several share them: they have to wake each other for each step, 0.05 ms."""

_CLOSE = 1e-3

_pool = ThreadPoolExecutor(1, "native")
_making: Future[Code | None] | None = None


class _Shape(ctypes.Structure):
    """`Shape` of decode.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_layer", "A", "B", "C", "H", "K", "D", "I", "V", "room", "qk_norm")),
        *((name, ctypes.c_float) for name in ("eps", "attention_scale", "logit_scale")),
    )


class Code:
    """The compiled function."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.step = library.tinylm_step
        self.step.restype = None
        self.step.argtypes = [ctypes.c_void_p] * 7 + [ctypes.c_int64] + [ctypes.c_void_p] * 2


class NativeStep:
    """A step for one model and one cache, all in fp32: from the newest token of each text to the scores (B, V)."""

    def __init__(self, code: Code, model: Transformer, cache: KVCache) -> None:
        self._call, self._model, self._cache = code.step, model, cache
        weights = _weights(model)
        self._weights = (ctypes.c_void_p * len(weights))(*(weight.data_ptr() for weight in weights))
        texts = len(cache)
        new = cache.keys.new_empty
        self._x, self._scores = new(texts, model.config.n_embd), new(texts, model.vocab_size)
        each = -(-texts // max(1, min(device.cores(), texts // PART)))
        self._parts = [self._part(first, min(each, texts - first)) for first in range(0, texts, each)]

    def _part(self, first: int, B: int) -> Callable[[int], None]:  # noqa: N803
        """A function that lets B texts from the `first` one on take their step, from the place that it is given."""
        model, config, cache = self._model, self._model.config, self._cache
        A, room = len(cache), cache.keys.size(-2)  # noqa: N806
        C, H, K, D = config.n_embd, config.n_head, config.n_kv_head, config.head_size  # noqa: N806
        inside = config.mlp_ratio * C
        numbers = (config.norm_eps, config.attention_scale * D**-0.5, model.logit_scale)
        shape = _Shape(config.n_layer, A, B, C, H, K, D, inside, model.vocab_size, room, config.qk_norm, *numbers)
        scratch = cache.keys.new_empty(
            B * ((2 * H + 2 * K) * D + C + 2 * inside + 2) + room + 16 * max(C, H * D, inside)
        )
        own = [part[first:] for part in (self._x, self._scores)] + [
            part[0, first:] for part in (cache.keys, cache.values)
        ]
        x, scores, keys, values = (part.data_ptr() for part in own)

        def step(place: int) -> None:
            self._call(
                ctypes.byref(shape), self._weights, x, model.cos[place].data_ptr(), model.sin[place].data_ptr(),
                keys, values, place, scores, scratch.data_ptr(),
            )  # fmt: skip

        return step

    def __call__(self, tokens: list[int]) -> Tensor:
        """Scores (B, V); the cache takes in one more token of each text."""
        torch.index_select(self._model.embedding.weight, 0, torch.tensor(tokens), out=self._x)
        first, *others = self._parts
        beside = [_cores().submit(part, self._cache.length) for part in others]
        first(self._cache.length)
        for part in beside:
            part.result()
        self._cache.length += 1
        return self._scores


@cache
def _cores() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(device.cores(), "decode")


def _weights(model: Transformer) -> list[Tensor]:
    """A model's matrices in the order in which the step takes them, each (out, in)."""
    weights: list[Tensor] = []
    for block in model.blocks:
        assert isinstance(block, Block)
        attention, feed_forward = block.attention, block.feed_forward
        parts = (attention.qkv, attention.out, feed_forward.gate_up, feed_forward.down)
        weights += [part.weight for part in parts]
    return [*weights, model.embedding.weight if model.head is None else model.head.weight]


def keep_in(home: Path, model: Transformer, *, make: bool = True) -> None:
    """Use the code that this home keeps from now on; where there is none, it is made in a thread.

    Not for a model that is small enough to write fast anyway, and not without `make`.
    """
    global _making  # noqa: PLW0603  # as torch's number of threads: a property of the process
    _making = _pool.submit(_code, home, make and model.n_parameters() >= SMALL)


def code() -> Code | None:
    """The compiled function, waited for; None where there can be none, or no home to keep it."""
    return _making.result() if _making is not None else None


@cache
def _code(home: Path, may_make: bool) -> Code | None:
    library = cpp.library(home, SOURCE)
    with suppress(OSError):  # not there yet, or damaged
        return Code(cpp.opened(library))
    with suppress(OSError, RuntimeError):
        if may_make:
            cpp.Making(library, SOURCE).finish(_check)
            return Code(cpp.opened(library))
    return None


@torch.inference_mode()
def _check(library: ctypes.CDLL) -> None:
    """RuntimeError where it computes something else than the model itself."""
    config = ModelConfig(n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=8, qk_norm=True)
    model = Transformer(config, 9, torch.Generator().manual_seed(0)).eval()
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    cache = KVCache(config, len(ids), config.block_size, model.embedding.weight)
    model.next_logits(ids[:, :2], cache)
    scores = NativeStep(Code(library), model, cache)(ids[:, 2].tolist())
    if not torch.allclose(scores, model.logits(ids)[:, -1], rtol=_CLOSE, atol=_CLOSE):
        raise RuntimeError("the compiled step computes something else")
