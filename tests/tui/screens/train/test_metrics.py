"""What stands beside the charts, worked out of a run's history."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.tui import scripts
from tinylm.events import Event, Planned
from tui.live.loss_unit import LossUnit
from tui.screens.train.metrics import Metrics, metrics_at


def shown(log: Sequence[Event], at: int | None = None) -> Metrics:
    """The numbers of a run with this log."""
    history = scripts.history(log)
    numbers = metrics_at(history, LossUnit.of_run(history.state.data), at)
    assert numbers
    return numbers


def steps(count: int) -> list[Event]:
    return [*scripts.opening(), *(scripts.step(number) for number in range(1, count + 1))]


def test_perplexity_is_that_of_held_out_text_and_of_nothing_else() -> None:
    assert shown(steps(20)).perplexity is None
    log = [*steps(20), replace(scripts.evaluation(20), val_loss=math.log(50))]
    assert shown(log).perplexity == pytest.approx(50)


def test_progress_at_an_earlier_step_is_in_time_where_a_time_ends_the_run() -> None:
    log = steps(100)  # of 400 planned, in 120 s
    assert shown(log, at=40).fraction == pytest.approx((2 + 40 * 0.25) / 120)
    log = [replace(event, seconds=None) if isinstance(event, Planned) else event for event in log]
    assert shown(log, at=40).fraction == pytest.approx(0.1)


def test_the_end_counts_all_held_out_text_the_hair_line_what_was_known_there() -> None:
    end = replace(scripts.finished(20), val_loss=math.log(40), val_bpb=1.25)
    log = [*steps(20), replace(scripts.evaluation(20), val_loss=math.log(50), val_bpb=1.5), end]
    assert shown(log).perplexity == pytest.approx(40)
    assert shown(log).held_out == 1.25
    assert shown(log, at=20).perplexity == pytest.approx(50)
    assert shown(log, at=20).held_out == 1.5


def test_the_held_out_loss_of_a_run_that_is_over_is_that_of_its_best_checkpoint() -> None:
    evals = [scripts.evaluation(20, bpb=1.5), scripts.evaluation(40, best=False, bpb=1.75)]
    log = [*steps(20), evals[0], *(scripts.step(number) for number in range(21, 41)), evals[1]]
    assert shown(log).held_out == pytest.approx(1.75)
    assert shown(log).best == pytest.approx(1.5)
    end = replace(scripts.finished(40, best=20), val_loss=math.log(40), val_bpb=1.25)
    assert shown([*log, end]).held_out == 1.25
    earlier_version = replace(end, checkpoint="checkpoints/step-00000040", val_bpb=2.0)
    assert shown([*log, earlier_version]).held_out == pytest.approx(1.5)
    assert shown([*log, end]).gap == shown(log, at=20).gap
