"""The pictures of the Runs screen, one run's and several runs', and its sentence about the run under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinylm.runs.listing import RunListing
from tinylm.words import duration, printable
from tui.chart.loss import baseline_levels, loss_picture, phase_borders
from tui.chart.picture import Curve, Level, Picture
from tui.live.history import Axis
from tui.live.loss_unit import UNIT_NAMES, Unit
from tui.live.status import BASELINES
from tui.screens.runs import compare
from tui.screens.runs.compare import LoggedRun, Measure
from tui.terminal.numbers import count, two_digits


def _step(step: float) -> str:
    """As `count`, but the axis takes any round ticks, not only whole steps."""
    return count(step)


# The same functions each time: a chart that is given an equal picture draws nothing.
_X_AXES: dict[Axis, tuple[str, Callable[[float], str]]] = {
    "tokens": ("tokens", two_digits),
    "steps": ("step", _step),
    "time": ("", duration),
}


def title(measure: Measure, unit: Unit) -> str:
    """What is drawn, with its unit."""
    return f"{'held out' if measure == 'held-out' else 'loss'}, {UNIT_NAMES[unit]}"


def one(run: LoggedRun, axis: Axis, measure: Measure, unit: Unit) -> Picture:
    """One run: its loss with its held-out points, or the held-out loss alone as a line; the baselines, the phases."""
    history, loss_unit, (name, form) = run.history, run.unit(unit), _X_AXES[axis]
    frame = Picture(levels=_levels(run, unit), x_name=name, x_format=form, empty="It has not made a step.")
    points = Curve(*compare.curve(run, axis, "held-out", unit), "held_out", style="points")
    if measure == "held-out":
        empty = "Nothing was measured on held-out text." if len(history.step) else frame.empty
        return replace(frame, curves=(replace(points, style="line"), points), empty=empty)
    borders = tuple(replace(border, label=printable(border.label)) for border in phase_borders(history, axis))
    return loss_picture(replace(frame, borders=borders), history, loss_unit, axis, compare.SMOOTHING, [points])


def several(runs: Mapping[str, LoggedRun], axis: Axis, measure: Measure, unit: Unit) -> Picture:
    """Runs over each other, by their letters, which stand at the ends of the curves."""
    name, form = _X_AXES[axis]
    curves = [Curve(*compare.curve(run, axis, measure, unit), letter, letter) for letter, run in runs.items()]
    # Baselines are those of a text: shown only where all runs have the same.
    shown = list(runs.values())
    levels = _levels(shown[0], unit) if compare.verdict(shown).comparable else ()
    return Picture(
        tuple(curves), levels=levels, x_name=name, x_format=form, empty="None of them has come so far as to be drawn."
    )


def _levels(run: LoggedRun, unit: Unit) -> tuple[Level, ...]:
    return baseline_levels(run.history.state.data, run.unit(unit), BASELINES)


def run_sentence(entry: RunListing, marked: bool) -> str:
    """The state of a run in a sentence, and what one can do with it."""
    name = entry.name
    good = "" if entry.val_bpb is None else f": {entry.val_bpb:.3f} bits/byte"
    if good and entry.best_step not in (None, entry.step):
        good += f" at step {entry.best_step:,}, the best"
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
