"""What a chart shows, as plain data, and what follows from it: the ranges of its axes and their round numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tui.live.series import Floats
from tui.terminal.numbers import count

Range = tuple[float, float]

HEAD = 3
"""The first values of a run are far above all others: they are no reason to squeeze the rest."""
HEAD_AFTER = 50
"""From this many values on."""
NEAR = 0.25
"""A level this near to the curve, as a share of its range, is taken into view."""
SAMPLE = 8192
"""So many values of a band are enough to know its percentiles."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A line or points; `xs` ascend, nan is a gap."""

    xs: Floats
    ys: Floats
    role: str = "train"
    """Its colour: train, held_out, best, lr, norm, speed, a, b, c, d, muted."""
    label: str = ""
    """Written at its right end where there is room."""
    style: Literal["line", "points"] = "line"


@dataclass(frozen=True, eq=False)
class Band:
    """Raw values, of which the least and the greatest of each column are shown dimly."""

    xs: Floats
    ys: Floats


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line with its name."""

    y: float
    label: str


@dataclass(frozen=True)
class Border:
    """A dotted vertical line with its name: where a phase begins, a rescue, a checkpoint."""

    x: float
    label: str
    either_side: bool = False
    """The name may stand to the left of the line too: it is that of a place, and nothing begins there."""


@dataclass(frozen=True, eq=False)
class Picture:
    """All that one chart shows."""

    curves: tuple[Curve, ...] = ()
    band: Band | None = None
    levels: tuple[Level, ...] = ()
    borders: tuple[Border, ...] = ()
    x_range: Range | None = None
    """None: all there is."""
    y_range: Range | None = None
    """None: what `y_range` finds."""
    from_zero: bool = False
    """The y axis begins at 0: for what is compared with nothing, as a speed."""
    log_x: bool = False
    log_y: bool = False
    x_name: str = "step"
    """The unit: "step" stands before the number, another name after it."""
    x_format: Callable[[float], str] = count
    hair: float | None = None
    """Where the hair line stands."""
    empty: str = ""
    """Said in the middle while there is nothing to draw."""

    @property
    def has_values(self) -> bool:
        """Whether there is anything to draw."""
        return any(len(curve.xs) for curve in self.curves)

    def x_words(self, x: float) -> str:
        """A place on the axis: "step 740", "0.85 M tokens", "1:04"."""
        number = self.x_format(x)
        return f"{self.x_name} {number}" if self.x_name == "step" else f"{number} {self.x_name}".rstrip()

    def fingerprint(self) -> tuple[object, ...]:
        """Equal for pictures that look the same, also where the arrays are views of series that grow in place."""
        arrays = [array for curve in self.curves for array in (curve.xs, curve.ys)]
        arrays += [self.band.xs, self.band.ys] if self.band else []
        return (
            *((len(a), a[-64:].tobytes(), a[:: len(a) // 256 + 1].tobytes()) for a in arrays),
            *((curve.role, curve.label, curve.style) for curve in self.curves),
            self.levels, self.borders, self.x_range, self.y_range, self.from_zero, self.log_x, self.log_y,
            self.x_name, self.x_format, self.hair, self.empty,
        )  # fmt: skip


# ---- ranges ------------------------------------------------------------------------------------------------------


def window(xs: Floats, x_range: Range) -> slice:
    """The values within, and one on either side: the line goes on to the edge."""
    start = int(np.searchsorted(xs, x_range[0], side="left"))
    stop = int(np.searchsorted(xs, x_range[1], side="right"))
    return slice(max(0, start - 1), stop + 1)


def x_range(picture: Picture) -> Range:
    """What the x axis spans."""
    low, high = picture.x_range or whole(picture)
    if picture.log_x:
        low = max(low, _least_positive(picture))
        high = max(high, low)
    if not high > low:
        low, high = (low / 2, low * 2) if picture.log_x else (low - 0.5, low + 0.5)
    return low, high


def whole(picture: Picture) -> Range:
    """From the first x to the last."""
    ends = [xs for curve in picture.curves for xs in (curve.xs[:1], curve.xs[-1:])]
    ends += [picture.band.xs[:1], picture.band.xs[-1:]] if picture.band else []
    all_ends = np.concatenate(ends) if ends else np.empty(0)
    return (float(all_ends.min()), float(all_ends.max())) if len(all_ends) else (0.0, 1.0)


def _least_positive(picture: Picture) -> float:
    firsts = [curve.xs[int(np.searchsorted(curve.xs, 0, side="right")) :][:1] for curve in picture.curves]
    positive = np.concatenate(firsts) if firsts else np.empty(0)
    return float(positive.min()) if len(positive) else 1.0


def y_range(picture: Picture) -> Range:
    """From the visible lines and points and the band without its outermost values, and a level that is near."""
    if picture.y_range and (picture.y_range[0] > 0 or not picture.log_y):
        return picture.y_range
    span = x_range(picture)
    head = _head(picture)
    found: list[float] = []
    for curve in picture.curves:
        found += _ends(_within(curve.xs, curve.ys, span, head), picture.log_y)
    if picture.band:
        seen = _within(picture.band.xs, picture.band.ys, span, head)
        seen = _drawable(seen[:: len(seen) // SAMPLE + 1], picture.log_y)
        found += np.percentile(seen, (1, 99)).tolist() if len(seen) else []
    if not found:
        found = [level.y for level in picture.levels if not picture.log_y or level.y > 0] or [0.1, 1.0]
    low, high = min(found), max(found)
    if picture.log_y:
        low, high = _with_level(picture, math.log(low), math.log(high), math.log)
        return math.exp(low), math.exp(high)
    floor = 0.0 if low >= 0 else -math.inf
    if picture.from_zero or 0 <= low < 0.1 * high:
        low = min(low, 0.0)
    low, high = _with_level(picture, low, high, float)
    return max(low, floor), high


def _head(picture: Picture) -> float:
    """Up to where the first values lie, once there are others; what is only planned, and drawn muted, has none."""
    told = [curve.xs for curve in picture.curves if curve.style == "line" and curve.role != "muted"]
    lines = [xs for xs in told if len(xs) > HEAD_AFTER]
    return min((float(xs[HEAD - 1]) for xs in lines), default=-math.inf)


def _within(xs: Floats, ys: Floats, span: Range, head: float) -> Floats:
    return ys[int(np.searchsorted(xs, max(span[0], np.nextafter(head, math.inf)))) : window(xs, span).stop]


def _ends(values: Floats, log: bool) -> list[float]:
    """The least and the greatest; looking for them first and at each value only where that is needed saves time."""
    if len(values):
        least, most = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if math.isfinite(most - least) and (least > 0 or not log):
            return [least, most]
        values = _drawable(values, log)
    return [float(values.min()), float(values.max())] if len(values) else []


def _drawable(values: Floats, log: bool) -> Floats:
    return values[np.isfinite(values) & ((values > 0) | (not log))]


def _with_level(picture: Picture, low: float, high: float, scale: Callable[[float], float]) -> Range:
    """`low` and `high` are scaled already; widened by a level that is near, and by a little air."""
    size = high - low or (abs(high) * 0.1 if scale is float else 0.2) or 1.0
    if high == low:
        low, high = low - size / 2, high + size / 2
    levels = [scale(level.y) for level in picture.levels if level.y > 0 or scale is float]
    near = min(levels, key=lambda y: max(low - y, y - high), default=math.nan)
    if max(low - near, near - high) <= NEAR * size:
        low, high = min(low, near), max(high, near)
    air = 0.04 * (high - low)
    return low - air, high + air


class Settled:
    """A range that grows at once and shrinks only when less has been enough for a while: the axis does not dance."""

    PATIENCE = 2.0
    """Seconds."""
    AIR = 0.05
    """How much more it grows than it must, so that it does not grow again at once; less gain is no reason to shrink."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._range: Range | None = None
        self._log = False
        self._since: float | None = None
        """When less began to be enough."""

    def forget(self) -> None:
        """Begin anew: something else is looked at."""
        self._range = self._since = None

    def due(self) -> bool:
        """Whether it is time to shrink."""
        return self._since is not None and self._clock() - self._since >= self.PATIENCE

    def __call__(self, wanted: Range, picture: Picture) -> Range:
        """The range to draw, where `wanted` is what would do."""
        if not picture.has_values:
            self.forget()
            return wanted
        if self._range is None or picture.y_range or picture.log_y != self._log:
            self._range, self._log, self._since = wanted, picture.log_y, None
            return wanted
        bend, unbend = (math.log, math.exp) if picture.log_y else (float, float)
        (low, high), (least, most) = map(bend, self._range), map(bend, wanted)
        air = self.AIR * (most - least)
        if least < low:
            low = least - air if wanted[0] < 0 or picture.log_y else max(0.0, least - air)
        if most > high:
            high = most + air
        if (high - low) - (most - least) <= 3 * air:
            self._since = None
        elif self._since is None:
            self._since = self._clock()
        elif self.due():
            low, high, self._since = least, most, None
        self._range = unbend(low), unbend(high)
        return self._range


