"""Which checkpoint writes in which pane of Talk: the one picked for it, else that of the run on Train.

A run for which no checkpoint was picked writes with its best, and with its latest while it trains.
"""

from __future__ import annotations

from tinylm.runs.folder import RunFolder
from tui.screens.talk.writer_thread import CheckpointRef, saved_steps
from tui.studio import Studio


class PaneCheckpoints:
    """The checkpoint of each pane, "A" and "B"; B is shown only once one has been picked for it."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._picked: dict[str, CheckpointRef | RunFolder] = {}
        self._newest: RunFolder | None = None
        self.searched = False
        """Whether it is known which run is the newest."""

    def of(self, pane: str) -> CheckpointRef | None:
        """What a pane would write with now; None where there is no run."""
        picked = self._picked.get(pane)
        if isinstance(picked, CheckpointRef):
            return picked
        run = picked or self._followed
        return CheckpointRef(run, "latest" if self.trains(run) else run.selected) if run else None

    @property
    def _followed(self) -> RunFolder | None:
        """The run on Train, else the newest."""
        for watch in (self._studio.shown, self._studio.training):
            if watch and watch.run and (watch.running or saved_steps(watch.run)):
                return watch.run
        return self._newest

    def pick(self, pane: str, picked: CheckpointRef | RunFolder | None) -> None:
        """Set the checkpoint of a pane, or only its run; None: follow the run on Train again."""
        self._picked.pop(pane, None)
        if picked is not None:
            self._picked[pane] = picked

    def set_newest(self, run: RunFolder | None) -> None:
        """Set which run is the newest, once the runs have been searched."""
        self._newest, self.searched = run, True

    @property
    def beginning(self) -> bool:
        """Whether a training has begun that has no run folder yet."""
        watch = self._studio.training
        return bool(watch and watch.running and watch.run is None)

    @property
    def none(self) -> bool:
        """Whether it is certain that there is no run to talk to."""
        return self.searched and not self.beginning and self.of("A") is None

    @property
    def other(self) -> CheckpointRef | None:
        """What to offer for B: what it had before, else the first of best, latest and oldest that is not A's."""
        of_a = self.of("A")
        if "B" in self._picked or of_a is None:
            return self.of("B")
        others = [CheckpointRef(of_a.run, which) for which in ("best", "latest", *map(str, saved_steps(of_a.run)))]
        return next((checkpoint for checkpoint in others if checkpoint.step() != of_a.step()), others[0])

    def trains(self, run: RunFolder) -> bool:
        """Whether the run is being trained, as far as the app knows."""
        watches = (self._studio.training, self._studio.shown)
        return any(watch and watch.run and watch.run.path == run.path and watch.running for watch in watches)
