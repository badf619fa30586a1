"""How good a model is: nats per token and bits per byte, on windows that are the same each time."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tinylm.model.transformer import IGNORED, Transformer


@dataclass(frozen=True)
class Score:
    """Nats over some text, with the tokens and the raw bytes that they are for."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float | None:
        """Nats per token; None without tokens."""
        return self.nats / self.tokens if self.tokens else None

    @property
    def bpb(self) -> float | None:
        """Bits per byte: all nats, the special tokens' too, over the raw bytes; None without bytes."""
        return self.nats / math.log(2) / self.bytes if self.bytes else None


Losses = Callable[[Tensor, Tensor], Tensor]
"""From inputs and targets, each (rows, T), to the nats of each target."""

UNMEASURED = Score(0.0, 0, 0)
"""What is known of a model that nobody measured."""


@torch.no_grad()
def score(
    model: Transformer,
    batches: Iterable[tuple[Tensor, Tensor]],
    token_bytes: np.ndarray,
    autocast: AbstractContextManager[object],
    losses: Losses | None = None,
) -> Score:
    """Score inputs and targets, each (rows, T); IGNORED targets do not count. The model is left in training mode.

    `losses`: another way to work out what `model.losses` does.
    """
    model.eval()
    losses = losses or model.losses
    nats, tokens, size = 0.0, 0, 0
    lengths = torch.from_numpy(token_bytes)
    with autocast:
        for ids, targets in batches:
            counted = targets != IGNORED
            nats += float(losses(ids, targets).sum(dtype=torch.float64))
            tokens += int(counted.sum())
            size += int(lengths[targets[counted].cpu()].sum())
    model.train()
    return Score(nats, tokens, size)
