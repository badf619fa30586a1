"""What a training looks like without the app: a live panel, plain lines or JSON; all but the summary is stderr."""

import math
import sys
import time
import unicodedata
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tinylm import events, paths
from tinylm.config.schema import RunConfig
from tinylm.events import Event
from tinylm.runs import report
from tinylm.runs.folder import RunState

PLAIN_SECONDS = 10.0
"""Between lines of progress where there is no terminal to redraw."""

CURVE_POINTS = 512
"""Numbers at most that the curve of the loss is drawn from."""

RESCUED = "The training diverged"
"""How a rescue's warning begins."""

SPARKS = "▁▂▃▄▅▆▇█"


class Json:
    """Every event as a line on stdout."""

    def preparing(self, config: RunConfig) -> None:
        """Nothing: the first line is the first event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def event(self, event: Event) -> None:
        """Print it."""
        print(events.to_json(event), flush=True)


class Losses:
    """The finite losses of a run, however long: when they are too many, each two become their mean."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._each, self._sum, self._count = 1, 0.0, 0

    def add(self, loss: float | None) -> None:
        """Take in the loss of the next step."""
        if loss is None or not math.isfinite(loss):
            return
        self._sum, self._count = self._sum + loss, self._count + 1
        if self._count < self._each:
            return
        self.means.append(self._sum / self._each)
        self._sum, self._count = 0.0, 0
        if len(self.means) == CURVE_POINTS:
            self.means = [(first + second) / 2 for first, second in zip(self.means[::2], self.means[1::2], strict=True)]
            self._each *= 2


