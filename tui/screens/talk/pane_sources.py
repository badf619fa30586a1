"""Which checkpoint writes in which pane of Talk: one that was picked, else the latest of the run that is watched."""

from __future__ import annotations

from tinylm.runs.folder import RunFolder
from tui.screens.talk.writer_thread import CheckpointRef, saved_steps
from tui.studio import Studio


class PaneCheckpoints:
    """The choice for each pane; the second one has none until it is picked."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._picked: dict[str, CheckpointRef] = {}
        self._newest: RunFolder | None = None
        self.looked = False
        """Whether it is known which run is the newest."""

    def of(self, pane: str) -> CheckpointRef | None:
        """What a pane would write with now."""
        if pane in self._picked:
            return self._picked[pane]
        for watch in (self._studio.shown, self._studio.training):
            if watch and watch.run and (watch.running or saved_steps(watch.run)):
                return CheckpointRef(watch.run)
        return CheckpointRef(self._newest) if self._newest else None

    def pick(self, pane: str, source: CheckpointRef | None) -> None:
        """Choose one, or go back to the run that is watched."""
        self._picked.pop(pane, None)
        if source is not None:
            self._picked[pane] = source

    def found(self, newest: RunFolder | None) -> None:
        """Take in which run is the newest."""
        self._newest, self.looked = newest, True

    @property
    def beginning(self) -> bool:
        """Whether a training has begun whose folder is not known yet."""
        watch = self._studio.training
        return bool(watch and watch.running and watch.run is None)

    @property
    def none(self) -> bool:
        """Whether it is sure that there is nothing to talk to."""
        return self.looked and not self.beginning and self.of("A") is None

    @property
    def other(self) -> CheckpointRef | None:
        """What B may show beside A: what it had before, else the best, the oldest or any that is another one."""
        here = self.of("A")
        if "B" in self._picked or here is None:
            return self._picked.get("B")
        best = CheckpointRef(here.run, "best")
        found = [best, *(CheckpointRef(here.run, str(step)) for step in saved_steps(here.run))]
        return next((source for source in found if source.step() != here.step()), best)

    def trains(self, source: CheckpointRef) -> bool:
        """Whether its run is being trained, as far as the app knows."""
        watches = (self._studio.training, self._studio.shown)
        return any(watch and watch.run and watch.run.path == source.run.path and watch.running for watch in watches)
