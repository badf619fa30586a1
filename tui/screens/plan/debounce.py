"""Which of many things that were asked for counts: the newest, once nobody has asked for another for a moment."""

from __future__ import annotations

import threading


class Turns:
    """Waits until changes come to rest, runs one piece of work at a time, and calls it off when another is wanted.

    Times are given, so that tests need no clock. A piece that is called off may still be at its last step: the next
    begins only when it has said that it is over, or the two would slow each other down and measure wrongly.
    """

    def __init__(self, wait: float) -> None:
        """`wait` is how many seconds nothing may change before work begins."""
        self.wait = wait
        self._due: float | None = None
        self._running: threading.Event | None = None

    @property
    def running(self) -> bool:
        """Whether work is going on that still counts."""
        return self._running is not None and not self._running.is_set()

    @property
    def waiting(self) -> bool:
        """Whether work is to begin, now or when its time has come."""
        return self._due is not None

    def ask(self, now: float, at_once: bool = False) -> None:
        """Something changed: what is going on counts no more, and new work is due after the wait."""
        self.call_off()
        self._due = now if at_once else now + self.wait

    def call_off(self) -> None:
        """Nothing is wanted: neither what is going on nor what is due."""
        self._due = None
        if self._running is not None:
            self._running.set()

    def begin(self, now: float) -> threading.Event | None:
        """The ticket of work that is to begin now, or None; the work is called off once the ticket is set."""
        if self._due is None or now < self._due or self._running is not None:
            return None
        self._due, self._running = None, threading.Event()
        return self._running

    def over(self, ticket: threading.Event) -> bool:
        """The work of this ticket has ended; whether its outcome counts."""
        if self._running is ticket:
            self._running = None
        return not ticket.is_set()
