"""The lower half of the Runs screen: chart and facts of one run, or of several drawn over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from tinylm.runs.listing import RunListing
from tinylm.words import one_line
from tui.chart.chart import Chart
from tui.chart.picture import Picture
from tui.live.history import Axis
from tui.live.loss_unit import Unit
from tui.screens.runs import compare, detail_text, pictures
from tui.screens.runs.compare import AXES, MEASURES, LoggedRun, Measure
from tui.screens.runs.history_cache import HistoryCache
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import glyphs_of

REST_SECONDS = 0.12
"""How long the cursor rests on a run before its log is read, so that scrolling reads none."""


class DetailPane(Horizontal):
    """Shows the runs that it is given; their logs are read in a thread."""

    DEFAULT_CSS = """
    DetailPane {
        & > #runs-chart { width: 1fr; }
        & > #runs-side { width: 36; scrollbar-size-vertical: 1; }
        & #runs-facts { height: auto; }
    }
    """

    class Read(Message):
        """Logs were read, so there is more to show of the runs."""

    @dataclass
    class Failed(Message):
        """Logs could not be read."""

        error: Exception

    def __init__(self) -> None:
        super().__init__(id="runs-lower")
        self._one: RunListing | None = None
        self._several: Mapping[str, RunListing] = {}
        self._when = ""
        self._axis: Axis = "tokens"
        self._measure: Measure = "loss"
        self._unit: Unit = "bits"
        """As in the list; nats per token are what the engine counts."""
        self._all_settings = False
        self._cache = HistoryCache()
        self._logged: dict[Path, LoggedRun] = {}
        """Those of the wanted runs whose logs were read, by folder."""
        self._rest: Timer | None = None
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Chart and facts."""
        yield Chart(id="runs-chart", classes="pane")
        with VerticalScroll(id="runs-side", classes="pane"):
            yield Static(id="runs-facts", markup=False)

    @property
    def chart(self) -> Chart:
        """The chart of the pane."""
        return self.query_one(Chart)

    def show(self, one: RunListing | None, several: Mapping[str, RunListing], when: str) -> None:
        """Show `several` runs, by their letters, or where there are none `one`, which was begun `when`."""
        self._one, self._several, self._when = one, several, when
        self.draw()
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, self.read)

    # ---- logs -----------------------------------------------------------------------------------------------------

    def _wanted(self) -> list[RunListing]:
        return list(self._several.values()) or ([self._one] if self._one else [])

    @property
    def complete(self) -> bool:
        """Whether the logs of all shown runs are read."""
        return all(entry.run.path in self._logged for entry in self._wanted())

    def read(self) -> None:
        """Read what was added to the logs of the shown runs, in a thread."""
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
                run = self._cache.load(entry.run, entry.name, lambda: worker.is_cancelled)
                if run is None:
                    return
                loaded[entry.run.path] = run
        except Exception as error:  # the outer edge of the thread: reported, never a crash
            self.post_message(self.Failed(error))
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._loaded, loaded)

    def _loaded(self, loaded: dict[Path, LoggedRun]) -> None:
        if any(self._logged.get(path) is not run for path, run in loaded.items()):
            kept = {entry.run.path for entry in self._wanted()}
            self._logged = {path: run for path, run in self._logged.items() if path in kept} | loaded
            self.draw()
            self.post_message(self.Read())

    @property
    def overlaid(self) -> dict[str, LoggedRun]:
        """The runs that are drawn over each other, by letter, as far as their logs are read."""
        logged = self._logged
        return {letter: logged[e.run.path] for letter, e in self._several.items() if e.run.path in logged}

    # ---- drawing --------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Redraw chart and facts."""
        glyphs = glyphs_of(self)
        chart, side, one, overlaid = self.chart, self.query_one("#runs-side"), self._one, self.overlaid
        width = max(20, side.size.width - 1)  # the last column is for a scroll bar
        title, about, hint, facts = "", "", "", Content("")
        picture = Picture(empty="Reading the log ...")
        if self._several:
            unit = self._unit if self.complete and not compare.verdict(list(overlaid.values())).bits else "bits"
            title = f"{len(self._several)} runs: {pictures.title(self._measure, unit)}"
            about, hint = ("all settings", "d what differs") if self._all_settings else ("what differs", "d all")
            if self.complete:
                picture = pictures.several(overlaid, self._axis, self._measure, unit)
            brief = not self.screen.has_class("-high")
            facts = detail_text.comparison(
                self._several, overlaid, self._axis, glyphs, width, self._all_settings, brief
            )
        elif one is not None:
            run = self._logged.get(one.run.path)
            about = ellipsize_middle(one_line(one.name), side.outer_size.width - 6, glyphs)
            title = pictures.title(self._measure, self._unit)
            if self._measure == "loss":
                title += f", {glyphs.diamond} held out"
            if run is not None:
                picture = pictures.one(run, self._axis, self._measure, self._unit)
            facts = detail_text.card(one, run, glyphs, self._when, width)
        keys = (
            ("axis", f"x {self._axis}"), ("measure", f"m {self._measure}"), ("unit", "b unit"),
            ("log", f"l {chart.scale_name}"),
        )  # fmt: skip
        drawn = (*(e.run.path for e in self._wanted()), self._axis, self._measure, self._unit, len(picture.curves))
        if drawn != self._drawn:  # other runs or another view: drop zoom, hair line and the old range
            self._drawn = drawn
            chart.zoom = chart.hair = None
            chart.watch_zoom()
        chart.show(picture)
        chart.border_title = Content(title)
        chart.border_subtitle = Content(f" {glyphs.dot} ").join(_link(*key) for key in keys)
        side.border_title, side.border_subtitle = Content(about), _link("settings", hint)
        shown = self.query_one("#runs-facts", Static)
        if shown.content != facts:  # a new layout takes a while
            shown.update(facts)

    def on_resize(self) -> None:
        """Lay the facts out for the new width, and read the logs if the pane was hidden before."""
        self.call_after_refresh(self.draw)
        self.read()

    def on_chart_view_changed(self) -> None:
        """Draw the frame again, which names the scale."""
        self.draw()

    # ---- the view ---------------------------------------------------------------------------------------------------

    def next_axis(self) -> None:
        """The next x axis: tokens, steps, time."""
        self._axis = AXES[(AXES.index(self._axis) + 1) % len(AXES)]
        self.draw()

    def next_measure(self) -> None:
        """The other measure: smoothed loss or held-out loss."""
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        self.draw()

    def next_unit(self) -> str:
        """The other unit; returns why that cannot be, else an empty text."""
        runs = list(self.overlaid.values())
        if self._unit == "bits" and len(runs) > 1 and compare.verdict(runs).bits:
            return "Nats per token of different tokens say nothing: it stays at bits per byte."
        self._unit = "nats" if self._unit == "bits" else "bits"
        self.draw()
        return ""

    def next_settings(self) -> None:
        """Switch between all settings and those that differ."""
        self._all_settings = not self._all_settings
        self.draw()


def _link(action: str, words: str) -> Content:
    """Words in a frame that run an action of the screen when clicked."""
    return Content.from_markup(f"[@click=screen.{action}]$words[/]", words=words)
