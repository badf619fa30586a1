"""The Runs screen: everything that was trained in this home, and runs drawn over each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from tinylm.runs import listing
from tinylm.runs.listing import RunListing
from tinylm.words import printable
from tui.screens.runs import compare, filter, pictures
from tui.screens.runs.actions import RunActionsScreen
from tui.screens.runs.columns import ORDERS, Order, when
from tui.screens.runs.detail_pane import DetailPane
from tui.screens.runs.table import LETTERS, RunTable
from tui.studio import Studio
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.keys import hidden
from tui.widgets.top_bar import Sentence

LIST_TICKS = 12
"""Ticks after which the runs are listed again: about three seconds."""

LEAST_NAME = 11
"""Cells that the name of a run keeps in the sentence about it, however narrow the screen."""

LIST_SHARE = 0.05
"""The share of the time that listing may take: hundreds of runs are listed less often, to spare a training."""


class RunsScreen(RunActionsScreen):
    """A list of runs, and below it the one under the cursor or those that are marked."""

    MODE = "runs"
    HELP = """
# Runs

Everything that was trained in this home, also by `--train` in another terminal.

- **Enter** opens a run in Train, **t** talks to it, **r** goes on with one that is not finished.
- **Space** marks. Two marked runs, or one and the cursor's, are laid over each other: **x** changes the axis (tokens,
  steps, time), **m** the measure (loss, held-out), **b** the unit, **l** the scale; **d** shows all settings or only
  those that differ.
