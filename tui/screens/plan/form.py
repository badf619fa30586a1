"""The configuration as a form: one widget draws all rows, and one line to type on appears where something is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.words import printable
from tui.screens.plan import edits, fields, increments
from tui.screens.plan.fields import Field
from tui.screens.plan.form_rows import Row, Rows
from tui.terminal import glyphs


def _told(error: TinyLMError, more: str) -> str:
    """A fault in few words: its place is plain, and the field's help stands below."""
    return f"{error.message.removeprefix('The settings do not fit: ')} {more}".strip()


class FieldInput(Input):
    """The line on which a value is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take", id="form.take", tooltip="Take what is typed"),
        Binding("escape", "give_up", "Leave as it was", id="form.give_up", tooltip="Leave the value as it was"),
        Binding("up", "take_and_move(-1)", "Take", show=False, id="form.take_up", tooltip="Take it, go up"),
        Binding("down", "take_and_move(1)", "Take", show=False, id="form.take_down", tooltip="Take it, go down"),
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
    """The form: rows, what is typed, and what is wrong with it."""

    DEFAULT_CSS = """
    ConfigForm { layers: rows typed; padding: 0;
        Rows { layer: rows; }
        FieldInput { layer: typed; position: absolute; display: none; height: 1; background: $surface; }
        .form-told { layer: typed; position: absolute; display: none; height: auto; background: $surface;
            color: $text; border-left: outer $accent; padding: 0 1; }
        .form-told.-fault { color: $text-error; border-left: outer $error; }
    }
    """

    class Planned(Message):
        """The person changed the plan."""

        def __init__(self, config: RunConfig) -> None:
            super().__init__()
            self.config = config

    class Marked(Message):
        """Another field is marked."""

    def __init__(self, config: RunConfig, home: Path, id: str | None = None) -> None:
        """`home` is where the person's own presets lie."""
        super().__init__(id=id, classes="pane")
        self.config, self._home = config, home
        self.base, self._based_on = edits.base_of(config, home), config.preset
        self.fault = ""
        """What is wrong with what was typed or asked for last; empty where nothing is."""
        self.note = ""
        """What else the last change has set; empty where nothing."""
        self._offered: tuple[str, Any, edits.Repair] | None = None
        self._edited: Row | None = None

    def compose(self) -> ComposeResult:
        """Rows, and over them the line to type on, and what there is to say about the marked row."""
        yield Rows(self)
        yield FieldInput(compact=True, select_on_focus=False)
        yield Static("", classes="form-told", markup=False)

    def on_mount(self) -> None:
        """Show the plan."""
        self.show(self.config)

    @property
    def rows(self) -> Rows:
        """What is drawn."""
        return self.query_one(Rows)

    @property
    def field(self) -> Field | None:
        """The marked field; None on a heading."""
        return self.rows.row.field if self.rows.rows else None

    @property
    def editing(self) -> bool:
        """Whether a value is being typed."""
        return self._edited is not None

    def show(self, config: RunConfig, reread: bool = False) -> None:
        """Show this plan; with `reread`, its preset has been written anew."""
        self.config = config
        if not self.editing:  # what was said and offered was about the plan before
            self._tell()
        if reread or config.preset != self._based_on:
            self.base, self._based_on = edits.base_of(config, self._home), config.preset
        self.rows.show(config, self.base)
        self.border_title = "Recipe"
        count, preset = len(edits.difference(config, self.base)), config.preset or "the defaults"
        told = "1 setting differs" if count == 1 else f"{count} settings differ"
        self.border_subtitle = f"{told} from {preset}" if count else config.preset
        self.settle()

    def show_signs(self, signs: glyphs.Glyphs) -> None:
        """Draw with what the terminal can show."""
        if self.rows.signs is not signs:
            self.rows.signs = signs
            self.rows.draw_anew()

    def jump(self, key: str) -> None:
        """Mark a field, and open its section."""
        self.finish(take=False)
        section = next((s for s in fields.sections(self.config) if any(f.key == key for _, f in s.rows)), None)
        if section is None:
            return
        if not self.rows.is_open(section):
            self.rows.toggle(section, True)
        self.rows.mark(next(i for i, row in enumerate(self.rows.rows) if row.id == key))
        self.rows.focus()

    def marked(self) -> None:
        """Another row is marked: what was said about the last one is over."""
        self._tell()
        self.post_message(self.Marked())

    # ---- changing -------------------------------------------------------------------------------------------------

    def step(self, up: bool) -> None:
        """One notch; the same arrow again takes what the first could only have together with another setting."""
        row = self.rows.row
        if row.field is None:
            self.rows.toggle(row.section, up)
            return
        if said := fields.idle(self.config, row.field.key):
            self._tell(f"{said} Only bpe has a size to choose.")
            return
        value = fields.value_of(self.config, row.field.key)
        new = increments.step(row.field, value, up, list(resolve.presets(self._home)))
        if new == (len(value) if row.field.kind == "phases" else value):
            return
        if self._offered and self._offered[:2] == (row.field.key, new):
            self._take(self._offered[2].config, row.field)
            return
        arrow = ("right" if up else "left") if self.rows.signs is glyphs.ASCII else "→" if up else "←"
        self._attempt(row.field, new, f"{arrow} again also")

    def larger(self) -> RunConfig | None:
        """The plan with the marked number one notch up, to say what that would mean; None where it does not fit."""
        field = self.field
        if field is None or field.kind not in ("integer", "number", "choice", "switch"):
            return None
        value = fields.value_of(self.config, field.key)
        new = increments.step(field, value, True)
        try:
            return None if new == value else edits.change(self.config, field.key, new, self._home)
        except TinyLMError:
            fix = edits.propose(self.config, field.key, new)
            return fix.config if fix else None

    def reset(self) -> None:
        """The marked field as the preset has it."""
        if self.field is not None:
            field = self.field
            self._guarded(lambda: edits.reset(self.config, field, self.base, self._home), field)

    def add_phase(self) -> None:
        """A phase more, behind the marked one."""
        at = self._phase()
        self._guarded(lambda: edits.with_phase(self.config, at))

    def remove_phase(self) -> None:
        """The marked phase away, else the last."""
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
            self._tell(f"{error.message} {error.hint}")

    def _attempt(self, field: Field, value: Any, how: str) -> bool:
        """Change a field, or say why not and what would go with it."""
        try:
            self._take(edits.change(self.config, field.key, value, self._home), field)
        except TinyLMError as error:
            fix = edits.propose(self.config, field.key, value)
            self._offered = (field.key, value, fix) if fix else None
            self._tell(_told(error, f"{how} {fix.also}." if fix else ""))
            return False
        return True

    def _take(self, config: RunConfig, field: Field | None) -> None:
        """Make it the plan; what else it sets than `field`, where one was changed, is said."""
        before = self.config
        self._tell()
        if config != before:
            self.show(config)
            self._tell(note=edits.along(before, config, field.key) if field else "")
            self.post_message(self.Planned(config))

    def _tell(self, fault: str = "", note: str = "") -> None:
        """What stands beside the marked row from now on; without a fault nothing is offered any more."""
        if not fault:
            self._offered = None
        if (fault, note) != (self.fault, self.note):
            self.fault, self.note = fault, note
            self.settle()

    # ---- typing ---------------------------------------------------------------------------------------------------

    def edit(self, typed: str | None = None) -> None:
        """Type the marked value, from its text or, with `typed`, from that; choices and switches go a notch on."""
        row = self.rows.row
        if row.field is None:
            self.rows.toggle(row.section)
            return
        if not row.field.typed or fields.idle(self.config, row.field.key):
            self.step(True)
            return
        self._tell()
        self._edited = row
        line = self.query_one(FieldInput)
        value = fields.value_of(self.config, row.field.key)
        line.value = fields.text_of(row.field, value) if typed is None else typed
        line.display = True
        self.rows.typing = True
        self.rows.draw_anew()
        self.settle()
        line.focus()
        line.cursor_position = len(line.value)
        if typed is None:
            line.select_all()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong as soon as it is."""
        event.stop()
        if self._edited is not None:
            self._check(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it; where it fits only together with another setting, that as well."""
        event.stop()
        self.finish(take=True)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Who goes elsewhere has typed enough; what does not fit is given up."""
        if isinstance(event.widget, FieldInput) and self.app.app_focus and not self.finish(take=True):
            self.finish(take=False)

    def _check(self, text: str) -> RunConfig | None:
        """The plan with what is typed; None, and what is wrong, where there is none."""
        assert self._edited is not None
        assert self._edited.field is not None
        field = self._edited.field
        self._offered = None
        try:
            value = fields.parse(field, text)
        except ValueError as error:
            said = str(error)
            self._tell(said[:1].upper() + said[1:])
            return None
        try:
            config = edits.change(self.config, field.key, value, self._home)
        except TinyLMError as error:
            fix = edits.propose(self.config, field.key, value)
            self._offered = (field.key, value, fix) if fix else None
            self._tell(_told(error, f"Enter also {fix.also}." if fix else ""))
            return None
        self._tell()
        return config

    def finish(self, take: bool) -> bool:
        """End typing: take what is typed, or leave the value as it was. False where it cannot be taken."""
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
        self.rows.draw_anew()
        if had_focus:
            self.rows.focus()
        self._take(config, field)
        return True

    def settle(self) -> None:
        """Put the line to type on, and what there is to say, where the marked row is."""
        if not self.is_mounted or not self.rows.rows:
            return
        rows = self.rows
        place = rows.place(rows.cursor).translate(-rows.scroll_offset)
        before = rows.value_at(rows.row)
        line, told = self.query_one(FieldInput), self.query_one(".form-told", Static)
        line.styles.offset = (place.x + before, place.y)
        line.styles.width = max(8, place.width - before)
        said = self.fault or self.note
        told.display = bool(said)
        told.set_class(bool(self.fault), "-fault")
        if said:
            told.update(printable(said))
            told.styles.width = place.width
            lines = -(-len(said) // max(1, place.width - 4)) + 1
            above = place.y + 1 + lines > rows.size.height
            told.styles.offset = (place.x, max(0, place.y - lines) if above else place.y + 1)


def matches(config: RunConfig, words: str) -> Sequence[tuple[str, Field]]:
    """Fields whose name, title or help has all these words, with their labels; names and titles come first."""
    wanted = words.lower().split()
    found: list[tuple[int, str, Field]] = []
    for section in fields.sections(config):
        for label, field in section.rows:
            named = f"{label} {field.title} {field.key}".lower()
            if all(word in named for word in wanted):
                found.append((0, label, field))
            elif all(word in f"{named} {field.help.lower()}" for word in wanted):
                found.append((1, label, field))
    return [(label, field) for _, label, field in sorted(found, key=lambda item: item[0])]
