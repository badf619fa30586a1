"""The list of texts, each with checkbox, weight and size, and the tree of folders to choose others from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import DirectoryTree, OptionList
from textual.widgets.directory_tree import DirEntry
from textual.widgets.option_list import Option
from textual.widgets.tree import TreeNode

from tinylm.config.schema import STORIES
from tinylm.paths import expanded
from tinylm.words import one_line
from tui.screens.data.texts import PathSize, short_names
from tui.terminal.glyphs import BRAILLE, Glyphs
from tui.terminal.keys import hidden
from tui.terminal.numbers import list_size

CHECKED, UNCHECKED = "[x]", "[ ]"

MAX_WEIGHT = 9
"""How many times a text may be read in one epoch."""


def normalized(path: str) -> str:
    """A path in the form in which paths are compared: absolute, with `~` expanded."""
    return path if path == STORIES else os.path.abspath(expanded(path))  # noqa: PTH100


@dataclass(frozen=True)
class Source:
    """A text that may be chosen."""

    path: str
    """A file, a folder, or STORIES; as it is written into the plan."""
    chosen: bool = False
    weight: int = 1
    added: bool = False
    """Added by hand, so it can be removed again."""
    gone: bool = False
    """The path does not exist any more."""
    size: PathSize | None = None
    """None until it has been looked up."""


class SourceList(OptionList, inherit_bindings=False):
    """The sources, each with checkbox, weight and size.

    Space, Enter, left and right belong to the screen; a click is OptionList's own `OptionSelected`.
    """

    DEFAULT_CSS = """
    SourceList { height: 1fr; border: none; padding: 0; background: transparent; scrollbar-size-vertical: 1; }
    SourceList:focus { border: none; background: transparent; }
    SourceList > .option-list--option { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("up,k", "cursor_up", "Up", id="sources.up", tooltip="The text above"),
        hidden("down,j", "cursor_down", "Down", id="sources.down", tooltip="The text below"),
        hidden("home", "first", "First", id="sources.first", tooltip="The first text"),
        hidden("end", "last", "Last", id="sources.last", tooltip="The last text"),
        hidden("pageup", "page_up", "Page up", id="sources.pageup", tooltip="A page up"),
        hidden("pagedown", "page_down", "Page down", id="sources.pagedown", tooltip="A page down"),
    ]

    def __init__(self) -> None:
        super().__init__(id="sources", markup=False)
        self.sources: list[Source] = []
        self.glyphs: Glyphs = BRAILLE

    @property
    def marked(self) -> Source | None:
        """The source under the cursor."""
        return None if self.highlighted is None else self.sources[self.highlighted]

    @property
    def chosen(self) -> list[Source]:
        """The sources that are ticked, from top to bottom."""
        return [source for source in self.sources if source.chosen]

    def show(self, sources: Sequence[Source], mark: str | None = None) -> None:
        """Show `sources`; the cursor moves to the path `mark`, or stays on its source."""
        wanted = mark or (self.marked.path if self.marked else None)
        old, self.sources = self.sources, list(sources)
        if [source.path for source in old] == [source.path for source in sources]:
            if old != self.sources:
                self.redraw()
            if mark is None:
                return
        else:
            self.set_options(Option(row) for row in self._rows())
        paths = [source.path for source in self.sources]
        self.highlighted = paths.index(wanted) if wanted in paths else 0 if paths else None

    def redraw(self) -> None:
        """Draw all rows again."""
        for i, row in enumerate(self._rows()):
            self.replace_option_prompt_at_index(i, row)

    def on_resize(self) -> None:
        """Fit the rows into the new width."""
        if self.sources:
            self.redraw()

    def _rows(self) -> list[Content]:
        names = short_names([source.path for source in self.sources])
        width = max(20, self.scrollable_content_region.width or 34)
        return [self._row(source, names[source.path], width) for source in self.sources]

    def _row(self, source: Source, name: str, width: int) -> Content:
        box = CHECKED if source.chosen else UNCHECKED
        weight = f"x{source.weight}" if source.chosen and source.weight > 1 else ""
        known = list_size(source.size.bytes) if source.size else ""
        size = "gone" if source.gone else "built in" if source.path == STORIES else known
        is_folder = source.size is not None and source.size.files is not None
        name = one_line(name) + ("/" if is_folder and not name.endswith("/") else "")
        right = f"{weight:>3} {size:>8}" if weight else f"{size:>8}"
        room = width - len(box) - 2 - len(right)
        shown = Content(name)
        if shown.cell_length > room:
            shown = shown.truncate(room - len(self.glyphs.ellipsis)) + self.glyphs.ellipsis
        row = Content.assemble(f"{box} ", shown, " " * (room - shown.cell_length + 1), right)
        if source.gone:
            return row.stylize("dim")
        return row.stylize("bold", 0, len(box) + 1 + len(shown.plain)) if source.chosen else row


