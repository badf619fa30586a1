"""The keys at the foot of every screen: as many as fit, none of them cut."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

GAPS = 2
"""Cells between a key and what it does, and behind that."""

PALETTE = 13
"""Cells that the palette's key takes at the right, with the line before it and a gap."""


class KeyBar(Footer):
    """Textual's footer cuts what does not fit, or draws it under the palette's key; here it is left out.

    The first keys are the most important ones, and `?` lists all of them.
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._made_for = 0

    def compose(self) -> ComposeResult:
        """Key after key, until there is no room."""
        self._made_for = self.screen.size.width
        room = self._made_for - PALETTE
        for widget in super().compose():
            if isinstance(widget, FooterKey) and not widget.has_class("-command-palette"):
                room -= cell_len(widget.key_display) + cell_len(widget.description) + GAPS
                if room < 0:
                    continue
            yield widget

    def on_resize(self, event: events.Resize) -> None:
        """Another width, other keys."""
        if self._made_for and event.size.width != self._made_for:
            self.call_after_refresh(self.recompose)
