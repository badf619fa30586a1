"""What happened in a run that is worth a line: notes, warnings, evaluations, checkpoints, rescues, its end."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tinylm import events
from tinylm.events import Event
from tinylm.runs import report
from tinylm.runs.report import opening, prepared
from tinylm.words import duration, printable
from tui.terminal.glyphs import Glyphs

MOST_EVENTS = 200
"""Events that are shown: a night's run writes thousands, and all of them are in its events.jsonl."""

TIME_WIDTH = 9


class RunLog(VerticalScroll):
    """The newest lines at the foot; the one at the hair line is marked."""

    DEFAULT_CSS = """
    RunLog { height: 100%; scrollbar-size-vertical: 1; }
    RunLog > Static { height: auto; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: tuple[object, ...] | None = None
        self._marked: int | None = None
        """The line at the hair line."""

    def compose(self) -> ComposeResult:
        """One text: a widget a line would cost more than it shows."""
        yield Static(markup=False)

    def show(self, log: Sequence[tuple[float, Event]], at: float | None, glyphs: Glyphs) -> None:
        """Show the log, marked at `at` of the run's seconds; cheap where nothing is new."""
        width = self.content_size.width - 1  # the scroll bar's
        key = (len(log), log[-1][1] if log else None, at, glyphs, width)
        if width < 1 or (key == self._shown and self._shown is not None and key[1] is self._shown[1]):
            return
        self._shown = key
        self.border_title = "log"
        lines, marked = told(log, at, glyphs, width)
        nothing = [Content.styled("nothing yet", "$foreground 60%")]
        self.query_one(Static).update(Content("\n").join(lines or nothing))
        self._marked = marked
        self._stay()

    def on_mount(self) -> None:
        """Lines are laid out later than they are told: only then is there a place to go to."""
        self.watch(self, "virtual_size", self._stay)

    def _stay(self) -> None:
        """At the newest line, or at the marked one."""
        if self._marked is None:
            self.scroll_end(animate=False)
        else:
            self.scroll_to(y=max(0, self._marked - 1), animate=False)


def told(
    log: Sequence[tuple[float, Event]], at: float | None, glyphs: Glyphs, width: int
) -> tuple[list[Content], int | None]:
    """The lines of a log, and which of them is the first of the newest event at `at` seconds, where that is given."""
    late = log[-MOST_EVENTS:]
    entries = [
        (seconds, event, text)
        for number, (seconds, event) in enumerate(late)
        if (text := words(event, glyphs)) and not _planned_again(late, number)
    ]
    here = max((i for i, (seconds, *_) in enumerate(entries) if at is not None and seconds <= at), default=None)
    lines: list[Content] = []
    marked = None
    for number, (seconds, event, text) in enumerate(entries):
        style = "$text-error" if isinstance(event, events.Failed) else "$text-warning" if _is_loud(event) else ""
        clock = f"{duration(seconds):>{TIME_WIDTH - 2}}"
        if number == here:
            marked = len(lines)
        for part in Content.styled(printable(text), style).wrap(max(width - TIME_WIDTH, 10)):
            lines.append(Content.assemble((clock, "bold reverse" if number == here else "$foreground 60%"), "  ", part))
            clock = " " * (TIME_WIDTH - 2)
    return lines, marked


def _planned_again(log: Sequence[tuple[float, Event]], number: int) -> bool:
    """A plan that the very next event replaces: a time budget is planned again and again as its speed gets known."""
    after = log[number + 1][1] if number + 1 < len(log) else None
    return isinstance(log[number][1], events.Planned) and isinstance(after, events.Planned)


def _is_loud(event: Event) -> bool:
    return isinstance(event, events.Warned | events.Rescued)


def words(event: Event, glyphs: Glyphs) -> str:
    """An event as a line; "" where it is none."""
    match event:
        case events.RunStarted():
            return opening(event)
        case events.DataPrepared():
            return prepared(event)
        case events.Note():
            return event.message
        case events.Warned():
            return f"{glyphs.warning} {event.title}: {event.message} {event.hint}"
        case events.Planned():
            return f"Planned: {event.steps:,} steps" + (f" in {duration(event.seconds)}." if event.seconds else ".")
        case events.EvalDone(val_bpb=None):
            return f"Checked at step {event.step:,}: nothing is held out."
        case events.EvalDone():
            best = ", the best so far" if event.best else ""
            of = " (averaged)" if event.averaged else ""
            return f"{glyphs.diamond} step {event.step:,}: held-out {event.val_bpb:.3f} bits per byte{of}{best}"
        case events.CheckpointSaved():
            return f"Saved step {event.step:,}{' (the best)' if event.best else ''}."
        case events.Paused():
            return f"{'Paused' if event.paused else 'Went on'} at step {event.step:,}."
        case events.Rescued():
            return f"{glyphs.warning} {event.message}"
        case events.Finished():
            best = report.verdict(event.val_bpb, {}) if event.val_bpb is None else f"{event.val_bpb:.3f} bits per byte."
            return f"{glyphs.done} Ended at step {event.step:,} ({event.reason.replace('_', ' ')}): {best}"
        case events.Failed():
            return f"{glyphs.failed} {event.title}: {event.message} {event.hint}"
    return ""
