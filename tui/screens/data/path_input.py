"""A line to type a path on, with what it could become: Tab goes on with it, Enter takes it, Esc goes back."""

from __future__ import annotations

import os
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

from tinylm.config.schema import STORIES
from tinylm.words import printable

MOST = 500
"""Names of a folder that are offered; nobody reads more, and a letter typed makes them fewer."""


def completions(typed: str) -> list[str]:
    """What `typed` could become: the whole line with a name filled in, folders with a slash, folders first.

    Hidden names are offered where a dot was typed. An unreadable folder offers nothing.
    """
    start = typed.rpartition("/")[2]
    if typed == "~":
        return ["~/"]
    front = typed[: len(typed) - len(start)]
    here = os.path.expanduser(front) or "."  # noqa: PTH111  # Path.expanduser raises where there is no home
    found: list[tuple[bool, str]] = []
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") and not start.startswith(".")
                if entry.name.lower().startswith(start.lower()) and not hidden:
                    found.append((not entry.is_dir(), entry.name))
    except (OSError, ValueError):
        return []
    exact = [pair for pair in found if pair[1].startswith(start)]
    return [front + name + ("" if is_file else "/") for is_file, name in sorted(exact or found)[:MOST]]


def whole_path(typed: str) -> str:
    """The path that a typed line means, absolute, without a slash at its end; `stories` stays what it is."""
    typed = typed.strip()
    if typed in ("", STORIES):
        return typed
    return str(Path(os.path.expanduser(typed)).absolute())  # noqa: PTH111


def fault_of(typed: str) -> str | None:
    """Why a typed line names no text, or None where it does."""
    if not typed.strip():
        return "Type the path of a file or folder."
    if whole_path(typed) == STORIES:
        return None
    try:
        return None if Path(whole_path(typed)).exists() else "There is nothing at this path."
    except (OSError, ValueError) as error:
        return f"This path cannot be looked at: {getattr(error, 'strerror', None) or 'it is no path'}."


class PathLine(Vertical):
    """The line, and under it the names that fit."""

    DEFAULT_CSS = """
    PathLine { height: 9; }
    PathLine Input { border: none; height: 1; padding: 0; background: $surface; }
    PathLine Input:focus { border: none; }
    PathLine #path-fits { height: 1fr; color: $text-muted; }
    PathLine #path-says { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    PathLine #path-says.-fault { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", "Complete", id="path.complete", tooltip="Go on with the name that fits"),
        Binding("down", "complete(1)", "Next", show=False, id="path.next", tooltip="The next name that fits"),
        Binding("shift+tab,up", "complete(-1)", "Last", show=False, id="path.last", tooltip="The name before"),
        Binding("escape", "leave", "Back", id="path.leave", tooltip="Back to the list"),
    ]

    class Given(Message):
        """A path that exists was typed."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class Left(Message):
        """The person wants no path after all."""

    class Offered(Message):
        """What fits a typed line, found beside the screen."""

        def __init__(self, typed: str, fitting: list[str]) -> None:
            super().__init__()
            self.typed, self.fitting = typed, fitting

    class Checked(Message):
        """Whether anything lies at a typed path."""

        def __init__(self, typed: str, fault: str | None) -> None:
            super().__init__()
            self.typed, self.fault = typed, fault

    def __init__(self) -> None:
        super().__init__(id="pathline", classes="pane")
        self.border_title = "Add a file or folder"
        self.border_subtitle = (
            "Tab completes, [@click=screen.give_path]Enter adds[/], [@click=screen.leave_path]Esc goes back[/]"
        )
        self.fitting: list[str] = []
        self._at: int | None = None
        """Which of `fitting` stands in the line, where Tab has put one there."""
        self._set = ""
        """What Tab has put there: a change of the line to it is no typing."""
        self._refused = ""
        """What was given last and names no text: that is said, however late its letters are looked up."""

    def compose(self) -> ComposeResult:
        """The line, the names, and what is wrong."""
        yield Input(placeholder="~/books/ or a file; relative paths start here", id="path-typed")
        yield Static("", id="path-fits", markup=False)
        yield Static("", id="path-says", markup=False)

    def open(self, path: str = "") -> None:
        """Ready to type, with this path, or with what was typed last."""
        self.query_one(Input).focus()
        if path:
            self._put(path)
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer what fits."""
        event.stop()
        if event.value != self._set:
            self._look()

    def _look(self) -> None:
        typed = self.query_one(Input).value
        self._at, self._set = None, ""

        def look() -> None:
            self.post_message(self.Offered(typed, completions(typed)))

        self.run_worker(look, thread=True, exclusive=True, group="completions", exit_on_error=False)

    def on_path_line_offered(self, message: Offered) -> None:
        """Show what fits, where it is still what is typed."""
        if message.typed == self.query_one(Input).value:
            self.fitting = message.fitting
            none = "No file or folder here begins like this." if message.typed else ""
            if message.typed != self._refused:
                self._say("" if message.fitting else none)
            self._draw()

    def on_resize(self) -> None:
        """As many names as there is room for."""
        self._draw()

    def _draw(self) -> None:
        """The names in columns, the one in the line marked."""
        box = self.query_one("#path-fits", Static)
        names = [printable(path.rstrip("/").rpartition("/")[2]) + "/" * path.endswith("/") for path in self.fitting]
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
        """A click on a name goes on with it."""
        at = event.style.meta.get("fits")
        if at is not None and at < len(self.fitting):
            self._put(self.fitting[at])
            self.query_one(Input).focus()
            self._look()

    def action_complete(self, by: int) -> None:
        """Go on with what all fitting names share; when that is typed already, with one after the other."""
        typed = self.query_one(Input)
        shared = os.path.commonprefix(self.fitting)  # noqa: RUF071  # letters are what is wanted, not folders
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
        """See whether something lies there."""
        event.stop()
        typed = event.value

        def check() -> None:
            self.post_message(self.Checked(typed, fault_of(typed)))

        self.run_worker(check, thread=True, exclusive=True, group="path-check", exit_on_error=False)

    def on_path_line_checked(self, message: Checked) -> None:
        """Take it, or say why not."""
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
        """Back to the list."""
        self.post_message(self.Left())
