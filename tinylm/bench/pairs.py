"""Times two ways of doing the same in alternating pairs, since the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pairs:
    """Seconds of each of two ways, pair by pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster ours is: the median of the pairs' ratios."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))

    def speeds(self, amount: float) -> tuple[float, float]:
        """Median speeds of ours and theirs, where each run does `amount` of work."""
        return amount / statistics.median(self.ours), amount / statistics.median(self.theirs)


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Mean seconds of one of `times` calls."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def in_pairs(ours: Callable[[], object], theirs: Callable[[], object], pairs: int, times: int = 1) -> Pairs:
    """Time `ours` and `theirs` in turn; both must be warm."""
    return alternate(lambda: seconds(ours, times), lambda: seconds(theirs, times), pairs)


def alternate(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> Pairs:
    """Collect the seconds that `ours` and `theirs` return, called in turn; each second pair in reverse order."""
    taken: tuple[list[float], list[float]] = [], []
    for number in range(pairs):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            taken[which].append((ours, theirs)[which]())
    return Pairs(*taken)
