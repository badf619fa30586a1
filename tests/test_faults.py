"""Each fault on purpose: what a person reads, what is left behind, and that no run is lost.

| fault | where |
|---|---|
| disk full at the start, while preparing | `test_a_disk_that_is_full_before_anything_is_saved`; cli/test_main.py |
| disk full in the log, a checkpoint, a pointer, card.md | `test_a_disk_that_fills_up_later`; runs/test_checkpoint.py |
| disk full at notes.json and studio.json | `test_notes_and_preferences_on_a_full_disk` |
| disk full behind stdout | `test_output_on_a_full_disk` |
| read-only home | `test_a_home_that_may_only_be_read`; the app: tui/test_faults_app.py |
| a rename that is lost | `test_a_rename_that_is_lost`, `test_a_set_up_whose_renames_are_lost` |
| `latest` and `best` missing, empty, garbage, dangling | `test_pointers_that_lead_nowhere`; runs/test_checkpoint.py |
| files that were never brought on the disk | `test_what_a_run_needs_is_on_the_disk_before_its_first_checkpoint` |
| permission taken away in the middle | `test_rights_that_are_taken_away` |
| memory of the device, memory of the machine | training/test_memory.py |
| clock set back | `test_a_clock_that_is_set`, `test_files_from_the_future` |
| two trainers on one run | `test_two_trainers_of_one_run`; within a process: training/test_resume.py |
| two apps on one home | tui/test_faults_app.py |
| home on a path with spaces, quotes, other letters | `test_a_home_on_any_path`; the app: tui/test_faults_app.py |
| SIGINT, SIGTERM, SIGHUP | cli/test_main.py: `test_a_signal_stops_with_a_checkpoint` |
| a lost connection: SIGHUP, and no terminal any more | `test_a_connection_that_is_lost`, `test_nohup_is_respected` |
| a second SIGINT | `test_a_second_interrupt_leaves_at_once` |
| suspended and continued | `test_time_in_which_it_is_…`, `test_wherever_it_…`; training/test_loop.py |
| the app's terminal closed | tui/test_faults_app.py; SIGHUP alone: tui/terminal/test_terminal.py |
| killed at any instant, also in a second save | test_killed_runs.py; each call raising: runs/test_checkpoint.py |
| damaged checkpoints | runs/test_checkpoint.py, training/test_resume.py |
| loss or gradient that is no number, divergence | training/test_loop.py, training/test_stability.py |

Those that name no file are here.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.command_line import ENDLESS, ODD, OFTEN, TINY, Result, begin, call, left_behind, one_message, pasted
from tests.fake_time import STEP_SECONDS, FakeTime
from tests.programs import Program
from tests.run_files import check_resumable, mounted, needs_rights, steps
from tinylm import files
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.data import encode, prepare
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import RunError
from tinylm.events import CheckpointSaved, Failed, Finished, StepDone, Warned
from tinylm.inference import generate
from tinylm.runs import checkpoint, folder, listing, organise, report
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training import evaluate, session
from tinylm.training.loop import resume, train
from tui.terminal.preferences import Preferences

resource = pytest.importorskip("resource")  # which Windows does not have

Patch = pytest.MonkeyPatch


def the_run(home: Path) -> RunFolder:
    return RunFolder(home / "runs" / "one")


@pytest.fixture
def begun(tiny_file: Path) -> Iterator[Callable[..., Program]]:
    """Begin to train in a process of its own, and wait for some steps."""
    started: list[Program] = []

    def start(home: Path, *more: object, **how: Any) -> Program:
        text = Path(shutil.copy(tiny_file, home.parent))
        length = [] if "--time" in more else ENDLESS
        started.append(Program(home.parent / "output", *begin(home, text, *length, "--run", "one", *more), **how))
        started[-1].until(lambda: len(steps(the_run(home))) > 5)
        return started[-1]

    yield start
    for program in started:
        program.close()


# --- a full disk ---------------------------------------------------------------------------------------------


class Disk:
    """A small one, which something else can fill up."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(1 << 16))
                except OSError:
                    return

    def free(self) -> None:
        self._ballast.unlink()


