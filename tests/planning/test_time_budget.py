"""How many steps fit into a time budget."""

import pytest

from tinylm.config.schema import TrainConfig
from tinylm.planning.time_budget import (
    AUTO_EVALS,
    AUTO_SAMPLES,
    EVALUATION_SHARE,
    PLAN_AGAIN_AT,
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


def test_a_step_is_learnt_as_a_running_mean() -> None:
    budget = TimeBudget(budget=None, step_seconds=1.0)
    budget.record_steps(2.0, 1)
    assert budget.step_seconds == pytest.approx(0.8 * 1 + 0.2 * 2)
    many = TimeBudget(budget=None, step_seconds=1.0)
    many.record_steps(20.0, 10)  # ten steps of 2 s
    one_by_one = TimeBudget(budget=None, step_seconds=1.0)
    for _ in range(10):
        one_by_one.record_steps(2.0, 1)
    assert many.step_seconds == pytest.approx(one_by_one.step_seconds)


def test_many_steps_together_outweigh_a_wrong_guess() -> None:
    budget = TimeBudget(budget=None, step_seconds=100.0)
    budget.record_steps(10_000.0, 10_000)
    assert budget.step_seconds < 3


def test_it_is_over_when_another_step_would_end_further_from_the_budget() -> None:
    budget = TimeBudget(budget=100, step_seconds=2.0, save_seconds=10)
    assert not budget.is_used_up(88.9)
    assert budget.is_used_up(89.1)
    assert not TimeBudget(budget=None, step_seconds=2.0).is_used_up(1e9)


def test_planning_again_is_due_once_a_share() -> None:
    budget = TimeBudget(budget=100, step_seconds=1.0)
    assert not budget.replan_is_due(0)
    times = [round(second * 0.5, 1) for second in range(201)]
    due = [second for second in times if budget.replan_is_due(second)]
    assert len(due) == len(PLAN_AGAIN_AT)
    assert due == pytest.approx([share * 100 for share in PLAN_AGAIN_AT], abs=0.51)
    assert not budget.replan_is_due(1000)


def test_shares_that_passed_together_are_one_occasion() -> None:
    budget = TimeBudget(budget=100, step_seconds=1.0)
    assert budget.replan_is_due(60)
    assert not budget.replan_is_due(60)
    assert not budget.replan_is_due(69)
    assert budget.replan_is_due(70)


def test_without_a_time_nothing_is_planned_again() -> None:
    assert not TimeBudget(budget=None, step_seconds=1.0).replan_is_due(1e9)


def test_shares_are_in_order_and_inside_the_time() -> None:
    assert sorted(set(PLAN_AGAIN_AT)) == list(PLAN_AGAIN_AT)
    assert 0 < PLAN_AGAIN_AT[0] < PLAN_AGAIN_AT[-1] < 1


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
