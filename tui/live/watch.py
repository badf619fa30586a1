"""A run that the app shows: the source of its events, and the history they have made so far."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs.folder import RunFolder
from tinylm.runs.report import time_left
from tui.live.event_source import EventSource, LogFollower, TrainingThread
from tui.live.history import History
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import Glyphs

Status = Literal["starting", "training", "paused", "finished", "stopped", "failed", "interrupted"]


def read_config(run: RunFolder) -> RunConfig | None:
    """A run's configuration; None where its folder has none that can be read."""
    try:
        return run.config()
    except (OSError, TinyLMError):
        return None


class ObservedRun:
    """A training of this app (`own`), or a run whose log is read."""

    def __init__(self, source: EventSource, name: str, run: RunFolder | None = None) -> None:
        self.source = source
        self.history = History()
        self.name = name
        self.run = run
        """The folder: known from the start for a run that was opened, from its first event on for a new one."""
        self.locked = False
        """Another process trains it; checked now and then."""

    def move(self, run: RunFolder) -> None:
        """The folder of the run was renamed."""
        self.run, self.name = run, run.name
        if isinstance(self.source, LogFollower):
            self.source.run = run

    @property
    def own(self) -> bool:
        """Whether this app trained it, and can pause and stop it while it runs."""
        return isinstance(self.source, TrainingThread)

    @property
    def trainer(self) -> TrainingThread | None:
        """The training thread, where this app has it."""
        return self.source if isinstance(self.source, TrainingThread) else None

    @property
    def running(self) -> bool:
        """Whether it is being trained now, by this app or by another process."""
        return self.trainer.running if self.trainer else self.locked

    @property
    def ending(self) -> bool:
        """Whether the training was asked to end and is still finishing."""
        trainer = self.trainer
        return trainer is not None and trainer.running and trainer.control.ending

    @property
    def reading(self) -> bool:
        """Whether the log is still being read for the first time, so that its last event is not known."""
        source = self.source
        return isinstance(source, LogFollower) and not (source.read.is_set() and not source.waiting)

    @property
    def error(self) -> TinyLMError | BaseException | None:
        """The exception that ended the training, if one did."""
        return self.trainer.error if self.trainer else None

    def poll(self) -> bool:
        """Apply the events that have come; returns whether there were any."""
        new_events = self.source.drain()
        for event in new_events:
            if event is None:
                self.history = History()
                continue
            self.history.apply(event)
            if isinstance(event, events.RunStarted) and self.run is None:
                self.run, self.name = RunFolder(Path(event.dir)), event.run
        return bool(new_events)

    @property
    def status(self) -> Status:
        """The state of the run in a word."""
        state = self.history.state
        if state.failed or self.error is not None:
            return "failed"
        if state.finished:
            return "stopped" if state.finished.reason == "stopped" else "finished"
        if not self.running and not self.own:
            return "interrupted"
        if not state.steps:
            return "starting"
        return "paused" if state.paused else "training"

    def pulse(self, glyphs: Glyphs, room: int = 80) -> str:
        """What the top bar says of the run, in at most `room` cells: `● stories 73% 0:32 left`."""
        status, state = self.status, self.history.state
        sign = {
            "starting": glyphs.training,
            "training": glyphs.training,
            "paused": glyphs.paused,
            "finished": glyphs.done,
            "stopped": glyphs.paused,
            "failed": glyphs.failed,
            "interrupted": glyphs.training if self.reading else glyphs.failed,
        }[status]
        state_words: str = "reading" if status == "interrupted" and self.reading else status
        if status in ("training", "paused") and self.ending:
            state_words = "stopping"
        elif status == "training":
            state_words = f"{state.fraction:.0%} {time_left(state)} left"
        elif status == "paused":
            state_words = f"{state.fraction:.0%} paused"
        longest = max(0, room - len(sign) - len(state_words) - 2)
        return f"{sign} {ellipsize_middle(self.name, longest, glyphs)} {state_words}"
