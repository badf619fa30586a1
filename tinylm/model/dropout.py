"""Dropout whose masks are a pure function of (seed, step, sublayer, element): the same on every device and backend.

Each element's index is hashed, instead of drawn from torch's generator. On a CPU that costs less, compiled and eager
passes drop the same elements, a resumed run needs no generator state, and a step may be cut into passes anywhere.
"""

import math

import torch
from torch import Tensor

from tinylm.hardware.device import copy_async

Key = Tensor
"""What a pass's masks depend on, int32 (2,): a hash of seed and step, and the index of its first window in the step."""

_SUBLAYER_STRIDE = 0x632BE5AB
"""An odd number; times the sublayer's index, it makes the masks of sublayers independent."""


def key(seed_and_step: int, first_window: int, device: torch.device) -> Key:
    """The key of a pass that begins with the step's window `first_window`.

    `seed_and_step` is a hash of both; only its low 32 bits are used.
    """
    return copy_async(torch.tensor([_to_int32(seed_and_step), first_window], dtype=torch.int32), device)


class Masks:
    """The masks of a forward pass, for all of its sublayers."""

    def __init__(self, key: Key, shape: tuple[int, int, int], rate: float, sublayers: int) -> None:
        """`shape` is that of each sublayer's output, (B, T, C)."""
        n_windows, *window = shape
        first_element = key[1] * math.prod(window)
        self._rate = rate
        self._index = torch.arange(n_windows * math.prod(window), dtype=torch.int32, device=key.device).view(shape)
        self._index += first_element  # (B, T, C): the element's index within the step
        numbers = torch.arange(sublayers, dtype=torch.int32, device=key.device)
        self._sublayers = _hash(key[0] + numbers * _to_int32(_SUBLAYER_STRIDE))  # (sublayers,)

    def drop(self, x: Tensor, sublayer: int) -> Tensor:
        """x (B, T, C) with about `rate` of its elements 0 and the others times 1 / (1 - rate) (Srivastava et al. 2014).

        `sublayer` is the index of the sublayer whose output x is: 2 layer for attention, 2 layer + 1 for feed-forward.
        """
        kept = _hash(self._index + self._sublayers[sublayer]) >= threshold(self._rate)
        return x * (kept * (1 / (1 - self._rate))).to(x.dtype)


def threshold(rate: float) -> int:
    """The int32 below which an element's hash means that it is dropped."""
    return _to_int32(round(rate * 2**32) + 2**31)


def _hash(x: Tensor) -> Tensor:
    """A bijection of int32 that looks random: `lowbias32` (Wellons 2018, github.com/skeeto/hash-prospector)."""
    x = x ^ (x >> 16 & 0xFFFF)
    x = x * _to_int32(0x7FEB352D)
    x = x ^ (x >> 15 & 0x1FFFF)
    x = x * _to_int32(0x846CA68B)
    return x ^ (x >> 16 & 0xFFFF)


def _to_int32(number: int) -> int:
    """The int32 with the low 32 bits of `number`."""
    return (number + 2**31) % 2**32 - 2**31
