"""The benchmarks `tokenize` and `start`: their rows, and their errors."""

import sys
from pathlib import Path

import pytest

from tests.texts import made_up_text
from tinylm.bench import benchmarks, start, tokenize
from tinylm.bench.rows import Row
from tinylm.cli import main
from tinylm.errors import RunError

DRAWS = [sys.executable, "-c", "print('\\x1b[1;1H' + 40 * 'x')"]
"""A program that moves the cursor and shows 40 characters."""


def measured(module: str, home: Path, *flags: str) -> dict[str, Row]:
    options = main.parser().parse_args(["--bench", module, *flags])
    rows = {"start": start, "tokenize": tokenize}[module].measure(options, home)
    return {row.name: row for row in rows}


def test_each_stage_of_the_text_work_is_a_row(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenize, "RUNS", 2)
    monkeypatch.setattr(tokenize, "find_spec", lambda _: None)
    (tmp_path / "a.txt").write_text(made_up_text(0, 20_000))
    rows = measured("tokenize", home, "--data", str(tmp_path / "a.txt"), "--set", "tokenizer.vocab_size=300")
    for name in ("fingerprint", "read", "train", "encode", "baselines", "total"):
        assert rows[f"tokenize.{name}"].unit == "s"
        assert rows[f"tokenize.{name}"].value > 0
        assert rows[f"tokenize.{name}.speed"].unit == "MB/s"
    assert rows["tokenize.text"].value == pytest.approx(0.02, abs=0.001)
    assert rows["tokenize.train"].limit is not None
    assert rows["tokenize.peak_memory"].value > 10
    assert not [row for row in rows.values() if row.peer]
    assert list(home.iterdir()) == []


def test_tokenizers_is_a_peer_where_it_is_installed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tokenizers")
    monkeypatch.setattr(tokenize, "RUNS", 1)
    (tmp_path / "a.txt").write_text(made_up_text(0, 20_000))
    rows = measured("tokenize", home, "--data", str(tmp_path / "a.txt"), "--set", "tokenizer.vocab_size=300")
    for name in ("text_work", "files_to_ids"):
        assert rows[f"tokenize.{name}"].peer == "tokenizers"
        assert rows[f"tokenize.{name}"].ratio


def test_the_start_is_measured_in_new_processes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = 'import sys; print(\'torch\'); print(\'{"event": "planned"}\'); print(\'{"event": "step"}\')'
    monkeypatch.setattr(start, "RUNS", 2)
    monkeypatch.setattr(start, "TRAIN", output)
    monkeypatch.setattr(start, "PROGRAM", DRAWS)
    rows = measured("start", home)
    assert list(rows) == [
        f"start.{name}" for name in ("help", "version", "first_paint", "first_step_of_all", "first_step")
    ]
    assert all(row.value >= 0 and row.unit == "s" and row.runs == 2 for row in rows.values())


@pytest.mark.parametrize(
    ("program", "patience", "error"),
    [
        (DRAWS, 60.0, "before its first step"),
        ([sys.executable, "-c", "print('\\x1b[2J\\x1b]22;default\\x07')"], 60.0, "before it showed anything"),
        ([sys.executable, "-c", "import sys, time; time.sleep(60 * ('--home' in sys.argv))"], 0.1, "shows nothing"),
    ],
)
def test_a_program_that_shows_nothing_is_an_error(
    program: list[str], patience: float, error: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "RUNS", 1)
    monkeypatch.setattr(start, "PATIENCE", patience)
    monkeypatch.setattr(start, "TRAIN", "print('torch')")
    monkeypatch.setattr(start, "PROGRAM", program)
    with pytest.raises(RunError, match=error):
        measured("start", home)


def test_all_benchmarks_are_listed_with_what_they_measure(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main.main(["--bench"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name} " in listed and meaning in listed for name, meaning in benchmarks.BENCHMARKS.items())