- **/** filters: words are looked for in name, text and note; `state:done`, `data:moby`, `val<2`, `weights>1M`,
  `size>10MB`, `time>10m`; a `-` in front turns a part round. **Esc** takes first the filter away, then the marks.
- **o** sorts: newest, best on held-out text, largest, by name. A click on a title does too.
- **n** writes a note, **N** renames, **Delete** or **Backspace** moves a run to the trash, **u** brings it back.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="runs.open", tooltip="Show the run in Train"),
        Binding("space", "mark", "Mark", id="runs.mark", tooltip="Mark the run, to lay it over others"),
        Binding("r", "resume", "Resume", id="runs.resume", tooltip="Go on with a run that is not finished"),
        Binding("t", "talk", "Talk", id="runs.talk", tooltip="Let the run's model write"),
        Binding("slash", "filter", "Filter", id="runs.filter", tooltip="Show some runs only"),
        Binding("delete,backspace", "trash", "Trash", id="runs.trash", tooltip="Move the run to the trash; u undoes"),
        hidden("u", "undo", "Undo", id="runs.undo", tooltip="Bring back what was moved to the trash last"),
        hidden("n", "note", "Note", id="runs.note", tooltip="Write a note on the run"),
        hidden("N", "rename", "Rename", id="runs.rename", tooltip="Give the run another name"),
        hidden("o", "order", "Sort", id="runs.order", tooltip="Newest, best, largest, by name"),
        hidden("x", "axis", "Axis", id="runs.axis", tooltip="Tokens, steps or time"),
        hidden("m", "measure", "Measure", id="runs.measure", tooltip="Smoothed loss or held-out"),
        hidden("b", "unit", "Unit", id="runs.unit", tooltip="Bits per byte or nats per token"),
        hidden("l", "log", "Log", id="runs.log", tooltip="Linear or logarithmic"),
        hidden("d", "settings", "Settings", id="runs.settings", tooltip="What differs, or all settings"),
        hidden("escape", "back", "Back", id="runs.back", tooltip="Take filter, then marks away"),
    ]
    CSS = """
    RunsScreen {
        #runs-list { height: 2fr; min-height: 6; padding: 0; }
        #runs-search { height: 1; display: none; background: $boost; }
        #runs-search.-shown { display: block; }
        #runs-slash { width: 3; color: $text-accent; text-style: bold; }
        #runs-filter { width: 1fr; background: transparent; padding: 0; }
        #runs-lower { height: 3fr; }
        &.-wide #runs-side { width: 56; }
        &.-narrow #runs-side { display: none; }
        &.-short #runs-lower, &.-empty #runs-lower { display: none; }
        &.-high #runs-list { height: 1fr; }
        &.-high #runs-lower { height: 2fr; }
    }
    """

    def __init__(self, studio: Studio, clock: Callable[[], datetime] | None = None) -> None:
        """`clock` gives the time that "1 h ago" counts from."""
        super().__init__(studio)
        self.clock = clock or type(self).now
        self._filter = filter.Filter()
        self._order: Order = "when"
        self._ticks = 0
        self._listed_at = self._list_seconds = 0.0
        """When the runs were last listed, and how long that took."""
        self._drawn_with = ""

    @staticmethod
    def now() -> datetime:
        """The local time."""
        return datetime.now().astimezone()

    def body(self) -> ComposeResult:
        """The list; below it chart and facts."""
        with Vertical(id="runs-list", classes="pane") as pane:
            pane.border_title = "Runs"
            with Horizontal(id="runs-search"):
                yield Static(" / ", id="runs-slash", markup=False)
                yield Input(placeholder="words, state:done, val<2, data:moby", id="runs-filter", compact=True)
            yield RunTable(self.clock)
        yield DetailPane()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self.table.focus()
        self._show_list()

    def on_screen_resume(self) -> None:
        """List what was trained meanwhile."""
        super().on_screen_resume()
        self.reload()

    def tick(self) -> None:
        """List the runs again now and then."""
        self._ticks += 1
        if self._ticks >= LIST_TICKS and time.monotonic() - self._listed_at > self._list_seconds / LIST_SHARE:
            self.reload()
        if self.studio.glyphs.name != self._drawn_with:
            self._show()

    # ---- parts ----------------------------------------------------------------------------------------------------

    @property
    def table(self) -> RunTable:
        """The list."""
        return self.query_one(RunTable)

    @property
    def detail(self) -> DetailPane:
        """Chart and facts below the list."""
        return self.query_one(DetailPane)

    @property
    def entry(self) -> RunListing | None:
        """The run under the cursor."""
        return self.table.entry

    def _compared(self) -> dict[str, RunListing]:
        """The runs that are drawn over each other, by letter; none where there would be fewer than two."""
        known = {entry.run.path: entry for entry in self.listed}
        compared = {letter: known[path] for path, letter in self.marks.items() if path in known}
        if len(compared) == 1 and self.entry and self.entry.run.path not in self.marks:
            compared[next(letter for letter in LETTERS if letter not in compared)] = self.entry
        return dict(sorted(compared.items())) if len(compared) > 1 else {}

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys; the footer leaves out Resume where the run cannot be resumed, and the key then says why."""
        active = super().active_bindings
        resumable = self.entry is not None and self.entry.status in ("stopped", "interrupted", "failed")
        return {
            key: key_binding._replace(binding=replace(key_binding.binding, show=key_binding.binding.show and resumable))
            if key_binding.binding.action == "resume"
            else key_binding
            for key, key_binding in active.items()
        }

    # ---- the list -------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """List the runs again, in a thread."""
        self._ticks, self._listed_at = 0, time.monotonic()
        self.run_worker(self._list, thread=True, exclusive=True, group="runs-list", exit_on_error=False)

    def _list(self) -> None:
        worker, began = get_current_worker(), time.monotonic()
        try:
            entries = listing.read_listings(self.studio.home)
            self._list_seconds = time.monotonic() - began
        except Exception as error:  # the outer edge of the thread: reported, never a crash
            self.app.call_from_thread(self.studio.fault, error)
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._listed, entries, began)

    def _listed(self, entries: list[RunListing], began: float) -> None:
        """Show the list of a worker that `began` at this time."""
        if self.changing or began < self.changed_at:  # folders changed meanwhile: the runs are listed again
            return
        if entries == self._entries:
            self.detail.read()
            return
        self._entries = entries
        paths = {entry.run.path for entry in entries}
        self.marks = {path: letter for path, letter in self.marks.items() if path in paths}
        self._show()
        if self.seek in paths:
            self.table.go_to(self.seek)
            self.seek = None

    def _show(self) -> None:
        """Show the list and what is below it."""
        self._show_list()
        began = when(self.entry.utc, self.clock()) if self.entry else ""
        self.detail.show(self.entry, self._compared(), began)
        self.refresh_bindings()
        self.on_detail_pane_read()

    def on_detail_pane_failed(self, message: DetailPane.Failed) -> None:
        """Say why."""
        self.studio.fault(message.error)

    def on_detail_pane_read(self) -> None:
        """Update the sentence at once, not at the next tick."""
        self.tell()

    def _show_list(self) -> None:
        shown = self._sorted([entry for entry in self.listed if self._filter.matches(entry)])
        pane = self.query_one("#runs-list")
        glyphs = self.studio.glyphs
        self._drawn_with = glyphs.name
        total = len(self.listed)
        count = f"{total} run{'s' * (total != 1)}" if len(shown) == total else f"{len(shown)} of {total} runs"
        order = f"{count} {glyphs.dot} [@click=screen.order]by {self._order} (o)[/]"
        pane.border_subtitle = order if total else ""
        notice = "No run fits the filter. Esc clears it." if total else "There is no run yet. Enter goes Home."
        if self._entries is None:
            notice = "Looking ..."
        self.set_class(not total, "-empty")
        marks = self.marks | {entry.run.path: letter for letter, entry in self._compared().items()}
        self.table.show(shown, marks, self._order, notice, glyphs)

    def _sorted(self, entries: list[RunListing]) -> list[RunListing]:
        """In the chosen order; entries come with the newest first, and ties keep that order."""
        match self._order:
            case "held-out":
                return sorted(entries, key=lambda e: (e.val_bpb is None, e.val_bpb or 0.0))
            case "size":
                return sorted(entries, key=lambda e: -e.bytes)
            case "name":
                return sorted(entries, key=lambda e: e.name.casefold())
        return entries

    def on_run_table_moved(self) -> None:
        """Another run: its facts are shown at once, its log is read when the cursor rests."""
        self._message = ""
        self._show()

    def on_run_table_opened(self) -> None:
        """Open the run that was clicked twice."""
        self.action_open()

    def on_run_table_mark_clicked(self) -> None:
        """Mark the run whose margin was clicked."""
        self.action_mark()

    def on_run_table_title_clicked(self, message: RunTable.TitleClicked) -> None:
        """Sort by the column whose title was clicked."""
        self._order = message.order
        self._show_list()

    def sentence(self) -> str:
        """The filter's fault, what was refused, whether losses may be compared, or the run under the cursor."""
        if self._message:
            return printable(self._message)
        if self._entries is None:
            return "Looking through the runs of this home ..."
        if not self._entries:
            return "There is no run here yet. Enter goes Home, where one key starts the first."
        if self._filter.fault:
            return printable(f"The filter: {self._filter.fault}.")
        compared = self._compared()
        if compared and not self.detail.display:
            return "Their curves need more room: 80 x 24 at least."
        if compared:
            runs = list(self.detail.overlaid.values())
            return compare.verdict(runs).sentence if len(runs) == len(compared) else "Reading their logs ..."
        return self._about(self.entry) if self.entry else "No run fits the filter."

    def _about(self, entry: RunListing) -> str:
        """The sentence about a run, with its name shortened to fit: what one can do with the run comes last."""
        sentence = pictures.run_sentence(entry, marked=bool(self.marks))
        room = cell_len(entry.name) + self.query_one(Sentence).content_size.width - cell_len(sentence)
        short = ellipsize_middle(entry.name, max(LEAST_NAME, room), self.studio.glyphs)
        return pictures.run_sentence(replace(entry, name=short), marked=bool(self.marks))

    # ---- filter ---------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Show the filter, to type into."""
        self.query_one("#runs-search").add_class("-shown")
        self.query_one("#runs-filter").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as one types."""
        self._message = ""
        self._filter = filter.parse(event.value)
        self._show()

    def on_input_submitted(self) -> None:
        """Back to the list, filtered."""
        self.table.focus()

    def action_back(self) -> None:
        """One step back: the filter goes, then the marks."""
        search = self.query_one("#runs-search")
        if search.has_class("-shown"):
            self.query_one("#runs-filter", Input).value = ""
            search.remove_class("-shown")
        elif self.marks:
            self.marks.clear()
            self._show()
        self.table.focus()

    # ---- what one does with runs ----------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Show the run in Train; Home where there is none."""
        if self._entries is not None and not self._entries:
            self.studio.go("home")
        elif self.entry is not None and not self._refused_damaged(self.entry):
            self.studio.open_run(self.entry.run)

    def action_talk(self) -> None:
        """Let the model of the run write."""
        entry = self.entry
        if entry is None or self._refused_damaged(entry):
            return
        if not entry.run.checkpoints.is_dir():
            self.say(f"{entry.name} has saved nothing yet that could talk.")
        else:
            self.studio.talk_to(entry.run)

    def action_resume(self) -> None:
        """Resume the run, or say why not."""
        entry = self.entry
        if entry is None or self._refused_damaged(entry):
            return
        if entry.status == "finished":
            self.say(f"{entry.name} is finished. t talks to it, 2 plans a new run.")
        elif entry.status in ("training", "paused"):
            self.say(f"{entry.name} is being trained already. Enter shows it.")
        elif self.studio.training and self.studio.training.running:
            self.say(f"{self.studio.training.name} is training. Stop it first, or let it come to its end.")
        else:
            self.studio.resume_training(entry.run)

    def _refused_damaged(self, entry: RunListing) -> bool:
        if entry.status == "damaged":
            self.say(f"{entry.name} is damaged: {entry.fault}")
        return entry.status == "damaged"

    def action_mark(self) -> None:
        """Mark the run, or remove its mark."""
        entry = self.entry
        if entry is None:
            return
        path = entry.run.path
        if path in self.marks:
            del self.marks[path]
        elif len(self.marks) == len(LETTERS):
            self.say(f"{len(LETTERS)} runs are marked already, and more curves cannot be told apart.")
            return
        else:
            self.marks[path] = next(letter for letter in LETTERS if letter not in self.marks.values())
        self._message = ""
        self._show()

    def action_order(self) -> None:
        """The next order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._show_list()

    def action_axis(self) -> None:
        """The next x axis."""
        self.detail.next_axis()

    def action_measure(self) -> None:
        """The other measure: smoothed loss or held-out loss."""
        self.detail.next_measure()

    def action_unit(self) -> None:
        """The other unit; nats per token only where the runs have the same tokens."""
        self.say(self.detail.next_unit())

    def action_log(self) -> None:
        """The next scale: linear, log y, log x and y."""
        self.detail.chart.action_scale()

    def action_settings(self) -> None:
        """All settings, or those that differ."""
        self.detail.next_settings()
