"""A pane of generated text: selectable, with a cursor that moves by tokens, and with its other versions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tinylm.errors import DataError, TinyLMError
from tinylm.words import printable
from tui.engine import WrittenToken
from tui.screens.talk.writer_thread import Completion
from tui.terminal.glyphs import glyphs_of
from tui.terminal.keys import hidden

KEPT = 40
"""Versions that are kept, of all prompts together; each holds the candidates of each of its tokens."""

DRAWS_A_SECOND = 12
"""How often text is drawn while it is being written; otherwise the app's own tick is enough."""

SEEDS = 2**63
"""Seeds are below this number."""

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}
PLAIN_SIGNS = {" ": "_", "\n": "\\n", "\t": "\\t"}


def visible(text: str, ascii_only: bool = False) -> str:
    """`text` with signs for its whitespace and without control characters."""
    signs = PLAIN_SIGNS if ascii_only else SIGNS
    return "".join(signs.get(character, character) for character in printable(text))


def sign(token: WrittenToken, ascii_only: bool) -> str:
    """A token as it is drawn: its text, or the sign for the end of a text."""
    return ("#" if ascii_only else "∎") if token.end else token.text


def _fault(completion: Completion | None) -> str:
    """The error that ended a completion; "" for unknown characters, which the prompt's frame reports."""
    error = completion.error if completion else None
    if error is None or isinstance(error, DataError):
        return ""
    return printable(f"{error.message} {error.hint}" if isinstance(error, TinyLMError) else repr(error))


class Versions:
    """The completions of each prompt; the oldest are dropped when there are too many."""

    def __init__(self) -> None:
        self._of: dict[str, list[Completion]] = {}
        self._prompt = ""
        self._index = 0

    @property
    def all(self) -> Sequence[Completion]:
        """Versions of the prompt that is shown."""
        return self._of.get(self._prompt, ())

    @property
    def shown(self) -> Completion | None:
        """The version that is shown."""
        return self.all[self._index] if self.all else None

    @property
    def position(self) -> tuple[int, int]:
        """Number of the version that is shown, from 1, and how many there are."""
        return self._index + 1, len(self.all)

    def next_seed(self, prompt: str | None = None) -> int:
        """A seed that no version of `prompt`, by default of the one that is shown, has yet."""
        versions = self.all if prompt is None else self._of.get(prompt, ())
        return (max((version.sampling.seed for version in versions), default=-1) + 1) % SEEDS

    def add(self, *added: Completion, prompt: str | None = None) -> None:
        """Add versions of `prompt`, by default of the one that is shown, and show the first of them."""
        if prompt is not None:
            self._prompt = prompt
        mine = self._of.setdefault(self._prompt, [])
        mine[:] = [other for other in mine if other.tokens]  # a version without a token is none
        mine += added
        self._of[self._prompt] = self._of.pop(self._prompt)  # the prompt used last is dropped last
        while sum(map(len, self._of.values())) > KEPT:
            oldest = next(iter(self._of))
            del self._of[oldest][0]
            if not self._of[oldest]:
                del self._of[oldest]
        self._index = len(mine) - len(added)

    def show(self, version: Completion) -> None:
        """Show this version, if it is still kept."""
        if version in self.all:
            self._index = self.all.index(version)

    def move(self, by: int) -> bool:
        """Show the version `by` positions further; returns whether there is one."""
        index = self._index + by
        if not 0 <= index < len(self.all):
            return False
        self._index = index
        return True


