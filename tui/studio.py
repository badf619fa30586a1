"""What the app knows: its home, the plan, the training of this process and the run that is shown.

A plain object without Textual. The app fills in `go` and `notify`, polls it on a timer and hands it to the screens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.events import Event, Failed, Finished
from tinylm.runs.folder import RunFolder
from tui.engine import Engine, Machine
from tui.live.event_source import LogFollower, TrainingThread
from tui.terminal import glyphs
from tui.terminal.draw_budget import DrawBudget

if TYPE_CHECKING:
    from tinylm.training.control import Control
    from tui.live.watch import ObservedRun

LOCK_POLLS = 8
"""Polls between two checks whether another process still trains the run that is shown."""


@dataclass(frozen=True)
class Notice:
    """A message that is shown on top of whatever screen is open."""

    message: str
    title: str
    severity: Literal["information", "warning", "error"] = "information"


class Studio:
    """State and actions that all screens share; used from the app's thread only, except `warm_up`."""

    def __init__(self, home: Path, config: RunConfig, engine: Engine | None = None) -> None:
        """`config` is the plan to begin with; `engine` is what computes, tests pass a scripted one."""
        self.home = home
        self.plan = config
        """The configuration that Data and Plan edit, always valid; replaced whole by `set_plan`."""
        self.engine = engine or Engine()
        self.machine: Machine | None = None
        """None until `warm_up` has measured it."""
        self.training: ObservedRun | None = None
        """The training of this process, running or over."""
        self.shown: ObservedRun | None = None
        """What Train shows: `training`, or a run that was opened."""
        self.talk_choice: tuple[RunFolder, str | None] | None = None
        """Run and checkpoint that Talk loads when it is shown next; None: the one that the run is known by."""
        self.glyphs = glyphs.detected()
        self.draw_budget = DrawBudget()
        self.noise: deque[str] = deque()
        """Lines that libraries wrote past Python, kept off the terminal."""
        self.go: Callable[[str], object] = lambda _mode: None
        """Shows a screen, by its mode; set by the app."""
        self.notify: Callable[[Notice], object] = lambda _notice: None
        """Shows a notice; set by the app."""
        self._plan_listeners: list[Callable[[RunConfig], object]] = []
        self._reported_end: ObservedRun | None = None
        self._polls = 0

    def warm_up(self) -> None:
        """Load torch and measure the machine; run in a thread of its own."""
        try:
            self.machine = self.engine.warm_up(self.home, self.plan)
        except Exception as error:  # the outer edge of the thread; a training reports the same error where it is seen
            self.noise.append(f"warm-up: {error!r}")

    # ---- the plan -------------------------------------------------------------------------------------------------

    def set_plan(self, config: RunConfig) -> None:
        """Replace the plan and call all listeners with it."""
        self.plan = config
        for listener in list(self._plan_listeners):
            listener(config)

    def on_plan_change(self, listener: Callable[[RunConfig], object]) -> Callable[[], None]:
        """Call `listener` with each new plan; returns what ends that."""
        self._plan_listeners.append(listener)
        return lambda: self._plan_listeners.remove(listener)

    # ---- training -------------------------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether this process trains a run now."""
        return self.training is not None and self.training.running

    def start_training(self) -> None:
        """Train the plan, and show it."""
        config, home = self.plan, self.home
        self._start(TrainingThread(lambda control: self.engine.train(config, home, control)), "new run", None)

    def resume_training(self, run: RunFolder) -> None:
        """Continue a run, and show it together with what its log holds so far."""

        def begin(control: Control) -> Iterator[Event]:
            yield from (event for event in run.events() if not isinstance(event, Finished | Failed))
            yield from self.engine.resume(run, control)

        self._start(TrainingThread(begin), run.name, run)

    def _start(self, trainer: TrainingThread, name: str, run: RunFolder | None) -> None:
        if self.is_training:
            self.notify(Notice("Stop it first, or let it come to its end.", "A training is running", "warning"))
            return
        from tui.live.watch import ObservedRun  # imports numpy, which the first screen does not wait for

        self._stop_following()
        self.training = self.shown = ObservedRun(trainer, name, run)
        trainer.start()
        self.go("train")

    def save_first(self, run: RunFolder) -> None:
        """Save a checkpoint of `run` now if this process trains it: somebody waits for the first one."""
        training = self.training
        if training and training.run and training.run.path == run.path and training.trainer and training.running:
            training.trainer.control.save.set()

    # ---- watching -------------------------------------------------------------------------------------------------

    def open_run(self, run: RunFolder) -> None:
        """Show a run in Train: our own training, or its log, which is followed while another process writes it."""
        self._stop_following()
        ours = self.training if self.training and self.training.run and self.training.run.path == run.path else None
        if ours and (ours.running or not run.is_locked()):
            self.shown = ours
        else:  # also a run of ours that another process has resumed
            from tui.live.watch import ObservedRun

            self.shown = ObservedRun(LogFollower(run), run.name, run)
            self.shown.locked = run.is_locked()
        self.go("train")

    def _stop_following(self) -> None:
        if self.shown and self.shown is not self.training:
            self.shown.source.close()

    def moved(self, old: RunFolder, new: RunFolder) -> None:
        """A run was renamed: whatever observes it follows."""
        for watch in (self.training, self.shown):
            if watch is not None and watch.run == old:
                watch.move(new)

    def poll(self) -> ObservedRun | None:
        """Take in new events; returns our training once, when it is over and all its events are taken in."""
        self._polls += 1
        for watch in (self.training, self.shown if self.shown is not self.training else None):
            if watch is None:
                continue
            watch.poll()
            if not watch.own and watch.run and self._polls % LOCK_POLLS == 0:
                watch.locked = watch.run.is_locked()
        training = self.training
        if training and not training.running and self._reported_end is not training and not training.poll():
            self._reported_end = training
            return training
        return None

    def may_draw(self) -> bool:
        """Whether drawing the screen now would not slow a training down too much."""
        return self.draw_budget.allows(
            self.training is not None and self.training.running and self.training.status != "paused"
        )

    def pulse(self, room: int = 80) -> str:
        """The training, or else the run that is shown, in at most `room` cells; for the top bar of every screen."""
        watch = self.training if self.is_training else self.shown or self.training
        return watch.pulse(self.glyphs, room) if watch else "idle"

    def talk_to(self, run: RunFolder, which: str | None = None) -> None:
        """Show Talk with a checkpoint of a run, by default the best, and the latest while it trains."""
        self.talk_choice = (run, which)
        self.go("talk")

    # ---- errors ---------------------------------------------------------------------------------------------------

    def fault(self, error: BaseException) -> None:
        """Show an error as a notice: ours with message and hint, any other with its type."""
        if isinstance(error, TinyLMError):
            self.notify(Notice(f"{error.message} {error.hint}", error.title, "error"))
        else:
            self.notify(Notice(repr(error), "This is our fault", "error"))
