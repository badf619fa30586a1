"""The box about a training that is over, failed or has not begun: what happened, and what can be done now."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs import report
from tinylm.words import counted, duration, one_line, printable
from tui.live import status
from tui.live.watch import ObservedRun
from tui.terminal.glyphs import Glyphs

TRACEBACK_LINES = 6
"""Lines of a traceback that are shown, from its end."""

NARROW = 76
"""Columns of the terminal below which more than three choices stand below each other."""


@dataclass(frozen=True)
class Outcome:
    """What the box says; `choices` are keys, what they do, and the actions behind them."""

    kind: str
    """`good`, `bad` or `plain`: the colour; the title says the same in words."""
    title: str
    text: str
    choices: tuple[tuple[str, str, str], ...]


def outcome_of(observed: ObservedRun | None, plan: RunConfig, glyphs: Glyphs) -> Outcome | None:
    """The outcome of the shown run; None while charts and sentence say it all."""
    if observed is None:
        return not_begun(plan)
    if observed.status == "failed":
        return failed(observed, glyphs)
    if observed.status == "finished":
        return finished(observed, glyphs)
    return None


def not_begun(plan: RunConfig) -> Outcome:
    """There is no training, and no run was opened."""
    model, sources = plan.model, ", ".join(plan.data.sources)
    length = f" for {plan.train.budget}" if plan.train.budget else ""
    shape = f"{counted(model.n_layer, 'layer')}, width {model.n_embd}"
    return Outcome(
        "plain",
        "Nothing is training",
        f"The plan is to learn from {sources}{length}, with {shape}.",
        (
            ("Enter", "Start it", "screen.start"),
            ("1", "Choose texts", "app.go('data')"),
            ("2", "Change it", "app.go('plan')"),
            ("5", "Open a run", "app.go('runs')"),
        ),
    )


def finished(observed: ObservedRun, glyphs: Glyphs) -> Outcome:
    """The run came to its end."""
    end, state = observed.history.state.finished, observed.history.state
    assert end
    ended = "stopped early" if end.reason == "early_stop" else "done"
    title = f"{glyphs.done} {observed.name}: {ended} in {duration(end.seconds)}"
    verdict = report.verdict(end.selected_bpb, state.data.baselines if state.data else {})
    text = f"{verdict} {report.selection(end)}".rstrip()
    choices = (
        ("Enter", "Talk to it", "screen.enter_talk"),
        ("2", "Plan another", "app.go('plan')"),
        ("5", "Compare runs", "app.go('runs')"),
    )
    return Outcome("good", title, text, choices)


def failed(observed: ObservedRun, glyphs: Glyphs) -> Outcome:
    """The run failed, or could not start."""
    event, error = observed.history.state.failed, observed.error
    if isinstance(error, TinyLMError):
        title, text = error.title, f"{error.message}\n{error.hint}"
    elif error is not None:
        title, text = "This is our fault", f"{type(error).__name__}: {error}\n{_last_lines(error)}"
    elif event is not None:
        title, text = event.title, f"{event.message}\n{event.hint}"
    else:
        title, text = "It failed", ""
    saved = observed.history.state.checkpoint
    choices: list[tuple[str, str, str]] = []
    if observed.run is None:
        choices.append(("Enter", "Change the plan", "screen.to_plan"))
    else:
        choices.append(("r", f"Go on from step {saved.step:,}" if saved else "Start it over", "screen.resume"))
    choices.append(("y", "Copy a report", "screen.copy_report"))
    return Outcome("bad", f"{glyphs.failed} {title}", text, tuple(choices))


def failure_report(observed: ObservedRun) -> str:
    """Everything needed to find out what went wrong."""
    state, error = observed.history.state, observed.error
    lines = [f"Run {observed.name}: {observed.status}.", status.sentence(observed)]
    if state.started:
        started = state.started
        lines.append(
            f"tinylm {started.version}, torch {started.torch}, {started.machine}, {started.device}, {started.precision}"
        )
    if state.failed:
        lines.append(f"{state.failed.title}: {state.failed.message} {state.failed.hint}")
    if error is not None:
        lines.append("".join(traceback.format_exception(error)))
    return "\n".join(lines)


def _last_lines(error: BaseException) -> str:
    lines = "".join(traceback.format_tb(error.__traceback__)).splitlines()
    return "\n".join(lines[-TRACEBACK_LINES:])


class OutcomeBox(Static):
    """Shows an `Outcome`; each choice is a key, and a link for the mouse."""

    DEFAULT_CSS = """
    OutcomeBox { height: auto; max-height: 12; display: none; padding: 0 1; border: round $accent; }
    OutcomeBox.-shown { display: block; }
    OutcomeBox.-good { border: round $success; border-title-color: $text-success; }
    OutcomeBox.-bad { border: round $error; border-title-color: $text-error; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._shown: tuple[Outcome | None, bool] = (None, False)

    def show(self, outcome: Outcome | None) -> None:
        """Show the outcome, or hide the box."""
        narrow = self.app.size.width < NARROW
        if (outcome, narrow) == self._shown:
            return
        self._shown = (outcome, narrow)
        self.set_class(outcome is not None, "-shown")
        for kind in ("good", "bad", "plain"):
            self.set_class(outcome is not None and outcome.kind == kind, f"-{kind}")
        if outcome is None:
            return
        self.border_title = Content(one_line(outcome.title))
        links = [
            Content.from_markup(f"[@click={action}][b]$key[/b] $what[/]", key=key, what=what)
            for key, what, action in outcome.choices
        ]
        self.update(
            Content(printable(outcome.text).strip() + "\n\n")
            + Content("\n" if narrow and len(links) > 3 else "    ").join(links)
        )