class Transcript(VerticalScroll):
    """One pane of text."""

    DEFAULT_CSS = """
    Transcript { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    Transcript > Static { height: auto; width: 1fr; max-width: 110; }  /* a longer line is hard to read */
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("left", "step(-1)", "Token before", id="transcript.left", tooltip="One token to the left"),
        hidden("right", "step(1)", "Next token", id="transcript.right", tooltip="One token to the right"),
        hidden("home", "first", "First token", id="transcript.first", tooltip="The first token written"),
        hidden("end", "last", "Last token", id="transcript.last", tooltip="Follow what is being written"),
        Binding("enter", "screen.go_on", "Write on", id="transcript.on", tooltip="Go on at the end of the text"),
    ]

    class Moved(Message):
        """The cursor is on another token now."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, id=f"text-{name.lower()}", classes="pane")
        self.versions = Versions()
        self.cursor: int | None = None
        """Index of the token under the cursor; None: no cursor, the pane follows the end."""
        self._drawn: tuple[object, ...] = ()
        self._follows = True
        """Whether the pane scrolls to the end when text is added: until the person scrolls up."""
        self._starts: list[int] = []
        self._text = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._text

    def on_mount(self) -> None:
        """Follow the end after every layout: lines are laid out in several passes, and a scroll bar takes a column."""
        self.watch(self, "virtual_size", self._follow_end)

    def on_resize(self) -> None:
        """Follow the end: the lines break elsewhere now."""
        self._follow_end()

    def _follow_end(self) -> None:
        if self.cursor is None and self._follows:
            self.scroll_end(animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following where the person scrolls up, and follow again at the end."""
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:
            self._follows = True
        elif new_value < old_value:
            self._follows = False

    @property
    def shown(self) -> Completion | None:
        """The version that is shown."""
        return self.versions.shown

    @property
    def token_index(self) -> int | None:
        """Index of the token under the cursor, else of the last one; None where there is no token."""
        count = len(self.shown.tokens) if self.shown else 0
        if not count:
            return None
        return count - 1 if self.cursor is None else min(self.cursor, count - 1)

    @property
    def _ascii(self) -> bool:
        return glyphs_of(self).name == "ascii"

    def add(self, *added: Completion, prompt: str | None = None) -> None:
        """Add versions and show the end of the first one."""
        self.versions.add(*added, prompt=prompt)
        self.follow()

    def follow(self) -> None:
        """Remove the cursor and show the end of the text."""
        self.cursor = None
        self._follows = True
        self.refresh_text()

    def refresh_text(self, empty: Content | str = "") -> None:
        """Redraw if something changed; `empty` is shown where there is no text."""
        completion = self.shown
        count = len(completion.tokens) if completion else 0
        fault = _fault(completion)
        drawn = (completion, count, completion and completion.busy, self.cursor, self._ascii, fault, str(empty))
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if completion is None or (not count and not completion.prompt and not completion.busy and not fault):
            self._text.update(empty)
            return
        content = self._content(completion, count)
        if fault:
            content += Content.styled(f"{chr(10) * 2 if content else ''}{fault}", "$text-error")
        self._text.update(content)
        self._follow_end()

    def _content(self, completion: Completion, count: int) -> Content:
        plain, tokens = self._ascii, completion.tokens[:count]
        pieces = [sign(token, plain) for token in tokens]
        marked = self._marked(tokens)
        if marked is not None and (blanks := visible(pieces[marked], plain)) != pieces[marked]:
            ends = "\n" * pieces[marked].count("\n")
            pieces[marked] = blanks + ends
        for index, token in enumerate(tokens):
            if token.end and (index < count - 1 or completion.busy):
                pieces[index] += "\n\n"  # after the end of a text, another one begins
        self._starts = list(accumulate(map(len, pieces), initial=len(completion.prompt)))
        content = Content(printable(completion.prompt + "".join(pieces))).stylize(
            "bold $text-accent", 0, self._starts[0]
        )
        if marked is not None:
            end = self._starts[marked] + len(pieces[marked].rstrip("\n"))
            return content.stylize("reverse", self._starts[marked], end)
        if completion.busy:
            content += Content("_" if plain else "▌").stylize("$text-accent")
        return content

    def _marked(self, tokens: Sequence[WrittenToken]) -> int | None:
        """Index of the token to highlight: under the cursor, or the one that completes its character."""
        if self.cursor is None or not tokens:
            return None
        first = min(self.cursor, len(tokens) - 1)
        return next((i for i in range(first, len(tokens)) if tokens[i].text or tokens[i].end), first)

    # ---- cursor ---------------------------------------------------------------------------------------------------

    def move_cursor_to(self, index: int) -> None:
        """Put the cursor on a token."""
        if self.token_index is None or self.shown is None:
            return
        self.cursor = max(0, min(index, len(self.shown.tokens) - 1))
        self.refresh_text()
        self._scroll_to_cursor()
        self.post_message(self.Moved())

    def _scroll_to_cursor(self) -> None:
        visual = self._text.visual
        if not isinstance(visual, Content) or self.cursor is None or not self._text.size.width:
            return
        start = self._starts[min(self.cursor, len(self._starts) - 1)]
        rest = visual.plain[start:]
        word = len(rest) - len(rest.lstrip()) if rest[:1].isspace() else len(rest.split(maxsplit=1)[0]) if rest else 0
        line = len(Content(visual.plain[: start + max(1, word)]).wrap(self._text.size.width)) - 1
        if not self.scroll_y <= line < self.scroll_y + self.size.height:
            self.scroll_to(y=max(0, line - self.size.height // 2), animate=False)

    def action_step(self, by: int) -> None:
        """One token to the left or right."""
        if self.token_index is not None:
            self.move_cursor_to(self.token_index if self.cursor is None and by < 0 else self.token_index + by)

    def action_first(self) -> None:
        """The first token."""
        self.move_cursor_to(0)

    def action_last(self) -> None:
        """The end of the text, also while it grows."""
        self.follow()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the token that was clicked; dragging selects text instead."""
        if self.token_index is None or self.screen.selections:
            return
        widget, offset = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        visual = self._text.visual
        if widget is not self._text or offset is None or not isinstance(visual, Content):
            return
        position = sum(len(line) + 1 for line in visual.plain.split("\n")[: offset.y]) + offset.x
        if self._starts[0] <= position < self._starts[-1]:
            self.move_cursor_to(bisect_right(self._starts, position) - 1)
