"""Threads and precision: measured before a run in under three seconds, and kept for the whole of it.

torch's own number of threads can be ten times slower than the best one on a shared machine, and bf16 is twice as fast
on some processors and slower on others: neither is guessed. On a GPU there is only the precision to measure.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tinylm.config.schema import RunConfig, TrainConfig
from tinylm.hardware import device, measured
from tinylm.hardware.device import Precision
from tinylm.hardware.measured import Known

WORTH, WORTH_COMPILED = 1.1, 0.65
"""bf16 is taken where a pass is faster by this factor: it rounds, so it has to bring something.

An eager pass spends its time on conversions that our own code does not make: with 4 layers of 128 on 2 cores that have
AVX512-BF16, bf16 made 0.85 to 1.6 times what fp32 made when eager, and 1.4 times when compiled. So where eager passes
are timed and compiled ones are about to run, it is taken in all doubt.
"""

SCALES = 1.5
"""Fewer threads are taken for passes that are about to be compiled where they are faster by this factor.

Eager ones meet at every operation, ours three times a pass: 4 layers of 128 took 103 ms on one thread and 69 to 103 on
two when eager, and 72 us a token and 37 when compiled. One of three runs took one thread, and read 2 million tokens
instead of 3.4.
"""

FIRST_LOOK = 0.4
"""Seconds that measuring passes which are about to be compiled may take, about: it tells little of those."""

SPOILT = 1.5
"""A number of threads that is remembered is believed until one thread is faster than they by this factor: then other
programs have taken the cores. How long a pass takes says little, since it changes twofold on a machine that is shared.
"""

BELIEVE_SECONDS = 0.6
"""What looking whether that is so may take, about."""

GPU_GOES = 5
"""How often a pass is timed on a GPU; the first ones are cold."""

Rehearse = Callable[[Precision], object]
"""A forward and backward pass in some precision."""


@dataclass(frozen=True)
class Choice:
    """What a run computes with."""

    threads: int
    precision: Precision
    note: str | None
    """What was measured, for people."""


def shape(config: RunConfig, vocab_size: int, native: bool) -> str:
    """The name under which what was measured with such a model is remembered; `native`: by passes of our own code."""
    return f"{config.model} {vocab_size}{' native' if native else ''}"


def choose(
    train: TrainConfig, place: torch.device, rehearse: Rehearse, home: Path, shape: str, to_compile: bool
) -> Choice:
    """Threads and precision for a run; torch's threads are set.

    What the settings say is not measured. `to_compile`: `rehearse` is eager, and compiled passes are about to run.
    DeviceError where the settings ask for what the device cannot do.
    """
    precision, open_precisions = device.choose_precision(train.precision, place), _open_precisions(train, place)
    if place.type != "cpu" and len(open_precisions) > 1:
        return _choose_on_gpu(train, place, rehearse, home, shape)
    if place.type != "cpu" or (isinstance(train.threads, int) and len(open_precisions) < 2):
        if isinstance(train.threads, int):
            torch.set_num_threads(train.threads)
        return Choice(torch.get_num_threads(), precision, None)
    name = _name(train, place, shape)
    remembered = measured.recall(home, name, Known)
    if remembered and remembered.precision in open_precisions and _still_true(remembered, train, rehearse):
        torch.set_num_threads(remembered.threads)
        told = f"{threads(remembered.threads)} in {remembered.precision} were the fastest here before."
        return Choice(remembered.threads, remembered.precision, told)
    limit = FIRST_LOOK if to_compile and compiler() else device.MEASURE_SECONDS
    seconds = measure(rehearse, open_precisions, train.threads if isinstance(train.threads, int) else None, limit)
    best = fastest(seconds, to_compile)
    torch.set_num_threads(best[1])
    measured.remember(home, name, Known(best[1], best[0]))
    return Choice(best[1], best[0], in_words(seconds, best))


def _choose_on_gpu(train: TrainConfig, place: torch.device, rehearse: Rehearse, home: Path, shape: str) -> Choice:
    precisions, name, count = _open_precisions(train, place), _name(train, place, shape), torch.get_num_threads()
    remembered = measured.recall(home, name, Known)
    if remembered and remembered.precision in precisions:
        return Choice(count, remembered.precision, f"{remembered.precision} was the fastest here before.")
    seconds = {precision: min(timed(rehearse, precision) for _ in range(GPU_GOES)) for precision in precisions}
    best = min(seconds, key=lambda which: seconds[which] * (WORTH if which == "bf16" else 1.0))
    measured.remember(home, name, Known(count, best))
    told = ", ".join(f"{precision}: {1000 * taken:,.1f} ms" for precision, taken in seconds.items())
    return Choice(count, best, f"Measured a small pass ({told}); training in {best}.")


def recalled_precision(train: TrainConfig, place: torch.device, home: Path, shape: str) -> Precision:
    """The precision that a run of this shape took here before, or by what is known without measuring."""
    remembered = measured.recall(home, _name(train, place, shape), Known)
    if remembered and remembered.precision in _open_precisions(train, place):
        return remembered.precision
    return device.choose_precision(train.precision, place)


def _open_precisions(train: TrainConfig, place: torch.device) -> list[Precision]:
    """Those among which measuring decides."""
    first = device.choose_precision(train.precision, place)
    if train.precision == "auto" and place.type == "cpu" and device.has_fast_bf16():
        return ["fp32", "bf16"]
    return ["tf32", "bf16"] if train.precision == "auto" and place.type == "cuda" and first == "bf16" else [first]


def _name(train: TrainConfig, place: torch.device, shape: str) -> str:
    machine = device.machine_name(place), str(torch.__version__)
    return measured.key(*machine, shape, train.threads, _open_precisions(train, place))


def threads(count: int) -> str:
    """`1 thread`, `2 threads`."""
    return f"{count} thread{'s' * (count > 1)}"


def measure(
    rehearse: Rehearse, precisions: list[Precision], count: int | None = None, limit: float = device.MEASURE_SECONDS
) -> dict[tuple[Precision, int], float]:
    """The seconds of a pass by precision and number of threads (or for the given number alone)."""
    seconds: dict[tuple[Precision, int], float] = {}
    for precision in precisions:
        counts = [count] if count else None
        _, by_threads = device.measure_threads(lambda p=precision: rehearse(p), limit / len(precisions), counts)  # type: ignore[misc]
        seconds |= {(precision, count): taken for count, taken in by_threads.items()}
    return seconds


def fastest(seconds: dict[tuple[Precision, int], float], to_compile: bool) -> tuple[Precision, int]:
    """The precision and the number of threads to take; `to_compile`: for passes that are compiled if they can be."""
    to_compile = to_compile and compiler() is not None
    worth, scales = (WORTH_COMPILED, SCALES) if to_compile else (WORTH, 1.0)
    most = max(count for _, count in seconds)

    def price(which: tuple[Precision, int]) -> float:
        precision, count = which
        return seconds[which] * (worth if precision == "bf16" else 1.0) * (scales if count < most else 1.0)

    return min(seconds, key=price)


def timed(rehearse: Rehearse, precision: Precision) -> float:
    """The seconds of a pass, with the threads that are set."""
    start = time.perf_counter()
    rehearse(precision)
    return time.perf_counter() - start


def compiler() -> str | None:
    """The name of a C++ compiler that is there."""
    return next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)


def in_words(seconds: dict[tuple[Precision, int], float], best: tuple[Precision, int]) -> str:
    """What was measured, as a sentence."""
    told = ", ".join(
        f"{threads(count)} {precision}: {1000 * taken:,.0f} ms" for (precision, count), taken in seconds.items()
    )
    return f"Measured a small pass ({told}); training with {threads(best[1])} in {best[0]}."


def _still_true(remembered: Known, train: TrainConfig, rehearse: Rehearse) -> bool:
    """Whether what is remembered is worth more than a new measurement.

    One thread of several is always measured again: it may have been the best because the machine had other work then.
    """
    count, cores = remembered.threads, device.cores()
    if count == train.threads or count == cores == 1:
        return True  # no other number is open
    if not 1 < count <= cores:
        return False
    _, seconds = device.measure_threads(lambda: rehearse(remembered.precision), BELIEVE_SECONDS, [1, count])
    return count in seconds and seconds[count] < SPOILT * seconds[1]
