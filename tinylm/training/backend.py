"""How passes are computed otherwise than by torch's operations one by one, whether that is worth it, and when.

On a CPU by code of our own (`passes.py`), on a GPU by torch.compile. A compiler takes seconds, and nobody should wait
for that: it runs beside the first steps, and the run goes over when it is done (`switch.py`). What is computed is the
same within rounding; from which step on is in the run's state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from tinylm.config.schema import TrainConfig
from tinylm.hardware import autotune, device
from tinylm.hardware.device import Precision
from tinylm.model.transformer import Transformer
from tinylm.planning import time_budget

BESIDE_SECONDS = 10.0
"""A run pays for compiling where it has at least so long to go."""

FAILED = ".failed"
"""What a library's name ends with where making it failed: a file that says why."""

GAIN = {"fp32": 2.2, "bf16": 2.0}
"""What our own code makes of an eager pass's speed (4 layers of 128, 2 threads of an EPYC with AVX512-BF16)."""

LOST, LOST_EAGER = 6.0, 4.0
"""Seconds of a run that go by before it goes at its speed, where its passes are compiled beside it and where they are
not: what the first steps are slower, the measuring, and setting up."""

When = Literal["never", "before", "beside"]


def when(train: TrainConfig, begun: bool, went_over: bool, seconds_left: float, library: Path) -> When:
    """When to compile: before the first step, beside the first ones, or never.

    `begun` and `went_over`: the run is resumed, and was compiled when its checkpoint was made.
    """
    if train.compile == "off":
        return "never"
    if went_over or (train.compile == "on" and not begun):
        return "before"
    if train.compile == "on":  # auto, when the run began
        return "beside"
    if library.with_suffix(FAILED).exists():
        return "never"
    if library.exists():  # which takes no time
        return "before"
    return "beside" if seconds_left >= BESIDE_SECONDS else "never"


def gain(train: TrainConfig, place: torch.device, precision: Precision, native: bool) -> tuple[float, float]:
    """What is planned with before it is known: how much faster than those that were timed a run's passes are about to
    be, and the seconds lost until then. `native`: those were our own code's already."""
    seconds = time_budget.seconds_of(train)
    short = seconds is not None and seconds < BESIDE_SECONDS
    compiled = place.type == "cpu" and precision in GAIN and autotune.compiler() is not None
    to_come = compiled and train.compile != "off" and not short and not native
    return (GAIN[precision], LOST) if to_come else (1.0, LOST_EAGER)


def eager_pass(
    model: Callable[..., Tensor], weights: Sequence[Tensor], precision: Precision, scale: Tensor | float, *given: Any
) -> tuple[Tensor, list[Tensor]]:
    """The mean loss of a pass, and the gradients of `scale` times it for all weights; `given` as for a model."""
    with device.autocast(precision, weights[0].device):
        loss = model(*given)
    return loss.detach(), list(torch.autograd.grad(loss * scale, weights))


def for_gpu(model: Transformer, precision: Precision) -> Callable[..., tuple[Tensor, list[Tensor]]]:
    """Passes by torch.compile in this process, called as a `NativePass` is; the first call compiles, and may fail."""
    fast: Callable[..., Tensor] = torch.compile(model, dynamic=False)
    weights = list(model.parameters())
    return lambda _, ids, targets, noise: eager_pass(fast, weights, precision, 1.0, ids, targets, noise)
