"""A run that was stopped, killed or damaged continues as if nothing had happened."""

import errno
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.fake_time import STEP_SECONDS
from tests.trainings import (
    Configured,
    go_on,
    kill_at,
    logged,
    newest_files,
    notes_in,
    of,
    resumed,
    stop_at,
)
from tinylm import files, paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError, RunError
from tinylm.events import CheckpointSaved, EvalDone, Finished, Planned, RunStarted, Sampled, StepDone
from tinylm.hardware import autotune, device
from tinylm.inference.load import load_model
from tinylm.planning import schedule
from tinylm.runs import checkpoint, folder
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training import loop, setup
from tinylm.training.loop import resume, train

pytestmark = pytest.mark.usefixtures("each_step")
STEPS = 24


def config_of(tiny_config: Configured, optimizer: str = "adamw", **values: Any) -> RunConfig:
    phases = [
        {"name": "first", "schedule": "cosine", "steps": 14, "max_lr": 1e-2, "warmup_steps": 3},
        {"name": "second", "schedule": "wsd", "steps": 10, "max_lr": 3e-3, "warmup_steps": 2, "steps_down": 4},
    ]
    often = {"eval_interval": 6, "sample_interval": 8, "checkpoint_interval": 5}
    return tiny_config(model={"dropout": 0.2}, train={"optimizer": optimizer, "phases": phases, **often, **values})


@dataclass(frozen=True)
class Whole:
    """A run that nothing disturbed, and copies of its folder as a power cut would have left it at some events."""

    config: RunConfig
    run: RunFolder
    copies: list[Path]


@pytest.fixture(scope="module")
def uninterrupted(tiny_config: Configured, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    made: dict[str, Whole] = {}

    def make(optimizer: str) -> Whole:
        if optimizer not in made:
            home, config = tmp_path_factory.mktemp("uninterrupted"), config_of(tiny_config, optimizer)
            run, copies = RunFolder(home / "runs" / "run"), []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop, "REPORT_SECONDS", 0.0)
                for i, _ in enumerate(train(config, home, "run")):
                    copies.append(home / "copies" / str(i) / "run")
                    shutil.copytree(run.path, copies[-1], ignore=shutil.ignore_patterns(".lock"))
            made[optimizer] = Whole(config, run, copies)
        return made[optimizer]

    return make


def check_same(run: RunFolder, whole: Whole) -> None:
    """Steps, weights and optimizer of a run are bit for bit those of the uninterrupted one; no step is missing."""
    steps = logged(run, StepDone)
    assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
    assert steps == logged(whole.run, StepDone)
    assert checkpoint.find(run).name == checkpoint.folder_name(STEPS)
    assert newest_files(run) == newest_files(whole.run)
    seconds = [event.seconds for event in of(run.events(), StepDone)]
    assert all(first <= second for first, second in pairwise(seconds)), "the clock went back"
    kinds = [event.kind for event in run.events()]
    assert kinds[-1] == "finished"
    assert kinds.count("finished") == 1
    assert "failed" not in kinds
    assert not run.is_locked()


def killed_at(step: int, config: RunConfig, home: Path) -> RunFolder:
    """A run that was killed at a step."""
    kill_at(step, train(config, home, "run"))
    return folder.open_run(home, "run")


