"""Looking at a run: axis, zoom and hair line, shared by all charts, the samples and the log.

This is the Train screen without the training: it works the same for a run that is over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, TypeVar

from textual.binding import BindingType

from tinylm.config.schema import RunConfig
from tui.chart.chart import Chart
from tui.live.loss_unit import LossUnit, Unit
from tui.live.watch import ObservedRun
from tui.screens.base import StudioScreen
from tui.screens.train import metrics, samples
from tui.screens.train.chart_data import AXES, NAMES, SMOOTHINGS, WINDOWS, ChartedRun, ChartView
from tui.screens.train.charts import Charts
from tui.screens.train.samples import SampleStrip
from tui.studio import Studio
from tui.terminal.keys import hidden

T = TypeVar("T")


class RunViewScreen(StudioScreen):
    """The keys and messages of looking at the run that the app shows; a subclass draws it."""

    # A subclass that binds one of these keys replaces all that is bound to it here.
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("[", "scrub(False)", "Earlier sample", id="train.earlier", tooltip="What it wrote before"),
        hidden("]", "scrub(True)", "Later sample", id="train.later", tooltip="What it wrote next"),
        hidden("left", "chart('move', -1)", "Hair line left", id="train.left", tooltip="One column"),
        hidden("right", "chart('move', 1)", "Hair line right", id="train.right", tooltip="One column"),
        hidden("shift+left", "chart('move', -10)", "Hair line ten left", id="train.far-left", tooltip="Ten columns"),
        hidden("shift+right", "chart('move', 10)", "Hair line ten right", id="train.far-right", tooltip="Ten columns"),
        hidden("l", "chart('scale')", "Linear or log", id="train.scale", tooltip="Linear, log y, log both"),
        hidden("m", "smoothing", "Smoothing", id="train.smoothing", tooltip="0, .9, .97 or .99"),
        hidden("z", "window", "Window", id="train.window", tooltip="All, half, last 20 %, last 200 steps"),
        hidden("x", "axis", "Axis", id="train.axis", tooltip="Steps, tokens or time"),
        hidden("b", "unit", "Unit", id="train.unit", tooltip="Bits per byte or nats per token"),
        hidden("plus,equals_sign", "chart('zoom_in')", "Zoom in", id="train.zoom-in", tooltip="Half of what is seen"),
        hidden("minus", "chart('zoom_out')", "Zoom out", id="train.zoom-out", tooltip="Twice as much"),
        hidden("0", "chart('zoom_whole')", "The whole run", id="train.zoom-off", tooltip="No zoom"),
        hidden("L", "log", "Log", id="train.log", tooltip="All that happened, large"),
        hidden("tab", "next_chart(1)", "Next chart", id="train.next-chart", tooltip="While one is large"),
        hidden("shift+tab", "next_chart(-1)", "Chart before", id="train.chart-before", tooltip="While one is large"),
        hidden("tab", "app.focus_next", "Focus next", id="train.focus-next", tooltip="The next chart"),
        hidden("shift+tab", "app.focus_previous", "Focus before", id="train.focus-before", tooltip="The one before"),
    ]

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.view = ChartView()
        self.unit: Unit | None = None
        """None: the default for the run."""
        self.charts = Charts()
        self._config: RunConfig | None = None
        self._seen: tuple[object, ...] = ()
        """What was drawn last, except for the version of the history, which grows all the time."""
        self._version = -1
        self._largest: str | None = None
        """The chart that is maximised."""

    def _run(self, watch: ObservedRun) -> ChartedRun:
        return ChartedRun(watch.history, LossUnit.of_run(watch.history.state.data, self.unit), self._config)

    def _change_view(self, **changes: object) -> None:
        self.view = replace(self.view, **changes)  # type: ignore[arg-type]
        self.refresh_all()

    def action_inspect(self) -> None:
        """Turn the hair line on, at the newest step, or off."""
        watch = self.studio.shown
        if self.view.hair is not None:
            self._change_view(hair=None)
        elif watch and len(watch.history.step):
            self._change_view(hair=int(watch.history.step.last))

    def action_scrub(self, later: bool) -> None:
        """Mark the sample after or before, and move the hair line there."""
        watch = self.studio.shown
        if watch is None or not watch.history.samples:
            return
        known = watch.history.samples
        marked = samples.index_at(known, self.view.hair)
        after_it = self.view.hair is not None and known[marked].step < self.view.hair
        wanted = marked + 1 if later else marked if after_it else marked - 1  # back from between two: the marked first
        if wanted >= len(known):
            self._change_view(hair=None)
        else:
            self._change_view(hair=known[max(wanted, 0)].step)

    def on_sample_strip_chosen(self, message: SampleStrip.Chosen) -> None:
        """Move the hair line to the sample that was clicked."""
        self._change_view(hair=message.sample.step)

    def action_chart(self, action: str, *arguments: int) -> None:
        """What a chart does by its own keys when it has the focus: move, scale, zoom_in, zoom_out, zoom_whole."""
        getattr(self._chart, f"action_{action}")(*arguments)

    def action_smoothing(self) -> None:
        """The next smoothing."""
        self._change_view(smoothing=_next(SMOOTHINGS, self.view.smoothing))

    def action_window(self) -> None:
        """The next window: all, half, the last fifth, the last 200 steps."""
        self.charts.zoom_out()
        self._change_view(window=_next(WINDOWS, self.view.window))

    def action_axis(self) -> None:
        """The next axis: steps, tokens, time."""
        self.charts.zoom_out()  # a range of steps is no range of tokens
        self._change_view(axis=_next(AXES, self.view.axis))

    def action_unit(self) -> None:
        """The other unit."""
        if watch := self.studio.shown:
            self.unit = "nats" if self._run(watch).unit.unit == "bits" else "bits"
            self.refresh_all()

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        """Show the same part on all charts."""
        self.charts.share(message.chart)
        self._seen = ()
        self.refresh_all()

    def on_chart_hair_moved(self, message: Chart.HairMoved) -> None:
        """Move the hair line of all charts, the samples and the log."""
        if watch := self.studio.shown:
            x = message.x
            self._change_view(hair=None if x is None else watch.history.step_at(self.view.axis, x))

    @property
    def _chart(self) -> Chart:
        """The chart that keys apply to: the focused one, the maximised one, or the loss."""
        return self.focused if isinstance(self.focused, Chart) else self.charts[self._largest or "loss"]

    def action_maximise(self) -> None:
        """Maximise a chart, or restore it."""
        self._enlarge(None if self._largest else str(self._chart.id))

    def action_next_chart(self, by: int) -> None:
        """Maximise the next chart, including those that are hidden otherwise."""
        names = list(NAMES)
        self._enlarge(names[(names.index(self._largest or "loss") + by) % len(names)])

    def _enlarge(self, name: str | None) -> None:
        self._largest = name
        self.set_class(name is not None, "-max")
        for other, chart in self.charts.by_name.items():
            chart.set_class(other == name, "-shown")
        self.query_one("#main").set_class(name == "loss", "-holds")
        self.query_one("#small").set_class(name not in (None, "loss"), "-holds")
        if name is not None:
            self.charts[name].focus()
        self.call_after_refresh(self.refresh_all)

    def action_log(self) -> None:
        """Enlarge the log, or restore it."""
        self.toggle_class("-drawer")
        self.call_after_refresh(self.refresh_all)

    def action_copy(self) -> None:
        """Copy the numbers to the clipboard."""
        watch = self.studio.shown
        shown = metrics.metrics_at(watch.history, self._run(watch).unit, self.view.hair) if watch else None
        if watch and shown:
            self.app.copy_to_clipboard(f"{watch.name}\n{metrics.as_text(shown)}")
            self.remark("The numbers are in the clipboard.")

    def undo_view(self) -> bool:
        """Undo one change of the view, the maximised chart, the hair line or the log; returns whether there was one."""
        if self._largest:
            self._enlarge(None)
        elif self.view.hair is not None:
            self._change_view(hair=None)
        elif self.has_class("-drawer"):
            self.action_log()
        else:
            return False
        return True


VIEW_ACTIONS = {
    "inspect", "maximise", "copy", "scrub", "chart", "smoothing", "window", "axis", "unit", "log", "next_chart",
}  # fmt: skip
"""The actions that need a run that is shown."""


def _next(values: tuple[T, ...], value: T) -> T:
    return values[(values.index(value) + 1) % len(values)]
