"""How often the screen may be drawn during a training, which loses the CPU time that drawing takes.

Where a training uses all cores it stands still while the app draws: four draws a second on 2 cores made it 13 % slower
than --train (assets/results/notes.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.015
"""The share of the time that drawing may take while this app trains."""

LONGEST = 3.0
"""Seconds after which the screen is drawn in any case."""


class DrawBudget:
    """Measures the CPU time of the main thread, and says when it may draw again."""

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        """`clock` gives wall time and `used` the CPU time of this thread, both in seconds."""
        self._clock, self._used = clock, used
        self._at, self._before = clock(), used()
        self._hurry = 0

    def hurry(self) -> None:
        """Draw at the next two ticks: somebody pressed a key or resized the window, and waits."""
        self._hurry = 2

    def allows(self, training: bool) -> bool:
        """Whether the screen may be drawn now; called at each tick by the thread that draws."""
        now, used = self._clock(), self._used()
        passed, spent = now - self._at, used - self._before
        if training and not self._hurry and passed < LONGEST and spent > SHARE * passed:
            return False
        self._hurry = max(0, self._hurry - 1)
        self._at, self._before = now, used
        return True
