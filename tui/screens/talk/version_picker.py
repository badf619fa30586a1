"""A dialog to pick one of several versions of a text while they are being written side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static

from tinylm.words import printable
from tui.screens.talk import wording
from tui.screens.talk.transcript import DRAWS_A_SECOND, sign
from tui.screens.talk.writer_thread import Completion
from tui.terminal.glyphs import Glyphs, glyphs_of
from tui.terminal.keys import hidden

COUNT, COLUMNS = 4, 2
"""Versions, and how many stand side by side."""

LEAD = 40
"""Characters shown of the beginning that all versions share."""


class VersionPane(VerticalScroll):
    """One version: the end of the beginning that all versions share, and its own text."""

    DEFAULT_CSS = """
    VersionPane { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; background: $surface; }
    VersionPane > Static { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("left", "screen.move(-1)", "Left", id="versions.left", tooltip="The version to the left"),
        hidden("right", "screen.move(1)", "Right", id="versions.right", tooltip="The version to the right"),
        hidden("up", f"screen.move({-COLUMNS})", "Up", id="versions.up", tooltip="The version above"),
        hidden("down", f"screen.move({COLUMNS})", "Down", id="versions.down", tooltip="The version below"),
    ]

    def __init__(self, index: int, completion: Completion) -> None:
        super().__init__(classes="pane")
        self.index, self.completion = index, completion
        self._text = Static("", markup=False)
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._text

    def on_click(self) -> None:
        """Pick this version."""
        self.screen.dismiss(self.completion)

    def refresh_text(self) -> None:
        """Redraw if something changed."""
        completion, glyphs = self.completion, glyphs_of(self)
        count = len(completion.tokens)
        drawn = (count, completion.state, glyphs.name)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self.border_title = Content(f"{self.index + 1} {glyphs.dot} seed {completion.sampling.seed}")
        self.border_subtitle = Content(wording.token_count(completion))
        self._text.update(self._content(count, glyphs))

    def _content(self, count: int, glyphs: Glyphs) -> Content:
        completion, plain = self.completion, glyphs.name == "ascii"
        lead = completion.prompt + "".join(token.text for token in completion.tokens[: completion.kept])
        if len(lead) > LEAD:
            lead = glyphs.ellipsis + lead[-LEAD:].partition(" ")[2]
        written = "".join(sign(token, plain) for token in completion.tokens[completion.kept : count])
        content = Content(printable(lead)).stylize("bold $text-accent") + Content(printable(written))
        if completion.busy:
            content += Content("_" if plain else "▌").stylize("$text-accent")
        return content


class VersionPicker(ModalScreen[Completion | None]):
    """Versions in a grid; returns the one that was picked, or None."""

    DEFAULT_CSS = """
    VersionPicker #versions { width: 96%; max-width: 150; height: 96%; max-height: 40; padding: 0 1; }
    VersionPicker #versions { background: $surface; border: round $panel-lighten-1; border-title-color: $text; }
    VersionPicker Grid { grid-size: 2; height: 1fr; }
    VersionPicker #versions-keys { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Stop or back", id="versions.back", tooltip="Stop writing; else back to the text"),
        Binding("enter", "take", "Take it", id="versions.take", tooltip="Go on with this version"),
        *(
            hidden(str(i + 1), f"take({i})", f"Take {i + 1}", id=f"versions.{i + 1}", tooltip="Take it")
            for i in range(COUNT)
        ),
    ]

    def __init__(self, completions: Sequence[Completion], stop: Callable[[], object]) -> None:
        """`stop` ends the writing of `completions`."""
        super().__init__()
        self._panes = [VersionPane(index, completion) for index, completion in enumerate(completions)]
        self._stop = stop
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """The versions, and what the keys do."""
        with Vertical(id="versions") as box:
            box.border_title = "Which version"
            with Grid():
                yield from self._panes
            yield Static(id="versions-keys", markup=False)

    def on_mount(self) -> None:
        """Draw often while the texts are being written."""
        self._timer = self.set_interval(1 / DRAWS_A_SECOND, self.refresh_texts)
        self._panes[0].focus()
        self.refresh_texts()

    @property
    def busy(self) -> bool:
        """Whether a version is still being written."""
        return any(pane.completion.busy and not pane.completion.stop.is_set() for pane in self._panes)

    def refresh_texts(self) -> None:
        """Redraw what has changed; close the dialog where nothing can be written."""
        completions = [pane.completion for pane in self._panes]
        if all(completion.state == "failed" for completion in completions):
            self.dismiss(completions[0])  # its pane in Talk shows the error
            return
        for pane in self._panes:
            pane.refresh_text()
        self.query_one("#versions-keys", Static).update(wording.choosing(completions))
        if self._timer and not any(completion.busy for completion in completions):
            self._timer.pause()

    def action_move(self, by: int) -> None:
        """Focus another version."""
        index = self._index + by
        if 0 <= index < len(self._panes) and (abs(by) > 1 or index // COLUMNS == self._index // COLUMNS):
            self._panes[index].focus()

    def action_take(self, index: int | None = None) -> None:
        """Pick the version at `index`, by default the one that is focused."""
        self.dismiss(self._panes[self._index if index is None else index].completion)

    def action_back(self) -> None:
        """Stop the writing; when it is over, close the dialog."""
        if self.busy:
            self._stop()
            self.refresh_texts()
        else:
            self.dismiss(None)

    @property
    def _index(self) -> int:
        return self.focused.index if isinstance(self.focused, VersionPane) else 0
