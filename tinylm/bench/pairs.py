"""Measuring two ways of doing the same in alternating pairs, since the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pairs:
    """Seconds that each of two ways took, pair by pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster ours is: the median of the pairs' own ratios."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """How long one of `times` goes takes, on average."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def in_pairs(ours: Callable[[], object], theirs: Callable[[], object], pairs: int, times: int = 1) -> Pairs:
    """Time `ours` and `theirs` in turn; both are warm already."""
    return told_in_pairs(lambda: seconds(ours, times), lambda: seconds(theirs, times), pairs)


def told_in_pairs(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> Pairs:
    """Take what `ours` and `theirs` say that they took, in turn, the first of a pair changing."""
    taken: tuple[list[float], list[float]] = [], []
    for number in range(pairs):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            taken[which].append((ours, theirs)[which]())
    return Pairs(*taken)
