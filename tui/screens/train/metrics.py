"""The numbers of a run at its newest step or under the hair line, as a pane or, where room is short, as a line."""

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
from tinylm.runs.report import time_left
from tinylm.words import duration
from tui.live.history import History
from tui.live.loss_unit import LossUnit
from tui.live.status import BASELINES
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import NONE, bar, fixed, three_digits

SPEED_STEPS = 50
"""Steps that the shown speed is the mean of."""


@dataclass(frozen=True)
class Metrics:
    """The numbers of one step; losses are in `unit`, None where a number is not known."""

    unit: str
    step: int
    steps: int | None
    fraction: float
    timed: bool
    """The budget of the run is a time, so `steps` is an estimate."""
    loss: float | None
    held_out: float | None
    best: float | None
    best_step: int | None
    gap: float | None
    """Held-out loss minus training loss, of the same evaluation."""
    perplexity: float | None
    """Of the held-out text, per token."""
    nearest_baseline: tuple[str, float] | None
    """The baseline nearest to the held-out loss, and its loss."""
    seconds: float
    left: str | None
    """None at an earlier step."""
    speed: float | None
    steps_per_second: float | None
    epochs: float | None
    planned_epochs: float | None


def metrics_at(history: History, unit: LossUnit, at: int | None = None, running: bool = True) -> Metrics | None:
    """The numbers at step `at`, by default the newest; None before the first step."""
    state, count = history.state, len(history.step)
    if not count:
        return None
    index = count - 1 if at is None else min(max(history.step.index_after(at) - 1, 0), count - 1)
    step = int(history.step.values[index])
    evals = [e for e in state.evals if e.val_loss is not None and e.step <= (step if at is not None else math.inf)]
    best = min(evals, key=lambda e: e.val_loss or math.inf) if evals else None
    end = state.finished if at is None else None
    shown = evals[-1] if evals and not end else best  # a run that is over is known by its best checkpoint
    gap_to = unit.held_out(shown) if shown else None
    # The end evaluates the whole held-out text, other evaluations a part of it.
    whole = end if end and end.measures_selected else shown
    held_out = unit.held_out(whole) if whole else None
    train_loss = shown.train_loss if shown else None
    speeds = history.speed.values[max(0, index + 1 - SPEED_STEPS) : index + 1]
    speed = float(np.nanmean(speeds)) if np.isfinite(speeds).any() else None
    tokens = float(history.tokens.values[index])
    per_step = tokens / step if step else 0.0
    steps = state.plan.steps if state.plan else None
    train_tokens = state.data.train_tokens if state.data else 0
    seconds = state.finished.seconds if state.finished and at is None else float(history.seconds.values[index])
    loss = float(history.loss.values[index])
    return Metrics(
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
        nearest_baseline=_nearest_baseline(history, unit, held_out),
        seconds=seconds,
        left=time_left(state) if running and at is None and not state.finished else None,
        speed=speed,
        steps_per_second=speed / per_step if speed and per_step else None,
        epochs=tokens / train_tokens if train_tokens else None,
        planned_epochs=steps * per_step / train_tokens if train_tokens and steps else None,
    )


def _share(step: int, seconds: float, plan: Planned | None) -> float:
    """The share of the run done at an earlier step: of its time where that is the budget, else of its steps."""
    if plan is None:
        return 0.0
    return min(1.0, seconds / plan.seconds if plan.seconds else step / max(plan.steps, 1))


def _perplexity(loss: float | None) -> float | None:
    return math.exp(loss) if loss is not None and math.isfinite(loss) and loss < 50 else None


def _nearest_baseline(history: History, unit: LossUnit, held_out: float | None) -> tuple[str, float] | None:
    baselines = history.state.data.baselines if history.state.data else {}
    levels = [(BASELINES[name], unit.of_bits(bpb)) for name, bpb in baselines.items() if name in BASELINES]
    if held_out is None or not levels:
        return None
    return min(levels, key=lambda level: abs(level[1] - held_out))


