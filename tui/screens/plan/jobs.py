"""Rehearsals of the plan and sweeps of its learning rate: one piece of work at a time, each on a thread of its own."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinylm.config.schema import RunConfig
from tinylm.events import LrFound, LrTried
from tui.screens.plan.debounce import Turns
from tui.screens.plan.lr_finder import Valley
from tui.screens.plan.rehearsal import Outcome

if TYPE_CHECKING:
    from tui.engine import Engine


class Tryouts:
    """What is tried with the plan, beside the screen that shows it.

    Threads only put what they have to tell into a list; all else is done by whoever calls `take_in` and the rest, in
    one thread: what a piece of work tells after it was called off is dropped there.
    """

    def __init__(self, engine: Engine, home: Path, wait: float) -> None:
        """`wait` is how many seconds the plan may not change before it is rehearsed."""
        self._engine, self._home = engine, home
        self._turns = Turns(wait)
        self._told: list[tuple[threading.Event, LrTried | LrFound | Outcome]] = []
        self._sweeps = False
        """The work that is due or going on is a sweep, not a rehearsal."""
        self.outcome: Outcome | None = None
        """How the last rehearsal ended."""
        self.valley: Valley | None = None
        """What the sweep has told that goes on or was the last; None where there was none, or it is done with."""

    @property
    def doing(self) -> Literal["", "waiting", "rehearsing", "sweeping"]:
        """What is going on."""
        if not (self._turns.running or self._turns.waiting):
            return ""
        return "sweeping" if self._sweeps else "rehearsing" if self._turns.running else "waiting"

    @property
    def waiting(self) -> bool:
        """Whether work is to begin, now or when its time has come."""
        return self._turns.waiting

    # ---- what is wanted -------------------------------------------------------------------------------------------

    def rehearse(self, now: float, at_once: bool = False) -> None:
        """Rehearse the plan, after the wait or at once; what else is going on is called off."""
        self.call_off()
        self._turns.ask(now, at_once)

    def sweep(self, config: RunConfig, now: float) -> None:
        """Sweep the learning rate of this plan; what else is going on is called off."""
        self.call_off()
        self._sweeps, self.valley = True, Valley(config)
        self._turns.ask(now, at_once=True)

    def call_off(self) -> None:
        """No work is wanted: neither what is going on nor what is due. A whole valley stays."""
        self._turns.call_off()
        self._sweeps = False
        if self.valley and not self.valley.found:
            self.valley = None

    def close(self) -> None:
        """Call off a sweep, or put its valley away."""
        if self._sweeps:
            self.call_off()
        self.valley = None

    # ---- what comes of it -----------------------------------------------------------------------------------------

    def take_in(self) -> BaseException | None:
        """Take in what threads have told; returns what a piece of work failed of that has just ended."""
        failed: BaseException | None = None
        while self._told:
            ticket, told = self._told.pop(0)
            if isinstance(told, LrTried | LrFound):
                if self.valley and not ticket.is_set():
                    self.valley = self.valley.with_event(told)
            elif self._turns.over(ticket):
                failed = told.error
                if self._sweeps:
                    self.call_off()
                else:
                    self.outcome = told
        return failed

    def begin(self, config: RunConfig, now: float) -> None:
        """Begin what is due; a plan that was not rehearsed yet is, once nothing else goes on."""
        settled = self.outcome is not None and self.outcome.fits(config)
        if not (settled or self._turns.running or self._turns.waiting):
            self._turns.ask(now, at_once=True)
        ticket = self._turns.begin(now)
        if ticket is not None:
            name = "sweep" if self._sweeps else "rehearsal"
            # No worker: leaving the app would wait for it, and reading a large text cannot be called off.
            threading.Thread(target=self._work, args=(config, ticket, self._sweeps), name=name, daemon=True).start()

    def _work(self, config: RunConfig, ticket: threading.Event, sweeps: bool) -> None:
        try:
            if sweeps:
                for event in self._engine.find(config, self._home, ticket.is_set):
                    self._told.append((ticket, event))
                outcome = Outcome(config)
            else:
                rehearsal = self._engine.rehearse(config, self._home, ticket.is_set)
                there = next(folder for folder in (self._home, *self._home.parents) if folder.is_dir())
                outcome = Outcome(config, rehearsal, free_disk_mb=shutil.disk_usage(there).free / 1e6)
        except Exception as error:  # also Cancelled, which nobody reads: its ticket counts no more
            outcome = Outcome(config, error=error)
        self._told.append((ticket, outcome))
