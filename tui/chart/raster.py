"""Character cells, and dots in them: plotext turns lines into dots, everything else is laid over them cell by cell.

plotext 6.1: its kernel draws 200 points into 100 x 20 cells in 3 ms (5.3.2: 5.5 ms), each figure is an object of its
own, and nothing asks the terminal. It is asked for dots only; each cell has one style, so colours never bleed.
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
"""Rows of characters; blank where there is nothing."""

plotext.terminal.limit(False, False)  # a figure may be larger than what plotext takes for the terminal
_Figure = type(plotext.figure)

_ASCII = str.maketrans({"▘": "'", "▝": "'", "▀": "'", "▖": ".", "▗": ".", "▄": "."} | dict.fromkeys("▌▐▚▞▙▟▛▜█", ":"))
"""Quarter blocks, as well as ASCII can say them."""


@dataclass(frozen=True)
class Signs:
    """The characters of a kind of terminal."""

    marker: str
    rows: int
    """Dots in a cell, from top to bottom."""
    vertical: str
    tick: str
    horizontal: str
    corner: str
    dash: str
    dotted: str
    hair: str


SIGNS = {
    "braille": Signs("braille", 4, "│", "┤", "─", "└", "╌", "┊", "│"),
    "blocks": Signs("hd", 2, "│", "┤", "─", "└", "╌", "┊", "│"),
    "ascii": Signs("hd", 2, "|", "+", "-", "+", "-", ":", "|"),
}


@dataclass(frozen=True)
class AxisScale:
    """From numbers to cells and back, along one axis; `cells` are counted from `low`."""

    low: float
    high: float
    cells: int
    dots: int
    """In a cell: values are put on the middle of dots."""
    log: bool

    def place(self, values: Floats) -> Floats:
        """Where in cells; nan where a logarithm has no place."""
        low, high = self._ends
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(values > 0, np.log(np.where(values > 0, values, 1)), np.nan) if self.log else values
        return (scaled - low) / (high - low) * (self.cells - 1 / self.dots) + 0.5 / self.dots

    def value(self, cells: Floats) -> Floats:
        """The other way round."""
        low, high = self._ends
        scaled = (cells - 0.5 / self.dots) / (self.cells - 1 / self.dots) * (high - low) + low
        return np.exp(scaled) if self.log else scaled

    def cell(self, value: float) -> int | None:
        """The cell of one value; None outside."""
        place = float(self.place(np.array([value]))[0])
        inside = -0.5 / self.dots <= place <= self.cells + 0.5 / self.dots
        return min(self.cells - 1, max(0, math.floor(place))) if inside else None

    @cached_property
    def _ends(self) -> Range:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


@dataclass
class Grid:
    """Cells: a character and a role each; what is written later is on top."""

    width: int
    height: int
    chars: Cells = field(init=False)
    roles: npt.NDArray[np.int16] = field(init=False)
    names: list[str] = field(default_factory=lambda: [""])

    def __post_init__(self) -> None:
        self.chars = np.full((self.height, self.width), " ", dtype="<U1")
        self.roles = np.zeros((self.height, self.width), dtype=np.int16)

    def role(self, name: str) -> int:
        """Its number."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def write(self, row: int, column: int, text: str, role: str) -> None:
        """A text, cut off at the edges."""
        text = text[max(0, -column) : max(0, self.width - column)]
        column = max(0, column)
        self.chars[row, column : column + len(text)] = list(text)
        self.roles[row, column : column + len(text)] = self.role(role)

    def put(self, cells: Cells, role: str, row: int = 0, column: int = 0) -> None:
        """Those of `cells` that are not blank."""
        area = (slice(row, row + cells.shape[0]), slice(column, column + cells.shape[1]))
        drawn = cells != " "
        self.chars[area][drawn] = cells[drawn]
        self.roles[area][drawn] = self.role(role)

    def runs(self, row: int) -> list[tuple[str, str]]:
        """A row as pieces of one role: (text, role)."""
        text, roles = "".join(self.chars[row].tolist()), self.roles[row]
        ends = [*(np.flatnonzero(np.diff(roles)) + 1).tolist(), self.width]
        starts = [0, *ends[:-1]]
        return [(text[start:end], self.names[roles[start]]) for start, end in zip(starts, ends, strict=True)]


