"""Numbers that come one by one, for as long as a run lasts, and their running average."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Series:
    """A growing array of numbers; nan where there is none."""

    def __init__(self) -> None:
        self._values: Floats = np.empty(1024, dtype=np.float64)
        self._length = 0
        self._averages: dict[float, Average] = {}

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> Floats:
        """All of them, as a view that is only to be read."""
        return self._values[: self._length]

    @property
    def last(self) -> float:
        """The newest."""
        return float(self._values[self._length - 1])

    def append(self, value: float) -> None:
        """Add one."""
        if self._length == len(self._values):
            grown = np.empty(2 * self._length, dtype=np.float64)  # pages that nobody has written to take no memory
            grown[: self._length] = self._values
            self._values = grown
        self._values[self._length] = value
        self._length += 1

    def index_after(self, value: float) -> int:
        """For an ascending series: how many values are at most `value`."""
        return int(np.searchsorted(self.values, value, side="right"))

    def truncate(self, length: int) -> None:
        """Keep the first `length`."""
        self._length = min(self._length, length)
        for average in self._averages.values():
            average.truncate(self.values)

    def smoothed(self, weight: float) -> Floats:
        """The exponential average over all values, `weight` being what the past counts for; 0 changes nothing.

        Computed from the first value on, so what is zoomed into is the same curve; only what is new is computed.
        Where a value is not finite the average stands still; before the first finite one it is nan. Only to be read.
        """
        if weight <= 0:
            return self.values
        if weight not in self._averages:
            self._averages[weight] = Average(weight)
        return self._averages[weight].upto(self.values)


YOUNG = 5
"""A value counts for at least this, over the number of values so far: see `Average`."""


class Average:
    """An exponential average that grows with its series, and that is without bias from its first value on.

    At first each value counts for more than `1 - weight`: at step n for YOUNG / n, so that the average spans a share
    of what there is. A loss falls fastest in its first steps, and an average that spans all of them, as Adam's
    debiased one does, runs far above every single loss until that many steps are over again.
    """

    def __init__(self, weight: float) -> None:
        assert 0 < weight < 1
        self.weight = weight
        self._values: Floats = np.empty(0, dtype=np.float64)
        self._length = 0
        self._last = math.nan
        """The average of the finite values so far."""
        self._count = 0
        """Finite values so far."""
        self._young = int(YOUNG / (1 - weight))
        """As many of them count for more."""
        # Within a block the past is divided by weight^k; more steps than this would leave the range of a float.
        self._block = int(min(4096, max(1, 460 / -math.log(weight))))

    def upto(self, values: Floats) -> Floats:
        """The average of `values`, of which those that were seen before are unchanged."""
        if len(values) > self._length:
            self._reserve(len(values))
            for start in range(self._length, len(values), self._block):
                chunk = values[start : start + self._block]
                self._values[start : start + len(chunk)] = self._extend(chunk)
            self._length = len(values)
        return self._values[: self._length]

    def truncate(self, values: Floats) -> None:
        """Only `values` are left."""
        if len(values) >= self._length:
            return
        self._length = len(values)
        self._count = int(np.count_nonzero(np.isfinite(values)))
        self._last = float(self._values[self._length - 1]) if self._count else math.nan

    def _reserve(self, length: int) -> None:
        if length > len(self._values):
            grown = np.empty(max(1024, 2 * length), dtype=np.float64)
            grown[: self._length] = self._values[: self._length]
            self._values = grown

    def _extend(self, chunk: Floats) -> Floats:
        finite = np.isfinite(chunk)
        numbers = chunk[finite]
        averages = [np.array([self._last])]  # for what comes before the first number of the chunk
        for value in numbers[: max(0, self._young - self._count)].tolist():
            self._count += 1
            share = max(1 - self.weight, min(1.0, YOUNG / self._count))
            self._last = value if share == 1 else self._last + share * (value - self._last)
            averages.append(np.array([self._last]))
        late = numbers[len(averages) - 1 :]
        if len(late):
            powers = self.weight ** np.arange(1, len(late) + 1)
            averages.append(powers * (self._last + (1 - self.weight) * np.cumsum(late / powers)))
            self._last = float(averages[-1][-1])
            self._count += len(late)
        return np.take(np.concatenate(averages), np.cumsum(finite))
