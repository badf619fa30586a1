"""The clock of a run: it counts what the run itself took, over all its starts, and nothing else."""

import os
import time

SLEEP_SECONDS = 5.0
"""So long between two looks, with hardly any work, is no training."""

BUSY_SHARE = 0.05
"""Of the time between two looks, at least, that a program works which is not stopped."""


class Clock:
    """Seconds since the start of a run, without those in which it was paused, or stopped from outside (Ctrl-Z)."""

    def __init__(self, began: float, seconds: float = 0.0) -> None:
        """A clock that stood at `seconds` when `now()` said `began`."""
        self.slept: list[float] = []
        """Seconds without any work that were left out, each time; to be told, and emptied, by whoever looks."""
        self._zero = began - seconds
        self._stopped_at: float | None = None
        self._worked, self._seen = cpu_seconds(), now()

    def seconds(self) -> float:
        """What it says now; a sleep since the last look is left out.

        The time is read once, and last: a program may be stopped between any two calls, and whatever passes after the
        reading is the next look's.
        """
        worked = cpu_seconds()
        seen = now()
        passed, busy = seen - self._seen, worked - self._worked
        self._worked, self._seen = worked, seen
        if self._stopped_at is not None:
            return self._stopped_at - self._zero
        if passed >= SLEEP_SECONDS and busy <= BUSY_SHARE * passed:
            self._zero += passed - busy
            self.slept.append(passed)
        return seen - self._zero

    def stop(self) -> None:
        """Stand still until `go_on`."""
        self._stopped_at = self._zero + self.seconds()

    def go_on(self) -> None:
        """Count again, from where it stood; nothing where it did not stand."""
        if self._stopped_at is not None:
            self._worked, self._seen = cpu_seconds(), now()
            self._zero += self._seen - self._stopped_at
            self._stopped_at = None


def now() -> float:
    """Seconds of wall time, from some fixed moment on."""
    return time.perf_counter()


def cpu_seconds() -> float:
    """Seconds of work of this program, and of others, as a compiler, that it called and waited for."""
    others = os.times()
    return time.process_time() + others.children_user + others.children_system
