"""The configuration as a form: one widget draws all rows, and an input appears over the value that is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tinylm.config import resolve
from tinylm.config.aliases import elsewhere
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.words import printable
from tui.screens.plan import edits, fields, increments
from tui.screens.plan.fields import Field
from tui.screens.plan.form_rows import FormRow, FormRows
from tui.terminal import glyphs
from tui.terminal.keys import hidden


class FieldInput(Input):
    """The input for a value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take", id="form.take", tooltip="Take what is typed"),
        Binding("escape", "give_up", "Leave as it was", id="form.give_up", tooltip="Leave the value as it was"),
        hidden("up", "take_and_move(-1)", "Take", id="form.take_up", tooltip="Take it, go up"),
        hidden("down", "take_and_move(1)", "Take", id="form.take_down", tooltip="Take it, go down"),
    ]

    def action_give_up(self) -> None:
        """Leave the value as it was."""
        cast("ConfigForm", self.parent).finish(take=False)

    def action_take_and_move(self, by: int) -> None:
        """Take the value, and mark another row."""
        form = cast("ConfigForm", self.parent)
        if form.finish(take=True) and not form.note:  # what stands beside the row is to be read there
            form.rows.action_move(by)


class ConfigForm(Vertical):
    """The form: rows, the input for a value, and a message about it."""

    DEFAULT_CSS = """
    ConfigForm { layers: rows typed; padding: 0;
        FormRows { layer: rows; }
        FieldInput { layer: typed; position: absolute; display: none; height: 1; background: $surface; }
        .form-message { layer: typed; position: absolute; display: none; height: auto; background: $surface;
            color: $text; border-left: outer $accent; padding: 0 1; }
        .form-message.-fault { color: $text-error; border-left: outer $error; }
    }
    """

    @dataclass
    class Changed(Message):
        """The person changed the plan."""

        config: RunConfig

    class Marked(Message):
        """Another field is marked."""

    def __init__(self, config: RunConfig, home: Path, id: str | None = None) -> None:
        """`home` has the presets of the person."""
        super().__init__(id=id, classes="pane")
        self.config, self._home = config, home
        self.base, self._based_on = edits.base_of(config, home), config.preset
        self.fault = ""
        """What is wrong with the last change; "" if nothing is."""
        self.note = ""
        """What else the last change has set; "" if nothing."""
        self._offered: tuple[str, Any, edits.Repair] | None = None
        self._edited: FormRow | None = None

    def compose(self) -> ComposeResult:
        """The rows, and over them the input and the message about the marked row."""
        yield FormRows(self)
        yield FieldInput(compact=True, select_on_focus=False)
        yield Static("", classes="form-message", markup=False)

    def on_mount(self) -> None:
        """Show the plan."""
        self.show(self.config)

    @property
    def rows(self) -> FormRows:
        """The rows."""
        return self.query_one(FormRows)

    @property
    def field(self) -> Field | None:
        """The marked field; None on a heading."""
        return self.rows.row.field if self.rows.rows else None

    @property
    def editing(self) -> bool:
        """Whether a value is being typed."""
        return self._edited is not None

    def show(self, config: RunConfig, reread: bool = False) -> None:
        """Show `config`; `reread` reads its preset again, which was written anew."""
        self.config = config
        if not self.editing:  # message and offer were about the earlier plan
            self._show_message()
        if reread or config.preset != self._based_on:
            self.base, self._based_on = edits.base_of(config, self._home), config.preset
        self.rows.show(config, self.base)
        self.border_title = "Recipe"
        count, preset = len(edits.difference(config, self.base)), config.preset or "the defaults"
        message = "1 setting differs" if count == 1 else f"{count} settings differ"
        self.border_subtitle = f"{message} from {preset}" if count else config.preset
        self.reposition()

    def show_signs(self, signs: glyphs.Glyphs) -> None:
        """Draw with these glyphs."""
        if self.rows.signs is not signs:
            self.rows.signs = signs
            self.rows.redraw()

    def jump(self, key: str) -> None:
        """Mark the field with this key, and open its section."""
        self.finish(take=False)
        section = next((s for s in fields.sections(self.config) if any(f.key == key for _, f in s.rows)), None)
        if section is None:
            return
        if not self.rows.is_open(section):
            self.rows.toggle(section, True)
        self.rows.mark(next(i for i, row in enumerate(self.rows.rows) if row.id == key))
        self.rows.focus()

    def marked(self) -> None:
        """Another row is marked: clear the message about the last one."""
        self._show_message()
        self.post_message(self.Marked())

    # ---- changing -------------------------------------------------------------------------------------------------

    def step(self, up: bool) -> None:
        """Change the marked field by a notch; the same key again accepts a repair that the first one offered."""
        row = self.rows.row
        if row.field is None:
            self.rows.toggle(row.section, up)
            return
        if text := fields.unused_reason(self.config, row.field.key):
            self._show_message(f"{text} Only bpe has a size to choose.")
            return
        value = fields.value_of(self.config, row.field.key)
        new = increments.next_value(row.field, value, up, list(resolve.presets(self._home)))
        if new == (len(value) if row.field.kind == "phases" else value):
            return
        if self._offered and self._offered[:2] == (row.field.key, new):
            self._take(self._offered[2].config, row.field)
            return
        arrow = ("right" if up else "left") if self.rows.signs is glyphs.ASCII else "→" if up else "←"
        config = self._changed(row.field, new, f"{arrow} again also")
        if config is not None:
            self._take(config, row.field)

    def larger(self) -> RunConfig | None:
        """The plan with the next larger value of the marked field; None if there is none that fits."""
        field = self.field
        if field is None or field.kind not in ("integer", "number", "choice", "switch"):
            return None
        value = fields.value_of(self.config, field.key)
        new = increments.next_value(field, value, True)
        try:
            return None if new == value else edits.change(self.config, field.key, new, self._home)
        except TinyLMError:
            repair = edits.propose_repair(self.config, field.key, new)
            return repair.config if repair else None

    def reset(self) -> None:
        """Reset the marked field to the preset."""
        if self.field is not None:
            field = self.field
            self._guarded(lambda: edits.reset(self.config, field, self.base, self._home), field)

    def add_phase(self) -> None:
        """Add a phase after the marked one."""
        at = self._phase()
        self._guarded(lambda: edits.with_phase(self.config, at))

    def remove_phase(self) -> None:
        """Remove the marked phase, or else the last."""
        at = self._phase()
        self._guarded(lambda: edits.without_phase(self.config, at))

    def _phase(self) -> int:
        parts = self.rows.row.id.removeprefix("phase").split(".")
        if parts[0].isdecimal():
            return int(parts[0])
        return int(parts[2]) if len(parts) > 2 and parts[1] == "phases" else len(self.config.train.phases) - 1

    def _guarded(self, make: Callable[[], RunConfig], field: Field | None = None) -> None:
        try:
            self._take(make(), field)
        except TinyLMError as error:
            self._show_message(f"{error.message} {error.hint}")

    def _changed(self, field: Field, value: Any, how: str) -> RunConfig | None:
        """The plan with another value; else shows why not and offers a repair, and `how` says how to accept it."""
        try:
            return edits.change(self.config, field.key, value, self._home)
        except TinyLMError as error:
            repair = edits.propose_repair(self.config, field.key, value)
            self._offered = (field.key, value, repair) if repair else None
            # A shorter message: the field is plain, and its help is shown below.
            fault = error.message.removeprefix("The settings do not fit: ")
            self._show_message(f"{fault} {how} {repair.also}." if repair else fault.strip())
            return None

    def _take(self, config: RunConfig, field: Field | None) -> None:
        """Make `config` the plan, and show what else has changed along with `field`."""
        before = self.config
        self._show_message()
        if config != before:
            self.show(config)
            self._show_message(note=edits.side_effects(before, config, field.key) if field else "")
            self.post_message(self.Changed(config))

    def _show_message(self, fault: str = "", note: str = "") -> None:
        """Show a message beside the marked row; without a fault the offer is withdrawn."""
        if not fault:
            self._offered = None
        if (fault, note) != (self.fault, self.note):
            self.fault, self.note = fault, note
            self.reposition()

    # ---- typing ---------------------------------------------------------------------------------------------------

    def edit(self, typed: str | None = None) -> None:
        """Open the input for the marked value, with its text or `typed`; step through choices and switches."""
        row = self.rows.row
        if row.field is None:
            self.rows.toggle(row.section)
            return
        if not row.field.typed or fields.unused_reason(self.config, row.field.key):
            self.step(True)
            return
        self._show_message()
        self._edited = row
        line = self.query_one(FieldInput)
        value = fields.value_of(self.config, row.field.key)
        line.value = fields.text_of(row.field, value) if typed is None else typed
        line.display = True
        self.rows.typing = True
        self.rows.redraw()
        self.reposition()
        line.focus()
        line.cursor_position = len(line.value)
        if typed is None:
            line.select_all()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check while typing."""
        event.stop()
        if self._edited is not None:
            self._check(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the value, with the repair if it needs one."""
        event.stop()
        self.finish(take=True)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Leaving the input takes the value; one that does not fit is dropped."""
        if isinstance(event.widget, FieldInput) and self.app.app_focus and not self.finish(take=True):
            self.finish(take=False)

    def _check(self, text: str) -> RunConfig | None:
        """The plan with the typed value; None, with a message, if it does not fit."""
        assert self._edited is not None
        assert self._edited.field is not None
        field = self._edited.field
        self._offered = None
        try:
            value = fields.parse(field, text)
        except ValueError as error:
            text = str(error)
            self._show_message(text[:1].upper() + text[1:])
            return None
        config = self._changed(field, value, "Enter also")
        if config is not None:
            self._show_message()
        return config

    def finish(self, take: bool) -> bool:
        """End typing: take the typed value or leave the old one; False if it cannot be taken."""
        if self._edited is None:
            return True
        line = self.query_one(FieldInput)
        config = self._check(line.value) if take else self.config
        if config is None and self._offered is not None:
            config = self._offered[2].config
        if config is None:
            return False
        had_focus, field = line.has_focus, self._edited.field
        self._edited = None
        self.rows.typing = line.display = False
        self.rows.redraw()
        if had_focus:
            self.rows.focus()
        self._take(config, field)
        return True

    def reposition(self) -> None:
        """Move input and message to the marked row."""
        if not self.is_mounted or not self.rows.rows:
            return
        rows = self.rows
        region = rows.region_of(rows.cursor).translate(-rows.scroll_offset)
        before = rows.value_offset(rows.row)
        line, message = self.query_one(FieldInput), self.query_one(".form-message", Static)
        line.styles.offset = (region.x + before, region.y)
        line.styles.width = max(8, region.width - before)
        text = self.fault or self.note
        message.display = bool(text)
        message.set_class(bool(self.fault), "-fault")
        if text:
            message.update(printable(text))
            message.styles.width = region.width
            lines = -(-len(text) // max(1, region.width - 4)) + 1
            above = region.y + 1 + lines > rows.size.height
            message.styles.offset = (region.x, max(0, region.y - lines) if above else region.y + 1)


def matches(config: RunConfig, words: str) -> Sequence[tuple[str, Field]]:
    """Labels and fields that have all `words` in name, title or help; matches in name and title come first.

    What other programs call a setting counts as its help.
    """
    wanted = words.lower().split()
    matching: list[tuple[int, str, Field]] = []
    for section in fields.sections(config):
        for label, field in section.rows:
            named = f"{label} {field.title} {field.key}".lower()
            if all(word in named for word in wanted):
                matching.append((0, label, field))
            elif all(word in f"{named} {field.help.lower()} {elsewhere(field.key)}" for word in wanted):
                matching.append((1, label, field))
    return [(label, field) for _, label, field in sorted(matching, key=lambda item: item[0])]
