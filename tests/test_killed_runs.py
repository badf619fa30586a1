"""Trainings that are killed at any instant end as the undisturbed one; by the hundred: tests/torture."""

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
    Forge,
    Kill,
    Undisturbed,
    killed_and_resumed,
    killed_once,
    phased,
    save_again,
    save_value,
    train_undisturbed,
)
from tinylm.config.schema import RunConfig
from tinylm.runs import checkpoint, folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="module")
def undisturbed(
    forge: Forge, tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    return train_undisturbed(forge, phased(tiny_config), tmp_path_factory)


@pytest.fixture(scope="module")
def averaging(
    forge: Forge, tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """One that averages its weights, of which sometimes these and sometimes the others are better."""
    phases = [{"name": "train", "schedule": "constant", "steps": STEPS, "max_lr": 0.1}]
    run = train_undisturbed(forge, tiny_config(train={"phases": phases, "average": 1.0, **OFTEN}), tmp_path_factory)
    evaluated = [line for line in run.snapshot.values() if isinstance(line, dict) and line.get("event") == "eval"]
    assert {line["averaged"] for line in evaluated} == {False, True}
    return run


def test_killed_runs_end_as_the_undisturbed_one(forge: Forge, undisturbed: Undisturbed, tmp_path: Path) -> None:
    killed_and_resumed(forge, undisturbed, tmp_path, 8)


def test_killed_runs_that_average_their_weights(forge: Forge, averaging: Undisturbed, tmp_path: Path) -> None:
    killed_and_resumed(forge, averaging, tmp_path, 4)


def test_a_set_up_that_was_killed_is_begun_anew(forge: Forge, undisturbed: Undisturbed, tmp_path: Path) -> None:
    killed_once(forge, undisturbed, tmp_path, SETTING_UP, range(3, undisturbed.calls[SETTING_UP] + 1, 6))


def test_a_last_save_that_was_killed_is_finished(forge: Forge, undisturbed: Undisturbed, tmp_path: Path) -> None:
    last = undisturbed.calls[SAVING]
    killed_once(forge, undisturbed, tmp_path, SAVING, range(last - 16, last + 1, 4))


def test_a_step_saved_twice_is_whole_wherever_it_is_killed(forge: Forge, home: Path) -> None:
    for at in count(1):
        run = folder.create(home, f"{NAME}-{at}")
        save_value(run, 1)
        end = forge.fork(save_again, Kill(SAVING, at), run)
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