def spoil_logs(run: RunFolder) -> None:
    """What a process may have written between its last checkpoint and its death."""
    line = run.events_file.read_bytes().splitlines()[-1]
    with run.events_file.open("ab") as file:
        file.write(b'{"event": "step", "step": 9999}\n' + line + b"\n\x00\xff garbage\n" + line[: len(line) // 2])
    with run.samples_file.open("ab") as file:
        file.write(b'{"event": "sample", "step": 9999, "prompt": "", "text": "x"}\n{"ev')


# --- earlier versions ---------------------------------------------------------------------------------------


def test_a_run_of_an_earlier_version_goes_on_with_its_own_split(
    home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    """Its folder names no split, and the same batches follow, also over several epochs."""
    folder_of_texts = tmp_path / "texts"
    folder_of_texts.mkdir()
    for i in range(3):
        (folder_of_texts / f"{i}.txt").write_text(f"The {i}th of all things. " * 40)
    data = {"sources": [str(folder_of_texts)], "split": 1}
    config = resolve.with_values(config_of(tiny_config), data=data)
    list(train(config, home, "whole"))
    run = stop_at(11, config, home, "parts")
    for file, entry in ((run.config_file, "split = 1\n"), (run.path / "data" / "data.json", ',\n "split": 1')):
        text = file.read_text()
        assert text.count(entry) == 1
        file.unlink()  # it may be a link to the cache
        file.write_text(text.replace(entry, ""))
    go_on(run)
    assert logged(run, StepDone) == logged(folder.open_run(home, "whole"), StepDone)
    assert run.config().data.split == 1


# --- stopped and killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("seed", [1, 2])
def test_stopped_and_killed_it_equals_the_uninterrupted_run(
    optimizer: str, seed: int, home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    rng = random.Random(f"{optimizer} {seed}")
    whole = uninterrupted(optimizer)
    stop, kill = rng.randrange(2, 9), rng.randrange(10, STEPS)
    run = stop_at(stop, config_of(tiny_config, optimizer), home)
    assert [event.reason for event in of(run.events(), Finished)] == ["stopped"]
    kill_at(kill, resumed(run))
    spoil_logs(run)
    go_on(run)
    check_same(run, whole)
    assert b"9999" not in run.samples_file.read_bytes()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_power_cut_at_any_event_changes_nothing_at_all(
    optimizer: str, tmp_path: Path, uninterrupted: Callable[[str], Whole]
) -> None:
    whole = uninterrupted(optimizer)
    everything = (StepDone, EvalDone, Sampled, CheckpointSaved, Finished)
    kinds = [event.kind for event in whole.run.events()]
    after = [i for i, kind in enumerate(kinds) if kind in ("checkpoint", "eval", "sample")]
    rng = random.Random(optimizer)
    chosen = sorted({*rng.sample(after, 4), *rng.sample(range(len(kinds) - 1), 2), after[-1]})
    wrong = []
    for index in chosen:
        run = RunFolder(tmp_path / str(index) / "run")
        shutil.copytree(whole.copies[index], run.path)
        go_on(run)
        check_same(run, whole)
        if logged(run, *everything) != logged(whole.run, *everything):
            wrong.append(f"after event {index}, {kinds[index]}")
    assert not wrong, f"evaluations, samples, checkpoints or the end differ: {wrong}"


def test_a_power_cut_right_after_a_best_checkpoint_loses_no_sample(tmp_path: Path, tiny_config: Configured) -> None:
    config = config_of(tiny_config, sample_interval=6)  # evaluated and sampled at the same steps
    stream = train(config, tmp_path / "home", "run")
    for event in stream:
        if isinstance(event, CheckpointSaved) and event.step == 6:
            break
    stream.close()  # type: ignore[attr-defined]
    run = folder.open_run(tmp_path / "home", "run")
    go_on(run)
    for kind in (EvalDone, Sampled):
        assert [event["step"] for event in logged(run, kind) if event["step"] < STEPS] == [6, 12, 18]


def test_a_stop_leaves_no_trace_but_its_checkpoint(
    home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    run = stop_at(11, config_of(tiny_config), home)
    go_on(run)
    whole = uninterrupted("adamw")
    check_same(run, whole)
    for kind in (EvalDone, Sampled, Finished):
        assert logged(run, kind) == logged(whole.run, kind), kind.__name__
    assert len(run.samples_file.read_bytes().splitlines()) == len(logged(run, Sampled))


def test_stop_at_can_be_lifted(home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]) -> None:
    list(train(config_of(tiny_config, stop_at=13), home, "run"))
    run = folder.open_run(home, "run")
    go_on(run, stop_at=None)
    check_same(run, uninterrupted("adamw"))


def test_killed_before_the_first_checkpoint_it_starts_over(
    home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    run = killed_at(3, config_of(tiny_config), home)
    assert not checkpoint.exists(run)
    spoil_logs(run)
    events = go_on(run)
    assert isinstance(events[0], RunStarted)
    assert events[0].resumed_from is None
    check_same(run, uninterrupted("adamw"))
    assert list(run.events()) == events


def test_the_events_of_a_resumed_run(home: Path, tiny_config: Configured) -> None:
    run = killed_at(12, config_of(tiny_config), home)
    before = checkpoint.newest_whole(run)[0]
    assert before is not None
    events = go_on(run)
    [started] = of(events, RunStarted)
    assert started.resumed_from == before.state.step >= 10
    assert [event.step for event in of(events, StepDone)] == list(range(before.state.step + 1, STEPS + 1))
    log = run.events_file.read_bytes()
    assert log[before.state.events_bytes :].startswith(b'{"event": "checkpoint"')
    assert [json.loads(line)["event"] for line in log.splitlines()].count("run_started") == 2


# --- damage --------------------------------------------------------------------------------------------------


def test_a_damaged_checkpoint_costs_only_time(
    home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    run = killed_at(14, config_of(tiny_config), home)
    newest = checkpoint.find(run)
    data = bytearray((newest / checkpoint.MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (newest / checkpoint.MODEL).write_bytes(data)
    events = go_on(run)
    assert notes_in(events, newest.name)
    [started] = of(events, RunStarted)
    assert started.resumed_from is not None
    assert started.resumed_from < int(newest.name[5:])
    check_same(run, uninterrupted("adamw"))


def test_a_checkpoint_of_another_model_is_refused_and_the_run_unlocked(home: Path, tiny_config: Configured) -> None:
    run = killed_at(6, config_of(tiny_config), home)
    other = resolve.with_values(run.config(), model={"n_layer": 2})
    run.config_file.write_text(resolve.to_toml(other), encoding="utf-8")
    with pytest.raises(RunError, match="does not fit"):
        go_on(run)
    assert not run.is_locked()
    assert checkpoint.exists(run)


@pytest.mark.parametrize(
    ("budget", "changes"),
    [
        ("2s", {"budget": "0.1s"}),
        (None, {"budget": "5 steps"}),
        (None, {"budget": "0.01 epochs"}),
        (None, {"stop_at": 3}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("fake_time")
def test_a_length_that_is_passed_already_is_refused_and_nothing_changes(
    budget: str | None, changes: dict[str, object], home: Path, tiny_config: Configured
) -> None:
    """A length is that of the whole run; to give less than that cannot be what was meant."""
    config = config_of(tiny_config)
    if budget:
        phases = [{"share": 1.0, "max_lr": 1e-2}]
        config = resolve.with_values(config, train={"budget": budget, "phases": phases})
    run = stop_at(14, config, home)
    before = run.events_file.read_bytes(), run.config_file.read_bytes()
    with pytest.raises(ConfigError):
        go_on(run, **changes)
    assert (run.events_file.read_bytes(), run.config_file.read_bytes()) == before
    assert not run.is_locked()


@pytest.mark.parametrize("lost", ["data/tokens.bin", "data/data.json", "tokenizer.json"])
def test_a_run_that_lost_a_file_is_refused_and_unlocked(lost: str, home: Path, tiny_config: Configured) -> None:
    run = killed_at(6, config_of(tiny_config), home)
    log = run.events_file.read_bytes()
    (run.path / lost).unlink()
    with pytest.raises(RunError):
        go_on(run)
    assert not run.is_locked()
    assert run.events_file.read_bytes() == log


@pytest.mark.parametrize("fault", ["too short", "full disk", "full log"])
def test_a_resume_that_fails_never_deletes_the_run(
    fault: str, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed_at(6, config_of(tiny_config), home)
    (checkpoint.find(run) / checkpoint.MODEL).write_bytes(b"damaged")  # so that it starts over
    config = run.config()
    if fault == "too short":
        config = resolve.with_values(config, train={"budget": "1 steps"})  # and there are two phases
    full = OSError(errno.ENOSPC, "No space left on device")
    if fault == "full disk":
        monkeypatch.setattr(files, "replace_durably", refusing(full))
    if fault == "full log":
        monkeypatch.setattr(LogWriter, "write", refusing(full))
    with pytest.raises((ConfigError, RunError)):
        list(resume(resolve.resumed(run.config(), config), run))
    assert run.config_file.exists(), "resuming failed, and the run is gone"
    assert not run.is_locked()
    monkeypatch.undo()
    assert isinstance(go_on(run)[-1], Finished)


def refusing(error: Exception) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


# --- elsewhere -----------------------------------------------------------------------------------------------


def test_the_folder_alone_is_enough(
    tmp_path: Path, tiny_config: Configured, tiny_text: str, uninterrupted: Callable[[str], Whole]
) -> None:
    here, there, text = tmp_path / "here", tmp_path / "there", tmp_path / "tiny.txt"
    text.write_text(tiny_text, encoding="utf-8")
    config = resolve.with_values(config_of(tiny_config), data={"sources": [str(text)]})
    killed_at(12, config, here)
    (there / "runs").mkdir(parents=True)
    shutil.copytree(here / "runs" / "run", there / "runs" / "moved")
    shutil.rmtree(here)
    text.unlink()
    run = folder.open_run(there, "moved")
    events = go_on(run)
    assert not paths.cache(there).exists()
    assert [event.run for event in of(events, RunStarted)] == ["moved"]
    check_same(run, uninterrupted("adamw"))
    model, tokenizer = load_model(run)
    assert model.vocab_size == tokenizer.vocab_size


def test_deleting_the_cache_in_the_middle_changes_nothing(
    home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    for event in train(config_of(tiny_config), home, "run"):
        if isinstance(event, StepDone) and event.step == 3:
            shutil.rmtree(paths.cache(home))
    check_same(folder.open_run(home, "run"), uninterrupted("adamw"))


def test_on_another_machine_threads_are_measured_again(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed_at(12, config_of(tiny_config), home)
    measured: list[int] = []

    def one_thread(work: Callable[[], object], *_: object) -> tuple[int, dict[int, float]]:
        work()
        measured.append(1)
        return 1, {1: 0.1}

    for module in (setup, autotune, device):
        monkeypatch.setattr(module, "machine_name", lambda _: "another machine")
    monkeypatch.setattr(autotune, "measure_threads", one_thread)
    events = go_on(run)
    assert measured == [1]
    assert notes_in(events, "another machine")
    assert isinstance(events[-1], Finished)


# --- one trainer a run ---------------------------------------------------------------------------------------


def test_two_trainers_of_a_run_are_refused(
    home: Path, tiny_config: Configured, uninterrupted: Callable[[str], Whole]
) -> None:
    stream = train(config_of(tiny_config), home, "run")
    tried = 0
    for event in stream:
        if isinstance(event, StepDone) and event.step in (1, 12):
            run, before = folder.open_run(home, "run"), (home / "runs" / "run" / "events.jsonl").read_bytes()
            with pytest.raises(RunError, match="another process"):
                go_on(run)
            assert (home / "runs" / "run" / "events.jsonl").read_bytes() == before
            tried += 1
    assert tried == 2
    check_same(folder.open_run(home, "run"), uninterrupted("adamw"))


# --- what may change -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(uninterrupted: Callable[[str], Whole]) -> RunFolder:
    return uninterrupted("adamw").run


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"n_layer": 2}},
        {"model": {"dropout": 0.0}},
        {"tokenizer": {"vocab_size": 301}},
        {"data": {"val_fraction": 0.2}},
        {"data": {"sources": ["stories"]}},
        {"train": {"seed": 2}},
        {"train": {"batch_size": 8}},
        {"train": {"optimizer": "muon"}},
        {"train": {"precision": "bf16"}},
        {"train": {"phases": [{"schedule": "constant", "steps": 3}]}},
    ],
    ids=str,
)
def test_what_may_not_change_is_named(change: dict[str, dict[str, Any]], finished: RunFolder) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.resumed(finished.config(), resolve.with_values(finished.config(), **change))
    [(group, values)] = change.items()
    assert f"{group}.{next(iter(values))}" in caught.value.message
    assert caught.value.hint


def test_budget_stop_device_and_threads_may_change(finished: RunFolder) -> None:
    own = finished.config()
    assert resolve.resumed(own, own) == own
    changed = {"budget": "90s", "stop_at": 99, "device": "cuda", "threads": 2}
    allowed = resolve.resumed(own, resolve.with_values(own, train=changed))
    assert {name: getattr(allowed.train, name) for name in changed} == changed
    assert resolve.with_values(allowed, train={name: getattr(own.train, name) for name in changed}) == own


def test_a_longer_budget_continues_where_the_run_ended(home: Path, tiny_config: Configured) -> None:
    phase = {"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 3e-3}
    config = tiny_config(model={"dropout": 0.1}, train={"phases": [phase], "budget": "8 steps"})
    list(train(config, home, "grown"))
    run = folder.open_run(home, "grown")
    go_on(run, budget="15 steps")
    list(train(resolve.with_values(config, train={"budget": "15 steps"}), home, "long"))
    long = folder.open_run(home, "long")
    assert logged(run, StepDone) == logged(long, StepDone)
    assert len(logged(run, StepDone)) == 15
    assert [(event["step"], event["reason"]) for event in logged(run, Finished)] == [(15, "budget")]
    assert newest_files(run) == newest_files(long)


@pytest.mark.usefixtures("fake_time")
def test_a_plan_that_was_made_anew_is_resumed_to_the_bit(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "timed", lambda *_: STEP_SECONDS / 3)  # so that there is a new plan soon
    phase = {"name": "train", "schedule": "wsd", "share": 1.0, "max_lr": 3e-3, "steps_down": 0.6}
    config = tiny_config(train={"phases": [phase], "budget": "2s", "checkpoint_interval": 10})
    kill_at(125, train(config, home, "run"))
    run = folder.open_run(home, "run")
    state = checkpoint.load(checkpoint.find(run)).state
    assert state.repeat
    totals = tuple((each.step, each.steps) for each in state.repeat.decisions if each.steps is not None)
    assert len(totals) > 1, "no new plan was made"
    plan = schedule.from_totals(config.train.phases, totals)
    before = of(run.events(), StepDone)[state.step - 1].lr
    assert before == plan.lr(state.step) < plan.lr(1), "the decay has not begun"
    events = go_on(run)
    assert of(events, Planned)[0].totals == totals
    rates = [event.lr for event in of(events, StepDone)]
    assert rates[:3] == [plan.lr(state.step + i) for i in (1, 2, 3)]
    assert [before, *rates] == sorted([before, *rates], reverse=True)


def test_a_finished_run_that_is_resumed_stays_as_it_was(tmp_path: Path, uninterrupted: Callable[[str], Whole]) -> None:
    whole = uninterrupted("adamw")
    run = RunFolder(tmp_path / "run")
    shutil.copytree(whole.run.path, run.path, ignore=shutil.ignore_patterns(".lock"))
    go_on(run)
    check_same(run, whole)
    for kind in (EvalDone, Sampled, CheckpointSaved, Finished):
        assert logged(run, kind) == logged(whole.run, kind), kind.__name__
