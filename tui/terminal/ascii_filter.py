"""Frames, bars and cuts in ASCII, for terminals that have no more; letters of any language stay what they are."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_CORNERS_AND_CROSSINGS = [*range(0x250C, 0x254C), *range(0x2552, 0x2571)]

_SIGNS = str.maketrans(
    dict.fromkeys(_CORNERS_AND_CROSSINGS, "+")
    | dict.fromkeys("─━═╌╍┄┅┈┉", "-")
    | dict.fromkeys("│┃║╎╏┆┇┊┋▏▎▍▌▋▊▉▕▐", "|")
    | dict.fromkeys("▁▂▃▄▅▆▇▔▀", " ")  # the ends of scroll bars, whose middle is colour
    | dict.fromkeys("█", "#")
    | dict.fromkeys("●•▪", "*")
    | dict.fromkeys("…", "~")  # where a line was cut
)


class AsciiFilter(LineFilter):
    """Draws Textual's own signs with others as wide, for the app's ASCII mode.

    Screens choose theirs by `tui.glyphs`; frames, scroll bars and the sign where a line was cut come from Textual,
    which has no others. Being the last, this cannot tell them from the same signs in somebody's text.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        """The same segments, unless there is such a sign."""
        if all(text.isascii() for text, _, _ in segments):
            return segments
        return [Segment(text.translate(_SIGNS), style, control) for text, style, control in segments]
