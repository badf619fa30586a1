"""Evaluation: nats per token and bits per byte, on the same sequences each time and on all held-out text at the end."""

from __future__ import annotations

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
    """Total nats over some text, with its tokens and raw bytes."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float | None:
        """Nats per token; None without tokens."""
        return self.nats / self.tokens if self.tokens else None

    @property
    def bpb(self) -> float | None:
        """Bits per byte: all nats, those of special tokens included, over the raw bytes; None without bytes."""
        return self.nats / math.log(2) / self.bytes if self.bytes else None


UNMEASURED = Score(0.0, 0, 0)
"""The score of a model that was not evaluated."""

Losses = Callable[[Tensor, Tensor], Tensor]
"""From ids and targets (B, T) to the nats of each target (B, T)."""


@torch.no_grad()
def score(
    model: Transformer,
    batches: Iterable[tuple[Tensor, Tensor]],
    token_bytes: np.ndarray,
    autocast: AbstractContextManager[object],
    losses: Losses | None = None,
) -> Score:
    """Score batches of ids and targets (B, T), without IGNORE_INDEX targets. Leaves the model in training mode.

    `token_bytes` (vocab_size,) are the raw bytes of each token. `losses` replaces `model.losses`, as kernels do.
    """
    model.eval()
    losses = losses or model.losses
    nats, tokens, size = 0.0, 0, 0
    lengths = torch.from_numpy(token_bytes)
    with autocast:
        for ids, targets in batches:
            counted = targets != IGNORE_INDEX
            nats += float(losses(ids, targets).cpu().sum(dtype=torch.float64))  # MPS has no float64
            tokens += int(counted.sum())
            size += int(lengths[targets[counted].cpu()].sum())
    model.train()
    return Score(nats, tokens, size)


_TRAIN_SEQUENCES, _HELD_OUT_SEQUENCES = 1001, 1002
"""Mixed into the seed, so that each choice of sequences has a random stream of its own."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation during a run; where the weights have an EMA, of those that are better on held-out text."""

    train: Score
    val: Score
    averaged: bool = False
    """Whether these are the scores of the EMA."""
    other: Score | None = None
    """The held-out score of the other weights."""


class Evaluator:
    """Evaluates a session's model during the run and at its end."""

    def __init__(self, session: Session) -> None:
        self.session, config = session, session.config
        self._all = HeldOut.cut(session.corpus.layout.held_out, config.model.block_size)
        size = config.train.eval_iters * config.train.batch_size
        self._sample = self._all.subset(size, mix(config.train.seed, _HELD_OUT_SEQUENCES))
        self._last: tuple[int, dict[bool, Score]] | None = None
        """Step of the last evaluation, and its held-out scores: of the trained weights (False) and the EMA (True)."""
        self._sequence_seconds = 0.0

    @property
    def sequences(self) -> tuple[int, int]:
        """How many held-out sequences are scored during the run, for all weights together, and at the end."""
        return len(self._models()) * len(self._sample.starts), len(self._all.starts)

    @property
    def final_evaluation_seconds(self) -> float:
        """Expected seconds of `evaluate_held_out`, from the last evaluation; 0 before the first."""
        return self._sequence_seconds * len(self._all.starts)

    def validate(self, stream: Stream) -> Evaluation:
        """Score a fixed sample of the held-out text, and of training text from `stream`."""
        train, models = self.session.config.train, self._models()
        clock = self.session.clock
        start = clock.seconds()
        scores = {averaged: self._held_out(self._sample, model) for averaged, model in models.items()}
        self._sequence_seconds = (clock.seconds() - start) / max(1, self.sequences[0])
        self._last = self.session.state.step, scores
        trained_loss, averaged_loss = scores[False].loss, scores[True].loss if True in scores else None
        better = trained_loss is not None and averaged_loss is not None and averaged_loss < trained_loss
        sequences = Batches(stream, "every_offset", train.batch_size, mix(train.seed, _TRAIN_SEQUENCES))
        train_score = self._score((sequences.draw(i) for i in range(train.eval_iters)), models[better])
        if self.session.device.type == "mps":  # its allocator keeps what evaluating took beside what steps take
            device.release_memory(self.session.device)
        return Evaluation(train_score, scores[better], better, scores.get(not better))

    def evaluate_held_out(self, model: Transformer) -> Score:
        """Score the whole held-out text with `model`: the session's better one, or that of another checkpoint."""
        state, is_current = self.session.state, model is self.session.better_model
        everything = len(self._sample.starts) == len(self._all.starts)
        if everything and is_current and self._last and self._last[0] == state.step:
            return self._last[1][state.averaged]
        return self._held_out(self._all, model)

    def _models(self) -> dict[bool, Transformer]:
        """The model in training (False), and its EMA (True) where there is one."""
        average = self.session.stepper.average
        return {False: self.session.model} | ({True: average.model} if average else {})

    def _held_out(self, held_out: HeldOut, model: Transformer) -> Score:
        config = self.session.config
        batches = held_out.batches(self.session.corpus, config.train.batch_size, config.model.block_size)
        return self._score(batches, model)

    def _score(self, batches: Iterator[tuple[Tensor, Tensor]], model: Transformer) -> Score:
        session, kernels = self.session, self.session.stepper.kernels
        losses = partial(kernels.losses, [weight.detach() for weight in model.parameters()]) if kernels else None
        autocast = device.autocast(session.precision, session.device)
        return score(model, batches, session.corpus.tokenizer.token_bytes, autocast, losses)
