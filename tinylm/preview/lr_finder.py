"""The learning-rate finder: a few steps at a rising learning rate, and where the loss falls fastest.

The range test of Smith 2015 (arXiv 1506.01186), on copies: the run's initial model, first batches, optimizer, gradient
clipping and precision. Only the prepared text stays in the cache.
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
from tinylm.events import LrFound, LrTried
from tinylm.planning.lr_range import STEPS, diverged, suggestion, sweep_rates
from tinylm.preview import scratch
from tinylm.training.weight_decay import weight_decays

STEP_TOKENS = 2048
"""Most tokens of a step on a CPU, where a sweep of large batches would take minutes.

A full batch gives the same curve with less noise; a GPU uses it.
"""

LIMIT = 60.0
"""Seconds after which a sweep ends."""

SMOOTHING = 0.8
"""Weight of the past in the running mean of the loss: it remembers about five steps, a factor of two in the rate."""


def find(
    config: RunConfig, home: Path, cancelled: Callable[[], bool] = lambda: False, limit: float = LIMIT
) -> Iterator[LrTried | LrFound]:
    """Sweep the learning rate for the run that `config` describes: an LrTried for each step, then an LrFound.

    Uses the first phase's texts and new weights. The sweep ends at the highest rate, where the loss diverges, or
    `limit` seconds after its first step began; the same seed and threads give the same sweep. Raises Cancelled at the
    first step after `cancelled()` is true, and TinyLMError where the run would not start either.
    """
    config, check = resolve.absolute_sources(config), scratch.checker(cancelled)
    with scratch.isolated(config, home, check) as (device, folder):
        config, corpus, (batches, *others) = scratch.texts(config, folder, device, home)
        weight_decay, *_ = weight_decays(config, [batches, *others])
        stepper = scratch.stepper(config, home, device, corpus)
        sequences = sequences_per_step(config, device)
        rates: list[float] = []
        losses: list[float] = []
        diverged_at: float | None = None
        mean = 0.0
        until = time.perf_counter() + limit
        for step, rate in zip(count(1), sweep_rates(), strict=False):
            check()
            ids, targets = batches.draw(step - 1)  # (batch_size * accumulation_steps, T)
            loss, grad_norm, *_ = stepper.take(step, rate, weight_decay, ids[:sequences], targets[:sequences]).tolist()
            # In fp16 a gradient that is not finite is usual: the loss scale is still being adjusted.
            if not math.isfinite(loss if stepper.precision == "fp16" else loss + grad_norm):
                diverged_at = rate
                break
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
            rates.append(rate)
            losses.append(round(mean / (1 - SMOOTHING**step), 4))  # bias correction: the mean began at 0
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


def sequences_per_step(config: RunConfig, device: torch.device) -> int:
    """How many sequences of a step the sweep uses: all, or on a CPU as many as STEP_TOKENS allow, at least one."""
    whole = config.train.sequences_per_step
    return whole if device.type != "cpu" else min(whole, max(1, STEP_TOKENS // config.model.block_size))
