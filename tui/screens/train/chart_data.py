"""The six charts of a run as pictures, made from its history and from how a person looks at it. No widgets here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError
from tinylm.planning import schedule
from tinylm.words import duration
from tui.chart.loss import baseline_levels, held_out_curves, loss_picture, phase_borders
from tui.chart.picture import Border, Curve, Level, Picture
from tui.live.history import Axis, History
from tui.live.loss_unit import LossUnit
from tui.live.series import Floats, Series
from tui.live.status import BASELINES
from tui.terminal.numbers import count, millions

Window = Literal["all", "half", "last 20 %", "last 200"]

AXES: tuple[Axis, ...] = ("steps", "tokens", "time")
SMOOTHINGS = (0.0, 0.9, 0.97, 0.99)
WINDOWS: tuple[Window, ...] = ("all", "half", "last 20 %", "last 200")

SPIKY = 20.0
"""Where the greatest value is this many times the median the y axis is logarithmic, or the rest is a flat line."""

PLAN_POINTS = 300
"""Points of the learning rate that is still to come."""

NAMES = {
    "loss": "loss",
    "lr": "learning rate",
    "grad": "gradient norm",
    "speed": "tokens per second",
    "param": "parameter norm",
    "ratio": "norm ratio",
}
"""The charts by their ids, and what each shows."""


@dataclass(frozen=True)
class ChartView:
    """What part of a run is looked at, and how; all charts share it."""

    axis: Axis = "steps"
    smoothing: float = 0.9
    window: Window = "all"
    hair: int | None = None
    """The step under the hair line."""


@dataclass(frozen=True)
class ChartedRun:
    """The run that the charts show."""

    history: History
    unit: LossUnit
    config: RunConfig | None = None
    """None while it is not known."""


_X_AXES: dict[Axis, tuple[str, Callable[[float], str]]] = {
    "steps": ("step", count),
    "tokens": ("tokens", millions),
    "time": ("", duration),
}


def _frame(run: ChartedRun, view: ChartView) -> Picture:
    """What all charts have in common: x axis, window, borders."""
    history, axis = run.history, view.axis
    name, form = _X_AXES[axis]
    x_range = _visible(history, view)
    if not len(history.step) and history.state.plan and axis == "steps":
        x_range = (0.0, float(history.state.plan.steps))
    return Picture(x_range=x_range, x_name=name, x_format=form, borders=borders(history, axis), empty="no step yet")


def _visible(history: History, view: ChartView) -> tuple[float, float] | None:
    """The x range of the chosen window; None for the whole run."""
    positions = history.positions(view.axis)
    n = len(positions)
    if view.window == "all" or n < 2:
        return None
    start = {"half": n // 2, "last 20 %": n * 4 // 5, "last 200": max(0, n - 200)}[view.window]
    return float(positions[min(start, n - 2)]), float(positions[-1])


def borders(history: History, axis: Axis) -> tuple[Border, ...]:
    """Where phases begin, where the run was rolled back or resumed, and the newest steps that were left out."""
    rolled_back = [(rescue.back_to, "rescued") for rescue in history.state.rescues]
    started = [event for _, event in history.log if isinstance(event, events.RunStarted)]
    resumed = [(event.resumed_from, "resumed") for event in started if event.resumed_from]
    skipped = history.step.values[np.isnan(history.loss.values)][-3:]
    left_out = [(float(step), "left out") for step in skipped]
    others = (Border(history.position(axis, step), label) for step, label in (*rolled_back, *resumed, *left_out))
    return (*phase_borders(history, axis), *others)


def loss(run: ChartedRun, view: ChartView) -> Picture:
    """The loss with its held-out points, and the baselines with their values.

    The best point has a colour of its own, except under a hair line, which reads one value from each curve.
    """
    data = run.history.state.data
    frame = replace(
        _frame(run, view),
        levels=baseline_levels(data, run.unit, BASELINES | {"floor": "no model can do better"}, values=True),
        empty="" if data and data.baselines else "no step yet",
    )
    held_out = held_out_curves(run.history, run.unit, view.axis, mark_best=view.hair is None)
    return loss_picture(frame, run.history, run.unit, view.axis, view.smoothing, held_out)


def lr(run: ChartedRun, view: ChartView) -> Picture:
    """The learning rate so far, and in a muted colour as it is planned."""
    history = run.history
    curves = [Curve(history.positions(view.axis), history.lr.values, "lr")]
    frame = _frame(run, view)
    plan = planned(run.config, history.state.plan)
    if plan is not None and not history.state.finished:
        last = history.step.last if len(history.step) else 1.0
        steps = np.unique(np.linspace(last, max(plan.steps, last), PLAN_POINTS).round())
        scale = history.state.rescues[-1].lr_scale if history.state.rescues else 1.0
        rates = np.array([plan.lr(int(step)) * scale for step in steps], dtype=np.float64)
        position = _planned_positions(history, view.axis)
        curves.append(Curve(position(steps), rates, "muted"))
        phases = [phase for phase in plan.phases[1:] if phase.first > last]
        to_come = tuple(Border(float(position(np.array([phase.first]))[0]), phase.name) for phase in phases)
        frame = replace(frame, borders=frame.borders + to_come)
    spans = history.state.plan.phases if history.state.plan else ()
    if len(spans) > 1:  # on this chart, where phases differ most, the first one is named too
        first = Border(history.position(view.axis, spans[0].first), spans[0].name)
        frame = replace(frame, borders=(first, *frame.borders))
    return replace(frame, curves=tuple(curves))


def planned(config: RunConfig | None, plan: events.Planned | None) -> schedule.Plan | None:
    """The plan of an event, rebuilt by the configuration's phases; None where these are not known or do not fit."""
    if config is None or plan is None or len(plan.phases) != len(config.train.phases):
        return None
    try:
        return schedule.from_totals(config.train.phases, plan.totals or ((0, plan.steps),))
    except ConfigError:
        return None


