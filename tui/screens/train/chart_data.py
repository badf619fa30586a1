"""The six charts of a run, as pictures made from its history and from how a person wants to look at it. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.planning import schedule
from tinylm.words import duration
from tui.chart.picture import Band, Border, Curve, Level, Picture, count
from tui.live.history import History
from tui.live.loss_unit import LossUnit
from tui.live.series import Floats, Series
from tui.live.status import BASELINES

Axis = Literal["steps", "tokens", "time"]
Window = Literal["all", "half", "last 20 %", "last 200"]

AXES: tuple[Axis, ...] = ("steps", "tokens", "time")
SMOOTHINGS = (0.0, 0.9, 0.97, 0.99)
WINDOWS: tuple[Window, ...] = ("all", "half", "last 20 %", "last 200")

SPIKY = 20.0
"""A greatest value this many times the median is shown on a logarithmic axis: else the rest is a flat line."""

PLAN_POINTS = 300
"""Of the learning rate that is still to come."""

NAMES = {
    "loss": "loss",
    "lr": "learning rate",
    "grad": "gradient norm",
    "speed": "tokens per second",
    "param": "parameter norm",
    "ratio": "norm ratio",
}
"""The charts, and what they show."""


@dataclass(frozen=True)
class View:
    """How somebody looks at a run; all charts share it."""

    axis: Axis = "steps"
    smoothing: float = 0.9
    window: Window = "all"
    hair: int | None = None
    """The step under the hair line."""


@dataclass(frozen=True)
class Run:
    """What is shown: a history, its scale, and its configuration where that is known."""

    history: History
    scale: LossUnit
    config: RunConfig | None = None


def xs(history: History, axis: Axis) -> Floats:
    """Where the steps stand on the axis."""
    return {"steps": history.step, "tokens": history.tokens, "time": history.seconds}[axis].values


def x_of(history: History, axis: Axis, step: float) -> float:
    """Where a step stands, also one that no number is known of: between its neighbours, or at the pace of the last."""
    if axis == "steps" or not len(history.step):
        return float(step)
    places = xs(history, axis)
    last = history.step.last
    if step > last:
        return float(places[-1] * step / last)
    return float(np.interp(step, history.step.values, places, left=0.0))


def step_at(history: History, axis: Axis, x: float) -> int | None:
    """The step that is nearest to a place on the axis."""
    places = xs(history, axis)
    if not len(places):
        return None
    after = min(int(np.searchsorted(places, x)), len(places) - 1)
    nearer = after - 1 if after and x - places[after - 1] < places[after] - x else after
    return int(history.step.values[nearer])


def _tokens(x: float) -> str:
    return f"{x / 1e6:.2f} M" if x < 1e8 else f"{x / 1e9:.2f} G"


_ON_AXIS: dict[Axis, tuple[str, Callable[[float], str]]] = {
    "steps": ("step", count),
    "tokens": ("tokens", _tokens),
    "time": ("", duration),
}


def _frame(run: Run, view: View) -> Picture:
    """What all charts have in common: axis, window, borders."""
    history, axis = run.history, view.axis
    name, form = _ON_AXIS[axis]
    x_range = _visible(history, view)
    if not len(history.step) and history.state.plan and axis == "steps":
        x_range = (0.0, float(history.state.plan.steps))
    return Picture(x_range=x_range, x_name=name, x_format=form, borders=borders(history, axis), empty="no step yet")


def _visible(history: History, view: View) -> tuple[float, float] | None:
    places = xs(history, view.axis)
    n = len(places)
    if view.window == "all" or n < 2:
        return None
    start = {"half": n // 2, "last 20 %": n * 4 // 5, "last 200": max(0, n - 200)}[view.window]
    return float(places[min(start, n - 2)]), float(places[-1])


def borders(history: History, axis: Axis) -> tuple[Border, ...]:
    """Where phases begin, where a run was taken back or went on, and the newest steps that were left out."""
    state = history.state
    last = history.step.last if len(history.step) else 0.0
    found: list[tuple[float, str]] = []
    if state.plan:
        found += [(span.first, span.name) for span in state.plan.phases[1:] if span.first <= last]
    found += [(rescue.back_to, "rescued") for rescue in state.rescues]
    begun = [event for _, event in history.log if isinstance(event, events.RunStarted)]
    found += [(event.resumed_from, "resumed") for event in begun if event.resumed_from]
    left_out = history.step.values[np.isnan(history.loss.values)]
    found += [(float(step), "left out") for step in left_out[-3:]]
    return tuple(Border(x_of(history, axis, step), label) for step, label in found)


def loss(run: Run, view: View) -> Picture:
    """Raw losses as a band, the smoothed line, held-out points, and simpler means as levels."""
    history, scale = run.history, run.scale
    places = xs(history, view.axis)
    raw = history.loss.values * scale.factor
    line, band = raw, None
    if view.smoothing and len(raw):
        line, band = history.loss.smoothed(view.smoothing) * scale.factor, Band(places, raw)
    return replace(
        _frame(run, view),
        curves=(Curve(places, line, "train"), *_evaluations(run, view)),
        band=band,
        levels=levels(history.state.data, scale),
        empty="" if history.state.data and history.state.data.baselines else "no step yet",
    )


def _evaluations(run: Run, view: View) -> list[Curve]:
    """The held-out points; the best in a colour of its own, but under a hair line, which reads one value a curve."""
    state = run.history.state
    told = [(e, y) for e in state.evals if (y := run.scale.held_out(e)) is not None]
    best = state.best if view.hair is None else None
    curves = []
    for role, points in (
        ("held_out", [(e.step, y) for e, y in told if e is not best]),
        ("best", [(e.step, y) for e, y in told if e is best]),
    ):
        if points:
            where = np.array([x_of(run.history, view.axis, step) for step, _ in points], dtype=np.float64)
            curves.append(Curve(where, np.array([y for _, y in points], dtype=np.float64), role, style="points"))
    return curves


def levels(data: events.DataPrepared | None, scale: LossUnit) -> tuple[Level, ...]:
    """The simpler means."""
    baselines = data.baselines if data else {}
    names = BASELINES | {"floor": "no model can do better"}
    return tuple(
        Level(scale.level(bpb), f"{names[name]} {scale.level(bpb):.2f}")
        for name, bpb in baselines.items()
        if name in names
    )


def lr(run: Run, view: View) -> Picture:
    """The learning rate so far, and dimly as it is planned."""
    history = run.history
    curves = [Curve(xs(history, view.axis), history.lr.values, "lr")]
    frame = _frame(run, view)
    plan = planned(run.config, history.state.plan)
    if plan is not None and not history.state.finished:
        last = history.step.last if len(history.step) else 1.0
        steps = np.unique(np.linspace(last, max(plan.steps, last), PLAN_POINTS).round())
        scale = history.state.rescues[-1].lr_scale if history.state.rescues else 1.0
        rates = np.array([plan.lr(int(step)) * scale for step in steps], dtype=np.float64)
        where = np.array([x_of(history, view.axis, step) for step in steps], dtype=np.float64)
        curves.append(Curve(where, rates, "muted"))
        phases = [(phase.first, phase.name) for phase in plan.phases[1:] if phase.first > last]
        to_come = tuple(Border(x_of(history, view.axis, first), name) for first, name in phases)
        frame = replace(frame, borders=frame.borders + to_come)
    told = history.state.plan.phases if history.state.plan else []
    if len(told) > 1:  # here, where they differ most, the first of them has its name, too
        frame = replace(frame, borders=(Border(x_of(history, view.axis, told[0].first), told[0].name), *frame.borders))
    return replace(frame, curves=tuple(curves))


def planned(config: RunConfig | None, plan: events.Planned | None) -> schedule.Plan | None:
    """The plan that an event tells of, rebuilt from its phases' spans and the configuration."""
    if config is None or plan is None or len(plan.phases) != len(config.train.phases):
        return None
    laid = []
    for phase, span in zip(config.train.phases, plan.phases, strict=True):
        alone = schedule.plan([phase], max(1, span.last - span.first + 1)).phases[0]
        laid.append(replace(alone, first=span.first))
    return schedule.Plan(tuple(laid))


