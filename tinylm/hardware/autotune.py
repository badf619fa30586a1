"""Chooses threads and precision for a run by timing small passes, in under three seconds.

torch's default thread count can be ten times slower than the best one on a shared machine, and bf16 is twice as fast
on some processors and slower on others, so both are measured. On a GPU only the precision is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tinylm.config.schema import RunConfig, TrainConfig
from tinylm.hardware import measured, memory
from tinylm.hardware.device import (
    MEASURE_SECONDS,
    Precision,
    choose_precision,
    cores,
    has_fast_bf16,
    machine_name,
    measure_threads,
    release_memory,
)
from tinylm.hardware.measured import FastestSetting
from tinylm.words import counted

BF16_GAIN, BF16_GAIN_BEFORE_KERNELS = 1.1, 0.65
"""Choose bf16 only where a pass is faster by this factor, since it rounds.

An eager pass spends time on conversions that the kernels do not make, so where eager passes are timed and kernels will
run, choose bf16 unless it is clearly slower (measurements: assets/results/notes.md).
"""

FEWER_THREADS_GAIN = 1.5
"""Where eager passes are timed and kernels will run, choose fewer threads only if they are faster by this factor.

Eager passes synchronize their threads at every operation, kernels three times a pass, so kernels gain more from
threads (measurements: assets/results/notes.md).
"""

SHORT_MEASURE_SECONDS = 0.4
"""Time limit for measuring eager passes where kernels will run: they say little about kernels."""

STALE_GAIN = 1.5
"""Trust the cached thread count unless one thread is now this much faster: other programs then hold the cores.

How long a pass takes says little, since the speed of a shared machine changes twofold.
"""

KEEP_GAIN = 1.25
"""Keep the setting that was chosen here before unless another is now faster by this factor: timings vary by less, and
the same command twice should train the same way."""

RECHECK_SECONDS = 0.6
"""Time limit for checking a cached thread count."""

GPU_REPEATS = 5
"""How often a pass is timed on a GPU; the first ones are cold."""

TimedPass = Callable[[Precision], object]
"""Runs a forward and backward pass in the given precision, with torch's current thread count."""


@dataclass(frozen=True)
class Setting:
    """Threads and precision of a run."""

    threads: int
    precision: Precision
    note: str | None
    """What was measured, for people; None where nothing was."""


def shape_name(config: RunConfig, vocab_size: int, *, kernels: bool) -> str:
    """The part of the cache key that describes the model, and whether kernels or eager passes will train it."""
    return f"{config.model} {vocab_size}{' kernels' if kernels else ''}"


def choose(
    train: TrainConfig, device: torch.device, timed_pass: TimedPass, home: Path, shape: str, *, before_kernels: bool
) -> Setting:
    """Choose threads and precision for a run, and set torch's threads.

    What the configuration fixes is not measured. `before_kernels`: `timed_pass` is eager, and kernels will run.
    DeviceError where the configuration asks for what the device cannot do.
    """
    precision, candidates = choose_precision(train.precision, device), _precisions(train, device)
    if device.type != "cpu" and len(candidates) > 1:
        return _choose_on_gpu(train, device, timed_pass, home, shape)
    if device.type != "cpu" or (isinstance(train.threads, int) and len(candidates) < 2):
        if isinstance(train.threads, int):
            torch.set_num_threads(train.threads)
        return Setting(torch.get_num_threads(), precision, None)
    key = cache_key(train, device, shape)
    cached = measured.load(home, key, FastestSetting)
    if cached and cached.precision not in candidates:
        cached = None
    is_guess = cached is not None and cached.by_eager_passes and not before_kernels
    if cached and not is_guess and _is_current(cached, train, timed_pass):
        torch.set_num_threads(cached.threads)
        note = f"{counted(cached.threads, 'thread')} in {cached.precision} were the fastest here before."
        return Setting(cached.threads, cached.precision, note)
    limit = SHORT_MEASURE_SECONDS if before_kernels else MEASURE_SECONDS
    seconds = measure(timed_pass, candidates, train.threads if isinstance(train.threads, int) else None, limit)
    before = (cached.precision, cached.threads) if cached else None
    best = fastest(seconds, before_kernels=before_kernels, before=before)
    torch.set_num_threads(best[1])
    measured.store(home, key, FastestSetting(best[1], best[0], by_eager_passes=before_kernels))
    return Setting(best[1], best[0], in_words(seconds, best))