def _planned_positions(history: History, axis: Axis) -> Callable[[Floats], Floats]:
    """Where steps that are still to come stand on the axis; on that of time the last one stands at the time budget."""
    plan = history.state.plan
    if axis == "time" and plan and plan.seconds and len(history.step):
        now, end = history.seconds.last, max(plan.seconds, history.seconds.last)
        return lambda steps: np.interp(steps, (history.step.last, plan.steps), (now, end))
    return lambda steps: np.array([history.position(axis, step) for step in steps], dtype=np.float64)


def grad(run: ChartedRun, view: ChartView) -> Picture:
    """The norm of the gradient, and the norm it is clipped to."""
    clip = run.config.train.grad_clip if run.config else 0.0
    picture = _one_series(run, view, run.history.grad_norm, "norm")
    return replace(
        picture, levels=(Level(clip, f"clip {clip:g}"),) if clip else (), log_y=_spiky(run.history.grad_norm)
    )


def speed(run: ChartedRun, view: ChartView) -> Picture:
    """Tokens per second, from 0, so that a steady speed is a level line whatever its small changes."""
    sample = _sampled(run.history.speed)
    top = float(np.percentile(sample, 99)) if len(sample) else 0.0
    return replace(_one_series(run, view, run.history.speed, "speed"), y_range=(0.0, 1.2 * top) if top > 0 else None)


def param(run: ChartedRun, view: ChartView) -> Picture:
    """The norm of all weights."""
    return _one_series(run, view, run.history.param_norm, "norm")


def ratio(run: ChartedRun, view: ChartView) -> Picture:
    """The norm of the weights over the norm of the gradient."""
    return _one_series(run, view, run.history.norm_ratio, "lr")


def _one_series(run: ChartedRun, view: ChartView, series: Series, role: str) -> Picture:
    return replace(_frame(run, view), curves=(Curve(run.history.positions(view.axis), series.values, role),))


def _sampled(series: Series) -> Floats:
    """A few thousand of the finite values, evenly spread: enough for their distribution."""
    values = series.values
    sample = values[:: len(values) // 4096 + 1]
    return sample[np.isfinite(sample)]


def _spiky(series: Series) -> bool:
    """Whether the greatest value is far above the median."""
    sample = _sampled(series)
    if not len(sample):
        return False
    median, greatest = float(np.median(sample)), float(np.nanmax(series.values))
    return median > 0 and greatest > SPIKY * median


PICTURES: dict[str, Callable[[ChartedRun, ChartView], Picture]] = {
    "loss": loss, "lr": lr, "grad": grad, "speed": speed, "param": param, "ratio": ratio,
}  # fmt: skip
"""What draws each chart."""


def value_at(run: ChartedRun, name: str, step: int | None, smoothing: float = 0.0) -> float | None:
    """The value of a chart at a step, by default the newest; None where there is none."""
    history = run.history
    series = {
        "loss": history.loss, "lr": history.lr, "grad": history.grad_norm,
        "speed": history.speed, "param": history.param_norm, "ratio": history.norm_ratio,
    }[name]  # fmt: skip
    if not len(series):
        return None
    index = len(series) - 1 if step is None else max(history.step.index_after(step) - 1, 0)
    values = series.smoothed(smoothing) if name == "loss" else series.values
    value = float(values[index]) * (run.unit.factor if name == "loss" else 1.0)
    return value if np.isfinite(value) else None
