"""How passes are computed otherwise than by torch's operations one by one, whether that is worth it, and when.

On a CPU by code of our own (`passes.py`), on a GPU by torch.compile. A compiler takes seconds, and nobody should wait
for that: it runs beside the first steps, and the run goes over when it is done (`switch.py`). What is computed is the
same within rounding; from which step on is in the run's state.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig, RunConfig, TrainConfig
from tinylm.hardware import autotune, measured
from tinylm.hardware.device import Precision
from tinylm.hardware.measured import Passes
from tinylm.kernels import compiler, train_pass
from tinylm.model.gradients import eager_pass
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


def for_gpu(model: Transformer, precision: Precision) -> Callable[..., tuple[Tensor, list[Tensor]]]:
    """Passes by torch.compile in this process, called as a `NativePass` is; the first call compiles, and may fail."""
    fast: Callable[..., Tensor] = torch.compile(model, dynamic=False)
    weights = list(model.parameters())
    return lambda _, ids, targets, noise: eager_pass(fast, weights, precision, 1.0, ids, targets, noise)


SLOWER = 1.1
"""Our own passes are done without where they take longer by this factor."""


GOES = 3
"""How often each is timed, in turn; the fastest counts."""


def torch_won(home: Path, config: RunConfig, vocab_size: int, precision: Precision, threads: int) -> bool:
    """Whether it is remembered that torch's passes are faster, and nobody has asked for ours."""
    found = measured.recall(home, _name(home, config.model, vocab_size, precision, threads), Passes)
    return config.train.compile == "auto" and found is not None and found.by == "torch"


def torch_wins(
    home: Path,
    model: ModelConfig,
    vocab_size: int,
    precision: Precision,
    threads: int,
    seconds: Callable[[bool], float],
) -> bool:
    """The same, measured where it is not known. `seconds`: what a pass takes, by our own code or (False) by torch's."""
    name = _name(home, model, vocab_size, precision, threads)
    found = measured.recall(home, name, Passes)
    if found is None:
        taken = [(seconds(False), seconds(True)) for _ in range(GOES)]
        torchs, ours = (min(each) for each in zip(*taken, strict=True))
        found = Passes("us" if ours <= SLOWER * torchs else "torch")
        measured.remember(home, name, found)
    return found.by == "torch"


def _name(home: Path, *of: object) -> str:
    return measured.key("passes", compiler.library_path(home, train_pass.SOURCE).name, *of)
