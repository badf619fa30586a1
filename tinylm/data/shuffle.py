"""Seeded hashes, and shuffles that are computed index by index instead of stored."""

from __future__ import annotations

from torch import Tensor

_UINT64_MAX = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """A 62-bit hash of the numbers' low 64 bits: SplitMix64's finaliser, folded over the numbers."""
    state = 0
    for number in numbers:
        state = (state + (number & _UINT64_MAX) + 0x9E3779B97F4A7C15) & _UINT64_MAX
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _UINT64_MAX
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _UINT64_MAX
        state ^= state >> 31
    return state >> 2


def permute(indices: Tensor, size: int, key: int) -> Tensor:
    """Where the shuffle of `range(size)` with this key puts each of `indices`, int64 (n,), without storing the shuffle.

    A Feistel network of six rounds over the next even power of two, repeated until the result is below `size` (Black
    and Rogaway 2002, "Ciphers with arbitrary finite domains"): a batch costs the same whatever the size of the text.
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    half_mask = (1 << half_bits) - 1
    round_keys = [mix(key, i) & 0xFFFFFFFF for i in range(6)]

    def encrypt(x: Tensor) -> Tensor:
        left, right = x >> half_bits, x & half_mask
        for round_key in round_keys:
            mixed = (right ^ round_key) * 0x9E3779B1 & 0xFFFFFFFF
            mixed = (mixed ^ (mixed >> 15)) * 0x2C1B3C6D & 0xFFFFFFFF
            left, right = right, left ^ ((mixed ^ (mixed >> 13)) & half_mask)
        return (left << half_bits) | right

    result = encrypt(indices)
    while bool((outside := result >= size).any()):
        result[outside] = encrypt(result[outside])
    return result
