"""What the rehearsal says about a plan: speed, memory, length, disk, and the course of the learning rate."""

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
from tinylm.errors import TinyLMError
from tinylm.planning import schedule, sizing
from tinylm.words import duration_with_units, printable
from tui.chart.chart import Border, Chart, Curve, Picture
from tui.screens.plan import edits, explain, fields
from tui.screens.plan.lr_finder import Valley, valley_picture
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import memory_size

if TYPE_CHECKING:
    from tinylm.preview.rehearsal import Rehearsal

NOMINAL_STEPS = 1000
"""The length by which the schedule is drawn while none is known."""

POINTS = 400
"""Of the learning rate's curve."""

TIGHT = 0.8
"""A run that takes more than this share of the free memory or disk is marked."""

MUTED = "$foreground 60%"

REPEATED = 4
"""Passes over a text up to which reading it again does nearly as much as new text would (arXiv 2305.16264)."""

HEADROOM = 1.15
"""Above the curve, for the phases' names."""

Doing = Literal["", "waiting", "loading", "rehearsing", "sweeping", "training"]


@dataclass(frozen=True)
class Outcome:
    """How a rehearsal ended."""

    config: RunConfig
    rehearsal: Rehearsal | None = None
    error: BaseException | None = None
    free_disk_mb: float | None = None

    def fits(self, config: RunConfig) -> bool:
        """Whether it is about this plan; the name of its preset changes nothing."""
        return self.config == config.model_copy(update={"preset": self.config.preset})


@dataclass(frozen=True)
class State:
    """All that is told: the plan, the last rehearsal that ended, and what is going on."""

    config: RunConfig
    outcome: Outcome | None = None
    doing: Doing = ""
    training: str = ""
    """The run that trains meanwhile."""
    valley: Valley | None = None
    """What a sweep of the learning rate tells; it stands in the place of the schedule."""

    @property
    def fresh(self) -> bool:
        """Whether the outcome is about this very plan."""
        return self.outcome is not None and self.outcome.fits(self.config)

    @property
    def fault(self) -> TinyLMError | None:
        """Why this plan cannot be trained, as far as the rehearsal found out."""
        error = self.outcome.error if self.outcome and self.fresh else None
        return error if isinstance(error, TinyLMError) else None

    @property
    def rehearsal(self) -> Rehearsal | None:
        """The last numbers, of this plan or the one before."""
        return self.outcome.rehearsal if self.outcome else None

    @property
    def trained(self) -> RunConfig:
        """The plan with the numbers that Fit chooses, where a rehearsal of this very plan knows them; else as it is."""
        if self.config.train.fit and self.fresh and self.rehearsal:
            return edits.with_numbers(self.config, self.rehearsal.config)
        return self.config

    def steps(self) -> tuple[int, bool]:
        """The whole length of the schedule, and whether that is more than an example."""
        known = explain.known_steps(self.config)
        if self.fresh and self.rehearsal:
            return self.rehearsal.plan.steps, True
        if known:
            return known, True
        same = self.outcome is not None and self.outcome.config.train.budget == self.config.train.budget
        return (self.rehearsal.plan.steps, False) if self.rehearsal and same else (NOMINAL_STEPS, False)


# ---- in words -----------------------------------------------------------------------------------------------------


def status(state: State, signs: Glyphs) -> str:
    """Where the numbers come from, in a few words."""
    if state.doing == "training":
        return "not while a run trains"
    if state.doing in ("rehearsing", "waiting"):
        return f"rehearsing{signs.ellipsis}"
    if state.doing == "sweeping":
        return f"finding a rate{signs.ellipsis}"
    if state.doing == "loading":
        return f"loading torch{signs.ellipsis}"
    if state.fault:
        return f"{signs.failed} cannot be trained"
    return f"measured on {state.rehearsal.device}" if state.fresh and state.rehearsal else "not measured"


def steps_told(steps: int) -> str:
    """A number of steps."""
    return f"{steps:,} step{'s' * (steps != 1)}"


Line = tuple[str, str, str]
"""A label, what is said, and a sign: `good`, `bad`, `old` where this plan may come to something else, or none."""


def lines(state: State) -> list[Line]:
    """What is known of the plan, line by line; what was measured for an earlier one says so."""
    measured = _measured(state.outcome) if state.outcome else []
    if not state.fresh:
        measured = [(name, f"was {value}", "old") for name, value, _ in measured]
    return [*measured[:-1], *_counted(state), *measured[-1:]]


