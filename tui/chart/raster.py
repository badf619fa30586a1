"""Character cells, and the dots in them: plotext turns lines into dots, everything else is written cell by cell.

Of plotext (6.1: 200 points into 100 x 20 cells take 3 ms) only the dots are used: each cell has one style, so colours
never bleed, and nothing queries the terminal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import plotext  # type: ignore[import-untyped]

from tui.chart.picture import Range
from tui.live.series import Floats

Bools = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.str_]
"""Characters (rows, columns); blank where there is nothing."""

plotext.terminal.limit(False, False)  # a figure may be larger than the terminal that plotext assumes
_Figure = type(plotext.figure)

_ASCII = str.maketrans({"▘": "'", "▝": "'", "▀": "'", "▖": ".", "▗": ".", "▄": "."} | dict.fromkeys("▌▐▚▞▙▟▛▜█", ":"))
"""The ASCII characters nearest to quarter blocks."""


@dataclass(frozen=True)
class ChartGlyphs:
    """The characters that charts are drawn with on one kind of terminal."""

    marker: str
    """plotext's name for the dots of a line."""
    rows: int
    """Dots in the height of a cell."""
    vertical: str
    tick: str
    horizontal: str
    corner: str
    dash: str
    dotted: str
    hair: str


CHART_GLYPHS = {
    "braille": ChartGlyphs("braille", 4, "│", "┤", "─", "└", "╌", "┊", "│"),
    "blocks": ChartGlyphs("hd", 2, "│", "┤", "─", "└", "╌", "┊", "│"),
    "ascii": ChartGlyphs("hd", 2, "|", "+", "-", "+", "-", ":", "|"),
}


@dataclass(frozen=True)
class AxisScale:
    """Converts between the numbers of one axis and cells, which are counted from `low`."""

    low: float
    high: float
    cells: int
    dots: int
    """Dots in a cell: values lie at the middle of dots."""
    log: bool

    def to_cells(self, values: Floats) -> Floats:
        """Positions in cells, with fractions; nan where a logarithm is not defined."""
        low, high = self._ends
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(values > 0, np.log(np.where(values > 0, values, 1)), np.nan) if self.log else values
        return (scaled - low) / (high - low) * (self.cells - 1 / self.dots) + 0.5 / self.dots

    def to_values(self, cells: Floats) -> Floats:
        """The inverse of `to_cells`."""
        low, high = self._ends
        scaled = (cells - 0.5 / self.dots) / (self.cells - 1 / self.dots) * (high - low) + low
        return np.exp(scaled) if self.log else scaled

    def cell(self, value: float) -> int | None:
        """The cell of one value; None outside the axis."""
        position = float(self.to_cells(np.array([value]))[0])
        inside = -0.5 / self.dots <= position <= self.cells + 0.5 / self.dots
        return min(self.cells - 1, max(0, math.floor(position))) if inside else None

    @cached_property
    def _ends(self) -> Range:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