class Plain:
    """Full sentences, each on a line of its own: for files, pipes and screen readers."""

    def __init__(self) -> None:
        self.state = RunState()
        self._said_at = 0.0

    def preparing(self, config: RunConfig) -> None:
        """Say what is about to happen: reading and measuring take a few seconds."""
        self.say(preparing(config))

    def say(self, sentence: str) -> None:
        """One line to stderr."""
        print(printable(sentence), file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def event(self, event: Event) -> None:
        """Tell what a person would want to know of it."""
        self.state.apply(event)
        match event:
            case events.RunStarted():
                self.say(opening(event))
            case events.DataPrepared():
                self.say(prepared(event))
            case events.Note():
                self.say(event.message)
            case events.Warned():
                self.say(f"{event.title}: {event.message} {event.hint}")
            case events.Rescued():
                self.say(f"{RESCUED}: {event.message}")
            case events.StepDone() if time.monotonic() - self._said_at > PLAIN_SECONDS:
                self._said_at = time.monotonic()
                self.say(progress(self.state))
            case events.Sampled():
                self.say(f"Step {event.step:,} writes:\n{(event.prompt + event.text).strip()}")
            case events.Finished():
                print(summary(self.state))


class Live:
    """A panel that redraws itself: progress, loss, held-out bits per byte, speed, time left, and the last sample."""

    def __init__(self) -> None:
        self.state = RunState()
        self._losses = Losses()
        self._console = Console(stderr=True)
        self._live = RichLive(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._draw)

    def preparing(self, config: RunConfig) -> None:
        """Say what is about to happen: reading and measuring take a few seconds."""
        self._console.print(Text(printable(preparing(config)), style="dim"))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take it in; notes and warnings stay above the panel, the summary below it."""
        self.state.apply(event)
        match event:
            case events.RunStarted():
                self._console.print(Text(printable(opening(event)), style="dim"))
            case events.DataPrepared():
                self._console.print(Text(prepared(event), style="dim"))
            case events.Note():
                self._console.print(Text(printable(event.message), style="dim"))
            case events.Warned():
                self._console.print(Text(printable(f"{event.title}: {event.message} {event.hint}"), style="yellow"))
            case events.StepDone():
                self._losses.add(event.loss)
            case events.Rescued():
                self._console.print(Text(printable(f"{RESCUED}: {event.message}"), style="yellow"))
            case events.Finished():
                self._live.stop()
                print(summary(self.state))

    def _draw(self) -> Group | Text:
        state = self.state
        if not state.steps or not state.plan:
            return Text("")
        last = state.steps[-1]
        width = min(self._console.width, 100)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=1.0, completed=state.fraction, width=max(10, width - 46)),
            f"{state.fraction:4.0%}",
            Text(f"step {last.step:,} of {state.plan.steps:,}", style="dim"),
            f"{left(state)} left",
        )
        numbers = Text.assemble(
            ("loss ", "dim"), _number(last.loss, ".3f"), (" nats/token ", "dim"),
            (spark(self._losses.means, 24), "cyan"),
            ("   held out ", "dim"), (f"{_number(state.evals[-1].val_bpb if state.evals else None, '.3f')}", "bold"),
            (" bits/byte", "dim"), f"   {last.tokens_per_second:,.0f}", (" tokens/s", "dim"),
        )  # fmt: skip
        parts: list[Table | Text | Panel] = [bar, numbers]
        if state.sample:
            text = Text(printable(state.sample.prompt + state.sample.text).strip(), overflow="fold")
            title = f"[dim]step {state.sample.step:,} writes[/dim]"
            lines = max(2, min(10, self._console.height - 8))
            wrapped = text.wrap(self._console, width - 4)[:lines]
            parts.append(
                Panel(Text("\n").join(wrapped), title=title, title_align="left", width=width, border_style="dim")
            )
        return Group(*parts)


def preparing(config: RunConfig) -> str:
    """What happens before the first event."""
    return f"Reading {', '.join(config.data.sources)} and measuring this machine …"


def opening(event: events.RunStarted) -> str:
    """A run's first sentence."""
    begun = f", going on from step {event.resumed_from:,}" if event.resumed_from else ""
    threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
    return (
        f"Run {event.run}: {event.parameters:,} parameters on {event.machine} "
        f"({threads}, {event.precision}{', compiled' if event.compiled else ''}){begun}."
    )


def prepared(event: events.DataPrepared) -> str:
    """What there is to learn from."""
    return (
        f"{event.bytes / 1e6:.2f} MB of text are {event.tokens:,} tokens out of {event.vocab_size:,} different ones; "
        f"{event.val_tokens:,} of them are held out."
    )


def progress(state: RunState) -> str:
    """Where a run is, in one sentence."""
    last = state.steps[-1]
    held_out = f"held-out {_number(state.evals[-1].val_bpb, '.3f')} bits per byte, " if state.evals else ""
    steps = state.plan.steps if state.plan else last.step
    return (
        f"Step {last.step:,} of {steps:,} ({state.fraction:.0%}), loss {_number(last.loss, '.3f')} nats per token, "
        f"{held_out}{last.tokens_per_second:,.0f} tokens per second, {left(state)} left."
    )


def summary(state: RunState) -> str:
    """What came of a run: how good, how long, where it lies, and what to do next."""
    started, finished, data = state.started, state.finished, state.data
    assert started
    assert finished
    baselines = data.baselines if data else {}
    where = paths.flag(Path(started.dir).parent.parent)  # HOME/runs/NAME
    lines = [
        f"Trained {finished.step:,} steps on {finished.tokens:,} tokens in {duration(finished.seconds)}"
        f" ({finished.tokens_per_second:,.0f} tokens per second).",
        report.verdict(finished.val_bpb, baselines),
    ]
    if state.sample:
        written = (state.sample.prompt + state.sample.text).strip()
        lines += ["", "It writes:", "", *(f"    {line}" for line in written.splitlines()), ""]
    if finished.reason == "early_stop" and finished.best_step is not None:
        lines.append(f"It ended early: nothing was better than step {finished.best_step:,}, whose checkpoint is kept.")
    if finished.reason == "stopped":
        lines.append(f"It was stopped; go on with: tinylm-studio --train --resume --run {started.run}{where}")
    lines.append(f"The run is in {started.dir}")
    lines.append(f'Talk to it: tinylm-studio --generate "" --run {started.run}{where}')
    return printable("\n".join(lines))


def left(state: RunState) -> str:
    """How long a run will still take, from its last minute's speed or from its time budget."""
    if not state.plan or not state.steps:
        return "?"
    if state.plan.seconds:
        return duration(max(0.0, state.plan.seconds - state.steps[-1].seconds))
    last = state.steps[-1]
    recent = [step for step in state.steps[-200:] if step.seconds > last.seconds - 60]
    if len(recent) < 2 or last.step <= recent[0].step:
        return "?"
    each = (last.seconds - recent[0].seconds) / (last.step - recent[0].step)
    return duration(each * (state.plan.steps - last.step))


def duration(seconds: float) -> str:
    """`1:04` or `2:03:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def spark(values: list[float], width: int) -> str:
    """A line of blocks: the means of `width` equal parts of `values`, between their lowest and highest."""
    if len(values) < 2:
        return ""
    width = min(width, len(values))
    cuts = [i * len(values) // width for i in range(width + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, span = min(means), max(means) - min(means) or 1.0
    return "".join(SPARKS[min(7, int((mean - low) / span * 8))] for mean in means)


def printable(text: str) -> str:
    """`text` without what could steer a terminal: control characters, but line ends and tabs, become U+FFFD."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs") else "\ufffd"
        for character in text
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