def tick(sources: Iterable[Source], path: str, chosen: bool | None = None, added: bool = False) -> list[Source]:
    """`sources` with the one at `path` chosen, not chosen, or (by default) toggled; a new one is appended."""
    wanted, listed, is_listed = normalized(path), [], False
    for source in sources:
        if normalized(source.path) == wanted:
            is_listed = True
            listed.append(replace(source, chosen=not source.chosen if chosen is None else chosen))
        else:
            listed.append(source)
    return listed if is_listed else [*listed, Source(path, chosen=chosen is not False, added=added)]


class SourceTree(DirectoryTree):
    """Files and folders of the machine, each with a checkbox."""

    DEFAULT_CSS = """
    SourceTree { height: 1fr; background: transparent; padding: 0; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "take", "Choose", id="tree.take", tooltip="Choose this file or folder, or leave it"),
        Binding("enter", "enter", "Choose/Open", id="tree.enter", tooltip="Choose a file, open or close a folder"),
        hidden("right", "open(True)", "Open", id="tree.open", tooltip="Open the folder"),
        hidden("left", "open(False)", "Close", id="tree.close", tooltip="Close the folder"),
        Binding("backspace,u", "up", "Folder above", id="tree.up", tooltip="Show the folder above this one"),
        Binding("escape,f", "leave", "Back", id="tree.leave", tooltip="Back to the list"),
    ]

    @dataclass
    class Taken(Message):
        """A file or folder was chosen, or a chosen one was left out again."""

        path: str

    class Left(Message):
        """The list is to be shown again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, id="tree")
        self.chosen: frozenset[str] = frozenset()
        self.guide_depth = 2

    def mark(self, paths: Iterable[str]) -> None:
        """Tick the checkboxes of `paths`."""
        self.chosen = frozenset(map(normalized, paths))
        self._invalidate()
        self.refresh()

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out hidden files, which are not read either."""
        return [path for path in paths if not path.name.startswith(".")]

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> Text:
        """Checkbox, name, and a slash after folders: no icons, which only some terminals have."""
        entry = node.data
        ticked = entry is not None and normalized(str(entry.path)) in self.chosen
        box = CHECKED if ticked else UNCHECKED
        name = one_line(str(node._label)) + ("/" if node.allow_expand and not str(node._label).endswith("/") else "")
        return Text.assemble((f"{box} ", base_style), (name, style + Style(bold=ticked)))

    def action_take(self) -> None:
        """Choose the file or folder under the cursor, or leave it out again."""
        node = self.cursor_node
        if node is not None and node.data is not None:
            self.post_message(self.Taken(str(node.data.path.absolute())))

    def action_enter(self) -> None:
        """Choose a file; open or close a folder."""
        node = self.cursor_node
        if node is not None and node.allow_expand:
            node.toggle()
        else:
            self.action_take()

    def action_select_cursor(self) -> None:
        """A click does what Enter does."""
        self.action_enter()

    def action_open(self, wide: bool) -> None:
        """Open or close the folder under the cursor; from a closed one, move to its parent."""
        node = self.cursor_node
        if node is None:
            return
        if wide and node.allow_expand:
            node.expand()
        elif not wide and node.is_expanded:
            node.collapse()
        elif not wide and node.parent is not None:
            self.move_cursor(node.parent)

    def action_up(self) -> None:
        """Show the parent of the folder."""
        self.path = Path(self.path).absolute().parent

    def action_leave(self) -> None:
        """Ask for the list."""
        self.post_message(self.Left())