# ---- numbers -----------------------------------------------------------------------------------------------------


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """At most `most` round numbers from `low` to `high`, evenly apart; `whole` ones where things are counted."""
    if not (high > low and most > 0 and math.isfinite(high - low)):
        return []
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5, 10, 20):
        step = factor * power
        if whole and step % 1:
            continue
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [n * step for n in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` numbers of one digit that count from `low` to `high`; where there are none, plain ticks."""
    if not high > low > 0:
        return []
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in (tuple(range(1, 10)), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        for stride in (1, 2, 3, 5, 10) if factors == (1,) else (1,):
            found = [f * 10.0**d for d in decades if d % stride == 0 for f in factors]
            found = [y for y in found if low * (1 - 1e-9) <= y <= high * (1 + 1e-9)]
            if 2 <= len(found) <= most:
                return found
    return ticks(low, high, most)


# ---- values ------------------------------------------------------------------------------------------------------


def value_at(curve: Curve, x: float) -> tuple[float, float] | None:
    """The line's value nearest to `x`, with its own x; of points the last one up to there. None where there is none."""
    if not len(curve.xs):
        return None
    if curve.style == "points":
        last = int(np.searchsorted(curve.xs, x, side="right")) - 1
        return (float(curve.xs[last]), float(curve.ys[last])) if last >= 0 else None
    right = int(np.searchsorted(curve.xs, x))
    near = min((i for i in (right - 1, right) if 0 <= i < len(curve.xs)), key=lambda i: abs(curve.xs[i] - x))
    y = float(curve.ys[near])
    return (float(curve.xs[near]), y) if math.isfinite(y) else None
