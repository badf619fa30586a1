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

from tinylm import cpp, device, known, pace, settings, tuning
from tinylm.config import ModelConfig, RunConfig, TrainConfig
from tinylm.device import Precision
from tinylm.known import Passes
from tinylm.model import Transformer

BESIDE_SECONDS = 10.0
"""A run pays for compiling where it has at least so long to go."""

FAILED = ".failed"
"""What a library's name ends with where making it failed: a file that says why."""

GAIN = {"fp32": 2.2, "bf16": 2.0}
"""What our own code makes of an eager pass's speed (4 layers of 128, 2 threads of an EPYC with AVX512-BF16)."""

LOST, LOST_EAGER = 6.0, 4.0
"""Seconds of a run that go by before it goes at its speed, where its passes are compiled beside it and where they are
not: what the first steps are slower, the measuring, and setting up."""

SLOWER = 1.1
"""Our own passes are done without where they take longer than torch's by this factor: its products may use what ours do
not, as the AMX of some Xeons and Apple's. Measured once for each shape of model."""

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


def shape(config: ModelConfig, vocab_size: int) -> str:
    """The key under which it is remembered whose passes are faster with such a model on this machine."""
    machine = device.machine_name(torch.device("cpu")), str(torch.__version__)
    return known.key("passes", *machine, cpp.FLAGS, str(config), vocab_size)


def decided(config: RunConfig, vocab_size: int, home: Path) -> tuple[RunConfig, list[str]]:
    """The configuration without our own passes where torch's were faster here before, and a sentence that says so."""
    found = known.recall(home, shape(config.model, vocab_size), Passes) if config.train.compile == "auto" else None
    if found is None or found.by == "us":
        return config, []
    told = "torch's own operations were faster here than our passes before, so nothing is compiled."
    return settings.with_values(config, train={"compile": "off"}), [told]


def gain(train: TrainConfig, place: torch.device, precision: Precision, native: bool) -> tuple[float, float]:
    """What is planned with before it is known: how much faster than those that were timed a run's passes are about to
    be, and the seconds lost until then. `native`: those were our own code's already."""
    seconds = pace.seconds_of(train)
    short = seconds is not None and seconds < BESIDE_SECONDS
    compiled = place.type == "cpu" and precision in GAIN and tuning.compiler() is not None
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
