"""Devices, precisions and thread counts of this machine: what there is, and which is the default."""

import gc
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from typing import Literal

import torch

from tinylm.errors import DeviceError
from tinylm.words import counted

Precision = Literal["fp32", "tf32", "bf16", "fp16"]

MEASURE_SECONDS = 3.0
"""Time limit for measuring thread counts."""


def choose_device(wanted: str) -> torch.device:
    """The device named `wanted`, or the best one for `auto`; DeviceError if this machine does not have it."""
    has = {"cpu": True, "cuda": _cuda_works(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if has[name])
    if not has[wanted]:
        raise DeviceError(
            f"This machine has no {wanted.upper()} device that torch {torch.__version__} can use.",
            "Leave --device out to take the best there is, or say --device cpu.",
        )
    return torch.device(wanted)


@cache
def _cuda_works() -> bool:
    """Whether there is a CUDA device and this torch has kernels for it, which it lacks for older cards."""
    if not torch.cuda.is_available():
        return False
    try:
        torch.ones(1, device="cuda").add_(1).item()
    except RuntimeError:
        return False
    # cuDNN's attention, Hopper's default, plans for hundreds of milliseconds, and NaN gradients were reported (pytorch
    # issue 196678). The others suffice.
    torch.backends.cuda.enable_cudnn_sdp(False)
    return True


def has_bf16(device: torch.device) -> bool:
    """Whether a GPU multiplies bf16 in hardware."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision of matrix products without measuring: for `auto`, bf16 on GPUs that have it and fp32 elsewhere."""
    if wanted in ("tf32", "fp16") and device.type == "cpu":
        raise DeviceError(f"Precision {wanted} needs a GPU.", "Use --set train.precision=fp32, or auto.")
    if wanted == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    return wanted  # type: ignore[return-value]  # validated by TrainConfig


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which forward passes run. tf32 is a global setting of torch, which this sets."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if precision in ("bf16", "fp16"):
        return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
    return nullcontext()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_fast_bf16() -> bool:
    """Whether this CPU has bf16 products in hardware (AMX, AVX512-BF16, or ARM's), so that bf16 may be faster."""
    checks = (torch.cpu._is_amx_tile_supported, torch.cpu._is_avx512_bf16_supported)
    if platform.machine() in ("x86_64", "AMD64"):
        return any(check() for check in checks)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def measure_threads(
    work: Callable[[], object], limit: float = MEASURE_SECONDS, counts: list[int] | None = None
) -> tuple[int, dict[int, float]]:
    """The thread count at which `work` runs fastest, and its seconds at each count tried.

    Tries 1, 2, 4 and so on up to all cores (or `counts`), each the best of up to three runs, within about `limit`
    seconds; stops before the next count once twice the limit is used up.
    """
    counts = counts or sorted({max(1, cores() >> halving) for halving in range(8)})
    torch.set_num_threads(counts[-1])
    work()  # fills caches and the allocator
    began = time.perf_counter()
    seconds: dict[int, float] = {}
    for count in counts:
        torch.set_num_threads(count)
        count_began = time.perf_counter()
        for _ in range(3):
            start = time.perf_counter()
            work()
            seconds[count] = min(seconds.get(count, float("inf")), time.perf_counter() - start)
            if time.perf_counter() - count_began > limit / len(counts):
                break
        if time.perf_counter() - began > 2 * limit:
            break
    best = min(seconds, key=lambda count: seconds[count])
    torch.set_num_threads(best)
    return best, seconds


def copy_async(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a small CPU tensor to a device without waiting for it.

    Without pinned memory, torch's `.to` waits until a CUDA device has finished all earlier work.
    """
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def machine_name(device: torch.device) -> str:
    """The processor's name, for people and for cache keys."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    return f"{name}, {counted(cores(), 'core')}"


def release_memory(device: torch.device) -> None:
    """Return cached memory of the allocator to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory in MB: of the GPU if the run is on one, else of this process; 0 on Windows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415  # which Windows does not have

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
