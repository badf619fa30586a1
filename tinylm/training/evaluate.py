"""How good a model is: nats per token and bits per byte, on windows that are the same each time."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tinylm.data.batches import Batches, HeldOut, Stream
from tinylm.data.shuffle import mix
from tinylm.hardware import device
from tinylm.model.transformer import IGNORE_INDEX, Transformer
from tinylm.training.session import Session


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
    """Score inputs and targets, each (rows, T); IGNORE_INDEX targets do not count. The model is left in training mode.

    `losses`: another way to work out what `model.losses` does.
    """
    model.eval()
    losses = losses or model.losses
    nats, tokens, size = 0.0, 0, 0
    lengths = torch.from_numpy(token_bytes)
    with autocast:
        for ids, targets in batches:
            counted = targets != IGNORE_INDEX
            nats += float(losses(ids, targets).sum(dtype=torch.float64))
            tokens += int(counted.sum())
            size += int(lengths[targets[counted].cpu()].sum())
    model.train()
    return Score(nats, tokens, size)


_TRAIN_WINDOWS, _HELD_OUT_WINDOWS = 1001, 1002
"""What the seed is mixed with: each use of randomness has a stream of its own."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured along the way; where weights are averaged too, of those that are better on held-out text."""

    train: Score
    val: Score
    averaged: bool = False
    """These are the averaged ones."""
    other: Score | None = None
    """What the others have on held-out text."""


class Evaluator:
    """The windows, and the last score of the held-out ones, which the end of a run need not measure again."""

    def __init__(self, parts: Session) -> None:
        self._parts, train = parts, parts.config.train
        self._all = HeldOut.cut(parts.corpus.layout.held_out, parts.config.model.block_size)
        self._some = self._all.some(train.eval_iters * train.batch_size, mix(train.seed, _HELD_OUT_WINDOWS))
        self._known: tuple[int, dict[bool, Score]] | None = None
        """At which step, and the scores of the trained (False) and the averaged weights (True)."""
        self._window_seconds = 0.0

    @property
    def windows(self) -> tuple[int, int]:
        """How many held-out windows are measured along the way, for all weights there are, and at the end."""
        return len(self._models()) * len(self._some.starts), len(self._all.starts)

    @property
    def closing_seconds(self) -> float:
        """What the whole held-out text will take, by what windows took the last time."""
        return self._window_seconds * len(self._all.starts)

    def along_the_way(self, stream: Stream) -> Evaluation:
        """The scores of held-out text and of training text out of `stream`."""
        train, models = self._parts.config.train, self._models()
        clock = self._parts.clock
        start = clock.seconds()
        scores = {which: self._held_out(self._some, model) for which, model in models.items()}
        self._window_seconds = (clock.seconds() - start) / max(1, self.windows[0])
        self._known = self._parts.state.step, scores
        trained, averaged = scores[False].loss, scores[True].loss if True in scores else None
        better = trained is not None and averaged is not None and averaged < trained
        windows = Batches(stream, "every_offset", train.batch_size, mix(train.seed, _TRAIN_WINDOWS))
        on_train = self._score((windows.draw(i) for i in range(train.eval_iters)), models[better])
        if self._parts.device.type == "mps":  # which keeps what evaluating took, beside what steps take
            device.release_memory(self._parts.device)
        return Evaluation(on_train, scores[better], better, scores.get(not better))

    def at_the_end(self) -> Score:
        """The score of the whole held-out text, for the weights to use."""
        state = self._parts.state
        if len(self._some.starts) == len(self._all.starts) and self._known and self._known[0] == state.step:
            return self._known[1][state.averaged]
        return self._held_out(self._all, self._parts.model_to_use)

    def _models(self) -> dict[bool, Transformer]:
        """The model that trains (False), and the one with averaged weights (True) where there is one."""
        average = self._parts.stepper.average
        return {False: self._parts.model} | ({True: average.model} if average else {})

    def _held_out(self, windows: HeldOut, model: Transformer) -> Score:
        config = self._parts.config
        batches = windows.batches(self._parts.corpus, config.train.batch_size, config.model.block_size)
        return self._score(batches, model)

    def _score(self, batches: Iterator[tuple[Tensor, Tensor]], model: Transformer) -> Score:
        precision, native = device.autocast(self._parts.precision, self._parts.device), self._parts.stepper.native
        losses = partial(native.losses, [weight.detach() for weight in model.parameters()]) if native else None
        return score(model, batches, self._parts.corpus.tokenizer.token_bytes, precision, losses)
