"""A finished run is repeated to the bit by its config.toml, however the clock goes then."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fake_time import FakeTime
from tests.trainings import Configured, acting, go_on, kill_at, logged, newest_files, notes_in, of, resumed
from tinylm.config import resolve
from tinylm.config.schema import Repeat, RunConfig
from tinylm.events import EvalDone, Event, Finished, Planned, Rescued, StepDone
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tinylm.training import repeat
from tinylm.training.control import Control
from tinylm.training.evaluate import Evaluation, Evaluator
from tinylm.training.loop import train
from tinylm.training.step import Stepper

pytestmark = pytest.mark.usefixtures("each_step")


def config_of(tiny_config: Configured, **values: Any) -> RunConfig:
    """Two seconds of training: 200 steps where each takes 10 ms."""
    phases = [
        {"name": "first", "schedule": "cosine", "share": 0.3, "max_lr": 1e-2, "warmup_steps": 0.1},
        {"name": "second", "schedule": "wsd", "share": 0.7, "max_lr": 3e-3, "warmup_steps": 0.1, "steps_down": 0.4},
    ]
    settings = {"phases": phases, "budget": "2s", "average": 0.3, "eval_interval": "auto", "sample_interval": "auto"}
    return tiny_config(model={"dropout": 0.1}, train={**settings, "checkpoint_seconds": 0.25, **values})


@dataclass
class Machine:
    """A machine whose steps take 10 ms, and from some of them on so many seconds more."""

    time: FakeTime
    extra: dict[int, float]

    def train(self, config: RunConfig, home: Path, name: str) -> list[Event]:
        return self.watch(train(config, home, name))

    def watch(self, stream: Any) -> list[Event]:
        seen, slower = [], 0.0
        for event in stream:
            seen.append(event)
            if isinstance(event, StepDone):
                slower = self.extra.get(event.step, slower)
                self.time.work(slower)
        return seen


@pytest.fixture
def busy(fake_time: FakeTime) -> Machine:
    """Half as fast from step 20 on, and faster again from step 60 on."""
    return Machine(fake_time, {20: 0.01, 60: 0.003})


@pytest.fixture
def other(fake_time: FakeTime) -> Machine:
    """Far slower at first, then as fast as can be."""
    return Machine(fake_time, {3: 0.2, 30: 0.0, 70: 0.05})


def repeated(run: RunFolder, machine: Machine, name: str = "again") -> tuple[RunFolder, list[Event]]:
    """Another run by the config.toml of one, on a machine with another clock."""
    torch.manual_seed(77)
    events = machine.train(resolve.from_run_folder(run.config_file)[0], run.home, name)
    return folder.open_run(run.home, name), events


def check_same(run: RunFolder, again: RunFolder) -> None:
    """Losses, rates, evaluations, weights, optimizer and recording are the same."""
    assert logged(again, StepDone) == logged(run, StepDone)
    assert logged(again, EvalDone) == logged(run, EvalDone)
    assert newest_files(again) == newest_files(run)
    assert [event["checkpoint"] for event in logged(again, Finished)] == [logged(run, Finished)[-1]["checkpoint"]]
    assert again.config().repeat == run.config().repeat


def recording(run: RunFolder) -> Repeat:
    recorded = run.config().repeat
    assert recorded is not None
    return recorded


def test_a_timed_run_is_repeated_with_its_plans(
    home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    events = busy.train(config_of(tiny_config), home, "run")
    run = folder.open_run(home, "run")
    assert len(of(events, Planned)) > 2, "the clock changed nothing, and there is nothing to repeat"
    unrepeated = other.train(config_of(tiny_config), home, "unrepeated")
    assert of(unrepeated, Finished)[0].step != of(events, Finished)[0].step, "the other clock is the same"
    again, _ = repeated(run, other)
    check_same(run, again)
    check_same(again, repeated(again, busy, "third")[0])
    assert [event["steps"] for event in logged(again, Planned)] == [event["steps"] for event in logged(run, Planned)]
    recorded = recording(run)
    assert (recorded.backend, recorded.threads, recorded.precision) == ("eager", 1, "fp32")
    assert recorded.ended == of(events, Finished)[0].step


def test_a_run_of_counted_steps_is_repeated_too(
    home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    busy.train(config_of(tiny_config, budget="50 steps"), home, "run")
    run = folder.open_run(home, "run")
    check_same(run, repeated(run, other)[0])


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_run_that_was_interrupted_is_repeated_as_a_whole(
    how: str, home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    stream = train(config_of(tiny_config), home, "run", control := Control())
    if how == "stopped":
        acting(stream, {50: control.stop.set})
    else:
        kill_at(50, stream)
    run = folder.open_run(home, "run")
    assert recording(run).ended is None
    busy.watch(resumed(run))
    check_same(run, repeated(run, other)[0])


@pytest.mark.parametrize("changes", [{"budget": "3s"}, {"stop_at": None}], ids=str)
def test_a_run_that_was_given_more_at_its_end_is_repeated_as_a_whole(
    changes: dict[str, object], home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    """At its first end it evaluated, which may have changed which weights are used."""
    stop_at = 37 if "stop_at" in changes else None
    busy.train(config_of(tiny_config, stop_at=stop_at), home, "run")
    run = folder.open_run(home, "run")
    first = recording(run).ended
    assert first
    busy.watch(resumed(run, **changes))
    assert (recording(run).ended or 0) > first
    check_same(run, repeated(run, other)[0])


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_repetition_that_was_interrupted_goes_on_as_one(
    how: str, home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    busy.train(config_of(tiny_config), home, "run")
    run = folder.open_run(home, "run")
    stream = train(run.config(), home, "again", control := Control())
    if how == "stopped":
        acting(stream, {50: control.stop.set})
    else:
        kill_at(50, stream)
    again = folder.open_run(home, "again")
    other.watch(resumed(again))
    check_same(run, again)


def spoil_once(patch: pytest.MonkeyPatch, *bad: int) -> None:
    """Make the loss of these steps not a number, the first time that each is taken."""
    gradients, left = Stepper.gradients, set(bad)

    def spoilt(self: Stepper, step: int, ids: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        loss, grads = gradients(self, step, ids, targets)
        if step in left:
            left.remove(step)
            loss = loss * math.nan
        return loss, grads

    patch.setattr(Stepper, "gradients", spoilt)


@pytest.mark.parametrize("bad", [44, 4], ids=["to a checkpoint", "to the beginning"])
def test_a_rescued_run_goes_back_to_the_same_step(
    bad: int, home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    """It goes back to its newest checkpoint, and checkpoints are made by the clock."""
    runs = []
    for machine, name in ((busy, "run"), (other, "again")):
        with pytest.MonkeyPatch.context() as patch:
            spoil_once(patch, bad, bad + 1, bad + 2)
            config = runs[0].config() if runs else config_of(tiny_config)
            events = machine.train(config, home, name)
        runs.append(folder.open_run(home, name))
        assert len(of(events, Rescued)) == 1
    check_same(*runs)


def test_an_early_stop_is_repeated(
    home: Path, tiny_config: Configured, busy: Machine, other: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, losses = Evaluator.validate, {}

    def rising(self: Evaluator, *arguments: Any) -> Evaluation:
        result = validate(self, *arguments)
        best = losses.setdefault(self, self.session.state.step + 1)
        score = type(result.val)(float(self.session.state.step + best), 1, 1)
        return type(result)(result.train, score)

    monkeypatch.setattr(Evaluator, "validate", rising)
    busy.train(config_of(tiny_config, patience=2), home, "run")
    run = folder.open_run(home, "run")
    again, _ = repeated(run, other)
    check_same(run, again)
    assert [event["reason"] for event in logged(again, Finished)] == ["early_stop"]


# --- what is not repeated --------------------------------------------------------------------------------------


def is_new(events: list[Event], obstacle: str) -> bool:
    """Whether a run says why it repeats none."""
    return bool(notes_in(events, obstacle)) and bool(notes_in(events, "planned anew"))


def test_a_run_that_was_stopped_is_not_repeated(home: Path, tiny_config: Configured, busy: Machine) -> None:
    acting(train(config_of(tiny_config), home, "run", control := Control()), {50: control.stop.set})
    again, events = repeated(folder.open_run(home, "run"), busy)
    assert is_new(events, "its end")
    assert of(events, Finished)[0].step > 50
    assert recording(again).ended == of(events, Finished)[0].step


@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("train", {"budget": "1s"}),
        ("train", {"budget": "30 steps"}),
        ("train", {"seed": 2}),
        ("train", {"stop_at": 20}),
        ("model", {"n_embd": 64}),
    ],
    ids=str,
)
def test_other_settings_are_planned_anew(
    group: str, changes: dict[str, object], home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    busy.train(config_of(tiny_config), home, "run")
    config = resolve.with_values(folder.open_run(home, "run").config(), **{group: changes})
    events = other.train(config, home, "other")
    assert is_new(events, "settings")
    assert recording(folder.open_run(home, "other")).ended == of(events, Finished)[0].step


@pytest.mark.parametrize(
    "settings",
    [{"train": {"keep_checkpoints": 9, "checkpoint_interval": 3}}, {"sample": {"prompt": "the"}}, {"preset": "x"}],
    ids=str,
)
def test_settings_without_an_effect_on_the_training_may_be_others(
    settings: dict[str, Any], home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    busy.train(config_of(tiny_config), home, "run")
    run = folder.open_run(home, "run")
    changed = resolve.validate(resolve.merge(run.config().model_dump(), settings))
    events = other.train(changed, home, "again")
    assert not notes_in(events, "planned anew")
    again = folder.open_run(home, "again")
    assert logged(again, StepDone) == logged(run, StepDone)
    assert newest_files(again) == newest_files(run)


@pytest.mark.parametrize(("text", "fraction"), [("another", 0.1), ("the same", 0.2)])
def test_another_text_is_planned_anew(
    text: str, fraction: float, home: Path, tiny_config: Configured, tiny_text: str, busy: Machine
) -> None:
    file = home / "text.txt"
    file.write_text(tiny_text)
    busy.train(resolve.with_values(config_of(tiny_config), data={"sources": [str(file)]}), home, "run")
    file.write_text(tiny_text[::-1] if text == "another" else tiny_text)
    config = resolve.with_values(folder.open_run(home, "run").config(), data={"val_fraction": fraction})
    assert is_new(busy.train(config, home, "other"), "text")


@pytest.mark.parametrize("what", ["machine_name", "__version__"])
def test_another_machine_or_version_plans_anew(
    what: str, home: Path, tiny_config: Configured, busy: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.train(config_of(tiny_config), home, "run")
    monkeypatch.setattr(repeat, what, "0" if what == "__version__" else lambda _: "another")
    _, events = repeated(folder.open_run(home, "run"), busy)
    assert is_new(events, "another")


def test_a_run_that_went_on_otherwise_cannot_be_repeated(
    home: Path, tiny_config: Configured, busy: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting(train(config_of(tiny_config), home, "run", control := Control()), {50: control.stop.set})
    run = folder.open_run(home, "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeat, "machine_name", lambda _: "another")
        go_on(run)
    assert not recording(run).exact
    _, events = repeated(run, busy)
    assert is_new(events, "changed while it trained")


def test_a_repetition_that_is_given_more_time_goes_on_by_its_own_clock(
    home: Path, tiny_config: Configured, busy: Machine, other: Machine
) -> None:
    busy.train(config_of(tiny_config), home, "run")
    run = folder.open_run(home, "run")
    acting(train(run.config(), home, "again", control := Control()), {50: control.stop.set})
    again = folder.open_run(home, "again")
    events = busy.watch(resumed(again, budget="3s"))
    assert notes_in(events, "settings")
    assert of(events, Finished)[0].step > (recording(run).ended or 0)
    check_same(again, repeated(again, other, "third")[0])


def test_what_is_not_a_recording_is_refused_in_a_sentence(tiny_config: Configured) -> None:
    table = tiny_config().model_dump() | {"repeat": {"version": 3}}
    with pytest.raises(resolve.ConfigError):
        resolve.validate(table)
