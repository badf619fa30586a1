"""The learning-rate finder: a few steps with a rate that rises all the while, and a look at where the loss is lowest.

The range test of Smith 2015 (arXiv 1506.01186), on copies: the model as the run's seed makes it, the run's own first
batches, optimizer, clip and precision, and nothing left behind but the prepared text in the cache.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import torch

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.events import LrFound, LrTried
from tinylm.planning.lr_range import STEPS, diverged, suggestion, swept
from tinylm.preview import scratch
from tinylm.preview.scratch import Cancelled
from tinylm.training import weight_decay as decay

STEP_TOKENS = 2048
"""Of a step's windows, on a CPU, so many are taken at most, or a sweep of large batches would take minutes.

All of a step's windows give the same valley with less noise; a GPU takes them.
"""

LIMIT = 60.0
"""Seconds after which a sweep ends where it is."""

SMOOTHING = 0.8
"""Share of the mean so far in the next one: it remembers about five steps, a factor of two in the rate."""


def find(
    config: RunConfig, home: Path, cancelled: Callable[[], bool] = lambda: False, limit: float = LIMIT
) -> Iterator[LrTried | LrFound]:
    """Sweep the learning rate for the run that `config` describes: an LrTried for each step, and an LrFound at the end.

    The sweep is about the first phase's texts and about new weights. It ends at the highest rate, where the loss
    diverges, or `limit` seconds after its first step began; the same seed and threads give the same sweep. Raises
    Cancelled at the first step after `cancelled()` is true, and TinyLMError where the run would not start either.
    """

    def check() -> None:
        if cancelled():
            raise Cancelled

    config = resolve.absolute_sources(config)
    with scratch.undisturbed(config, home) as place:
        check()
        folder = prepare.prepare(config, home)
        check()
        config, corpus, (batches, *others) = scratch.texts(config, folder, place, home)
        weight_decay, *_ = decay.weight_decays(config, [batches, *others])
        stepper = scratch.stepper(config, home, place, corpus)
        windows = windows_of_a_step(config, place)
        rates: list[float] = []
        losses: list[float] = []
        diverged_at: float | None = None
        mean = 0.0
        until = time.perf_counter() + limit
        for step, rate in zip(count(1), swept(), strict=False):
            check()
            ids, targets = batches.draw(step - 1)  # (batch * accumulation, T)
            loss, grad_norm, *_ = stepper.take(step, rate, weight_decay, ids[:windows], targets[:windows]).tolist()
            # In fp16 a gradient that is not finite is no news: the loss scale is still being felt for.
            if not math.isfinite(loss if stepper.precision == "fp16" else loss + grad_norm):
                diverged_at = rate
                break
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
            rates.append(rate)
            losses.append(round(mean / (1 - SMOOTHING**step), 4))  # a mean that began at 0, put right
            yield LrTried(step, rate, losses[-1])
            if diverged(losses):
                diverged_at = rate
                break
            if time.perf_counter() > until:
                break
    yield LrFound(
        step=0,
        rates=tuple(rates),
        losses=tuple(losses),
        suggestion=suggestion(rates, losses) if diverged_at or len(rates) == STEPS else None,
        diverged_at=diverged_at,
    )


def windows_of_a_step(config: RunConfig, place: torch.device) -> int:
    """How many of a step's windows are taken: all, or on a CPU as many as STEP_TOKENS allow, but one."""
    whole = config.train.sequences_per_step
    return whole if place.type != "cpu" else min(whole, max(1, STEP_TOKENS // config.model.block_size))
