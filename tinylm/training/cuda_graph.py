"""On a CUDA device, a whole optimizer step as one launch: recorded once as a graph, then replayed.

A small model's step is some hundred kernels of a few microseconds each, and Python takes longer to launch them than the
GPU to run them. What is recorded has the shapes and addresses of the recording, and the numbers that were Python's:
so what changes from step to step (windows, rate, dropout's keys) is written into tensors that the graph reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3
"""Steps that are taken as they are before one is recorded: libraries choose and allocate on their first calls, which
cannot be recorded (PyTorch's notes on CUDA semantics ask for as many, on a stream of their own)."""

AHEAD = 2
"""Steps that Python may be ahead of a GPU: enough that it never runs dry, and a stop is answered within them."""

Keys = Sequence[Tensor | None]
"""Each pass's key of dropout, or None."""

Whole = Callable[[Tensor, float, Tensor, Tensor, Keys], Tensor]
"""A step by learning rate, weight decay, ids, targets and keys: its four numbers (4,) (`step.py`)."""

Replay = Callable[[], Tensor]


def record(work: Callable[[], Tensor]) -> Replay:
    """`work` as a CUDA graph; RuntimeError where something in it cannot be recorded. Nothing is computed yet."""
    graph = torch.cuda.CUDAGraph()
    # thread_local: a screen's generation in another thread may allocate meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        found = work()

    def replay() -> Tensor:
        graph.replay()
        return found

    return replay


class GraphedStep:
    """A step that is recorded when it is first asked for, and again where its shape or its weight decay changes."""

    def __init__(self, whole: Whole, place: torch.device, record: Callable[[Callable[[], Tensor]], Replay] = record):
        self._whole, self._record = whole, record
        self._replay: Replay | None = None
        self._recorded_for: object = None
        self._rate = torch.zeros((), device=place)
        self._reads: list[Tensor] = []
        """What the graph reads: ids, targets, keys."""
        self._taken_aside = 0

    @property
    def is_warm(self) -> bool:
        """Whether so many steps were taken `aside` that one can be recorded."""
        return self._taken_aside >= WARM_UP

    def aside(self, work: Callable[[], Tensor]) -> Tensor:
        """Take a step as it is, on a stream of its own."""
        self._taken_aside += 1
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            found = work()
        here.wait_stream(aside)
        return found

    def forget(self) -> None:
        """Record anew at the next step: tensors that the graph reads or writes were replaced."""
        self._replay, self._recorded_for = None, None

    def take(self, lr: float, weight_decay: float, ids: Tensor, targets: Tensor, keys: Keys) -> Tensor:
        """The step's four numbers (4,), a tensor of its own.

        RuntimeError where it cannot be recorded; then it was not taken.
        """
        given = [ids, targets, *(key for key in keys if key is not None)]
        if self._replay is None or self._recorded_for != (weight_decay, ids.shape):
            self.forget()  # what it holds is given back before the next one takes as much
            self._reads = [tensor.clone() for tensor in given]
            read = iter(self._reads)
            own_ids, own_targets = next(read), next(read)
            own_keys = [None if key is None else next(read) for key in keys]
            self._replay = self._record(lambda: self._whole(self._rate, weight_decay, own_ids, own_targets, own_keys))
            self._recorded_for = (weight_decay, ids.shape)
        for own, new in zip(self._reads, given, strict=True):
            own.copy_(new)
        self._rate.fill_(lr)
        return self._replay().clone()  # the next step writes over it


class LaunchLimiter:
    """Keeps Python from launching steps much faster than a GPU takes them."""

    def __init__(self, place: torch.device) -> None:
        self._event = {"cuda": torch.cuda.Event, "mps": torch.mps.Event}.get(place.type)
        self._marks: deque[torch.cuda.Event | torch.mps.Event] = deque()

    def stepped(self) -> None:
        """A step was launched: wait for the one AHEAD of it, not for this one."""
        if self._event is None:
            return
        mark = self._event()
        mark.record()
        self._marks.append(mark)
        if len(self._marks) > AHEAD:
            self._marks.popleft().synchronize()
