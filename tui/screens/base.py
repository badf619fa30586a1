"""The base of all screens: top bar, sentence and key bar around the body of the screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from tui.studio import Studio
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import Sentence, TopBar

if TYPE_CHECKING:
    from tinylm.config.schema import RunConfig
    from tui.terminal.glyphs import Glyphs

MUTED = "$foreground 60%"
"""The colour of secondary text in Content, where $text-muted is white: its contrast is left to style sheets."""

REMARK_SECONDS = 4.0
"""How long a remark stays."""


class StudioScreen(Screen[None]):
    """A screen of the studio.

    Subclasses override `body`, and as needed `tick`, which the app calls up to four times a second while the screen is
    shown, `sentence`, the line above the footer, and `plan_changed`.
    """

    MODE = ""
    """The mode of the app that shows it."""

    whole = False
    """Whether all widgets are mounted."""

    _remark, _remarked = "", -math.inf
    """What was done last, and when."""

    _drawn_glyphs: Glyphs | None = None
    """The glyphs it was drawn with last."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.studio = studio
        self._stop_listening: Callable[[], None] = lambda: None

    def compose(self) -> ComposeResult:
        """Bar, body, sentence, keys."""
        yield TopBar(self.MODE)
        with Vertical(id="body"):
            yield from self.body()
        yield Sentence()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """The widgets between top bar and sentence."""
        raise NotImplementedError

    def tick(self) -> None:
        """Update what is shown; called by the app's timer, so it must be quick."""

    def sentence(self) -> str:
        """What is going on, and what the person can do, in one sentence."""
        return ""

    def refresh_all(self) -> None:
        """Update bar, body and sentence; called by the app's timer."""
        if not (self.whole and self.is_running and self.is_attached and self.query(TopBar)):
            return  # being mounted, or being removed
        self.query_one(TopBar).show(self.studio.pulse)
        self.tick()
        self.tell()

    def remark(self, message: str) -> None:
        """Show for a few seconds what was done, in place of the sentence."""
        self._remark, self._remarked = message, time.monotonic()
        self.refresh_all()

    def tell(self) -> None:
        """Update the sentence."""
        fresh = time.monotonic() - self._remarked < REMARK_SECONDS
        self.query_one(Sentence).say(self._remark if fresh else self.sentence())

    def plan_changed(self, plan: RunConfig) -> None:
        """Called after the plan was replaced, here or on another screen."""

    def on_mount(self) -> None:
        """Listen to changes of the plan; children of containers are mounted later, and only then can be queried."""
        self._stop_listening = self.studio.on_plan_change(lambda plan: self.call_next(self.plan_changed, plan))
        self.call_after_refresh(self._mounted)

    def on_unmount(self) -> None:
        """Stop listening."""
        self._stop_listening()

    def _mounted(self) -> None:
        self.whole = True
        self.refresh_all()

    def when_whole(self, act: Callable[[], None]) -> None:
        """Call `act` once all widgets are mounted."""
        if self.whole:
            act()
        else:
            self.set_timer(0.02, lambda: self.when_whole(act))

    def on_screen_resume(self) -> None:
        """Update at once, not at the next tick."""
        self.redraw()
        self.call_after_refresh(self.refresh_all)

    def redraw(self) -> None:
        """Draw frames, scrollbars and key names anew, if the glyphs have changed."""
        drawn, self._drawn_glyphs = self._drawn_glyphs, self.studio.glyphs
        if drawn not in (None, self._drawn_glyphs):
            for widget in self.query("*"):
                widget.refresh()
                # Asking for a scrollbar that does not exist would create it.
                vertical, horizontal = widget.scrollbars_enabled
                if vertical:
                    widget.vertical_scrollbar.refresh()
                if horizontal:
                    widget.horizontal_scrollbar.refresh()
            self.refresh_bindings()
