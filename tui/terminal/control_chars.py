"""Keeps control characters from the terminal, whatever file, name or model they came from."""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ControlCharFilter(LineFilter):
    """Removes control characters as the last step before the terminal.

    Screens show U+FFFD instead (`tinylm.words.printable`); widgets of Textual, such as an editor or an input, do not.
    Control characters take no cell, so a line is as wide without them.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        """The segments without control characters in their text."""
        if not any(_CONTROL.search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(_CONTROL.sub("", segment.text), segment.style)
            for segment in segments
        ]
