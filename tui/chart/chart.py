"""The chart widget: a picture with a hair line that reads values, zoom, pan and logarithmic scales.

`tui.chart.render` draws it, and is imported when the first chart draws.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.segment import Segment
from textual import events
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.chart.picture import Curve, Picture, Range, StableRange, value_at, x_range, y_range
from tui.terminal import glyphs
from tui.terminal.glyphs import Glyphs
from tui.terminal.keys import hidden

if TYPE_CHECKING:
    from tui.chart.render import Drawing

ZOOM = 2.0
"""The factor of one press of +."""
LEAST_POINTS = 8
"""Points in view below which there is no zooming in."""
SCALES = ("linear", "log y", "log x+y")


class Chart(Widget, can_focus=True):
    """Shows a `Picture`; a screen gives it a new one when there is something new, and may set hair, zoom and scale."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; min-height: 1; }
    Chart > .chart--train, Chart > .chart--lr, Chart > .chart--norm, Chart > .chart--speed { color: $text-primary; }
    Chart > .chart--held_out { color: $warning; text-style: bold; }
    Chart > .chart--best { color: $success; }
    Chart:light > .chart--held_out { color: $text-warning; }
    Chart:light > .chart--best { color: $text-success; }
    Chart > .chart--a { color: $text-primary; }
    Chart > .chart--b { color: $text-warning; }
    Chart > .chart--c { color: $text-success; }
    Chart > .chart--d { color: $text-error; }
    Chart > .chart--muted, Chart > .chart--level_name, Chart > .chart--axis { color: $text-muted; }
    Chart > .chart--mark, Chart > .chart--empty { color: $text-muted; }
    Chart > .chart--band { color: $primary 65%; }
    Chart > .chart--level { color: $foreground 25%; }
    Chart > .chart--border { color: $foreground 50%; }
    Chart > .chart--hair { color: $foreground; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"chart--{role}"
        for role in (
            "train", "held_out", "best", "lr", "norm", "speed", "a", "b", "c", "d", "muted",
            "band", "level", "level_name", "axis", "border", "mark", "hair", "empty",
        )
    }  # fmt: skip
    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("v", "hair", "Inspect", id="chart.hair", tooltip="A hair line with the values under it"),
        hidden("left", "move(-1)", "Left", id="chart.left", tooltip="Move the hair line, or pan"),
        hidden("right", "move(1)", "Right", id="chart.right", tooltip="Move the hair line, or pan"),
        hidden("shift+left", "move(-10)", "Far left", id="chart.far_left", tooltip="Ten columns"),
        hidden("shift+right", "move(10)", "Far right", id="chart.far_right", tooltip="Ten columns"),
        hidden("plus,equals_sign", "zoom_in", "Zoom in", id="chart.zoom_in", tooltip="Half of it"),
        hidden("minus", "zoom_out", "Zoom out", id="chart.zoom_out", tooltip="Twice as much"),
        hidden("0", "zoom_whole", "Whole", id="chart.whole", tooltip="All there is"),
        hidden("l", "scale", "Scale", id="chart.scale", tooltip="Linear, log y, log x and y"),
    ]

    zoom: reactive[Range | None] = reactive(None, init=False)
    """The range of the x axis; None: the picture's own."""
    turns: reactive[int] = reactive(0, init=False)
    """How often the scale was changed, counted from the picture's own: linear, log y, log x and y."""
    hair: reactive[float | None] = reactive(None, init=False)
    """The x of the hair line; a screen sets it on its other charts."""

    @dataclass
    class HairMoved(Message):
        """The person moved or removed the hair line."""

        x: float | None

    @dataclass
    class ViewChanged(Message):
        """The person changed zoom or scale."""

        chart: Chart

    def __init__(
        self,
        picture: Picture | None = None,
        *,
        title: str = "",
        id: str | None = None,
        classes: str = "pane",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds, for when the y range may shrink again."""
        super().__init__(id=id, classes=classes)
        if title:
            self.border_title = title
        self._picture = picture or Picture()
        self._shown: tuple[object, ...] = ()
        self._stable_range = StableRange(clock)
        self._drawn: Drawing | None = None
        self._strips: list[Strip] | None = None
        self._hovering = self._by_mouse = False
        self._rest: float | None = None
        """The hair line to go back to when the mouse leaves."""

    # ---- what is shown -------------------------------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        """Show this from now on; cheap where it looks the same as what is shown."""
        shown = (picture.fingerprint(), self._glyphs.name)
        self._picture = picture
        if shown != self._shown or self._stable_range.due():
            self._shown = shown
            self._redraw()

    @property
    def picture(self) -> Picture:
        """The picture as the person looks at it: with zoom, scale and hair line."""
        given = self._picture
        scale = (2 if given.log_x else 1 if given.log_y else 0) + self.turns
        return replace(
            given,
            x_range=self.zoom or given.x_range,
            log_y=scale % 3 > 0,
            log_x=scale % 3 == 2,
            hair=given.hair if self.hair is None else self.hair,
        )

    @property
    def scale_name(self) -> str:
        """One of `SCALES`."""
        picture = self.picture
        return SCALES[2 if picture.log_x else 1 if picture.log_y else 0]

    # ---- drawing -------------------------------------------------------------------------------------------------

    @property
    def _glyphs(self) -> Glyphs:
        return glyphs.glyphs_of(self)

    def _redraw(self) -> None:
        """Draw again at the next refresh."""
        self._drawn = self._strips = None
        self.refresh()

    def watch_zoom(self) -> None:
        """Another part has another y range, at once."""
        self._stable_range.forget()
        self._redraw()

    def watch_turns(self) -> None:
        """As for the zoom."""
        self.watch_zoom()

    def watch_hair(self, hair: float | None) -> None:
        """Draw it there, and come back there after the mouse, unless the mouse moved it."""
        if not self._by_mouse:
            self._rest = hair
        self._redraw()

    def notify_style_update(self) -> None:
        """The colours changed: style the cells again."""
        super().notify_style_update()
        self._strips = None

    def _draw(self) -> Drawing:
        """The cells of the picture at this size."""
        from tui.chart import render  # plotext takes 0.1 s to import: the app paints before it

        width, height = self.size
        if self._drawn is None or (self._drawn.grid.width, self._drawn.grid.height) != (width, height):
            picture = self.picture
            stable = replace(picture, y_range=self._stable_range(y_range(picture), picture))
            self._drawn = render.Drawing(stable, width, height, self._glyphs)
            self._strips = None
        return self._drawn

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        grid = self._draw().grid
        if self._strips is None:
            styles = {role: self.get_component_rich_style(f"chart--{role}") for role in grid.names if role}
            styles[""] = self.rich_style
            self._strips = [
                Strip([Segment(text, styles[role]) for text, role in grid.runs(row)], grid.width)
                for row in range(grid.height)
            ]
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    # ---- the hair line -------------------------------------------------------------------------------------------

    def _place_hair(self, x: float | None) -> None:
        if x != self.hair:
            self.hair = x
            self.post_message(self.HairMoved(x))

    def _value(self, column: float) -> float:
        """The x of a column of this widget, moved to the nearest x of a line."""
        drawn = self._draw()
        scale = drawn.x
        x = float(scale.to_values(np.array([min(max(column - drawn.left, 0), scale.cells - 1) + 0.5]))[0])
        return next((point[0] for c in self._lines() if (point := value_at(c, x))), x)

    def _lines(self) -> list[Curve]:
        return [curve for curve in self._picture.curves if curve.style == "line" and len(curve.xs)]

    def action_hair(self) -> None:
        """Show or hide the hair line; it starts at the newest value in view."""
        self._rest = self._value(self.size.width) if self.hair is None else None
        self._place_hair(self._rest)

    def action_move(self, columns: int) -> None:
        """Move the hair line, or pan where there is none."""
        if self.hair is not None:
            self._move_hair(self.hair, columns)
        elif self.zoom is not None:
            self._pan(columns)
        else:
            raise SkipAction

    def _move_hair(self, hair: float, columns: int) -> None:
        drawn = self._draw()
        here = drawn.x.cell(hair)
        x = self._value(drawn.left + (here if here is not None else 0) + columns)
        if (x - hair) * columns <= 0:  # fewer values than columns: go to the next value
            for curve in self._lines()[:1]:
                at = int(np.searchsorted(curve.xs, hair, side="right" if columns > 0 else "left"))
                x = float(curve.xs[min(max(at - (columns < 0), 0), len(curve.xs) - 1)])
        self._place_hair(min(max(x, drawn.x.low), drawn.x.high))

    # ---- the view ------------------------------------------------------------------------------------------------

    def _look_at(self, zoom: Range | None) -> None:
        if zoom != self.zoom:
            self.zoom = zoom
            self.post_message(self.ViewChanged(self))

    def _zoom(self, factor: float, about: float | None = None) -> None:
        """Show `factor` times as much, without moving `about`, else the hair line, else the middle."""
        scale = self._draw().x
        to_scale, from_scale = (math.log, math.exp) if scale.log else (float, float)
        low, high = to_scale(scale.low), to_scale(scale.high)
        about = self.hair if about is None else about
        middle = (low + high) / 2 if about is None or not scale.low <= about <= scale.high else to_scale(about)
        if factor < 1 and self._points_within(scale.low, scale.high) <= LEAST_POINTS:
            return
        low, high = middle - (middle - low) * factor, middle + (high - middle) * factor
        if factor > 1:  # at one end of the run, extend to the other side
            first, last = map(to_scale, self._whole(scale.log))
            low, high = max(first, low - max(0.0, high - last)), min(last, high + max(0.0, first - low))
            slack = 0.01 * (last - first)
            if low <= first + slack and high >= last - slack:
                self._look_at(None)
                return
        self._look_at((from_scale(low), from_scale(high)))

    def _whole(self, log: bool) -> Range:
        """The x range without zoom."""
        return x_range(replace(self._picture, log_x=log))

    def _points_within(self, low: float, high: float) -> int:
        return max((int(np.diff(np.searchsorted(c.xs, [low, high]))[0]) for c in self._lines()), default=0)

    def _pan(self, columns: int) -> None:
        drawn = self._draw()
        first, last = self._whole(drawn.x.log)
        cells = drawn.x.cells
        share = columns * max(1, cells // 20) if abs(columns) == 1 else math.copysign(cells // 2, columns)
        low, high = drawn.x.to_values(np.array([share + 0.25, cells + share - 0.25])).tolist()
        if low < first or high > last:
            if drawn.x.log:
                return
            shift = first - low if low < first else last - high
            low, high = low + shift, high + shift
        self._look_at((low, high))

    def action_zoom_in(self) -> None:
        """Show half as much."""
        self._zoom(1 / ZOOM)

    def action_zoom_out(self) -> None:
        """Show twice as much."""
        self._zoom(ZOOM)

    def action_zoom_whole(self) -> None:
        """Show everything."""
        self._look_at(None)

    def action_scale(self) -> None:
        """The next scale: linear, log y, log x and y."""
        self.turns = (self.turns + 1) % 3
        self.post_message(self.ViewChanged(self))

    # ---- mouse ---------------------------------------------------------------------------------------------------

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The hair line follows the mouse."""
        offset = event.get_content_offset(self)
        if offset is not None and self._lines():
            if not self._hovering:
                self._hovering, self._rest = True, self.hair
            self._by_mouse = True
            self._place_hair(self._value(offset.x))
            self._by_mouse = False

    def on_leave(self) -> None:
        """The hair line goes back to where it was before the mouse came."""
        if self._hovering:
            self._hovering = False
            self._place_hair(self._rest)

    def on_click(self, event: events.Click) -> None:
        """The hair line stays where it was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and self._lines():
            self._rest = self._value(offset.x)
            self._place_hair(self._rest)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in on the position of the mouse."""
        self._wheel(event, 1 / ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out from the position of the mouse."""
        self._wheel(event, ZOOM)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            event.stop()
            self._zoom(factor, self._value(offset.x))
