"""The characters that a terminal can show: braille, quarter blocks, or plain ASCII."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.message_pump import MessagePump


@dataclass(frozen=True)
class Glyphs:
    """The glyphs of one kind of terminal; every state has a word beside its glyph."""

    name: str
    training: str
    paused: str
    done: str
    failed: str
    warning: str
    diamond: str
    arrow: str
    up: str
    bar: str
    """From empty to full, for bars inside a cell."""
    ellipsis: str
    dot: str

    def spell(self, text: str) -> str:
        """A text of the app, such as a help or the name of a key, in characters that this terminal shows."""
        if self.name != "ascii":
            return text
        for glyph, word in _SPELLED.items():
            text = text.replace(glyph, word)
        return text


_UNICODE = {
    "training": "●", "paused": "◐", "done": "✓", "failed": "✗", "warning": "!", "diamond": "◆", "arrow": "▸", "up": "▲",
    "bar": " ▏▎▍▌▋▊▉█", "ellipsis": "…", "dot": "·",
}  # fmt: skip

BRAILLE = Glyphs("braille", **_UNICODE)
BLOCKS = Glyphs("blocks", **_UNICODE)
ASCII = Glyphs(
    "ascii", training="*", paused="=", done="+", failed="x", warning="!", diamond="o", arrow=">", up="^",
    bar=" .:-=+*%#", ellipsis="...", dot="-",
)  # fmt: skip

_SPELLED = {"◆": ASCII.diamond, "…": ASCII.ellipsis, "⏎": "Enter", "⌫": "Backspace", "↑": "Up", "↓": "Down",
          "←": "Left", "→": "Right"}  # fmt: skip

ALL = {glyphs.name: glyphs for glyphs in (BRAILLE, BLOCKS, ASCII)}


def detected(environment: Mapping[str, str] = os.environ, encoding: str | None = None) -> Glyphs:
    """What this terminal can show: ASCII on the Linux console, on dumb terminals and without UTF-8, else braille."""
    encoding = encoding or locale.getpreferredencoding(False)
    if environment.get("TERM") in ("linux", "dumb") or encoding.lower().replace("-", "") != "utf8":
        return ASCII
    return BRAILLE


def glyphs_of(widget: MessagePump) -> Glyphs:
    """The glyphs of the app that draws `widget`; braille in an app that has none, as in tests."""
    glyphs: Glyphs = getattr(widget.app, "glyphs", BRAILLE)
    return glyphs
