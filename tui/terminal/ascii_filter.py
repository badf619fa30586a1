"""Draws frames, scroll bars and ellipses in ASCII, for terminals without Unicode; letters of any language stay."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_BOX_CORNERS = [*range(0x250C, 0x254C), *range(0x2552, 0x2571)]

_SUBSTITUTES = str.maketrans(
    dict.fromkeys(_BOX_CORNERS, "+")
    | dict.fromkeys("─━═╌╍┄┅┈┉", "-")
    | dict.fromkeys("│┃║╎╏┆┇┊┋▏▎▍▌▋▊▉▕▐", "|")
    | dict.fromkeys("▁▂▃▄▅▆▇▔▀", " ")  # the ends of scroll bars; their middle is a background colour
    | dict.fromkeys("█", "#")
    | dict.fromkeys("●•▪", "*")
    | dict.fromkeys("…", "~")  # where Textual cut a line
)


class AsciiFilter(LineFilter):
    """Replaces Textual's own glyphs by ASCII ones of the same width, for the app's ASCII mode.

    Screens choose their glyphs by `tui.terminal.glyphs`; frames, scroll bars and the ellipsis come from Textual, which
    has no ASCII ones. A filter sees cells only, so the same characters in somebody's text are replaced too.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        """The segments with the glyphs replaced."""
        if all(text.isascii() for text, _, _ in segments):
            return segments
        return [Segment(text.translate(_SUBSTITUTES), style, control) for text, style, control in segments]
