"""The table of runs: as many columns as fit, a cursor, and marks with the letters of the curves below.

Textual's DataTable has fixed columns and is filled cell by cell; this table chooses its columns by the room and by what
there is to show, and is replaced as a whole every few seconds without moving the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinylm.runs.listing import RunListing
from tui.screens.runs.columns import COLUMNS, MARGIN, Order, fit_columns, state_glyph
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import BRAILLE, Glyphs
from tui.terminal.keys import hidden

LETTERS = "abcd"
"""Letters of marked runs and their curves; as many runs can be marked."""

_TONES = {"training": "live", "paused": "halted", "finished": "done", "stopped": "halted"}


class RunTable(ScrollView, can_focus=True):
    """Runs, one on each line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "runs--header", "runs--sorted", "runs--cursor", "runs--hover", "runs--muted", "runs--live", "runs--halted",
        "runs--done", "runs--bad", "runs--a", "runs--b", "runs--c", "runs--d",
    }  # fmt: skip
    DEFAULT_CSS = """
    RunTable {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .runs--header { color: $text-muted; }
        & > .runs--sorted { color: $text; text-style: bold; }
        & > .runs--cursor { background: $boost; }
        &:focus > .runs--cursor { background: $accent 30%; }
        & > .runs--hover { background: $boost; }
        & > .runs--muted { color: $text-muted; }
        & > .runs--live { color: $text-primary; }
        & > .runs--halted { color: $text-warning; }
        & > .runs--done { color: $text-success; }
        & > .runs--bad { color: $text-error; }
        & > .runs--a { color: $text-primary; text-style: bold reverse; }
        & > .runs--b { color: $text-warning; text-style: bold reverse; }
        & > .runs--c { color: $text-success; text-style: bold reverse; }
        & > .runs--d { color: $text-error; text-style: bold reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("up,k", "move(-1)", "Up", id="runtable.up", tooltip="The run above"),
        hidden("down,j", "move(1)", "Down", id="runtable.down", tooltip="The run below"),
        hidden("pageup", "page(-1)", "Page up", id="runtable.pageup", tooltip="A page up"),
        hidden("pagedown", "page(1)", "Page down", id="runtable.pagedown", tooltip="A page down"),
        hidden("home", "move(-1000000)", "First", id="runtable.first", tooltip="The first run"),
        hidden("end", "move(1000000)", "Last", id="runtable.last", tooltip="The last run"),
    ]

    class Moved(Message):
        """The cursor has moved to another run."""

    class Opened(Message):
        """The run under the cursor was clicked twice."""

    class MarkClicked(Message):
        """The mark of the run under the cursor was clicked."""

    @dataclass
    class TitleClicked(Message):
        """A column's title was clicked."""

        order: Order

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """`clock` gives the time that "1 h ago" counts from."""
        super().__init__()
        self.clock = clock
        self.entries: Sequence[RunListing] = ()
        self.marks: Mapping[Path, str] = {}
        """Letters of the marked runs, by folder."""
        self.order: Order = "when"
        self.cursor = 0
        self.notice = ""
        """Shown while there is no run."""
        self.glyphs = BRAILLE
        self._hover: int | None = None
        self._now = clock()
        self._columns: dict[str, int] = {}

    # ---- what it shows --------------------------------------------------------------------------------------------

    @property
    def entry(self) -> RunListing | None:
        """The run under the cursor."""
        return self.entries[self.cursor] if self.entries else None

    def show(
        self, entries: Sequence[RunListing], marks: Mapping[Path, str], order: Order, notice: str, glyphs: Glyphs
    ) -> None:
        """Replace everything; the cursor stays on its run, or on its line where the run is gone."""
        before = self.entry
        now = self.clock()
        new = (list(entries), dict(marks), order, notice, glyphs.name, now.replace(second=0, microsecond=0))
        old_now = self._now.replace(second=0, microsecond=0)
        if new == (list(self.entries), dict(self.marks), self.order, self.notice, self.glyphs.name, old_now):
            return
        paths = [entry.run.path for entry in entries]
        if before is not None and before.run.path in paths:
            self.cursor = paths.index(before.run.path)
        self.cursor = max(0, min(self.cursor, len(entries) - 1))
        self.entries, self.marks, self.order, self.notice, self.glyphs = entries, dict(marks), order, notice, glyphs
        self._now = now
        self._lay_out()
        if (self.entry and self.entry.run) != (before and before.run):  # not where only the run's numbers changed
            self.post_message(self.Moved())

    def go_to(self, path: Path) -> None:
        """Move the cursor to a run, if it is in the table."""
        for index, entry in enumerate(self.entries):
            if entry.run.path == path:
                self.action_move(index - self.cursor)

    def _lay_out(self) -> None:
        scrolls = len(self.entries) + 1 > self.outer_size.height
        width = self.outer_size.width - scrolls
        self._columns = fit_columns(self.entries, width, self._now)
        self.virtual_size = Size(width, len(self.entries) + 1)
        self._keep_in_view()
        self.refresh()

    def on_resize(self) -> None:
        """Choose the columns for the new width."""
        self._lay_out()

    def notify_style_update(self) -> None:
        """Draw again in the colours of another theme."""
        super().notify_style_update()
        self.refresh()

    def _keep_in_view(self) -> None:
        rows = max(1, self.scrollable_content_region.height - 1)
        if self.cursor < self.scroll_offset.y:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= self.scroll_offset.y + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, immediate=True)

    # ---- drawing --------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """A line of the widget: the titles first, then runs."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        if not self.entries:
            text = self.notice.center(width) if y == max(1, self.scrollable_content_region.height // 2) else ""
            return Strip([Segment(set_cell_size(text, width), base + self._tone("muted"))], width)
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            return self._header(base).adjust_cell_length(width, base)
        if row >= len(self.entries):
            return Strip.blank(width, base)
        if row == self.cursor:
            base += Style(bgcolor=self.get_component_rich_style("runs--cursor").bgcolor)
        elif row == self._hover:
            base += Style(bgcolor=self.get_component_rich_style("runs--hover").bgcolor)
        return self._row(self.entries[row], row == self.cursor, base).adjust_cell_length(width, base)

    def _tone(self, name: str) -> Style:
        """The style of a component without its background."""
        style = self.get_component_rich_style(f"runs--{name}")
        return Style(color=style.color, bold=style.bold, reverse=style.reverse)

    def _header(self, base: Style) -> Strip:
        segments = [Segment(" " * MARGIN, base)]
        for key, width in self._columns.items():
            column = COLUMNS[key]
            tone = "sorted" if column.order == self.order else "header"
            segments += self._cell(column.title, width, column.right, base + self._tone(tone), base)
        return Strip(segments)

    def _row(self, entry: RunListing, here: bool, base: Style) -> Strip:
        letter = self.marks.get(entry.run.path)
        segments = [
            Segment(self.glyphs.arrow if here else " ", base),
            Segment(letter or " ", base + self._tone(letter) if letter else base),
            Segment(" ", base),
        ]
        for key, width in self._columns.items():
            column = COLUMNS[key]
            text, style = column.text(entry, self._now), base
            if key == "name":
                text = ellipsize_middle(text, width, self.glyphs)
            elif key == "state":
                text = f"{state_glyph(entry.status, self.glyphs)} {text}"
                style = base + self._tone(_TONES.get(entry.status, "bad"))
            elif key not in ("bpb", "note"):
                style = base + self._tone("muted")
            segments += self._cell(text, width, column.right, style, base)
        return Strip(segments)

    def _cell(self, text: str, width: int, right: bool, style: Style, base: Style) -> list[Segment]:
        if cell_len(text) > width:
            end = self.glyphs.ellipsis
            text = set_cell_size(text, width - len(end)) + end
        text = " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)
        return [Segment(text, style), Segment("  ", base)]

    # ---- moving ---------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor down by so many lines, or up."""
        target = max(0, min(self.cursor + by, len(self.entries) - 1))
        if target != self.cursor:
            self.cursor = target
            self._keep_in_view()
            self.refresh()
            self.post_message(self.Moved())

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self.scrollable_content_region.height - 2))

    def _row_at(self, y: int) -> int | None:
        row = y - 1 + self.scroll_offset.y
        return row if y > 0 and row < len(self.entries) else None

    def on_click(self, event: events.Click) -> None:
        """A click on a title sorts, on the margin marks, on a run moves the cursor there; the second opens it."""
        event.stop()
        if event.y == 0:
            key = self._column_at(event.x)
            order = COLUMNS[key].order if key else None
            if order is not None:
                self.post_message(self.TitleClicked(order))
            return
        row = self._row_at(event.y)
        if row is None:
            return
        self.action_move(row - self.cursor)
        if event.x < MARGIN:
            self.post_message(self.MarkClicked())
        elif event.chain == 2:
            self.post_message(self.Opened())

    def _column_at(self, x: int) -> str | None:
        start = MARGIN
        for key, width in self._columns.items():
            if start <= x < start + width:
                return key
            start += width + 2
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the run under the mouse."""
        row = self._row_at(event.y)
        if row != self._hover:
            self._hover = row
            self.refresh()

    def on_leave(self) -> None:
        """Highlight nothing."""
        self._hover = None
        self.refresh()
