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
        """The debiased exponential average over all values, `weight` being what the past counts for; 0 changes nothing.

        Computed from the first value on, so what is zoomed into is the same curve; only what is new is computed.
        Where a value is not finite the average stands still; before the first finite one it is nan. Only to be read.
        """
        if weight <= 0:
            return self.values
        if weight not in self._averages:
            self._averages[weight] = Average(weight)
        return self._averages[weight].upto(self.values)


class Average:
    """A debiased exponential average that grows with its series (as in Adam: sum over 1 - weight^count)."""

    def __init__(self, weight: float) -> None:
        assert 0 < weight < 1
        self.weight = weight
        self._values: Floats = np.empty(0, dtype=np.float64)
        self._length = 0
        self._sum = 0.0
        """weight-ed sum of the finite values so far, not yet debiased."""
        self._count = 0
        """Finite values so far."""
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
        self._sum = float(self._values[self._length - 1]) * self._bias(self._count) if self._count else 0.0

    def _bias(self, count: float) -> float:
        return -math.expm1(count * math.log(self.weight))

    def _reserve(self, length: int) -> None:
        if length > len(self._values):
            grown = np.empty(max(1024, 2 * length), dtype=np.float64)
            grown[: self._length] = self._values[: self._length]
            self._values = grown

    def _extend(self, chunk: Floats) -> Floats:
        finite = np.isfinite(chunk)
        numbers = chunk[finite]
        powers = self.weight ** np.arange(1, len(numbers) + 1)
        sums = powers * (self._sum + (1 - self.weight) * np.cumsum(numbers / powers))
        biases = -np.expm1(np.arange(self._count + 1, self._count + len(numbers) + 1) * math.log(self.weight))
        before = self._sum / self._bias(self._count) if self._count else math.nan
        averages: Floats = np.concatenate([[before], sums / biases])
        if len(numbers):
            self._sum = float(sums[-1])
            self._count += len(numbers)
        at = np.cumsum(finite)
        return np.take(averages, at)
