"""Nothing that is drawn steers the terminal, whatever file, name or model it came from."""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ControlCharFilter(LineFilter):
    """The last thing between a screen and its terminal: control characters go.

    Screens show U+FFFD in their place (`tinylm.console.printable`); what others draw, as an editor, a message or a line
    to type on, has them still. They take no cell, so a line is as wide without them.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        """The same segments, unless one would steer."""
        if not any(_STEERING.search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(_STEERING.sub("", segment.text), segment.style)
            for segment in segments
        ]
