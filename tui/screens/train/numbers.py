"""A run's numbers at its newest step, or at the one under the hair line: a pane, or a line where there is no room."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from textual.content import Content
from textual.widgets import Static

from tinylm.events import Planned
from tinylm.runs.report import left
from tinylm.words import duration
from tui.live.history import History
from tui.live.loss_unit import LossUnit
from tui.live.status import BASELINES
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import NONE, bar, fixed, three_digits

SPEED_STEPS = 50
"""Steps over which the speed is averaged."""


@dataclass(frozen=True)
class Figures:
    """Numbers of one step; losses are in the scale's unit, None is what is not known."""

    unit: str
    step: int
    steps: int | None
    fraction: float
    timed: bool
    """A time ends it: of the steps there will be as many as fit."""
    loss: float | None
    held_out: float | None
    best: float | None
    best_step: int | None
    gap: float | None
    """Held-out loss less the loss on training text, of the same evaluation."""
    perplexity: float | None
    """Of the held-out text, per token."""
    nearest: tuple[str, float] | None
    """The simpler means that is nearest to the held-out loss, and its own."""
    seconds: float
    left: str | None
    """None at a step that is past."""
    speed: float | None
    steps_per_second: float | None
    passes: float | None
    all_passes: float | None


def figures(history: History, unit: LossUnit, at: int | None = None, going: bool = True) -> Figures | None:
    """The numbers at step `at`, by default the newest; None before the first step. `going`: there is time left."""
    state, count = history.state, len(history.step)
    if not count:
        return None
    index = count - 1 if at is None else min(max(history.step.index_after(at) - 1, 0), count - 1)
    step = int(history.step.values[index])
    evals = [e for e in state.evals if e.val_loss is not None and e.step <= (step if at is not None else math.inf)]
    last = evals[-1] if evals else None
    gap_to = unit.held_out(last) if last else None
    # At the end all of the text is read, where an evaluation looks at a part.
    whole = state.finished if at is None and state.finished and state.finished.val_loss is not None else last
    held_out = unit.held_out(whole) if whole else None
    best = min(evals, key=lambda e: e.val_loss or math.inf) if evals else None
    train_loss = last.train_loss if last else None
    speeds = history.speed.values[max(0, index + 1 - SPEED_STEPS) : index + 1]
    speed = float(np.nanmean(speeds)) if np.isfinite(speeds).any() else None
    tokens = float(history.tokens.values[index])
    per_step = tokens / step if step else 0.0
    steps = state.plan.steps if state.plan else None
    train_tokens = state.data.train_tokens if state.data else 0
    seconds = state.finished.seconds if state.finished and at is None else float(history.seconds.values[index])
    loss = float(history.loss.values[index])
    return Figures(
        unit=unit.name,
        step=step,
        steps=steps,
        fraction=state.fraction if at is None else _share(step, seconds, state.plan),
        timed=bool(state.plan and state.plan.seconds),
        loss=unit.of(loss) if math.isfinite(loss) else None,
        held_out=held_out,
        best=unit.held_out(best) if best else None,
        best_step=best.step if best else None,
        gap=gap_to - unit.of(train_loss) if gap_to is not None and train_loss is not None else None,
        perplexity=_perplexity(whole.val_loss if whole else None),
        nearest=_nearest(history, unit, held_out),
        seconds=seconds,
        left=left(state) if going and at is None and not state.finished else None,
        speed=speed,
        steps_per_second=speed / per_step if speed and per_step else None,
        passes=tokens / train_tokens if train_tokens else None,
        all_passes=steps * per_step / train_tokens if train_tokens and steps else None,
    )


def _share(step: int, seconds: float, plan: Planned | None) -> float:
    """How much of the run was over at a step that is past: of its time where a time ends it, else of its steps."""
    if plan is None:
        return 0.0
    return min(1.0, seconds / plan.seconds if plan.seconds else step / max(plan.steps, 1))


def _perplexity(loss: float | None) -> float | None:
    return math.exp(loss) if loss is not None and math.isfinite(loss) and loss < 50 else None


