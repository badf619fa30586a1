"""Several runs side by side: curves over one axis, settings that differ, and whether their losses may be compared.

Losses mean the same only on the same text with the same held-out part, and nats per token only with the same tokenizer
as well. So runs are compared in bits per byte, and where not even that is meaningful a sentence says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.words import duration
from tui.live.history import Axis, History
from tui.live.loss_unit import LossUnit, Unit
from tui.live.series import Floats
from tui.terminal.numbers import NONE, two_digits

AXES: tuple[Axis, ...] = ("tokens", "steps", "time")

Measure = Literal["loss", "held-out"]
MEASURES: tuple[Measure, ...] = ("loss", "held-out")

SMOOTHING = 0.97
"""Weight of the past in the smoothed loss: single batches say little about a run."""


# ---- curves -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LoggedRun:
    """A run as far as its log tells, in a copy that no other thread changes."""

    name: str
    config: RunConfig | None
    history: History

    def unit(self, unit: Unit) -> LossUnit:
        """The unit, for this run's text."""
        return LossUnit.of_run(self.history.state.data, unit)


def curve(run: LoggedRun, axis: Axis, measure: Measure, unit: Unit) -> tuple[Floats, Floats]:
    """Positions on the axis and values of a run's smoothed loss, or of its held-out loss; nan where none was measured.

    On the time axis an evaluation stands where it ended, later than its step.
    """
    loss_unit = run.unit(unit)
    if measure == "held-out":
        evals = {event.step: event for event in run.history.state.evals}  # of two at a step, the later one
        points = [
            (event.seconds if axis == "time" else run.history.position(axis, step), loss_unit.held_out(event))
            for step, event in sorted(evals.items())
        ]
        table = np.array(points, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]
    return run.history.positions(axis), run.history.loss.smoothed(SMOOTHING) * loss_unit.factor


@dataclass(frozen=True)
class EqualPoint:
    """Several runs at the position on an axis that all of them have reached."""

    position: float
    held_out: tuple[float | None, ...]
    """Bits per byte there, or where all of them were last evaluated; interpolated between two evaluations."""
    tokens: tuple[float, ...]
    seconds: tuple[float, ...]


def at_equal(runs: Sequence[LoggedRun], axis: Axis) -> EqualPoint | None:
    """Compare runs where the shortest ends; None while one of them has no step yet."""
    if not runs or any(not len(run.history.step) for run in runs):
        return None
    position = min(float(run.history.positions(axis)[-1]) for run in runs)

    # Compare where every run was already evaluated: none may be judged by an older evaluation than the others.
    evaluations = [curve(run, axis, "held-out", "bits") for run in runs]
    evaluated = min([position, *(float(xs[-1]) for xs, _ in evaluations if len(xs))])

    def held_out(xs: Floats, ys: Floats) -> float | None:
        value = float(np.interp(evaluated, xs, ys)) if len(xs) and xs[0] <= evaluated else math.nan
        return value if math.isfinite(value) else None

    def there(run: LoggedRun, other: Axis) -> float:
        return float(np.interp(position, run.history.positions(axis), run.history.positions(other)))

    return EqualPoint(
        position,
        tuple(held_out(xs, ys) for xs, ys in evaluations),
        tuple(there(run, "tokens") for run in runs),
        tuple(there(run, "time") for run in runs),
    )


# ---- may they be compared -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """Whether the losses of several runs mean the same."""

    comparable: bool
    bits: bool
    """Only in bits per byte: their tokens differ, so nats per token mean different things."""
    sentence: str


def verdict(runs: Sequence[LoggedRun]) -> Verdict:
    """Compare the texts, held-out parts and tokenizers of runs."""
    configs = [run.config for run in runs if run.config is not None]
    data = [prepared for run in runs if (prepared := run.history.state.data) is not None]
    forbidden = "losses may not be compared (bits per byte of each)."
    if len(configs) < len(runs) or len(data) < len(runs):
        return Verdict(False, True, f"A text is not known yet: {forbidden}")
    if _differ(config.data.sources for config in configs):
        return Verdict(False, True, f"Different texts: {forbidden}")
    if _differ((c.data.val_fraction, c.data.val_placement) for c in configs):
        return Verdict(False, True, f"Different parts held out: {forbidden}")
    if _differ((c.data.encoding, c.data.unwrap, d.bytes, d.val_bytes) for c, d in zip(configs, data, strict=True)):
        return Verdict(False, True, f"The text has changed: {forbidden}")
    if _differ((c.tokenizer.kind, d.vocab_size) for c, d in zip(configs, data, strict=True)):
        return Verdict(True, True, "Same text, other tokens: compare in bits per byte.")
    if _differ((c.data.weights, [phase.sources for phase in c.train.phases]) for c in configs):
        return Verdict(True, False, "Same text, mixed otherwise: compare what is held out, not the training loss.")
    return Verdict(True, False, "Same text, same tokens: losses may be compared.")


def _differ(values: Iterator[object]) -> bool:
    first, *others = values
    return any(other != first for other in others)


# ---- what differs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One setting, with its value in each of several runs."""

    key: str
    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the values are not all the same."""
        return len(set(self.values)) > 1


_GROUPS = ("data", "tokenizer", "model", "train", "sample")
_MINOR = re.compile(
    r"train\.(threads|device|compile|precision|eval_|sample_interval|checkpoint_|keep_)|sample\.|preset|format"
)
"""Settings that change where a model was trained and how it was observed, not what it became; they come last."""


def differences(configs: Sequence[RunConfig], everything: bool = False) -> list[Setting]:
    """The settings that differ between `configs`, or `everything`; those that shape the model first."""
    tables = [dict(_flat(config.model_dump(exclude={"repeat"}))) for config in configs]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    many_phases = any(len(config.train.phases) > 1 for config in configs)
    settings = [
        Setting(key, _label(key, many_phases), tuple(_shown(table.get(key)) for table in tables))
        for key in keys
        if key != "format"
    ]
    settings.sort(key=lambda setting: (bool(_MINOR.match(setting.key)), _rank(setting.key)))
    return [setting for setting in settings if everything or setting.differs]


def _flat(node: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{prefix}{key}.")
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for number, value in enumerate(node):
            yield from _flat(value, f"{prefix}{number}.")
    else:
        yield prefix.rstrip("."), node


def _rank(key: str) -> int:
    group = key.partition(".")[0]
    return _GROUPS.index(group) if group in _GROUPS else len(_GROUPS)


def _label(key: str, many_phases: bool) -> str:
    field = resolve.settings().get(re.sub(r"\.\d+\.", ".N.", key))
    title = (field.title if field is not None else None) or key
    phase = re.match(r"train\.phases\.(\d+)\.", key)
    if phase and many_phases:
        return f"{title} ({int(phase[1]) + 1})"
    return f"{title} (samples)" if key.startswith("sample.") else title


def _shown(value: object) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(Path(item).name if isinstance(item, str) else _shown(item) for item in value) or NONE
    return str(value)


# ---- in words -----------------------------------------------------------------------------------------------------


def position_words(axis: Axis, position: float) -> str:
    """A position on an axis: `4.0 k tokens`, `step 4,000`, `1:06:40`."""
    if axis == "time":
        return duration(position)
    return f"{two_digits(position)} tokens" if axis == "tokens" else f"step {position:,.0f}"