@dataclass(frozen=True)
class AppUsage:
    """What the app itself uses."""

    memory_mb: float | None
    share: float
    """CPU time of this thread as a share of the wall time: what drawing costs."""


class UsageMeter:
    """Measures `AppUsage` between two reads."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()
        self._share = 0.0

    def read(self) -> AppUsage:
        """The usage now; the share is averaged over about ten seconds."""
        cpu, wall = time.thread_time(), time.perf_counter()
        passed = wall - self._wall
        if passed > 0.05:
            weight = min(1.0, passed / 10)
            self._share += weight * ((cpu - self._cpu) / passed - self._share)
            self._cpu, self._wall = cpu, wall
        return AppUsage(_resident_mb(), self._share)


def _resident_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):  # not Linux: the peak, where the system reports even that
        if sys.platform == "win32":
            return None
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1e6 if sys.platform == "darwin" else 1e3)


class MetricsPane(Static):
    """The numbers that fit: two columns in a pane, with remarks where it is wide, or one line."""

    def __init__(self, *, one_line: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._one_line = one_line
        self._shown: tuple[Metrics | None, AppUsage | None, Glyphs] | None = None

    def show(self, metrics: Metrics | None, usage: AppUsage | None, glyphs: Glyphs) -> None:
        """Show these; cheap where they are shown already."""
        if (metrics, usage, glyphs) != self._shown:
            self._shown = (metrics, usage, glyphs)
            self._draw()

    def on_resize(self) -> None:
        """Choose the words for the new width."""
        self._draw()

    def _draw(self) -> None:
        if self._shown is None or not self.size.width:
            return
        metrics, usage, glyphs = self._shown
        if self._one_line:
            self.update(line(metrics, glyphs), layout=False)
        else:
            self.update(pane(metrics, usage, glyphs, self.content_size.width, self.content_size.height), layout=False)


def line(metrics: Metrics | None, glyphs: Glyphs) -> Content:
    """The most important numbers in one line, the most important first."""
    if metrics is None:
        return Content.styled(" no step yet", "$foreground 60%")
    parts = [("loss", fixed(metrics.loss)), (glyphs.diamond, fixed(metrics.held_out))]
    if metrics.best_step is not None:
        parts.append(("best", f"{fixed(metrics.best)} @{metrics.best_step:,}"))
    parts.append(("step", f"{metrics.step:,}"))
    parts.append(("", f"{metrics.fraction:.0%}"))
    if metrics.left:
        parts.append(("", f"{metrics.left} left"))
    parts.append(("", f"{three_digits(metrics.speed)}/s"))
    return Content(" ").join(
        Content.assemble((f" {label} " if label else " ", "$foreground 60%"), value) for label, value in parts
    )


def pane(metrics: Metrics | None, usage: AppUsage | None, glyphs: Glyphs, width: int, height: int) -> Content:
    """A row for each number; a low pane leaves out the least important rows, a narrow one the remarks."""
    if metrics is None:
        return Content.styled("no step yet", "$foreground 60%")
    rows = _rows(metrics, usage, glyphs, width)
    while len(rows) > max(height, 1):  # drop the last row of the highest rank
        highest = max(rank for rank, _ in rows)
        del rows[max(i for i, (rank, _) in enumerate(rows) if rank == highest)]
    return Content("\n").join(content for _, content in rows)


def _rows(metrics: Metrics, usage: AppUsage | None, glyphs: Glyphs, width: int) -> list[tuple[int, Content]]:
    """Each row with its rank; rank 0 is the most important."""
    wide = width >= 34

    def row(rank: int, label: str, value: str, remark: str = "", style: str = "bold") -> tuple[int, Content]:
        if not wide:
            gap = " " * max(1, width - Content(label).cell_length - Content(value).cell_length)
            return rank, Content.assemble((label + gap, "$foreground 60%"), (value, style))
        content = Content.assemble(
            (f"{label:<12}", "$foreground 60%"), (f"{value:<9}", style), (f"  {remark}", "$foreground 60%")
        )
        return rank, content.truncate(width)

    held_out = NONE if metrics.held_out is None else f"{glyphs.diamond} {fixed(metrics.held_out)}"
    at_best = f"step {metrics.best_step:,}" if metrics.best_step is not None else ""
    choices = f"as if of {metrics.perplexity:,.0f} tokens" if metrics.perplexity else ""
    rows = [
        row(0, "loss", fixed(metrics.loss), metrics.unit),
        row(0, "held-out", held_out, _gap_words(metrics), style="bold $text-warning"),
        row(1, "best" if wide or not at_best else f"best @{metrics.best_step:,}", fixed(metrics.best), at_best),
        row(2, "gap", fixed(metrics.gap), "to the training text"),
        row(3, "perplexity", three_digits(metrics.perplexity), choices),
    ]
    if metrics.nearest_baseline and metrics.held_out is not None:
        name, value = metrics.nearest_baseline
        beaten = metrics.held_out < value
        name = name.removeprefix("letter ").removesuffix(" guess")
        if wide:
            rows.append(row(2, name, fixed(value), f"{glyphs.done} beaten" if beaten else "not beaten yet"))
        else:
            rows.append(row(2, f"{glyphs.done} below {name}" if beaten else f"above {name}", fixed(value)))
    of_steps = f"/{metrics.steps:,}" if metrics.steps else ""
    percent = f"{metrics.fraction:4.0%}"
    filled = bar(metrics.fraction, max(1, width - len(percent) - 1), glyphs)
    elapsed = duration(metrics.seconds)
    pace = f"{metrics.steps_per_second:.3g} steps/s" if metrics.steps_per_second else ""
    rows += [
        *([(5, Content(""))] if wide else []),
        row(0, "step", f"{metrics.step:,}{of_steps}", "as many as fit" if metrics.timed else ""),
        (1, Content.assemble((filled, "$primary on $panel-lighten-1"), f" {percent}")),
        *([row(0, "left", metrics.left, f"elapsed {elapsed}")] if metrics.left else []),
        *([] if wide and metrics.left else [row(5 if metrics.left else 0, "elapsed", elapsed)]),
        row(1, "tokens/s", three_digits(metrics.speed), pace),
        row(
            5, "passes", fixed(metrics.epochs), f"of {fixed(metrics.planned_epochs)}" if metrics.planned_epochs else ""
        ),
    ]
    if usage is not None:
        if usage.memory_mb:
            rows.append(row(6, "memory", f"{usage.memory_mb / 1e3:.2f} GB", "app and training"))
        rows.append(row(6, "this UI", f"{usage.share:.1%}", "of the time"))
    return rows


def _gap_words(metrics: Metrics) -> str:
    """What the gap between held-out loss and training loss means."""
    if metrics.gap is None or not metrics.held_out:
        return ""
    share = metrics.gap / metrics.held_out
    return "healthy" if share < 0.08 else "the gap grows" if share < 0.2 else "it memorises"


def as_text(metrics: Metrics) -> str:
    """The numbers as text, for the clipboard."""
    values = {
        "step": f"{metrics.step:,}" + (f" of {metrics.steps:,}" if metrics.steps else ""),
        f"loss ({metrics.unit})": fixed(metrics.loss, 4),
        f"held-out ({metrics.unit})": fixed(metrics.held_out, 4),
        "best held-out": fixed(metrics.best, 4) + (f" at step {metrics.best_step:,}" if metrics.best_step else ""),
        "gap": fixed(metrics.gap, 4),
        "perplexity": three_digits(metrics.perplexity),
        "time": duration(metrics.seconds),
        "tokens per second": f"{metrics.speed:,.0f}" if metrics.speed else NONE,
        "passes over the text": fixed(metrics.epochs),
    }
    return "\n".join(f"{name}: {value}" for name, value in values.items())
