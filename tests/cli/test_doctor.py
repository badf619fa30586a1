"""`--doctor`: what it says of this machine is what was measured, and by which passes."""

import json
from pathlib import Path

import pytest

from tests.command_line import call
from tests.native import install, needs_compiler, train_pass_library
from tinylm.hardware import device
from tinylm.training import calibrate


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look of a moment."""
    monkeypatch.setattr(device, "MEASURE_SECONDS", 0.05)
    monkeypatch.setattr(calibrate, "SEQUENCES", 1)


def test_it_reports_device_home_and_speeds(home: Path) -> None:
    result = call("--doctor", "--json", "--home", home)
    assert result.code == 0, result.err
    values = json.loads(result.out)
    assert values["device"] in ("cpu", "cuda", "mps")
    assert values["home"] == str(home)
    assert values["runs"] == 0
    speeds = values["tokens_per_second"]
    assert any(which.startswith(f"{values['threads']} ") for which in speeds)
    assert values["compiled"] is False
    assert all(isinstance(speed, int) and speed > 0 for speed in speeds.values())
    words = call("--doctor", "--home", home)
    assert "not compiled" in words.out
    assert str(home) in words.out


@needs_compiler
def test_it_measures_the_compiled_passes_where_there_are_any(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    install(train_pass_library(tmp_path_factory), home)
    result = call("--doctor", "--home", home)
    assert result.code == 0, result.err
    assert "by our own compiled passes" in result.out
    assert "not compiled" not in result.out
