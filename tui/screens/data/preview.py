"""Excerpts of the text as it is read, and split into tokens as the model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tinylm.words import printable
from tui.terminal.glyphs import ASCII, BRAILLE, Glyphs

View = Literal["both", "text", "tokens"]
VIEWS: tuple[View, ...] = ("both", "text", "tokens")


def border(glyphs: Glyphs) -> str:
    """The sign between two tokens."""
    return "|" if glyphs is ASCII else "▏"


def bordered(pieces: Sequence[str], glyphs: Glyphs) -> Content:
    """Tokens with a line after each and every second one shaded; the lines show the borders without colour, too."""
    line_end = "\\n" if glyphs is ASCII else "↵"  # which is a token, or part of one
    end, parts = border(glyphs), []
    for i, piece in enumerate(pieces):
        shown = printable(piece).expandtabs(4).replace("\n", line_end + "\n")
        # The line break goes after the border, or the border would begin the next line.
        body, broken = (shown[:-1], "\n") if shown.endswith("\n") else (shown, "")
        parts.append((body, "on $primary-muted" if i % 2 else "on $surface"))
        parts.append((end + broken, "dim"))
    return Content.assemble(*parts)


class Preview(Vertical):
    """Excerpts from all over the text, one at a time."""

    DEFAULT_CSS = """
    Preview VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    Preview .heading { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    Preview.-text #preview-tokens, Preview.-text .heading { display: none; }
    Preview.-tokens #preview-text { display: none; }
    """

    def __init__(self) -> None:
        super().__init__(id="preview", classes="pane")
        self.border_title = "[@click=screen.view]Preview[/]"
        self.glyphs: Glyphs = BRAILLE
        self.view: View = "both"
        self.excerpts: tuple[str, ...] = ()
        self.at = 0
        self.pieces: tuple[str, ...] = ()
        """The tokens of the excerpt that is shown; () until they are known."""

    def compose(self) -> ComposeResult:
        """Text above, tokens below."""
        with VerticalScroll(id="preview-text", can_focus=False):
            yield Static("", classes="text", markup=False)
        yield Static("", classes="heading", markup=False)
        with VerticalScroll(id="preview-tokens", can_focus=False):
            yield Static("", classes="tokens", markup=False)

    @property
    def excerpt(self) -> str:
        """The excerpt that is shown."""
        return self.excerpts[self.at] if self.excerpts else ""

    def show(self, excerpts: Sequence[str], empty: str = "") -> None:
        """Show `excerpts`, beginning with the first; `empty` if there are none."""
        if tuple(excerpts) != self.excerpts:
            self.excerpts, self.at = tuple(excerpts), 0
        self._draw_text(empty)
        self.show_tokens(())

    def show_tokens(self, pieces: Sequence[str], waiting: str = "") -> None:
        """Show the tokens of the excerpt, or `waiting` if there are none."""
        self.pieces = tuple(pieces)
        heading = f"as the model sees it: {len(pieces):,} tokens" if pieces else ""
        self.query_one(".heading", Static).update(heading)
        self.query_one(".tokens", Static).update(bordered(pieces, self.glyphs) if pieces else waiting)

    def turn(self, by: int) -> None:
        """Show another excerpt, around the end; the caller then shows its tokens."""
        if self.excerpts:
            self.at = (self.at + by) % len(self.excerpts)
            self._draw_text("")
            for box in self.query(VerticalScroll):
                box.scroll_home(animate=False)

    def next_view(self) -> View:
        """Cycle through both, text only and tokens only."""
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        for view in VIEWS:
            self.set_class(view == self.view, f"-{view}")
        return self.view

    def _draw_text(self, empty: str) -> None:
        self.query_one(".text", Static).update(printable(self.excerpt) if self.excerpts else empty)
        left, right = ("<", ">") if self.glyphs is ASCII else ("◂", "▸")
        page = f"{self.at + 1}/{len(self.excerpts)}"
        pages = f"[@click=screen.turn(False)]{left}[/] {page} [@click=screen.turn(True)]{right}[/]"
        self.border_subtitle = pages if self.excerpts else ""
