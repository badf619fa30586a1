"""Debounced, cancellable background work: only the newest request counts."""

from __future__ import annotations

import threading


class Debouncer:
    """Decides when work starts: after `wait` seconds without another request, and one piece at a time.

    Cancelled work may still be in its last step; the next piece starts only after that has finished, since two at
    once would slow each other down and measure wrongly. Times are arguments, so that tests need no clock.
    """

    def __init__(self, wait: float) -> None:
        """`wait` is in seconds."""
        self.wait = wait
        self._due: float | None = None
        self._running: threading.Event | None = None

    @property
    def running(self) -> bool:
        """Whether work is under way that has not been cancelled."""
        return self._running is not None and not self._running.is_set()

    @property
    def waiting(self) -> bool:
        """Whether work is due, now or after the wait."""
        return self._due is not None

    def request(self, now: float, at_once: bool = False) -> None:
        """Cancel what is under way; new work is due after the wait, or at once."""
        self.cancel()
        self._due = now if at_once else now + self.wait

    def cancel(self) -> None:
        """Cancel what is under way and what is due."""
        self._due = None
        if self._running is not None:
            self._running.set()

    def start(self, now: float) -> threading.Event | None:
        """The ticket for work that is to start now, or None. A ticket that is set means that its work is cancelled."""
        if self._due is None or now < self._due or self._running is not None:
            return None
        self._due, self._running = None, threading.Event()
        return self._running

    def finish(self, ticket: threading.Event) -> bool:
        """The work of this ticket has ended; returns whether its outcome counts."""
        if self._running is ticket:
            self._running = None
        return not ticket.is_set()
