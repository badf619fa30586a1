"""Learning rates against torch's schedulers, and plans of phases."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from tinylm.config import resolve
from tinylm.config.schema import Phase, RunConfig
from tinylm.errors import ConfigError
from tinylm.planning.schedule import SCHEDULES, PhasePlan, Plan, from_totals, plan, replan

QUIETLY = hypothesis_settings(max_examples=100, deadline=None, derandomize=True)


def laid(schedule: str, steps: int, **values: float) -> PhasePlan:
    return plan([Phase(schedule=schedule, steps=steps, **values)]).phases[0]  # type: ignore[arg-type]


def ours(phase: PhasePlan, steps: int) -> list[float]:
    return [SCHEDULES[phase.schedule](i, phase) for i in range(steps)]


def torchs(scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The rate that torch would train with at each step, counted from 0."""
    rates = []
    scheduler.optimizer.step()  # once is enough for torch's own check
    for _ in range(steps):
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        scheduler.step()
    return rates


def optimizer(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


# ---- against torch ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("up", "down", "base", "top", "steps"),
    [
        (2500, 15_000, 5e-5, 3e-4, 42_000),  # the reference recipe
        (1, 1, 0.0, 1.0, 50),
        (1, 5, 5e-5, 3e-4, 100),
        (3, 4, 1e-3, 1e-3, 50),
        (7, 3, 0.0, 1e-2, 101),
        (13, 1, 1e-6, 1.0, 200),
    ],
)
def test_cyclic_is_torchs_triangular2_at_every_step(up: int, down: int, base: float, top: float, steps: int) -> None:
    scheduler = lr_scheduler.CyclicLR(
        optimizer(base), base, top, step_size_up=up, step_size_down=down, mode="triangular2", cycle_momentum=False
    )
    phase = laid("cyclic", steps, base_lr=base, max_lr=top, steps_up=up, steps_down=down)
    # torch computes its position in a cycle by 1 + i / period - cycle, which costs it some of the last digits.
    assert ours(phase, steps) == pytest.approx(torchs(scheduler, steps), rel=1e-9, abs=1e-12 * top)


def test_cyclic_after_very_many_cycles_is_its_base() -> None:
    phase = laid("cyclic", 10**6, base_lr=0.1, max_lr=1.1, steps_up=1, steps_down=1)
    assert SCHEDULES["cyclic"](999_999, phase) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("warmup", "steps", "top", "low"), [(3000, 42_000, 3e-4, 1.5e-5), (3, 10, 1.0, 0.0), (1, 7, 0.1, 0.1)]
)
def test_cosine_is_torchs_linear_warm_up_into_cosine_annealing(warmup: int, steps: int, top: float, low: float) -> None:
    """torch multiplies its way through both schedulers, so it drifts; its closed form is met far more closely."""
    tiny = 1e-10  # LinearLR refuses to start from 0
    first = optimizer(top)
    linear = lr_scheduler.LinearLR(first, start_factor=tiny, total_iters=warmup)
    annealing = lr_scheduler.CosineAnnealingLR(first, T_max=steps - warmup, eta_min=low)
    both = lr_scheduler.SequentialLR(first, [linear, annealing], milestones=[warmup])
    rates = ours(laid("cosine", steps, max_lr=top, min_lr=low, warmup_steps=warmup), steps)
    assert rates == pytest.approx(torchs(both, steps), rel=1e-4, abs=1e-8 * top)

    closed = [top * i / warmup for i in range(warmup)]
    falling = (math.pi * i / (steps - warmup) for i in range(steps - warmup))
    closed += [low + (top - low) * (1 + math.cos(angle)) / 2 for angle in falling]
    assert rates == pytest.approx(closed, rel=1e-9, abs=1e-9 * top)


def test_cosine_ends_at_its_lowest_rate_and_stays_there() -> None:
    phase = laid("cosine", 100, max_lr=1.0, min_lr=0.25, warmup_steps=10)
    assert SCHEDULES["cosine"](0, phase) == 0.0
    assert SCHEDULES["cosine"](10, phase) == 1.0
    assert SCHEDULES["cosine"](55, phase) == pytest.approx(0.625)
    assert SCHEDULES["cosine"](100, phase) == SCHEDULES["cosine"](500, phase) == 0.25


