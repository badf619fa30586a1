"""The log of a run: notes, warnings, evaluations, checkpoints, rollbacks and the end, one line for each."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tinylm import events
from tinylm.events import Event
from tinylm.runs import report
from tinylm.words import counted, duration, printable
from tui.terminal.glyphs import Glyphs

MOST_EVENTS = 200
"""Events that are shown; a run over night has thousands, all of them in its events.jsonl."""

TIME_WIDTH = 9
"""Cells before the text of a line, for the run's time."""


class EventLog(VerticalScroll):
    """The newest lines at the bottom, the one at the hair line marked."""

    DEFAULT_CSS = """
    EventLog { height: 100%; scrollbar-size-vertical: 1; }
    EventLog > Static { height: auto; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: tuple[object, ...] | None = None
        self._marked: int | None = None
        """The line at the hair line."""

    def compose(self) -> ComposeResult:
        """One text, since a widget for each line would be slow."""
        yield Static(markup=False)

    def show(self, log: Sequence[tuple[float, Event]], at: float | None, glyphs: Glyphs) -> None:
        """Show the log, marked at `at` seconds of the run; cheap where nothing is new."""
        width = self.content_size.width - 1  # the scroll bar's
        key = (len(log), log[-1][1] if log else None, at, glyphs, width)
        if width < 1 or (key == self._shown and self._shown is not None and key[1] is self._shown[1]):
            return
        self._shown = key
        self.border_title = "log"
        lines, marked = log_lines(log, at, glyphs, width)
        nothing = [Content.styled("nothing yet", "$foreground 60%")]
        self.query_one(Static).update(Content("\n").join(lines or nothing))
        self._marked = marked
        self._scroll()

    def on_mount(self) -> None:
        """Scroll once the lines are laid out, which is later than the update."""
        self.watch(self, "virtual_size", self._scroll)

    def _scroll(self) -> None:
        """Scroll to the marked line, or to the newest."""
        if self._marked is None:
            self.scroll_end(animate=False)
        else:
            self.scroll_to(y=max(0, self._marked - 1), animate=False)


def log_lines(
    log: Sequence[tuple[float, Event]], at: float | None, glyphs: Glyphs, width: int
) -> tuple[list[Content], int | None]:
    """The lines of a log, and the number of the first line of the event that was the newest at `at` seconds."""
    late = log[-MOST_EVENTS:]
    entries = [
        (seconds, event, text)
        for number, (seconds, event) in enumerate(late)
        if (text := event_text(event, glyphs)) and not _planned_again(late, number)
    ]
    here = max((i for i, (seconds, *_) in enumerate(entries) if at is not None and seconds <= at), default=None)
    lines: list[Content] = []
    marked = None
    for number, (seconds, event, text) in enumerate(entries):
        loud = isinstance(event, events.Warned | events.Rescued)
        style = "$text-error" if isinstance(event, events.Failed) else "$text-warning" if loud else ""
        clock = f"{duration(seconds):>{TIME_WIDTH - 2}}"
        if number == here:
            marked = len(lines)
        for part in Content.styled(printable(text), style).wrap(max(width - TIME_WIDTH, 10)):
            lines.append(Content.assemble((clock, "bold reverse" if number == here else "$foreground 60%"), "  ", part))
            clock = " " * (TIME_WIDTH - 2)
    return lines, marked


def _planned_again(log: Sequence[tuple[float, Event]], number: int) -> bool:
    """Whether the very next event replaces this plan: a time budget is planned again as the speed gets known."""
    after = log[number + 1][1] if number + 1 < len(log) else None
    return isinstance(log[number][1], events.Planned) and isinstance(after, events.Planned)


def event_text(event: Event, glyphs: Glyphs) -> str:
    """An event in words; "" where the log leaves it out."""
    match event:
        case events.Warned():
            return f"{glyphs.warning} {report.sentence(event)}"
        case events.Planned():
            return f"Planned: {counted(event.steps, 'step')}" + (
                f" in {duration(event.seconds)}." if event.seconds else "."
            )
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
            bpb, selected = event.selected_bpb, event.selected_step
            result = report.verdict(None, {}) if bpb is None else f"{bpb:.3f} bits per byte."
            at = f"best at step {selected:,}, " if selected != event.step else ""
            return f"{glyphs.done} Ended at step {event.step:,} ({event.reason.replace('_', ' ')}): {at}{result}"
        case events.Failed():
            return f"{glyphs.failed} {event.title}: {event.message} {event.hint}"
    return report.sentence(event) or ""
