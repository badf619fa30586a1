"""The length of a run: when its plan no longer fits its time, and when evaluations and samples are due."""

from types import SimpleNamespace

import pytest

from tinylm.config.schema import RunConfig, TrainConfig
from tinylm.training.run_length import RunLength


class StandInSession(SimpleNamespace):
    """What RunLength asks of a session, with a clock that the test sets."""

    def __init__(self, budget: str | None, step_seconds: float, **train: object) -> None:
        phases = {"phases": [{"share": 1.0}]} if budget else {"phases": [{"steps": 500}]}
        config = RunConfig(train=TrainConfig(budget=budget, eval_iters=1, **phases | train))
        self.now = 0.0
        super().__init__(
            config=config,
            step_seconds=step_seconds,
            clock=SimpleNamespace(seconds=lambda: self.now),
            state=SimpleNamespace(step=0, plan_steps=0, budget=None, evaluated_step=None, sampled_step=None),
            batches=[SimpleNamespace(stream=SimpleNamespace(tokens=10**6))],
            notes=[],
        )


@pytest.mark.parametrize(
    ("step_seconds", "off"),
    [(1.0, False), (0.5, True), (2.0, True)],
    ids=["the rest fits", "twice as many would fit", "half as many would fit"],
)
def test_a_plan_that_misses_its_time_is_noticed(step_seconds: float, off: bool) -> None:
    session = StandInSession("100s", 1.0)
    run_length = RunLength(session, 0, 0)  # type: ignore[arg-type]
    session.state.step = run_length.plan.steps // 2
    run_length.time_budget.step_seconds = step_seconds
    session.now = 1.0
    assert not run_length.needs_replan(), "a plan stands for a while"
    session.now = 50.0
    assert run_length.needs_replan() == off


def test_without_a_time_budget_no_plan_misses_it() -> None:
    session = StandInSession(None, 1.0)
    run_length = RunLength(session, 0, 0)  # type: ignore[arg-type]
    run_length.time_budget.step_seconds, session.now = 9.0, 50.0
    assert not run_length.needs_replan()


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
