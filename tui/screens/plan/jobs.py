"""Rehearsals of the plan and learning-rate sweeps: one at a time, each in a thread of its own."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinylm.config.schema import RunConfig
from tinylm.events import LrFound, LrTried
from tui.screens.plan.debounce import Debouncer
from tui.screens.plan.lr_finder import LrSweep
from tui.screens.plan.rehearsal import Outcome

if TYPE_CHECKING:
    from tui.engine import Engine


class PlanJobs:
    """Runs rehearsals and sweeps in the background, and keeps their results.

    The threads only append to a list of results; everything else happens in the thread of the caller, which drops
    the results of cancelled work in `collect`.
    """

    def __init__(self, engine: Engine, home: Path, wait: float) -> None:
        """A plan is rehearsed once it has not changed for `wait` seconds."""
        self._engine, self._home = engine, home
        self._debouncer = Debouncer(wait)
        self._results: list[tuple[threading.Event, LrTried | LrFound | Outcome]] = []
        self._is_sweep = False
        """Whether the work that is due or under way is a sweep, not a rehearsal."""
        self.outcome: Outcome | None = None
        """Result of the last rehearsal."""
        self.sweep: LrSweep | None = None
        """The sweep that is under way or was the last; None if there was none, or it was closed."""

    @property
    def doing(self) -> Literal["", "waiting", "rehearsing", "sweeping"]:
        """What is due or under way."""
        if not (self._debouncer.running or self._debouncer.waiting):
            return ""
        return "sweeping" if self._is_sweep else "rehearsing" if self._debouncer.running else "waiting"

    @property
    def waiting(self) -> bool:
        """Whether work is due, now or after the wait."""
        return self._debouncer.waiting

    # ---- requests -------------------------------------------------------------------------------------------------

    def rehearse(self, now: float, at_once: bool = False) -> None:
        """Rehearse the plan, after the wait or at once; cancels other work."""
        self.cancel()
        self._debouncer.request(now, at_once)

    def find_rate(self, config: RunConfig, now: float) -> None:
        """Sweep the learning rate of a plan; cancels other work."""
        self.cancel()
        self._is_sweep, self.sweep = True, LrSweep(config)
        self._debouncer.request(now, at_once=True)

    def cancel(self) -> None:
        """Cancel what is due and what is under way; a finished sweep is kept."""
        self._debouncer.cancel()
        self._is_sweep = False
        if self.sweep and not self.sweep.result:
            self.sweep = None

    def close_sweep(self) -> None:
        """Cancel the sweep, or drop the finished one."""
        if self._is_sweep:
            self.cancel()
        self.sweep = None

    # ---- results --------------------------------------------------------------------------------------------------

    def collect(self) -> BaseException | None:
        """Take in results of the threads; returns the error of work that has just failed."""
        failed: BaseException | None = None
        while self._results:
            ticket, result = self._results.pop(0)
            if isinstance(result, LrTried | LrFound):
                if self.sweep and not ticket.is_set():
                    self.sweep = self.sweep.with_event(result)
            elif self._debouncer.finish(ticket):
                failed = result.error
                if self._is_sweep:
                    self.cancel()
                else:
                    self.outcome = result
        return failed

    def start_due(self, config: RunConfig, now: float) -> None:
        """Start the work that is due; a plan without a rehearsal is rehearsed once nothing else is under way."""
        rehearsed = self.outcome is not None and self.outcome.fits(config)
        if not (rehearsed or self._debouncer.running or self._debouncer.waiting):
            self._debouncer.request(now, at_once=True)
        ticket = self._debouncer.start(now)
        if ticket is not None:
            name = "sweep" if self._is_sweep else "rehearsal"
            # Not a Textual worker: leaving the app would wait for it, and reading a large text cannot be cancelled.
            threading.Thread(target=self._work, args=(config, ticket, self._is_sweep), name=name, daemon=True).start()

    def _work(self, config: RunConfig, ticket: threading.Event, is_sweep: bool) -> None:
        try:
            if is_sweep:
                for event in self._engine.find(config, self._home, ticket.is_set):
                    self._results.append((ticket, event))
                outcome = Outcome(config)
            else:
                rehearsal = self._engine.rehearse(config, self._home, ticket.is_set)
                existing = next(folder for folder in (self._home, *self._home.parents) if folder.is_dir())
                outcome = Outcome(config, rehearsal, free_disk_mb=shutil.disk_usage(existing).free / 1e6)
        except Exception as error:  # also Cancelled, which `collect` drops
            outcome = Outcome(config, error=error)
        self._results.append((ticket, outcome))
