"""Growing arrays of a run's numbers, and their exponential moving average."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Series:
    """A growing array of numbers; nan where a step has none."""

    def __init__(self) -> None:
        self._values: Floats = np.empty(1024, dtype=np.float64)
        self._length = 0
        self._averages: dict[float, SeriesEMA] = {}

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> Floats:
        """All values, as a read-only view."""
        return self._values[: self._length]

    @property
    def last(self) -> float:
        """The newest value."""
        return float(self._values[self._length - 1])

    def append(self, value: float) -> None:
        """Add a value."""
        if self._length == len(self._values):
            grown = np.empty(2 * self._length, dtype=np.float64)  # pages that nobody has written to take no memory
            grown[: self._length] = self._values
            self._values = grown
        self._values[self._length] = value
        self._length += 1

    def index_after(self, value: float) -> int:
        """How many values are at most `value`, in an ascending series."""
        return int(np.searchsorted(self.values, value, side="right"))

    def truncate(self, length: int) -> None:
        """Keep the first `length` values."""
        self._length = min(self._length, length)
        for average in self._averages.values():
            average.truncate(self.values)

    def smoothed(self, weight: float) -> Floats:
        """The exponential moving average of all values, as a read-only view; weight 0 returns the values themselves.

        `weight` is the share that the past keeps at each step. The average always starts at the first value, so zooming
        in never changes the curve; only new values are computed. It holds still where a value is not finite, and is nan
        before the first finite one.
        """
        if weight <= 0:
            return self.values
        if weight not in self._averages:
            self._averages[weight] = SeriesEMA(weight)
        return self._averages[weight].up_to(self.values)


YOUNG = 5
"""Value n counts for at least YOUNG / n of the average: see `SeriesEMA`."""


class SeriesEMA:
    """An exponential moving average that grows with its series and has no bias at the start.

    Early values count for more than `1 - weight`: value n for YOUNG / n, so that the average covers a share of what
    there is. A loss falls fastest in its first steps; an average over all of them, like Adam's debiased one, would stay
    far above every single loss for as many steps again.
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
        """How many finite values count for more than `1 - weight`."""
        # A block divides by weight^k; a longer one would leave the range of a float64.
        self._block = int(min(4096, max(1, 460 / -math.log(weight))))

    def up_to(self, values: Floats) -> Floats:
        """The average of `values`; those seen in earlier calls must not have changed."""
        if len(values) > self._length:
            self._reserve(len(values))
            for start in range(self._length, len(values), self._block):
                chunk = values[start : start + self._block]
                self._values[start : start + len(chunk)] = self._extend(chunk)
            self._length = len(values)
        return self._values[: self._length]

    def truncate(self, values: Floats) -> None:
        """Forget all values but these."""
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
        averages = [np.array([self._last])]  # for values before the first finite one of the chunk
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
