"""The key/value cache of attention, for generation."""

from __future__ import annotations

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig


class KVCache:
    """Keys and values of the tokens so far, so that each is computed once: (n_layer, B, K, room, D) each."""

    def __init__(self, config: ModelConfig, batch_size: int, room: int, like: Tensor) -> None:
        """Room for `room` tokens, on the device and in the type of `like`."""
        shape = (config.n_layer, batch_size, config.n_kv_head, room, config.head_size)
        self.keys, self.values = like.new_zeros(shape), like.new_zeros(shape)
        self.length = 0
        self.extensions = 0
        """How often `extend` was called: what is held besides the cache may be out of date."""

    def __len__(self) -> int:
        """How many windows it holds."""
        return self.keys.size(1)

    def places(self, count: int) -> slice | Tensor:
        """Where the next `count` tokens go."""
        return slice(self.length, self.length + count)

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Put k and v (B, K, T, D) behind what is there; returns all of the layer, and the mask that they need.

        The mask (T, all) says which of them each new token sees; None: all up to itself.
        """
        seen, new = self.length, k.size(2)
        self.extensions += 1
        self.keys[layer, :, :, seen : seen + new] = k
        self.values[layer, :, :, seen : seen + new] = v
        if not seen:
            return k, v, None
        mask = torch.ones(new, seen + new, dtype=torch.bool, device=k.device).tril(seen) if new > 1 else None
        return self.keys[layer, :, :, : seen + new], self.values[layer, :, :, : seen + new], mask

    def take(self, rows: list[int]) -> None:
        """Go on with these windows only, or with copies: [0, 0] makes two of the first."""
        index = torch.tensor(rows, device=self.keys.device)
        self.keys, self.values = self.keys.index_select(1, index), self.values.index_select(1, index)
