"""Logs: appending lines, cutting back, and reading what was added."""

from pathlib import Path

import pytest

from tinylm import events, files
from tinylm.runs.log import LogReader, LogWriter

NOTES = [events.Note(f"note {number}") for number in range(5)]
LINES = [events.to_json(note) + "\n" for note in NOTES]


def test_the_log_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for lines, left in ((["ä", "b"], "ä\nb\n"), ([], "ä\nb\n"), (["c"], "ä\nb\nc\n")):
        log = LogWriter(path)
        log.write(lines)
        assert path.read_text(encoding="utf-8") == left, "readers see it at once"
        assert log.sync() == path.stat().st_size
        log.close()


@pytest.mark.parametrize(
    ("keep", "left"),
    [(None, b"aa\nbb\ncc\n"), (6, b"aa\nbb\ncc\n"), (3, b"aa\ncc\n"), (0, b"cc\n"), (99, b"aa\nbb\ncc\n")],
)
def test_the_log_is_cut_back_before_it_goes_on(tmp_path: Path, keep: int | None, left: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"aa\nbb\n")
    log = LogWriter(path, keep)
    log.write(["cc"])
    log.close()
    assert path.read_bytes() == left


def test_the_log_can_be_cut_while_it_is_written(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log.jsonl")
    log.write(["aa", "bb"])
    log.cut(3)
    log.write(["cc"])
    log.cut(99)
    log.close()
    assert (tmp_path / "log.jsonl").read_bytes() == b"aa\ncc\n"


# ---- reading ------------------------------------------------------------------------------------------------------


def test_each_event_is_read_once(tmp_path: Path) -> None:
    path, reader = tmp_path / "log.jsonl", LogReader()
    path.write_text("".join(LINES[:2]))
    assert list(reader.read(path)) == NOTES[:2]
    assert list(reader.read(path)) == []
    with path.open("a") as file:
        file.write('{"event": "hologram"}\nno event\n' + LINES[2] + LINES[3][:-5])
    assert list(reader.read(path)) == [NOTES[2]]
    with path.open("a") as file:
        file.write(LINES[3][-5:])
    assert list(reader.read(path)) == [NOTES[3]]


def test_reading_goes_on_behind_the_event_that_was_taken_last(tmp_path: Path) -> None:
    path, reader = tmp_path / "log.jsonl", LogReader()
    path.write_text("".join(LINES))
    assert next(reader.read(path)) == NOTES[0]
    assert list(reader.read(path.rename(tmp_path / "renamed.jsonl"))) == NOTES[1:]


@pytest.mark.parametrize("then", [LINES[:1], [LINES[0], LINES[3]], [LINES[0], *LINES[3:], *LINES[:3]], []])
def test_a_log_that_was_cut_back_is_read_anew(then: list[str], tmp_path: Path) -> None:
    path, reader = tmp_path / "log.jsonl", LogReader()
    path.write_text("".join(LINES[:2]))
    assert list(reader.read(path)) == NOTES[:2]
    path.write_text("".join(then))
    assert list(reader.read(path)) == [None, *(NOTES[LINES.index(line)] for line in then)]
    assert list(reader.read(path)) == []


def test_a_line_beyond_all_reason_is_skipped(tmp_path: Path) -> None:
    path, reader = tmp_path / "log.jsonl", LogReader()
    path.write_text("x" * (2 * files.LONGEST_LINE + 9) + "\n" + LINES[0])
    assert list(reader.read(path)) == [NOTES[0]]


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(LogReader().read(tmp_path / "log.jsonl"))