def _measured(outcome: Outcome) -> list[Line]:
    """What only a rehearsal can tell; the disk comes last."""
    found, budget = outcome.rehearsal, outcome.config.train.budget
    if found is None:
        return []
    threads = f"{found.threads} thread{'s' * (found.threads != 1)}" if found.device == "cpu" else found.device
    timed = budget is not None and budget.endswith(("s", "m", "h"))
    length = fields.shown(fields.field_of(outcome.config, "train.budget"), budget) if timed else "length"
    passes = f"{found.passes:,.0f}" if found.passes >= 10 else f"{found.passes:.2g}"
    return [
        ("speed", f"{found.tokens_per_second:,.0f} tokens/s", ""),
        ("step", f"{found.step_seconds:.2g} s on {threads}", ""),
        ("memory", *_room(found.memory_mb, found.free_memory_mb)),
        (length, f"{steps_told(found.steps)}, {duration_with_units(found.seconds)}", ""),
        ("reads", f"{passes} x the text", "good" if found.passes <= REPEATED else "bad"),
        ("disk", *_room(found.disk_mb, outcome.free_disk_mb)),
    ]


def _room(needed: float, free: float | None) -> tuple[str, str]:
    """What is taken of what there is, and whether that is well."""
    if not free:
        return memory_size(needed), ""
    return f"{memory_size(needed)} of {memory_size(free)} free", "good" if needed <= TIGHT * free else "bad"


def _counted(state: State) -> list[Line]:
    """What follows from the settings; exact numbers in its place where this very plan was rehearsed.

    Where `train.fit` chooses, only a rehearsal knows size and batch: until then, what they were or where it begins.
    """
    config, loss = state.config, explain.first_loss(state.config)
    found, chosen = state.rehearsal if state.fresh else None, sizing.wanted(state.config)
    unknown = chosen and not found
    known = state.rehearsal if unknown else found
    was, sign = "was " if unknown and known else "", "old" if unknown else ""
    size = f"{known.parameters:,} parameters" if known else explain.size(config)
    batch = known.tokens_per_step if known else explain.tokens_per_step(config)
    told: list[Line] = [("size", was + size, sign), ("batch", f"{was}{batch:,} tokens a step", sign)]
    if chosen:
        told.insert(0, ("fit", fitted(found.config) if found else "by text, time and machine", ""))
    elif config.train.fit:
        told.insert(0, ("fit", "needs a time as budget", ""))
    if found:
        told.append(("loss", f"begins at {found.loss:.2f}" + (f", blind {loss:.2f}" if loss else ""), ""))
    elif loss:
        told.append(("loss", f"begins near {loss:.2f} (blind)", ""))
    return told


def fitted(config: RunConfig) -> str:
    """What `train.fit` chose, the most telling first: size and top rate have to fit on 80 columns."""
    model, rate = config.model, max(phase.max_lr for phase in config.train.phases)
    dropout = f", dropout {model.dropout:g}" if model.dropout else ""
    return f"{model.n_layer} layers of {model.n_embd} at {rate:.2g}{dropout}"


def explanation(state: State, signs: Glyphs) -> str:
    """Why there are no numbers, or none that count; empty where there is nothing to explain."""
    if state.fault:
        return f"{signs.failed} {state.fault.message} {state.fault.hint}"
    if state.doing == "training":
        return f"{state.training} is training. A rehearsal beside it would slow it down and measure wrongly."
    if state.doing == "loading":
        return "The first rehearsal begins when torch is loaded."
    if state.outcome and state.fresh and state.outcome.error:
        return f"{signs.failed} The rehearsal failed: {state.outcome.error!r}"
    return ""


def table(state: State, width: int, signs: Glyphs) -> Content:
    """All lines, labels on the left, signs on the right; numbers of an earlier plan are dim."""
    told = lines(state)
    label = max(len(name) for name, _, _ in told) + 2
    parts: list[Content] = []
    for name, value, sign in told:
        judged = sign in ("good", "bad")
        shown = _fitted(value, max(1, width - label - 2 * judged), signs)
        line = Content.assemble((f"{name:<{label}}", MUTED), (shown, MUTED if sign == "old" else "$text"))
        if judged:
            gap = " " * max(1, width - line.cell_length - 1)
            mark = (signs.done, "$text-success") if sign == "good" else (signs.warning, "bold $text-warning")
            line = Content.assemble(line, gap, mark)
        parts.append(line)
    if said := explanation(state, signs):
        style = "$text-error" if said.startswith(signs.failed) else MUTED
        parts.insert(0, Content.assemble((printable(said), style)))
    return Content("\n").join(parts)


