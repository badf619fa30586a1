"""A decoding step in one call of C++ (`decode.cpp`); reference: `Transformer.next_logits` with a cache.

Where there is no C++ compiler, or the compiled library fails to load or its check, there is no `DecodeLibrary`, and
generation uses torch's operations (inference/decode.py).
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
from tinylm.kernels.ctypes_args import ModelShape, addresses, checked
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Block, Transformer

SOURCE = "decode.cpp"

MIN_PARAMETERS = 100_000
"""Smaller models generate fast enough without compiled code."""

TOKENS_PER_THREAD = 4
"""Tokens that a thread has at least in a step by one token: with fewer, it mostly waits for the weights to be read."""

PROMPT_TOKENS_PER_THREAD = 32
"""Tokens that a thread takes through the model together where prompts are read; a thread that would have fewer than
half of it is not used."""

MAX_PACKING_THREADS = 4
"""Threads that pack weights at most: they wait for memory."""

TOLERANCE = 1e-3
"""Difference from torch that `check` allows, relative and absolute."""

_executor = ThreadPoolExecutor(1, "native")


class _Args(ctypes.Structure):
    """`Args` of decode.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in "panels embedding tokens cosine sine keys values".split()),
        *((name, ctypes.c_int64) for name in ("length", "packed_length")),
        ("logits", ctypes.c_void_p),
    )


class DecodeLibrary:
    """The compiled functions."""

    def __init__(self, code: ctypes.CDLL) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        self.pack_weights, self.step = code.tinylm_pack_weights, code.tinylm_decode_step
        for function in (self.pack_weights, self.step):
            function.restype, function.argtypes = number, (pointer, pointer, pointer)
        self._softmax, self._sample = code.tinylm_softmax, code.tinylm_sample
        self._softmax.restype = self._sample.restype = number
        self._softmax.argtypes = (pointer, number, number, number, ctypes.c_float, pointer, pointer)
        self._sample.argtypes = (pointer, number, number, number, pointer, pointer)

    def softmax(self, logits: Tensor, temperature: float) -> tuple[Tensor, list[float]]:
        """softmax(logits / temperature), (B, V), and the largest logit of each row of `logits` (B, V).

        A row's largest logit is NaN if any of its logits is NaN or the largest is infinite.
        """
        logits = logits.contiguous()
        probabilities, max_logits = torch.empty_like(logits), (ctypes.c_float * len(logits))()
        threads = _threads(len(logits))
        address = probabilities.data_ptr()
        checked(self._softmax(logits.data_ptr(), *logits.shape, threads, temperature, address, max_logits))
        return probabilities, list(max_logits)

    def sample(self, probabilities: Tensor, uniform: list[float]) -> list[int]:
        """An index for each row of `probabilities` (B, n), by a draw in [0, 1) for each. Rows need not sum to 1."""
        probabilities, indices = probabilities.contiguous(), (ctypes.c_int64 * len(uniform))()
        draws, threads = (ctypes.c_double * len(uniform))(*uniform), _threads(len(uniform))
        checked(self._sample(probabilities.data_ptr(), *probabilities.shape, threads, draws, indices))
        return list(indices)


