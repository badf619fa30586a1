"""What this machine computes with: device, precision and threads, decided once and said in words."""

import gc
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from tinylm.errors import DeviceError

Precision = Literal["fp32", "tf32", "bf16", "fp16"]

MEASURE_SECONDS = 3.0
"""How long measuring thread counts may take at most, about."""


def choose_device(wanted: str) -> torch.device:
    """The device called `wanted`, or the best one for `auto`; DeviceError where this machine does not have it."""
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if has[name])
    if not has[wanted]:
        raise DeviceError(
            f"This machine has no {wanted.upper()} device that torch {torch.__version__} can use.",
            "Leave --device out to take the best there is, or say --device cpu.",
        )
    return torch.device(wanted)


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision of matrix products: bf16 on GPUs that have it; fp32 elsewhere, unless measuring says otherwise."""
    if wanted in ("tf32", "fp16") and device.type == "cpu":
        raise DeviceError(f"Precision {wanted} needs a GPU.", "Use --set train.precision=fp32, or auto.")
    if wanted == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return wanted  # type: ignore[return-value]  # validated by TrainConfig


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which forward passes run. tf32 is a switch of the process, set here."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if precision in ("bf16", "fp16"):
        return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
    return nullcontext()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 by itself (AMX, AVX512-BF16, or ARM's), so that it may be the faster one."""
    asked = (torch.cpu._is_amx_tile_supported, torch.cpu._is_avx512_bf16_supported)
    if platform.machine() in ("x86_64", "AMD64"):
        return any(ask() for ask in asked)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def measure_threads(
    work: Callable[[], object], limit: float = MEASURE_SECONDS, counts: list[int] | None = None
) -> tuple[int, dict[int, float]]:
    """The thread count at which `work` runs fastest, and the seconds that it took at each count tried.

    torch's own default can be ten times slower than the best on a shared machine, so it is measured: 1, 2, 4 and so on
    up to all cores (or `counts`), each the best of up to three goes, within about `limit` seconds; more threads are not
    tried when fewer have used that up twice.
    """
    counts = counts or sorted({max(1, cores() >> halving) for halving in range(8)})
    torch.set_num_threads(counts[-1])
    work()  # fills caches and the allocator
    began = time.perf_counter()
    seconds: dict[int, float] = {}
    for count in counts:
        torch.set_num_threads(count)
        turn = time.perf_counter()
        for _ in range(3):
            start = time.perf_counter()
            work()
            seconds[count] = min(seconds.get(count, float("inf")), time.perf_counter() - start)
            if time.perf_counter() - turn > limit / len(counts):
                break
        if time.perf_counter() - began > 2 * limit:
            break
    best = min(seconds, key=lambda count: seconds[count])
    torch.set_num_threads(best)
    return best, seconds


def sent(tensor: torch.Tensor, place: torch.device) -> torch.Tensor:
    """A small tensor of the CPU's on another device; nobody waits until it is there.

    torch's plain `.to` waits for a CUDA device to have done all before it, unless the memory it copies from is pinned.
    """
    return tensor.pin_memory().to(place, non_blocking=True) if place.type == "cuda" else tensor.to(place)


def machine_name(device: torch.device) -> str:
    """The processor, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            found = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        name = found[0] if found else name
    return f"{name}, {cores()} cores"


def release_memory(device: torch.device) -> None:
    """Give back what is held for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def peak_memory_mb(device: torch.device) -> float:
    """The most memory that was in use: of the GPU where one trains, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
