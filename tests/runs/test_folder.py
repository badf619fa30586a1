"""Run folders: names, making, finding, locking, the log, and the fold over its events."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinylm import events, paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError, RunError
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tinylm.runs.state import RunState

STARTED = events.RunStarted("a", "/a", 1, "0", "2026-01-01T00:00:00+00:00", 9, "cpu", "m", "2", 1, "fp32", False, None)
FINISHED = events.Finished("budget", 2, 64, 9.0, 3.0, 2.0, 2.0, 2, 100.0, 50.0, "checkpoints/step-00000002")


def step(number: int, seconds: float | None = None) -> events.StepDone:
    return events.StepDone(
        number,
        "train",
        number * 32,
        5.0 - number,
        1e-3,
        1.0,
        2.0,
        3.0,
        100.0,
        float(number if seconds is None else seconds),
    )


def made(home: Path, name: str, age: float = 0) -> RunFolder:
    """A run folder as a trainer leaves it, last written `age` seconds ago."""
    run = folder.create(home, name)
    run.config_file.write_text(resolve.to_toml(RunConfig()))
    run.events_file.write_text(events.to_json(STARTED) + "\n")
    for file in (run.config_file, run.events_file):
        os.utime(file, (1e9 - age, 1e9 - age))
    return run


# ---- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "A-1_b.c",
        "x" * 64,
        "_",
        "v1.0",
        "a..b",
        "7",
        "ü",
        "Война-и-мир",
        "源氏物語",
        "हिन्दी",
        "นวนิยาย",
        "字" * 60,
        "console",
    ],
)
def test_names_that_may_be_used(name: str, home: Path) -> None:
    assert folder.create(home, name).path == home / "runs" / name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../x",
        "a/b",
        "/etc",
        "a\\b",
        "x" * 65,
        "a b",
        "a\n",
        "a\0b",
        "a\u202eb",
        "a\u200bb",
        "\u3164",
        "\u0301a",
        "字" * 64 + "字",
        "𒀀" * 60,
        "a\ud800",
        "con",
        "Nul.txt",
        "COM1",
        "~",
        "a:b",
        "$(x)",
        "*",
    ],
)
def test_names_that_may_not(name: str, home: Path) -> None:
    for refused in (
        folder.check_name,
        lambda name: folder.create(home, name),
        lambda name: folder.open_run(home, name),
    ):
        with pytest.raises(RunError):
            refused(name)
    assert list(home.iterdir()) == []


def test_fresh_names_may_be_used_and_never_collide(home: Path) -> None:
    names = [folder.create(home, folder.fresh_name(home, ["books/My Büch (draft).txt"])).name for _ in range(4)]
    assert len(set(names)) == 4
    assert all(name.startswith("my-büch-draft-") for name in names)


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("books/Война и мир.txt", "война-и-мир"),
        ("源氏物語.txt", "源氏物語"),
        ("हिन्दी किताब.txt", "हिन्दी-किताब"),
        ("e\u0301te\u0301.txt", "\xe9t\xe9"),
        ("a\u202etxt.exe", "a-txt"),
        ("\U0001f389.txt", "run"),
    ],
)
def test_a_fresh_name_keeps_letters_of_any_script(source: str, stem: str, home: Path) -> None:
    assert folder.fresh_name(home, [source]).startswith(f"{stem}-2")


def test_composed_and_decomposed_letters_name_the_same_run(home: Path) -> None:
    made(home, "\xe9t\xe9")
    assert folder.open_run(home, "e\u0301te\u0301").name == "\xe9t\xe9"


@pytest.mark.parametrize(("typed", "meant"), [("storeis", "stories"), ("war-and", "war-and-peace"), ("banana", "")])
def test_a_missing_run_leads_to_one_of_nearly_that_name(home: Path, typed: str, meant: str) -> None:
    for name in ("stories", "war-and-peace"):
        made(home, name)
    with pytest.raises(RunError) as caught:
        folder.open_run(home, typed)
    assert f"Did you mean {meant}?" in caught.value.hint if meant else "Did you mean" not in caught.value.hint


@pytest.mark.parametrize("source", ["", ".", "/", "...", "日本語.txt", "x" * 300, ".hidden", "a\n/b\n"])
def test_fresh_names_from_odd_sources(source: str, home: Path) -> None:
    assert folder.check_name(folder.fresh_name(home, [source]))


# ---- making and finding -------------------------------------------------------------------------------------------


def test_a_name_is_used_once(home: Path) -> None:
    kept = made(home, "a")
    with pytest.raises(RunError, match="already") as caught:
        folder.create(home, "a")
    assert "--resume" in caught.value.hint
    assert kept.config_file.exists()


def test_a_file_with_the_name_of_a_run_is_refused_too(home: Path) -> None:
    (home / "runs").mkdir()
    (home / "runs" / "a").write_text("not a run")
    with pytest.raises(RunError):
        folder.create(home, "a")


def test_what_a_killed_set_up_left_does_not_take_the_name(home: Path) -> None:
    left = folder.create(home, "a")
    (left.path / "data").mkdir()
    (left.path / "data" / "tokens.bin").write_bytes(b"half")
    with pytest.raises(RunError, match="already"):
        folder.create(home, "a")  # never locked: it may be somebody's own folder
    lock = left.lock()
    with pytest.raises(RunError, match="already"):
        folder.create(home, "a")  # it is being set up
    lock.release()
    assert folder.check_free(home, "a") == left.path
    assert list(folder.create(home, "a").path.iterdir()) == []


def test_a_run_without_its_configuration_is_not_removed(home: Path) -> None:
    run = made(home, "a")
    run.lock().release()
    run.checkpoints.mkdir()
    run.config_file.unlink()
    with pytest.raises(RunError, match="already"):
        folder.create(home, "a")
    assert run.checkpoints.exists()


def test_listing_by_name_and_the_newest_by_time(home: Path) -> None:
    for name, age in (("b", 10), ("c", 30), ("a", 20)):
        made(home, name, age)
    folder.create(home, "half-made")
    (home / "runs" / "stray.txt").write_text("x")
    assert [run.name for run in folder.list_runs(home)] == ["a", "b", "c"]
    assert folder.open_run(home).name == "b"
    assert folder.open_run(home, "c").name == "c"


def test_a_run_without_events_counts_by_its_configuration(home: Path) -> None:
    made(home, "old", age=100)
    made(home, "new", age=5).events_file.unlink()
    assert folder.open_run(home).name == "new"


def test_no_home_and_no_runs(tmp_path: Path) -> None:
    assert folder.list_runs(tmp_path / "none") == []
    with pytest.raises(RunError, match="no run"):
        folder.open_run(tmp_path / "none")


def test_the_error_of_a_missing_run_names_the_newest_runs(home: Path) -> None:
    for number in range(7):
        made(home, f"run{number}", age=number)
    with pytest.raises(RunError, match="nope") as caught:
        folder.open_run(home, "nope")
    assert "run0, run1, run2, run3, run4." in caught.value.hint
    assert "run5" not in caught.value.hint


def test_a_half_made_folder_is_no_run(home: Path) -> None:
    folder.create(home, "half")
    with pytest.raises(RunError, match="half"):
        folder.open_run(home, "half")


def test_removing(home: Path) -> None:
    run = made(home, "a")
    run.checkpoints.mkdir()
    folder.remove(run)
    folder.remove(run)
    assert list(paths.runs(home).iterdir()) == []


def test_a_configuration_of_a_newer_format_opens(home: Path) -> None:
    run = made(home, "a")
    run.config_file.write_text(run.config_file.read_text().replace("format = 1", "format = 2\nwarp = 9", 1))
    assert run.config() == RunConfig()
    run.config_file.write_text("format = 1\nwarp = 9\n")
    with pytest.raises(ConfigError, match="warp"):
        run.config()


# ---- the lock -----------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from tinylm.runs.folder import RunFolder
lock = RunFolder(Path(sys.argv[1])).lock()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(home: Path) -> Iterator[tuple[RunFolder, subprocess.Popen[str]]]:
    """A run and another process that has its lock."""
    run = made(home, "a")
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield run, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lock_keeps_others_out_until_its_process_dies(holder: tuple[RunFolder, subprocess.Popen[str]]) -> None:
    run, process = holder
    assert run.is_locked()
    with pytest.raises(RunError, match="another process") as caught:
        run.lock()
    assert "--run" in caught.value.hint
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not run.is_locked()
    run.lock().release()


def test_a_lock_is_exclusive_within_a_process_too(home: Path) -> None:
    run = made(home, "a")
    assert not run.is_locked()
    lock = run.lock()
    with pytest.raises(RunError):
        run.lock()
    assert [run.is_locked(), run.is_locked()] == [True, True], "to look does not take it away"
    lock.release()
    assert not run.is_locked()


# ---- the log ------------------------------------------------------------------------------------------------------


def test_a_torn_last_line_and_strangers_are_passed_over(home: Path) -> None:
    run = made(home, "a")
    lines = [events.to_json(event) for event in (STARTED, step(1), step(2))]
    with run.events_file.open("wb") as file:
        file.write(f"{lines[0]}\n".encode())
        file.write(b'{"event": "hologram"}\n[1, 2]\n\xff\xfe\n\n{"event": "planned", "steps": 1}\n')
        file.write(f"{lines[1]}\n{lines[2]}"[:-9].encode())
    assert list(run.events()) == [STARTED, step(1)]


def test_a_last_line_that_ends_inside_a_character_is_passed_over(home: Path) -> None:
    run = made(home, "a")
    sample = events.to_json(events.Sampled(1, "", "über")).encode()
    run.events_file.write_bytes(events.to_json(STARTED).encode() + b"\n" + sample[: sample.index(b"\xc3") + 1])
    assert list(run.events()) == [STARTED]


def test_a_run_without_a_log_has_no_events(home: Path) -> None:
    run = made(home, "a")
    run.events_file.unlink()
    assert list(run.events()) == []
    assert run.state() == RunState()


# ---- the fold -----------------------------------------------------------------------------------------------------


def folded(*sequence: events.Event) -> RunState:
    state = RunState()
    for event in sequence:
        state.apply(event)
    return state


def test_a_state_holds_the_events() -> None:
    data = events.DataPrepared(1, 2, 3, 4, 5, 6, {})
    plan = events.Planned(2, None, (events.PhaseSpan("train", 1, 2),))
    good, bad = events.EvalDone(1, 4.0, 4.0, 2.5, True, 1.0), events.EvalDone(2, 3.0, 5.0, 3.0, False, 2.0)
    sample = events.Sampled(2, "", "text")
    saved = events.CheckpointSaved(2, "checkpoints/step-00000002", False, 2.0)
    note, warning = events.Note("n"), events.Warned("a", "b", "c")
    state = folded(STARTED, data, note, plan, step(1), good, step(2), bad, sample, warning, saved, FINISHED)
    assert (state.started, state.data, state.plan, state.steps) == (STARTED, data, plan, [step(1), step(2)])
    assert (state.evals, state.best, state.sample, state.checkpoint) == ([good, bad], good, sample, saved)
    assert state.notices == [note, warning]
    assert (state.finished, state.failed, state.paused) == (FINISHED, None, False)


def test_a_state_knows_whether_it_is_paused_or_failed() -> None:
    assert folded(STARTED, events.Paused(1, True)).paused
    assert not folded(STARTED, events.Paused(1, True), events.Paused(1, False)).paused
    assert folded(STARTED, events.Failed("a", "b", "c")).failed


def test_a_run_that_goes_on_is_no_longer_finished() -> None:
    state = folded(STARTED, step(1), events.Paused(1, True), FINISHED, STARTED)
    assert (state.finished, state.failed, state.paused) == (None, None, False)
    assert state.steps == [step(1)]


def test_a_rescue_leads_back() -> None:
    evals = [events.EvalDone(number, 4.0, 4.0, 2.5, number != 3, 1.0) for number in (1, 2, 3, 4)]
    rescue = events.Rescued(5, 3, 1, 0.5, "back")
    before = [event for number, measured in enumerate(evals, start=1) for event in (step(number), measured)]
    state = folded(STARTED, *before, events.Sampled(2, "", "kept"), step(5), rescue)
    assert [step.step for step in state.steps] == [1, 2, 3]
    assert (state.evals, state.best, state.rescues) == (evals[:3], evals[1], [rescue])
    assert state.sample is not None
    state = folded(STARTED, *before, events.Sampled(4, "", "gone"), events.Rescued(5, 0, 1, 0.5, "back"), step(1))
    assert (state.steps, state.evals, state.best, state.sample) == ([step(1)], [], None, None)
    state.apply(events.Rescued(9, 1, 2, 0.25, "back"))
    assert [rescue.rescue for rescue in state.rescues] == [1, 2]


def test_what_comes_before_the_first_step(home: Path) -> None:
    run = made(home, "a")
    opening = run.events_file.stat().st_size
    assert run.opening_bytes() == opening
    with run.events_file.open("a") as file:
        file.write(events.to_json(step(1)) + "\n" + events.to_json(STARTED) + "\n")
    assert run.opening_bytes() == opening


def test_progress_by_steps() -> None:
    plan = events.Planned(10, None, (events.PhaseSpan("train", 1, 10),))
    assert folded(STARTED).fraction == 0.0
    assert folded(STARTED, plan).fraction == 0.0
    assert folded(STARTED, plan, step(4)).fraction == pytest.approx(0.4)
    assert folded(STARTED, plan, step(4), FINISHED).fraction == 1.0
    assert folded(STARTED, step(4)).fraction == 0.0


def test_progress_by_time() -> None:
    plan = events.Planned(10, 20.0, (events.PhaseSpan("train", 1, 10),))
    assert folded(STARTED, plan, step(4, seconds=5.0)).fraction == pytest.approx(0.25)
    assert folded(STARTED, plan, step(4, seconds=25.0)).fraction == 1.0


def test_seconds() -> None:
    assert folded().seconds == 0.0
    assert folded(STARTED, step(1), step(2, seconds=5.5)).seconds == 5.5
    assert folded(STARTED, step(1), FINISHED).seconds == FINISHED.seconds
