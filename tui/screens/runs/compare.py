"""Several runs side by side: their curves over one axis, how their settings differ, whether losses may be compared.

Losses mean the same only on the same text with the same part held out, and nats per token only with the same tokens as
well. Everything else is drawn in bits per byte, and what may not be compared at all is said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.words import duration
from tui.live.history import History
from tui.live.loss_unit import LossUnit
from tui.live.series import Floats

Axis = Literal["tokens", "steps", "time"]
AXES: tuple[Axis, ...] = ("tokens", "steps", "time")

Measure = Literal["loss", "held-out"]
MEASURES: tuple[Measure, ...] = ("loss", "held-out")

SMOOTHING = 0.97
"""Weight of the past in the smoothed loss: single batches say little about a run."""


# ---- curves -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Track:
    """Values of a run at some of its steps, and where these lie on each axis."""

    step: Floats
    tokens: Floats
    seconds: Floats
    values: Floats

    def along(self, axis: Axis) -> Floats:
        """The places on an axis."""
        return {"tokens": self.tokens, "steps": self.step, "time": self.seconds}[axis]


@dataclass(frozen=True, eq=False)
class LossTrace:
    """A run as far as its log tells, in copies that no other thread touches."""

    name: str
    config: RunConfig | None
    data: events.DataPrepared | None
    loss: Track
    """Raw, in nats per token."""
    smooth: Floats
    """The same, smoothed over the whole run."""
    held_out: Track
    """Bits per byte of the held-out text."""
    held_out_nats: Floats
    """The same in nats per token."""
    best: events.EvalDone | None
    sample: events.Sampled | None
    machine: str
    phases: tuple[events.PhaseSpan, ...]

    @property
    def bits_per_nat(self) -> float:
        """What turns nats per token into bits per byte of this run's text; nan before the text is known."""
        return math.nan if self.data is None else LossUnit.of_run(self.data).bits_in_a_nat


