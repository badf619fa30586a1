"""Thousands of broken files, others every time; `--rounds` says how many for each reader."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzzing import MOST_SECONDS, READERS, TrainedHome, full_home, fuzz
from tinylm.config.schema import RunConfig

ROUNDS = 150
"""Inputs for each reader."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., RunConfig]) -> Path:
    """A home with all files that a home may have; not to be changed."""
    return full_home(tmp_path_factory.mktemp("fuzz"), tiny_config())


def test_thousands_of_broken_files(
    trained: Path, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds, inputs, slowest = request.config.getoption("rounds") or ROUNDS, 0, 0.0
    for name, (file, read) in READERS.items():
        home = TrainedHome(Path(shutil.copytree(trained, tmp_path / name.replace(" ", "-"))))
        tally = fuzz(home, file, read, rounds, fixed=False)
        inputs, slowest = inputs + tally.inputs, max(slowest, tally.slowest)
        with capsys.disabled():
            print(f"{name}: {tally.inputs} inputs, {tally.refused} refused, slowest {tally.slowest:.2f} s")
    with capsys.disabled():
        print(f"{inputs} inputs, 0 tracebacks, 0 runs damaged, slowest {slowest:.2f} s")
    assert slowest < MOST_SECONDS