def grad(run: Run, view: View) -> Picture:
    """The gradient's norm, and the length at which it is clipped."""
    clip = run.config.train.grad_clip if run.config else 0.0
    picture = _plain(run, view, run.history.grad_norm, "norm")
    return replace(
        picture, levels=(Level(clip, f"clip {clip:g}"),) if clip else (), log_y=_spiky(run.history.grad_norm)
    )


def speed(run: Run, view: View) -> Picture:
    """Tokens per second, from 0: a steady speed is a level line, whatever its little ups and downs."""
    seen = _few(run.history.speed)
    top = float(np.percentile(seen, 99)) if len(seen) else 0.0
    return replace(_plain(run, view, run.history.speed, "speed"), y_range=(0.0, 1.2 * top) if top > 0 else None)


def param(run: Run, view: View) -> Picture:
    """The norm of all weights."""
    return _plain(run, view, run.history.param_norm, "norm")


def ratio(run: Run, view: View) -> Picture:
    """The weights' norms over the gradients', as the seed's recipe watches them."""
    return _plain(run, view, run.history.norm_ratio, "lr")


def _plain(run: Run, view: View, series: Series, role: str) -> Picture:
    return replace(_frame(run, view), curves=(Curve(xs(run.history, view.axis), series.values, role),))


def _few(series: Series) -> Floats:
    """A few thousand of the finite values, evenly spread: enough to know how they lie."""
    values = series.values
    seen = values[:: len(values) // 4096 + 1]
    return seen[np.isfinite(seen)]


def _spiky(series: Series) -> bool:
    """Whether the greatest value is far above the median."""
    seen = _few(series)
    if not len(seen):
        return False
    middle, greatest = float(np.median(seen)), float(np.nanmax(series.values))
    return middle > 0 and greatest > SPIKY * middle


MAKERS: dict[str, Callable[[Run, View], Picture]] = {
    "loss": loss, "lr": lr, "grad": grad, "speed": speed, "param": param, "ratio": ratio,
}  # fmt: skip


def value_at(run: Run, name: str, step: int | None, smoothing: float = 0.0) -> float | None:
    """What a chart shows at a step, by default the newest; None where there is none."""
    history = run.history
    series = {
        "loss": history.loss, "lr": history.lr, "grad": history.grad_norm,
        "speed": history.speed, "param": history.param_norm, "ratio": history.norm_ratio,
    }[name]  # fmt: skip
    if not len(series):
        return None
    index = len(series) - 1 if step is None else max(history.step.index_after(step) - 1, 0)
    values: Sequence[float] | Floats = series.smoothed(smoothing) if name == "loss" and smoothing else series.values
    value = float(values[index]) * (run.scale.factor if name == "loss" else 1.0)
    return value if np.isfinite(value) else None
