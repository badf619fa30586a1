"""The clock of a run: seconds that it trained, over all its starts, without pauses and suspension."""

import os
import time

SUSPENDED_SECONDS, SUSPENDED_CPU_SHARE = 5.0, 0.05
"""A gap of 5 s with under 5 % CPU means that the process was suspended; it does not count."""


class Clock:
    """Seconds since the start of a run, without those in which it was paused or suspended (Ctrl-Z)."""

    def __init__(self, began: float, seconds: float = 0.0) -> None:
        """A clock that showed `seconds` when `now()` was `began`."""
        self.suspensions: list[float] = []
        """Seconds of each suspension that was left out; the reader reports and clears them."""
        self._zero = began - seconds
        self._stopped_at: float | None = None
        self._cpu, self._read_at = cpu_seconds(), now()

    def seconds(self) -> float:
        """The seconds now; a suspension since the last call is left out.

        The time is read once, and last: the process may be suspended between any two calls, and what passes after the
        reading belongs to the next call.
        """
        cpu = cpu_seconds()
        reading = now()
        passed, busy = reading - self._read_at, cpu - self._cpu
        self._cpu, self._read_at = cpu, reading
        if self._stopped_at is not None:
            return self._stopped_at - self._zero
        if passed >= SUSPENDED_SECONDS and busy <= SUSPENDED_CPU_SHARE * passed:
            self._zero += passed - busy
            self.suspensions.append(passed)
        return reading - self._zero

    def stop(self) -> None:
        """Stop until `resume`."""
        self._stopped_at = self._zero + self.seconds()

    def resume(self) -> None:
        """Run again after `stop`; does nothing on a running clock."""
        if self._stopped_at is not None:
            self._cpu, self._read_at = cpu_seconds(), now()
            self._zero += self._read_at - self._stopped_at
            self._stopped_at = None


def now() -> float:
    """Seconds of wall time since some fixed moment."""
    return time.perf_counter()


def cpu_seconds() -> float:
    """CPU seconds of this process and of child processes that have ended, such as a compiler."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
