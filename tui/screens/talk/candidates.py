"""The candidates for one token: how probable each was, and a way to put another one in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from tui.engine import TokenCandidate, WrittenToken
from tui.screens.talk.transcript import visible
from tui.terminal.glyphs import Glyphs, glyphs_of
from tui.terminal.keys import hidden
from tui.terminal.numbers import bar, brief_percent

COLUMN = 24
"""Least width of a candidate in cells, where they stand in columns."""

LIST_ROWS = 8
"""Height in rows from which they stand in a list, one per row."""

DIGITS = "1234567890"

FULL = 0.3
"""The probability of a full bar, unless a candidate has more: so where the model is uncertain, all bars are short."""


class Candidates(Widget, can_focus=True):
    """The candidates at the cursor: a line, columns or a list, depending on the room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("up", "mark(-1)", "Candidate above", id="candidates.up", tooltip="The candidate before"),
        hidden("down", "mark(1)", "Candidate below", id="candidates.down", tooltip="The next candidate"),
        hidden("left", "screen.walk(-1)", "Token before", id="candidates.left", tooltip="One token to the left"),
        hidden("right", "screen.walk(1)", "Next token", id="candidates.right", tooltip="One token to the right"),
        Binding(
            "enter", "force_marked", "Put it there", id="candidates.enter", tooltip="Go on with this candidate instead"
        ),
        *(
            hidden(digit, f"force({i})", f"Candidate {digit}", id=f"candidates.{digit}", tooltip="Put it there")
            for i, digit in enumerate(DIGITS)
        ),
    ]

    @dataclass
    class Forced(Message):
        """The person puts a candidate in the place of the token."""

        candidate: TokenCandidate

    def __init__(self) -> None:
        super().__init__(id="candidates", classes="pane")
        self.border_title = "Why this token"
        self._token: WrittenToken | None = None
        self._before = ""
        self._mark = 0

    @property
    def _glyphs(self) -> Glyphs:
        return glyphs_of(self)

    @property
    def _ascii(self) -> bool:
        return self._glyphs.name == "ascii"

    @property
    def candidates(self) -> list[TokenCandidate]:
        """The candidates that are shown, each with a digit; the token of the text is always among them."""
        if self._token is None:
            return []
        height = self.content_size.height
        in_columns = (height - 1) * self._columns if 1 < height < LIST_ROWS else height - 1
        room = min(len(DIGITS), in_columns if height > 1 else len(DIGITS))
        shown = list(self._token.candidates[:room])
        taken = [each for each in self._token.candidates[room:] if each.token == self._token.token]
        return shown[: room - 1] + taken if taken else shown

    @property
    def _columns(self) -> int:
        return max(1, self.content_size.width // COLUMN)

    def show(self, token: WrittenToken | None, before: str, position: str) -> None:
        """Show the candidates of a token that follows the text `before`; `position` is for the title."""
        self.border_title = f"Why this token {position}".rstrip()
        if token is self._token and before == self._before:
            return
        self._token, self._before, self._mark = token, before, 0
        self.border_subtitle = self._legend()  # the frame is drawn before its content
        self.refresh()

    def on_focus(self) -> None:
        """Show the mark."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the mark."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Force the candidate that was clicked."""
        number = event.style.meta.get("candidate")
        if isinstance(number, int):
            self.action_force(number)

    # ---- keys -----------------------------------------------------------------------------------------------------

    def action_mark(self, by: int) -> None:
        """Mark another candidate."""
        if self.candidates:
            self._mark = (self._mark + by) % len(self.candidates)
            self.refresh()

    def action_force_marked(self) -> None:
        """Force the marked candidate."""
        self.action_force(self._mark)

    def action_force(self, number: int) -> None:
        """Force a candidate, by its index."""
        if number < len(self.candidates):
            self.post_message(self.Forced(self.candidates[number]))

    # ---- drawing --------------------------------------------------------------------------------------------------

    def render(self) -> Content:
        """The candidates, for the room that there is."""
        width, height = self.content_size
        token = self._token
        self.border_subtitle = self._legend()
        if token is None:
            return Content("What the model thinks at each token that it writes.").stylize("dim")
        if height <= 1:
            return self._line(token, width)
        rows = [self._head(token, width)]
        if height >= LIST_ROWS:
            rows += [self._cell(number, width, full=True) for number in range(len(self.candidates))]
            return Content("\n").join(rows)
        columns = self._columns
        each, deep = width // columns, height - 1
        for row in range(deep):
            numbers = [row + deep * column for column in range(columns)]
            rows.append(
                Content("").join(self._cell(number, each) for number in numbers if number < len(self.candidates))
            )
        return Content("\n").join(rows)

    def _legend(self) -> Content:
        """What the signs mean, and the probability of all tokens that are not shown."""
        if self._token is None or self.content_size.height <= 1:
            return Content("")
        others = max(0.0, 1 - sum(candidate.probability for candidate in self.candidates))
        glyphs = self._glyphs
        return Content(f"{glyphs.arrow} taken  {glyphs.failed} filtered out  others {brief_percent(others)}")

    def _head(self, token: WrittenToken, width: int) -> Content:
        likely = max(1, round(2**token.bits))
        doubt = f"{token.bits:.1f} bits of doubt: about {likely} likely token{'s' if likely > 1 else ''}"
        part = "" if token.text or token.end else " (part of a character)"
        room = width - cell_len(doubt) - len(part) - 10
        before = visible(self._before, self._ascii)
        opening, closing = ('"', '"') if self._ascii else ("“", "”")
        if not before:
            where = "at the start"
        elif cell_len(before) > room:
            dots = self._glyphs.ellipsis
            where = f"after {opening}{dots}{before[-max(4, room - 1 - len(dots)) :]}{closing}"
        else:
            where = f"after {opening}{before}{closing}"
        gap = " " * max(2, width - cell_len(where) - len(part) - cell_len(doubt))
        return Content.assemble(where, part, (f"{gap}{doubt}", "dim"))

    def _sign(self, candidate: TokenCandidate) -> str:
        """The sign for: this is the token of the text, it was filtered out, or neither."""
        assert self._token is not None
        if candidate.token == self._token.token:
            return self._glyphs.arrow
        return self._glyphs.failed if candidate.drawn <= 0 else " "

    def _shown(self, candidate: TokenCandidate) -> str:
        if candidate.end:
            return "(end)"
        whole = candidate.text.strip("\ufffd")  # nothing is left of a token that is part of a character
        return visible(candidate.text, self._ascii) if whole else "(part)"

    def _cell(self, number: int, width: int, full: bool = False) -> Content:
        candidate = self.candidates[number]
        sign = self._sign(candidate)
        drawn = f"  drawn {brief_percent(candidate.drawn):>4}" if candidate.drawn > 0 else "  filtered out"
        tail = drawn if full and width >= 60 else ""
        name_room = 16 if full and width >= 50 else max(5, min(10, width - 16))
        bar_room = max(0, min(40, width - name_room - 12 - len(tail)))
        text = f"{DIGITS[number]} {sign} {set_cell_size(self._shown(candidate), name_room)}"
        style = "dim" if candidate.drawn <= 0 else "bold" if sign.strip() else ""
        most = max(FULL, *(other.probability for other in self.candidates))
        cell = Content.assemble(
            (f"{text}{brief_percent(candidate.probability):>5} ", style),
            (
                bar(candidate.probability / most, bar_room, self._glyphs),
                "$primary" if candidate.drawn > 0 else "dim",
            ),
            (tail, "dim"),
        )
        if self.has_focus and number == self._mark:
            cell = cell.stylize("reverse", 0, len(text))
        return (cell + Content(" ")).stylize(Style.from_meta({"candidate": number}))

    def _line(self, token: WrittenToken, width: int) -> Content:
        line = Content(f"{token.bits:.1f} bits ").stylize("dim")
        for number, candidate in enumerate(self.candidates):
            mark = f"{self._sign(candidate)}".strip()
            text = f" {DIGITS[number]}{mark} {self._shown(candidate)} {brief_percent(candidate.probability)} "
            if line.cell_length + cell_len(text) > width:
                break
            marked = self.has_focus and number == self._mark
            style = "reverse" if marked else "dim" if candidate.drawn <= 0 else "bold" if mark else ""
            cell = Content.assemble((text, style))
            line += cell.stylize(Style.from_meta({"candidate": number}))
        return line
