"""Seeded hashes and permutations of indices that need no table."""

from __future__ import annotations

from torch import Tensor


def mix(*numbers: int) -> int:
    """A 62-bit number that looks random, the same for the same numbers: SplitMix64's finaliser, folded over them."""
    state = 0
    for number in numbers:
        state = (state + (number & _M64) + 0x9E3779B97F4A7C15) & _M64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _M64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _M64
        state ^= state >> 31
    return state >> 2


_M64 = (1 << 64) - 1


def permute(places: Tensor, size: int, key: int) -> Tensor:
    """Where a shuffle of `range(size)` with this key puts each of `places` (int64), without making the shuffle.

    A Feistel network of six rounds over the next even power of two, walked until the result lies inside (Black and
    Rogaway 2002, "Ciphers with arbitrary finite domains"): one batch costs the same whatever the size of the text.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    low = (1 << half) - 1
    keys = [mix(key, turn) & 0xFFFFFFFF for turn in range(6)]

    def rounds(x: Tensor) -> Tensor:
        left, right = x >> half, x & low
        for turn_key in keys:
            mixed = (right ^ turn_key) * 0x9E3779B1 & 0xFFFFFFFF
            mixed = (mixed ^ (mixed >> 15)) * 0x2C1B3C6D & 0xFFFFFFFF
            left, right = right, left ^ ((mixed ^ (mixed >> 13)) & low)
        return (left << half) | right

    result = rounds(places)
    while bool((outside := result >= size).any()):
        result[outside] = rounds(result[outside])
    return result
