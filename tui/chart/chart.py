"""The chart: a picture in a pane that can be looked into with a hair line, zoomed, panned and put on log scales.

What is drawn is the business of `tui.widgets.plot`, which is imported when the first chart draws.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.segment import Segment
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.chart.picture import Band, Border, Curve, Level, Picture, Range, Settled, value_at, x_range, y_range
from tui.terminal import glyphs
from tui.terminal.glyphs import Glyphs

if TYPE_CHECKING:
    from tui.chart.render import Drawn

__all__ = ["Band", "Border", "Chart", "Curve", "Level", "Picture"]

ZOOM = 2.0
"""What one press of + does."""
LEAST = 8
"""Points that stay in view at the least."""
SCALES = ("linear", "log y", "log x+y")


class Chart(Widget, can_focus=True):
    """Shows a `Picture`; a screen gives it a new one when there is something new, and may set hair, zoom and log."""

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
    Chart > .chart--muted { color: $text-muted; }
    Chart > .chart--band { color: $primary 65%; }
    Chart > .chart--level { color: $foreground 25%; }
    Chart > .chart--level_name { color: $text-muted; }
    Chart > .chart--axis { color: $text-muted; }
    Chart > .chart--border { color: $foreground 50%; }
    Chart > .chart--mark { color: $text-muted; }
    Chart > .chart--hair { color: $foreground; }
    Chart > .chart--empty { color: $text-muted; }
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
        Binding("v", "hair", "Inspect", show=False, id="chart.hair", tooltip="A hair line with the values under it"),
        Binding("left", "move(-1)", "Left", show=False, id="chart.left", tooltip="Move the hair line, or pan"),
        Binding("right", "move(1)", "Right", show=False, id="chart.right", tooltip="Move the hair line, or pan"),
        Binding("shift+left", "move(-10)", "Far left", show=False, id="chart.far_left", tooltip="Ten columns"),
        Binding("shift+right", "move(10)", "Far right", show=False, id="chart.far_right", tooltip="Ten columns"),
        Binding("plus,equals_sign", "zoom_in", "Zoom in", show=False, id="chart.zoom_in", tooltip="Half of it"),
        Binding("minus", "zoom_out", "Zoom out", show=False, id="chart.zoom_out", tooltip="Twice as much"),
        Binding("0", "zoom_whole", "Whole", show=False, id="chart.whole", tooltip="All there is"),
        Binding("l", "scale", "Scale", show=False, id="chart.scale", tooltip="Linear, log y, log x and y"),
    ]

    zoom: reactive[Range | None] = reactive(None, init=False)
    """What the x axis spans; None: what the picture says."""
    turns: reactive[int] = reactive(0, init=False)
    """How often the person has changed the scale: linear, log y, log x and y, beginning where the picture does."""
    hair: reactive[float | None] = reactive(None, init=False)
    """Where the hair line stands; a screen sets it on its other charts."""

    class HairMoved(Message):
        """The person moved the hair line, or took it away."""

        def __init__(self, chart: Chart, x: float | None) -> None:
            super().__init__()
            self.chart, self.x = chart, x

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    class ViewChanged(Message):
        """The person changed zoom or scale."""

        def __init__(self, chart: Chart) -> None:
            super().__init__()
            self.chart = chart

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    def __init__(
        self,
        picture: Picture | None = None,
        *,
        title: str = "",
        id: str | None = None,
        classes: str = "pane",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` says the seconds after which the y range may shrink again."""
        super().__init__(id=id, classes=classes)
        if title:
            self.border_title = title
        self._picture = picture or Picture()
        self._shown: tuple[object, ...] = ()
        self._settled = Settled(clock)
        self._drawn: Drawn | None = None
        self._strips: list[Strip] | None = None
        self._hovering = self._by_mouse = False
        self._rest: float | None = None
        """Where the hair line stands when the mouse has left."""

    # ---- what is shown -------------------------------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        """Show this from now on; costs next to nothing where it is what is shown already."""
        shown = (picture.fingerprint(), self._glyphs.name)
        self._picture = picture
        if shown != self._shown or self._settled.due():
            self._shown = shown
            self._redraw()

    @property
    def picture(self) -> Picture:
        """What the screen gave, as the person looks at it: with zoom, scale and hair line."""
        given = self._picture
        scale = (2 if given.log_x else 1 if given.log_y else 0) + self.turns
        return dataclasses.replace(
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

    def value_at_hair(self) -> list[tuple[Curve, float, float]]:
        """For each curve its x and y nearest to the hair line."""
        picture = self.picture
        if picture.hair is None:
            return []
        return [(c, *found) for c in picture.curves if (found := value_at(c, picture.hair))]

    # ---- drawing -------------------------------------------------------------------------------------------------

    @property
    def _glyphs(self) -> Glyphs:
        return glyphs.glyphs_of(self)

    def _redraw(self) -> None:
        """Draw anew when next seen."""
        self._drawn = self._strips = None
        self.refresh()

    def watch_zoom(self) -> None:
        """Another part, another range: at once."""
        self._settled.forget()
        self._redraw()

    def watch_turns(self) -> None:
        """As for the zoom."""
        self.watch_zoom()

    def watch_hair(self, hair: float | None) -> None:
        """Draw it where it is now; a mouse that leaves gives it back only where the mouse itself had moved it."""
        if not self._by_mouse:
            self._rest = hair
        self._redraw()

    def notify_style_update(self) -> None:
        """Other colours."""
        super().notify_style_update()
        self._strips = None

    def _draw(self) -> Drawn:
        """The cells of the picture at this size."""
        from tui.chart import render  # plotext takes 0.1 s to import: the app paints before it

        width, height = self.size
        if self._drawn is None or (self._drawn.grid.width, self._drawn.grid.height) != (width, height):
            picture = self.picture
            settled = dataclasses.replace(picture, y_range=self._settled(y_range(picture), picture))
            self._drawn = render.draw(settled, width, height, self._glyphs)
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
            self.post_message(self.HairMoved(self, x))

    def _value(self, column: float) -> float:
        """The x of a column of this widget, the nearest that a line has a value at."""
        drawn = self._draw()
        scale = drawn.x
        x = float(scale.value(np.array([min(max(column - drawn.left, 0), scale.cells - 1) + 0.5]))[0])
        return next((found[0] for c in self._lines() if (found := value_at(c, x))), x)

    def _lines(self) -> list[Curve]:
        return [curve for curve in self._picture.curves if curve.style == "line" and len(curve.xs)]

    def action_hair(self) -> None:
        """Show or hide it; it begins at the newest value in view."""
        self._rest = self._value(self.size.width) if self.hair is None else None
        self._place_hair(self._rest)

    def action_move(self, columns: int) -> None:
        """Move the hair line, or what is seen where there is none."""
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
        if (x - hair) * columns <= 0:  # fewer values than columns: the next of them
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
        """Show `factor` times as much, with `about`, the hair line or the middle where it is."""
        scale = self._draw().x
        bend, unbend = (math.log, math.exp) if scale.log else (float, float)
        low, high = bend(scale.low), bend(scale.high)
        about = self.hair if about is None else about
        middle = (low + high) / 2 if about is None or not scale.low <= about <= scale.high else bend(about)
        if factor < 1 and self._points_within(scale.low, scale.high) <= LEAST:
            return
        low, high = middle - (middle - low) * factor, middle + (high - middle) * factor
        if factor > 1:  # at an end of the run, go on to the other side
            first, last = map(bend, self._whole(scale.log))
            low, high = max(first, low - max(0.0, high - last)), min(last, high + max(0.0, first - low))
            slack = 0.01 * (last - first)
            if low <= first + slack and high >= last - slack:
                self._look_at(None)
                return
        self._look_at((unbend(low), unbend(high)))

    def _whole(self, log: bool) -> Range:
        """What is seen without zoom."""
        return x_range(dataclasses.replace(self._picture, log_x=log))

    def _points_within(self, low: float, high: float) -> int:
        return max((int(np.diff(np.searchsorted(c.xs, [low, high]))[0]) for c in self._lines()), default=0)

    def _pan(self, columns: int) -> None:
        drawn = self._draw()
        first, last = self._whole(drawn.x.log)
        cells = drawn.x.cells
        share = columns * max(1, cells // 20) if abs(columns) == 1 else math.copysign(cells // 2, columns)
        low, high = drawn.x.value(np.array([share + 0.25, cells + share - 0.25])).tolist()
        if low < first or high > last:
            if drawn.x.log:
                return
            shift = first - low if low < first else last - high
            low, high = low + shift, high + shift
        self._look_at((low, high))

    def action_zoom_in(self) -> None:
        """Half of what is seen."""
        self._zoom(1 / ZOOM)

    def action_zoom_out(self) -> None:
        """Twice as much."""
        self._zoom(ZOOM)

    def action_zoom_whole(self) -> None:
        """All there is."""
        self._look_at(None)

    def action_scale(self) -> None:
        """Linear, log y, log x and y, and round again."""
        self.turns = (self.turns + 1) % 3
        self.post_message(self.ViewChanged(self))

    # ---- mouse ---------------------------------------------------------------------------------------------------

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The hair line follows."""
        offset = event.get_content_offset(self)
        if offset is not None and self._lines():
            if not self._hovering:
                self._hovering, self._rest = True, self.hair
            self._by_mouse = True
            self._place_hair(self._value(offset.x))
            self._by_mouse = False

    def on_leave(self) -> None:
        """The hair line goes back to where it was."""
        if self._hovering:
            self._hovering = False
            self._place_hair(self._rest)

    def on_click(self, event: events.Click) -> None:
        """Where one clicks the hair line stays."""
        offset = event.get_content_offset(self)
        if offset is not None and self._lines():
            self._rest = self._value(offset.x)
            self._place_hair(self._rest)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in on what is under the mouse."""
        self._wheel(event, 1 / ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        self._wheel(event, ZOOM)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            event.stop()
            self._zoom(factor, self._value(offset.x))
