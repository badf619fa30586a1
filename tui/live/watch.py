"""A run that the app looks at: where its events come from, and what they have told so far."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinylm import events
from tinylm.errors import TinyLMError
from tinylm.runs.folder import RunFolder
from tinylm.runs.report import time_left
from tui.live.event_source import EventSource, LogFollower, TrainingThread
from tui.live.history import History
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import Glyphs

Status = Literal["starting", "training", "paused", "finished", "stopped", "failed", "interrupted"]


class ObservedRun:
    """A training of this app (`own`), or a run whose folder is read."""

    def __init__(self, source: EventSource, name: str, run: RunFolder | None = None) -> None:
        self.source = source
        self.history = History()
        self.name = name
        self.run = run
        """Known from the start for a run that is opened, from its first event on for a new one."""
        self.locked = False
        """Another process trains it; looked at now and then."""

    def move(self, run: RunFolder) -> None:
        """The run's folder has another name now."""
        self.run, self.name = run, run.name
        if isinstance(self.source, LogFollower):
            self.source.run = run

    @property
    def own(self) -> bool:
        """Whether it is trained by this app, which can then pause and stop it."""
        return isinstance(self.source, TrainingThread)

    @property
    def trainer(self) -> TrainingThread | None:
        """The thread that trains it, where it is ours."""
        return self.source if isinstance(self.source, TrainingThread) else None

    @property
    def running(self) -> bool:
        """Whether somebody is training it now."""
        return self.trainer.running if self.trainer else self.locked

    @property
    def ending(self) -> bool:
        """Whether our training was asked to end, and is still at what it does last."""
        trainer = self.trainer
        return trainer is not None and trainer.running and trainer.control.ending

    @property
    def reading(self) -> bool:
        """Whether a log is still being read for the first time: what is known so far is no end."""
        source = self.source
        return isinstance(source, LogFollower) and not (source.read.is_set() and not source.waiting)

    @property
    def error(self) -> TinyLMError | BaseException | None:
        """What ended our training, where it did not end by itself."""
        return self.trainer.error if self.trainer else None

    def poll(self) -> bool:
        """Take in what has come; whether there was something."""
        news = self.source.drain()
        for event in news:
            if event is None:
                self.history = History()
                continue
            self.history.apply(event)
            if isinstance(event, events.RunStarted) and self.run is None:
                self.run, self.name = RunFolder(Path(event.dir)), event.run
        return bool(news)

    @property
    def status(self) -> Status:
        """Its state in a word."""
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
        """What the header of every screen says of it: `● stories 73% 0:32 left`, the name cut to fit into `room`."""
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
        told: str = "reading" if status == "interrupted" and self.reading else status
        if status in ("training", "paused") and self.ending:
            told = "stopping"
        elif status == "training":
            told = f"{state.fraction:.0%} {time_left(state)} left"
        elif status == "paused":
            told = f"{state.fraction:.0%} paused"
        longest = max(0, room - len(sign) - len(told) - 2)
        return f"{sign} {ellipsize_middle(self.name, longest, glyphs)} {told}"