def trace(history: History, name: str, config: RunConfig | None) -> LossTrace:
    """What a fold over a run's events has come to."""
    state = history.state
    evaluated = {told.step: told for told in state.evals}  # a run that went back was measured twice there
    order = sorted(evaluated)
    steps = np.array(order, dtype=np.float64)
    known = len(history.step) > 0
    return LossTrace(
        name=name,
        config=config,
        data=state.data,
        loss=Track(
            history.step.values.copy(),
            history.tokens.values.copy(),
            history.seconds.values.copy(),
            history.loss.values.copy(),
        ),
        smooth=history.loss.smoothed(SMOOTHING).copy(),
        held_out=Track(
            steps,
            np.interp(steps, history.step.values, history.tokens.values) if known else np.full(len(order), np.nan),
            np.array([evaluated[step].seconds for step in order], dtype=np.float64),
            np.array([_or_nan(evaluated[step].val_bpb) for step in order], dtype=np.float64),
        ),
        held_out_nats=np.array([_or_nan(evaluated[step].val_loss) for step in order], dtype=np.float64),
        best=state.best,
        sample=state.sample,
        machine=state.started.machine if state.started else "",
        phases=state.plan.phases if state.plan else (),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def curve(told: LossTrace, axis: Axis, measure: Measure, bits: bool) -> tuple[Floats, Floats]:
    """Where a run's curve lies: the smoothed loss or what was held out, in nats per token or in `bits` per byte."""
    if measure == "held-out":
        return told.held_out.along(axis), told.held_out.values if bits else told.held_out_nats
    return told.loss.along(axis), told.smooth * told.bits_per_nat if bits else told.smooth


@dataclass(frozen=True)
class Equal:
    """The runs where all of them have come as far on an axis."""

    place: float
    held_out: tuple[float | None, ...]
    """Bits per byte there, or where all of them were evaluated last; between two evaluations on the line from the one
    to the next."""
    tokens: tuple[float, ...]
    seconds: tuple[float, ...]


def at_equal(traces: Sequence[LossTrace], axis: Axis) -> Equal | None:
    """Compare where the shortest run ends; None while one of them has no step yet."""
    if not traces or any(not len(told.loss.step) for told in traces):
        return None
    place = min(float(told.loss.along(axis)[-1]) for told in traces)

    # Each run is measured where its evaluations fall: none is to be judged by one that the other had left behind.
    ends = [float(told.held_out.along(axis)[-1]) for told in traces if len(told.held_out.values)]
    checked = min(place, *ends) if ends else place

    def measured(told: LossTrace) -> float | None:
        at, seen = told.held_out.along(axis), told.held_out.values
        value = float(np.interp(checked, at, seen)) if len(seen) and at[0] <= checked else math.nan
        return value if math.isfinite(value) else None

    def there(told: LossTrace, other: Axis) -> float:
        return float(np.interp(place, told.loss.along(axis), told.loss.along(other)))

    return Equal(
        place,
        tuple(measured(told) for told in traces),
        tuple(there(told, "tokens") for told in traces),
        tuple(there(told, "time") for told in traces),
    )


# ---- may they be compared -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """Whether losses of some runs mean the same."""

    comparable: bool
    bits: bool
    """In bits per byte only: nats per token are those of other tokens."""
    sentence: str


def verdict(traces: Sequence[LossTrace]) -> Verdict:
    """Look at texts, held-out parts and tokens."""
    configs = [told.config for told in traces if told.config is not None]
    data = [told.data for told in traces if told.data is not None]
    forbidden = "losses may not be compared (bits per byte of each)."
    if len(configs) < len(traces) or len(data) < len(traces):
        return Verdict(False, True, f"A text is not known yet: {forbidden}")
    if _differ(config.data.sources for config in configs):
        return Verdict(False, True, f"Different texts: {forbidden}")
    if _differ((c.data.val_fraction, c.data.val_placement) for c in configs):
        return Verdict(False, True, f"Different parts held out: {forbidden}")
    if _differ((c.data.unwrap, told.bytes, told.val_bytes) for c, told in zip(configs, data, strict=True)):
        return Verdict(False, True, f"The text has changed: {forbidden}")
    if _differ((c.tokenizer.kind, told.vocab_size) for c, told in zip(configs, data, strict=True)):
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
    """One setting of several runs."""

    key: str
    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same."""
        return len(set(self.values)) > 1


_ORDER = ("data", "tokenizer", "model", "train", "sample")
_ASIDE = re.compile(
    r"train\.(threads|device|compile|precision|eval_|sample_interval|checkpoint_|keep_)|sample\.|preset|format"
)
"""What says little about what a model became: where and how it was watched; such settings come last."""


def differences(configs: Sequence[RunConfig], everything: bool = False) -> list[Setting]:
    """The settings that are not the same in all of `configs`, or `everything`; the telling ones first."""
    tables = [dict(_flat(config.model_dump())) for config in configs]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    many_phases = any(len(config.train.phases) > 1 for config in configs)
    found = [
        Setting(key, _label(key, many_phases), tuple(_shown(table.get(key)) for table in tables))
        for key in keys
        if key != "format"
    ]
    found.sort(key=lambda setting: (bool(_ASIDE.match(setting.key)), _place(setting.key)))
    return [setting for setting in found if everything or setting.differs]


def _flat(node: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{prefix}{key}.")
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for number, value in enumerate(node):
            yield from _flat(value, f"{prefix}{number}.")
    else:
        yield prefix.rstrip("."), node


def _place(key: str) -> int:
    group = key.partition(".")[0]
    return _ORDER.index(group) if group in _ORDER else len(_ORDER)


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
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(Path(item).name if isinstance(item, str) else _shown(item) for item in value) or "-"
    return str(value)


# ---- in words -----------------------------------------------------------------------------------------------------


def amount(number: float | None) -> str:
    """`840`, `12 k`, `0.96 M`, `1.3 M`, `31 M`: two places that tell something."""
    if number is None or not math.isfinite(number):
        return "-"
    for scale, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= scale / (10 if unit == " M" else 1):
            scaled = number / scale
            places = 0 if abs(scaled) >= 9.95 else 1 if abs(scaled) >= 0.995 else 2
            return f"{scaled:.{places}f}{unit}"
    return f"{number:.0f}"


def along(axis: Axis, place: float) -> str:
    """A place on an axis."""
    if axis == "time":
        return duration(place)
    return f"{amount(place)} tokens" if axis == "tokens" else f"step {place:,.0f}"
