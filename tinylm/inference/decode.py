"""Backends for one decoding step: from the newest token of each text to the logits of the next.

On a CPU the whole step is one call of our C++ code (`kernels/decode.cpp`). On CUDA, where launching a kernel costs
more than running it, the model's forward pass is captured as a CUDA graph and replayed. Otherwise (another device, no
C++ library, a failed capture) the model runs eagerly.

Shapes: B texts, K n_kv_head, D head_size, V vocabulary.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from tinylm.hardware.capture import capture, warm_up
from tinylm.kernels.decode import DecodeLibrary, NativeSteps
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer

Step = Callable[[list[int]], Tensor]
"""From the newest token of each of B texts to next-token logits (B, V), fp32; a later call may overwrite them."""


def step_factory(
    model: Transformer, library: DecodeLibrary | None = None, device_type: str | None = None
) -> Callable[[KVCache], Step]:
    """A function that takes a cache and returns the fastest decoding step that continues from it.

    Each step adds its tokens to the cache; after `KVCache.select` a new step is needed. Call the function and its steps
    under `torch.inference_mode`, and discard them when the weights change. Steps of `NativeSteps` can also prefill.
    `device_type` defaults to that of the model's device.
    """
    device_type = device_type or model.embedding.weight.device.type
    if device_type == "cpu" and library is not None:
        return NativeSteps(library, model)
    return partial(_captured_step if device_type == "cuda" else _eager_step, model)


def _eager_step(model: Transformer, cache: KVCache) -> Step:
    return lambda tokens: model.next_logits(torch.tensor(tokens, device=cache.keys.device)[:, None], cache)


def _captured_step(model: Transformer, cache: KVCache) -> Step:
    try:
        return CapturedStep(model, cache)
    except RuntimeError:  # the capture failed: the same logits up to rounding, more slowly
        return _eager_step(model, cache)


class CapturedStep:
    """The model's own step as a CUDA graph (torch.cuda.CUDAGraph): one launch per token.

    A graph replays fixed shapes and addresses. So attention reads the whole cache and masks what is not filled yet, and
    the position is a tensor on the device.
    """

    def __init__(self, model: Transformer, cache: KVCache) -> None:
        """RuntimeError if the step cannot be captured."""
        self._model, self._cache, self._static_cache = model, cache, StaticCache(cache)
        self._ids = torch.zeros(len(cache), 1, dtype=torch.int64, device=cache.keys.device)  # (B, 1)
        self._static_cache.position.fill_(cache.length)  # the first token overwrites what the warm-up writes there
        for _ in range(3):  # libraries choose algorithms and allocate on first calls, which cannot be captured
            warm_up(self._next_logits)
        self._replay = capture("decode", self._next_logits)

    def _next_logits(self) -> Tensor:
        return self._model.next_logits(self._ids, self._static_cache)

    def __call__(self, tokens: list[int]) -> Tensor:
        """Next-token logits (B, V) after one more token of each text."""
        self._ids.copy_(torch.tensor(tokens)[:, None])
        self._static_cache.position.fill_(self._cache.length)
        self._cache.length += 1
        return self._replay()


class StaticCache(KVCache):
    """A view of a KV cache for one new token per text, with the same shapes and addresses at every position."""

    def __init__(self, cache: KVCache) -> None:
        self.keys, self.values, self.length = cache.keys, cache.values, 0
        self.position = torch.zeros(1, dtype=torch.int64, device=self.keys.device)
        self._all_positions = torch.arange(self.values.size(-2), device=self.keys.device)

    def positions(self, count: int) -> Tensor:
        """Position of the next token: `position`, whatever `length` is."""
        assert count == 1
        return self.position

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Store k and v (B, K, 1, D) at `position`; returns the layer's whole cache and its mask (1, all positions)."""
        self.keys[layer].index_copy_(-2, self.position, k)
        self.values[layer].index_copy_(-2, self.position, v)
        return self.keys[layer], self.values[layer], (self._all_positions <= self.position)[None]
