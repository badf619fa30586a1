"""The Train screen: a run that is trained, or one of before, in charts, numbers, samples and one sentence.

It reads the history of the run four times a second and draws only what is new, since showing a training must cost it
next to nothing. Nothing is created for each step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tinylm.training.control import Control
from tui.chart.chart import Chart
from tui.live import status
from tui.live.watch import ObservedRun, read_config
from tui.screens.train import metrics, outcome, samples
from tui.screens.train.event_log import EventLog
from tui.screens.train.metrics import MetricsPane, UsageMeter
from tui.screens.train.outcome import OutcomeBox
from tui.screens.train.samples import SampleStrip
from tui.screens.train.view import VIEW_ACTIONS, RunViewScreen
from tui.studio import Studio
from tui.terminal.keys import hidden
from tui.widgets.dialogs import Ask, Choice

OFFERED = (
    "start", "to_plan", "enter_talk", "pause", "go_on", "resume", "stop", "save", "copy_report", "inspect", "talk",
)  # fmt: skip
"""The actions in the footer, where they have something to do."""


class TrainScreen(RunViewScreen):
    """Shows the training of this app, or a run that was opened."""

    MODE = "train"
    AUTO_FOCUS = ""
    HELP = """
# Train

The big chart is the **loss**: how badly the model predicts what comes next. The dim band is what single steps gave,
the bright line their average, a diamond a check on text that it never learns from. Dashed lines are simpler means:
below *letter triples* the model knows more than which three letters follow each other.

Diamonds that rise while the line falls: it learns its text by heart.

