"""The learning-rate finder on Plan: its sweep as picture and words, what taking it over changes, how it stops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.rehearsals import RehearsingEngine, fitted, sweep_events
from tests.tui.screens.plan.plan_pilot import TOO_SHORT, make, numbers, on_plan, refuse, until
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.events import LrFound
from tui.screens.plan import lr_finder
from tui.screens.plan.lr_finder import LrSweep
from tui.screens.plan.rehearsal import RehearsalPane
from tui.screens.plan.screen import PlanScreen

pytestmark = pytest.mark.usefixtures("at_once")


def of_preset(name: str, **train: object) -> RunConfig:
    return resolve.with_values(resolve.validate(resolve.read_preset(name, Path())), train=train)


def whole(config: RunConfig, diverged_at: float | None = None, suggestion: float | None = 8e-3) -> LrSweep:
    sweep = LrSweep(config)
    for event in sweep_events(diverged_at, suggestion):
        sweep = sweep.with_event(event)
    return sweep


# ---- into the plan ------------------------------------------------------------------------------------------------


def test_one_phase_takes_the_rate() -> None:
    config = of_preset("quick")
    taken = lr_finder.with_rate(config, 8e-3)
    assert taken.train.phases[0].max_lr == 8e-3
    assert taken == resolve.with_values(config, train={"fit": False, "phases": [taken.train.phases[0].model_dump()]})
    assert "8e-3 now, and Fit is off" in lr_finder.confirmation(config, 8e-3)[0]
    assert max(map(len, lr_finder.confirmation(config, 8e-3)[2:])) <= 58, "on 60 columns"
    assert "Fit" not in lr_finder.confirmation(taken, 8e-3)[0]


def test_phases_with_the_same_rate_take_it_and_keep_their_shape() -> None:
    config = of_preset("seed")
    assert lr_finder.matching_phases(config) == [0, 1]
    cyclic, cosine = lr_finder.with_rate(config, 3e-3).train.phases
    assert (cyclic.max_lr, cyclic.base_lr) == (3e-3, 5e-4)
    assert (cosine.max_lr, cosine.min_lr) == (3e-3, 1.5e-4)
    lower = lr_finder.with_rate(config, 2e-5).train.phases[0]
    assert lower.base_lr < lower.max_lr, "else no plan would be valid"


def test_a_phase_with_another_rate_or_other_texts_keeps_its_own() -> None:
    first, last = (phase.model_dump() for phase in of_preset("seed").train.phases)
    polishing = of_preset("seed", phases=[first, {**last, "max_lr": 1e-4}])
    assert lr_finder.matching_phases(polishing) == [0]
    assert lr_finder.with_rate(polishing, 3e-3).train.phases[1] == polishing.train.phases[1]
    elsewhere = of_preset("seed", phases=[first, {**last, "sources": ["/other.txt"]}])
    assert lr_finder.matching_phases(elsewhere) == [0]


# ---- in words -----------------------------------------------------------------------------------------------------


def test_what_was_found_is_a_sentence() -> None:
    longest, *_, shortest = lr_finder.status(whole(of_preset("quick"), diverged_at=5e-2), "…")
    assert "lowest near 0.025 and diverges at 0.05" in longest
    assert "F takes 8e-3" in longest
    assert "F takes 8e-3" in shortest
    assert len(shortest) < 30
    assert "as top rate for phases 1 and 2" in lr_finder.status(whole(of_preset("seed")), "…")[0]


@pytest.mark.parametrize(
    ("rates", "diverged_at", "why"),
    [
        ((1e-5, 1e-1), None, "The loss did not fall"),
        ((1e-5, 1e-4), 1e-4, "The loss did not fall"),
        ((1e-5, 1e-4), None, "The sweep takes too long here"),
        ((), 1e-5, "The loss did not fall"),
    ],
)
def test_where_nothing_was_found_it_says_why(rates: tuple[float, ...], diverged_at: float | None, why: str) -> None:
    result = LrFound(0, rates, tuple(7.6 for _ in rates), None, diverged_at)
    sweep = LrSweep(of_preset("quick")).with_event(result)
    for sentence in lr_finder.status(sweep, "…"):
        assert sentence.startswith(why)
        assert "F takes" not in sentence
    assert sweep.suggestion is None
    assert lr_finder.sweep_picture(sweep, now=1.2e-2).has_values == bool(rates)


# ---- as a picture -------------------------------------------------------------------------------------------------


def test_the_picture_marks_the_suggestion_on_the_curve_and_the_rate_of_now() -> None:
    sweep = whole(of_preset("quick"))
    picture = lr_finder.sweep_picture(sweep, now=1.2e-2)
    line, mark = picture.curves
    assert picture.log_x
    assert picture.x_range == (1e-5, 1e-1)
    assert line.ys.tolist() == list(sweep.losses)
    assert mark.xs.tolist() == [8e-3]
    assert min(sweep.losses) < mark.ys[0] < max(sweep.losses)
    assert [(border.x, border.label) for border in picture.borders] == [(8e-3, "F 8e-3"), (1.2e-2, "now")]
    on_its_way = replace(sweep, result=None)
    assert len(lr_finder.sweep_picture(on_its_way, now=1.2e-2).curves) == 1


# ---- on the screen ------------------------------------------------------------------------------------------------


async def swept(pilot: Pilot[Any], screen: PlanScreen) -> None:
    """Wait for the rehearsal, begin a sweep and wait for its result."""
    await until(pilot, lambda: screen.state.fresh)
    await pilot.press("F")
    await until(pilot, lambda: screen.state.sweep and screen.state.sweep.result)


def shown(screen: PlanScreen) -> RehearsalPane:
    return screen.query_one(RehearsalPane)


async def test_f_shows_the_sweep_and_f_again_takes_its_rate(home: Path) -> None:
    engine = RehearsingEngine()
    async with on_plan(make(home, engine)) as (pilot, screen):
        await swept(pilot, screen)
        assert screen.query_one("#schedule").border_title == "Loss by learning rate"
        assert shown(screen).picture.log_x
        assert "lowest near 0.025" in screen.sentence()
        assert "F takes 8e-3" in screen.sentence()
        assert screen.studio.plan.train.phases[0].max_lr == 1.2e-2, "nothing is taken that nobody asked for"
        assert "6,144 tokens/s" in numbers(screen), "the rehearsal still counts"
        await pilot.press("F")
        await pilot.pause()
        assert screen.studio.plan.train.phases[0].max_lr == 8e-3
        assert "Top rate is 8e-3 now, and Fit is off" in screen.sentence()
        assert screen.state.sweep is None
        assert screen.query_one("#schedule").border_title == "Learning rate"
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert screen.studio.plan.train.phases[0].max_lr == 1.2e-2
    assert len(engine.sweeps) == 1


def _now(screen: PlanScreen) -> float:
    return next(border.x for border in shown(screen).picture.borders if border.label == "now")


async def test_with_fit_on_the_rate_is_taken_over_for_the_model_that_fit_chose(home: Path) -> None:
    async with on_plan(make(home, RehearsingEngine(answer=fitted))) as (pilot, screen):
        before = screen.studio.plan
        await swept(pilot, screen)
        await until(pilot, lambda: _now(screen) == pytest.approx(6e-3))
        await pilot.press("F")
        await pilot.pause()
        model, train = screen.studio.plan.model, screen.studio.plan.train
        assert (model.n_layer, model.n_embd, train.batch_size, train.phases[0].max_lr) == (6, 256, 12, 8e-3)
        assert not train.fit, "or the rule would scale the rate again"
        assert (train.threads, train.precision) == (before.train.threads, before.train.precision)
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert screen.studio.plan == before


async def test_where_nothing_was_rehearsed_the_plans_own_numbers_stay(home: Path) -> None:
    async with on_plan(make(home, RehearsingEngine(answer=refuse))) as (pilot, screen):
        before = screen.studio.plan
        await swept(pilot, screen)
        assert _now(screen) == 1.2e-2
        await pilot.press("F")
        await pilot.pause()
        assert screen.studio.plan == lr_finder.with_rate(before, 8e-3)
        assert not screen.studio.plan.train.fit


async def test_the_sweep_grows_and_esc_stops_it(home: Path) -> None:
    engine = RehearsingEngine()
    engine.hold_at = 30
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        await pilot.press("F")
        await until(pilot, lambda: screen.state.sweep and len(screen.state.sweep.rates) == 30)
        assert screen.state.doing == "sweeping"
        assert screen.sentence().startswith("Trying rates from 1e-5 to 0.1")
        assert "at 9.3e-4" in screen.sentence()
        await pilot.press("F")
        assert len(engine.sweeps) == 1, "one is on its way"
        await pilot.press("escape")
        assert screen.state.sweep is None
        await until(pilot, lambda: engine.called_off)
        await until(pilot, lambda: "Enter trains" in screen.sentence())
        assert screen.studio.plan.train.phases[0].max_lr == 1.2e-2


async def test_esc_puts_a_whole_sweep_away(home: Path) -> None:
    async with on_plan(make(home)) as (pilot, screen):
        await swept(pilot, screen)
        await pilot.press("down", "up")
        assert screen.state.sweep, "moving through the form changes nothing"
        await pilot.press("escape")
        assert screen.state.sweep is None
        assert "Enter trains" in screen.sentence()


@pytest.mark.parametrize("leave", [False, True])
async def test_a_change_or_leaving_the_screen_calls_a_sweep_off(home: Path, leave: bool) -> None:
    engine = RehearsingEngine()
    engine.hold_at = 5
    app = make(home, engine)

    async with on_plan(app) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        await pilot.press("F")
        await until(pilot, lambda: engine.sweeps)
        if leave:
            app.action_go("data")
        else:
            await pilot.press("down", "down", "down", "right")
        await until(pilot, lambda: engine.called_off)
        assert screen.jobs.sweep is None
        if not leave:
            await until(pilot, lambda: screen.state.fresh)
            assert engine.rehearsed[-1].model.n_layer == 5, "the changed plan is rehearsed"


async def test_a_sweep_waits_until_the_rehearsal_has_let_go(home: Path) -> None:
    engine = RehearsingEngine(hold=True)
    engine.hold_at = 1
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: engine.rehearsed)
        await pilot.press("F")
        await until(pilot, lambda: engine.sweeps)
        assert len(engine.called_off) == len(engine.rehearsed) == 1, "two at once would slow each other down"
        engine.let_go.set()
        engine.hold_at = None
        await until(pilot, lambda: screen.state.sweep and screen.state.sweep.result)
        await until(pilot, lambda: screen.state.fresh)
        assert screen.state.sweep, "the rehearsal that it had put off leaves it there"


async def test_a_sweep_that_cannot_be_made_says_why(home: Path) -> None:
    engine = RehearsingEngine()
    engine.sweep_error = TOO_SHORT
    async with on_plan(make(home, engine), size=(160, 45)) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        await pilot.press("F")
        await until(pilot, lambda: "No sweep" in screen.sentence())
        assert TOO_SHORT.message in screen.sentence()
        assert screen.state.sweep is None


# ---- looks --------------------------------------------------------------------------------------------------------


async def _swept_and_drawn(pilot: Pilot[Any]) -> None:
    await swept(pilot, pilot.app.screen)
    pilot.app.screen.refresh_all()
    await pilot.pause()


@pytest.mark.parametrize(("size", "preset"), [((80, 24), "quick"), ((160, 45), "seed"), ((60, 18), "quick")])
def test_how_a_sweep_looks(snap_compare: Any, home: Path, size: tuple[int, int], preset: str) -> None:
    assert snap_compare(make(home, preset=preset), terminal_size=size, run_before=_swept_and_drawn)
