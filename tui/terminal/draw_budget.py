"""How often the screen may be drawn beside a training: what it takes from the processor is missing there.

On two cores a training of two threads stands still while the app draws, so the app's share of the time is what it
loses. Measured on 2 cores at 160 x 45 and four draws a second: the main thread computed 11 % of the time, and the
training was 13 % slower than by --train.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.015
"""What drawing may take of the time while a training of ours runs."""

LONGEST = 3.0
"""Seconds after which the screen is drawn all the same."""


class DrawBudget:
    """Watches what the main thread uses, and says when it may draw again."""

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        """`clock` gives the seconds that have passed, `used` those that this thread has computed in."""
        self._clock, self._used = clock, used
        self._at, self._before = clock(), used()
        self._hurry = 0

    def hurry(self) -> None:
        """Somebody has pressed a key, or has made the window larger, and waits for it: draw at the next two ticks."""
        self._hurry = 2

    def allows(self, training: bool) -> bool:
        """Whether the screen may be drawn now; asked by the thread that draws, at each tick."""
        now, used = self._clock(), self._used()
        passed, spent = now - self._at, used - self._before
        if training and not self._hurry and passed < LONGEST and spent > SHARE * passed:
            return False
        self._hurry = max(0, self._hurry - 1)
        self._at, self._before = now, used
        return True
