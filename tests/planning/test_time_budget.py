"""How many steps fit into a time budget."""

import pytest

from tinylm.config.schema import TrainConfig
from tinylm.planning.time_budget import (
    AUTO_EVALS,
    AUTO_SAMPLES,
    EVALUATION_SHARE,
    MAX_OUTLIER,
    TimeBudget,
    affordable,
    is_short,
    sequence_seconds,
)


def test_steps_that_are_left() -> None:
    assert TimeBudget(budget=100, step_seconds=1.0).steps_left(0) == 100
    assert TimeBudget(budget=100, step_seconds=1.0).steps_left(40) == 60
    assert TimeBudget(budget=100, step_seconds=0.5).steps_left(40) == 120
    assert TimeBudget(budget=100, step_seconds=1.0).steps_left(100) == 0
    assert TimeBudget(budget=100, step_seconds=1.0).steps_left(1000) == 0


def test_the_closing_is_set_aside() -> None:
    budget = TimeBudget(
        budget=100,
        step_seconds=1.0,
        evaluation_seconds=2,
        final_evaluation_seconds=10,
        sample_seconds=3,
        save_seconds=5,
    )
    assert budget.closing_seconds == 20
    assert budget.steps_left(0) == 80


def test_what_happens_between_steps_takes_its_share() -> None:
    budget = TimeBudget(budget=112, step_seconds=1.0, evaluation_seconds=2, sample_seconds=8, save_seconds=2)
    assert budget.steps_left(0) == 100
    assert budget.steps_left(0, eval_interval=2) == 50  # each step costs 1 + 2/2
    assert budget.steps_left(0, eval_interval=2, sample_interval=4) == 25  # 1 + 2/2 + 8/4
    assert budget.steps_left(0, save_interval_seconds=2) == 50  # a save of 2 s after each 2 s of work


def test_a_plan_that_is_kept_uses_the_whole_time_and_no_more() -> None:
    """Steps, evaluations, samples and saves carried out as planned end within a step of the budget."""
    budget = TimeBudget(
        budget=500,
        step_seconds=0.25,
        evaluation_seconds=1.5,
        final_evaluation_seconds=4,
        sample_seconds=2,
        save_seconds=0.5,
    )
    steps = budget.steps_left(0, eval_interval=50, sample_interval=100, save_interval_seconds=15)
    work = steps * 0.25 + steps / 50 * 1.5 + steps / 100 * 2
    assert work + work / 15 * 0.5 + budget.closing_seconds == pytest.approx(500, abs=0.5)


def test_the_speed_is_the_mean_of_steps_and_not_the_guess() -> None:
    budget = TimeBudget(budget=1000, step_seconds=100.0)
    budget.record_steps(2.0, 1, 2.0)
    assert budget.step_seconds == 2.0
    budget.record_steps(4.0, 2, 6.0)
    assert budget.step_seconds == pytest.approx(2.0)
    budget.record_steps(4.0, 1, 10.0)
    assert 2.0 < budget.step_seconds < 3.0


def test_a_stall_is_no_new_speed() -> None:
    stalled = TimeBudget(budget=1000, step_seconds=1.0)
    for second in range(1, 21):
        stalled.record_steps(1.0, 1, second)
    stalled.record_steps(60.0, 1, 80)
    assert stalled.step_seconds <= 1 + MAX_OUTLIER / 20


@pytest.mark.parametrize("slower", [1.5, 3.0, 10.0])
def test_a_lasting_change_is_learnt(slower: float) -> None:
    budget = TimeBudget(budget=100, step_seconds=0.1)
    for i in range(200):
        budget.record_steps(0.1, 1, 0.1 * i)
    now = 20.0
    while now < 90:
        now += 0.1 * slower
        budget.record_steps(0.1 * slower, 1, now)
    assert budget.step_seconds == pytest.approx(0.1 * slower, rel=0.15)


def ripple(left: float) -> float:
    """How far the speed swings, as a share, where another program halves it for 5 s in every 10."""
    budget, seen, now = TimeBudget(budget=1000, step_seconds=0.1), [], 1000 - left - 100
    while now < 1000 - left:
        seconds = 0.2 if now % 10 < 5 else 0.1
        now += seconds
        budget.record_steps(seconds, 1, now)
        seen.append(budget.step_seconds)
    return max(seen[-200:]) / min(seen[-200:]) - 1


