"""The pictures of the Runs screen, one run's and several runs', and its sentence about the run under the cursor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tinylm.runs.listing import RunListing
from tinylm.words import duration, printable
from tui.chart.picture import Band, Border, Curve, Level, Picture
from tui.live.status import BASELINES
from tui.screens.runs import compare
from tui.screens.runs.compare import Axis, LossTrace, Measure, amount


def _count(value: float) -> str:
    return f"{value:,.0f}"


# The same objects each time: a chart that is given an equal picture draws nothing.
_AXES: dict[Axis, tuple[str, Callable[[float], str]]] = {
    "tokens": ("tokens", amount),
    "steps": ("step", _count),
    "time": ("", duration),
}


def title(measure: Measure, bits: bool) -> str:
    """What is drawn, with its unit."""
    return f"{'held out' if measure == 'held-out' else 'loss'}, {'bits/byte' if bits else 'nats/token'}"


def waiting() -> Picture:
    """While the log is read."""
    return Picture(empty="Reading the log ...")


def one(told: LossTrace, axis: Axis, measure: Measure, bits: bool) -> Picture:
    """One run: its loss with the band of single steps, what was held out, the simpler means, where phases begin."""
    name, form = _AXES[axis]
    where, unit = told.loss.along(axis), told.bits_per_nat if bits else 1.0
    xs, ys = told.held_out.along(axis), told.held_out.values if bits else told.held_out_nats
    measured = Curve(xs, ys, "held_out", style="points")
    levels = _levels(told, bits)
    if measure == "held-out":
        line = Curve(xs, ys, "held_out")
        return Picture((line, measured), levels=levels, x_name=name, x_format=form, empty=_nothing(told, measure))
    borders = []
    for span in told.phases[1:]:
        at = int(np.searchsorted(told.loss.step, span.first))
        if at < len(where):
            borders.append(Border(float(where[at]), printable(span.name)))
    return Picture(
        (Curve(where, told.smooth * unit, "train"), measured),
        Band(where, told.loss.values * unit),
        levels,
        tuple(borders),
        x_name=name,
        x_format=form,
        empty=_nothing(told, measure),
    )


def _nothing(told: LossTrace, measure: Measure) -> str:
    if measure == "held-out" and len(told.loss.step):
        return "Nothing was measured on held-out text."
    return "It has not made a step."


def several(traces: Mapping[str, LossTrace], axis: Axis, measure: Measure, bits: bool) -> Picture:
    """Runs over each other; their letters stand at the ends of the curves."""
    name, form = _AXES[axis]
    shown = list(traces.values())
    curves = []
    for letter, told in traces.items():
        xs, ys = compare.curve(told, axis, measure, bits)
        curves.append(Curve(xs, ys, letter, letter))
    # The simpler means are told where all runs have the text that they were measured on.
    levels = _levels(shown[0], bits) if compare.verdict(shown).comparable else ()
    return Picture(
        tuple(curves), levels=levels, x_name=name, x_format=form, empty="None of them has come so far as to be drawn."
    )


def _levels(told: LossTrace, bits: bool) -> tuple[Level, ...]:
    unit = 1.0 if bits else told.bits_per_nat
    if told.data is None or not math.isfinite(unit):
        return ()
    known = told.data.baselines
    return tuple(Level(known[name] / unit, label) for name, label in BASELINES.items() if name in known)


def told(entry: RunListing, marked: bool) -> str:
    """The run under the cursor in a sentence, and what one can do with it."""
    name = entry.name
    good = "" if entry.val_bpb is None else f": {entry.val_bpb:.3f} bits/byte"
    if marked:
        return f"{name} is marked. Go to another run, and both are laid over each other."
    match entry.status:
        case "training" | "paused":
            doing = "paused" if entry.status == "paused" else "training"
            return f"{name} is {doing}: step {entry.step or 0:,} of {entry.steps or 0:,}. Enter follows it."
        case "finished":
            return f"{name} is finished{good}. Enter opens, t talks."
        case "stopped" | "interrupted":
            at = f" at step {entry.step:,}" if entry.step else ""
            return (
                f"{name} {'stopped' if entry.status == 'stopped' else 'was interrupted'}{at}{good}. r goes on with it."
            )
        case "failed":
            return printable(f"{name} failed: {entry.fault} Enter shows how it went.")
    return printable(f"{name} is damaged: {entry.fault}")
