"""The Textual app: its modes, keys, start and end. What it knows is in `tui.studio`; screens show that."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, ScreenStackError, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.filter import LineFilter

from tinylm import paths
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tinylm.words import one_line
from tui.commands import StudioCommands
from tui.screens.base import StudioScreen
from tui.screens.home import HomeScreen
from tui.studio import Notice, Studio
from tui.terminal import glyphs
from tui.terminal.ascii_filter import AsciiFilter
from tui.terminal.control_chars import ControlCharFilter
from tui.terminal.glyphs import Glyphs
from tui.terminal.keys import hidden
from tui.terminal.preferences import Preferences
from tui.widgets.dialogs import Leave

if TYPE_CHECKING:
    from tui.live.watch import ObservedRun

NAMED = {name: name.capitalize() for name in ("space", "esc", "tab", "shift", "home", "end", "del", "pgup", "pgdn")}
NAMED |= {f"f{number}": f"F{number}" for number in range(1, 13)}
NAMED["⏎"] = "Enter"
"""Names of keys that Textual writes in small letters or as a sign."""

ANSWERED = events.Key | events.MouseDown | events.MouseScrollDown | events.MouseScrollUp | events.Resize
"""Events after which the screen is drawn at once, beside a training too."""

LEAVE_SECONDS = 20.0
"""How long leaving waits for a training to be saved; a step and a checkpoint usually take far less."""

STUCK_SECONDS = 2.0
"""How long the app may take to close once all is saved; Textual waits for ever if its terminal is gone."""

TICKS_A_SECOND = 4
"""How often events are polled, and the shown screen is updated if `tui.terminal.draw_budget` allows it."""

AFTER_PAINT = 0.1
"""Seconds between the first frame and the start of anything slow."""


MODES = ("home", "data", "plan", "train", "talk", "runs")


def new_screen(mode: str, studio: Studio) -> StudioScreen:
    """The screen of a mode; all but Home are imported when they are first shown, so that the app paints sooner."""
    if mode == "home":
        return HomeScreen(studio)
    screen: type[StudioScreen] = getattr(import_module(f"tui.screens.{mode}.screen"), f"{mode.title()}Screen")
    return screen(studio)


class StudioApp(App[int]):
    """tinylm-studio in the terminal."""

    TITLE = "tinylm-studio"
    CSS_PATH = str(paths.assets() / "studio.tcss")
    COMMANDS = App.COMMANDS | {StudioCommands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (120, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual"), (40, "-high")]
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("1,f2", "go('data')", "Data", id="app.data", tooltip="Choose texts"),
        hidden("2,f3", "go('plan')", "Plan", id="app.plan", tooltip="Settings and rehearsal"),
        hidden("3,f4", "go('train')", "Train", id="app.train", tooltip="Watch the training"),
        hidden("4,f5", "go('talk')", "Talk", id="app.talk", tooltip="Let a model write"),
        hidden("5,f6", "go('runs')", "Runs", id="app.runs", tooltip="All runs of this home"),
        hidden("h", "go('home')", "Home", id="app.home", tooltip="The first screen"),
        hidden("question_mark,f1", "show_help_panel", "Help", id="app.help", tooltip="All keys of this screen"),
        hidden("G", "next_glyphs", "Glyphs", id="app.glyphs", tooltip="Braille, blocks or ASCII"),
        hidden("ctrl+z", "suspend_process", "Suspend", id="app.suspend", tooltip="Back to the shell; fg goes on"),
        Binding(
            "ctrl+q",
            "quit",
            "Quit",
            show=False,
            priority=True,
            id="app.quit",
            tooltip="Leave; a training is saved first",
        ),
    ]

    def __init__(self, studio: Studio, mode: str | None = None, show: RunFolder | None = None) -> None:
        """`mode` is the first screen: by default Home, or Runs where there are some; `show`, a run to open first."""
        super().__init__()
        self.studio = studio
        studio.go, studio.notify = self.action_go, self._show_notice
        for name in MODES:
            self.add_mode(name, partial(new_screen, name, studio))
        self.crash: BaseException | None = None
        """The exception that ended the app, if it is a bug."""
        self.last_resort: Callable[[int], object] = lambda _code: None
        """Ends the process if an orderly close does not; set by `launch`."""
        self.deserted: Callable[[], bool] = lambda: False
        """Whether the terminal is gone, which is not always announced by a signal; set by `launch`."""
        self.farewell = ""
        """A sentence to print after the app has closed."""
        self._first, self._show = mode, show
        self._leaving = False
        self._terminal_title = ""
        self._saved_preferences = self._initial_preferences = Preferences()
        self._control_filter, self._ascii_filter = ControlCharFilter(), AsciiFilter()

    @property
    def glyphs(self) -> Glyphs:
        """What this terminal can show; widgets read it by `glyphs_of`."""
        return self.studio.glyphs

    # ---- life -----------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Show the first screen; everything slow starts after it is painted."""
        preferences = self._saved_preferences = Preferences.load(self.studio.home)
        if preferences.theme in self.available_themes:
            self.theme = preferences.theme
        if self.glyphs is not glyphs.ASCII:  # a terminal that shows only ASCII ignores what was chosen in another one
            self._draw_with(glyphs.ALL.get(preferences.glyphs, self.glyphs))
        self._initial_preferences = Preferences(self.theme, self.glyphs.name)
        self.switch_mode(self._first or ("runs" if folder.list_runs(self.studio.home) else "home"))
        self.call_after_refresh(self._painted)
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, and threads of tests
                asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)

    def _painted(self) -> None:
        if self._show is not None:
            self.studio.open_run(self._show)
        # The frame is still on its way to the terminal; work that holds the interpreter would delay it.
        self.set_timer(AFTER_PAINT, lambda: self._in_thread(self.studio.warm_up, "warm-up"))
        slow = 2 if "SSH_CONNECTION" in os.environ else 1
        self.set_interval(slow / TICKS_A_SECOND, self._tick)
        gc.freeze()  # what exists now stays; the collector need not scan it again
        gc.enable()

    def _in_thread(self, work: Callable[[], object], name: str) -> None:
        """Run `work` in a daemon thread; Textual's workers are joined at the end and would delay it."""
        threading.Thread(target=work, name=name, daemon=True).start()

    def _tick(self) -> None:
        """Take in new events of the runs, and bring the shown screen up to date."""
        if self.deserted():
            self.leave(128 + signal.SIGHUP)
        ended = self.studio.poll()
        if ended:
            self._ended(ended)
        if self.studio.may_draw():
            with suppress(ScreenStackError):  # the app is being closed
                if isinstance(self.screen, StudioScreen):
                    self.screen.refresh_all()
            self._name_terminal()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters that each line passes before it is drawn."""
        plain = [self._ascii_filter] if self.glyphs is glyphs.ASCII else []
        return [*super().get_line_filters(), self._control_filter, *plain]

    async def on_event(self, event: events.Event) -> None:
        """Draw soon after input."""
        if isinstance(event, ANSWERED):
            self.studio.draw_budget.hurry()
        await super().on_event(event)

    def _ended(self, watch: ObservedRun) -> None:
        """Announce the end of the training on other screens."""
        self.bell()
        if self.current_mode != "train":
            failed = watch.status == "failed"
            self.notify(
                one_line(f"{watch.name}: {watch.status}"),
                title="The training is over",
                severity="error" if failed else "information",
                markup=False,
            )

    def _name_terminal(self) -> None:
        """Put the pulse into the title of the terminal."""
        title = f"{self.studio.pulse()} - tinylm-studio" if self.studio.training else "tinylm-studio"
        driver = self._driver
        if title != self._terminal_title and driver is not None and not driver.is_headless:
            self._terminal_title = title
            driver.write(f"\x1b]2;{one_line(title)}\x07")

    def _handle_exception(self, error: Exception) -> None:
        """Ignore missing widgets of a screen that was still being built when the app closed."""
        if not (self._exit and isinstance(error, NoMatches)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """A bug: the command line writes the traceback to the log and prints one sentence."""
        self.crash = self._exception
        self._close_messages_no_wait()

    def on_unmount(self) -> None:
        """Save theme and glyphs, but only if they were changed: another terminal may default to others."""
        before, now = self._initial_preferences, Preferences(self.theme, self.glyphs.name)
        theme = now.theme if now.theme != before.theme else self._saved_preferences.theme
        signs = now.glyphs if now.glyphs != before.glyphs else self._saved_preferences.glyphs
        Preferences(theme, signs).save(self.studio.home)

    # ---- keys -----------------------------------------------------------------------------------------------------

    def action_go(self, mode: str) -> None:
        """Show a screen."""
        if isinstance(self.screen, StudioScreen) and self.current_mode != mode:
            self.switch_mode(mode)

    def action_edit_setting(self, name: str) -> None:
        """Go to a setting in Plan."""
        self.action_go("plan")
        self.call_later(self._show_setting, name)

    def _show_setting(self, name: str) -> None:
        from tui.screens.plan.screen import PlanScreen

        screen = self.screen
        if isinstance(screen, PlanScreen):
            screen.when_whole(lambda: screen.action_field(name))

    def action_show_help_panel(self) -> None:
        """Show the help of this screen; Textual's palette calls the action by this name, too."""
        from tui.screens.help import HelpPage

        if isinstance(self.screen, StudioScreen):
            self.push_screen(HelpPage(self.screen))

    def action_next_glyphs(self) -> None:
        """Cycle through braille, blocks and ASCII."""
        names = list(glyphs.ALL)
        self._draw_with(glyphs.ALL[names[(names.index(self.glyphs.name) + 1) % len(names)]])
        if isinstance(self.screen, StudioScreen):
            self.screen.redraw()
            self.screen.remark(f"Drawing with {self.glyphs.name}.")

    def _draw_with(self, signs: Glyphs) -> None:
        self.studio.glyphs = signs
        self.set_class(signs is glyphs.ASCII, "-ascii")

    def get_key_display(self, binding: Binding) -> str:
        """A key in glyphs of this terminal; keys with a name as on keyboards: Space, Esc, F2."""
        parts = super().get_key_display(binding).split("+")
        return self.glyphs.spell("+".join(NAMED.get(part, part) for part in parts))

    def action_suspend_process(self) -> None:
        """Give the terminal back and stop, with all threads; `fg` goes on, and the clock of a training leaves it out.

        Textual's own way ends in a SIGSTOP, which nobody could undo where there is no shell, as in a container.
        """
        if not hasattr(signal, "SIGTSTP"):  # Windows
            return
        with suppress(SuspendNotSupported), self.suspend():
            handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.killpg(0, signal.SIGTSTP)  # the whole job, as the terminal would
            signal.signal(signal.SIGTSTP, handler)

    async def action_quit(self) -> None:
        """Leave; if a training runs, ask first."""
        training = self.studio.training
        if training is None or not training.running:
            self.exit(0)
        elif not any(isinstance(screen, Leave) for screen in self.screen_stack):
            self.push_screen(Leave(training), self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer == "s":
            self.leave(0)

    def _signalled(self, number: int) -> None:
        """SIGTERM, or SIGHUP from a lost connection: save and leave."""
        self.leave(128 + number)

    def leave(self, code: int) -> None:
        """End the app; a training is saved within its current step. Later calls do nothing."""
        if self._leaving:
            return
        self._leaving = True
        watch = self.studio.training if self.studio.is_training else None
        trainer = watch.trainer if watch else None
        if trainer:
            trainer.control.leave.set()
            trainer.control.pause.clear()
            self.notify("Saving, then leaving.")

        def wait() -> None:
            if trainer:
                trainer.join(LEAVE_SECONDS)
            self._in_thread(lambda: self.call_from_thread(self._left, watch, code), "left")
            time.sleep(STUCK_SECONDS)
            self.last_resort(code)

        self._in_thread(wait, "leave")

    def _left(self, watch: ObservedRun | None, code: int) -> None:
        while watch and watch.poll():
            pass  # the last event has the step of the checkpoint
        if watch and watch.run is not None and watch.history.checkpoints:
            step = watch.history.checkpoints[-1].step
            self.farewell = (
                f"{watch.name} is saved at step {step:,}. Go on with r in Runs, or with: "
                f"tinylm-studio --train --resume --run {watch.name}{paths.home_flag(self.studio.home)}"
            )
        self.exit(return_code=code)

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save a picture of the screen: in the downloads, or in the home for a user without a folder of their own."""
        try:
            return super().deliver_screenshot(filename, path, time_format)
        except RuntimeError:
            return super().deliver_screenshot(filename, str(self.studio.home), time_format)

    def _show_notice(self, notice: Notice) -> None:
        self.notify(notice.message, title=notice.title, severity=notice.severity, markup=False)
