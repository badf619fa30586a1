"""`--bench lr`: the learning-rate finder on the command line."""

import json
from pathlib import Path

import pytest

from tests.command_line import TINY, call
from tinylm.bench import benchmarks, lr
from tinylm.cli import main
from tinylm.events import LrFound, LrTried
from tinylm.preview import lr_finder


def test_the_benchmark_gives_losses_and_the_suggestion(home: Path, tiny_file: Path) -> None:
    result = call(
        "--bench", "lr", "--data", tiny_file, *TINY, "--seed", "3", "--device", "cpu", "--json", "--home", home
    )
    assert result.code == 0
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["name"] for row in rows[:2]] == ["lr.loss.1.00e-05", "lr.loss.1.17e-05"]
    assert rows[0]["unit"] == "nats"
    assert rows[-1]["name"] == "lr.suggestion"
    assert 1e-5 < rows[-1]["value"] < 1e-1
    assert [path.name for path in home.iterdir()] == ["cache"]
    other = call("--bench", "lr", "--data", tiny_file, *TINY, "--seed", "4", "--home", home)
    assert other.out.splitlines()[0].split()[:3:2] == ["lr.loss.1.00e-05", "nats"]
    values = [line.split()[1] for line in other.out.splitlines()]
    assert values != [f"{row['value']:.3g}" for row in rows], "another seed has other losses"


def test_the_benchmark_says_what_is_wrong_in_a_line(home: Path) -> None:
    result = call("--bench", "lr", "--data", home / "nothing.txt", *TINY, "--home", home)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "lr" in benchmarks.BENCHMARKS


def test_where_there_is_no_valley_there_is_no_suggestion(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = LrFound(0, (1e-5, 1e-2), (7.5, 9.0), None, 1e-2)
    monkeypatch.setattr(lr_finder, "find", lambda *_, **__: iter([LrTried(1, 1e-5, 7.5), swept]))
    rows = list(lr.measure(main.parser().parse_args(["--bench", "lr", *TINY]), home))
    assert [row.name for row in rows] == ["lr.loss.1.00e-05", "lr.diverged_at"]
