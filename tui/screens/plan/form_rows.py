"""The rows of the form: headings, labels and values, all drawn by one widget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinylm.config.schema import RunConfig
from tinylm.words import one_line
from tui.screens.plan import edits, fields
from tui.screens.plan.fields import Field, Section
from tui.terminal import glyphs
from tui.terminal.keys import hidden

if TYPE_CHECKING:
    from tui.screens.plan.form import ConfigForm

COLUMN = 46
"""Least width of a column of rows, in cells."""

LABEL = 18
"""Cells of a label; a longer one moves its value to the right."""


@dataclass(frozen=True)
class FormRow:
    """A heading, or a field."""

    id: str
    """Id of the section, or key of the field."""
    section: Section
    label: str
    field: Field | None = None


class FormRows(ScrollView, can_focus=True, inherit_bindings=False):
    """All rows, drawn line by line, so that moving the cursor needs no layout."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--label", "rows--value", "rows--changed", "rows--heading", "rows--cursor", "rows--arrow", "rows--plain",
    }  # fmt: skip
    DEFAULT_CSS = """
    FormRows { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .rows--label { color: $text-muted; }
        & > .rows--value { color: $text; }
        & > .rows--changed { color: $text-warning; text-style: bold; }
        & > .rows--heading { color: $text-primary; text-style: bold; }
        & > .rows--cursor { background: $boost; color: $text; }
        & > .rows--arrow { color: $text-accent; text-style: bold; }
        & > .rows--plain { color: $text; }
        &:focus > .rows--cursor { background: $primary-muted; color: $text; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("up", "move(-1)", "Field above", id="form.up", tooltip="To the field above"),
        hidden("down", "move(1)", "Field below", id="form.down", tooltip="To the field below"),
        hidden("pageup", "move(-10)", "Ten up", id="form.pageup", tooltip="Ten fields up"),
        hidden("pagedown", "move(10)", "Ten down", id="form.pagedown", tooltip="Ten fields down"),
        hidden("home", "move(-1000)", "First field", id="form.first", tooltip="To the first field"),
        hidden("end", "move(1000)", "Last field", id="form.last", tooltip="To the last field"),
        hidden("left", "step(False)", "Less", id="form.less", tooltip="The notch below"),
        hidden("right", "step(True)", "More", id="form.more", tooltip="The notch above"),
    ]

    def __init__(self, form: ConfigForm) -> None:
        """`form` is asked for changes."""
        super().__init__()
        self.form = form
        self.rows: list[FormRow] = []
        self.cursor = 0
        self.opened: dict[str, bool] = {}
        """Sections that the person has opened (True) or closed (False)."""
        self._config = RunConfig()
        self._base = RunConfig()
        self._sections: list[Section] = []
        self.signs = glyphs.BRAILLE
        self.typing = False
        """A value is being typed; no arrows are drawn beside it."""
        self._drawn: dict[tuple[int, int, bool, bool], Strip] = {}
        """Cache of drawn rows by index, width, whether marked, and focus."""
        self._ground = Style()

    @property
    def row(self) -> FormRow:
        """The row that is marked."""
        return self.rows[self.cursor]

    # ---- rows -----------------------------------------------------------------------------------------------------

    def show(self, config: RunConfig, base: RunConfig) -> None:
        """Show `config`, with differences from `base` marked; the cursor stays on its row."""
        self._config, self._base = config, base
        self._sections = fields.sections(config)
        self.lay_out()

    def is_open(self, section: Section) -> bool:
        """Whether the fields of a section are shown; by default only if there are two columns."""
        return not section.title or self.opened.get(section.id, self.columns > 1)

    def lay_out(self) -> None:
        """Build the list of rows."""
        marked = self.row.id if self.rows else ""
        inside = self.row.section.id if self.rows else ""
        self.rows = []
        for section in self._sections:
            if section.title:
                self.rows.append(FormRow(section.id, section, section.title))
            if self.is_open(section):
                self.rows += [FormRow(field.key, section, label, field) for label, field in section.rows]
        ids = [row.id for row in self.rows]
        known = marked if marked in ids else inside
        self.cursor = ids.index(known) if known in ids else min(self.cursor, len(ids) - 1)
        self.virtual_size = Size(self.size.width, self.depth)
        self.redraw()

    @property
    def columns(self) -> int:
        """Number of columns."""
        return max(1, self.size.width // COLUMN)

    @property
    def depth(self) -> int:
        """Lines of a column."""
        return max(1, self.size.height, -(-len(self.rows) // self.columns))

    @property
    def width_each(self) -> int:
        """Width of a column in cells."""
        return max(1, self.size.width // self.columns)

    def region_of(self, index: int) -> Region:
        """The region of a row in the virtual, scrolled area."""
        column, line = divmod(index, self.depth)
        return Region(column * self.width_each, line, self.width_each - (self.columns > 1), 1)

    def value_offset(self, row: FormRow) -> int:
        """Cells before the value of a row: mark, label, arrow."""
        return 2 + (LABEL if len(row.label) <= LABEL else len(row.label) + 1) + 2

    def on_resize(self) -> None:
        """Lay out for the new width."""
        self.lay_out()
        self.call_after_refresh(self.reveal)

    # ---- drawing --------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Drop the cache and draw all rows."""
        self._drawn.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        """Draw with the new colours."""
        super().notify_style_update()
        self._drawn.clear()

    def render_line(self, y: int) -> Strip:
        """A line of all columns."""
        if not self._drawn:
            self._ground = self.rich_style
        line, columns, depth, width = y + self.scroll_offset.y, self.columns, self.depth, self.width_each
        parts: list[Segment] = []
        for column in range(columns):
            index = column * depth + line
            if line >= depth or index >= len(self.rows):
                parts += Strip.blank(width, self._ground)
                continue
            key = (index, width, index == self.cursor, self.has_focus)
            if key not in self._drawn:
                self._drawn[key] = self._row(index, width)
            parts += self._drawn[key]
        return Strip(parts).adjust_cell_length(self.size.width, self._ground)

    def _row(self, index: int, width: int) -> Strip:
        row, marked = self.rows[index], index == self.cursor
        room = width - (self.columns > 1)
        ground = self.get_component_rich_style("rows--cursor") if marked else self._ground
        behind = Style(bgcolor=ground.bgcolor, bold=ground.bold)

        def piece(text: str, kind: str) -> Segment:
            style = self.get_component_rich_style(f"rows--{kind}") + behind
            return Segment(one_line(text.replace("\n", " ")), style)

        if row.field is None:
            is_open = self.is_open(row.section)
            sign = ("v" if is_open else ">") if self._plain else ("▾" if is_open else "▸")
            pieces = [piece(f"{sign} {row.label}", "heading")]
            if not is_open:
                changed = sum(edits.differs(self._config, field, self._base) for _, field in row.section.rows)
                count = f"  {len(row.section.rows)} more" + (f", {changed} changed" if changed else "")
                pieces.append(piece(count, "changed" if changed else "label"))
        else:
            differs = edits.differs(self._config, row.field, self._base)
            value = fields.display_value(self._config, row.field)
            kind = "label" if fields.chosen_by_fit(self._config, row.field) and not marked else "value"
            before = self.value_offset(row)
            space = room - before - 2
            if len(value) > space:
                value = value[: max(0, space - len(self.signs.ellipsis))] + self.signs.ellipsis
            arrows = marked and not self.typing
            left, right = ("< ", " >") if self._plain else ("‹ ", " ›")
            pieces = [
                piece(f"{self.signs.diamond if differs else ' '} ", "changed"),
                piece(f"{row.label:<{before - 4}}", "plain" if differs or marked else "label"),
                piece(left if arrows else "  ", "arrow"),
                piece(value, "changed" if differs else kind),
                piece(right if arrows else "  ", "arrow"),
            ]
        strip = Strip(pieces).adjust_cell_length(room, ground)
        return strip if room == width else strip.adjust_cell_length(width, self._ground)

    @property
    def _plain(self) -> bool:
        return self.signs is glyphs.ASCII

    # ---- moving ---------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by `by` rows."""
        self.mark(max(0, min(len(self.rows) - 1, self.cursor + by)))

    def action_step(self, up: bool) -> None:
        """Change the marked field by a notch; open or close a heading."""
        self.form.step(up)

    def mark(self, index: int) -> None:
        """Mark this row and bring it into view."""
        if index != self.cursor:
            self.cursor = index
            self.refresh()
            self.form.marked()
        self.reveal()

    def reveal(self) -> None:
        """Scroll the marked row into view."""
        if self.rows:
            self.scroll_to_region(self.region_of(self.cursor), animate=False)

    def toggle(self, section: Section, to: bool | None = None) -> None:
        """Open or close a section."""
        if section.title:
            self.opened[section.id] = not self.is_open(section) if to is None else to
            self.lay_out()
            self.reveal()

    def on_key(self, event: events.Key) -> None:
        """A letter begins to type a text; Enter on a heading opens or closes it."""
        field, letter = self.row.field, event.character
        if field is None:
            if event.key == "enter":
                event.stop()
                event.prevent_default()
                self.toggle(self.row.section)
            return
        # Digits switch screens here as everywhere; a number is typed after Space.
        if field.kind in ("text", "texts") and letter and event.is_printable and letter not in " /?0123456789":
            event.stop()
            event.prevent_default()
            self.form.edit(letter)

    def on_click(self, event: events.Click) -> None:
        """Mark the row; in the marked one, step with the arrows, or edit the value."""
        x, y = event.x + self.scroll_offset.x, event.y + self.scroll_offset.y
        index = min(x // self.width_each, self.columns - 1) * self.depth + y
        if y >= self.depth or index >= len(self.rows):
            return
        row, again = self.rows[index], index == self.cursor
        self.mark(index)
        if row.field is None:
            self.toggle(row.section)
        elif again:
            value = fields.display_value(self._config, row.field)
            across = x % self.width_each - (self.value_offset(row) - 2)
            if 0 <= across < 2:
                self.form.step(False)
            elif len(value) + 2 <= across < len(value) + 4:
                self.form.step(True)
            elif across >= 2:
                self.form.edit()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Move what lies over the rows along with them."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.form.reposition()
