"""`decode.cpp`: the step of decoding as one call, where there is a C++ compiler.

Where there is none, or what comes out of it does not load or computes something else, `code` is None, and writing takes
torch's operations.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig
from tinylm.hardware import device
from tinylm.kernels import compiler
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Block, Transformer

SOURCE = "decode.cpp"

SMALL = 100_000
"""Parameters of a model for which nothing is compiled."""

PART = 4
"""Texts that a core has at least, where several share them: for fewer it mostly waits for the weights to be read."""

AT_ONCE = 32
"""Tokens that a core takes through the model together where texts are read; where it is not half of it, fewer read."""

LAYING_OUT = 4
"""Cores that lay out weights at most: memory is what they wait for."""

_CLOSE = 1e-3

_pool = ThreadPoolExecutor(1, "native")
_making: Future[Code | None] | None = None


class _Shape(ctypes.Structure):
    """`Shape` of decode.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in "n_layer B T C H K D I V room qk_norm threads".split()),
        *((name, ctypes.c_float) for name in ("eps", "attention_scale", "logit_scale")),
    )


class _Given(ctypes.Structure):
    """`Given` of decode.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in "panels embedding tokens cosine sine keys values".split()),
        *((name, ctypes.c_int64) for name in ("place", "held")),
        ("scores", ctypes.c_void_p),
    )


class Code:
    """The compiled functions."""

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        self.weights, self.step = library.tinylm_weights, library.tinylm_step
        for function in (self.weights, self.step):
            function.restype, function.argtypes = number, (pointer, pointer, pointer)
        self._softmax, self._draw = library.tinylm_softmax, library.tinylm_draw
        self._softmax.restype = self._draw.restype = number
        self._softmax.argtypes = (pointer, number, number, number, ctypes.c_float, pointer, pointer)
        self._draw.argtypes = (pointer, number, number, number, pointer, pointer)

    def softmax(self, scores: Tensor, temperature: float) -> tuple[Tensor, list[float]]:
        """Probabilities of scores (B, V), and the highest score of each text: NaN where it, or any, is no number."""
        scores = scores.contiguous()
        probabilities, highest = torch.empty_like(scores), (ctypes.c_float * len(scores))()
        many = _threads(len(scores))
        _needed(self._softmax(scores.data_ptr(), *scores.shape, many, temperature, probabilities.data_ptr(), highest))
        return probabilities, list(highest)

    def draw(self, probabilities: Tensor, luck: list[float]) -> list[int]:
        """The place in each of the probabilities (B, n) at which their sum passes `luck`, in [0, 1), of all."""
        probabilities, places = probabilities.contiguous(), (ctypes.c_int64 * len(luck))()
        numbers, many = (ctypes.c_double * len(luck))(*luck), _threads(len(luck))
        _needed(self._draw(probabilities.data_ptr(), *probabilities.shape, many, numbers, places))
        return list(places)


def _shape(model: Transformer, texts: int, room: int, threads: int) -> _Shape:
    """Of steps by one token."""
    config = model.config
    C, D = config.n_embd, config.head_size  # noqa: N806
    return _Shape(
        config.n_layer, texts, 1, C, config.n_head, config.n_kv_head, D, config.mlp_ratio * C, model.vocab_size, room,
        config.qk_norm, threads, config.norm_eps, config.attention_scale * D**-0.5, model.logit_scale,
    )  # fmt: skip


def _threads(rows: int, part: int = PART) -> int:
    """How many cores share so many texts or tokens, each at least a part."""
    return max(1, min(device.cores(), rows // part))


def _needed(count: int) -> int:
    """What a function says that it needs; RuntimeError where it says that it cannot."""
    if count < 0:
        raise RuntimeError("no thread could be had: can't allocate memory")
    return count


class NativeSteps:
    """A model's weights in fp32, as they are now, laid out as steps read them: makes the step for a cache."""

    def __init__(self, code: Code, model: Transformer) -> None:
        self.code, self.model = code, model
        shape = ctypes.byref(_shape(model, 0, 0, min(device.cores(), LAYING_OUT)))
        weights = _weights(model)
        of = (ctypes.c_void_p * len(weights))(*(weight.data_ptr() for weight in weights))
        self.panels = model.embedding.weight.new_empty(_needed(code.weights(shape, of, None)))
        _needed(code.weights(shape, of, self.panels.data_ptr()))

    def __call__(self, cache: KVCache) -> NativeStep:
        """The step that goes on from what a cache holds."""
        return NativeStep(self, cache)


