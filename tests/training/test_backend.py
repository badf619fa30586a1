"""When a run switches to the kernels, and that it stays the same run."""

from __future__ import annotations

import ctypes
import errno
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_time import FakeTime
from tests.native import copy_library, install, needs_compiler, train_pass_library
from tests.run_files import reforge
from tests.trainings import Configured, acting, go_on, logged, newest_files, notes_in, of, stop_at
from tinylm.config import resolve
from tinylm.config.schema import RunConfig, TrainConfig
from tinylm.events import Event, Finished, RunStarted, StepDone, Warned
from tinylm.kernels import compiler, train_pass
from tinylm.kernels.compiler import Build
from tinylm.kernels.train_pass import NativePass
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import RunFolder
from tinylm.training import backend
from tinylm.training.backend import FAILED
from tinylm.training.control import Control
from tinylm.training.loop import resume, train


def config_of(tiny_config: Configured, **train_settings: object) -> RunConfig:
    return tiny_config(model={"dropout": 0.1, "qk_norm": True}, train={"compile": "on", **train_settings})


def library_of(home: Path) -> Path:
    return compiler.library_path(home, train_pass.SOURCE)


@pytest.fixture
def warm(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose cache has the code."""
    install(train_pass_library(tmp_path_factory), home)
    return home


# --- when --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "decided", "switched", "left", "there", "expected"),
    [
        ("off", "", False, 3600, ".so", "never"),
        ("on", "", False, 10, "", "before"),
        ("auto", "kernels", False, 10, "", "concurrent"),  # planned when the run began
        ("on", "kernels", True, 10, "", "before"),
        ("auto", "eager", False, 3600, ".so", "never"),
        ("auto", "", False, 115, "", "concurrent"),
        ("auto", "", False, 5, "", "never"),
        ("auto", "", False, 5, ".so", "before"),
        ("auto", "", False, 3600, FAILED, "never"),  # what failed once is not tried again,
        ("on", "", False, 3600, FAILED, "before"),  # unless somebody asks for it
    ],
)
def test_when_a_run_is_compiled(
    wish: str, decided: str, switched: bool, left: float, there: str, expected: str, tmp_path: Path
) -> None:
    library = tmp_path / "x.so"
    if there:
        library.with_suffix(there).touch()
    train = TrainConfig(compile=wish)  # type: ignore[arg-type]
    when = backend.when_to_compile(train, decided, switched=switched, seconds_left=left, library=library)
    assert when == expected


# --- in a run ----------------------------------------------------------------------------------------------------


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in of(events, StepDone)]


def state_of(home: Path, name: str = "run") -> TrainState:
    """The state in a run's newest checkpoint."""
    return checkpoint.load(checkpoint.find(folder.open_run(home, name))).state


@needs_compiler
def test_a_compiled_run_is_the_same_twice_and_after_a_stop(warm: Path, tiny_config: Configured) -> None:
    config = config_of(tiny_config)
    whole = list(train(config, warm, "whole"))
    assert [event.compiled for event in of(whole, RunStarted)] == [True]
    eager = list(train(resolve.with_values(config, train={"compile": "off"}), warm, "eager"))
    assert losses(whole) == pytest.approx(losses(eager), rel=1e-3)
    assert losses(whole) == losses(list(train(config, warm, "again")))
    run = stop_at(7, config, warm, "stopped")
    assert state_of(warm, "stopped").backend == "kernels"
    go_on(run)
    files = newest_files(folder.open_run(warm, "whole"))
    assert newest_files(folder.open_run(warm, "again")) == newest_files(run) == files


def age(run: RunFolder, backend_: str) -> None:
    """Rewrite a run as earlier versions left it: what they chose in `train.compile`, no backend in the state."""
    path = checkpoint.find(run)
    table = json.loads((path / checkpoint.STATE).read_bytes())
    del table["backend"]
    (path / checkpoint.STATE).write_text(json.dumps(table))
    reforge(path)
    config = resolve.with_values(run.config(), train={"compile": backend_})
    run.config_file.write_text(resolve.to_toml(config), encoding="utf-8")


@needs_compiler
@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize(("compile_", "backend_"), [("on", "kernels"), ("off", "eager")])
def test_a_run_from_before_states_had_a_backend_resumes_with_that_of_its_configuration(
    compile_: str, backend_: str, warm: Path, tiny_config: Configured
) -> None:
    """Earlier versions wrote what they chose into `train.compile`."""
    config = config_of(tiny_config, compile=compile_)
    list(train(config, warm, "whole"))
    run = stop_at(7, config, warm)
    age(run, compile_)
    assert state_of(warm).backend == ""
    events = go_on(run)
    assert [event.compiled for event in of(events, RunStarted)] == [backend_ == "kernels"]
    assert state_of(warm).backend == backend_
    assert newest_files(run) == newest_files(folder.open_run(warm, "whole"))


@pytest.fixture
def late(warm: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where the library appears a moment after a compiler has begun, and the kernels are faster."""
    monkeypatch.setattr(backend, "MAX_SLOWDOWN", math.inf)
    library = library_of(warm)
    hidden = warm / "hidden.so"
    copy_library(library, hidden)
    library.unlink()

    class Quick(Build):
        def __init__(self, *_: object) -> None:
            self.asked = 0

        def is_done(self) -> bool:
            self.asked += 1
            return self.asked >= 5

        def finish(self, check: Callable[[ctypes.CDLL], object]) -> None:
            check(compiler.load(hidden))
            copy_library(hidden, library)

        def stop(self) -> None:
            pass

    monkeypatch.setattr("tinylm.training.backend_switch.Build", Quick)
    monkeypatch.setattr(backend, "WORTH_COMPILING_SECONDS", 0.0)
    return warm


@needs_compiler
@pytest.mark.usefixtures("fake_time")
def test_a_timed_run_switches_as_soon_as_it_can(late: Path, tiny_config: Configured) -> None:
    phases = [{"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}]
    config = config_of(tiny_config, compile="auto", budget="3s", phases=phases)
    events = list(train(config, late, "run"))
    assert [event.compiled for event in of(events, RunStarted)] == [False]
    assert notes_in(events, "run compiled")
    state = state_of(late)
    assert state.compiled_from is not None
    assert 3 <= state.compiled_from < state.step


def check_same(run: RunFolder, again: RunFolder) -> None:
    """Steps, weights, optimizer and recording of a repetition are those of the run."""
    assert logged(again, StepDone) == logged(run, StepDone)
    assert newest_files(again) == newest_files(run)
    assert again.config().repeat == run.config().repeat


@needs_compiler
@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("slower", ["eager", "kernels"])
def test_a_repeated_run_switches_at_the_same_step(
    slower: str, late: Path, tiny_config: Configured, fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the library is there from the start then, and would be used at once."""
    monkeypatch.setattr(backend, "MAX_SLOWDOWN", math.inf if slower == "eager" else 0.0)
    phases = [{"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}]
    list(train(config_of(tiny_config, compile="auto", budget="1s", phases=phases), late, "run"))
    run = folder.open_run(late, "run")
    switched = state_of(late).compiled_from
    assert (switched is None) == (slower == "kernels")
    monkeypatch.setattr(backend, "MAX_SLOWDOWN", 0.0 if slower == "eager" else math.inf)
    (late / "cache" / "machine.json").unlink()
    acting(train(run.config(), late, "again"), {2: lambda: fake_time.work(0.5)})
    again = folder.open_run(late, "again")
    assert state_of(late, "again").compiled_from == switched
    check_same(run, again)


@needs_compiler
@pytest.mark.usefixtures("each_step")
def test_a_run_that_was_compiled_from_its_first_step_is_repeated(
    late: Path, tiny_config: Configured, fake_time: FakeTime
) -> None:
    phases = [{"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}]
    config = config_of(tiny_config, compile="auto", budget="1s", phases=phases)
    for name in ("first", "run"):  # the second one finds the library of the first
        list(train(config, late, name))
    run = folder.open_run(late, "run")
    assert state_of(late, "run").compiled_from == 0
    acting(train(run.config(), late, "again"), {2: lambda: fake_time.work(0.5)})
    again = folder.open_run(late, "again")
    check_same(run, again)


@needs_compiler
@pytest.mark.usefixtures("each_step")
def test_a_repetition_that_cannot_compile_says_so_and_goes_on(
    late: Path, tiny_config: Configured, fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = [{"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}]
    list(train(config_of(tiny_config, compile="auto", budget="1s", phases=phases), late, "run"))
    run = folder.open_run(late, "run")

    def broken(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(compiler, "load", broken)
    events = list(train(run.config(), late, "again"))
    assert notes_in(events, "no room")
    assert notes_in(events, "another way")
    again = folder.open_run(late, "again").config().repeat
    assert again is not None
    assert not again.exact
    assert isinstance(events[-1], Finished)


@needs_compiler
@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_run_of_counted_steps_switches_at_the_planned_step_also_when_resumed(
    share: float, late: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinylm.training.backend_switch.COMPILE_SECONDS", 0.0)
    monkeypatch.setattr("tinylm.training.backend_switch.FIRST_STEPS", 9)
    config = config_of(tiny_config, compile="auto", average=share)
    library = library_of(late)
    ends = []
    for name, stops in (("whole", ()), ("before", (4,)), ("just-before", (8,)), ("both", (4, 14)), ("old", (4,))):
        library.unlink(missing_ok=True)
        stream = train(config, late, name, control := Control())
        for stop in stops:
            acting(stream, {stop: control.stop.set})
            assert state_of(late, name).step == stop
            run = folder.open_run(late, name)
            if name == "old":
                age(run, "on")
            stream = resume(resolve.resumed(run.config(), run.config()), run, control := Control())
        list(stream)
        state = state_of(late, name)
        assert (state.step, state.compiled_from) == (20, 9)
        ends.append(newest_files(folder.open_run(late, name)))
    assert len(ends[0]) == (3 if share else 2)
    assert all(end == ends[0] for end in ends)


def test_without_a_compiler_it_continues_with_a_note(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    monkeypatch.setenv("PATH", "/nowhere")
    events = list(train(config_of(tiny_config), home, "run"))
    assert isinstance(events[-1], Finished)
    assert notes_in(events, "Compiling does not work")
    assert state_of(home).backend == "eager"
    assert folder.open_run(home, "run").config().train.compile == "on", "what the person asked for stays"


@pytest.mark.parametrize("compile_", ["on", "auto"])
def test_a_cache_that_takes_nothing_is_done_without(
    compile_: str, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("tinylm.training.backend_switch.Build", full)
    monkeypatch.setattr("tinylm.training.backend_switch.COMPILE_SECONDS", 0.0)
    monkeypatch.setattr(backend, "WORTH_COMPILING_SECONDS", 0.0)
    events = list(train(config_of(tiny_config, compile=compile_), home, "run"))
    assert isinstance(events[-1], Finished)
    assert notes_in(events, "no room")
    assert not list(home.glob(f"cache/compiled/*{FAILED}")), "the next run tries again"


@needs_compiler
@pytest.mark.parametrize("damage", ["no code at all", "shortened", "a bit turned"])
def test_a_damaged_library_is_made_again_or_done_without(damage: str, warm: Path, tiny_config: Configured) -> None:
    library = library_of(warm)
    code = bytearray(library.read_bytes())
    code[len(code) // 2] ^= 1
    kinds = {"no code at all": damage.encode(), "shortened": code[: len(code) // 2], "a bit turned": code}
    library.write_bytes(kinds[damage])
    events = list(train(config_of(tiny_config), warm, "run"))
    assert isinstance(events[-1], Finished)
    assert notes_in(events, "Compiling does not work")
    assert not library.exists(), "the next run makes it anew"


@needs_compiler
@pytest.mark.parametrize(
    ("eager", "kernels", "faster"), [(1.0, 1.3, "eager"), (1.0, 1.05, "kernels"), (2.0, 1.0, "kernels")]
)
def test_which_backend_is_faster_is_measured_once(
    eager: float, kernels: float, faster: str, warm: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    really = backend.fastest

    def seconds(kind: str) -> float:
        measured.append(kind)
        return kernels if kind == "kernels" else eager

    monkeypatch.setattr(backend, "fastest", lambda *parts: really(*parts[:-1], seconds))
    config = config_of(tiny_config, compile="auto")
    first, second = (list(train(config, warm, name)) for name in ("one", "two"))
    assert measured == ["eager", "kernels"] * backend.REPEATS
    for events, sentence in (
        (first, "torch's own operations are faster here"),
        (second, "were faster here than our passes"),
    ):
        assert bool(notes_in(events, "run compiled")) == (faster == "kernels")
        assert bool(notes_in(events, sentence)) == (faster == "eager")
    for name in ("one", "two"):
        assert state_of(warm, name).backend == faster
        assert folder.open_run(warm, name).config().train.compile == "auto"
    list(train(config_of(tiny_config, compile="on"), warm, "wanted"))
    assert len(measured) == 2 * backend.REPEATS, "who asks for the kernels gets them"


@needs_compiler
def test_where_the_kernels_cannot_be_measured_the_run_continues_without(
    late: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("no thread could be had: can't allocate memory")

    monkeypatch.setattr(NativePass, "__call__", refused)
    monkeypatch.setattr("tinylm.training.backend_switch.COMPILE_SECONDS", 0.0)
    events = list(train(config_of(tiny_config, compile="auto", budget="20 steps", batch_size=4), late, "run"))
    assert isinstance(events[-1], Finished)
    assert events[-1].step == 20
    assert notes_in(events, "can't allocate memory")
    assert not of(events, Warned)


@needs_compiler
@pytest.mark.parametrize("error", [RuntimeError("can't allocate memory"), MemoryError()], ids=repr)
def test_where_the_kernels_do_not_fit_one_run_the_next_tries_again(
    error: Exception, warm: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> None:
        raise error

    monkeypatch.setattr("tinylm.training.step.NativePass", too_large)
    events = list(train(config_of(tiny_config), warm, "run"))
    assert isinstance(events[-1], Finished)
    assert notes_in(events, str(error) or "MemoryError")
    assert library_of(warm).exists()
    assert not library_of(warm).with_suffix(FAILED).exists()
