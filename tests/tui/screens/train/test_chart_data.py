"""The pictures of a run: what stands in them, in which unit, and where on the axis."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.tui import scripts
from tinylm import events
from tinylm.config.schema import Phase, RunConfig, TrainConfig
from tinylm.planning import schedule
from tui.chart.picture import y_range
from tui.live.loss_unit import LossUnit
from tui.screens.train import chart_data
from tui.screens.train.chart_data import ChartedRun, ChartView

PHASES = [
    Phase(name="warm", schedule="wsd", steps=200, max_lr=1e-2, warmup_steps=10, steps_down=50),
    Phase(name="cool", schedule="cosine", steps=200, max_lr=5e-3, min_lr=1e-4),
]
CONFIG = RunConfig(train=TrainConfig(phases=PHASES, grad_clip=0.5))


def run(upto: int = 140, config: RunConfig | None = CONFIG) -> ChartedRun:
    seen = scripts.history(scripts.training(upto))
    return ChartedRun(seen, LossUnit.of_run(seen.state.data), config)


def test_bits_per_byte_where_there_are_baselines() -> None:
    data = scripts.history(scripts.opening()).state.data
    assert data is not None
    unit = LossUnit.of_run(data)
    assert unit.name == "bits/byte"
    assert unit.of(1.0) == pytest.approx(data.val_tokens / data.val_bytes / math.log(2))
    assert LossUnit.of_run(data, "nats").of_bits(unit.of(1.0)) == pytest.approx(1.0)
    assert LossUnit.of_run(None).name == "nats/token"


def test_what_is_planned_does_not_set_the_range_of_what_is_looked_at() -> None:
    picture = chart_data.lr(run(40), ChartView())
    low, high = y_range(replace(picture, x_range=(11.0, 30.0)))
    assert 0.009 < low < 0.012 < high < 0.013


def test_the_plan_that_is_still_to_come_is_the_engines() -> None:
    whole = schedule.plan(PHASES, 400)
    picture = chart_data.lr(run(), ChartView())
    done, to_come = picture.curves
    assert len(done.xs) == 140
    assert to_come.role == "muted"
    assert to_come.xs[0] == 140
    assert to_come.xs[-1] == 400
    assert [whole.lr(int(step)) for step in to_come.xs] == pytest.approx(to_come.ys.tolist())
    assert [(border.x, border.label) for border in picture.borders] == [(1, "warm"), (201, "cool")]


def planned_as(total: int, totals: schedule.Totals) -> events.Planned:
    spans = tuple(events.PhaseSpan(phase.name, 1, 1) for phase in PHASES)
    return events.Planned(total, 120.0, spans, totals)


def test_a_plan_that_was_made_anew_is_drawn_as_it_will_be_carried_out() -> None:
    totals = ((0, 400), (180, 300), (190, 360))
    seen = scripts.history([*scripts.training(190), planned_as(360, totals)])
    to_come = chart_data.lr(ChartedRun(seen, LossUnit.of_run(None), CONFIG), ChartView()).curves[1]
    whole = schedule.from_totals(PHASES, totals)
    assert [whole.lr(int(step)) for step in to_come.xs] == pytest.approx(to_come.ys.tolist())
    assert (to_come.xs[0], to_come.xs[-1]) == (190, 360)


@pytest.mark.parametrize("total", [150, 300, 500, 3000])
def test_on_the_axis_of_time_a_plan_ends_with_its_budget(total: int) -> None:
    """However many steps are planned: a new plan moves nothing there."""
    seen = scripts.history([*scripts.training(140), planned_as(total, ((0, 400), (140, total)))])
    picture = chart_data.lr(ChartedRun(seen, LossUnit.of_run(None), CONFIG), ChartView(axis="time"))
    xs = picture.curves[1].xs
    assert (xs[0], xs[-1]) == pytest.approx((seen.seconds.last, 120.0))
    assert all(border.x <= 120 for border in picture.borders)


def test_a_plan_that_cannot_be_made_is_not_drawn() -> None:
    seen = scripts.history([*scripts.training(140), planned_as(1, ((0, 1),))])
    assert len(chart_data.lr(ChartedRun(seen, LossUnit.of_run(None), CONFIG), ChartView()).curves) == 1


def test_a_rescue_slows_the_plan_down() -> None:
    seen = scripts.history([*scripts.training(140), events.Rescued(140, 100, 1, 0.5, "")])
    to_come = chart_data.lr(ChartedRun(seen, LossUnit.of_run(None), CONFIG), ChartView()).curves[1]
    assert to_come.xs[0] == 100
    assert to_come.ys[0] == pytest.approx(0.5 * schedule.plan(PHASES, 400).lr(100))


def test_without_a_configuration_there_is_no_plan() -> None:
    assert len(chart_data.lr(run(config=None), ChartView()).curves) == 1


def test_the_gradient_has_its_clip_and_a_log_scale_where_it_is_spiky() -> None:
    picture = chart_data.grad(run(), ChartView())
    assert [level.y for level in picture.levels] == [0.5]
    assert not picture.log_y
    seen = scripts.history([*scripts.training(140), scripts.step(141, grad_norm=900.0)])
    assert chart_data.grad(ChartedRun(seen, LossUnit.of_run(None)), ChartView()).log_y


def test_places_on_the_axes() -> None:
    seen = scripts.history(scripts.training(140))
    assert seen.position("steps", 70) == 70
    assert seen.position("tokens", 70) == 70 * 1536
    assert seen.position("time", 70) == 2 + 70 * 0.25
    assert seen.position("tokens", 280) == 280 * 1536
    for axis in chart_data.AXES:
        assert seen.step_at(axis, seen.position(axis, 70)) == 70
    assert seen.step_at("steps", 1e9) == 140
    assert scripts.history([]).step_at("steps", 5) is None


def test_the_curve_is_the_same_in_every_window() -> None:
    whole = chart_data.loss(run(), ChartView())
    part = chart_data.loss(run(), ChartView(window="half"))
    assert np.array_equal(whole.curves[0].ys, part.curves[0].ys)
    assert whole.x_range is None
    assert part.x_range == (71, 140)


def test_a_resumed_run_is_marked() -> None:
    begun = scripts.opening()[0]
    assert isinstance(begun, events.RunStarted)
    again = events.RunStarted(**{**vars(begun), "resumed_from": 100})
    seen = scripts.history([*scripts.training(100), again, *(scripts.step(number) for number in range(101, 120))])
    borders = chart_data.loss(ChartedRun(seen, LossUnit.of_run(None)), ChartView()).borders
    assert [(border.x, border.label) for border in borders] == [(100, "resumed")]
