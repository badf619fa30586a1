"""The state of a run: a fold over its events."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinylm import events

KEPT_STEPS = 256
"""Steps that a state keeps at least; a run can have millions."""


@dataclass
class RunState:
    """What is known of a run after the events applied so far."""

    started: events.RunStarted | None = None
    data: events.DataPrepared | None = None
    plan: events.Planned | None = None
    steps: list[events.StepDone] = field(default_factory=list)
    """The last steps, at least KEPT_STEPS; the time left is estimated from those of the last minute."""
    evals: list[events.EvalDone] = field(default_factory=list)
    best: events.EvalDone | None = None
    sample: events.Sampled | None = None
    checkpoint: events.CheckpointSaved | None = None
    notices: list[events.Note | events.Warned] = field(default_factory=list)
    rescues: list[events.Rescued] = field(default_factory=list)
    paused: bool = False
    finished: events.Finished | None = None
    failed: events.Failed | None = None

    def apply(self, event: events.Event) -> None:
        """Update the state with the next event."""
        match event:
            case events.RunStarted():
                self.started, self.finished, self.failed, self.paused = event, None, None, False
            case events.DataPrepared():
                self.data = event
            case events.Planned():
                self.plan = event
            case events.StepDone():
                self.steps.append(event)
                if len(self.steps) >= 2 * KEPT_STEPS:
                    del self.steps[:-KEPT_STEPS]
            case events.EvalDone():
                self.evals.append(event)
                if event.best:
                    self.best = event
            case events.Sampled():
                self.sample = event
            case events.CheckpointSaved():
                self.checkpoint = event
            case events.Note() | events.Warned():
                self.notices.append(event)
            case events.Paused():
                self.paused = event.paused
            case events.Rescued():
                self.go_back(event.back_to)
                self.rescues.append(event)
            case events.Finished():
                self.finished = event
            case events.Failed():
                self.failed = event

    def go_back(self, step: int) -> None:
        """Forget everything after `step`."""
        self.steps = [event for event in self.steps if event.step <= step]
        self.evals = [event for event in self.evals if event.step <= step]
        self.best = next((event for event in reversed(self.evals) if event.best), None)
        if self.sample and self.sample.step > step:
            self.sample = None

    @property
    def seconds(self) -> float:
        """How long the run has trained, as of its last event."""
        if self.finished:
            return self.finished.seconds
        return self.steps[-1].seconds if self.steps else 0.0

    @property
    def fraction(self) -> float:
        """The share of the plan that is done, from 0 to 1: by time where the budget is a time, else by steps."""
        if self.finished and self.finished.reason != "stopped":
            return 1.0
        if not self.plan or not self.steps:
            return 0.0
        if self.plan.seconds:
            return min(1.0, self.seconds / self.plan.seconds)
        return min(1.0, self.steps[-1].step / self.plan.steps)