class Limit(Disk):
    """Any disk, where no file may become longer: a shell's `ulimit -f`."""

    def fill(self) -> None:
        self._set(0)

    def free(self) -> None:
        self._set(resource.getrlimit(resource.RLIMIT_FSIZE)[1])

    def _set(self, most: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture(params=["a full disk", "a limit on the size of files"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "small"
    folder.mkdir()
    if request.param != "a full disk":
        yield Limit(folder)
        return
    mounted("-t", "tmpfs", "-o", "size=8m", "none", folder)
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


Call = tuple[object, str, int]
"""The owner of a function, its name, and which call of it is meant."""


def call_while_full(small: Disk, at: Call, *arguments: object) -> Result:
    """Call the program; from a certain call of one of its functions on, there is no room on the disk."""
    owner, name, number = at
    real, calls = getattr(owner, name), count(1)

    def watched(*arguments: Any, **more: Any) -> Any:
        if next(calls) == number:
            small.fill()
        return real(*arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, watched)
        try:
            return call(*arguments)
        finally:
            small.free()


def refusal(result: Result) -> str:
    """The last that a person reads: one sentence that says what and one that says how."""
    assert result.code == 2, result.err
    assert "Traceback" not in result.err
    return one_message(result.err.splitlines()[-1])


BEFORE: dict[str, Call] = {
    "the run's folder": (folder, "create", 1),
    "preparing": (prepare, "split_groups", 1),
    "tokens.bin": (encode, "write", 1),
    "tokenizer.json": (Tokenizer, "to_json", 1),
    "config.toml": (files, "replace_durably", 1),
    "the log's first line": (LogWriter, "write", 1),
    "the log": (LogWriter, "write", 7),
    "the first checkpoint": (checkpoint, "save", 1),
}


@pytest.mark.parametrize("at", BEFORE.values(), ids=BEFORE)
def test_a_disk_that_is_full_before_anything_is_saved(small: Disk, at: Call, tiny_file: Path) -> None:
    arguments = begin(small.folder, tiny_file, *OFTEN)
    result = call_while_full(small, at, *arguments)
    assert "--home" in refusal(result)
    assert left_behind(small.folder) == []
    assert call(*arguments).code == 0, "with room, the same works, under the same name"


LATER: dict[str, Call] = {
    "the log": (LogWriter, "write", 20),
    "the log, being synced": (LogWriter, "sync", 3),
    "a checkpoint": (checkpoint, "save", 2),
    "state.json": (files, "write_durably", 9),
    "latest": (files, "replace_durably", 4),
    "card.md": (report, "write", 1),
    "the first latest": (files, "replace_durably", 2),
}


@pytest.mark.parametrize("at", LATER.values(), ids=LATER)
def test_a_disk_that_fills_up_later(small: Disk, at: Call, tiny_file: Path) -> None:
    result = call_while_full(small, at, *begin(small.folder, tiny_file, *OFTEN))
    assert "resume" in refusal(result)
    run = the_run(small.folder)
    assert all(line.endswith(b"}\n") for line in run.events_file.read_bytes().splitlines(keepends=True))
    assert checkpoint.load(checkpoint.find(run)).state.step >= 4
    resumed = call("--train", "--resume", "--home", small.folder)
    assert resumed.code == 0, resumed.err
    assert steps(run) == list(range(1, 13))
    assert "12 steps" in (run.path / "card.md").read_text(encoding="utf-8")
    assert [event.kind for event in run.events() if isinstance(event, Failed | Finished)] == ["finished"]


def test_notes_and_preferences_on_a_full_disk(small: Disk) -> None:
    home, run = small.folder, folder.create(small.folder, "one")
    organise.set_note(home, run, "kept")
    Preferences("nord", "ascii").save(home)
    small.fill()
    try:
        with pytest.raises(RunError, match=r"cannot be written"):
            organise.set_note(home, run, "x" * 100_000)
        Preferences("dracula", "blocks").save(home)
    finally:
        small.free()
    assert listing.Notes(home).part("runs") == {"one": {"note": "kept"}}
    assert Preferences.load(home) in (Preferences("nord", "ascii"), Preferences("dracula", "blocks"))


@pytest.mark.parametrize("mode", [["--runs"], ["--generate", "The"], ["--train", "--json", "--run", "two"]], ids=str)
def test_output_on_a_full_disk(mode: list[object], finished_home: Path, tiny_file: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    more = [*TINY, *ENDLESS, "--data", tiny_file] if "--train" in mode else []
    assert Program(Path("/dev/full"), *mode, "--home", finished_home, *more).ended() == 2
    assert not (finished_home / "logs").exists(), "a full disk is no fault of ours"
    if "--train" in mode:
        check_resumable(RunFolder(finished_home / "runs" / "two"))


# --- rights --------------------------------------------------------------------------------------------------


def obedient(out: Path, *arguments: object) -> tuple[int, str]:
    """What somebody reads who has no more than a user's rights."""
    program = Program(out, *arguments, prelude=programs.obey_rights)
    return program.ended(), program.output


@needs_rights
def test_a_home_that_may_only_be_read(sealed_home: Path, tmp_path: Path, tiny_file: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sealed_home.rglob("*")}
    new = begin(sealed_home, tiny_file, *OFTEN[:-1], "two")
    for number, arguments in enumerate([new, ["--train", "--resume", "--home", sealed_home, "--steps", 20]]):
        code, output = obedient(tmp_path / f"refused-{number}", *arguments)
        assert code == 2, output
        assert "cannot be written" in one_message(output.splitlines()[-1])
    code, output = obedient(tmp_path / "written", "--generate", "The fox", "--home", sealed_home)
    assert (code, output[:7]) == (0, "The fox")
    code, output = obedient(tmp_path / "listed", "--runs", "--home", sealed_home)
    assert code == 0
    assert "finished" in output
    assert {path: path.stat().st_mtime_ns for path in sealed_home.rglob("*")} == before


@needs_rights
@pytest.mark.parametrize("mode", [["--train"], ["--train", "--resume"], ["--generate", "The"], ["--runs"]], ids=str)
def test_a_home_that_may_not_even_be_looked_into(mode: list[str], home: Path, tmp_path: Path) -> None:
    home.chmod(0o000)
    code, output = obedient(tmp_path / "output", *mode, "--home", home)
    home.chmod(0o700)
    assert code == 2, output
    assert str(home) in one_message(output)
    assert not list(home.iterdir())


@needs_rights
@pytest.mark.parametrize(("name", "rights"), [("checkpoints", 0o500), (".", 0o000)], ids=["checkpoints", "the run"])
def test_rights_that_are_taken_away(name: str, rights: int, home: Path, begun: Callable[..., Program]) -> None:
    run = the_run(home)
    program = begun(home, "--set", "train.checkpoint_interval=50", prelude=programs.obey_rights)
    program.until((run.checkpoints / "latest").exists)
    (run.path / name).chmod(rights)
    assert program.ended() == 2
    message = one_message(program.output.splitlines()[-1])
    assert "Permission denied" in message
    assert "resume" in message
    (run.path / name).chmod(0o700)
    assert [event.kind for event in run.events() if isinstance(event, Failed | Finished)] == ["failed"]
    check_resumable(run)


# --- renames, pointers, and what is on the disk when ---------------------------------------------------------


class Forgetful:
    """A file system that says that a rename is done, and after a power cut it never was."""

    def __init__(self, patch: Patch) -> None:
        self.renames: list[tuple[Path, Path, bytes | None]] = []
        """From where, to where, and which file was there before."""
        for name in ("rename", "replace"):
            patch.setattr(os, name, self._hearing(getattr(os, name)))

    def _hearing(self, real: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def rename(source: str | Path, target: str | Path) -> None:
            before = Path(target).read_bytes() if Path(target).is_file() else None
            real(source, target)
            self.renames.append((Path(source), Path(target), before))

        return rename

    def undo(self, which: slice) -> None:
        for source, target, before in reversed(self.renames[which]):
            shutil.move(target, source)
            if before is not None:
                target.write_bytes(before)


SAVES = 3
"""Renames of a save: the folder, `latest` and `best`."""


@pytest.fixture(scope="module")
def uninterrupted(tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    home = tmp_path_factory.mktemp("uninterrupted")
    list(train(tiny_config(train={"checkpoint_interval": 5}), home, "one"))
    return the_run(home)


@pytest.mark.parametrize("lost", [slice(-3, -2), slice(-2, -1), slice(-1, None), slice(-2, None), slice(-3, None)])
def test_a_rename_that_is_lost(
    lost: slice, home: Path, tiny_config: Callable[..., RunConfig], uninterrupted: RunFolder, monkeypatch: Patch
) -> None:
    with monkeypatch.context() as patch:
        forgetful = Forgetful(patch)
        stream = train(tiny_config(train={"checkpoint_interval": 5}), home, "one")
        saved = 0
        while saved < 10:  # by then there is one before it, and it is the best
            event = next(stream)
            saved = event.step if isinstance(event, CheckpointSaved) else saved
        stream.close()  # type: ignore[attr-defined]
    assert [target.name for _, target, _ in forgetful.renames[-SAVES:]] == ["step-00000010", "latest", "best"]
    forgetful.undo(lost)
    run = the_run(home)
    for which in ("latest", "best"):
        assert call("--generate", "The", "--home", home, "--checkpoint", which).code == 0
    list(resume(resolve.resumed(run.config(), run.config()), run))
    assert steps(run) == steps(uninterrupted)
    assert [path.name for path in sorted(run.checkpoints.iterdir())] == [
        path.name for path in sorted(uninterrupted.checkpoints.iterdir())
    ]
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (checkpoint.find(run) / name).read_bytes() == (checkpoint.find(uninterrupted) / name).read_bytes()


def test_a_set_up_whose_renames_are_lost(home: Path, tiny_config: Callable[..., RunConfig], monkeypatch: Patch) -> None:
    with monkeypatch.context() as patch:
        forgetful = Forgetful(patch)
        stream = train(tiny_config(), home, "one")
        while not isinstance(next(stream), StepDone):
            pass
        stream.close()  # type: ignore[attr-defined]
    assert {target.name for _, target, _ in forgetful.renames} > {"config.toml"}
    forgetful.undo(slice(None))
    log = list(train(tiny_config(), home, "one"))
    assert isinstance(log[-1], Finished), "nothing was saved, so it begins anew under its name"


@pytest.mark.parametrize("pointed", [None, b"", b"\xff\x00 garbage", b"step-00000099\n"], ids=str)
def test_pointers_that_lead_nowhere(pointed: bytes | None, finished_home: Path) -> None:
    run = the_run(finished_home)
    for pointer in (run.checkpoints / "latest", run.checkpoints / "best"):
        pointer.unlink()
        if pointed is not None:
            pointer.write_bytes(pointed)
    for which in ("latest", "best"):
        result = call("--generate", "The", "--home", finished_home, "--checkpoint", which)
        assert result.code == 0, result.err
    assert listing.read_listings(finished_home)[0].status == "finished"
    check_resumable(run)
    assert checkpoint.find(run).name == "step-00000014"


def test_what_a_run_needs_is_on_the_disk_before_its_first_checkpoint(
    home: Path, tiny_config: Callable[..., RunConfig], monkeypatch: Patch
) -> None:
    """Else a power cut leaves a checkpoint without the texts or the tokenizer that it goes with."""
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    stream = train(tiny_config(train={"checkpoint_interval": 5}), home, "one")
    while not isinstance(next(stream), CheckpointSaved):
        pass
    run = the_run(home)
    needed = [run.path, run.path.parent, *(path for path in run.path.rglob("*") if path.name != ".lock")]
    stream.close()  # type: ignore[attr-defined]
    assert [str(path.relative_to(home)) for path in needed if path.stat().st_ino not in synced] == []


# --- the clock -----------------------------------------------------------------------------------------------


class Clock:
    """The time of day, which somebody sets."""

    def __init__(self, patch: Patch) -> None:
        clock, real = self, time.strftime
        self.now = datetime(2026, 11, 24, 12, 0, 0).astimezone()

        class Day(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return clock.now.astimezone(tz)

        patch.setattr(time, "strftime", lambda form, *at: real(form, *(at or [self.now.timetuple()])))
        patch.setattr(session, "datetime", Day)


@pytest.mark.usefixtures("fake_time")
@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_is_set(years: int, home: Path, tiny_config: Callable[..., RunConfig], monkeypatch: Patch) -> None:
    clock = Clock(monkeypatch)
    noon = clock.now
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    config = tiny_config(train={"phases": [phase], "budget": "1s", "checkpoint_interval": 5})
    log = []
    for event in train(config, home):
        log.append(event)
        if isinstance(event, StepDone) and event.step == 7:
            clock.now = noon.replace(year=noon.year + years)
    ends = [event.seconds for event in log if isinstance(event, StepDone)]
    assert all(first <= second for first, second in pairwise(ends))
    assert log[-1].seconds == pytest.approx(1, abs=0.05)
    clock.now = noon
    list(train(tiny_config(), home))
    assert [run.name for run in folder.list_runs(home)] == ["tiny-20261124-120000", "tiny-20261124-120000-2"]
    assert not [event for event in log if isinstance(event, Warned) and "suspended" in event.title]
    other = folder.list_runs(home)[1]
    clock.now = noon.replace(year=noon.year + years)
    longer = resolve.with_values(other.config(), train={"budget": "25 steps"})
    list(resume(resolve.resumed(other.config(), longer), other))
    assert steps(other) == list(range(1, 26))
    assert {entry.status for entry in listing.read_listings(home)} == {"finished"}


def test_files_from_the_future(finished_home: Path) -> None:
    for path in finished_home.rglob("*"):
        os.utime(path, (time.time() + 1e8, time.time() + 1e8))
    check_resumable(the_run(finished_home))


# --- processes that are disturbed ----------------------------------------------------------------------------


def test_two_trainers_of_one_run(home: Path, begun: Callable[..., Program], tiny_file: Path) -> None:
    program = begun(home)
    run = the_run(home)
    before = sorted(path.name for path in run.path.iterdir())
    for more in (["--resume"], ["--resume", "--run", "one", "--steps", 20]):
        assert "another process" in refusal(call("--train", "--home", home, *more))
    assert "named one" in refusal(call(*begin(home, tiny_file, "--run", "one")))
    assert sorted(path.name for path in run.path.iterdir()) == before
    before_signal = len(steps(run))
    program.until(lambda: len(steps(run)) > before_signal)
    program.signal(signal.SIGINT)
    assert program.ended() == 130
    check_resumable(run)


@pytest.mark.parametrize("how", [[], ["--json"], ["--plain"]], ids=["live", "json", "plain"])
def test_a_connection_that_is_lost(how: Sequence[str], home: Path, begun: Callable[..., Program]) -> None:
    program = begun(home, *how, terminal=True)
    program.close_terminal()
    assert program.ended() == 129
    run = the_run(home)
    assert [event.reason for event in run.events() if isinstance(event, Finished)] == ["stopped"]
    check_resumable(run)
    assert not (home / "logs").exists(), "it is no fault of ours"


@pytest.mark.parametrize("terminal", [False, True])
def test_nohup_is_respected(terminal: bool, home: Path, begun: Callable[..., Program]) -> None:
    program = begun(home, prelude=programs.ignore_hangups, terminal=terminal)
    if terminal:
        program.close_terminal()
    else:
        program.signal(signal.SIGHUP)
    run = the_run(home)
    before_signal = len(steps(run))
    program.until(lambda: len(steps(run)) > before_signal + 50)
    program.signal(signal.SIGTERM)
    assert program.ended() == 143
    check_resumable(run)


def test_a_second_interrupt_leaves_at_once(home: Path, begun: Callable[..., Program]) -> None:
    program = begun(home, prelude=programs.measure_for_ever)
    program.signal(signal.SIGINT)
    program.until((the_run(home).checkpoints / "latest").exists)
    program.until(lambda: "Ctrl-C again" in program.output)
    program.signal(signal.SIGINT)
    assert program.ended() == 130
    check_resumable(the_run(home))


def test_time_in_which_it_is_suspended_does_not_count(home: Path, begun: Callable[..., Program]) -> None:
    program = begun(home, "--time", "5s", prelude=programs.suspend_at_step_200)
    program.until(program.is_suspended)
    program.signal(signal.SIGCONT)
    assert program.ended() == 0
    state = the_run(home).state()
    assert state.finished is not None
    assert state.finished.seconds == pytest.approx(5, abs=0.1)
    assert state.finished.step == pytest.approx(5 / STEP_SECONDS, rel=0.05), "the plan has its five seconds"
    [warning] = [notice for notice in state.notices if isinstance(notice, Warned) and "suspended" in notice.title]
    assert "3,600 s" in warning.message
    assert warning.message in program.output
    check_resumable(the_run(home))


@pytest.mark.parametrize(
    ("owner", "name"),
    [(evaluate, "score"), (generate, "generate_text"), (checkpoint, "save")],
    ids=["evaluation", "sample", "save"],
)
def test_wherever_it_is_suspended_the_plan_keeps_its_time(
    owner: object, name: str, home: Path, tiny_config: Callable[..., RunConfig], monkeypatch: Patch, fake_time: FakeTime
) -> None:
    """A minute without any work, which must neither count nor pass for what an evaluation takes."""
    real, calls = getattr(owner, name), count(1)

    def suspended(*arguments: Any, **more: Any) -> Any:
        if next(calls) == 2:
            fake_time.sleep(60)
        return real(*arguments, **more)

    monkeypatch.setattr(owner, name, suspended)
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    log = list(train(tiny_config(train={"phases": [phase], "budget": "1s", "checkpoint_interval": 10}), home, "one"))
    assert isinstance(log[-1], Finished)
    assert log[-1].seconds == pytest.approx(1, abs=0.05), "less where it passed for an evaluation"
    [warning] = [event for event in log if isinstance(event, Warned) and "suspended" in event.title]
    assert "60 s" in warning.message


# --- any path ------------------------------------------------------------------------------------------------


def test_a_home_on_any_path(tmp_path: Path, begun: Callable[..., Program]) -> None:
    home = tmp_path / ODD
    program = begun(home)
    program.signal(signal.SIGINT)
    assert program.ended() == 130
    commands = [line.partition(": ")[2] for line in program.output.splitlines() if ": tinylm-studio " in line]
    [resuming, talking] = map(pasted, commands)
    assert resuming == ["--train", "--resume", "--run", "one", "--home", str(home)]
    assert talking == ["--generate", "", "--run", "one", "--home", str(home)]
    assert call(*talking).code == 0
    check_resumable(the_run(home))
    [row] = map(json.loads, call("--runs", "--json", "--home", home).out.splitlines())
    assert row["dir"] == str(the_run(home).path)
