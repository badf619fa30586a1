"""What all screens share: the bar with their names and the pulse, one sentence, the keys."""

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

REMARK_SECONDS = 4.0
"""How long it is said what was done."""


class StudioScreen(Screen[None]):
    """A screen of the studio.

    A subclass gives `body` and may give `tick`, which the app calls four times a second while the screen is shown,
    and `sentence`, the line above the footer that says what is going on and whether the person has to do something.
    """

    MODE = ""
    """Its name among the app's modes."""

    whole = False
    """All widgets are there."""

    _remark, _remarked = "", -math.inf
    """What was done, and when."""

    _signs: Glyphs | None = None
    """What it was drawn with last."""

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
        """What stands between bar and sentence."""
        raise NotImplementedError

    def tick(self) -> None:
        """Bring what is shown up to date; called by the app's timer while the screen is shown, so it must be quick."""

    def sentence(self) -> str:
        """What is going on, in one sentence."""
        return ""

    def refresh_all(self) -> None:
        """Bar, body and sentence; called by the app's timer."""
        if not (self.whole and self.is_running and self.is_attached and self.query(TopBar)):
            return  # being put together, or being taken down
        self.query_one(TopBar).show(self.studio.pulse)
        self.tick()
        self.tell()

    def remark(self, told: str) -> None:
        """Say for a moment what was done here, before the line goes on with what is going on."""
        self._remark, self._remarked = told, time.monotonic()
        self.refresh_all()

    def tell(self) -> None:
        """The sentence, as it is now."""
        fresh = time.monotonic() - self._remarked < REMARK_SECONDS
        self.query_one(Sentence).say(self._remark if fresh else self.sentence())

    def plan_changed(self, plan: RunConfig) -> None:
        """The plan was replaced, here or on another screen."""

    def on_mount(self) -> None:
        """Listen to changes of the plan; children of containers are mounted later, and only then can be queried."""
        self._stop_listening = self.studio.on_plan_change(lambda plan: self.call_next(self.plan_changed, plan))
        self.call_after_refresh(self._put_together)

    def on_unmount(self) -> None:
        """Stop listening."""
        self._stop_listening()

    def _put_together(self) -> None:
        self.whole = True
        self.refresh_all()

    def when_whole(self, act: Callable[[], None]) -> None:
        """Do something as soon as all widgets are there."""
        if self.whole:
            act()
        else:
            self.set_timer(0.02, lambda: self.when_whole(act))

    def on_screen_resume(self) -> None:
        """Be up to date at once, not at the next tick."""
        self.redraw()
        self.call_after_refresh(self.refresh_all)

    def redraw(self) -> None:
        """Frames, bars and the names of keys anew, where the terminal is to show other signs than before."""
        signs, self._signs = self._signs, self.studio.glyphs
        if signs not in (None, self._signs):
            for widget in self.query("*"):
                widget.refresh()
                upright, flat = widget.scrollbars_enabled  # to ask for one that is not there would make it
                if upright:
                    widget.vertical_scrollbar.refresh()
                if flat:
                    widget.horizontal_scrollbar.refresh()
            self.refresh_bindings()
