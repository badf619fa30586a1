"""How much memory is free, and what to tell a person when it has run out."""

from __future__ import annotations

from pathlib import Path

import torch

from tinylm.errors import RunError

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
"""Where Linux says how much memory is free, and how much a container may use."""

OUT_OF_MEMORY = (
    "can't allocate memory",  # torch's allocator on a CPU
    "CUBLAS_STATUS_ALLOC_FAILED",  # a library that found no memory beside what torch's allocator holds
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",  # torch.AcceleratorError, from outside torch's allocator
    "MPS backend out of memory",
)
"""What a RuntimeError says if memory ran out; torch has an exception of its own only for its CUDA allocator."""


def free(device: torch.device) -> float | None:
    """Bytes that are free for a training on this device; None where the system does not say."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + cached)
    limits = [limit for limit in (_available(), _cgroup_free()) if limit is not None]
    return min(limits, default=None)


def _available() -> float | None:
    """Bytes that Linux can give without swapping; None elsewhere."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _cgroup_free() -> float | None:
    """Bytes left under a container's limit, beyond which Linux kills the process; None where there is no limit."""
    try:
        limit, used = (int((CGROUP / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
    except (OSError, ValueError):  # no container, or "max": no limit
        return None
    return float(max(0, limit - used))


def out_of_memory(error: BaseException, device: torch.device) -> RunError | None:
    """The sentence for a person if `error` means that memory ran out; None if it means something else."""
    ran_out = isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
    )
    if not ran_out:
        return None
    return RunError(
        f"The memory of the {'machine' if device.type == 'cpu' else device.type.upper() + ' device'} ran out.",
        "Close other programs, or use a smaller model: model.n_layer, model.n_embd, model.block_size.",
    )