@dataclass
class CellGrid:
    """Cells with a character and a role each; what is written later covers what was written before."""

    width: int
    height: int
    chars: Cells = field(init=False)
    roles: npt.NDArray[np.int16] = field(init=False)
    names: list[str] = field(default_factory=lambda: [""])

    def __post_init__(self) -> None:
        self.chars = np.full((self.height, self.width), " ", dtype="<U1")
        self.roles = np.zeros((self.height, self.width), dtype=np.int16)

    def role(self, name: str) -> int:
        """The number that `roles` has for a role; new ones get the next."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def write(self, row: int, column: int, text: str, role: str) -> None:
        """Write a text, cut off at the edges."""
        text = text[max(0, -column) : max(0, self.width - column)]
        column = max(0, column)
        self.chars[row, column : column + len(text)] = list(text)
        self.roles[row, column : column + len(text)] = self.role(role)

    def put(self, cells: Cells, role: str, row: int = 0, column: int = 0) -> None:
        """Write those of `cells` that are not blank."""
        area = (slice(row, row + cells.shape[0]), slice(column, column + cells.shape[1]))
        drawn = cells != " "
        self.chars[area][drawn] = cells[drawn]
        self.roles[area][drawn] = self.role(role)

    def runs(self, row: int) -> list[tuple[str, str]]:
        """A row as stretches of one role each: (text, role)."""
        text, roles = "".join(self.chars[row].tolist()), self.roles[row]
        ends = [*(np.flatnonzero(np.diff(roles)) + 1).tolist(), self.width]
        starts = [0, *ends[:-1]]
        return [(text[start:end], self.names[roles[start]]) for start, end in zip(starts, ends, strict=True)]


# ---- dots --------------------------------------------------------------------------------------------------------


def line_cells(columns: Floats, rows: Floats, width: int, height: int, glyphs: ChartGlyphs) -> Cells:
    """The line through points (N,), given in cells from the upper left; nan interrupts it."""
    columns, rows = _clipped(columns, rows, width, height)
    columns, rows = _without_level_points(columns, rows, glyphs.rows)
    whole = np.isfinite(columns) & np.isfinite(rows)
    if not whole.any():
        return np.full((height, width), " ", dtype="<U1")
    figure = _Figure(plotext.terminal)
    figure.plot_size(width, height + 2)  # a row above and below for what is outside
    figure.axes(False)
    figure.canvas("default")
    for axis, ends in (("x", (0, width)), ("y", (height + 1, -1))):
        figure.ruler(axis).lim(*ends).frequency(0).alignment("edge")
    signal = figure.signal(columns[whole].tolist(), rows[whole].tolist(), marker=glyphs.marker).lines(True)
    gaps = np.flatnonzero(np.diff(np.cumsum(~whole)[whole]) > 0) + 1
    for at in gaps.tolist():
        signal.line(at, False)
    figure.draw(signal)
    lines = figure.build().string(True).split("\n")[1 : height + 1]
    return np.array([list(line.ljust(width)[:width]) for line in lines], dtype="<U1")


def _clipped(columns: Floats, rows: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """The line with a point where it crosses the frame; it ends at the sides, and goes on just above and below."""
    for edge in (0.0, float(width)):
        columns, rows = _cut(columns, rows, edge)
    inside = ~((columns < 0) | (columns > width))
    columns, rows = columns[inside], rows[inside]
    for edge in (0.0, float(height)):
        rows, columns = _cut(rows, columns, edge)
    return columns, np.clip(rows, -0.5, height + 0.5)


def _cut(across: Floats, along: Floats, edge: float) -> tuple[Floats, Floats]:
    """The line with a point wherever it crosses an edge."""
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero((across[:-1] - edge) * (across[1:] - edge) < 0)
    share = (edge - across[at]) / (across[at + 1] - across[at])
    crossings = along[at] + share * (along[at + 1] - along[at])
    return np.insert(across, at + 1, edge), np.insert(along, at + 1, crossings)


def _without_level_points(columns: Floats, rows: Floats, dots: int) -> tuple[Floats, Floats]:
    """The line without points inside a level stretch of dots, which draw nothing new: plotext's time goes by points."""
    level = np.floor(rows * dots)
    needed = np.ones(len(rows), dtype=np.bool_)
    needed[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])  # nan differs from all
    return columns[needed], rows[needed]


def bins(xs: Floats, edges: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The start index in `xs` of each non-empty bin between `edges`, and the number of the bin."""
    starts = np.concatenate([[0], np.searchsorted(xs, edges)])
    stops = np.append(starts[1:], len(xs))
    which = np.flatnonzero(stops > starts)
    return starts[which], which


_BRAILLE_BITS = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])
_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


def dot_cells(mask: Bools, rows: int, ascii_only: bool) -> Cells:
    """Dots as characters, `rows` x 2 dots in each."""
    blocks = mask.reshape(mask.shape[0] // rows, rows, mask.shape[1] // 2, 2)
    if rows == 4:
        codes = np.einsum("hrwc,rc->hw", blocks, _BRAILLE_BITS)
        table = np.array([" ", *(chr(0x2800 + code) for code in range(1, 256))])
    else:
        codes = np.einsum("hrwc,rc->hw", blocks, np.array([[1, 2], [4, 8]]))
        table = np.array(list(_QUARTERS))
    cells = table[codes]
    return np.where(cells == " ", " ", ".") if ascii_only else cells


def to_ascii(cells: Cells) -> Cells:
    """Quarter blocks as ASCII characters."""
    return np.array([list("".join(row).translate(_ASCII)) for row in cells.tolist()], dtype="<U1")
