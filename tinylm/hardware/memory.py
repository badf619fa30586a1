"""How much memory is free, what a training takes at least, and what to do where that is too much, or was."""

from __future__ import annotations

from pathlib import Path

import torch

from tinylm.errors import RunError

_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def free(place: torch.device) -> float | None:
    """Bytes that are free for a training on this device; None where the system does not say."""
    if place.type == "cuda":
        ours = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
        return float(torch.cuda.mem_get_info(place)[0] + ours)
    known = [bytes_ for bytes_ in (_available(), _left_in_group()) if bytes_ is not None]
    return min(known, default=None)


def _available() -> float | None:
    """What Linux could give without swapping."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _left_in_group() -> float | None:
    """What a container's limit leaves: beyond it, Linux kills without a word."""
    try:
        most, used = (int((_GROUP / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
    except (OSError, ValueError):  # no container, or "max": no limit
        return None
    return float(max(0, most - used))


def out_of_memory(error: BaseException, place: torch.device) -> RunError | None:
    """What a person can do where `error` says that memory has run out; None where it says something else."""
    told = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    if not told:
        return None
    return RunError(
        f"The memory of the {'machine' if place.type == 'cpu' else place.type.upper() + ' device'} ran out.",
        "Halve train.batch_size and double train.accumulation_steps: the steps stay the same and need half of it.",
    )
