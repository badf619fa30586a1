"""Dialogs of Plan: find a field, differences from the preset, presets, the plan as TOML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.words import one_line, printable
from tui.screens.base import MUTED
from tui.screens.plan import edits, fields
from tui.screens.plan.form import matches

_CSS = """
    .page { width: 100; max-width: 96%; height: auto; max-height: 92%; border: round $accent; padding: 0 1;
        background: $surface; border-title-color: $text; border-subtitle-color: $text-muted; }
    .page OptionList { height: auto; max-height: 18; border: none; padding: 0;
        text-wrap: nowrap; text-overflow: ellipsis; }
    PresetPage .page OptionList { text-wrap: wrap; }
    DifferencePage DataTable { height: auto; max-height: 20; }
    TomlPage .page { height: 92%; }
    TomlPage TextArea { height: 1fr; border: none; padding: 0; }
    TomlPage .toml-fault { height: auto; color: $text-error; }
"""


class PlanPage(ModalScreen[str | None]):
    """A box over Plan; returns the key or name of what was chosen, or None."""

    CSS = _CSS

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return what was chosen by Enter or a click."""
        self.dismiss(event.option.id)


class FindPage(PlanPage):
    """Finds fields by name, title or help; returns the key of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", id="find.back"),
        Binding("up", "move('up')", "Up", show=False, id="find.up"),
        Binding("down", "move('down')", "Down", show=False, id="find.down"),
    ]

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config = config

    def compose(self) -> ComposeResult:
        """Search words, and the matching fields."""
        with Vertical(classes="page") as box:
            box.border_title = "Find a setting"
            box.border_subtitle = "Enter goes there, Esc back"
            yield Input(placeholder="a name, a title, or a word of its help", compact=True)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """List all fields."""
        self._look_up("")
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """List the fields that match."""
        self._look_up(event.value)

    def _look_up(self, words: str) -> None:
        options = self.query_one(OptionList)
        matching = matches(self._config, words)
        options.clear_options().add_options(self._option(label, field) for label, field in matching)
        options.highlighted = 0 if matching else None

    def _option(self, label: str, field: fields.Field) -> Option:
        value = one_line(fields.display_value(self._config, field))
        text = Content.assemble(f"{label:<22}", (f"{value[:16]:<18}", "bold"), (field.help, MUTED))
        return Option(text, id=field.key)

    def action_move(self, where: str) -> None:
        """Mark another field while typing."""
        options = self.query_one(OptionList)
        options.action_cursor_up() if where == "up" else options.action_cursor_down()

    def on_input_submitted(self) -> None:
        """Return the marked field."""
        marked = self.query_one(OptionList).highlighted_option
        self.dismiss(marked.id if marked else None)


class DifferencePage(PlanPage):
    """Lists the settings that differ from the preset; returns the key of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,D,q", "dismiss(None)", "Back", id="difference.back")]

    def __init__(self, config: RunConfig, base: RunConfig) -> None:
        super().__init__()
        self._differences, self._preset = edits.difference(config, base), config.preset or "the defaults"

    def compose(self) -> ComposeResult:
        """A table, or a sentence if nothing differs."""
        with Vertical(classes="page") as box:
            box.border_title = f"Not as in {self._preset}"
            box.border_subtitle = "Enter goes there, Esc back"
            if self._differences:
                yield DataTable(cursor_type="row")
            else:
                yield Static(f"Everything is as in {self._preset}.", markup=False)

    def on_mount(self) -> None:
        """Fill it."""
        for table in self.query(DataTable[Text]):
            table.add_columns("setting", self._preset, "mine")
            for difference in self._differences:
                cells = (difference.title, difference.theirs, difference.mine)
                # Text, since a table cannot measure Content
                table.add_row(*(Text(one_line(cell)) for cell in cells), key=difference.key)
            table.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Return the chosen setting."""
        self.dismiss(event.row_key.value)


class PresetPage(PlanPage):
    """Lists all presets, built-in and own; returns the name of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", id="presets.back")]

    def __init__(self, home: Path, current: str) -> None:
        super().__init__()
        self._presets, self._current = resolve.presets(home), current

    def compose(self) -> ComposeResult:
        """Name and first sentence of each."""
        with Vertical(classes="page") as box:
            box.border_title = "Load a preset"
            box.border_subtitle = "Enter loads it, Esc back"
            yield OptionList(*(self._option(name, path) for name, path in self._presets.items()), markup=False)

    def _option(self, name: str, path: Path) -> Option:
        whose = "" if edits.is_builtin(name) else "yours. "
        text = (printable(f"{whose}{edits.preset_summary(path)}"), MUTED)
        return Option(Content.assemble((name, "bold"), "\n", text), id=name)

    def on_mount(self) -> None:
        """Mark the preset of the plan."""
        options, names = self.query_one(OptionList), list(self._presets)
        options.highlighted = names.index(self._current) if self._current in names else 0
        options.focus()


class TomlPage(ModalScreen[RunConfig | None]):
    """Shows the whole plan as TOML, to read, copy and edit; returns the edited plan."""

    CSS = _CSS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="toml.back", tooltip="Back; what was changed is asked for once more"),
        Binding("ctrl+s,f9", "apply", "Apply", id="toml.apply", priority=True, tooltip="Make it the plan"),
    ]

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._text = resolve.to_toml(config)
        self._warned = False

    def compose(self) -> ComposeResult:
        """Editor, and a line for errors."""
        with Vertical(classes="page") as box:
            box.border_title = "The plan as TOML"
            box.border_subtitle = "ctrl+s or F9 applies it, Esc back"
            yield TextArea.code_editor(self._text, theme="css", tab_behavior="focus")
            yield Static("", classes="toml-fault", markup=False)

    def on_text_area_changed(self) -> None:
        """Check while typing."""
        self._warned = False
        self._parse(self._show_fault)

    def _show_fault(self, fault: str) -> None:
        self.query_one(".toml-fault", Static).update(printable(fault))

    def _parse(self, show: Callable[[str], None]) -> RunConfig | None:
        try:
            config = resolve.validate(resolve.parse_toml(self.query_one(TextArea).text))
        except TinyLMError as error:
            show(f"{error.message} {error.hint}")
        except ValueError as error:
            show(f"This is not TOML yet: {error}.")
        else:
            show("")
            return config
        return None

    def action_apply(self) -> None:
        """Return the edited plan, if it is valid."""
        config = self._parse(self._show_fault)
        if config is not None:
            self.dismiss(config)

    def action_back(self) -> None:
        """Return nothing; changes are dropped only after a warning."""
        if self.query_one(TextArea).text == self._text or self._warned:
            self.dismiss(None)
        else:
            self._show_fault("Your changes are not applied: ctrl+s or F9 applies them, Esc again drops them.")
            self._warned = True