def _nearest(history: History, unit: LossUnit, held_out: float | None) -> tuple[str, float] | None:
    baselines = history.state.data.baselines if history.state.data else {}
    levels = [(BASELINES[name], unit.of_bits(bpb)) for name, bpb in baselines.items() if name in BASELINES]
    if held_out is None or not levels:
        return None
    return min(levels, key=lambda level: abs(level[1] - held_out))


@dataclass(frozen=True)
class Usage:
    """What the app itself takes."""

    memory_mb: float | None
    share: float
    """Of the wall time, in this thread: the price of looking."""


class Meter:
    """Measures `Usage` between two looks."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()
        self._share = 0.0

    def read(self) -> Usage:
        """Now; the share is a mean over some ten seconds."""
        cpu, wall = time.thread_time(), time.perf_counter()
        passed = wall - self._wall
        if passed > 0.05:
            weight = min(1.0, passed / 10)
            self._share += weight * ((cpu - self._cpu) / passed - self._share)
            self._cpu, self._wall = cpu, wall
        return Usage(_resident_mb(), self._share)


def _resident_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):  # not Linux: the most that it ever was, where the system tells even that
        if sys.platform == "win32":
            return None
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1e6 if sys.platform == "darwin" else 1e3)


class Numbers(Static):
    """The numbers, as many as fit: two columns in a pane, with a remark where it is wide, or one line."""

    DEFAULT_CSS = """
    Numbers { height: 100%; }
    """

    def __init__(self, *, one_line: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._one_line = one_line
        self._shown: tuple[Figures | None, Usage | None, Glyphs] | None = None

    def show(self, figures: Figures | None, usage: Usage | None, glyphs: Glyphs) -> None:
        """Show these; cheap where they are those that are shown."""
        if (figures, usage, glyphs) != self._shown:
            self._shown = (figures, usage, glyphs)
            self._draw()

    def on_resize(self) -> None:
        """Another width takes other words."""
        self._draw()

    def _draw(self) -> None:
        if self._shown is None or not self.size.width:
            return
        figures, usage, glyphs = self._shown
        if self._one_line:
            self.update(line(figures, glyphs), layout=False)
        else:
            self.update(pane(figures, usage, glyphs, self.content_size.width, self.content_size.height), layout=False)


def line(figures: Figures | None, glyphs: Glyphs) -> Content:
    """The most important of them, the most important first."""
    if figures is None:
        return Content.styled(" no step yet", "$foreground 60%")
    parts = [("loss", fixed(figures.loss)), (glyphs.diamond, fixed(figures.held_out))]
    if figures.best_step is not None:
        parts.append(("best", f"{fixed(figures.best)} @{figures.best_step:,}"))
    parts.append(("step", f"{figures.step:,}"))
    parts.append(("", f"{figures.fraction:.0%}"))
    if figures.left:
        parts.append(("", f"{figures.left} left"))
    parts.append(("", f"{three_digits(figures.speed)}/s"))
    told = [Content.assemble((f" {label} " if label else " ", "$foreground 60%"), value) for label, value in parts]
    return Content(" ").join(told)


def pane(figures: Figures | None, usage: Usage | None, glyphs: Glyphs, width: int, height: int) -> Content:
    """A row a number; the least important are left out where the pane is low, remarks where it is narrow."""
    if figures is None:
        return Content.styled("no step yet", "$foreground 60%")
    rows = _rows(figures, usage, glyphs, width)
    while len(rows) > max(height, 1):  # the last of the highest rank goes
        highest = max(rank for rank, _ in rows)
        del rows[max(i for i, (rank, _) in enumerate(rows) if rank == highest)]
    return Content("\n").join(content for _, content in rows)


def _rows(figures: Figures, usage: Usage | None, glyphs: Glyphs, width: int) -> list[tuple[int, Content]]:
    """Each number with its rank: 0 is shown before all others."""
    wide = width >= 34

    def row(rank: int, label: str, value: str, remark: str = "", style: str = "bold") -> tuple[int, Content]:
        if not wide:
            gap = " " * max(1, width - Content(label).cell_length - Content(value).cell_length)
            return rank, Content.assemble((label + gap, "$foreground 60%"), (value, style))
        told = Content.assemble(
            (f"{label:<12}", "$foreground 60%"), (f"{value:<9}", style), (f"  {remark}", "$foreground 60%")
        )
        return rank, told.truncate(width)

    held_out = NONE if figures.held_out is None else f"{glyphs.diamond} {fixed(figures.held_out)}"
    at_best = f"step {figures.best_step:,}" if figures.best_step is not None else ""
    choices = f"as if of {figures.perplexity:,.0f} tokens" if figures.perplexity else ""
    rows = [
        row(0, "loss", fixed(figures.loss), figures.unit),
        row(0, "held-out", held_out, _gap_words(figures), style="bold $text-warning"),
        row(1, "best" if wide or not at_best else f"best @{figures.best_step:,}", fixed(figures.best), at_best),
        row(2, "gap", fixed(figures.gap), "to the training text"),
        row(3, "perplexity", three_digits(figures.perplexity), choices),
    ]
    if figures.nearest and figures.held_out is not None:
        name, value = figures.nearest
        beaten = figures.held_out < value
        name = name.removeprefix("letter ").removesuffix(" guess")
        if wide:
            rows.append(row(2, name, fixed(value), f"{glyphs.done} beaten" if beaten else "not beaten yet"))
        else:
            rows.append(row(2, f"{glyphs.done} below {name}" if beaten else f"above {name}", fixed(value)))
    of_steps = f"/{figures.steps:,}" if figures.steps else ""
    percent = f"{figures.fraction:4.0%}"
    filled = bar(figures.fraction, max(1, width - len(percent) - 1), glyphs)
    elapsed = duration(figures.seconds)
    pace = f"{figures.steps_per_second:.3g} steps/s" if figures.steps_per_second else ""
    rows += [
        *([(5, Content(""))] if wide else []),
        row(0, "step", f"{figures.step:,}{of_steps}", "as many as fit" if figures.timed else ""),
        (1, Content.assemble((filled, "$primary on $panel-lighten-1"), f" {percent}")),
        *([row(0, "left", figures.left, f"elapsed {elapsed}")] if figures.left else []),
        *([] if wide and figures.left else [row(5 if figures.left else 0, "elapsed", elapsed)]),
        row(1, "tokens/s", three_digits(figures.speed), pace),
        row(5, "passes", fixed(figures.passes), f"of {fixed(figures.all_passes)}" if figures.all_passes else ""),
    ]
    if usage is not None:
        if usage.memory_mb:
            rows.append(row(6, "memory", f"{usage.memory_mb / 1e3:.2f} GB", "app and training"))
        rows.append(row(6, "this UI", f"{usage.share:.1%}", "of the time"))
    return rows


def _gap_words(figures: Figures) -> str:
    """What the distance between held-out text and training text says."""
    if figures.gap is None or not figures.held_out:
        return ""
    share = figures.gap / figures.held_out
    return "healthy" if share < 0.08 else "the gap grows" if share < 0.2 else "it memorises"


def copied(figures: Figures) -> str:
    """The numbers as text, for the clipboard."""
    told = {
        "step": f"{figures.step:,}" + (f" of {figures.steps:,}" if figures.steps else ""),
        f"loss ({figures.unit})": fixed(figures.loss, 4),
        f"held-out ({figures.unit})": fixed(figures.held_out, 4),
        "best held-out": fixed(figures.best, 4) + (f" at step {figures.best_step:,}" if figures.best_step else ""),
        "gap": fixed(figures.gap, 4),
        "perplexity": three_digits(figures.perplexity),
        "time": duration(figures.seconds),
        "tokens per second": f"{figures.speed:,.0f}" if figures.speed else NONE,
        "passes over the text": fixed(figures.passes),
    }
    return "\n".join(f"{name}: {value}" for name, value in told.items())