`v` puts a hair line on all charts; the sample of that moment is marked below, and the log goes there, too.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", id="train.start", tooltip="Train the plan"),
        Binding("enter", "to_plan", "To the plan", id="train.plan", tooltip="Change what cannot be trained"),
        Binding("enter", "enter_talk", "Talk to it", id="train.enter-talk", tooltip="Let it write"),
        hidden("enter", "maximise", "Maximise", id="train.maximise", tooltip="One chart, as large as can be"),
        Binding("space", "pause", "Pause", key_display="Space", id="train.pause", tooltip="Stand still; all stays"),
        Binding("space", "go_on", "Continue", key_display="Space", id="train.continue", tooltip="Go on training"),
        Binding("r", "resume", "Resume", id="train.resume", tooltip="Go on from the last checkpoint"),
        Binding("s", "stop", "Stop", id="train.stop", tooltip="Pause, or stop and save"),
        Binding("c", "save", "Save", id="train.save", tooltip="Save a checkpoint now"),
        hidden("g", "sample", "Sample now", id="train.sample", tooltip="Let it write a sample now"),
        Binding("y", "copy_report", "Copy report", id="train.report", tooltip="What went wrong, for whoever helps"),
        hidden("y", "copy", "Copy numbers", id="train.copy", tooltip="The numbers, to the clipboard"),
        # Before a chart's own, which stands in no footer.
        Binding(
            "v",
            "inspect",
            "Inspect",
            priority=True,
            id="train.inspect",
            tooltip="A hair line on all charts; arrows move it",
        ),
        Binding("4", "talk", "Talk", id="train.talk", tooltip="Let it write, also while it trains"),
        hidden("escape", "back", "Back", id="train.back", tooltip="One step back"),
    ]
    DEFAULT_CSS = """
    TrainScreen #body { align: center middle; }
    TrainScreen #main { height: 1fr; }
    TrainScreen #small { height: 20%; min-height: 4; }
    TrainScreen #foot { height: 24%; min-height: 5; }
    TrainScreen Chart { width: 1fr; height: 100%; }
    TrainScreen MetricsPane, TrainScreen SampleStrip { height: 100%; }
    TrainScreen #numbers { width: 24; }
    TrainScreen #strip { width: 1fr; }
    TrainScreen #line { height: 1; display: none; }
    TrainScreen #param, TrainScreen #ratio, TrainScreen #runlog { display: none; }

    TrainScreen.-wide #param, TrainScreen.-wide #ratio { display: block; }
    TrainScreen.-wide #numbers { width: 48; }
    TrainScreen.-wide.-high #small { height: 9; }
    TrainScreen.-wide.-high #foot { height: 12; }
    TrainScreen.-wide.-high #runlog { display: block; width: 58; }
    TrainScreen.-short #small, TrainScreen.-short #foot { display: none; }
    TrainScreen.-short OutcomeBox.-good { display: none; }
    TrainScreen.-narrow #numbers { display: none; }
    TrainScreen.-narrow #line { display: block; }

    TrainScreen.-over #small { display: none; }
    TrainScreen.-over.-high #small { display: block; }

    TrainScreen.-drawer #small, TrainScreen.-drawer #strip { display: none; }
    TrainScreen.-drawer #foot { display: block; height: 1fr; }
    TrainScreen.-drawer #runlog { display: block; width: 1fr; }

    TrainScreen.-max #small, TrainScreen.-max #main, TrainScreen.-max #foot { display: none; }
    TrainScreen.-max Chart, TrainScreen.-max #numbers { display: none; }
    TrainScreen.-max #main.-holds, TrainScreen.-max #small.-holds { display: block; height: 1fr; }
    TrainScreen.-max Chart.-shown, TrainScreen.-max #param.-shown, TrainScreen.-max #ratio.-shown { display: block; }
    TrainScreen.-max #line { display: block; }

    TrainScreen.-empty #main, TrainScreen.-empty #small, TrainScreen.-empty #foot, TrainScreen.-empty #line {
        display: none;
    }
    TrainScreen.-empty #box { width: 74; max-width: 96%; padding: 1 2; }
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._shown_watch: ObservedRun | None = None
        self._offered: tuple[bool | None, ...] = ()
        self._meter = UsageMeter()
        self._closed_outcome: ObservedRun | None = None
        """The run whose outcome was read and closed."""
        self._saving: int | None = None
        """The number of checkpoints when the person asked for one; None: there is nothing to report."""

    def body(self) -> ComposeResult:
        """Charts, numbers, outcome, samples and log."""
        charts = self.charts
        with Horizontal(id="main"):
            yield charts["loss"]
            pane = MetricsPane(id="numbers", classes="pane")
            pane.border_title = "now"
            yield pane
        yield MetricsPane(one_line=True, id="line")
        with Horizontal(id="small"):
            for name in ("lr", "grad", "speed", "param", "ratio"):
                yield charts[name]
        yield OutcomeBox(id="box")
        with Horizontal(id="foot"):
            yield SampleStrip(id="strip", classes="pane")
            yield EventLog(id="runlog", classes="pane")

    # ---- what is shown ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Draw what has changed."""
        watch = self.studio.shown
        if watch is not self._shown_watch:
            self._take(watch)
        if watch is not None and self._config is None and watch.run is not None and watch.history.state.plan:
            self._config = read_config(watch.run)
        seen = (
            id(watch), id(watch.history) if watch else 0, watch.status if watch else "", bool(watch and watch.running),
            self._asked_to_pause, bool(watch and watch.ending), self._config is None, self.view, self.unit,
            self.studio.glyphs, self.studio.plan, self.charts.sizes, self._closed_outcome,
        )  # fmt: skip
        version = watch.history.version if watch else 0
        if seen != self._seen or version != self._version:
            at_once = seen != self._seen
            self._seen, self._version = seen, version
            self._draw(watch, at_once)
        elif watch is not None and self.charts.waiting:
            self.charts.catch_up(self._run(watch), self.view, self.studio.glyphs)
        offered = tuple(self.check_action(action, ()) for action in OFFERED)
        if offered != self._offered:  # building the footer is slow: not at every step
            self._offered = offered
            self.refresh_bindings()

    def _take(self, watch: ObservedRun | None) -> None:
        """Start over with another run."""
        self._shown_watch, self._config, self._closed_outcome, self._saving = watch, None, None, None
        self.view = replace(self.view, hair=None)
        self.charts.zoom_out()

    def _draw(self, watch: ObservedRun | None, at_once: bool) -> None:
        glyphs = self.studio.glyphs
        shown = (
            outcome.outcome_of(watch, self.studio.plan, glyphs)
            if watch is None or watch is not self._closed_outcome
            else None
        )
        self.query_one(OutcomeBox).show(shown)
        empty = watch is None or self._never_began
        self.set_class(empty, "-empty")
        self.set_class(shown is not None and not empty, "-over")
        if watch is None or empty:
            return
        history, view = watch.history, self.view
        run = self._run(watch)
        self.charts.show(run, view, glyphs, at_once=at_once)
        numbers = metrics.metrics_at(history, run.unit, view.hair, running=watch.running)
        usage = self._meter.read() if watch.own else None
        for widget in self.query(MetricsPane):
            widget.show(numbers, usage, glyphs)
        title = "now" if view.hair is None else f"step {view.hair:,}"
        if (pane := self.query_one("#numbers")).border_title != title:
            pane.border_title = title
        self.query_one(SampleStrip).show(history.samples, samples.index_at(history.samples, view.hair), glyphs)
        at = None if view.hair is None else history.position("time", view.hair)
        self.query_one(EventLog).show(history.log, at, glyphs)

    @property
    def _never_began(self) -> bool:
        watch = self.studio.shown
        return watch is not None and watch.status == "failed" and not len(watch.history.step) and watch.run is None

    @property
    def _asked_to_pause(self) -> bool:
        watch = self.studio.shown
        return watch is not None and watch.trainer is not None and watch.trainer.control.pause.is_set()

    def sentence(self) -> str:
        """What is going on, or with a hair line which step it is at."""
        watch = self.studio.shown
        if watch is not None and self.view.hair is not None:
            return f"Step {self.view.hair:,}: arrows move the line, [ ] go by samples, Esc goes back to now."
        if watch is not None and self._saving is not None and watch.status == "training" and not watch.ending:
            if saving := status.saving_sentence(watch.history, self._saving):
                return saving
            self._saving = None
        return status.sentence(watch, torch_loaded=self.studio.machine is not None)

    # ---- what keys can do just now ------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  # Textual's
        """Offer the keys that have something to do."""
        watch = self.studio.shown if self.is_attached else None
        if action in VIEW_ACTIONS and (watch is None or self._never_began):
            return False
        ours = watch is not None and watch.own and watch.running and not watch.ending
        status = watch.status if watch else None
        match action:
            case "start":
                return watch is None
            case "to_plan":
                return self._never_began
            case "pause":
                return ours and not self._asked_to_pause
            case "go_on":
                return ours and self._asked_to_pause
            case "stop":
                return ours
            case "save" | "sample":  # a paused training does neither
                return ours and not self._asked_to_pause
            case "resume":
                training = self.studio.training
                over = status in ("stopped", "interrupted", "failed") and watch is not None and watch.run is not None
                over = over and watch is not None and not watch.reading
                return over and not (watch and watch.running) and not (training and training.running)
            case "talk":  # while the app's own key does it, and says no more than Enter
                return status not in (None, "finished") and not self._never_began
            case "enter_talk":
                return status == "finished" and not isinstance(self.focused, Chart)
            case "maximise":
                return status != "finished" or isinstance(self.focused, Chart)
            case "copy_report":
                return status == "failed"
            case "copy":
                return status != "failed"
            case "next_chart":
                return self._largest is not None
        return True

    # ---- the training -------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Train the plan."""
        self.studio.start_training()

    def action_to_plan(self) -> None:
        """Show the plan that could not be trained."""
        self.studio.go("plan")

    def action_talk(self) -> None:
        """Go to Talk, with the checkpoint that is chosen there."""
        self.studio.go("talk")

    def action_enter_talk(self) -> None:
        """Go to Talk with the run that is shown."""
        watch = self.studio.shown
        if watch and watch.run and watch.history.checkpoints:
            self.studio.talk_to(watch.run)
        else:
            self.studio.go("talk")

    def action_pause(self) -> None:
        """Pause with everything in memory, after saving, so that Talk can load this very step."""
        if control := self._control:
            control.save.set()
            control.pause.set()
            self.refresh_all()

    def action_go_on(self) -> None:
        """Continue training."""
        if control := self._control:
            control.pause.clear()
            self.refresh_all()

    def action_stop(self) -> None:
        """Ask whether to stop, pause or go on."""
        watch = self.studio.shown
        if watch is None or not self._control:
            return
        stop = Choice("s", "Stop and save", "goes on exactly there, any day")
        if self._asked_to_pause:
            choices, back = [stop, Choice("p", "Leave it paused")], "leave it paused"
        else:
            pause = Choice("p", "Pause here", "weights stay in memory")
            choices, back = [stop, pause, Choice("k", "Keep training")], "keep training"
        self.app.push_screen(Ask(f"Stop {watch.name}?", "", choices, back=back), self._stop_as)

    def _stop_as(self, answer: str | None) -> None:
        if not (control := self._control):
            return
        if answer == "s":
            control.stop.set()
        elif answer == "p" and not self._asked_to_pause:
            self.action_pause()
        self.refresh_all()

    def action_save(self) -> None:
        """Save a checkpoint now."""
        watch = self.studio.shown
        if watch and (control := self._control):
            control.save.set()
            self._saving = len(watch.history.checkpoints)
            self.refresh_all()

    def action_sample(self) -> None:
        """Write a sample now."""
        if control := self._control:
            control.sample.set()

    def action_resume(self) -> None:
        """Resume the run from its last checkpoint."""
        if self.studio.shown and self.studio.shown.run:
            self.studio.resume_training(self.studio.shown.run)

    @property
    def _control(self) -> Control | None:
        watch = self.studio.shown
        return watch.trainer.control if watch and watch.trainer and watch.trainer.running else None

    def action_copy_report(self) -> None:
        """Copy a report of what went wrong to the clipboard."""
        if watch := self.studio.shown:
            self.app.copy_to_clipboard(outcome.failure_report(watch))
            self.remark("The report is in the clipboard.")

    def action_back(self) -> None:
        """One step back: the view, then the outcome, then the focus."""
        if self.undo_view():
            return
        if self.has_class("-over"):
            self._closed_outcome = self.studio.shown
            self.refresh_all()
        else:
            self.set_focus(None)
