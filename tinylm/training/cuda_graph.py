"""CUDA graphs: a whole optimizer step is captured once, then replayed as one launch.

The step of a small model is some hundred kernels of a few microseconds each, which Python launches more slowly than the
GPU runs them. A graph is bound to the shapes, addresses and Python numbers of its capture, so whatever changes from
step to step (sequences, learning rate, dropout keys) is copied into tensors that the graph reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from tinylm.hardware.capture import Replay, capture, warm_up

WARM_UP_STEPS = 3
"""Plain steps before one is captured: libraries choose algorithms and allocate on their first calls, which cannot be
captured (PyTorch's notes on CUDA semantics ask for three, on a side stream)."""

MAX_STEPS_AHEAD = 2
"""Steps that Python may be ahead of the GPU: the GPU always has work, and a stop is answered within two steps."""

Keys = Sequence[Tensor | None]
"""The dropout key of each pass, or None."""

Step = Callable[[Tensor, Tensor, float, Tensor, Tensor, Keys], Tensor]
"""A step from learning rate, EMA factor, weight decay, ids (B, T), targets (B, T) and keys to its metrics (4,)
(`step.py`)."""


_capture_step = partial(capture, "step")


class GraphedStep:
    """A step as a CUDA graph, captured at its first use, and again when its shape or weight decay changes."""

    def __init__(
        self,
        step: Step,
        device: torch.device,
        capture: Callable[[Callable[[], Tensor]], Replay] = _capture_step,
    ) -> None:
        self._step, self._capture = step, capture
        self._replay: Replay | None = None
        self._captured_for: object = None
        self._lr, self._ema_factor = torch.zeros((), device=device), torch.zeros((), device=device)
        self._inputs: list[Tensor] = []
        """The tensors that the graph reads: ids, targets, keys."""
        self._warm_up_steps = 0

    @property
    def is_warm(self) -> bool:
        """Whether enough steps were taken by `warm_up` to capture one."""
        return self._warm_up_steps >= WARM_UP_STEPS

    @property
    def is_captured(self) -> bool:
        """Whether there is a graph, which holds memory."""
        return self._replay is not None

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Take a plain step on a side stream."""
        self._warm_up_steps += 1
        return warm_up(work)

    def forget(self) -> None:
        """Capture again at the next step, since tensors that the graph reads or writes were replaced."""
        self._replay, self._captured_for = None, None

    def take(
        self, lr: float, ema_factor: float, weight_decay: float, ids: Tensor, targets: Tensor, keys: Keys
    ) -> Tensor:
        """Take a step on ids and targets (B, T); returns its metrics (4,), which later steps do not overwrite.

        RuntimeError if the step cannot be captured; then it was not taken.
        """
        inputs = [ids, targets, *(key for key in keys if key is not None)]
        if self._replay is None or self._captured_for != (weight_decay, ids.shape):
            self.forget()  # frees the old graph's memory before the new one takes as much
            self._inputs = [tensor.clone() for tensor in inputs]
            static = iter(self._inputs)
            static_ids, static_targets = next(static), next(static)
            static_keys = [None if key is None else next(static) for key in keys]
            self._replay = self._capture(
                lambda: self._step(self._lr, self._ema_factor, weight_decay, static_ids, static_targets, static_keys)
            )
            self._captured_for = (weight_decay, ids.shape)
        for static_input, new in zip(self._inputs, inputs, strict=True):
            static_input.copy_(new)
        self._lr.fill_(lr)
        self._ema_factor.fill_(ema_factor)
        return self._replay().clone()  # the next replay overwrites it


class LaunchLimiter:
    """Limits how many steps Python launches ahead of a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._event_type = {"cuda": torch.cuda.Event, "mps": torch.mps.Event}.get(device.type)
        self._events: deque[torch.cuda.Event | torch.mps.Event] = deque()

    def stepped(self) -> None:
        """Note that a step was launched, and wait for the one MAX_STEPS_AHEAD before it."""
        if self._event_type is None:
            return
        event = self._event_type()
        event.record()
        self._events.append(event)
        if len(self._events) > MAX_STEPS_AHEAD:
            self._events.popleft().synchronize()
