"""The help page: the keys of the screen below it, then its description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Markdown, Static

from tui.terminal.glyphs import glyphs_of

KEYS_WIDTH, NAMES_WIDTH = 11, 15
"""Cells for keys and names, the same in all groups."""


@dataclass
class HelpRow:
    """An action: its keys, its name, and what it does."""

    keys: list[str]
    name: str
    what: str


def groups(screen: Screen[Any]) -> dict[str, list[HelpRow]]:
    """The active keys of `screen`, of the focused widget, and of the app; those in the footer come first.

    Textual's own keys have no id and are left out, except the one of the palette.
    """
    # By name: two keys of the same name do the same, or one undoes the other.
    by_scope: dict[str, dict[str, HelpRow]] = {"On this screen": {}, "Where the cursor is": {}, "Everywhere": {}}
    app = screen.app
    for node, binding, _enabled, _tooltip in sorted(screen.active_bindings.values(), key=lambda b: not b.binding.show):
        if not (binding.id or binding.action == "command_palette"):
            continue
        scope = "On this screen" if node is screen else "Everywhere" if node is app else "Where the cursor is"
        name = binding.description[:1].upper() + binding.description[1:]
        row = by_scope[scope].setdefault(name, HelpRow([], name, binding.tooltip))
        key = app.get_key_display(binding)
        if key not in " ".join(row.keys).split():
            row.keys.append(key)
    return {title: list(rows.values()) for title, rows in by_scope.items() if rows}


class KeyTable(Static):
    """A table of keys, names and descriptions."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--what"}

    def __init__(self, rows: list[HelpRow]) -> None:
        super().__init__()
        self._rows = rows

    def render(self) -> Table:
        """Build the table, for each width and theme."""
        key, what = (self.get_component_rich_style(f"keys--{part}") for part in ("key", "what"))
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=KEYS_WIDTH)
        table.add_column(width=NAMES_WIDTH)
        table.add_column(ratio=1)
        for row in self._rows:
            table.add_row(Text(" ".join(row.keys), key), Text(row.name), Text(row.what, what))
        return table


class HelpPage(ModalScreen[None]):
    """A dialog over a screen; keys and description are side by side if there is room."""

    CSS = """
    HelpPage #help { width: 84; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; background: $surface;
        border: round $accent; border-title-color: $text; border-subtitle-color: $text-muted; }
    HelpPage #help-body { height: auto; max-height: 100%; padding: 0 1; scrollbar-size-vertical: 1; }
    HelpPage #help-keys { height: auto; }
    HelpPage .help-title { color: $text-primary; text-style: bold; }
    HelpPage KeyTable { height: auto; margin-bottom: 1; }
    HelpPage .keys--key { color: $text-accent; text-style: bold; }
    HelpPage .keys--what { color: $text-muted; }
    HelpPage #help-words { height: auto; padding: 0; margin: 0; background: $surface; }
    HelpPage.-wide #help { width: 150; padding: 1 2; }
    HelpPage.-wide #help-body { layout: horizontal; }
    HelpPage.-wide #help-keys, HelpPage.-wide #help-words { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1", "dismiss", "Back", id="help.back", tooltip="Back to the screen"),
    ]

    def __init__(self, screen: Screen[Any]) -> None:
        """The help is about `screen`."""
        super().__init__()
        self._groups = groups(screen)
        heading, _, self._words = glyphs_of(screen).spell(screen.HELP or "").strip().partition("\n")
        self._title = heading.lstrip("# ")

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        with Vertical(id="help") as box:
            box.border_title = f"Help: {self._title}"
            box.border_subtitle = "Up, Down scroll; Esc or ? closes"
            with VerticalScroll(id="help-body"):
                with Vertical(id="help-keys"):
                    for title, rows in self._groups.items():
                        yield Static(title, classes="help-title", markup=False)
                        yield KeyTable(rows)
                yield Markdown(self._words, id="help-words")

    def on_mount(self) -> None:
        """Focus the text, so that the arrows scroll."""
        self.query_one("#help-body").focus()