class NativeStep:
    """A step for one model and one cache, all in fp32: from the newest tokens of each text to the scores (B, V)."""

    def __init__(self, steps: NativeSteps, cache: KVCache) -> None:
        model, texts, room = steps.model, len(cache), cache.keys.size(-2)
        self._step, self._cache, self._steps = steps.code.step, cache, steps
        self._cores = device.cores()
        """As scratch is made for: more that are there later do nothing."""
        self._most = max(1, min(room, AT_ONCE * self._cores // texts))
        """So many tokens of each text are read together."""
        self._known: tuple[int, int] | None = None
        """Which state of the cache is in scratch too."""
        self._tokens = (ctypes.c_int64 * (texts * self._most))()
        self._scores = cache.keys.new_empty(texts, model.vocab_size)
        self._shape = _shape(model, texts, room, 1)
        self._scratch = cache.keys.new_zeros(self._scratch_size())
        self._tensors = model.cos, model.sin, cache.keys, cache.values
        self._given = _Given(
            steps.panels.data_ptr(), model.embedding.weight.data_ptr(), ctypes.addressof(self._tokens),
            *(tensor.data_ptr() for tensor in self._tensors), scores=self._scores.data_ptr(),
        )  # fmt: skip
        self._arguments = ctypes.byref(self._shape), ctypes.byref(self._given), self._scratch.data_ptr()

    def _scratch_size(self) -> int:
        """Floats for any number of tokens and threads that there may be: each thread's rows are padded."""
        self._shape.T, sizes = self._most, []
        for threads in range(1, self._cores + 1):
            self._shape.threads = threads
            sizes.append(_needed(self._step(ctypes.byref(self._shape), None, None)))
        return max(sizes)

    def __call__(self, tokens: list[int]) -> Tensor:
        """Scores (B, V) behind one more token of each text, which the cache takes in; IndexError without room."""
        self._go_on(tokens, 1, PART)
        return self._scores

    def read(self, ids: list[list[int]]) -> Tensor:
        """Scores (B, V) behind some tokens of each text (B, T), which the cache takes in; IndexError without room."""
        for first in range(0, len(ids[0]), self._most):
            tokens = [text[first : first + self._most] for text in ids]
            flat = [token for text in tokens for token in text]
            self._go_on(flat, len(tokens[0]), AT_ONCE // 2)
        return self._scores

    def _go_on(self, tokens: list[int], of_each: int, part: int) -> None:
        given, shape, cache = self._given, self._shape, self._cache
        if cache.length + of_each > shape.room or min(tokens) < 0 or max(tokens) >= shape.V:
            raise IndexError(f"{of_each} more tokens behind {cache.length} of {shape.room}, up to id {max(tokens)}")
        shape.T, shape.threads = of_each, min(self._cores, _threads(len(tokens), part))
        known = self._known == (cache.extensions, cache.length)
        given.place, given.held = cache.length, cache.length if known else 0
        for i, token in enumerate(tokens):
            self._tokens[i] = token
        _needed(self._step(*self._arguments))
        cache.length += of_each
        self._known = cache.extensions, cache.length


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
    library = compiler.library(home, SOURCE)
    with suppress(OSError):  # not there yet, or damaged
        return Code(compiler.opened(library))
    with suppress(OSError, RuntimeError):
        if may_make:
            compiler.Making(library, SOURCE).finish(_check)
            return Code(compiler.opened(library))
    return None


@torch.inference_mode()
def _check(library: ctypes.CDLL) -> None:
    """RuntimeError where it computes something else than the model itself."""
    config = ModelConfig(n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=8, qk_norm=True)
    model = Transformer(config, 9, torch.Generator().manual_seed(0)).eval()
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    cache = KVCache(config, len(ids), config.block_size, model.embedding.weight)
    model.next_logits(ids[:, :2], cache)
    code, expected = Code(library), model.logits(ids)[:, -1]
    scores = NativeStep(NativeSteps(code, model), cache)(ids[:, 2].tolist())
    probabilities, highest = code.softmax(expected, 0.5)
    found = scores, probabilities, torch.tensor(highest)
    right = expected, (expected / 0.5).softmax(-1), expected.amax(-1)
    places = code.draw(torch.tensor([[0.1, 0.4, 0.5], [0.0, 0.3, 0.7]]), [0.45, 0.0])
    close = all(torch.allclose(*each, rtol=_CLOSE, atol=_CLOSE) for each in zip(found, right, strict=True))
    if not close or places != [1, 1]:
        raise RuntimeError("the compiled step computes something else")