def _fitted(value: str, room: int, signs: Glyphs) -> str:
    """A value in its room: what stands behind its last comma goes first."""
    while len(value) > room and ", " in value:
        value = value.rpartition(", ")[0]
    return value if len(value) <= room else value[: room - len(signs.ellipsis)] + signs.ellipsis


def strip(state: State, signs: Glyphs) -> Content:
    """The same in two lines, for a small terminal."""
    if said := explanation(state, signs):
        return Content.assemble((printable(said), "$text-error" if said.startswith(signs.failed) else MUTED))
    told = lines(state)
    known = {name: value for name, value, _ in told}
    bad = any(sign == "bad" for _, _, sign in told)
    first, second = [status(state, signs)], [known["size"]]
    if state.rehearsal:
        speed, _, memory, length, reads, *_ = (value for _, value, _ in told)
        if state.fresh:
            first, second = [speed, length, reads], [*second, f"memory {memory}"]
        else:
            first += [speed, length.removeprefix("was ")]
    dot = f" {signs.dot} "
    head = Content.assemble((dot.join(first), "$text" if state.fresh else MUTED), f" {signs.warning}" if bad else "")
    return Content("\n").join([head, Content.assemble((dot.join(second), MUTED))])


# ---- as a picture -------------------------------------------------------------------------------------------------


def schedule_picture(config: RunConfig, steps: int) -> Picture:
    """The learning rate over a run of so many steps, with the phases' names where there are several."""
    try:
        plan = schedule.plan(config.train.phases, steps)
    except ValueError:
        return Picture(empty=f"{steps:,} steps are too few for {len(config.train.phases)} phases")
    edges = [step for phase in plan.phases for step in (phase.first, phase.last)]
    xs = np.unique(np.concatenate((np.linspace(1, plan.steps, POINTS).round(), edges)))
    ys = np.array([plan.lr(int(x)) for x in xs])
    borders = [Border(float(phase.first), phase.name) for phase in plan.phases] if len(plan.phases) > 1 else []
    if config.train.stop_at and config.train.stop_at < plan.steps:
        borders.append(Border(float(config.train.stop_at), "stops"))
    top = float(ys.max()) * (HEADROOM if borders else 1.0)
    return Picture(curves=(Curve(xs, ys, role="lr"),), borders=tuple(borders), y_range=(0.0, top))


class RehearsalPane(Vertical):
    """Numbers, and the schedule below."""

    DEFAULT_CSS = """
    RehearsalPane { height: 1fr; }
    RehearsalPane #numbers { height: auto; max-height: 75%; }
    RehearsalPane #schedule { height: 1fr; min-height: 4; }
    """

    def __init__(self) -> None:
        super().__init__(id="rehearsal")
        self._shown: tuple[object, ...] = ()
        self.picture = Picture()
        """The schedule that is drawn."""

    def compose(self) -> ComposeResult:
        """Numbers above, schedule below."""
        yield Static("", id="numbers", classes="pane", markup=False)
        yield Chart(title="Learning rate", id="schedule")

    def show(self, state: State, signs: Glyphs, short: bool) -> None:
        """Bring it up to date; costs next to nothing where nothing changed."""
        numbers = self.query_one("#numbers", Static)
        width = numbers.content_size.width or self.size.width - 4
        shown = (state, signs, short, width)
        if shown == self._shown:
            return
        self._shown = shown
        numbers.set_class(not short, "pane")
        numbers.border_title = "Rehearsal of the plan before" if state.rehearsal and not state.fresh else "Rehearsal"
        numbers.border_subtitle = status(state, signs)
        numbers.update(strip(state, signs) if short else table(state, width, signs))
        chart = self.query_one(Chart)
        if state.valley:
            chart.border_title, chart.border_subtitle = "Loss by learning rate", "Esc closes"
            self.picture = valley_picture(state.valley, state.trained.train.phases[0].max_lr)
        else:
            steps, sure = state.steps()
            chart.border_title = "Learning rate"
            chart.border_subtitle = steps_told(steps) if sure else f"as if {steps_told(steps)}"
            self.picture = schedule_picture(state.trained, steps)
        chart.show(self.picture)


def wrapped(paragraphs: Sequence[str], width: int, height: int) -> str:
    """The paragraphs that fit, the first ones foremost; the order stays."""
    kept: list[str] = []
    left = height
    for paragraph in paragraphs:
        needed = max(1, -(-len(paragraph) * 105 // 100 // max(1, width)))
        if needed <= left:
            kept.append(paragraph)
            left -= needed
    return "\n".join(kept)
