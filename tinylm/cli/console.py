"""Shows a training without the app: as a live panel, plain sentences or JSON.

Events as JSON and the closing summary go to stdout, everything else to stderr.
"""

import math
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext, suppress
from itertools import pairwise
from typing import Any

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.events import Event
from tinylm.runs.report import held_out_so_far, preparing, progress, sentence, summary, time_left
from tinylm.runs.state import RunState
from tinylm.words import duration_with_units, number, printable

PLAIN_SECONDS = 10.0
"""Between two lines of progress, and the longest silence."""

CURVE_POINTS = 512
"""The most numbers that the loss curve is drawn from."""

SPARKS = "▁▂▃▄▅▆▇█"


class Json(nullcontext[None]):
    """Prints every event as a line of JSON on stdout."""

    def preparing(self, config: RunConfig) -> None:
        """Print nothing: the first line is the first event."""

    def event(self, event: Event) -> None:
        """Print the event."""
        print(events.to_json(event), flush=True)


class Losses:
    """The finite losses of a run of any length: once there are too many, neighbours are replaced by their means."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._steps_per_mean, self._sum, self._count = 1, 0.0, 0

    def add(self, loss: float | None) -> None:
        """Add the loss of the next step."""
        if loss is None or not math.isfinite(loss):
            return
        self._sum, self._count = self._sum + loss, self._count + 1
        if self._count < self._steps_per_mean:
            return
        self.means.append(self._sum / self._steps_per_mean)
        self._sum, self._count = 0.0, 0
        if len(self.means) == CURVE_POINTS:
            self.means = [(first + second) / 2 for first, second in zip(self.means[::2], self.means[1::2], strict=True)]
            self._steps_per_mean *= 2


class Plain:
    """Prints full sentences, one a line: for files, pipes and screen readers."""

    def __init__(self) -> None:
        self.state = RunState()
        self._last_progress = 0.0
        self._began = self._last_line = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> None:
        threading.Thread(target=self._break_silence, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def _break_silence(self) -> None:
        """Say that it is still at work wherever nothing has happened for long: large texts, slow steps, the end."""
        while not self._over.wait(self._last_line + PLAIN_SECONDS - time.monotonic()):
            if time.monotonic() - self._last_line >= PLAIN_SECONDS:
                passed = duration_with_units(time.monotonic() - self._began)
                doing = f"at step {self.state.steps[-1].step:,}" if self.state.steps else "reading and measuring"
                with suppress(OSError):  # whoever prints the next event finds that out
                    self.say(f"Still {doing} after {passed}.")

    def preparing(self, config: RunConfig) -> None:
        """Print what comes first: reading and measuring take a few seconds."""
        self.say(preparing(config))

    def say(self, text: str) -> None:
        """Print a line to stderr."""
        self._last_line = time.monotonic()
        print(f"{printable(text)}\n", end="", file=sys.stderr, flush=True)  # at once: two threads print

    def event(self, event: Event) -> None:
        """Print what a person wants to know of the event."""
        self.state.apply(event)
        if text := sentence(event):
            self.say(text)
        match event:
            case events.StepDone() if time.monotonic() - self._last_progress > PLAIN_SECONDS:
                self._last_progress = time.monotonic()
                self.say(progress(self.state))
            case events.Sampled():
                self.say(f"Step {event.step:,} writes:\n{(event.prompt + event.text).strip()}")
            case events.Finished():
                print(summary(self.state))


class Live(Plain):
    """A live panel with progress, loss, held-out bits per byte, speed, time left and the last sample.

    Ctrl-Z gives the terminal back as it was, and `fg` draws the panel anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self._losses = Losses()
        self._console = Console(stderr=True)
        self._live = self._new_panel()
        self._suspension = threading.Thread()
        self._handlers: dict[int, Any] = {}
        """The handlers of signals before ours."""

    def _new_panel(self) -> RichLive:
        return RichLive(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._draw)

    def say(self, text: str, style: str = "dim") -> None:
        """Print a line to stderr, above the panel."""
        self._console.print(Text(printable(text), style=style))

    def __enter__(self) -> None:
        if hasattr(signal, "SIGTSTP"):  # not on Windows
            handlers = {signal.SIGTSTP: self._on_stop, signal.SIGCONT: self._on_continue, signal.SIGQUIT: self._on_quit}
            self._handlers = {which: signal.signal(which, handler) for which, handler in handlers.items()}
        self._live.start()

    def __exit__(self, *error: object) -> None:
        for which, handler in self._handlers.items():
            signal.signal(which, handler)
        if self._suspension.is_alive():
            self._suspension.join()
        self._live.stop()

    def _on_stop(self, *_: object) -> None:
        """Suspend in a thread, since this handler may have interrupted a drawing of the panel."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._suspension = threading.Thread(target=self._suspend)
        self._suspension.start()

    def _suspend(self) -> None:
        self._live.stop()
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)  # stops the whole process, and right here
        self._live = self._new_panel()
        self._live.start()

    def _on_continue(self, *_: object) -> None:
        signal.signal(signal.SIGTSTP, self._on_stop)

    def _on_quit(self, *_: object) -> None:
        """Ctrl-\\ ends the program at once, as ever, but not with a hidden cursor."""
        show_cursor()
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGQUIT)

    def event(self, event: Event) -> None:
        """Update the panel; notes and warnings are printed above it, and the summary after it."""
        self.state.apply(event)
        if text := sentence(event):
            self.say(text, "yellow" if isinstance(event, events.Warned | events.Rescued) else "dim")
        match event:
            case events.StepDone():
                self._losses.add(event.loss)
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
            f"{time_left(state)} left",
        )
        numbers = Text.assemble(
            ("loss ", "dim"), number(last.loss, ".3f"), (" nats/token ", "dim"),
            (spark(self._losses.means, 24), "cyan"),
            ("   held out ", "dim"), (held_out_so_far(state, " bits/byte") if state.evals else "–", "bold"),
            f"   {last.tokens_per_second:,.0f}", (" tokens/s", "dim"),
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


def show_cursor() -> None:
    """Show the cursor below the panel, before the process ends without closing the panel."""
    if os.isatty(2):
        with suppress(OSError):  # the terminal may be gone
            os.write(2, b"\x1b[?25h\n")


def spark(values: list[float], width: int) -> str:
    """A sparkline: the means of `width` equal parts of `values`, scaled from the lowest to the highest."""
    if len(values) < 2:
        return ""
    width = min(width, len(values))
    cuts = [i * len(values) // width for i in range(width + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, span = min(means), max(means) - min(means) or 1.0
    return "".join(SPARKS[min(7, int((mean - low) / span * 8))] for mean in means)
