"""The prompt: one line with a history, its frame with links for the mouse, and an editor for a whole text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from tinylm.errors import DataError
from tinylm.words import printable
from tui.terminal.glyphs import glyphs_of
from tui.terminal.keys import hidden

KEPT = 200
"""Prompts that the history keeps."""


TOOLS = (
    ("go on", "go_on"), ("redo", "redo"), ("four", "several"), ("<", "version(False)"), (">", "version(True)"),
    ("edit", "edit"), ("copy", "copy"), ("model", "pick"), ("compare", "compare"), ("why", "why"),
)  # fmt: skip
"""Links for the mouse: label, and the screen's action."""

WIDE = {"four", "why"}
"""Links that are left out on a narrow screen."""


class Prompt(Input):
    """The line that the model continues."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Write", id="prompt.write", tooltip="Let the model go on from here"),
        Binding("up", "earlier", "Earlier", id="prompt.earlier", key_display="↑", tooltip="Earlier prompts"),
        hidden("down", "later", "Later", id="prompt.later", tooltip="Later prompts"),
        Binding("ctrl+e", "screen.edit", "Edit the text", id="prompt.edit", tooltip="Change what was written"),
    ]

    @dataclass
    class Lines(Message):
        """Several lines were pasted, which need the editor."""

        text: str

    def __init__(self, value: str = "") -> None:
        super().__init__(
            value,
            placeholder="A beginning, or nothing for a new text",
            compact=True,
            id="prompt",
            select_on_focus=False,
        )
        self._history: list[str] = []
        self._history_index = 0
        self._typed = ""

    def remember(self) -> None:
        """Add the prompt to the history."""
        if self.value and self.value not in self._history[-1:]:
            self._history = [*self._history, self.value][-KEPT:]
        self._history_index, self._typed = len(self._history), ""

    def action_earlier(self) -> None:
        """The prompt before, in the history."""
        if self._history_index == len(self._history):
            self._typed = self.value
            if self._history and self._history[-1] == self.value:
                self._history_index -= 1  # it is shown already
        self._go(self._history_index - 1)

    def action_later(self) -> None:
        """The next prompt in the history, and after the last one what was being typed."""
        self._go(self._history_index + 1)

    def _go(self, index: int) -> None:
        if 0 <= index <= len(self._history):
            self._history_index = index
            self.value = [*self._history, self._typed][index]
            self.cursor_position = len(self.value)

    def _on_paste(self, event: events.Paste) -> None:
        """Paste one line here, and several into the editor: nothing is lost but the end of a single line.

        Terminals send line ends as carriage returns.
        """
        if len(event.text.splitlines()) > 1:
            event.stop()
            event.prevent_default()
            start, end = sorted(self.selection)
            pasted = event.text.replace("\r\n", "\n").replace("\r", "\n")
            self.post_message(self.Lines(self.value[:start] + pasted + self.value[end:]))


class Entry(Horizontal):
    """The prompt in a frame with links for the mouse; its title says what is wrong with the prompt."""

    DEFAULT_CSS = """
    Entry { height: 3; }
    Entry Static { width: 2; color: $accent; }
    Entry Prompt { width: 1fr; background: $background; }
    """

    def __init__(self, value: str) -> None:
        super().__init__(id="entry", classes="pane")
        self._value = value

    def compose(self) -> ComposeResult:
        """A sign, and the prompt."""
        yield Static("> ", markup=False)
        yield Prompt(self._value)

    def show(self, busy: bool, fault: DataError | None, notes: Sequence[str]) -> None:
        """Offer to stop while a text is being written; show why a prompt cannot be encoded, or how it was read."""
        title = Content(" ".join(notes) or "Prompt")
        if fault:
            sign = glyphs_of(self).failed
            title = Content(f"{sign} {printable(fault.message)}").stylize("$text-error")
        tools = [("stop", "back") if busy else ("write", "write"), *TOOLS]
        links = "  ".join(
            f"[@click=screen.{action}]{word}[/]" for word, action in tools if self.size.width >= 70 or word not in WIDE
        )
        self.border_title, self.border_subtitle = title, links


class Editor(TextArea):
    """An editor for the text of a pane; Enter lets the model continue the changed text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "f9,ctrl+enter", "submit", "Go on from here", id="editor.submit", tooltip="The model goes on from here"
        ),
        Binding("ctrl+j", "line", "New line", id="editor.line", tooltip="A line end; Enter goes on instead"),
    ]

    @dataclass
    class Submitted(Message):
        """The person asks the model to continue `text`."""

        text: str

    def __init__(self) -> None:
        super().__init__(id="editor", classes="pane", show_line_numbers=False, soft_wrap=True)
        self.border_title = "Edit the text"
        self.border_subtitle = "Enter goes on from here, ctrl+j is a new line, Esc leaves it as it was"

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.action_submit()

    def action_submit(self) -> None:
        """Ask the model to continue the text."""
        self.post_message(self.Submitted(self.text))

    def action_line(self) -> None:
        """Insert a line end."""
        self.insert("\n")
