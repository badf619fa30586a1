"""The box for a training that is over, went wrong or never was: what is the matter, and what can be done now."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs import report as card
from tinylm.words import duration, printable
from tui.live import status
from tui.live.watch import ObservedRun
from tui.terminal.glyphs import Glyphs

TRACEBACK_LINES = 6
"""The last lines of a traceback are those that say something."""

NARROW = 76
"""Columns of a terminal below which many ways on stand below each other."""


@dataclass(frozen=True)
class Box:
    """What the box says; `ways` are keys, what they do, and the screen's action behind them."""

    kind: str
    """`good`, `bad` or `plain`: its colour, beside a word in its title."""
    title: str
    text: str
    ways: tuple[tuple[str, str, str], ...]


def box(watch: ObservedRun | None, draft: RunConfig, glyphs: Glyphs) -> Box | None:
    """What is to be said about a watch; None while charts and sentence say it all."""
    if watch is None:
        return nothing(draft)
    if watch.status == "failed":
        return failure(watch, glyphs)
    if watch.status == "finished":
        return ending(watch, glyphs)
    return None


def nothing(draft: RunConfig) -> Box:
    """No training, and none was opened."""
    model, sources = draft.model, ", ".join(draft.data.sources)
    length = f" for {draft.train.budget}" if draft.train.budget else ""
    shape = f"{model.n_layer} layers, width {model.n_embd}"
    return Box(
        "plain",
        "Nothing is training",
        f"The plan is to learn from {sources}{length}, with {shape}.",
        (
            ("Enter", "Start it", "start"),
            ("1", "Choose texts", "data"),
            ("2", "Change it", "plan"),
            ("5", "Open a run", "runs"),
        ),
    )


def ending(watch: ObservedRun, glyphs: Glyphs) -> Box:
    """A run that came to its end."""
    end, state = watch.history.state.finished, watch.history.state
    assert end
    early = end.reason == "early_stop"
    title = f"{glyphs.done} {watch.name}: {'stopped early' if early else 'done'} in {duration(end.seconds)}"
    text = card.verdict(end.val_bpb, state.data.baselines if state.data else {})
    if early and end.best_step:
        text = f"Nothing got better after step {end.best_step:,}, which is kept. {text}"
    ways = (("Enter", "Talk to it", "enter_talk"), ("2", "Plan another", "plan"), ("5", "Compare runs", "runs"))
    return Box("good", title, text, ways)


def failure(watch: ObservedRun, glyphs: Glyphs) -> Box:
    """A run that failed, or one that never began."""
    told, error = watch.history.state.failed, watch.error
    if isinstance(error, TinyLMError):
        title, text = error.title, f"{error.message}\n{error.hint}"
    elif error is not None:
        title, text = "This is our fault", f"{type(error).__name__}: {error}\n{_last_lines(error)}"
    elif told is not None:
        title, text = told.title, f"{told.message}\n{told.hint}"
    else:
        title, text = "It failed", ""
    saved = watch.history.state.checkpoint
    ways: list[tuple[str, str, str]] = []
    if watch.run is None:
        ways.append(("Enter", "Change the plan", "plan"))
    else:
        ways.append(("r", f"Go on from step {saved.step:,}" if saved else "Start it over", "resume"))
    ways.append(("y", "Copy a report", "copy_report"))
    return Box("bad", f"{glyphs.failed} {title}", text, tuple(ways))


def report(watch: ObservedRun) -> str:
    """Everything that somebody who is to help would want to know."""
    state, error = watch.history.state, watch.error
    told = [f"Run {watch.name}: {watch.status}.", status.of(watch)]
    if state.started:
        begun = state.started
        told.append(f"tinylm {begun.version}, torch {begun.torch}, {begun.machine}, {begun.device}, {begun.precision}")
    if state.failed:
        told.append(f"{state.failed.title}: {state.failed.message} {state.failed.hint}")
    if error is not None:
        told.append("".join(traceback.format_exception(error)))
    return "\n".join(told)


def _last_lines(error: BaseException) -> str:
    lines = "".join(traceback.format_tb(error.__traceback__)).splitlines()
    return "\n".join(lines[-TRACEBACK_LINES:])


class Ending(Static):
    """Shows a `Box`; each way on is a key, and a link for the mouse."""

    DEFAULT_CSS = """
    Ending { height: auto; max-height: 12; display: none; padding: 0 1; border: round $accent; }
    Ending.-shown { display: block; }
    Ending.-good { border: round $success; border-title-color: $text-success; }
    Ending.-bad { border: round $error; border-title-color: $text-error; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._shown: tuple[Box | None, bool] = (None, False)

    def show(self, box: Box | None) -> None:
        """Show it, or nothing."""
        narrow = self.app.size.width < NARROW
        if (box, narrow) == self._shown:
            return
        self._shown = (box, narrow)
        self.set_class(box is not None, "-shown")
        for kind in ("good", "bad", "plain"):
            self.set_class(box is not None and box.kind == kind, f"-{kind}")
        if box is None:
            return
        self.border_title = Content(printable(box.title))
        links = [
            Content.from_markup(f"[@click=screen.{action}][b]$key[/b] $what[/]", key=key, what=what)
            for key, what, action in box.ways
        ]
        self.update(
            Content(printable(box.text).strip() + "\n\n")
            + Content("\n" if narrow and len(links) > 3 else "    ").join(links)
        )
