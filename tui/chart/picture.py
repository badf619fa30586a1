"""What a chart shows, as plain data, and what follows from it: the ranges of its axes and their ticks."""

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
"""The first values of a run, which are far above all others, do not count for the y range."""
HEAD_AFTER = 50
"""Values from which on the head is left out."""
NEAR = 0.25
"""A level this near to the curves, as a share of their range, is taken into view."""
BAND_SAMPLE = 8192
"""Values of a band that are enough for its percentiles."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A line or points; `xs` (N,) ascend, nan in `ys` (N,) is a gap."""

    xs: Floats
    ys: Floats
    role: str = "train"
    """Its colour, as the component class `chart--<role>`: train, held_out, best, lr, norm, speed, a, b, c, d, muted."""
    label: str = ""
    """Written at its right end where there is room."""
    style: Literal["line", "points"] = "line"


@dataclass(frozen=True, eq=False)
class Band:
    """Raw values, shown dimly from the least to the greatest in each column."""

    xs: Floats
    ys: Floats


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line with its name."""

    y: float
    label: str


@dataclass(frozen=True)
class Border:
    """A dotted vertical line with its name, where a phase begins or the run was rolled back."""

    x: float
    label: str
    either_side: bool = False
    """The name may also stand to the left: it names a position, not what begins there."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Everything that one chart shows."""

    curves: tuple[Curve, ...] = ()
    band: Band | None = None
    levels: tuple[Level, ...] = ()
    borders: tuple[Border, ...] = ()
    x_range: Range | None = None
    """None: the whole curves."""
    y_range: Range | None = None
    """None: what the function `y_range` finds."""
    log_x: bool = False
    log_y: bool = False
    x_name: str = "step"
    """The unit: "step" stands before the number, other units after it."""
    x_format: Callable[[float], str] = count
    hair: float | None = None
    """The x of the hair line."""
    empty: str = ""
    """Written in the middle while there is nothing to draw."""

    @property
    def has_values(self) -> bool:
        """Whether there is anything to draw."""
        return any(len(curve.xs) for curve in self.curves)

    def x_words(self, x: float) -> str:
        """A position on the x axis: "step 740", "0.85 M tokens", "1:04"."""
        number = self.x_format(x)
        return f"{self.x_name} {number}" if self.x_name == "step" else f"{number} {self.x_name}".rstrip()

    def fingerprint(self) -> tuple[object, ...]:
        """Equal for pictures that look the same, even where arrays are views of series that grow in place."""
        arrays = [array for curve in self.curves for array in (curve.xs, curve.ys)]
        arrays += [self.band.xs, self.band.ys] if self.band else []
        return (
            *((len(a), a[-64:].tobytes(), a[:: len(a) // 256 + 1].tobytes()) for a in arrays),
            *((curve.role, curve.label, curve.style) for curve in self.curves),
            self.levels, self.borders, self.x_range, self.y_range, self.log_x, self.log_y,
            self.x_name, self.x_format, self.hair, self.empty,
        )  # fmt: skip


# ---- ranges ------------------------------------------------------------------------------------------------------


def visible(xs: Floats, x_range: Range) -> slice:
    """The values within the range and one on either side, so that the line reaches the edges."""
    start = int(np.searchsorted(xs, x_range[0], side="left"))
    stop = int(np.searchsorted(xs, x_range[1], side="right"))
    return slice(max(0, start - 1), stop + 1)


def x_range(picture: Picture) -> Range:
    """The range of the x axis."""
    low, high = picture.x_range or full_x_range(picture)
    if picture.log_x:
        low = max(low, _least_positive(picture))
        high = max(high, low)
    if not high > low:
        low, high = (low / 2, low * 2) if picture.log_x else (low - 0.5, low + 0.5)
    return low, high


def full_x_range(picture: Picture) -> Range:
    """From the first x of all curves to the last."""
    ends = [xs for curve in picture.curves for xs in (curve.xs[:1], curve.xs[-1:])]
    ends += [picture.band.xs[:1], picture.band.xs[-1:]] if picture.band else []
    all_ends = np.concatenate(ends) if ends else np.empty(0)
    return (float(all_ends.min()), float(all_ends.max())) if len(all_ends) else (0.0, 1.0)


def _least_positive(picture: Picture) -> float:
    firsts = [curve.xs[int(np.searchsorted(curve.xs, 0, side="right")) :][:1] for curve in picture.curves]
    positive = np.concatenate(firsts) if firsts else np.empty(0)
    return float(positive.min()) if len(positive) else 1.0


def y_range(picture: Picture) -> Range:
    """The range of the y axis: of the visible curves, of the band without its outliers, and of a level that is near."""
    if picture.y_range and (picture.y_range[0] > 0 or not picture.log_y):
        return picture.y_range
    span = x_range(picture)
    head = _head(picture)
    ends: list[float] = []
    for curve in picture.curves:
        ends += _ends(_within(curve.xs, curve.ys, span, head), picture.log_y)
    if picture.band:
        values = _within(picture.band.xs, picture.band.ys, span, head)
        values = _drawable(values[:: len(values) // BAND_SAMPLE + 1], picture.log_y)
        ends += np.percentile(values, (1, 99)).tolist() if len(values) else []
    if not ends:
        ends = [level.y for level in picture.levels if not picture.log_y or level.y > 0] or [0.1, 1.0]
    low, high = min(ends), max(ends)
    if picture.log_y:
        low, high = _with_level(picture, math.log(low), math.log(high), math.log)
        return math.exp(low), math.exp(high)
    floor = 0.0 if low >= 0 else -math.inf
    if 0 <= low < 0.1 * high:
        low = 0.0
    low, high = _with_level(picture, low, high, float)
    return max(low, floor), high


def _head(picture: Picture) -> float:
    """The x up to which values do not count; curves that are only planned, and drawn muted, have no such head."""
    measured = [curve.xs for curve in picture.curves if curve.style == "line" and curve.role != "muted"]
    lines = [xs for xs in measured if len(xs) > HEAD_AFTER]
    return min((float(xs[HEAD - 1]) for xs in lines), default=-math.inf)


def _within(xs: Floats, ys: Floats, span: Range, head: float) -> Floats:
    return ys[int(np.searchsorted(xs, max(span[0], np.nextafter(head, math.inf)))) : visible(xs, span).stop]


def _ends(values: Floats, log: bool) -> list[float]:
    """The least and the greatest drawable value; the fast path looks at single values only where it has to."""
    if len(values):
        least, most = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if math.isfinite(most - least) and (least > 0 or not log):
            return [least, most]
        values = _drawable(values, log)
    return [float(values.min()), float(values.max())] if len(values) else []


def _drawable(values: Floats, log: bool) -> Floats:
    return values[np.isfinite(values) & ((values > 0) | (not log))]


def _with_level(picture: Picture, low: float, high: float, scale: Callable[[float], float]) -> Range:
    """`low` and `high`, in the units of `scale`, widened to include a level that is near, and by a margin."""
    size = high - low or (abs(high) * 0.1 if scale is float else 0.2) or 1.0
    if high == low:
        low, high = low - size / 2, high + size / 2
    levels = [scale(level.y) for level in picture.levels if level.y > 0 or scale is float]
    near = min(levels, key=lambda y: max(low - y, y - high), default=math.nan)
    if max(low - near, near - high) <= NEAR * size:
        low, high = min(low, near), max(high, near)
    margin = 0.04 * (high - low)
    return low - margin, high + margin


class StableRange:
    """A y range that grows at once but shrinks only after a while, so that the axis does not jump."""

    PATIENCE = 2.0
    """Seconds for which less must have been enough before it shrinks."""
    MARGIN = 0.05
    """The share it grows beyond what is needed, so as not to grow again at once; it shrinks only to gain more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._range: Range | None = None
        self._log = False
        self._since: float | None = None
        """Since when less has been enough."""

    def forget(self) -> None:
        """Start over, for another view."""
        self._range = self._since = None

    def due(self) -> bool:
        """Whether it is time to shrink."""
        return self._since is not None and self._clock() - self._since >= self.PATIENCE

    def __call__(self, wanted: Range, picture: Picture) -> Range:
        """The range to draw, given the one that would be enough."""
        if not picture.has_values:
            self.forget()
            return wanted
        if self._range is None or picture.y_range or picture.log_y != self._log:
            self._range, self._log, self._since = wanted, picture.log_y, None
            return wanted
        scale, unscale = (math.log, math.exp) if picture.log_y else (float, float)
        (low, high), (least, most) = map(scale, self._range), map(scale, wanted)
        margin = self.MARGIN * (most - least)
        if least < low:
            low = least - margin if wanted[0] < 0 or picture.log_y else max(0.0, least - margin)
        if most > high:
            high = most + margin
        if (high - low) - (most - least) <= 3 * margin:
            self._since = None
        elif self._since is None:
            self._since = self._clock()
        elif self.due():
            low, high, self._since = least, most, None
        self._range = unscale(low), unscale(high)
        return self._range


# ---- ticks -------------------------------------------------------------------------------------------------------


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """At most `most` round numbers from `low` to `high`, evenly spaced; `whole` numbers for a count."""
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
    """At most `most` numbers of one significant digit from `low` to `high`; linear ticks where fewer than 2 fit."""
    if not high > low > 0:
        return []
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in (tuple(range(1, 10)), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        for stride in (1, 2, 3, 5, 10) if factors == (1,) else (1,):
            candidates = [f * 10.0**d for d in decades if d % stride == 0 for f in factors]
            inside = [y for y in candidates if low * (1 - 1e-9) <= y <= high * (1 + 1e-9)]
            if 2 <= len(inside) <= most:
                return inside
    return ticks(low, high, most)


# ---- values ------------------------------------------------------------------------------------------------------


def value_at(curve: Curve, x: float) -> tuple[float, float] | None:
    """The x and y of a line's value nearest to `x`, or of the last point up to `x`; None where there is none."""
    if not len(curve.xs):
        return None
    if curve.style == "points":
        last = int(np.searchsorted(curve.xs, x, side="right")) - 1
        return (float(curve.xs[last]), float(curve.ys[last])) if last >= 0 else None
    right = int(np.searchsorted(curve.xs, x))
    near = min((i for i in (right - 1, right) if 0 <= i < len(curve.xs)), key=lambda i: abs(curve.xs[i] - x))
    y = float(curve.ys[near])
    return (float(curve.xs[near]), y) if math.isfinite(y) else None
