"""The six charts of Train, kept together: one axis, one zoom, one hair line, and titles that say what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from textual.content import Content
from textual.geometry import Size

from tui.chart.chart import Chart
from tui.chart.picture import Picture
from tui.screens.train import chart_data
from tui.screens.train.chart_data import NAMES, PICTURES, ChartedRun, ChartView
from tui.terminal.fit_text import brief
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import compact, fixed, three_digits

SHORT_NAMES = {"speed": ("tokens/s",), "lr": ("rate",), "grad": ("grad norm", "grad"), "param": ("param norm", "norm"),
               "ratio": ("ratio",)}  # fmt: skip
"""For charts that are narrow, the longest first."""

WAYS = (
    ("l log", "log_scale"), ("m smooth", "smoothing"), ("z window", "window"), ("b unit", "unit"), ("x axis", "axis"),
)  # fmt: skip
"""In the frame of the large chart: a key with what it does, and the screen's action."""

CORNERS = 2
"""Cells of a chart's width that its title leaves free."""


class RunChart(Chart):
    """A chart whose range from 0 holds on a linear scale only: no logarithm begins there."""

    @property
    def picture(self) -> Picture:
        """As the person looks at it."""
        seen = super().picture
        return replace(seen, y_range=None) if seen.log_y and seen.y_range and seen.y_range[0] <= 0 else seen


class Charts:
    """A chart for each of `NAMES`."""

    def __init__(self) -> None:
        self.by_name = {name: RunChart(id=name, classes="pane") for name in NAMES}
        self._behind: list[str] = []
        """Charts that wait to be drawn, the most behind first."""
        self._titles: dict[Chart, tuple[str, int]] = {}

    def __getitem__(self, name: str) -> Chart:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Chart]:
        return iter(self.by_name.values())

    @property
    def sizes(self) -> tuple[Size, ...]:
        """What room they have; those that are hidden have none."""
        return tuple(chart.size for chart in self)

    @property
    def waiting(self) -> bool:
        """Whether a small chart is behind."""
        return bool(self._behind)

    def show(self, run: ChartedRun, view: ChartView, glyphs: Glyphs, *, at_once: bool) -> None:
        """Draw those that can be seen: all of them `at_once`, or the loss, and one of the small ones at a time.

        Drawing takes longer than all else here, and a small chart says the same a second later.
        """
        seen = [name for name, chart in self.by_name.items() if chart.display and chart.size.width]
        if at_once:
            self._behind = []
        else:
            behind = [name for name in self._behind if name in seen]
            self._behind = behind + [name for name in seen if name not in behind and name != "loss"]
            seen = [name for name in seen if name == "loss"]
        for name in seen:
            self._draw(name, run, view, glyphs)
        self.catch_up(run, view, glyphs)

    def catch_up(self, run: ChartedRun, view: ChartView, glyphs: Glyphs) -> None:
        """Draw the small chart that is the most behind."""
        if self._behind:
            self._draw(self._behind.pop(0), run, view, glyphs)

    def _draw(self, name: str, run: ChartedRun, view: ChartView, glyphs: Glyphs) -> None:
        chart = self[name]
        chart.show(PICTURES[name](run, view))
        chart.hair = None if view.hair is None else run.history.position(view.axis, view.hair)
        self._name(chart, self._title(name, run, view, chart.size.width, glyphs))

    def _title(self, name: str, run: ChartedRun, view: ChartView, width: int, glyphs: Glyphs) -> Content:
        value = chart_data.value_at(run, name, view.hair, view.smoothing)
        told = "" if value is None else f" {_words(name, value)}"
        if name != "loss":
            return Content(brief(width - CORNERS, *(known + told for known in (NAMES[name], *SHORT_NAMES[name]))))
        place = f" at step {view.hair:,}:" if view.hair is not None else ""
        smoothed = f", smoothed {view.smoothing:g}" if view.smoothing and view.hair is None else ""
        begin = f"loss{place}{told}" if told else "loss,"
        title = Content.assemble((begin, "bold"), f" {run.unit.name}{smoothed}")
        if self.by_name[name].scale_name != "linear":
            title += Content(f", {self.by_name[name].scale_name}")
        if view.window != "all":
            title += Content(f", {view.window}" + (" of the steps" if view.window != "last 200" else " steps"))
        if self.by_name[name].zoom:
            title += Content(", zoomed")
        return title.truncate(max(width - CORNERS, 1), ellipsis=glyphs.ellipsis == "…")

    def _name(self, chart: Chart, title: Content) -> None:
        """Put it into the border, which is drawn anew then."""
        key = (title.markup, chart.size.width)
        if self._titles.get(chart) != key:
            self._titles[chart] = key
            chart.border_title = title
            if chart.id == "loss":
                chart.border_subtitle = _keys(chart.size.width)

    def share(self, source: Chart) -> None:
        """All look at the same stretch on the same scale as `source`."""
        for chart in self.by_name.values():
            if chart is not source:
                chart.zoom, chart.turns = source.zoom, source.turns

    def whole(self) -> None:
        """No zoom."""
        for chart in self.by_name.values():
            chart.zoom = None


def _words(name: str, value: float) -> str:
    if name == "loss":
        return fixed(value, 3)
    return compact(float(f"{value:.1e}")) if name == "lr" else three_digits(value)


def _keys(width: int) -> Content:
    """How one may look, to click on, as far as there is room."""
    ways = WAYS if width >= 60 else WAYS[1:4] if width >= 50 else ()
    links = (Content.from_markup(f"[@click=screen.{action}]$told[/]", told=told) for told, action in ways)
    return Content("  ").join(links)
