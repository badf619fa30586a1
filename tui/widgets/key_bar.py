"""The key bar at the bottom of every screen."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

GAPS = 2
"""Cells of padding of a key and its description."""

PALETTE = 13
"""Cells of the palette's key on the right, with separator and gap."""


class KeyBar(Footer):
    """A footer that leaves out keys that do not fit, where Textual's would cut them.

    The first keys are the most important ones; the help lists all.
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._composed_width = 0

    def compose(self) -> ComposeResult:
        """As many keys as fit."""
        self._composed_width = self.screen.size.width
        room = self._composed_width - PALETTE
        for widget in super().compose():
            if isinstance(widget, FooterKey) and not widget.has_class("-command-palette"):
                room -= cell_len(widget.key_display) + cell_len(widget.description) + GAPS
                if room < 0:
                    continue
            yield widget

    def on_resize(self, event: events.Resize) -> None:
        """Compose anew for another width."""
        if self._composed_width and event.size.width != self._composed_width:
            self.call_after_refresh(self.recompose)