def _threads(tokens: int, tokens_per_thread: int = TOKENS_PER_THREAD) -> int:
    """How many threads share so many tokens."""
    return max(1, min(device.cores(), tokens // tokens_per_thread))


class NativeSteps:
    """A model's fp32 weights, packed for decoding as they are now; called with a cache, it gives the step for it."""

    def __init__(self, library: DecodeLibrary, model: Transformer) -> None:
        self.library, self.model = library, model
        threads = min(device.cores(), MAX_PACKING_THREADS)
        shape = ctypes.byref(ModelShape.of(model.config, model.vocab_size, threads))
        weights = addresses(_weights(model))
        size = checked(library.pack_weights(shape, weights, None))
        self.panels = model.embedding.weight.new_empty(size)
        checked(library.pack_weights(shape, weights, self.panels.data_ptr()))

    def __call__(self, cache: KVCache) -> NativeStep:
        """The step that continues from what a cache holds."""
        return NativeStep(self, cache)


class NativeStep:
    """A step for one model and one cache, in fp32: from the newest tokens of each sequence to the logits (B, V)."""

    def __init__(self, steps: NativeSteps, cache: KVCache) -> None:
        model, batch_size, capacity = steps.model, len(cache), cache.keys.size(-2)
        self._step, self._cache, self._steps = steps.library.step, cache, steps
        self._cores = device.cores()
        """Threads that scratch is sized for, whatever `device.cores` says later."""
        self._max_tokens = max(1, min(capacity, PROMPT_TOKENS_PER_THREAD * self._cores // batch_size))
        """Tokens of each sequence that one call reads at most."""
        self._packed: tuple[int, int] | None = None
        """The version and length of the cache that scratch holds in packed form."""
        self._tokens = (ctypes.c_int64 * (batch_size * self._max_tokens))()
        self._logits = cache.keys.new_empty(batch_size, model.vocab_size)
        self._shape = ModelShape.of(model.config, model.vocab_size, 1)
        self._shape.B, self._shape.capacity = batch_size, capacity
        self._scratch = cache.keys.new_zeros(self._scratch_size())
        self._tensors = model.cos, model.sin, cache.keys, cache.values
        self._args = _Args(
            steps.panels.data_ptr(), model.embedding.weight.data_ptr(), ctypes.addressof(self._tokens),
            *(tensor.data_ptr() for tensor in self._tensors), logits=self._logits.data_ptr(),
        )  # fmt: skip
        self._pointers = ctypes.byref(self._shape), ctypes.byref(self._args), self._scratch.data_ptr()

    def _scratch_size(self) -> int:
        """Floats for any number of tokens and threads: since each thread's rows are padded, all numbers are tried."""
        self._shape.T, sizes = self._max_tokens, []
        for threads in range(1, self._cores + 1):
            self._shape.threads = threads
            sizes.append(checked(self._step(ctypes.byref(self._shape), None, None)))
        return max(sizes)

    def __call__(self, tokens: list[int]) -> Tensor:
        """Add one token of each sequence (B,) to the cache and return the logits (B, V) after it.

        The next call overwrites them. IndexError if the cache is full, or for an id that is not in the vocabulary.
        """
        self._run(tokens, 1, TOKENS_PER_THREAD)
        return self._logits

    def prefill(self, ids: list[list[int]]) -> Tensor:
        """The same for several tokens of each sequence (B, T)."""
        for first in range(0, len(ids[0]), self._max_tokens):
            chunk = [sequence[first : first + self._max_tokens] for sequence in ids]
            tokens = [token for sequence in chunk for token in sequence]
            self._run(tokens, len(chunk[0]), PROMPT_TOKENS_PER_THREAD // 2)
        return self._logits

    def _run(self, tokens: list[int], count: int, tokens_per_thread: int) -> None:
        """A step by `count` tokens of each sequence, given one sequence after the other."""
        args, shape, cache = self._args, self._shape, self._cache
        if cache.length + count > shape.capacity or min(tokens) < 0 or max(tokens) >= shape.V:
            raise IndexError(f"{count} more tokens behind {cache.length} of {shape.capacity}, up to id {max(tokens)}")
        shape.T, shape.threads = count, min(self._cores, _threads(len(tokens), tokens_per_thread))
        is_packed = self._packed == (cache.version, cache.length)
        args.length, args.packed_length = cache.length, cache.length if is_packed else 0
        for i, token in enumerate(tokens):
            self._tokens[i] = token
        checked(self._step(*self._pointers))
        cache.length += count
        self._packed = cache.version, cache.length


def _weights(model: Transformer) -> list[Tensor]:
    """A model's matrices, each (out, in), in the order of `PackedWeights` in decode.cpp."""
    weights: list[Tensor] = []
    for block in model.blocks:
        assert isinstance(block, Block)
        attention, feed_forward = block.attention, block.feed_forward
        layers = (attention.qkv, attention.out, feed_forward.gate_up, feed_forward.down)
        weights += [layer.weight for layer in layers]
    return [*weights, model.embedding.weight if model.head is None else model.head.weight]


def load_in_background(home: Path, model: Transformer, *, may_build: bool = True) -> Future[DecodeLibrary | None]:
    """Load this home's compiled functions in a background thread; build them first if they are missing.

    They are not built for models under MIN_PARAMETERS, nor without `may_build`. The result is None where they are
    missing or unusable.
    """
    return _executor.submit(_load, home, may_build and model.n_parameters() >= MIN_PARAMETERS)


@cache
def _load(home: Path, may_build: bool) -> DecodeLibrary | None:
    with suppress(OSError, RuntimeError):
        if may_build:
            return DecodeLibrary(compiler.load_or_build(home, SOURCE, check))
        return DecodeLibrary(compiler.load(compiler.library_path(home, SOURCE)))
    return None


@torch.inference_mode()
def check(code: ctypes.CDLL) -> None:
    """Compare the code with the model itself and with torch; RuntimeError if they differ by more than TOLERANCE."""
    config = ModelConfig(n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=8, qk_norm=True)
    model = Transformer(config, 9, torch.Generator().manual_seed(0)).eval()
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    kv_cache = KVCache(config, len(ids), config.block_size, model.embedding.weight)
    model.next_logits(ids[:, :2], kv_cache)
    functions, expected_logits = DecodeLibrary(code), model.logits(ids)[:, -1]
    logits = NativeStep(NativeSteps(functions, model), kv_cache)(ids[:, 2].tolist())
    probabilities, max_logits = functions.softmax(expected_logits, 0.5)
    results = logits, probabilities, torch.tensor(max_logits)
    expected = expected_logits, (expected_logits / 0.5).softmax(-1), expected_logits.amax(-1)
    pairs = zip(results, expected, strict=True)
    close = all(torch.allclose(*pair, rtol=TOLERANCE, atol=TOLERANCE) for pair in pairs)
    indices = functions.sample(torch.tensor([[0.1, 0.4, 0.5], [0.0, 0.3, 0.7]]), [0.45, 0.0])
    if not close or indices != [1, 1]:
        raise RuntimeError("the compiled step computes something else")
