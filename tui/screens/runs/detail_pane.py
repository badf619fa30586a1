"""The lower half of the Runs screen: the chart and the facts of one run, or of several laid over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from tinylm.runs.listing import RunListing
from tinylm.words import printable
from tui.chart.chart import Chart
from tui.screens.runs import compare, detail_text, pictures
from tui.screens.runs.compare import AXES, MEASURES, Axis, LossTrace, Measure
from tui.screens.runs.log_reader import Traces
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import glyphs_of

REST_SECONDS = 0.12
"""How long the cursor rests on a run before its log is read: nobody wants all that it passes."""


class RunLook(Horizontal):
    """Looks at the runs that it is given; their logs are read in a thread."""

    DEFAULT_CSS = """
    RunLook {
        & > #runs-chart { width: 1fr; }
        & > #runs-side { width: 36; scrollbar-size-vertical: 1; }
        & #runs-facts { height: auto; }
    }
    """

    class Read(Message):
        """Logs were read: more can be said of the runs."""

    class Failed(Message):
        """Logs could not be read."""

        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

    def __init__(self) -> None:
        super().__init__(id="runs-lower")
        self._one: RunListing | None = None
        self._several: Mapping[str, RunListing] = {}
        self._when = ""
        self._axis: Axis = "tokens"
        self._measure: Measure = "loss"
        self._bits = True
        """Bits per byte, as in the list, or nats per token, as the engine counts."""
        self._everything = False
        self._reader = Traces()
        self._traces: dict[Path, LossTrace] = {}
        self._rest: Timer | None = None
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Chart and facts."""
        yield Chart(id="runs-chart", classes="pane")
        with VerticalScroll(id="runs-side", classes="pane"):
            yield Static(id="runs-facts", markup=False)

    @property
    def chart(self) -> Chart:
        """The chart."""
        return self.query_one(Chart)

    def show(self, one: RunListing | None, several: Mapping[str, RunListing], when: str) -> None:
        """Look at `several` runs by their letters or, where there are none, at one, that was begun `when`."""
        self._one, self._several, self._when = one, several, when
        self.draw()
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, self.read)

    # ---- logs -----------------------------------------------------------------------------------------------------

    def _wanted(self) -> list[RunListing]:
        return list(self._several.values()) or ([self._one] if self._one else [])

    def read(self) -> None:
        """Read what was added to the logs, in a thread."""
        wanted = self._wanted()
        if wanted and self.display:
            self.run_worker(
                lambda: self._read(wanted), thread=True, exclusive=True, group="runs-trace", exit_on_error=False
            )

    def _read(self, wanted: Sequence[RunListing]) -> None:
        worker = get_current_worker()
        loaded = {}
        try:
            for entry in wanted:
                told = self._reader.load(entry.run, entry.name, lambda: worker.is_cancelled)
                if told is None:
                    return
                loaded[entry.run.path] = told
        except Exception as error:  # the edge of this thread: told, never a crash
            self.post_message(self.Failed(error))
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._loaded, loaded)

    def _loaded(self, loaded: dict[Path, LossTrace]) -> None:
        if any(self._traces.get(path) is not told for path, told in loaded.items()):
            kept = {entry.run.path for entry in self._wanted()}
            self._traces = {path: told for path, told in self._traces.items() if path in kept} | loaded
            self.draw()
            self.post_message(self.Read())

    @property
    def traces(self) -> dict[str, LossTrace]:
        """Of the runs that are laid over each other, as far as they are read."""
        traces = self._traces
        return {letter: traces[e.run.path] for letter, e in self._several.items() if e.run.path in traces}

    # ---- drawing --------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Bring chart and facts up to date."""
        glyphs = glyphs_of(self)
        chart, side, one, traces = self.chart, self.query_one("#runs-side"), self._one, self.traces
        width = max(20, side.size.width - 1)  # a scroll bar may come
        title, about, hint, facts = "", "", "", Content("")
        picture = pictures.waiting()
        if self._several:
            complete = len(traces) == len(self._several)
            bits = self._bits or not complete or compare.verdict(list(traces.values())).bits
            title = f"{len(self._several)} runs: {pictures.title(self._measure, bits)}"
            about, hint = ("all settings", "d what differs") if self._everything else ("what differs", "d all")
            if complete:
                picture = pictures.several(traces, self._axis, self._measure, bits)
            brief = not self.screen.has_class("-high")
            facts = detail_text.comparison(self._several, traces, self._axis, glyphs, width, self._everything, brief)
        elif one is not None:
            told = self._traces.get(one.run.path)
            about = ellipsize_middle(printable(one.name), side.outer_size.width - 6, glyphs)
            title = pictures.title(self._measure, self._bits)
            if self._measure == "loss":
                title += f", {glyphs.diamond} held out"
            if told is not None:
                picture = pictures.one(told, self._axis, self._measure, self._bits)
            facts = detail_text.card(one, told, glyphs, self._when, width)
        keys = (
            ("axis", f"x {self._axis}"), ("measure", f"m {self._measure}"), ("unit", "b unit"),
            ("log", f"l {chart.scale_name}"),
        )  # fmt: skip
        drawn = (*(e.run.path for e in self._wanted()), self._axis, self._measure, self._bits, len(picture.curves))
        if drawn != self._drawn:  # other runs, or another view: nothing to hold the old range for
            self._drawn = drawn
            chart.zoom = chart.hair = None
            chart.watch_zoom()
        chart.show(picture)
        chart.border_title = Content(title)
        chart.border_subtitle = Content(f" {glyphs.dot} ").join(_link(*key) for key in keys)
        side.border_title, side.border_subtitle = Content(about), _link("settings", hint)
        shown = self.query_one("#runs-facts", Static)
        if shown.content != facts:  # laying out anew takes a while
            shown.update(facts)

    def on_resize(self) -> None:
        """Facts are laid out for their width; what was hidden may have to be read."""
        self.call_after_refresh(self.draw)
        self.read()

    def on_chart_view_changed(self) -> None:
        """The scale stands in the chart's frame."""
        self.draw()

    # ---- how to look ----------------------------------------------------------------------------------------------

    def next_axis(self) -> None:
        """Tokens, steps, time."""
        self._axis = AXES[(AXES.index(self._axis) + 1) % len(AXES)]
        self.draw()

    def next_measure(self) -> None:
        """Smoothed loss, held-out text."""
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        self.draw()

    def next_unit(self) -> str:
        """Bits per byte or nats per token; returns the sentence that says why not, or nothing."""
        traces = list(self.traces.values())
        if self._bits and len(traces) > 1 and compare.verdict(traces).bits:
            return "Nats per token of different tokens say nothing: it stays at bits per byte."
        self._bits = not self._bits
        self.draw()
        return ""

    def next_settings(self) -> None:
        """All settings, or those that differ."""
        self._everything = not self._everything
        self.draw()


def _link(action: str, told: str) -> Content:
    """Words in a frame that do an action of the screen when they are clicked on."""
    return Content.from_markup(f"[@click=screen.{action}]$told[/]", told=told)
