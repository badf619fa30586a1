"""What a screen shows of a run: a fold over its events, with its numbers in arrays that charts can read.

Opening an old run, following a running one and testing a chart are the same operation.
"""

from __future__ import annotations

from tinylm import events
from tinylm.events import Event
from tinylm.runs.state import RunState
from tui.live.series import Series


class History:
    """A run as far as its events tell."""

    def __init__(self) -> None:
        self.state = RunState()
        """All but the steps, of which it has the last."""
        self.step = Series()
        """The number of each step; the other series have a value for each, at the same index."""
        self.loss, self.lr, self.grad_norm = Series(), Series(), Series()
        self.speed, self.param_norm, self.norm_ratio = Series(), Series(), Series()
        self.seconds, self.tokens = Series(), Series()
        self.samples: list[events.Sampled] = []
        self.checkpoints: list[events.CheckpointSaved] = []
        self.log: list[tuple[float, Event]] = []
        """All that is worth a line, with the run's seconds when it came."""
        self._at_checkpoint: list[tuple[int, int, int, int]] = []
        """For each checkpoint its step, and how many evaluations, samples and lines there were before it."""
        self.version = 0
        """Grows with each event: who draws can see whether something is new."""

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.version += 1
        if isinstance(event, events.RunStarted):
            if event.resumed_from is not None:
                self._resumed(event.resumed_from)
            else:  # also where nothing was saved of what was told so far: the run begins anew, as its log does
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
        if len(self.step) and event.step <= self.step.last:  # a log that was written to twice: the newer one counts
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
        """Forget what came after the checkpoint of `step`, as the log does: a stop measures and writes once more there.

        The last checkpoint that was told is the one that a resumed run begins with: it was saved before.
        """
        self._back_to(step)
        there = [told for told in self._at_checkpoint[:-1] if told[0] == step]
        if there:
            _, evals, samples, lines = there[-1]
            del self.state.evals[evals:], self.samples[samples:], self.log[lines:]
            self.state.go_back(step)
            self.state.sample = self.samples[-1] if self.samples else None

    def _back_to(self, step: int) -> None:
        """Forget what came after `step`."""
        kept = self.step.index_after(step)
        self.state.go_back(step)
        for series in (
            self.step, self.loss, self.lr, self.grad_norm, self.speed,
            self.param_norm, self.norm_ratio, self.seconds, self.tokens,
        ):  # fmt: skip
            series.truncate(kept)
        self.samples = [sample for sample in self.samples if sample.step <= step]
        self.checkpoints = [saved for saved in self.checkpoints if saved.step <= step]
