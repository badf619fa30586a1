"""Hundreds of trainings that are killed; `--rounds` says how many."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kills import SETTING_UP, Forge, Undisturbed, killed_and_resumed, killed_once, phased, train_undisturbed
from tinylm.config.schema import RunConfig

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="module")
def undisturbed(
    forge: Forge, tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    return train_undisturbed(forge, phased(tiny_config), tmp_path_factory)


def test_many_killed_runs(
    forge: Forge, undisturbed: Undisturbed, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    killed_and_resumed(forge, undisturbed, tmp_path, request.config.getoption("rounds") or 200)


def test_a_set_up_is_killed_at_every_call(forge: Forge, undisturbed: Undisturbed, tmp_path: Path) -> None:
    killed_once(forge, undisturbed, tmp_path, SETTING_UP, range(1, undisturbed.calls[SETTING_UP] + 1))
