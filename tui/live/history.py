"""A run as its events tell it: a fold into a state, and its numbers as arrays that charts can read.

Opening an old run, following a running one and testing a chart are the same operation.
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Literal

import numpy as np

from tinylm import events
from tinylm.events import Event
from tinylm.runs.state import RunState
from tui.live.series import Floats, Series

Axis = Literal["steps", "tokens", "time"]
"""What the x axis of a chart counts."""


class History:
    """A run up to its latest event."""

    def __init__(self) -> None:
        self.state = RunState()
        """Everything but the whole series of steps."""
        self.step = Series()
        """The number of each step; the other series have a value for each, at the same index."""
        self.loss, self.lr, self.grad_norm = Series(), Series(), Series()
        self.speed, self.param_norm, self.norm_ratio = Series(), Series(), Series()
        self.seconds, self.tokens = Series(), Series()
        self.samples: list[events.Sampled] = []
        self.checkpoints: list[events.CheckpointSaved] = []
        self.log: list[tuple[float, Event]] = []
        """Every event but the steps, with the run's seconds when it came."""
        self._at_checkpoint: list[tuple[int, int, int, int]] = []
        """For each checkpoint its step, and the number of evaluations, samples and log entries before it."""
        self.version = 0
        """Grows with each event, so that screens see whether there is something new to draw."""

    def copy(self) -> History:
        """The history as it is now, for another thread: later events do not change it."""
        made = copy(self)
        made.state = copy(self.state)
        for part in (made, made.state):
            for name, value in vars(part).items():
                if isinstance(value, list | Series):
                    setattr(part, name, deepcopy(value) if isinstance(value, Series) else list(value))
        return made

    # ---- the fold -------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.version += 1
        if isinstance(event, events.RunStarted):
            if event.resumed_from is not None:
                self._resumed(event.resumed_from)
            else:  # also where nothing had been saved: the run starts over, and so does its log
                vars(self).update(vars(History()), version=self.version)
        self.state.apply(event)
        if isinstance(event, events.StepDone):
            self._step(event)
            return
        if isinstance(event, events.Sampled):
            self.samples.append(event)
        elif isinstance(event, events.CheckpointSaved):
            self._at_checkpoint.append((event.step, len(self.state.evals), len(self.samples), len(self.log)))
            self.checkpoints.append(event)
        elif isinstance(event, events.Rescued):
            self._back_to(event.back_to)
        self.log.append((self.state.seconds, event))

    def _step(self, event: events.StepDone) -> None:
        if len(self.step) and event.step <= self.step.last:  # a log written twice over: the newer steps count
            self._back_to(event.step - 1)
        self.step.append(event.step)
        for series, value in (
            (self.loss, event.loss),
            (self.lr, event.lr),
            (self.grad_norm, event.grad_norm),
            (self.speed, event.tokens_per_second),
            (self.param_norm, event.param_norm),
            (self.norm_ratio, event.norm_ratio),
            (self.seconds, event.seconds),
            (self.tokens, event.tokens),
        ):
            series.append(float("nan") if value is None else value)

    def _resumed(self, step: int) -> None:
        """Forget what came after the checkpoint of `step`, as the log does.

        A stop evaluates, samples and saves once more at its last step; the resumed run starts from the checkpoint that
        was saved before that, which is the last one told.
        """
        self._back_to(step)
        there = [marks for marks in self._at_checkpoint[:-1] if marks[0] == step]
        if there:
            _, evals, samples, lines = there[-1]
            del self.state.evals[evals:], self.samples[samples:], self.log[lines:]
            self.state.go_back(step)
            self.state.sample = self.samples[-1] if self.samples else None

    def _back_to(self, step: int) -> None:
        """Forget what came after `step`."""
        kept = self.step.index_after(step)
        self.state.go_back(step)
        for series in vars(self).values():
            if isinstance(series, Series):
                series.truncate(kept)
        self.samples = [sample for sample in self.samples if sample.step <= step]
        self.checkpoints = [saved for saved in self.checkpoints if saved.step <= step]

    # ---- positions on the x axis ----------------------------------------------------------------------------------

    def positions(self, axis: Axis) -> Floats:
        """The position of each step on the axis."""
        return {"steps": self.step, "tokens": self.tokens, "time": self.seconds}[axis].values

    def position(self, axis: Axis, step: float) -> float:
        """The position of any step: interpolated between its neighbours, beyond the last at the average pace so far."""
        if axis == "steps" or not len(self.step):
            return float(step)
        positions, last = self.positions(axis), self.step.last
        if step > last:
            return float(positions[-1] * step / last)
        return float(np.interp(step, self.step.values, positions, left=0.0))

    def step_at(self, axis: Axis, position: float) -> int | None:
        """The step nearest to a position on the axis; None before the first step."""
        positions = self.positions(axis)
        if not len(positions):
            return None
        after = min(int(np.searchsorted(positions, position)), len(positions) - 1)
        nearer = after - 1 if after and position - positions[after - 1] < positions[after] - position else after
        return int(self.step.values[nearer])