def test_what_comes_and_goes_is_averaged_out_while_much_time_is_left() -> None:
    assert ripple(left=500) < 0.1 < ripple(left=10)


def test_what_was_forgotten_no_longer_counts() -> None:
    budget = TimeBudget(budget=100, step_seconds=1.0)
    budget.record_steps(10.0, 10, 10)
    budget.forget_speed()
    assert budget.step_seconds == 1.0, "until there is a newer one"
    budget.record_steps(0.4, 2, 10.4)
    assert budget.step_seconds == pytest.approx(0.2)


def test_steps_that_take_no_time_are_no_error() -> None:
    budget = TimeBudget(budget=100, step_seconds=1.0)
    budget.record_steps(0.0, 5, 0.0)
    assert budget.steps_left(0.0) > 0
    budget.intervals(TrainConfig(), 1000)


def test_it_is_over_when_another_step_would_end_further_from_the_budget() -> None:
    budget = TimeBudget(budget=100, step_seconds=2.0, save_seconds=10)
    assert not budget.is_used_up(88.9)
    assert budget.is_used_up(89.1)
    assert not TimeBudget(budget=None, step_seconds=2.0).is_used_up(1e9)


def test_the_first_total_leaves_time_for_evaluations_and_samples() -> None:
    alone = TimeBudget(budget=1000, step_seconds=1.0)
    assert alone.first_total(TrainConfig(), 100) == 900
    costly = TimeBudget(budget=1000, step_seconds=1.0, evaluation_seconds=2, sample_seconds=2)
    assert costly.first_total(TrainConfig(), 100) < 880
    assert alone.first_total(TrainConfig(), 2000) == 1


def test_intervals_by_number() -> None:
    auto, fixed = TrainConfig(), TrainConfig(eval_interval=7, sample_interval=9)
    assert TimeBudget(budget=None, step_seconds=1.0).intervals(auto, 1000) == (1000 // AUTO_EVALS, 1000 // AUTO_SAMPLES)
    assert TimeBudget(budget=None, step_seconds=1.0).intervals(auto, 5) == (1, 1)
    assert TimeBudget(budget=None, step_seconds=1.0).intervals(fixed, 1000) == (7, 9)


def test_costly_evaluations_and_samples_are_rarer() -> None:
    budget = TimeBudget(budget=None, step_seconds=1.0, evaluation_seconds=12, sample_seconds=12)
    evaluations, samples = budget.intervals(TrainConfig(), 1000)
    assert evaluations == 12 / EVALUATION_SHARE == 300  # 12 s in each 300 s
    assert samples == 600


def timed(budget: str, **train: object) -> TrainConfig:
    return TrainConfig(budget=budget, **{"batch_size": 10, "eval_iters": 20, "phases": [{"share": 1.0}]} | train)


@pytest.mark.parametrize(
    ("budget", "seconds", "iters"),
    [
        ("100s", 0.001, 20),  # all cost 0.4 s of the 3 that one evaluation may take
        ("100s", 0.01, 15),  # 0.2 s each
        ("100s", 10.0, 1),
        ("100 steps", 10.0, 20),
        ("2 epochs", 10.0, 20),
    ],
)
def test_an_evaluation_takes_what_the_time_can_pay_for(budget: str, seconds: float, iters: int) -> None:
    assert affordable(timed(budget), seconds) == iters


def test_a_sequence_is_a_third_of_its_share_of_a_step() -> None:
    assert sequence_seconds(timed("1m", accumulation_steps=2), 6.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("budget", "short"), [("2s", True), ("29s", True), ("30s", False), ("2 steps", False), ("1 epochs", False)]
)
def test_a_run_is_short_by_its_time_alone(budget: str, short: bool) -> None:
    assert is_short(timed(budget)) == short


def test_held_out_text_without_end_leaves_time_to_train() -> None:
    budget = TimeBudget(budget=100, step_seconds=1.0, final_evaluation_seconds=500)
    assert (budget.steps_left(0), budget.overrun) == (80, 480)
    assert (
        TimeBudget(budget=100, step_seconds=1.0, final_evaluation_seconds=20).overrun,
        TimeBudget(None, 1.0, 0.0, 500).overrun,
    ) == (0, 0)
    assert TimeBudget(budget=None, step_seconds=1.0, final_evaluation_seconds=500).closing_seconds == 500
