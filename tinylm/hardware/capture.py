"""Captures work as a CUDA graph: many kernels that are replayed by one launch.

All streams are kept for the life of the process. torch hands out streams from a pool of 32 in turn, so new ones would
sooner or later be those of an earlier graph, whose workspaces are freed with it (pytorch issues 175276, 193402).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from tinylm.hardware import memory

Purpose = Literal["step", "decode"]
"""Steps of a training and of generation are captured on different streams, since they may run at the same time."""

Replay = Callable[[], Tensor]

_failed: set[Purpose] = set()
"""Purposes whose capture failed in this process, and is not tried again. Where memory ran out it is."""


@cache
def _stream(_purpose: Purpose | Literal["warm-up"]) -> torch.cuda.Stream:
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def warm_up(work: Callable[[], Tensor]) -> Tensor:
    """Run `work` on a side stream, as PyTorch's notes on CUDA graphs ask for before a capture; returns its result."""
    current, side = torch.cuda.current_stream(), _stream("warm-up")
    side.wait_stream(current)
    with torch.cuda.stream(side):
        result = work()
    current.wait_stream(side)
    return result


def capture(purpose: Purpose, work: Callable[[], Tensor]) -> Replay:
    """Capture `work`, without running it; the replay returns the same tensor each time.

    RuntimeError if `work` contains what cannot be captured. The current stream and the allocator are then as before.
    """
    if purpose in _failed:
        raise RuntimeError("a capture failed before")
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    # `torch.cuda.graph` does the same, but leaves the thread on the capture stream if the capture fails.
    with torch.cuda.stream(_stream(purpose)):
        # thread_local: another thread, such as generation in the app, may allocate meanwhile.
        graph.capture_begin(pool, capture_error_mode="thread_local")
        try:
            output = _captured(graph, pool, work)
        except RuntimeError as error:
            if memory.out_of_memory(error, torch.device("cuda")) is None:
                _failed.add(purpose)
            raise

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay


def _captured(graph: torch.cuda.CUDAGraph, pool: tuple[int, int], work: Callable[[], Tensor]) -> Tensor:
    """Run `work` under a capture that has begun, and end it."""
    try:
        output = work()
    except BaseException:
        with suppress(RuntimeError):  # the error of `work` says why
            _end(graph, pool)
        raise
    _end(graph, pool)
    return output


def _end(graph: torch.cuda.CUDAGraph, pool: tuple[int, int]) -> None:
    try:
        graph.capture_end()
    except RuntimeError:
        _free(pool)
        raise


def _free(pool: tuple[int, int]) -> None:
    """Free the memory pool of a capture that could not be ended, which torch below 2.14 forgets to do.

    Up to 2.12 the allocator would even go on as if the capture were under way (pytorch issues 180395, 190348).
    """
    device = torch.cuda.current_device()
    for free in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        with suppress(RuntimeError, AttributeError):
            getattr(torch._C, free)(device, pool)