def _choose_on_gpu(train: TrainConfig, device: torch.device, timed_pass: TimedPass, home: Path, shape: str) -> Setting:
    candidates, key, threads = _precisions(train, device), cache_key(train, device, shape), torch.get_num_threads()
    cached = measured.load(home, key, FastestSetting)
    if cached and cached.precision in candidates:
        return Setting(threads, cached.precision, f"{cached.precision} was the fastest here before.")
    seconds = {precision: _seconds_on_gpu(timed_pass, precision, device) for precision in candidates}
    if math.isinf(min(seconds.values())):
        raise MemoryError("a pass fits in no precision")
    best = min(seconds, key=lambda each: seconds[each] * (BF16_GAIN if each in ("bf16", "fp16") else 1.0))
    measured.store(home, key, FastestSetting(threads, best))
    listed = ", ".join(
        f"{precision}: {'too large' if math.isinf(taken) else f'{1000 * taken:,.1f} ms'}"
        for precision, taken in seconds.items()
    )
    return Setting(threads, best, f"Measured a small pass ({listed}); training in {best}.")


def _seconds_on_gpu(timed_pass: TimedPass, precision: Precision, device: torch.device) -> float:
    """Seconds of a pass, the best of GPU_REPEATS; infinite where it does not fit into memory."""
    try:
        return min(timed(timed_pass, precision) for _ in range(GPU_REPEATS))
    except RuntimeError as error:
        if memory.out_of_memory(error, device) is None:
            raise
    release_memory(device)  # outside the handler, whose traceback keeps the tensors of the pass alive
    return math.inf


def cached_precision(train: TrainConfig, device: torch.device, home: Path, shape: str) -> Precision:
    """The precision that a run of this shape took here before; else what is chosen without measuring."""
    cached = measured.load(home, cache_key(train, device, shape), FastestSetting)
    if cached and cached.precision in _precisions(train, device):
        return cached.precision
    return choose_precision(train.precision, device)


def _precisions(train: TrainConfig, device: torch.device) -> list[Precision]:
    """The precisions to choose from by measuring."""
    default = choose_precision(train.precision, device)
    if train.precision == "auto" and device.type == "cpu" and has_fast_bf16():
        return ["fp32", "bf16"]
    if train.precision == "auto" and device.type == "cuda":
        return ["tf32", "bf16"] if default == "bf16" else ["fp32", "fp16"]  # Turing and older multiply only fp16 fast
    return [default]


def cache_key(train: TrainConfig, device: torch.device, shape: str) -> str:
    """Key of the fastest setting: machine, torch version, model shape, and what the configuration leaves open."""
    machine = machine_name(device), str(torch.__version__)
    return measured.key(*machine, shape, train.threads, _precisions(train, device))


def measure(
    timed_pass: TimedPass, precisions: list[Precision], threads: int | None = None, limit: float = MEASURE_SECONDS
) -> dict[tuple[Precision, int], float]:
    """Seconds of a pass by precision and thread count (or for the given count alone), within about `limit` seconds."""
    seconds: dict[tuple[Precision, int], float] = {}
    for precision in precisions:
        counts = [threads] if threads else None
        _, by_threads = measure_threads(lambda p=precision: timed_pass(p), limit / len(precisions), counts)  # type: ignore[misc]
        seconds |= {(precision, count): taken for count, taken in by_threads.items()}
    return seconds


def fastest(
    seconds: dict[tuple[Precision, int], float],
    *,
    before_kernels: bool,
    before: tuple[Precision, int] | None = None,
) -> tuple[Precision, int]:
    """The precision and thread count to use, where `before` was chosen the last time.

    `before_kernels`: eager passes were timed, and kernels will run.
    """
    bf16_gain, fewer_gain = (BF16_GAIN_BEFORE_KERNELS, FEWER_THREADS_GAIN) if before_kernels else (BF16_GAIN, 1.0)
    most = max(count for _, count in seconds)

    def cost(setting: tuple[Precision, int]) -> float:
        precision, count = setting
        factor = (bf16_gain if precision == "bf16" else 1.0) * (fewer_gain if count < most else 1.0)
        return seconds[setting] * factor / (KEEP_GAIN if setting == before else 1.0)

    return min(seconds, key=cost)


def timed(timed_pass: TimedPass, precision: Precision) -> float:
    """Seconds of a pass, with torch's current thread count."""
    start = time.perf_counter()
    timed_pass(precision)
    return time.perf_counter() - start


def in_words(seconds: dict[tuple[Precision, int], float], best: tuple[Precision, int]) -> str:
    """What was measured, as a sentence."""
    listed = ", ".join(
        f"{counted(count, 'thread')} {precision}: {1000 * taken:,.0f} ms"
        for (precision, count), taken in seconds.items()
    )
    return f"Measured a small pass ({listed}); training with {counted(best[1], 'thread')} in {best[0]}."


def _is_current(cached: FastestSetting, train: TrainConfig, timed_pass: TimedPass) -> bool:
    """Whether a cached setting still holds.

    One thread of several is always measured again: it may have been the best because the machine was busy then.
    """
    count, available = cached.threads, cores()
    if count == train.threads or count == available == 1:
        return True  # there is no other count to choose
    if not 1 < count <= available:
        return False
    _, seconds = measure_threads(lambda: timed_pass(cached.precision), RECHECK_SECONDS, [1, count])
    return count in seconds and seconds[count] < STALE_GAIN * seconds[1]
