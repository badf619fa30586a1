"""An input for a path with completion: Tab completes, Enter adds the path, Esc goes back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Input, Static

from tinylm import paths
from tinylm.config.schema import STORIES
from tinylm.errors import ConfigError
from tinylm.words import one_line
from tui.terminal.keys import hidden

MAX_NAMES = 500
"""Completions that are offered at most."""


def completions(typed: str) -> list[str]:
    """Completions of a path: whole lines, folders first and with a slash.

    Hidden names are offered only after a dot. An unreadable folder has none.
    """
    start = typed.rpartition("/")[2]
    if typed == "~":
        return ["~/"]
    front = typed[: len(typed) - len(start)]
    here = paths.expanded(front) or "."
    matching: list[tuple[bool, str]] = []
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") and not start.startswith(".")
                if entry.name.lower().startswith(start.lower()) and not hidden:
                    matching.append((not entry.is_dir(), entry.name))
    except (OSError, ValueError):
        return []
    exact = [pair for pair in matching if pair[1].startswith(start)]
    return [front + name + ("" if is_file else "/") for is_file, name in sorted(exact or matching)[:MAX_NAMES]]


def whole_path(typed: str) -> str:
    """The absolute path for a typed one, without a slash at its end; `stories` is kept."""
    typed = typed.strip()
    if typed in ("", STORIES):
        return typed
    return str(paths.absolute(typed))


def fault_of(typed: str) -> str | None:
    """Why a typed path cannot be added, or None."""
    if not typed.strip():
        return "Type the path of a file or folder."
    try:
        path = whole_path(typed)
        return None if path == STORIES or Path(path).exists() else "There is nothing at this path."
    except ConfigError as error:
        return error.message
    except (OSError, ValueError) as error:
        return f"This path cannot be looked at: {getattr(error, 'strerror', None) or 'it is no path'}."


class PathInput(Vertical):
    """The input, and below it the completions."""

    DEFAULT_CSS = """
    PathInput { height: 9; }
    PathInput Input { border: none; height: 1; padding: 0; background: $surface; }
    PathInput Input:focus { border: none; }
    PathInput #path-fits { height: 1fr; color: $text-muted; }
    PathInput #path-says { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    PathInput #path-says.-fault { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", "Complete", id="path.complete", tooltip="Go on with the name that fits"),
        hidden("down", "complete(1)", "Next", id="path.next", tooltip="The next name that fits"),
        hidden("shift+tab,up", "complete(-1)", "Last", id="path.last", tooltip="The name before"),
        Binding("escape", "leave", "Back", id="path.leave", tooltip="Back to the list"),
    ]

    @dataclass
    class Given(Message):
        """A path that exists was entered."""

        path: str

    class Left(Message):
        """The input was left without a path."""

    @dataclass
    class Offered(Message):
        """Completions of a typed path, looked up in a thread."""

        typed: str
        fitting: list[str]

    @dataclass
    class Checked(Message):
        """Whether a typed path exists, looked up in a thread."""

        typed: str
        fault: str | None

    def __init__(self) -> None:
        super().__init__(id="pathline", classes="pane")
        self.border_title = "Add a file or folder"
        self.border_subtitle = "Tab completes, [@click=screen.give_path]Enter adds[/], [@click=leave]Esc goes back[/]"
        self.fitting: list[str] = []
        self._at: int | None = None
        """Which of `fitting` Tab has put into the input."""
        self._set = ""
        """What Tab has put into the input: that change is not typing."""
        self._refused = ""
        """What was entered last and does not exist; its fault stays although completions may arrive later."""

    def compose(self) -> ComposeResult:
        """Input, completions, and what is wrong."""
        yield Input(placeholder="~/books/ or a file; relative paths start here", id="path-typed")
        yield Static("", id="path-fits", markup=False)
        yield Static("", id="path-says", markup=False)

    def open(self, path: str = "") -> None:
        """Focus the input, with `path` or what was typed last."""
        self.query_one(Input).focus()
        if path:
            self._put(path)
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look up completions."""
        event.stop()
        if event.value != self._set:
            self._look()

    def _look(self) -> None:
        typed = self.query_one(Input).value
        self._at, self._set = None, ""

        def look() -> None:
            self.post_message(self.Offered(typed, completions(typed)))

        self.run_worker(look, thread=True, exclusive=True, group="completions", exit_on_error=False)

    def on_path_input_offered(self, message: Offered) -> None:
        """Show the completions, unless something else has been typed since."""
        if message.typed == self.query_one(Input).value:
            self.fitting = message.fitting
            none = "No file or folder here begins like this." if message.typed else ""
            if message.typed != self._refused:
                self._say("" if message.fitting else none)
            self._draw()

    def on_resize(self) -> None:
        """Lay the names out anew."""
        self._draw()

    def _draw(self) -> None:
        """Draw the names in columns, the one in the input marked."""
        box = self.query_one("#path-fits", Static)
        names = [one_line(path.rstrip("/").rpartition("/")[2]) + "/" * path.endswith("/") for path in self.fitting]
        width, height = max(10, box.size.width), max(1, box.size.height)
        wide = min(width, max(map(len, names), default=0) + 2)
        columns = max(1, width // wide) if wide else 1
        first = 0 if self._at is None else self._at // columns // height * height * columns
        lines: list[Content] = []
        for row in range(first, min(len(names), first + columns * height), columns):
            cells = [self._cell(i, names[i], wide) for i in range(row, min(row + columns, len(names)))]
            lines.append(Content("").join(cells))
        box.update(Content("\n").join(lines))

    def _cell(self, i: int, name: str, wide: int) -> Content:
        shown = Content(name).truncate(wide - 1)
        shown = shown.stylize(Style(reverse=i == self._at) + Style.from_meta({"fits": i}))
        return shown + " " * (wide - shown.cell_length)

    def on_click(self, event: events.Click) -> None:
        """Complete with the name that was clicked."""
        at = event.style.meta.get("fits")
        if at is not None and at < len(self.fitting):
            self._put(self.fitting[at])
            self.query_one(Input).focus()
            self._look()

    def action_complete(self, by: int) -> None:
        """Complete to the common prefix; if that is typed already, to one completion after the other."""
        typed = self.query_one(Input)
        shared = os.path.commonprefix(self.fitting)  # noqa: RUF071  # the common letters are wanted, not the common folder
        if self._at is None and len(shared) > len(typed.value):
            self._put(shared)
            self._look()
        elif len(self.fitting) == 1:
            self._put(self.fitting[0])
            self._look()
        elif self.fitting:
            self._at = (0 if by > 0 else -1) if self._at is None else self._at + by
            self._at %= len(self.fitting)
            self._set = self.fitting[self._at]
            self._put(self._set)
            self._draw()

    def _put(self, path: str) -> None:
        typed = self.query_one(Input)
        typed.value = path
        typed.cursor_position = len(path)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Check, in a thread, whether the path exists."""
        event.stop()
        typed = event.value

        def check() -> None:
            self.post_message(self.Checked(typed, fault_of(typed)))

        self.run_worker(check, thread=True, exclusive=True, group="path-check", exit_on_error=False)

    def on_path_input_checked(self, message: Checked) -> None:
        """Post the path, or show why it cannot be added."""
        self._refused = "" if message.fault is None else message.typed
        if message.fault is not None:
            self._say(message.fault, is_fault=True)
            return
        self._put("")
        self._say("")
        self.post_message(self.Given(whole_path(message.typed)))

    def _say(self, sentence: str, is_fault: bool = False) -> None:
        says = self.query_one("#path-says", Static)
        says.update(sentence)
        says.set_class(is_fault, "-fault")

    def action_leave(self) -> None:
        """Leave without a path."""
        self.post_message(self.Left())
