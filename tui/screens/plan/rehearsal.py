"""The pane with the results of a rehearsal: speed, memory, length, disk, and the learning-rate schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError, TinyLMError
from tinylm.planning import schedule, sizing
from tinylm.words import counted, duration_with_units, printable
from tui.chart.chart import Chart
from tui.chart.picture import Border, Curve, Picture
from tui.screens.base import MUTED
from tui.screens.plan import edits, explain, fields
from tui.screens.plan.lr_finder import LrSweep, sweep_picture
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import memory_size

if TYPE_CHECKING:
    from tinylm.preview.rehearsal import Rehearsal

NOMINAL_STEPS = 1000
"""Steps of the schedule that is drawn while its length is unknown."""

POINTS = 400
"""Points of the learning-rate curve, at most, besides the ends of phases."""

TIGHT = 0.8
"""Share of the free memory or disk above which a run gets a warning."""

REPEATED = 4
"""Epochs up to which repeated text is nearly as good as new text (arXiv 2305.16264)."""

HEADROOM = 1.15
"""Factor for the height of the picture, which leaves room for the names of the phases."""

Doing = Literal["", "waiting", "loading", "rehearsing", "sweeping", "training"]


@dataclass(frozen=True)
class JobOutcome:
    """The end of a rehearsal, or of a sweep."""

    config: RunConfig
    rehearsal: Rehearsal | None = None
    error: BaseException | None = None
    free_disk_mb: float | None = None

    def fits(self, config: RunConfig) -> bool:
        """Whether it is about this plan, whatever its preset is called."""
        return self.config == config.model_copy(update={"preset": self.config.preset})


@dataclass(frozen=True)
class PlanState:
    """All that the pane shows: the plan, the last rehearsal, and what is under way."""

    config: RunConfig
    outcome: JobOutcome | None = None
    doing: Doing = ""
    training: str = ""
    """Name of the run that is training."""
    sweep: LrSweep | None = None
    """The learning-rate sweep, drawn instead of the schedule."""

    @property
    def fresh(self) -> bool:
        """Whether the outcome is about this plan."""
        return self.outcome is not None and self.outcome.fits(self.config)

    @property
    def fault(self) -> TinyLMError | None:
        """Why this plan cannot be trained, according to its rehearsal."""
        error = self.outcome.error if self.outcome and self.fresh else None
        return error if isinstance(error, TinyLMError) else None

    @property
    def rehearsal(self) -> Rehearsal | None:
        """The last rehearsal, of this plan or an earlier one."""
        return self.outcome.rehearsal if self.outcome else None

    @property
    def trained(self) -> RunConfig:
        """The plan with the numbers that Fit chooses, if this plan has been rehearsed; else as it is."""
        if self.config.train.fit and self.fresh and self.rehearsal:
            return edits.with_fitted(self.config, self.rehearsal.config)
        return self.config

    def steps(self) -> tuple[int, bool]:
        """Length of the schedule in steps, and whether it is known, not just an example."""
        known = schedule.total_steps(self.config.train)
        if self.fresh and self.rehearsal:
            return self.rehearsal.plan.steps, True
        if known:
            return known, True
        same = self.outcome is not None and self.outcome.config.train.budget == self.config.train.budget
        return (self.rehearsal.plan.steps, False) if self.rehearsal and same else (NOMINAL_STEPS, False)


# ---- text ---------------------------------------------------------------------------------------------------------


def status(state: PlanState, glyphs: Glyphs) -> str:
    """Where the numbers come from."""
    if state.doing == "training":
        return "not while a run trains"
    if state.doing in ("rehearsing", "waiting"):
        return f"rehearsing{glyphs.ellipsis}"
    if state.doing == "sweeping":
        return f"finding a rate{glyphs.ellipsis}"
    if state.doing == "loading":
        return f"loading torch{glyphs.ellipsis}"
    if state.fault:
        return f"{glyphs.failed} cannot be trained"
    return f"measured on {state.rehearsal.device}" if state.fresh and state.rehearsal else "not measured"


Line = tuple[str, str, str]
"""Label, value, and a mark: `good`, `bad`, `old` (measured for an earlier plan), or none."""


def lines(state: PlanState) -> list[Line]:
    """All lines; values that were measured for an earlier plan begin with `was`."""
    measured = _measured(state.outcome) if state.outcome else []
    if not state.fresh:
        measured = [(name, f"was {value}", "old") for name, value, _ in measured]
    return [*measured[:-1], *_counted(state), *measured[-1:]]


def _measured(outcome: JobOutcome) -> list[Line]:
    """The lines that need a rehearsal; disk is the last."""
    rehearsal, budget = outcome.rehearsal, outcome.config.train.budget
    if rehearsal is None:
        return []
    threads = counted(rehearsal.threads, "thread") if rehearsal.device == "cpu" else rehearsal.device
    timed = budget is not None and budget.endswith(("s", "m", "h"))
    length = fields.format_value(fields.field_of(outcome.config, "train.budget"), budget) if timed else "length"
    passes = f"{rehearsal.epochs:,.0f}" if rehearsal.epochs >= 10 else f"{rehearsal.epochs:.2g}"
    return [
        ("speed", f"{rehearsal.tokens_per_second:,.0f} tokens/s", ""),
        ("step", f"{rehearsal.step_seconds:.2g} s on {threads}", ""),
        ("memory", *_room(rehearsal.memory_mb, rehearsal.free_memory_mb)),
        (length, f"{counted(rehearsal.steps, 'step')}, {duration_with_units(rehearsal.seconds)}", ""),
        ("reads", f"{passes} x the text", "good" if rehearsal.epochs <= REPEATED else "bad"),
        ("disk", *_room(rehearsal.disk_mb, outcome.free_disk_mb)),
    ]


def _room(needed: float, free: float | None) -> tuple[str, str]:
    """Needed and free megabytes, and whether that is enough."""
    if not free:
        return memory_size(needed), ""
    return f"{memory_size(needed)} of {memory_size(free)} free", "good" if needed <= TIGHT * free else "bad"


def _counted(state: PlanState) -> list[Line]:
    """The lines that follow from the settings; exact numbers if this plan was rehearsed.

    If `train.fit` chooses size and batch, only a rehearsal knows them: until then they are those of the last one, or
    what Fit starts from.
    """
    config, loss = state.config, explain.first_loss(state.config)
    rehearsal, chosen = state.rehearsal if state.fresh else None, sizing.wanted(state.config)
    unknown = chosen and not rehearsal
    known = state.rehearsal if unknown else rehearsal
    was, sign = "was " if unknown and known else "", "old" if unknown else ""
    size = f"{known.parameters:,} parameters" if known else explain.size_text(config)
    batch = (known.config if known else config).tokens_per_step
    rows: list[Line] = [("size", was + size, sign), ("batch", f"{was}{batch:,} tokens a step", sign)]
    if chosen:
        rows.insert(0, ("fit", fit_summary(rehearsal.config) if rehearsal else "by text, time and machine", ""))
    elif config.train.fit:
        rows.insert(0, ("fit", "needs a time as budget", ""))
    if rehearsal:
        rows.append(("loss", f"begins at {rehearsal.loss:.2f}" + (f", blind {loss:.2f}" if loss else ""), ""))
    elif loss:
        rows.append(("loss", f"begins near {loss:.2f} (blind)", ""))
    return rows


def fit_summary(config: RunConfig) -> str:
    """What `train.fit` chose; size and top rate come first, since they have to fit into 80 columns."""
    model, rate = config.model, max(phase.max_lr for phase in config.train.phases)
    dropout = f", dropout {model.dropout:g}" if model.dropout else ""
    return f"{counted(model.n_layer, 'layer')} of {model.n_embd} at {rate:.2g}{dropout}"


def explanation(state: PlanState, glyphs: Glyphs) -> str:
    """Why there are no current numbers; "" if there are."""
    if state.fault:
        return f"{glyphs.failed} {state.fault.message} {state.fault.hint}"
    if state.doing == "training":
        return f"{state.training} is training. A rehearsal beside it would slow it down and measure wrongly."
    if state.doing == "loading":
        return "The first rehearsal begins when torch is loaded."
    if state.outcome and state.fresh and state.outcome.error:
        return f"{glyphs.failed} The rehearsal failed: {state.outcome.error!r}"
    return ""


def table(state: PlanState, width: int, glyphs: Glyphs) -> Content:
    """All lines, labels on the left, marks on the right; values of an earlier plan are dim."""
    rows = lines(state)
    label = max(len(name) for name, _, _ in rows) + 2
    parts: list[Content] = []
    for name, value, sign in rows:
        judged = sign in ("good", "bad")
        shown = _shortened(value, max(1, width - label - 2 * judged), glyphs)
        line = Content.assemble((f"{name:<{label}}", MUTED), (shown, MUTED if sign == "old" else "$text"))
        if judged:
            gap = " " * max(1, width - line.cell_length - 1)
            mark = (glyphs.done, "$text-success") if sign == "good" else (glyphs.warning, "bold $text-warning")
            line = Content.assemble(line, gap, mark)
        parts.append(line)
    if text := explanation(state, glyphs):
        style = "$text-error" if text.startswith(glyphs.failed) else MUTED
        parts.insert(0, Content.assemble((printable(text), style)))
    return Content("\n").join(parts)


def _shortened(value: str, room: int, glyphs: Glyphs) -> str:
    """`value` in `room` cells; parts after its last comma are dropped first."""
    while len(value) > room and ", " in value:
        value = value.rpartition(", ")[0]
    return value if len(value) <= room else value[: room - len(glyphs.ellipsis)] + glyphs.ellipsis


def two_lines(state: PlanState, glyphs: Glyphs) -> Content:
    """The most important numbers in two lines, for a small terminal."""
    if text := explanation(state, glyphs):
        return Content.assemble((printable(text), "$text-error" if text.startswith(glyphs.failed) else MUTED))
    rows = lines(state)
    known = {name: value for name, value, _ in rows}
    bad = any(sign == "bad" for _, _, sign in rows)
    first, second = [status(state, glyphs)], [known["size"]]
    if state.rehearsal:
        speed, _, memory, length, reads, *_ = (value for _, value, _ in rows)
        if state.fresh:
            first, second = [speed, length, reads], [*second, f"memory {memory}"]
        else:
            first += [speed, length.removeprefix("was ")]
    dot = f" {glyphs.dot} "
    head = Content.assemble((dot.join(first), "$text" if state.fresh else MUTED), f" {glyphs.warning}" if bad else "")
    return Content("\n").join([head, Content.assemble((dot.join(second), MUTED))])


# ---- picture ------------------------------------------------------------------------------------------------------


def schedule_picture(config: RunConfig, steps: int) -> Picture:
    """The learning rate over `steps` steps, with the names of the phases if there are several."""
    try:
        plan = schedule.plan(config.train.phases, steps)
    except ConfigError:
        return Picture(empty=f"{len(config.train.phases)} phases need as many steps, and there is room for {steps:,}")
    edges = [step for phase in plan.phases for step in (phase.first, phase.last)]
    xs = np.unique(np.concatenate((np.linspace(1, plan.steps, POINTS).round(), edges)))
    ys = np.array([plan.lr(int(x)) for x in xs])
    borders = [Border(float(phase.first), phase.name) for phase in plan.phases] if len(plan.phases) > 1 else []
    if config.train.stop_at and config.train.stop_at < plan.steps:
        borders.append(Border(float(config.train.stop_at), "stops"))
    top = float(ys.max()) * (HEADROOM if borders else 1.0)
    return Picture(curves=(Curve(xs, ys, role="lr"),), borders=tuple(borders), y_range=(0.0, top))


class RehearsalPane(Vertical):
    """Numbers, and below them the schedule or the sweep."""

    DEFAULT_CSS = """
    RehearsalPane { height: 1fr; }
    RehearsalPane #numbers { height: auto; max-height: 75%; }
    RehearsalPane #schedule { height: 1fr; min-height: 4; }
    """

    def __init__(self) -> None:
        super().__init__(id="rehearsal")
        self._shown: tuple[object, ...] = ()
        self.picture = Picture()
        """What the chart shows."""

    def compose(self) -> ComposeResult:
        """Numbers above, schedule below."""
        yield Static("", id="numbers", classes="pane", markup=False)
        yield Chart(title="Learning rate", id="schedule")

    def show(self, state: PlanState, glyphs: Glyphs, short: bool) -> None:
        """Bring it up to date; cheap if nothing has changed."""
        numbers = self.query_one("#numbers", Static)
        width = numbers.content_size.width or self.size.width - 4
        shown = (state, glyphs, short, width)
        if shown == self._shown:
            return
        self._shown = shown
        numbers.set_class(not short, "pane")
        numbers.border_title = "Rehearsal of the plan before" if state.rehearsal and not state.fresh else "Rehearsal"
        numbers.border_subtitle = status(state, glyphs)
        numbers.update(two_lines(state, glyphs) if short else table(state, width, glyphs))
        chart = self.query_one(Chart)
        if state.sweep:
            chart.border_title, chart.border_subtitle = "Loss by learning rate", "Esc closes"
            self.picture = sweep_picture(state.sweep, state.trained.train.phases[0].max_lr)
        else:
            steps, is_known = state.steps()
            chart.border_title = "Learning rate"
            chart.border_subtitle = counted(steps, "step") if is_known else f"as if {counted(steps, 'step')}"
            self.picture = schedule_picture(state.trained, steps)
        chart.show(self.picture)


def fitting_paragraphs(paragraphs: Sequence[str], width: int, height: int) -> str:
    """The paragraphs that fit into `width` x `height` cells, in order; one that is too long is left out."""
    kept: list[str] = []
    left = height
    for paragraph in paragraphs:
        needed = max(1, -(-len(paragraph) * 105 // 100 // max(1, width)))
        if needed <= left:
            kept.append(paragraph)
            left -= needed
    return "\n".join(kept)
