"""The backend: how forward and backward passes are computed on this machine.

`eager` is torch's operations one by one. `kernels` are our own C++ for CPUs (`kernels/train_pass.py`), compiled beside
the first steps of the first run on a machine. `compiled` is torch.compile on a GPU. All compute the same function
within rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig, RunConfig, TrainConfig
from tinylm.hardware import measured
from tinylm.hardware.device import Precision
from tinylm.hardware.measured import FastestBackend
from tinylm.kernels import compiler, train_pass
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.planning import time_budget

Kind = Literal["eager", "kernels", "compiled"]
CPUKind = Literal["eager", "kernels"]

WORTH_COMPILING_SECONDS = 10.0
"""Compile the kernels only for a run that has at least this long to go."""

FAILED = ".failed"
"""Suffix of the file beside a library that says why it could not be compiled."""

KERNEL_SPEEDUP = {"fp32": 2.2, "bf16": 2.0}
"""Speed of the kernels over eager passes, for planning (measurements: assets/results/notes.md)."""

SETUP_SECONDS, SETUP_SECONDS_COMPILING = 4.0, 6.0
"""Seconds of a run before it reaches its speed, without and with kernels to compile: set-up, measuring, and slower
first steps."""

MAX_SLOWDOWN = 1.1
"""Use eager passes where the kernels take longer by this factor."""

REPEATS = 3
"""How often each backend is timed, in turn; the fastest time counts."""


@dataclass(frozen=True)
class Backend:
    """How a run's passes are computed, as chosen by `calibrate`."""

    kind: Kind
    threads: int
    precision: Precision
    token_seconds: float
    """Seconds a token of a forward and backward pass; an estimate from one small pass."""
    notes: tuple[str, ...] = ()
    """What was measured, for people."""


When = Literal["never", "before", "concurrent"]


def when_to_compile(train: TrainConfig, decided: str, *, switched: bool, seconds_left: float, library: Path) -> When:
    """When to compile the kernels: before the first step, concurrently with the first steps, or never.

    `decided` is the backend in the run's state, empty before the first decision; `switched`: the run used the kernels
    already when its checkpoint was made. `train.compile` is what the person asked for.
    """
    if decided == "eager" or train.compile == "off":
        return "never"
    if switched:
        return "before"
    if decided == "kernels":
        return "concurrent"
    if train.compile == "on":
        return "before"
    if library.with_suffix(FAILED).exists():
        return "never"
    if library.exists():  # loading takes no time
        return "before"
    return "concurrent" if seconds_left >= WORTH_COMPILING_SECONDS else "never"


def expected_speedup(train: TrainConfig, device: torch.device, backend: Backend) -> tuple[float, float]:
    """Expected speed-up of the run's passes over the pass just timed, and the seconds until the run has it."""
    seconds = time_budget.seconds_of(train)
    short = seconds is not None and seconds < WORTH_COMPILING_SECONDS
    possible = device.type == "cpu" and backend.precision in KERNEL_SPEEDUP and compiler.find() is not None
    if backend.kind == "eager" and possible and train.compile != "off" and not short:
        return KERNEL_SPEEDUP[backend.precision], SETUP_SECONDS_COMPILING
    return 1.0, SETUP_SECONDS


def captures_steps(config: RunConfig, device: torch.device) -> bool:
    """Whether a run's steps are captured as CUDA graphs. Attention dropout uses torch's generator, which cannot be."""
    return device.type == "cuda" and config.train.compile != "off" and not config.model.attention_dropout


def torch_compile(model: Transformer, precision: Precision) -> Callable[..., tuple[Tensor, list[Tensor]]]:
    """Passes by torch.compile, called as a `NativePass` is; the first call compiles, and may fail."""
    compiled: Callable[..., Tensor] = torch.compile(model, dynamic=False)
    weights = list(model.parameters())
    return lambda _, ids, targets, noise: eager_pass(compiled, weights, precision, 1.0, ids, targets, noise)


def speed_key(home: Path, model: ModelConfig, vocab_size: int, precision: Precision, threads: int) -> str:
    """The cache key of which backend is faster: with this model shape, precision, thread count and library."""
    library = compiler.library_path(home, train_pass.SOURCE).name
    return measured.key("backend", library, model, vocab_size, precision, threads)


def known_fastest(home: Path, key: str) -> CPUKind | None:
    """The backend that was measured to be faster before; None where none was measured."""
    entry = measured.load(home, key, FastestBackend)
    return entry.kind if entry else None


def fastest(home: Path, key: str, seconds: Callable[[CPUKind], float]) -> CPUKind:
    """The faster backend, measured once for each `speed_key`; `seconds` times one pass.

    torch's products may use what the kernels do not, such as AMX or Apple's matrix unit.
    """
    known = known_fastest(home, key)
    if known is not None:
        return known
    times = [(seconds("eager"), seconds("kernels")) for _ in range(REPEATS)]
    eager, kernels = (min(each) for each in zip(*times, strict=True))
    entry = FastestBackend("kernels" if kernels <= MAX_SLOWDOWN * eager else "eager")
    measured.store(home, key, entry)
    return entry.kind
