"""The six charts of Train, which share axis, zoom and hair line, and their titles with the current values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from textual.content import Content
from textual.geometry import Size

from tui.chart.chart import Chart
from tui.chart.picture import Picture
from tui.screens.train import chart_data
from tui.screens.train.chart_data import NAMES, PICTURES, ChartedRun, ChartView
from tui.terminal.fit_text import first_fitting
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import compact, fixed, three_digits

SHORT_NAMES = {"speed": ("tokens/s",), "lr": ("rate",), "grad": ("grad norm", "grad"), "param": ("param norm", "norm"),
               "ratio": ("ratio",)}  # fmt: skip
"""Shorter names for narrow charts, the longest first."""

LINKS = (
    ("l log", "chart('scale')"), ("m smooth", "smoothing"), ("z window", "window"), ("b unit", "unit"),
    ("x axis", "axis"),
)  # fmt: skip
"""Keys in the frame of the large chart, with the actions of the screen that they and the mouse run."""

CORNERS = 2
"""Cells of the width that a title leaves to the corners of the frame."""


class RunChart(Chart):
    """A chart whose y range from 0 holds on linear scales only: a logarithm has no 0."""

    @property
    def picture(self) -> Picture:
        """The picture as the person looks at it."""
        picture = super().picture
        from_zero = picture.y_range is not None and picture.y_range[0] <= 0
        return replace(picture, y_range=None) if picture.log_y and from_zero else picture


class Charts:
    """A chart for each of `NAMES`, drawn one after the other."""

    def __init__(self) -> None:
        self.by_name = {name: RunChart(id=name, classes="pane") for name in NAMES}
        self._waiting: list[str] = []
        """Charts that are to be drawn, the longest waiting first."""
        self._titles: dict[Chart, tuple[str, int]] = {}

    def __getitem__(self, name: str) -> Chart:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Chart]:
        return iter(self.by_name.values())

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The size of each; hidden charts have none."""
        return tuple(chart.size for chart in self)

    @property
    def waiting(self) -> bool:
        """Whether a chart is still to be drawn."""
        return bool(self._waiting)

    def show(self, run: ChartedRun, view: ChartView, glyphs: Glyphs, *, at_once: bool) -> None:
        """Draw the visible charts: all of them `at_once`, or the loss and one small chart at a time.

        Drawing is the slowest part of a tick, and a small chart may be a second late.
        """
        visible = [name for name, chart in self.by_name.items() if chart.display and chart.size.width]
        if at_once:
            self._waiting = []
        else:
            waiting = [name for name in self._waiting if name in visible]
            self._waiting = waiting + [name for name in visible if name not in waiting and name != "loss"]
            visible = [name for name in visible if name == "loss"]
        for name in visible:
            self._draw(name, run, view, glyphs)
        self.catch_up(run, view, glyphs)

    def catch_up(self, run: ChartedRun, view: ChartView, glyphs: Glyphs) -> None:
        """Draw the chart that has waited longest."""
        if self._waiting:
            self._draw(self._waiting.pop(0), run, view, glyphs)

    def _draw(self, name: str, run: ChartedRun, view: ChartView, glyphs: Glyphs) -> None:
        chart = self[name]
        chart.show(PICTURES[name](run, view))
        chart.hair = None if view.hair is None else run.history.position(view.axis, view.hair)
        self._name(chart, self._title(name, run, view, chart.size.width, glyphs))

    def _title(self, name: str, run: ChartedRun, view: ChartView, width: int, glyphs: Glyphs) -> Content:
        value = chart_data.value_at(run, name, view.hair, view.smoothing)
        number = "" if value is None else f" {_number(name, value)}"
        if name != "loss":
            return Content(first_fitting(width - CORNERS, *(n + number for n in (NAMES[name], *SHORT_NAMES[name]))))
        at_hair = f" at step {view.hair:,}:" if view.hair is not None else ""
        smoothed = f", smoothed {view.smoothing:g}" if view.smoothing and view.hair is None else ""
        begin = f"loss{at_hair}{number}" if number else "loss,"
        title = Content.assemble((begin, "bold"), f" {run.unit.name}{smoothed}")
        if self.by_name[name].scale_name != "linear":
            title += Content(f", {self.by_name[name].scale_name}")
        if view.window != "all":
            title += Content(f", {view.window}" + (" of the steps" if view.window != "last 200" else " steps"))
        if self.by_name[name].zoom:
            title += Content(", zoomed")
        return title.truncate(max(width - CORNERS, 1), ellipsis=glyphs.ellipsis == "…")

    def _name(self, chart: Chart, title: Content) -> None:
        """Put the title into the frame, unless it is there: the frame is drawn again then."""
        key = (title.markup, chart.size.width)
        if self._titles.get(chart) != key:
            self._titles[chart] = key
            chart.border_title = title
            if chart.id == "loss":
                chart.border_subtitle = _links(chart.size.width)

    def share(self, source: Chart) -> None:
        """Give all charts the zoom and the scale of `source`."""
        for chart in self.by_name.values():
            if chart is not source:
                chart.zoom, chart.turns = source.zoom, source.turns

    def zoom_out(self) -> None:
        """Undo the zoom of all charts."""
        for chart in self.by_name.values():
            chart.zoom = None


def _number(name: str, value: float) -> str:
    if name == "loss":
        return fixed(value, 3)
    return compact(float(f"{value:.1e}")) if name == "lr" else three_digits(value)


def _links(width: int) -> Content:
    """The links of the frame that there is room for."""
    shown = LINKS if width >= 60 else LINKS[1:4] if width >= 50 else ()
    links = (Content.from_markup(f"[@click=screen.{action}]$words[/]", words=words) for words, action in shown)
    return Content("  ").join(links)
