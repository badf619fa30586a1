"""Draws a picture into cells, layer over layer: band, levels, borders, lines, points, labels, hair line."""

from __future__ import annotations

import math

import numpy as np

from tui.chart import picture as pictures
from tui.chart.picture import Curve, Level, Picture
from tui.chart.raster import CHART_GLYPHS, AxisScale, CellGrid, bins, dot_cells, line_cells, to_ascii
from tui.live.series import Floats
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import compact, count

AXES_WIDTH, AXES_HEIGHT = 34, 5
"""Smaller charts have no axes, only the two ends of the y range."""
GUTTER_WIDTH = 16
"""Narrower charts have nothing but the curves."""
ROWS_A_TICK, COLUMNS_A_TICK = 2.6, 14

ALIKE = 0.05
"""Ends of a range that differ by less than this share are written with more digits."""


class Drawing:
    """A picture in cells with roles, which the widget gives colours, and where its axes lie in them."""

    def __init__(self, picture: Picture, width: int, height: int, glyphs: Glyphs) -> None:
        """Draws it at once."""
        self.picture, self.glyphs = picture, glyphs
        self.grid = grid = CellGrid(max(1, width), max(1, height))
        self.chart_glyphs = CHART_GLYPHS[glyphs.name]
        self.axes = grid.width >= AXES_WIDTH and grid.height >= AXES_HEIGHT
        self.rows = grid.height - self.axes
        low, high = pictures.y_range(picture)
        self.labels = self._labels(low, high)
        self.left = self._gutter()
        """The first column of the x axis."""
        self.columns = grid.width - self.left
        self.y = AxisScale(low, high, self.rows, self.chart_glyphs.rows, picture.log_y)
        self.x = AxisScale(*pictures.x_range(picture), self.columns, 2, picture.log_x)
        self.curve = np.zeros((self.rows, self.columns), dtype=np.bool_)
        """Cells (rows, columns) that labels must not cover."""
        self._draw()

    # ---- frame ---------------------------------------------------------------------------------------------------

    def _labels(self, low: float, high: float) -> list[tuple[float, str]]:
        """The labels of the y axis with their values; on a small chart only its ends."""
        if not (self.picture.has_values or self.picture.levels):
            return []  # an axis of nothing has no numbers
        if not self.axes:
            digits = 2 if high - low > ALIKE * abs(high) else 4  # or 1k would stand above 999, and 578 above 578
            return [(y, compact(y, digits=digits)) for y in (high, low)[: self.rows]]
        most = max(2, round(self.rows / ROWS_A_TICK))
        if self.picture.log_y:
            return [(y, compact(y)) for y in pictures.log_ticks(low, high, most)]
        ticks = pictures.ticks(low, high, most)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else None
        return [(y, compact(y, step)) for y in ticks]

    def _gutter(self) -> int:
        if self.grid.width < GUTTER_WIDTH:
            return 0
        return max((len(text) for _, text in self.labels), default=0) + 1

    def _draw(self) -> None:
        """Draw everything, from the back to the front."""
        self._frame()
        if self.columns <= 0:
            return
        if self.picture.band:
            self._band(self.picture.band.xs, self.picture.band.ys)
        levels = self._levels()
        self._borders()
        for curve in self.picture.curves:
            if curve.style == "line":
                self._line(curve)
        for curve in self.picture.curves:
            if curve.style == "points":
                self._points(curve)
        self._outside()
        for curve in self.picture.curves:
            self._end_label(curve)
        self._name_levels(levels)
        self._name_borders()
        self._hair()
        if self.picture.empty and not self.picture.has_values:
            self._empty()

    def _frame(self) -> None:
        grid, chars = self.grid, self.chart_glyphs
        if self.axes:
            for row in range(self.rows):
                grid.write(row, self.left - 1, chars.vertical, "axis")
        if self.left:
            for value, text in self.labels:
                at = self._row(value)
                if at is not None:
                    grid.write(at, 0, text.rjust(self.left - 1) + (chars.tick if self.axes else " "), "axis")
        if self.axes:
            self._x_axis()

    def _x_axis(self) -> None:
        grid, chars, row = self.grid, self.chart_glyphs, self.rows
        grid.write(row, self.left - 1, chars.corner + chars.horizontal * self.columns, "axis")
        start, end = self.picture.x_format(self.x.low), " " + self.picture.x_words(self.x.high)
        grid.write(row, self.left, start + " ", "axis")
        grid.write(row, grid.width - len(end), end, "axis")
        most = self.columns // COLUMNS_A_TICK if self.picture.x_name else 0
        if self.picture.log_x:
            ticks = pictures.log_ticks(self.x.low, self.x.high, most)
        else:
            ticks = pictures.ticks(self.x.low, self.x.high, most, whole=self.picture.x_format is count)
        free = self.left + len(start) + 2
        for x in ticks:
            text, cell = f" {self.picture.x_format(x)} ", self.x.cell(x)
            at = self.left + (cell or 0) - len(text) // 2
            if at > free and at + len(text) < grid.width - len(end) - 1:
                grid.write(row, at, text, "axis")
                free = at + len(text)

    def _row(self, y: float) -> int | None:
        cell = self.y.cell(y)
        return None if cell is None else self.rows - 1 - cell

    def _empty(self) -> None:
        words = f" {self.picture.empty} "[: self.columns]
        self.grid.write(self.rows // 2, self.left + (self.columns - len(words)) // 2, words, "empty")

    # ---- layers --------------------------------------------------------------------------------------------------

    def _band(self, xs: Floats, ys: Floats) -> None:
        """Fill the dots from the least to the greatest value of each column of dots."""
        part = pictures.visible(xs, (self.x.low, self.x.high))
        xs, ys = xs[part], ys[part]
        if not len(xs):
            return
        columns = 2 * self.columns
        edges = self.x.to_values(np.arange(1, columns) / 2)
        starts, which = bins(xs, edges)
        low, high = np.fmin.reduceat(ys, starts), np.fmax.reduceat(ys, starts)
        top = self._dots(high)
        bottom = self._dots(low)
        known = np.isfinite(top) & np.isfinite(bottom)
        height = self.rows * self.chart_glyphs.rows
        mask = np.zeros((height, columns), dtype=np.bool_)
        rows = np.arange(height)[:, None]
        mask[:, which[known]] = (rows >= top[known]) & (rows <= bottom[known])
        self.grid.put(dot_cells(mask, self.chart_glyphs.rows, self.glyphs.name == "ascii"), "band", 0, self.left)

    def _dots(self, ys: Floats) -> Floats:
        """Rows of dots, counted from the top."""
        return np.floor((self.rows - self.y.to_cells(ys)) * self.chart_glyphs.rows)

    def _line(self, curve: Curve) -> None:
        columns, ys = self._reduced(curve.xs, curve.ys)
        ys = np.where(np.isfinite(ys), ys, np.nan)
        if len(columns):
            cells = line_cells(columns, self.rows - self.y.to_cells(ys), self.columns, self.rows, self.chart_glyphs)
            if self.glyphs.name == "ascii":
                cells = to_ascii(cells)
            self.curve |= cells != " "
            self.grid.put(cells, curve.role, 0, self.left)

    def _reduced(self, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
        """At most two points a column, its least and greatest value, in the direction in which the line goes."""
        part = pictures.visible(xs, (self.x.low, self.x.high))
        if part.stop - part.start <= 2 * self.columns:
            return self.x.to_cells(xs[part]), ys[part]
        xs, ys = xs[part], ys[part]
        starts, which = bins(xs, self.x.to_values(np.arange(1, self.columns, dtype=np.float64)))
        low, high = np.fmin.reduceat(ys, starts), np.fmax.reduceat(ys, starts)
        falling = ys[np.append(starts[1:], len(ys)) - 1] < ys[starts]
        values = np.where(falling, [high, low], [low, high])
        return np.ravel([which + 0.25, which + 0.75], order="F"), np.ravel(values, order="F")

    def _points(self, curve: Curve) -> None:
        part = pictures.visible(curve.xs, (self.x.low, self.x.high))
        columns, rows = self.x.to_cells(curve.xs[part]), self.rows - self.y.to_cells(curve.ys[part])
        seen = (columns >= 0) & (columns <= self.columns) & (rows >= 0) & (rows <= self.rows)
        at = (
            np.minimum(rows[seen].astype(int), self.rows - 1),
            np.minimum(columns[seen].astype(int), self.columns - 1),
        )
        self.curve[at] = True
        cells = np.full((self.rows, self.columns), " ", dtype="<U1")
        cells[at] = self.glyphs.diamond
        self.grid.put(cells, curve.role, 0, self.left)

    def _levels(self) -> list[tuple[Level, int]]:
        """Draw the levels; returns those to be named, with their rows: of two on one row the nearer to the curve."""
        here = self._newest()
        kept: dict[int, Level] = {}
        for level in sorted(self.picture.levels, key=lambda level: abs(level.y - here)):
            row = self._row(level.y)
            if row is not None:
                kept.setdefault(row, level)
        dashes = (self.chart_glyphs.dash + " ") * (self.columns // 2 + 1)
        for row in kept:
            self.grid.put(np.array([list(dashes[: self.columns])]), "level", row, self.left)
        return [(level, row) for row, level in kept.items()]

    def _newest(self) -> float:
        for curve in self.picture.curves:
            finite = curve.ys[-64:][np.isfinite(curve.ys[-64:])]
            if len(finite):
                return float(finite[-1])
        return self.y.low

    def _borders(self) -> None:
        for border in self.picture.borders:
            column = self.x.cell(border.x)
            if column is not None:
                for row in range(self.rows):
                    self.grid.write(row, self.left + column, self.chart_glyphs.dotted, "border")

    def _outside(self) -> None:
        """Write the greatest value above the range, where there is one."""
        arrays = [(curve.xs, curve.ys) for curve in self.picture.curves]
        arrays += [(self.picture.band.xs, self.picture.band.ys)] if self.picture.band else []
        peaks = [peak for xs, ys in arrays if (peak := self._peak(xs, ys))]
        if not peaks:
            return
        y, x = max(peaks)
        brief = f" {self.glyphs.up} {compact(y)}"
        for text in (f"{brief} at {self.picture.x_words(x)}", brief):
            at = self.columns - len(text)
            if at >= 0 and not self.curve[0, at:].any():
                self.grid.write(0, self.left + at, text, "mark")
                self.curve[0, at:] = True
                return

    def _peak(self, xs: Floats, ys: Floats) -> tuple[float, float] | None:
        """The greatest visible value and its x, where it is above the range."""
        part = slice(int(np.searchsorted(xs, self.x.low)), int(np.searchsorted(xs, self.x.high, side="right")))
        seen = ys[part]
        most = float(np.fmax.reduce(seen)) if len(seen) else math.nan
        beyond = self.y.to_cells(np.array([most]))[0] > self.rows + 0.5
        return (most, float(xs[part][np.flatnonzero(seen == most)[0]])) if beyond else None

    # ---- labels --------------------------------------------------------------------------------------------------

    def _name_levels(self, levels: list[tuple[Level, int]]) -> None:
        """Write the name of each level on or next to its line, as far right as it hides no curve."""
        lines = {row for _, row in levels}
        for level, row in levels:
            text = f" {level.label} "
            for near in (row, *({row - 1, row + 1} - lines)):
                at = self._free(near, len(text)) if 0 <= near < self.rows else None
                if at is not None:
                    self.grid.write(near, self.left + at, text, "level_name")
                    self.curve[near, at : at + len(text)] = True
                    break

    def _name_borders(self) -> None:
        """Write the name of each border to its right, or left where that is allowed and needed, as high as is free."""
        for border in self.picture.borders:
            column, size = self.x.cell(border.x), len(border.label)
            if column is None:
                continue
            start = column + 1
            if border.either_side and start + size > self.columns:
                start = column - size
            stop = start + size
            if start < 0 or stop > self.columns:
                continue
            free = np.flatnonzero(~self.curve[:, start:stop].any(axis=1))
            if len(free):
                self.grid.write(int(free[0]), self.left + start, border.label, "border")
                self.curve[free[0], start:stop] = True

    def _free(self, row: int, length: int) -> int | None:
        taken = np.concatenate([[0], np.cumsum(self.curve[row])])
        free = np.flatnonzero(taken[length:] == taken[:-length]).tolist() if length <= self.columns else []
        return max(free, default=None)

    def _end_label(self, curve: Curve) -> None:
        """Write the name of a line at its end, or above or below that, in the colour of the line."""
        finite = np.flatnonzero(np.isfinite(curve.ys))
        if not (curve.label and len(finite)):
            return
        x, y = float(curve.xs[finite[-1]]), float(curve.ys[finite[-1]])
        row, column = self._row(y), self.x.cell(x)
        text = f" {curve.label} "
        if row is None or column is None or len(text) > self.columns // 2:
            return
        room = self.columns - len(text)
        spots = [(row, column + 1)] if column < room else []
        spots += [(near, min(room, column + 1)) for d in (1, 2, 3) for near in (row - d, row + d)]
        for near, at in spots:
            if 0 <= near < self.rows and not self.curve[near, at : at + len(text)].any():
                self.grid.write(near, self.left + at, text, curve.role)
                self.curve[near, at : at + len(text)] = True
                return

    def _hair(self) -> None:
        hair = self.picture.hair
        column = None if hair is None else self.x.cell(hair)
        if hair is None or column is None:
            return
        for row in range(self.rows):
            if not self.curve[row, column]:
                self.grid.write(row, self.left + column, self.chart_glyphs.hair, "hair")
        if not self.axes:
            return  # no room: the title of the chart has the values
        pieces = [(self.picture.x_words(hair), "hair")]
        for curve in self.picture.curves:
            point = pictures.value_at(curve, hair)
            if point:
                sign = f"{self.glyphs.diamond} " if curve.style == "points" else ""
                pieces.append((sign + compact(point[1], digits=4), curve.role))
        length = sum(len(text) + 2 for text, _ in pieces)
        if length > self.columns:
            return
        row, at = self._beside(column, length)
        self.grid.write(row, self.left + at, " " * length, "hair")
        for text, role in pieces:
            self.grid.write(row, self.left + at + 1, text, role)
            at += len(text) + 2

    def _beside(self, column: int, length: int) -> tuple[int, int]:
        """Row and column for the values at the hair line: at the top or bottom, where they hide no curve."""
        right, left = column + 1, max(0, column - length)
        sides = [side for side in (right, left) if side + length <= self.columns] or [left]
        for row in dict.fromkeys((0, self.rows - 1, min(1, self.rows - 1), max(0, self.rows - 2))):
            for side in sides:
                if not self.curve[row, side : side + length].any():
                    return row, side
        return 0, sides[0]
