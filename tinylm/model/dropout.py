"""Dropout whose masks are a pure function of (seed, step, place, element), the same on every device and in every pass.

torch draws a mask from one generator, element by element; on a CPU that takes longer than the norms around it, and a
compiled model draws others than an eager one. Here each element's number is hashed: a compiler puts that into the loop
that multiplies, nothing has to be kept for a resumed run, and a step that is cut into smaller passes drops the same.
"""

import torch
from torch import Tensor

from tinylm.hardware import device

Key = Tensor
"""What the masks of a pass hang on: int32 (2,), a hash of seed and step, and the number of its first window."""

_PLACE = 0x632BE5AB
"""An odd number, so that the sublayers' masks have nothing to do with each other."""


def key(seed_and_step: int, first_window: int, place: torch.device) -> Key:
    """The key of a pass that begins with the step's window `first_window`; of the first number, 32 bits count."""
    return device.copy_async(torch.tensor([_signed(seed_and_step), first_window], dtype=torch.int32), place)


def drop(x: Tensor, share: float, key: Key, place: int) -> Tensor:
    """x (B, T, C) with about `share` of its elements 0, and the others larger for it (Srivastava et al. 2014).

    `place` tells sublayers apart.
    """
    per_window = x[0].numel()
    number = torch.arange(x.numel(), dtype=torch.int32, device=x.device).view(x.shape) + key[1] * per_window
    kept = _hash(number + _hash(key[0] + _signed(place * _PLACE))) >= threshold(share)
    return x * (kept * (1 / (1 - share))).to(x.dtype)


def threshold(share: float) -> int:
    """What an element's hash, an int32, must not be below for the element to be kept."""
    return _signed(round(share * 2**32) + 2**31)


def _hash(number: Tensor) -> Tensor:
    """Each int32 to another that looks random: `lowbias32` (Wellons 2018, github.com/skeeto/hash-prospector)."""
    number = number ^ (number >> 16 & 0xFFFF)
    number = number * _signed(0x7FEB352D)
    number = number ^ (number >> 15 & 0x1FFFF)
    number = number * _signed(0x846CA68B)
    return number ^ (number >> 16 & 0xFFFF)


def _signed(number: int) -> int:
    """The int32 with the lowest 32 bits of `number`."""
    return (number + 2**31) % 2**32 - 2**31