# ---- wsd and constant ---------------------------------------------------------------------------------------------


def test_wsd_rises_stays_and_falls() -> None:
    rates = ours(laid("wsd", 100, max_lr=1.0, min_lr=0.1, warmup_steps=9, steps_down=40), 100)
    assert rates[:10] == pytest.approx([0.1 + 0.9 * (i + 1) / 10 for i in range(10)])
    assert rates[9:60] == pytest.approx([1.0] * 51)
    falls = [a - b for a, b in itertools.pairwise(rates[60:])]
    assert falls == pytest.approx([falls[0]] * 39)
    assert rates[60] < 1.0
    assert 0.1 < rates[-1] < 0.125


def test_wsd_may_decay_all_the_way() -> None:
    rates = ours(laid("wsd", 10, max_lr=1.0, warmup_steps=0, steps_down=10), 10)
    assert rates == pytest.approx([(10 - i) / 11 for i in range(10)])


@pytest.mark.parametrize(("share", "number"), [(0.1, 10), (0.25, 25)])
def test_lengths_below_one_are_shares_of_the_phase(share: float, number: int) -> None:
    as_share = laid("wsd", 100, warmup_steps=share, steps_down=share)
    assert (as_share.warmup, as_share.down) == (number, number)


def test_constant_warms_up_and_stays() -> None:
    rates = ours(laid("constant", 10, max_lr=2.0, warmup_steps=3), 10)
    assert rates == pytest.approx([0.5, 1.0, 1.5, 2, 2, 2, 2, 2, 2, 2])
    assert ours(laid("constant", 3, max_lr=2.0), 3) == [2.0, 2.0, 2.0]


PHASES = st.builds(
    Phase,
    schedule=st.sampled_from(sorted(SCHEDULES)),
    steps=st.integers(1, 300),
    base_lr=st.floats(0, 1e-3),
    min_lr=st.floats(0, 1e-3),
    max_lr=st.floats(1e-3, 1),
    warmup_steps=st.floats(0, 1) | st.integers(0, 400).map(float),
    steps_up=st.floats(0, 1) | st.integers(0, 400).map(float),
    steps_down=st.floats(0, 1) | st.integers(0, 400).map(float),
)


@QUIETLY
@given(PHASES)
def test_no_rate_leaves_its_bounds(phase: Phase) -> None:
    there = plan([phase]).phases[0]
    rates = ours(there, there.steps + 3)
    lowest = {"cyclic": phase.base_lr, "wsd": phase.min_lr}.get(phase.schedule, 0.0)
    assert all(math.isfinite(rate) for rate in rates)
    assert min(rates) >= lowest * (1 - 1e-9)
    assert max(rates) <= phase.max_lr * (1 + 1e-9)
    if phase.schedule in ("wsd", "constant"):
        assert min(rates[: there.steps]) > 0  # every step learns


# ---- plans --------------------------------------------------------------------------------------------------------


def seed() -> list[Phase]:
    table = resolve.merge(RunConfig().model_dump(), resolve.read_preset("seed", Path("/nonexistent")))
    return resolve.validate(table).train.phases


def check(result: Plan, phases: list[Phase], total: int) -> None:
    assert result.steps == total == sum(phase.steps for phase in result.phases)
    assert [phase.name for phase in result.phases] == [phase.name for phase in phases]
    assert result.phases[0].first == 1
    for before, after in itertools.pairwise(result.phases):
        assert after.first == before.last + 1
    assert all(phase.steps >= 1 for phase in result.phases)


def test_the_seed_recipe_at_its_own_length() -> None:
    result = plan(seed())
    check(result, seed(), 84_000)
    first, second = result.phases
    assert (first.steps, first.up, first.down, first.last) == (42_000, 2500, 15_000, 42_000)
    assert (second.steps, second.warmup, second.first) == (42_000, 3000, 42_001)
    assert result.lr(1) == pytest.approx(5e-5)
    assert result.lr(2501) == pytest.approx(3e-4)
    assert result.lr(42_001) == 0.0
    assert result.lr(45_001) == pytest.approx(3e-4)
    assert result.lr(84_000) == pytest.approx(1.5e-5, rel=1e-3)


