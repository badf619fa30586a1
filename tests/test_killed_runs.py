"""Trainings that are killed at any instant end as the uninterrupted one; by the hundred: tests/torture."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch

from tests.kills import (
    NAME,
    OFTEN,
    SAVING,
    SETTING_UP,
    STEPS,
    Forkserver,
    Kill,
    Uninterrupted,
    killed_and_resumed,
    killed_once,
    save_again,
    save_value,
    train_uninterrupted,
)
from tinylm.config.schema import RunConfig
from tinylm.runs import checkpoint, folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")


@pytest.fixture(scope="module")
def averaging(
    forkserver: Forkserver, tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Uninterrupted:
    """One that averages its weights, of which sometimes these and sometimes the others are better."""
    phases = [{"name": "train", "schedule": "constant", "steps": STEPS, "max_lr": 0.1}]
    run = train_uninterrupted(
        forkserver, tiny_config(train={"phases": phases, "average": 1.0, **OFTEN}), tmp_path_factory
    )
    evaluated = [line for line in run.snapshot.values() if isinstance(line, dict) and line.get("event") == "eval"]
    assert {line["averaged"] for line in evaluated} == {False, True}
    return run


def test_killed_runs_end_as_the_uninterrupted_one(
    forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    killed_and_resumed(forkserver, uninterrupted, tmp_path, 8)


def test_killed_runs_that_average_their_weights(
    forkserver: Forkserver, averaging: Uninterrupted, tmp_path: Path
) -> None:
    killed_and_resumed(forkserver, averaging, tmp_path, 4)


def test_a_set_up_that_was_killed_is_begun_anew(
    forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    killed_once(forkserver, uninterrupted, tmp_path, SETTING_UP, range(3, uninterrupted.calls[SETTING_UP] + 1, 6))


def test_a_last_save_that_was_killed_is_finished(
    forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    last = uninterrupted.calls[SAVING]
    killed_once(forkserver, uninterrupted, tmp_path, SAVING, range(last - 16, last + 1, 4))


def test_a_step_saved_twice_is_whole_wherever_it_is_killed(forkserver: Forkserver, home: Path) -> None:
    for at in count(1):
        run = folder.create(home, f"{NAME}-{at}")
        save_value(run, 1)
        end = forkserver.fork(save_again, Kill(SAVING, at), run)
        newest, faults = checkpoint.newest_whole(run)
        assert not faults
        assert newest is not None
        value = newest.state.tokens
        assert value in (1, 2)
        assert torch.equal(newest.model()["a"], torch.full((3, 5), float(value)))
        save_value(run, 3)
        checkpoint.prune(run, 3)
        assert checkpoint.load(checkpoint.find(run, "best")).state.tokens == 3
        assert sorted(path.name for path in run.checkpoints.iterdir()) == ["best", "latest", "step-00000005"]
        if not end.killed:
            break
    assert at > 15, "as many calls to the disk there are at least"
