"""The loss of a run as a picture, for the screens that draw it: Train and Runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinylm import events
from tui.chart.picture import Band, Border, Curve, Level, Picture
from tui.live.history import Axis, History
from tui.live.loss_unit import LossUnit


def loss_picture(
    frame: Picture, history: History, unit: LossUnit, axis: Axis, smoothing: float, held_out: Sequence[Curve]
) -> Picture:
    """`frame` with the loss in it: single steps as a band, their average as a line, held-out losses as points."""
    positions, raw = history.positions(axis), history.loss.values * unit.factor
    line, band = raw, None
    if smoothing and len(raw):
        line, band = history.loss.smoothed(smoothing) * unit.factor, Band(positions, raw)
    return replace(frame, curves=(Curve(positions, line, "train"), *held_out), band=band)


def held_out_curves(history: History, unit: LossUnit, axis: Axis, mark_best: bool) -> list[Curve]:
    """The held-out losses as points; with `mark_best` the best of them as a curve of its own."""
    losses = {event.step: unit.held_out(event) for event in history.state.evals}  # of two at a step, the later one
    points = [(step, losses[step]) for step in sorted(losses) if losses[step] is not None]
    best = history.state.best.step if mark_best and history.state.best else None
    curves = [_points(history, axis, [point for point in points if point[0] != best], "held_out")]
    if best is not None and losses.get(best) is not None:
        curves.append(_points(history, axis, [point for point in points if point[0] == best], "best"))
    return curves


def _points(history: History, axis: Axis, points: Sequence[tuple[int, float | None]], role: str) -> Curve:
    table = np.array([(history.position(axis, step), y) for step, y in points], dtype=np.float64).reshape(-1, 2)
    return Curve(table[:, 0], table[:, 1], role, style="points")


def baseline_levels(
    data: events.DataPrepared | None, unit: LossUnit, names: dict[str, str], values: bool = False
) -> tuple[Level, ...]:
    """The baselines in `names`, by their names; with their `values` where they are wanted."""
    known = data.baselines if data else {}
    levels = [(name, unit.of_bits(known[key])) for key, name in names.items() if key in known]
    return tuple(Level(y, f"{name} {y:.2f}" if values else name) for name, y in levels)


def phase_borders(history: History, axis: Axis) -> list[Border]:
    """Where the phases after the first began, as far as the run has come."""
    plan, last = history.state.plan, history.step.last if len(history.step) else 0.0
    begun = [span for span in plan.phases[1:] if span.first <= last] if plan else []
    return [Border(history.position(axis, span.first), span.name) for span in begun]
