"""All runs of a home as a person sees them: every state, damage of any kind, names, notes and the trash."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinylm import events, files, paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs import folder, listing, log_ends, organise
from tinylm.runs.folder import RunFolder

STARTED = events.RunStarted("a", "/a", 1, "0", "2026-01-01T00:00:00+00:00", 9, "cpu", "m", "2", 1, "fp32", False, None)
DATA = events.DataPrepared(100, 50, 300, 45, 5, 10, {})
PLAN = events.Planned(1000, None, (events.PhaseSpan("train", 1, 1000),))
FINISHED = events.Finished("budget", 1000, 32000, 9.0, 3.0, 2.5, 2.25, 800, 123.0, 50.0, "checkpoints/step-00000800")
FAILED = events.Failed("Broken", "The disk is full.", "Free some.")


def step(number: int) -> events.StepDone:
    return events.StepDone(number, "train", number * 32, 5.0, 1e-3, 1.0, 2.0, 3.0, 77.0, number / 10)


def write_log(run: RunFolder, *log: events.Event) -> None:
    run.events_file.write_text("".join(events.to_json(event) + "\n" for event in log), encoding="utf-8")


def made(home: Path, name: str, *log: events.Event, utc: str = STARTED.utc, **groups: dict[str, Any]) -> RunFolder:
    """A run as a trainer leaves it."""
    run = folder.create(home, name)
    run.config_file.write_text(resolve.to_toml(resolve.with_values(RunConfig(), **groups)), encoding="utf-8")
    write_log(run, replace(STARTED, utc=utc), DATA, PLAN, *log)
    return run


def saved(run: RunFolder, number: int, *pointers: str, **state: object) -> None:
    folder = run.checkpoints / f"step-{number:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps({"step": number, **state}))
    for pointer in pointers:
        (run.checkpoints / pointer).write_text(f"{folder.name}\n")


def only(home: Path) -> listing.RunListing:
    [entry] = listing.read_listings(home)
    return entry


# ---- what is listed -----------------------------------------------------------------------------------------------


def test_a_finished_run(home: Path) -> None:
    sources = ["/texts/one.txt", "stories"]
    run = made(home, "a", step(999), step(1000), FINISHED, data={"sources": sources}, train={"device": "cuda"})
    (run.path / "data").mkdir()
    (run.path / "data" / "tokens.bin").write_bytes(b"x" * 5000)
    entry = only(home)
    size = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    assert size > 5000
    assert entry == listing.RunListing(
        run=run, name="a", status="finished", data="one.txt, stories", device="cuda", parameters=9, vocab_size=300,
        step=1000, steps=1000, tokens=32000, seconds=9.0, val_bpb=2.5, best_step=800, tokens_per_second=123.0,
        utc=STARTED.utc, bytes=size, note="", fault="",
    )  # fmt: skip
    row = json.loads(json.dumps(entry.as_row()))
    assert (row["run"], row["state"], row["dir"], row["steps"]) == ("a", "finished", str(run.path), 1000)
    assert len(row) == len(entry.__dict__) + 1  # the folder's name and its path


ENDINGS: dict[str, tuple[list[events.Event], str]] = {
    "finished": ([step(1), FINISHED], "finished"),
    "stopped early": ([step(1), replace(FINISHED, reason="early_stop")], "finished"),
    "stopped": ([step(1), replace(FINISHED, reason="stopped")], "stopped"),
    "failed": ([step(1), FAILED], "failed"),
    "broken off": ([step(1)], "interrupted"),
    "broken off while it paused": ([step(1), events.Paused(1, True)], "interrupted"),
    "broken off after it was resumed": ([step(1), FAILED, STARTED, step(2)], "interrupted"),
    "nothing logged": ([], "interrupted"),
}


@pytest.mark.parametrize(("log", "status"), ENDINGS.values(), ids=ENDINGS)
def test_states(log: list[events.Event], status: str, home: Path) -> None:
    made(home, "a", *log)
    entry = only(home)
    assert entry.status == status
    assert entry.fault == ("The disk is full." if status == "failed" else "")


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ([step(1)], "training"),
        ([step(1), events.Paused(1, True)], "paused"),
        ([events.Paused(1, True), events.Paused(1, False)], "training"),
        ([events.Paused(1, True), STARTED], "training"),
        ([FINISHED], "training"),
    ],
)
def test_states_of_a_locked_run(log: list[events.Event], status: str, home: Path) -> None:
    lock = made(home, "a", *log).lock()
    try:
        assert only(home).status == status
    finally:
        lock.release()


def test_a_long_log_is_not_read_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best = events.EvalDone(9990, 4.0, 4.0, 2.75, True, 1.0)
    worse = events.EvalDone(9995, 4.0, 5.0, 3.0, False, 1.0)
    middle = [step(number) for number in range(1, 10_001)]
    run = made(home, "a", *middle[:9990], best, *middle[9990:9995], worse, *middle[9995:])
    parsed, from_json = [], events.from_json
    monkeypatch.setattr(events, "from_json", lambda line: parsed.append(line) or from_json(line))
    entry = only(home)
    assert run.events_file.stat().st_size > 10 * log_ends.PIECE
    assert len(parsed) < 20
    assert (entry.step, entry.tokens, entry.seconds, entry.tokens_per_second) == (10_000, 320_000, 1000.0, 77.0)
    assert (entry.val_bpb, entry.best_step, entry.steps, entry.vocab_size) == (2.75, 9990, 1000, 300)


def test_a_listing_opens_few_files_a_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(
        "tinylm.files.open_regular", lambda path, open_=files.open_regular: opened.append(path) or open_(path)
    )
    counts = []
    for many in (5, 20):
        for number in range(many):
            if not (home / "runs" / f"{number}").exists():
                made(home, f"{number}", step(1))
        opened.clear()
        assert len(listing.read_listings(home)) == many
        counts.append(len(opened) / many)
    assert counts[1] <= counts[0] <= 5


def test_what_the_ends_of_a_log_lack_comes_from_checkpoints(home: Path) -> None:
    run = made(home, "a", *(step(number) for number in range(1, 2001)))
    saved(run, 900, "best", best_step=900, best_val_bpb=2.5, plan_steps=4000)
    saved(run, 1900, "latest", best_step=900, best_val_bpb=2.5, plan_steps=5000)
    entry = only(home)
    assert (entry.steps, entry.val_bpb, entry.best_step) == (5000, 2.5, 900)


def test_a_torn_last_line_is_passed_over(home: Path) -> None:
    run = made(home, "a", step(1), step(2))
    run.events_file.write_bytes(run.events_file.read_bytes()[:-20])
    assert only(home).step == 1


def test_what_a_run_is_known_by_where_the_end_did_not_measure_the_best(home: Path) -> None:
    made(home, "a", step(1000), replace(FINISHED, checkpoint="checkpoints/step-00001000"))  # of an earlier version
    assert (only(home).val_bpb, only(home).best_step) == (2.25, 800)
    write_log(RunFolder(home / "runs" / "a"), STARTED, step(1000), replace(FINISHED, val_loss=None, val_bpb=None))
    assert only(home).val_bpb == 2.25, "the program was left, and nothing was measured any more"


def test_the_newest_comes_first(home: Path) -> None:
    for name, month in (("b", "03"), ("a", "01"), ("c", "02")):
        made(home, name, utc=f"2026-{month}-01T00:00:00+00:00")
    assert [entry.name for entry in listing.read_listings(home)] == ["b", "c", "a"]


def test_runs_of_the_same_second_are_ordered_by_their_last_change(home: Path) -> None:
    for name, change in (("a", 100), ("b", 300), ("c", 200)):
        os.utime(made(home, name).events_file, (change, change))
    assert [entry.name for entry in listing.read_listings(home)] == ["b", "c", "a"]


def test_no_home_and_a_folder_that_is_being_set_up(home: Path) -> None:
    assert listing.read_listings(home / "none") == []
    (folder.create(home, "half-made").path / "data").mkdir()
    assert listing.read_listings(home) == []


# ---- damage -------------------------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[RunFolder], object]] = {
    "config is garbage": lambda run: run.config_file.write_bytes(b"\x00\xff["),
    "config has strange keys": lambda run: run.config_file.write_text("format = 1\nwarp = 9\n"),
    "config is lost": lambda run: run.config_file.unlink(),
    "log is garbage": lambda run: run.events_file.write_bytes(b"\x00\xff\n" * 99_999),
    "log is a folder": lambda run: (run.events_file.unlink(), run.events_file.mkdir()),
}


@pytest.mark.parametrize("harm", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_is_listed_as_such(harm: Callable[[RunFolder], object], home: Path) -> None:
    made(home, "whole", step(1))
    harm(made(home, "harmed", step(1), FINISHED))
    states = {entry.name: entry for entry in listing.read_listings(home)}
    assert {name: entry.status for name, entry in states.items()} == {"whole": "interrupted", "harmed": "damaged"}
    assert states["harmed"].fault
    assert states["harmed"].bytes > 0
    assert json.dumps(states["harmed"].as_row())


@pytest.mark.parametrize("content", ["", "[]", "{", '{"step": "x", "plan_steps": [1], "best_step": 1}', "[" * 100_000])
def test_a_run_whose_state_cannot_be_read_is_listed(content: str, home: Path) -> None:
    run = made(home, "a", step(3))
    saved(run, 2, "latest", "best")
    (run.checkpoints / "step-00000002" / "state.json").write_text(content)
    (run.checkpoints / "best").write_text("../../../etc\n")
    entry = only(home)
    assert (entry.status, entry.step, entry.steps, entry.val_bpb) == ("interrupted", 3, 1000, None)


def test_values_of_the_wrong_kind_are_unknown(home: Path) -> None:
    run = made(home, "a")
    lines = [json.loads(events.to_json(event)) for event in (STARTED, DATA, PLAN, FINISHED)]
    spoilt = [{key: value if key == "event" else {"x": [value]} for key, value in line.items()} for line in lines]
    spoilt[2]["phases"] = []
    run.events_file.write_text("".join(json.dumps(line) + "\n" for line in spoilt))
    entry = only(home)
    assert (entry.step, entry.steps, entry.val_bpb, entry.utc, entry.parameters) == (None, None, None, "", None)


# ---- names and notes ----------------------------------------------------------------------------------------------


def notes(home: Path) -> Any:
    return json.loads((home / "notes.json").read_text(encoding="utf-8"))


def test_a_note_stays_with_its_run(home: Path) -> None:
    run = made(home, "a")
    organise.set_note(home, run, "größer als b")
    assert notes(home) == {"format": 1, "runs": {"a": {"note": "größer als b"}}}
    assert only(home).note == "größer als b"
    run = organise.rename(home, run, "c")
    assert (only(home).name, only(home).note, only(home).run) == ("c", "größer als b", run)
    organise.set_note(home, run, "")
    assert notes(home)["runs"] == {}
    assert only(home).note == ""


def test_renaming_moves_the_folder(home: Path) -> None:
    run = made(home, "a", step(1))
    renamed = organise.rename(home, run, "b")
    assert renamed.path == home / "runs" / "b"
    assert not run.path.exists()
    assert not renamed.is_locked()
    assert folder.open_run(home, "b").config() == RunConfig()
    assert organise.rename(home, renamed, "b") == renamed


def test_a_run_that_is_being_trained_is_only_shown_under_another_name(home: Path) -> None:
    run = made(home, "a", step(1))
    lock = run.lock()
    try:
        assert organise.rename(home, run, "b") == run
    finally:
        lock.release()
    assert (only(home).name, only(home).run.name) == ("b", "a")
    other = made(home, "c")
    with pytest.raises(RunError, match="already"):
        organise.rename(home, other, "b")
    assert organise.rename(home, run, "b").name == "b"
    assert notes(home)["runs"] == {}


@pytest.mark.parametrize("name", ["", "../x", "a b", ".x", "x" * 65, "taken", "stray.txt"])
def test_names_that_cannot_be_given(name: str, home: Path) -> None:
    run = made(home, "a")
    made(home, "taken")
    (home / "runs" / "stray.txt").write_text("x")
    for locked in (False, True):
        lock = run.lock() if locked else None
        with pytest.raises(RunError) as caught:
            organise.rename(home, run, name)
        assert caught.value.hint
        if lock:
            lock.release()
    assert only_names(home) == {"a", "taken"}
    assert not (home / "notes.json").exists()


def only_names(home: Path) -> set[str]:
    return {entry.name for entry in listing.read_listings(home)}


@pytest.mark.parametrize("content", ["{", "[]", '{"runs": 3}', "\ud800", ""])
def test_notes_that_cannot_be_read_are_kept_aside(content: str, home: Path) -> None:
    run, file = made(home, "a"), home / "notes.json"
    for number in ("", "-2"):
        file.write_bytes(content.encode("utf-8", "surrogatepass"))
        assert only(home).note == ""
        assert not (home / f"notes.json.damaged{number}").exists()
        organise.set_note(home, run, "new")
        kept = (home / f"notes.json.damaged{number}").read_bytes()
        assert kept == content.encode("utf-8", "surrogatepass")
        assert only(home).note == "new"


def test_what_a_newer_version_noted_is_kept(home: Path) -> None:
    run = made(home, "a")
    table = {"format": 1, "tags": ["x"], "runs": {"a": {"colour": "red"}, "gone": {"note": "n"}}}
    (home / "notes.json").write_text(json.dumps(table))
    organise.set_note(home, run, "n")
    assert notes(home) == {**table, "runs": {"a": {"colour": "red", "note": "n"}, "gone": {"note": "n"}}}


# ---- the trash ----------------------------------------------------------------------------------------------------


def test_trash_and_restore(home: Path) -> None:
    run = made(home, "a", step(1))
    organise.set_note(home, run, "mine")
    before = run.events_file.read_bytes()
    trashed = organise.trash(home, run)
    assert trashed == home / "bin" / "a"
    assert listing.read_listings(home) == []
    made(home, "a")
    assert only(home).note == "", "a new run has the note of the one that was thrown away"
    back = organise.restore(home, trashed)
    assert back.path == home / "runs" / "a-2"
    assert back.events_file.read_bytes() == before
    assert {entry.name: entry.note for entry in listing.read_listings(home)} == {"a": "", "a-2": "mine"}
    assert not list((home / "bin").iterdir())


def test_the_trash_keeps_all_of_a_name(home: Path) -> None:
    long = "x" * 64
    for _ in range(3):
        organise.trash(home, made(home, long))
    assert sorted(path.name for path in (home / "bin").iterdir()) == sorted([long, "x" * 62 + "-2", "x" * 62 + "-3"])
    assert all(folder.check_name(organise.restore(home, path).name) for path in (home / "bin").iterdir())


def test_a_locked_run_cannot_be_moved_to_the_trash(home: Path) -> None:
    run = made(home, "a")
    lock = run.lock()
    with pytest.raises(RunError, match="trained"):
        organise.trash(home, run)
    lock.release()
    assert only_names(home) == {"a"}
    organise.trash(home, run)
    with pytest.raises(RunError, match="no run named a"):
        organise.trash(home, run)


def test_only_what_is_in_the_trash_can_be_restored(home: Path) -> None:
    made(home, "a")
    for path in (home / "bin" / "none", paths.runs(home) / "a", home / "bin" / ".." / "runs" / "a"):
        with pytest.raises(RunError):
            organise.restore(home, path)
    assert only_names(home) == {"a"}


def test_an_error_of_the_disk_is_a_run_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "there")

    run = made(home, "a")
    monkeypatch.setattr(Path, "rename", refuse)
    for act in (lambda: organise.rename(home, run, "b"), lambda: organise.trash(home, run)):
        with pytest.raises(RunError, match="Permission denied"):
            act()
    assert not run.is_locked()
