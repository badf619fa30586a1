"""Hundreds of trainings that are killed; `--rounds` says how many."""

import os
from pathlib import Path

import pytest

from tests.kills import SETTING_UP, Forkserver, Uninterrupted, killed_and_resumed, killed_once

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")


def test_many_killed_runs(
    forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    killed_and_resumed(forkserver, uninterrupted, tmp_path, request.config.getoption("rounds") or 200)


def test_a_set_up_is_killed_at_every_call(forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path) -> None:
    killed_once(forkserver, uninterrupted, tmp_path, SETTING_UP, range(1, uninterrupted.calls[SETTING_UP] + 1))
