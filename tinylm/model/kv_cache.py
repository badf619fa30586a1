"""The key/value cache of attention, for generation."""

from __future__ import annotations

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig


class KVCache:
    """Keys and values of the tokens so far, (n_layer, B, K, capacity, D) each, so that each is computed once."""

    def __init__(self, config: ModelConfig, batch_size: int, capacity: int, like: Tensor) -> None:
        """An empty cache for `capacity` tokens, with the device and dtype of `like`."""
        shape = (config.n_layer, batch_size, config.n_kv_head, capacity, config.head_size)
        self.keys, self.values = like.new_zeros(shape), like.new_zeros(shape)
        self.length = 0
        """Tokens that the cache holds of each sequence."""
        self.version = 0
        """Counts the calls of `extend`, for whoever keeps a copy of the cache in another layout."""

    def __len__(self) -> int:
        """The number of sequences."""
        return self.keys.size(1)

    def positions(self, count: int) -> slice | Tensor:
        """The positions of the next `count` tokens, as an index."""
        return slice(self.length, self.length + count)

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Add a layer's k and v (B, K, T, D) of T new tokens; returns all its keys, all its values and a mask.

        The mask (T, length + T) is True where a new token attends to a position. None stands for a causal mask, which
        for a single token is all of them. `length` is for the caller to advance, after the last layer.
        """
        length, new = self.length, k.size(2)
        self.version += 1
        self.keys[layer, :, :, length : length + new] = k
        self.values[layer, :, :, length : length + new] = v
        if not length:
            return k, v, None
        mask = torch.ones(new, length + new, dtype=torch.bool, device=k.device).tril(length) if new > 1 else None
        return self.keys[layer, :, :, : length + new], self.values[layer, :, :, : length + new], mask

    def select(self, rows: list[int]) -> None:
        """Keep only these sequences, in this order; one may be repeated: [0, 0] makes two of the first."""
        index = torch.tensor(rows, device=self.keys.device)
        self.keys, self.values = self.keys.index_select(1, index), self.values.index_select(1, index)
