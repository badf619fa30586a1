"""The length of a run: when its plan no longer fits its time, and when evaluations and samples are due.

Whole runs are simulated here, with the time that each step takes as a function of the clock.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tinylm.config.schema import RunConfig, TrainConfig
from tinylm.planning import time_budget
from tinylm.runs.checkpoint import TrainState
from tinylm.training import repeat
from tinylm.training.repeat import Decisions
from tinylm.training.run_length import RunLength


def decisions_of(config: RunConfig) -> Decisions:
    """Those of a new run that repeats none."""
    return Decisions(TrainState(repeat=repeat.begun(config, torch.device("cpu"), "")), None)


class StandInSession(SimpleNamespace):
    """What RunLength asks of a session, with a clock that the test sets."""

    def __init__(self, budget: str | None, step_seconds: float, **train: object) -> None:
        phases = {"phases": [{"share": 1.0}]} if budget else {"phases": [{"steps": 500}]}
        config = RunConfig(train=TrainConfig(budget=budget, eval_iters=1, **phases | train))
        self.now = 0.0
        super().__init__(
            config=config,
            fresh=True,
            step_seconds=step_seconds,
            clock=SimpleNamespace(seconds=lambda: self.now),
            state=SimpleNamespace(step=0, plan_steps=0, budget=None, evaluated_step=None, sampled_step=None),
            batches=[SimpleNamespace(stream=SimpleNamespace(tokens=10**6))],
            notes=[],
            decisions=decisions_of(config),
        )


@pytest.mark.parametrize(
    ("step_seconds", "off"),
    [(1.0, False), (0.5, True), (2.0, True)],
    ids=["the rest fits", "twice as many would fit", "half as many would fit"],
)
def test_a_plan_that_misses_its_time_is_noticed(step_seconds: float, off: bool) -> None:
    session = StandInSession("100s", 1.0)
    run_length = RunLength(session, 0, 0)  # type: ignore[arg-type]
    session.state.step = run_length.plan.steps // 3
    run_length.time_budget.step_seconds = step_seconds
    session.now = 1.0
    assert not run_length.needs_replan(), "a plan stands for a while"
    session.now = 33.0
    assert run_length.needs_replan() == off


@pytest.mark.parametrize(("schedule", "shares"), [("wsd", [0.6, 1.0]), ("constant", [1.0])])
def test_before_a_decay_and_at_the_end_a_plan_is_checked_in_any_case(schedule: str, shares: list[float]) -> None:
    session = StandInSession("100s", 1.0, phases=[{"share": 1.0, "schedule": schedule, "steps_down": 0.4}])
    run_length = RunLength(session, 0, 0)  # type: ignore[arg-type]
    run_length.time_budget.step_seconds, session.now = 0.1, 5.0  # the machine is faster than it seemed
    checked = []
    for step in range(1, run_length.plan.steps + 1):
        session.state.step = step
        if run_length.needs_replan():
            checked.append(step / run_length.plan.steps)
    assert checked == pytest.approx(shares, abs=0.02)


def test_without_a_time_budget_no_plan_misses_it() -> None:
    session = StandInSession(None, 1.0)
    run_length = RunLength(session, 0, 0)  # type: ignore[arg-type]
    run_length.time_budget.step_seconds, session.now = 9.0, 50.0
    assert not run_length.needs_replan()


@pytest.mark.parametrize(("seconds", "said"), [(0.4, False), (0.9, False), (1.2, True), (80.0, True)])
def test_an_overrun_is_said_where_it_is_a_second_or_more(seconds: float, said: bool) -> None:
    session = StandInSession("100s", 0.03)
    sequence = time_budget.sequence_seconds(session.config.train, 0.03)
    RunLength(session, 0, round((20 + seconds) / sequence))  # type: ignore[arg-type]
    assert bool(session.notes) == said


@pytest.mark.parametrize("auto", [True, False])
def test_evaluations_keep_their_distance_where_the_interval_changes(auto: bool) -> None:
    """60 steps apart at first; at step 200 the plan becomes longer, and they are 70 apart."""
    intervals: dict[str, object] = {} if auto else {"eval_interval": 60, "sample_interval": 60}
    session = StandInSession(None, 1.0, **intervals)
    length, state = RunLength(session, 0, 0), session.state  # type: ignore[arg-type]
    evaluated, sampled = [], []
    for step in range(1, 500):
        state.step = step
        length.eval_interval = length.sample_interval = 60 if step < 200 else 70
        if length.evaluation_is_due():
            state.evaluated_step = step
            evaluated.append(step)
        if length.sample_is_due():
            state.sampled_step = step
            sampled.append(step)
    assert evaluated == sampled
    assert evaluated == ([60, 120, 180, 250, 320, 390, 460] if auto else [60, 120, 180, 210, 280, 350, 420, 490])


# ---- whole runs on a busy machine ---------------------------------------------------------------------------------


@dataclass
class Course:
    """What became of a run."""

    seconds: float = 0.0
    rates: list[float] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    """The steps of each plan in turn."""
    planned_at: list[float] = field(default_factory=list)

    @property
    def rises_after_a_fall(self) -> int:
        """Steps whose rate is above that of the step before, once the rate has fallen."""
        pairs = list(itertools.pairwise(self.rates))
        first = next((i for i, (a, b) in enumerate(pairs) if b < a), len(pairs))
        return sum(b > a * (1 + 1e-9) for a, b in pairs[first:])

    @property
    def reversal(self) -> float:
        """The smaller of two changes in turn of which one lengthens the plan and the other shortens it, as a share."""
        changes = [(b - a) / a for a, b in itertools.pairwise(self.totals)]
        return max((min(abs(a), abs(b)) for a, b in itertools.pairwise(changes) if a * b < 0), default=0.0)


def carried_out(
    budget: str,
    step_seconds: Callable[[float], float],
    estimate: float = 0.05,
    switch_at: float | None = None,
    **phase: object,
) -> Course:
    """A run as the loop drives it; a step that begins at second t takes `step_seconds(t)`.

    `phase` are settings of its only phase. `estimate` is what a step seemed to take before the start. At `switch_at`
    steps begin to be computed in another way.
    """
    usual = {"share": 1.0, "schedule": "wsd", "max_lr": 1e-2, "warmup_steps": 0.02, "steps_down": 0.4}
    session = StandInSession(budget, estimate, phases=[usual | phase])
    length, course, state = RunLength(session, 10, 100), Course(), session.state  # type: ignore[arg-type]
    course.totals.append(length.plan.steps)
    reported, reported_at = 0, 0.0

    def report() -> None:
        nonlocal reported, reported_at
        if state.step > reported:
            length.time_budget.record_steps(session.now - reported_at, state.step - reported, session.now)
        reported, reported_at = state.step, session.now

    while not length.is_reached():
        state.step += 1
        course.rates.append(length.plan.lr(state.step))
        session.now += step_seconds(session.now)
        if session.now - reported_at >= 0.1 or length.is_reached():
            report()
        if length.needs_replan():
            report()
            length.replan()
            course.totals.append(length.plan.steps)
            course.planned_at.append(session.now)
        if switch_at is not None and session.now >= switch_at:
            report()
            length.speed_changed()
            switch_at = None
        if length.evaluation_is_due() and not length.is_reached():
            report()
            taken = step_seconds(session.now)
            session.now += taken
            length.time_budget.evaluation_seconds, state.evaluated_step = taken, state.step
            length.time_budget.final_evaluation_seconds = 2 * taken
            report()
    course.seconds = session.now + length.time_budget.closing_seconds
    return course


def check(course: Course, seconds: float, longest_step: float) -> None:
    """It ends in time, with its decay completed, and its rate never rises again once it has fallen."""
    assert course.seconds == pytest.approx(seconds, abs=0.02 * seconds + 2 * longest_step)
    assert course.rises_after_a_fall == 0
    assert course.rates[-1] <= 0.1 * max(course.rates)


LOADS: dict[str, Callable[[float, float], float]] = {
    "quiet": lambda *_: 1.0,
    "slower than it seemed": lambda *_: 1.3,
    "faster than it seemed": lambda *_: 0.2,
    "twice as slow from the middle on": lambda share, _: 1.0 + (share >= 0.5),
    "twice as fast from the middle on": lambda share, _: 1.0 - 0.5 * (share >= 0.5),
    "twice as slow at the end": lambda share, _: 1.0 + (share >= 0.9),
    "twice as slow every other 5 s": lambda _, t: 1.0 + int(t / 5) % 2,
    "twice as slow every other second": lambda _, t: 1.0 + int(t) % 2,
    "the first steps are slow": lambda share, _: 8.0 if share < 0.02 else 1.0,
    "a stall": lambda share, _: 40.0 if 0.3 <= share < 0.3005 else 1.0,
}
"""How many times as long as it seemed a step takes, by the share of the time that is over and by the second."""


@pytest.mark.parametrize("steps_down", [0.4, 0.6])
@pytest.mark.parametrize("seconds", [20, 60, 120, 600])
@pytest.mark.parametrize("load", LOADS)
def test_a_busy_machine_is_followed_calmly(load: str, seconds: int, steps_down: float) -> None:
    course = carried_out(f"{seconds}s", lambda t: 0.05 * LOADS[load](t / seconds, t), steps_down=steps_down)
    check(course, seconds, 0.1)
    assert len(course.totals) <= 12
    assert course.reversal <= 0.25
    early = [second for second in course.planned_at if second < 0.5 * seconds]
    assert len(early) <= 4


def test_a_quiet_machine_keeps_its_first_plan() -> None:
    course = carried_out("60s", lambda _: 0.05)
    assert max(course.totals) <= 1.02 * min(course.totals)


@pytest.mark.parametrize("steps_down", [0.4, 0.6])
@pytest.mark.parametrize("switch_at", [3.0, 10.0, 18.0])
def test_kernels_that_come_during_the_run_are_planned_with_once(switch_at: float, steps_down: float) -> None:
    """The plan grows before the decay that the slow speed would have begun."""
    course = carried_out("60s", lambda t: 0.05 if t < switch_at else 0.01, switch_at=switch_at, steps_down=steps_down)
    check(course, 60, 0.05)
    assert course.planned_at[0] - switch_at <= 3
    assert max(course.totals) <= 1.2 * course.totals[1]
    falls = next(i for i, (a, b) in enumerate(itertools.pairwise(course.rates)) if b < a)
    assert falls / len(course.rates) == pytest.approx(1 - steps_down, abs=0.1)


def test_an_estimate_that_was_far_off_ends_no_run_early() -> None:
    for estimate in (0.002, 1.0, 5.0):
        check(carried_out("60s", lambda _: 0.05, estimate=estimate), 60, 0.05)


@pytest.mark.parametrize("load", ["quiet", "slower than it seemed", "twice as slow from the middle on"])
@pytest.mark.parametrize(("budget", "seconds", "step"), [("10s", 10, 0.05), ("10h", 36_000, 20.0)])
def test_very_short_and_very_long_runs_end_in_time(budget: str, seconds: int, step: float, load: str) -> None:
    course = carried_out(budget, lambda t: step * LOADS[load](t / seconds, t), estimate=step)
    check(course, seconds, 2 * step)


@pytest.mark.parametrize("schedule", ["cosine", "cyclic", "constant"])
@pytest.mark.parametrize("load", LOADS)
def test_other_schedules_end_in_time_too(load: str, schedule: str) -> None:
    course = carried_out("60s", lambda t: 0.05 * LOADS[load](t / 60, t), schedule=schedule, steps_up=0.1)
    assert course.seconds == pytest.approx(60, abs=1.5)
    if schedule == "cosine":
        check(course, 60, 0.1)


@hypothesis_settings(max_examples=40)
@given(st.lists(st.sampled_from([1.0, 1.0, 1.5, 2.0, 3.0]), min_size=30, max_size=30), st.sampled_from([0.4, 0.6]))
def test_whatever_the_load_the_rate_only_falls_and_the_run_ends_in_time(slower: list[float], steps_down: float) -> None:
    """Another load every 2 s."""
    course = carried_out("60s", lambda t: 0.05 * slower[min(int(t / 2), 29)], steps_down=steps_down)
    check(course, 60, 0.15)
    assert len(course.totals) <= 16