def test_the_seed_recipe_in_thirty_steps() -> None:
    result = plan(seed(), 30)
    check(result, seed(), 30)
    first, second = result.phases
    assert (first.steps, second.steps) == (15, 15)
    assert (first.up, first.down, second.warmup) == (1, 5, 1)
    assert max(result.lr(step) for step in range(1, 16)) == pytest.approx(3e-4)


@pytest.mark.parametrize("total", [2, 3, 839, 84_001, 10**7])
def test_the_seed_recipe_in_any_length(total: int) -> None:
    result = plan(seed(), total)
    check(result, seed(), total)
    assert abs(result.phases[0].steps - result.phases[1].steps) <= 1
    assert result.phases[0].up >= 1
    assert result.phases[1].warmup >= 1


@QUIETLY
@given(st.lists(PHASES, min_size=1, max_size=6), st.integers(1, 5000))
def test_steps_scale_to_any_total(phases: list[Phase], total: int) -> None:
    if total < len(phases):
        with pytest.raises(ConfigError, match="a step each"):
            plan(phases, total)
        return
    result = plan(phases, total)
    check(result, phases, total)
    own = sum(phase.steps or 0 for phase in phases)
    for planned, phase in zip(result.phases, phases, strict=True):
        assert abs(planned.steps - (phase.steps or 0) / own * total) <= len(phases)
    for step in range(1, total + 1, 7):
        assert result.phases[result.phase_index(step)].first <= step <= result.phases[result.phase_index(step)].last


@QUIETLY
@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=6), st.integers(6, 5000))
def test_shares_scale_to_any_total(weights: list[float], total: int) -> None:
    phases = [Phase(share=weight / sum(weights)) for weight in weights]
    check(plan(phases, total), phases, total)


def test_shares_too_small_for_the_sum_still_get_a_step() -> None:
    phases = [Phase(share=1.0), Phase(share=1e-20), Phase(share=1e-20)]
    assert [phase.steps for phase in plan(phases, 100).phases] == [98, 1, 1]


def test_the_same_length_is_laid_out_as_written() -> None:
    phases = [Phase(steps=3), Phase(steps=11), Phase(steps=2)]
    assert [phase.steps for phase in plan(phases).phases] == [3, 11, 2]
    assert [phase.steps for phase in plan(phases, 16).phases] == [3, 11, 2]
    assert [phase.steps for phase in plan(phases, 160).phases] == [30, 110, 20]


@pytest.mark.parametrize("total", [0, -1, 1])
def test_too_few_steps_are_refused(total: int) -> None:
    with pytest.raises(ConfigError, match="2 phases"):
        plan([Phase(steps=5), Phase(steps=5)], total)


def test_steps_past_the_end_belong_to_the_last_phase() -> None:
    result = plan([Phase(name="a", steps=5), Phase(name="b", steps=5)])
    assert [result.phase_index(step) for step in (1, 5, 6, 10, 11, 999)] == [0, 0, 1, 1, 1, 1]


# ---- plans that are made anew -------------------------------------------------------------------------------------

CHANGES = st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.2, 5)), max_size=6)
"""New plans: at which share of the present one, and how much longer what is left becomes."""


def carried_out(phases: list[Phase], total: int, changes: list[tuple[float, float]]) -> tuple[list[Plan], Plan]:
    """The plan in force at each step of a run whose plan changes, and the last one."""
    present, in_force, changes = plan(phases, total), [], list(changes)
    while len(in_force) < present.steps:
        in_force.append(present)
        step = len(in_force)
        if changes and step >= changes[0][0] * present.steps:
            left = round((present.steps - step) * changes.pop(0)[1])
            present = replan(present, phases, step, step + left)
    return in_force, present


@QUIETLY
@given(st.lists(PHASES, min_size=1, max_size=3), st.integers(3, 400), CHANGES)
def test_no_new_plan_raises_a_rate_that_falls(
    phases: list[Phase], total: int, changes: list[tuple[float, float]]
) -> None:
    in_force, _ = carried_out(phases, total, changes)
    for step in range(2, len(in_force) + 1):
        before, now = in_force[step - 2], in_force[step - 1]
        phase = before.phases[before.phase_index(step - 1)]
        same = now.phases[now.phase_index(step)].first == phase.first
        if same and phase.schedule in ("wsd", "cosine") and step - 1 - phase.first >= phase.warmup:
            assert now.lr(step) <= before.lr(step - 1) * (1 + 1e-9)