# ---- dots --------------------------------------------------------------------------------------------------------


def plotted(columns: Floats, rows: Floats, width: int, height: int, signs: Signs) -> Cells:
    """The line through these places, in cells from the upper left; nan interrupts it."""
    columns, rows = _clipped(columns, rows, width, height)
    columns, rows = _bends(columns, rows, signs.rows)
    whole = np.isfinite(columns) & np.isfinite(rows)
    if not whole.any():
        return np.full((height, width), " ", dtype="<U1")
    figure = _Figure(plotext.terminal)
    figure.plot_size(width, height + 2)  # a row above and below for what is outside
    figure.axes(False)
    figure.canvas("default")
    for axis, ends in (("x", (0, width)), ("y", (height + 1, -1))):
        figure.ruler(axis).lim(*ends).frequency(0).alignment("edge")
    signal = figure.signal(columns[whole].tolist(), rows[whole].tolist(), marker=signs.marker).lines(True)
    gaps = np.flatnonzero(np.diff(np.cumsum(~whole)[whole]) > 0) + 1
    for at in gaps.tolist():
        signal.line(at, False)
    figure.draw(signal)
    lines = figure.build().string(True).split("\n")[1 : height + 1]
    return np.array([list(line.ljust(width)[:width]) for line in lines], dtype="<U1")


def _clipped(columns: Floats, rows: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """With a point where the line leaves the frame; at the sides it ends there, above and below it goes on outside."""
    for edge in (0.0, float(width)):
        columns, rows = _cut(columns, rows, edge)
    inside = ~((columns < 0) | (columns > width))
    columns, rows = columns[inside], rows[inside]
    for edge in (0.0, float(height)):
        rows, columns = _cut(rows, columns, edge)
    return columns, np.clip(rows, -0.5, height + 0.5)


def _cut(across: Floats, along: Floats, edge: float) -> tuple[Floats, Floats]:
    """With a point where the line crosses an edge."""
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero((across[:-1] - edge) * (across[1:] - edge) < 0)
    share = (edge - across[at]) / (across[at + 1] - across[at])
    crossings = along[at] + share * (along[at + 1] - along[at])
    return np.insert(across, at + 1, edge), np.insert(along, at + 1, crossings)


def _bends(columns: Floats, rows: Floats, dots: int) -> tuple[Floats, Floats]:
    """Without the points amid a level stretch of dots, which change nothing: plotext's time goes by points."""
    level = np.floor(rows * dots)
    needed = np.ones(len(rows), dtype=np.bool_)
    needed[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])  # nan differs from all
    return columns[needed], rows[needed]


def bins(xs: Floats, edges: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where the bins between `edges` that are not empty begin, and which they are."""
    starts = np.concatenate([[0], np.searchsorted(xs, edges)])
    stops = np.append(starts[1:], len(xs))
    which = np.flatnonzero(stops > starts)
    return starts[which], which


_BRAILLE_BITS = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])
_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


def cells_of(mask: Bools, rows: int, ascii_only: bool) -> Cells:
    """Dots, `rows` x 2 of them in a cell, as characters."""
    blocks = mask.reshape(mask.shape[0] // rows, rows, mask.shape[1] // 2, 2)
    if rows == 4:
        codes = np.einsum("hrwc,rc->hw", blocks, _BRAILLE_BITS)
        table = np.array([" ", *(chr(0x2800 + code) for code in range(1, 256))])
    else:
        codes = np.einsum("hrwc,rc->hw", blocks, np.array([[1, 2], [4, 8]]))
        table = np.array(list(_QUARTERS))
    cells = table[codes]
    return np.where(cells == " ", " ", ".") if ascii_only else cells


def plain(cells: Cells) -> Cells:
    """Quarter blocks in ASCII."""
    return np.array([list("".join(row).translate(_ASCII)) for row in cells.tolist()], dtype="<U1")