@QUIETLY
@given(PHASES, st.integers(3, 400), CHANGES)
def test_a_new_plan_goes_on_from_the_rate_in_force(
    phase: Phase, total: int, changes: list[tuple[float, float]]
) -> None:
    in_force, _ = carried_out([phase], total, changes)
    for step in range(1, len(in_force)):
        before, now = in_force[step - 1], in_force[step]
        if now is not before and step - 1 >= before.phases[0].warmup and phase.schedule != "cyclic":
            assert now.lr(step) == pytest.approx(before.lr(step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("total", [1200, 2000, 8000])
@pytest.mark.parametrize("at", [100, 700, 1300])
def test_cycles_go_on_from_where_they_are(at: int, total: int) -> None:
    phases = [Phase(schedule="cyclic", share=1.0, base_lr=1e-4, max_lr=1e-2, steps_up=0.2, steps_down=0.3)]
    total = max(total, at + 100)
    before, changed = plan(phases, 1500), replan(plan(phases, 1500), phases, at, total)
    assert changed.lr(at) == pytest.approx(before.lr(at), rel=0.02)
    stretched = [before.lr(at + round((step - at) * 1500 / total)) for step in range(at, total + 1)]
    assert [changed.lr(step) for step in range(at, total + 1)] == pytest.approx(stretched, abs=0.05 * 1e-2)


@pytest.mark.parametrize("schedule", ["wsd", "cosine"])
@pytest.mark.parametrize("at", [30, 59, 70, 95])
@pytest.mark.parametrize("total", [97, 100, 150, 700])
def test_a_new_plan_ends_as_low_as_the_old(schedule: str, at: int, total: int) -> None:
    phases = [Phase(schedule=schedule, share=1.0, max_lr=1.0, min_lr=0.1, warmup_steps=5, steps_down=0.4)]
    changed = replan(plan(phases, 100), phases, at, total)
    assert changed.steps == total
    rates = [changed.lr(step) for step in range(at, total + 1)]
    assert rates == sorted(rates, reverse=True)
    slowest = (rates[0] - 0.1) / (total - at) if schedule == "wsd" else 0.05
    assert rates[-1] <= 0.1 + max(slowest, 1 / 40) * 1.01


def test_before_the_decay_a_new_plan_is_laid_out_as_configured() -> None:
    phases = [Phase(schedule="wsd", share=1.0, warmup_steps=0.02, steps_down=0.4)]
    changed, whole = replan(plan(phases, 500), phases, 100, 1000), plan(phases, 1000)
    assert [changed.lr(step) for step in range(101, 1001)] == [whole.lr(step) for step in range(101, 1001)]


def test_a_decay_that_would_have_begun_begins_now() -> None:
    phases = [Phase(schedule="wsd", share=1.0, max_lr=1.0, steps_down=0.4)]
    changed = replan(plan(phases, 1000), phases, 500, 600)
    assert [changed.lr(step) for step in (500, 501, 550, 600)] == pytest.approx([1.0, 1.0, 0.51, 0.01], abs=0.01)


def test_a_phase_to_come_may_raise_the_rate() -> None:
    phases = [Phase(name=name, schedule="wsd", share=0.5, max_lr=1.0, steps_down=0.5) for name in "ab"]
    changed = replan(plan(phases, 200), phases, 90, 300)
    assert [phase.first for phase in changed.phases] == [1, 151]
    assert changed.lr(150) < 0.1
    assert changed.lr(152) == 1.0


@QUIETLY
@given(st.lists(PHASES, min_size=1, max_size=3), st.integers(3, 400), CHANGES)
def test_a_plan_is_made_again_from_its_totals(
    phases: list[Phase], total: int, changes: list[tuple[float, float]]
) -> None:
    totals = [(0, total)]
    in_force, last = carried_out(phases, total, changes)
    for step, (before, now) in enumerate(itertools.pairwise([*in_force, last]), start=1):
        if now is not before:
            totals.append((step, now.steps))
    assert from_totals(phases, tuple(totals)) == last
