"""A short run, event by event: what its events, what it leaves, and how it ends when something goes wrong."""

import errno
import json
import math
import os
import random
import shutil
import stat
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fake_time import STEP_SECONDS, FakeTime
from tests.trainings import Configured, Kind, acting, collect, go_on, newest_files, notes_in, of
from tests.waiting import PATIENCE
from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.data.batches import Batches
from tinylm.errors import ConfigError, DataError, DeviceError, RunError, TinyLMError
from tinylm.events import (
    CheckpointSaved,
    DataPrepared,
    EvalDone,
    Event,
    Failed,
    Finished,
    Paused,
    Planned,
    RunStarted,
    Sampled,
    StepDone,
    Warned,
)
from tinylm.hardware import autotune
from tinylm.inference import generate
from tinylm.inference.load import load_model
from tinylm.model.transformer import Transformer
from tinylm.planning.schedule import plan
from tinylm.planning.time_budget import TimeBudget
from tinylm.runs import checkpoint, folder
from tinylm.runs.folder import RunFolder
from tinylm.training import setup
from tinylm.training.control import Control
from tinylm.training.evaluate import Evaluator
from tinylm.training.loop import train
from tinylm.training.optimizer import global_norm
from tinylm.training.run_length import RunLength


@dataclass
class Trained:
    """A run and all its events."""

    config: RunConfig
    run: RunFolder
    events: list[Event]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return of(self.events, kind)

    @property
    def finished(self) -> Finished:
        [finished] = self.of(Finished)
        assert self.events[-1] is finished
        return finished

    @property
    def losses(self) -> list[float]:
        return [event.loss for event in self.of(StepDone)]


def trained(
    config: RunConfig,
    home: Path,
    name: str = "run",
    actions: dict[int, Callable[[], object]] | None = None,
    control: Control | None = None,
) -> Trained:
    """Train a run; right behind the steps in `actions`, something is done."""
    return Trained(config, RunFolder(home / "runs" / name), acting(train(config, home, name, control), actions or {}))


@pytest.fixture(scope="module")
def short(tiny_config: Configured, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run that nothing disturbs, with dropout."""
    return trained(tiny_config(model={"dropout": 0.2}), tmp_path_factory.mktemp("short"))


# --- events and files ----------------------------------------------------------------------------------------


def test_the_course_of_a_run(short: Trained) -> None:
    kinds = [event.kind for event in short.events]
    assert kinds[0] == "run_started"
    assert kinds[1] == "data_prepared"
    assert kinds[-1] == "finished"
    for once in ("run_started", "data_prepared", "finished"):
        assert kinds.count(once) == 1
    assert "failed" not in kinds
    assert kinds.index("planned") < kinds.index("step")
    assert [event.step for event in short.of(StepDone)] == list(range(1, 21))
    for kind in (EvalDone, Sampled, CheckpointSaved):
        assert [event.step for event in short.of(kind)] == [10, 20], kind


def test_events_of_a_step_come_behind_it(short: Trained) -> None:
    step = 0
    for event in short.events:
        if isinstance(event, StepDone):
            step = event.step
        elif isinstance(event, EvalDone | Sampled | CheckpointSaved | Finished):
            assert event.step == step


def test_the_log_is_the_stream(short: Trained) -> None:
    assert short.run.events_file.read_text(encoding="utf-8").splitlines() == list(map(events.to_json, short.events))
    assert list(short.run.events()) == short.events
    samples = short.run.samples_file.read_text(encoding="utf-8").splitlines()
    assert samples == [events.to_json(event) for event in short.of(Sampled)]


def test_an_event_is_in_the_log_before_it_is_given_out(home: Path, tiny_config: Configured) -> None:
    for count_, event in enumerate(train(tiny_config(), home, "run"), start=1):
        lines = (home / "runs" / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == count_
        assert lines[-1] == events.to_json(event)


def test_the_run_folder(short: Trained) -> None:
    inside = {path.name for path in short.run.path.iterdir() if not path.name.startswith(".")}
    assert inside == {
        "config.toml",
        "tokenizer.json",
        "events.jsonl",
        "samples.jsonl",
        "checkpoints",
        "card.md",
        "data",
    }
    for event in short.of(CheckpointSaved):
        assert (short.run.path / event.path / checkpoint.MODEL).exists()
    last = short.finished
    assert last.best_step
    assert checkpoint.find(short.run, "latest") == short.run.path / last.checkpoint
    assert checkpoint.find(short.run, "best").name == checkpoint.folder_name(last.best_step)
    assert not short.run.is_locked()
    assert not list(short.run.path.rglob("*.pkl")) + list(short.run.path.rglob("*.pt"))


@pytest.mark.skipif(os.name == "nt", reason="no umask there")
def test_a_run_is_as_open_as_other_folders(short: Trained) -> None:
    other = short.run.path.parent / "another-folder"
    other.mkdir()
    for path in (short.run.path, short.run.path / "data", short.run.checkpoints):
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode), path.name
    other.rmdir()


def test_the_configuration_is_written_whole_and_resolved(short: Trained) -> None:
    text = short.run.config_file.read_text(encoding="utf-8")
    assert tomllib.loads(text)["format"] == 1
    config = short.run.config()
    train_values = config.train.model_dump()
    assert "auto" not in [value for name, value in train_values.items() if name != "phases"]
    assert config.model == short.config.model
    assert config.train.phases == short.config.train.phases


def test_auto_intervals_are_resolved(home: Path, tiny_config: Configured) -> None:
    result = trained(tiny_config(train={"eval_interval": "auto", "sample_interval": "auto"}), home)
    config = result.run.config().train
    assert isinstance(config.eval_interval, int)
    assert isinstance(config.sample_interval, int)
    assert result.of(EvalDone)[-1].step == result.of(Sampled)[-1].step == 20


def test_numbers_of_the_start(short: Trained) -> None:
    [started], [data] = short.of(RunStarted), short.of(DataPrepared)
    model = Transformer(short.config.model, 300)
    assert started.run == "run"
    assert started.dir == str(short.run.path)
    assert Path(started.dir).is_absolute()
    assert started.parameters == model.n_parameters()
    assert (started.device, started.precision, started.threads) == ("cpu", "fp32", 1)
    assert (started.compiled, started.resumed_from) == (False, None)
    assert data.vocab_size == 300
    assert data.tokens == data.train_tokens + data.val_tokens
    assert data.val_bytes == pytest.approx(0.1 * data.bytes, rel=0.01)


def test_numbers_of_the_steps(short: Trained) -> None:
    laid = plan(short.config.train.phases)
    steps = short.of(StepDone)
    assert [event.lr for event in steps] == [laid.lr(step) for step in range(1, 21)]
    assert [event.tokens for event in steps] == [step * 4 * 32 for step in range(1, 21)]
    assert {event.phase for event in steps} == {"train"}
    assert all(first.seconds <= second.seconds for first, second in pairwise(steps))
    assert all(event.tokens_per_second > 0 for event in steps)
    [planned] = short.of(Planned)
    assert (planned.steps, planned.seconds) == (20, None)
    assert [(span.name, span.first, span.last) for span in planned.phases] == [("train", 1, 20)]


def test_the_first_step_against_plain_torch(home: Path, tiny_config: Configured) -> None:
    result = trained(tiny_config(train={"grad_clip": 0.0}), home)
    parts = setup.resume(result.run.config(), result.run)
    try:
        ids, targets = parts.batches[0].draw(0)
    finally:
        parts.close()
    model = Transformer(result.config.model, 300, torch.Generator().manual_seed(result.config.train.seed))
    loss = model(ids, targets)
    torch.autograd.backward(loss)
    grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
    first = result.of(StepDone)[0]
    assert first.loss == pytest.approx(loss.item(), rel=1e-5)
    assert first.grad_norm == pytest.approx(torch.cat([grad.flatten() for grad in grads]).norm().item(), rel=1e-4)
    weights = [weight.detach() for weight in model.parameters()]
    assert first.param_norm == pytest.approx(torch.cat([each.flatten() for each in weights]).norm().item(), rel=1e-5)
    ratio = sum(each.norm().item() for each in weights) / sum(grad.norm().item() for grad in grads)
    assert first.norm_ratio == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize(
    "groups",
    [
        {},
        {"train": {"optimizer": "muon"}},
        {"model": {"tie_embeddings": True}},
        {"model": {"qk_norm": True, "n_kv_head": 2}, "tokenizer": {"kind": "char"}},
        {"data": {"windows": "every_offset"}, "tokenizer": {"kind": "byte"}},
        {"model": {"attention_dropout": 0.1}},
    ],
    ids=str,
)
def test_it_learns(groups: dict[str, Any], home: Path, tiny_config: Configured) -> None:
    result = trained(tiny_config(**groups), home)
    vocab_size = result.of(DataPrepared)[0].vocab_size
    assert result.losses[0] == pytest.approx(math.log(vocab_size), abs=0.8)
    assert result.losses[-1] < result.losses[0] - 0.7
    finished = result.finished
    assert finished.best_val_bpb < result.of(DataPrepared)[0].baselines["blind"] + 1
    assert is_whole(result.run)


def is_whole(run: RunFolder) -> bool:
    newest, faults = checkpoint.newest_whole(run)
    return newest is not None and not faults and all(torch.isfinite(each).all() for each in newest.model().values())


# --- what must not matter ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "often",
    [
        {"eval_interval": 1, "sample_interval": 3, "checkpoint_interval": 2, "keep_checkpoints": 1},
        {"eval_interval": 1000, "sample_interval": 1000},
        {"eval_interval": 7, "eval_iters": 5, "checkpoint_seconds": 1e-9},
    ],
    ids=str,
)
def test_measuring_more_or_less_often_changes_nothing(
    often: dict[str, Any], home: Path, tiny_config: Configured, short: Trained
) -> None:
    result = trained(tiny_config(model={"dropout": 0.2}, train=often), home)
    assert result.losses == short.losses
    assert newest_files(result.run) == newest_files(short.run)


def test_the_same_seed_gives_the_same_run(home: Path, tiny_config: Configured, short: Trained) -> None:
    torch.manual_seed(999)
    again = trained(tiny_config(model={"dropout": 0.2}), home, "again")
    assert again.losses == short.losses
    assert newest_files(again.run) == newest_files(short.run)
    assert [event.text for event in again.of(Sampled)] == [event.text for event in short.of(Sampled)]
    other = trained(tiny_config(model={"dropout": 0.2}, train={"seed": 2}), home, "other")
    assert not set(other.losses) & set(short.losses)


def test_dropout_is_new_at_each_step_and_depends_on_the_seed(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[int, list[list[int]]] = {}
    forward = Transformer.forward

    def watched(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        if noise is not None:
            drawn.setdefault(seed, []).append(noise.tolist())
        return forward(self, ids, targets, noise)

    monkeypatch.setattr(Transformer, "forward", watched)
    for seed in (1, 2):
        trained(tiny_config(model={"dropout": 0.2}, train={"seed": seed}), home, f"seed-{seed}")
    keys = {seed: {key for key, _ in noises[-20:]} for seed, noises in drawn.items()}
    assert len(keys[1]) == len(keys[2]) == 20
    assert not keys[1] & keys[2]


def test_accumulation_equals_a_larger_batch(home: Path, tiny_config: Configured) -> None:
    four = trained(tiny_config(train={"batch_size": 4}), home, "four")
    twos = trained(tiny_config(train={"batch_size": 2, "accumulation_steps": 2}), home, "twos")
    assert twos.losses == pytest.approx(four.losses, rel=1e-3)
    assert twos.of(StepDone)[0].grad_norm == pytest.approx(four.of(StepDone)[0].grad_norm, rel=1e-4)
    assert [event.tokens for event in twos.of(StepDone)] == [event.tokens for event in four.of(StepDone)]


@pytest.mark.parametrize("longest", [0.25, 0.0])
def test_gradients_are_clipped_after_their_norm_is_reported(
    longest: float, home: Path, tiny_config: Configured
) -> None:
    result = trained(tiny_config(train={"grad_clip": longest, "stop_at": 1}), home)
    [step] = result.of(StepDone)
    assert step.grad_norm > 0.3
    state = checkpoint.load(checkpoint.find(result.run)).optimizer()
    norm, _ = global_norm([moment for name, moment in state.items() if name.endswith(".exp_avg")])
    applied = norm.item() / (1 - result.config.train.betas[0])  # AdamW's first moment has seen one gradient
    assert applied == pytest.approx(longest or step.grad_norm, rel=1e-3)


# --- length --------------------------------------------------------------------------------------------------


def test_a_phase_may_bring_its_own_text(
    home: Path, tmp_path: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = []
    for name, words in (("letters", "one two three "), ("digits", "1 22 333 4444 ")):
        path = tmp_path / f"{name}.txt"
        path.write_text(words * 300, encoding="utf-8")
        sources.append(str(path))
    read: list[set[int]] = []
    draw = Batches.draw

    def watched(self: Batches, step: int) -> tuple[Tensor, Tensor]:
        ids, targets = draw(self, step)
        read.append(set(ids.flatten().tolist()) - {256, ord(" ")})
        return ids, targets

    phases = [
        {"name": "first", "schedule": "constant", "steps": 6},
        {"name": "second", "schedule": "constant", "steps": 4, "max_lr": 1e-4, "sources": [sources[1]]},
    ]
    config = tiny_config(
        tokenizer={"kind": "byte"},
        data={"sources": [sources[0]]},
        train={"phases": phases, "eval_interval": 1000, "checkpoint_interval": 3},
    )
    monkeypatch.setattr(Batches, "draw", watched)
    result = trained(config, home)
    steps = read[1:11]  # the first draw is the rehearsal's, the last ones are the evaluation's
    assert [bool(ids & set(range(48, 58))) for ids in steps] == [False] * 6 + [True] * 4
    assert [bool(ids & set(range(97, 123))) for ids in steps] == [True] * 6 + [False] * 4
    assert [event.phase for event in result.of(StepDone)] == ["first"] * 6 + ["second"] * 4
    assert [event.lr for event in result.of(StepDone)] == [1e-3] * 6 + [1e-4] * 4
    assert [(span.name, span.first, span.last) for span in result.of(Planned)[0].phases] == [
        ("first", 1, 6),
        ("second", 7, 10),
    ]


def test_a_budget_of_steps_scales_the_phases(home: Path, tiny_config: Configured) -> None:
    phases = [{"name": name, "schedule": "constant", "steps": 50} for name in ("a", "b")]
    result = trained(tiny_config(train={"phases": phases, "budget": "7 steps"}), home)
    assert "".join(event.phase for event in result.of(StepDone)) in ("aaabbbb", "aaaabbb")
    assert result.finished.reason == "budget"


def test_an_epoch_reads_all_tokens_once(home: Path, tiny_config: Configured) -> None:
    phase = {"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}
    result = trained(tiny_config(train={"phases": [phase], "budget": "0.25 epochs", "eval_interval": 1000}), home)
    tokens = result.of(DataPrepared)[0].train_tokens
    assert result.finished.tokens == pytest.approx(tokens / 4, abs=4 * 32)


def test_stop_at_ends_early_and_leaves_the_schedule(home: Path, tiny_config: Configured, short: Trained) -> None:
    result = trained(tiny_config(model={"dropout": 0.2}, train={"stop_at": 13}), home)
    assert result.losses == short.losses[:13]
    assert [event.lr for event in result.of(StepDone)] == [event.lr for event in short.of(StepDone)[:13]]
    assert result.finished.step == 13
    assert result.of(EvalDone)[-1].step == result.of(Sampled)[-1].step == result.of(CheckpointSaved)[-1].step == 13


def test_a_budget_of_time_plans_again_and_ends(
    home: Path, tiny_config: Configured, fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "timed", lambda *_: STEP_SECONDS / 2)
    phase = {"name": "train", "schedule": "wsd", "share": 1.0, "steps_down": 0.5}
    result = trained(tiny_config(train={"phases": [phase], "budget": "2s", "eval_interval": "auto"}), home)
    finished = result.finished
    assert finished.reason == "budget"
    assert len(result.of(Planned)) > 1
    assert all(event.seconds == 2 for event in result.of(Planned))
    assert result.of(Planned)[-1].totals[0] == (0, result.of(Planned)[0].steps)
    assert [event.step for event in result.of(StepDone)] == list(range(1, finished.step + 1))
    assert finished.seconds == pytest.approx(2, abs=0.05)


@pytest.mark.usefixtures("fake_time")
def test_evaluations_do_not_use_up_a_short_time(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference recipe's evaluation alone is longer than many a budget, and so may all held-out text be."""
    wide = {"eval_iters": 10_000, "batch_size": 64, "eval_interval": "auto", "phases": [{"share": 1.0}], "budget": "2s"}
    result = trained(tiny_config(train=wide), home)
    config = result.run.config()
    assert config.train.eval_iters < 100, "10,000 batches of 64 windows do not fit into two seconds"
    assert notes_in(result.events, f"{config.train.eval_iters:,} batches")
    assert not notes_in(result.events, "more than the time given")

    monkeypatch.setattr(Evaluator, "sequences", property(lambda _: (2, 10**9)))
    result = trained(tiny_config(train={"phases": [{"share": 1.0}], "budget": "2s"}), home, "slow")
    assert notes_in(result.events, "more than the time given")
    assert result.finished.step > 1, "nothing was left to train in"


def test_planning_again_never_leads_back(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    # 20 steps at first, 10 of each phase; at step 14 the machine turns out to be twice as fast, at 18 half as fast.
    calls = count(1)
    left = iter([26, 4])
    monkeypatch.setattr(TimeBudget, "first_total", lambda *_: 20)
    monkeypatch.setattr(RunLength, "needs_replan", lambda *_: next(calls) in (14, 18))
    monkeypatch.setattr(TimeBudget, "steps_left", lambda *_: next(left))
    drawn: list[tuple[int, int]] = []
    draw = Batches.draw

    def watched(self: Batches, step: int) -> tuple[Tensor, Tensor]:
        drawn.append((id(self), step))
        return draw(self, step)

    monkeypatch.setattr(Batches, "draw", watched)
    phases = [{"name": name, "schedule": "constant", "share": 0.5} for name in ("a", "b")]
    result = trained(tiny_config(train={"phases": phases, "budget": "9h", "eval_interval": 1000}), home)
    assert len(result.of(Planned)) == 3
    phases_seen = "".join(event.phase for event in result.of(StepDone))
    assert phases_seen == "a" * 10 + "b" * (len(phases_seen) - 10), "a phase that was over began again"
    in_second = [step for _, step in drawn[1 + 10 : 1 + len(phases_seen)]]
    assert in_second == list(range(len(in_second))), "windows of the phase were skipped or read twice"


# --- what goes wrong -----------------------------------------------------------------------------------------


def spoil(monkeypatch: pytest.MonkeyPatch, which: Callable[[int], bool], how: str) -> None:
    """Make loss or gradient of the steps that `which` picks not finite; the rehearsal is step 0."""
    forward, calls = Transformer.forward, count()

    def spoilt(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        loss = forward(self, ids, targets, noise)
        if not which(next(calls)):
            return loss
        if how == "gradient":
            loss.register_hook(lambda gradient: gradient * math.inf)
            return loss
        return loss * float(how)

    monkeypatch.setattr(Transformer, "forward", spoilt)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("how", ["nan", "inf", "gradient"])
@pytest.mark.parametrize("bad", [1, 5])
def test_a_step_that_is_not_finite_is_left_out(
    bad: int, how: str, optimizer: str, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step: step == bad, how)
    result = trained(tiny_config(train={"optimizer": optimizer}), home)
    steps = result.of(StepDone)
    assert [event.step for event in steps] == list(range(1, 21))
    assert [event.step for event in steps if not math.isfinite(event.loss + event.grad_norm)] == [bad]
    assert steps[bad].param_norm == steps[bad - 1].param_norm
    assert steps[bad + 1].param_norm != steps[bad].param_norm
    [warning] = result.of(Warned)
    assert f" {bad} " in warning.message
    assert warning.hint
    assert result.events[result.events.index(warning) - 1] is steps[bad - 1]
    assert result.finished
    assert is_whole(result.run)
    line = json.loads(
        result.run.events_file.read_text(encoding="utf-8").splitlines()[result.events.index(steps[bad - 1])]
    )
    assert (line["loss"] is None) == (how != "gradient")
    assert line["grad_norm"] is None


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_a_bug_of_ours_is_reported_and_raised(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[str]:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(generate, "generate_text", broken)
    events: list[Event] = []
    with pytest.raises(ZeroDivisionError):
        collect(train(tiny_config(), home, "run"), events)
    assert of(events, Failed) == [events[-1]]
    assert not folder.open_run(home, "run").is_locked()


@pytest.mark.parametrize("how", ["close", "interrupt"])
def test_a_closed_stream_frees_the_run_without_an_event(how: str, home: Path, tiny_config: Configured) -> None:
    stream = train(tiny_config(), home, "run")
    for event in stream:
        if isinstance(event, CheckpointSaved):
            break
    run = folder.open_run(home, "run")
    assert run.is_locked()
    if how == "close":
        stream.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert not run.is_locked()
    assert not any(isinstance(event, Failed | Finished) for event in run.events())
    assert is_whole(run)


def test_nothing_held_out(home: Path, tiny_config: Configured) -> None:
    result = trained(tiny_config(data={"val_fraction": 0.0}), home)
    finished = result.finished
    assert (finished.val_loss, finished.val_bpb, finished.best_val_bpb, finished.best_step) == (None,) * 4
    assert all(event.val_loss is None and not event.best for event in result.of(EvalDone))
    assert all(event.train_loss is not None for event in result.of(EvalDone))
    assert result.of(DataPrepared)[0].baselines == {}
    assert checkpoint.find(result.run, "best") == checkpoint.find(result.run, "latest")
    assert (result.run.path / "card.md").exists()


# --- setting up ----------------------------------------------------------------------------------------------


def one_phase(**values: Any) -> dict[str, Any]:
    return {"schedule": "constant", "steps": 2, **values}


FAULTS: dict[str, tuple[type[TinyLMError], dict[str, Any], str | None]] = {
    "no such file": (DataError, {"data": {"sources": ["no-such-file.txt"]}}, None),
    "too short a text": (DataError, {"model": {"block_size": 8192}}, None),
    "no such device": (DeviceError, {"train": {"device": "mps"}}, None),
    "a precision for GPUs": (DeviceError, {"train": {"precision": "fp16"}}, None),
    "a name that leads elsewhere": (RunError, {}, "../run"),
    "a name that is empty": (RunError, {}, "."),
    "too few steps for two phases": (
        ConfigError,
        {"train": {"budget": "1 steps", "phases": [one_phase(name="a"), one_phase(name="b")]}},
        None,
    ),
    "a prompt that cannot be spelt": (DataError, {"tokenizer": {"kind": "char"}, "sample": {"prompt": "\u2603"}}, None),
}


@pytest.mark.parametrize(("error", "groups", "name"), FAULTS.values(), ids=FAULTS)
@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has all devices")
def test_what_cannot_be_set_up_leaves_nothing_behind(
    error: type[TinyLMError], groups: dict[str, Any], name: str | None, home: Path, tiny_config: Configured
) -> None:
    before = set(home.parent.iterdir())
    with pytest.raises(error) as caught:
        list(train(tiny_config(**groups), home, name))
    assert caught.value.message
    assert caught.value.hint
    assert folder.list_runs(home) == []
    assert not (home / "runs").exists() or list((home / "runs").iterdir()) == []
    assert set(home.parent.iterdir()) == before


def test_a_full_disk_while_setting_up_leaves_nothing_behind(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> None:
        raise full()

    monkeypatch.setattr(os, "link", refusing)
    monkeypatch.setattr(shutil, "copyfile", refusing)
    with pytest.raises(RunError, match="no room"):
        list(train(tiny_config(), home, "run"))
    assert list((home / "runs").iterdir()) == []


def test_a_name_that_is_taken_is_refused_and_its_run_left_alone(tiny_config: Configured, short: Trained) -> None:
    before = {path: path.stat().st_mtime_ns for path in short.run.path.rglob("*")}
    with pytest.raises(RunError, match="already a run"):
        list(train(tiny_config(), short.run.home, "run"))
    assert {path: path.stat().st_mtime_ns for path in short.run.path.rglob("*")} == before


def test_without_a_name_one_is_made(home: Path, tiny_config: Configured) -> None:
    for _ in range(2):
        list(train(tiny_config(train={"stop_at": 1}), home))
    runs = folder.list_runs(home)
    assert len(runs) == 2
    assert all(run.name.startswith("tiny-") for run in runs)


# --- the best checkpoint -------------------------------------------------------------------------------------


@pytest.fixture
def overfitting(tmp_path: Path, tiny_config: Configured) -> Configured:
    """Makes configurations whose held-out loss is best early: random letters can only be learnt by heart."""
    letters = tmp_path / "letters.txt"
    letters.write_text("".join(random.Random(0).choices("abcdefgh ", k=1200)), encoding="utf-8")
    phase = {"name": "train", "schedule": "constant", "steps": 60, "max_lr": 2e-2}

    def make(**settings: object) -> RunConfig:
        return tiny_config(
            data={"sources": [str(letters)], "val_fraction": 0.2},
            tokenizer={"kind": "char"},
            train={"phases": [phase], "sample_interval": 1000, "keep_checkpoints": 1, **settings},
        )

    return make


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("reason", ["budget", "stopped", "early_stop"])
@pytest.mark.parametrize("sample_interval", [10, 1000])
def test_a_run_is_known_by_its_best_checkpoint(
    reason: str, sample_interval: int, home: Path, overfitting: Configured
) -> None:
    control = Control()
    actions = {50: control.stop.set} if reason == "stopped" else {}
    config = overfitting(patience=2 if reason == "early_stop" else 0, sample_interval=sample_interval)
    result = trained(config, home, actions=actions, control=control)
    end, evals = result.finished, result.of(EvalDone)
    best = min(evals, key=lambda event: event.val_loss or math.inf)
    assert (end.reason, end.best_step, end.best_val_bpb) == (reason, best.step, best.val_bpb)
    assert best.step < end.step
    assert checkpoint.find(result.run, "best") == result.run.path / end.checkpoint
    assert end.checkpoint.endswith(checkpoint.folder_name(best.step))
    assert checkpoint.find(result.run).name == checkpoint.folder_name(end.step), "resuming goes on from the latest"
    model, tokenizer = load_model(result.run)  # as --generate does
    sample = result.of(Sampled)[-1]
    assert sample.step == best.step
    assert sample.text == "".join(generate.generate_text(model, tokenizer, "", config.sample))
    card = result.run.card_file.read_text(encoding="utf-8")
    for step in (end.best_step, end.step):
        assert f"step {step}" in card


def test_the_end_measures_the_whole_held_out_text_with_the_best(home: Path, overfitting: Configured) -> None:
    end = trained(overfitting(eval_iters=100), home).finished  # evaluations read all of it, too
    assert end.best_step
    assert end.best_step < end.step
    assert end.val_bpb == pytest.approx(end.best_val_bpb)


def test_a_run_that_was_finished_goes_on_from_its_latest_checkpoint(home: Path, overfitting: Configured) -> None:
    whole = trained(overfitting(stop_at=60), home, "whole")
    early = trained(overfitting(stop_at=40), home, "early")
    assert early.finished.best_step
    assert early.finished.best_step < 40
    assert of(go_on(early.run, stop_at=60), StepDone)[0].step == 41
    assert newest_files(early.run) == newest_files(whole.run)
    assert checkpoint.find(early.run, "best").name == checkpoint.find(whole.run, "best").name


@pytest.mark.usefixtures("each_step")
def test_the_evaluation_at_a_stop_may_be_the_best(home: Path, tiny_config: Configured, short: Trained) -> None:
    control = Control()
    stopped = trained(tiny_config(model={"dropout": 0.2}), home, actions={15: control.stop.set}, control=control)
    assert stopped.finished.best_step == 15
    assert checkpoint.find(stopped.run, "best").name == checkpoint.folder_name(15)
    go_on(stopped.run)
    assert newest_files(stopped.run) == newest_files(short.run)
    assert checkpoint.find(stopped.run, "best").name == checkpoint.find(short.run, "best").name


@pytest.mark.usefixtures("each_step")
def test_a_best_checkpoint_that_is_damaged_is_replaced_by_the_last(home: Path, overfitting: Configured) -> None:
    run = RunFolder(home / "runs" / "run")
    damage = {59: lambda: (checkpoint.find(run, "best") / checkpoint.MODEL).write_bytes(b"")}
    result = trained(overfitting(), home, actions=damage)
    assert result.of(Warned)
    assert (result.finished.best_step, result.finished.selected_step) == (None, 60)
    load_model(run, "best")


# --- requests ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("request_", ["stop", "leave"])
def test_a_stop_saves_and_the_run_resumes_as_if_nothing_had_happened(
    request_: str, home: Path, tiny_config: Configured, short: Trained
) -> None:
    control = Control()
    action = {7: getattr(control, request_).set}
    result = trained(tiny_config(model={"dropout": 0.2}), home, actions=action, control=control)
    assert (result.finished.reason, result.finished.step) == ("stopped", 7)
    assert result.losses == short.losses[:7]
    assert checkpoint.load(result.run.path / result.finished.checkpoint).state.step == 7
    assert not result.run.is_locked()
    if request_ == "leave":
        assert [event.kind for event in result.events[-3:]] == ["step", "checkpoint", "finished"]
        assert result.finished.val_bpb is None, "nothing was evaluated"
    [finished] = of(go_on(result.run), Finished)
    assert [event.loss for event in result.run.state().steps] == short.losses
    assert finished.reason == "budget"


def test_a_stop_from_another_thread(home: Path, tiny_config: Configured) -> None:
    control, running = Control(), threading.Event()
    phase = {"name": "train", "schedule": "constant", "steps": 1_000_000}

    def stop() -> None:
        running.wait(PATIENCE)
        control.stop.set()

    thread = threading.Thread(target=stop)
    thread.start()
    config = tiny_config(train={"phases": [phase], "eval_interval": 10**6})
    finished = trained(config, home, actions={1: running.set}, control=control).finished
    thread.join()
    assert finished.reason == "stopped"
    assert 0 < finished.step < 1_000_000


@pytest.mark.usefixtures("each_step")
def test_a_pause_changes_nothing(home: Path, tiny_config: Configured, short: Trained) -> None:
    control, events = Control(), []
    for event in train(tiny_config(model={"dropout": 0.2}), home, "run", control):
        events.append(event)
        if isinstance(event, StepDone) and event.step in (3, 10, 19):
            control.pause.set()
        if isinstance(event, Paused) and event.paused:
            control.pause.clear()
    pauses = [(event.step, event.paused) for event in of(events, Paused)]
    assert pauses == [(step, paused) for step in (3, 10, 19) for paused in (True, False)]
    assert [event.loss for event in of(events, StepDone)] == short.losses
    assert newest_files(folder.open_run(home, "run")) == newest_files(short.run)


@pytest.mark.usefixtures("each_step")
def test_what_is_asked_in_a_pause_is_done_in_it(home: Path, tiny_config: Configured, short: Trained) -> None:
    control, events, end = Control(), [], 0
    for event in train(tiny_config(model={"dropout": 0.2}), home, "asked", control):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 7:
            control.pause.set()
        elif isinstance(event, Paused) and event.paused:
            control.save.set()
            control.sample.set()
        elif isinstance(event, Sampled) and event.step == 7:
            control.pause.clear()
        elif isinstance(event, Paused):
            end = len(events)
    assert [type(event) for event in events[end - 4 : end]] == [Paused, CheckpointSaved, Sampled, Paused]
    steps = of(events, StepDone)
    assert [event.loss for event in steps] == short.losses
    assert [event.seconds for event in steps] == sorted(event.seconds for event in steps)


@pytest.mark.usefixtures("each_step")
def test_a_pause_can_be_ended_by_another_thread_or_a_stop(home: Path, tiny_config: Configured) -> None:
    for ending in ("pause", "stop"):
        control, events = Control(), []
        for event in train(tiny_config(), home, ending, control):
            events.append(event)
            if isinstance(event, StepDone) and event.step == 3:
                control.pause.set()
            if isinstance(event, Paused) and event.paused:
                act = control.pause.clear if ending == "pause" else control.stop.set
                threading.Timer(0.05, act).start()
        assert events[-1].reason == ("budget" if ending == "pause" else "stopped")
        assert events[-1].step == (20 if ending == "pause" else 3)
        assert [event.paused for event in of(events, Paused)] == [True, False]


@pytest.mark.usefixtures("each_step")
def test_a_checkpoint_and_a_sample_on_request(home: Path, tiny_config: Configured) -> None:
    control = Control()
    result = trained(tiny_config(), home, actions={3: control.save.set, 6: control.sample.set}, control=control)
    saved, sampled = ([event.step for event in result.of(kind)] for kind in (CheckpointSaved, Sampled))
    assert (3 in saved, 4 in saved) == (6 in sampled, 7 in sampled) == (True, False)
    assert not control.save.is_set()
    assert not control.sample.is_set()


def test_saving_by_steps_and_by_the_clock(home: Path, tiny_config: Configured) -> None:
    config = tiny_config(
        data={"val_fraction": 0.0}, train={"checkpoint_interval": 6, "eval_interval": 1000, "sample_interval": 1000}
    )
    result = trained(config, home, "by-steps")
    assert sorted({event.step for event in result.of(CheckpointSaved)}) == [6, 12, 18, 20]
    config = tiny_config(data={"val_fraction": 0.0}, train={"checkpoint_seconds": 1e-9, "stop_at": 5})
    result = trained(config, home, "by-the-clock")
    assert sorted({event.step for event in result.of(CheckpointSaved)}) == [1, 2, 3, 4, 5]


def test_old_checkpoints_go_and_the_best_stays(home: Path, tiny_config: Configured) -> None:
    phase = {"name": "train", "schedule": "constant", "steps": 20, "max_lr": 1e-2}
    result = trained(tiny_config(train={"phases": [phase], "checkpoint_interval": 2, "keep_checkpoints": 2}), home)
    there = {int(path.name[5:]) for path in result.run.checkpoints.glob("step-*")}
    assert there == {18, 20, result.finished.best_step}


def test_time_in_which_the_program_was_stopped_does_not_count(
    home: Path, tiny_config: Configured, fake_time: FakeTime
) -> None:
    """As after Ctrl-Z and fg, or where nobody took the events."""
    config = tiny_config(train={"checkpoint_interval": 2})
    result = trained(config, home, actions={10: lambda: fake_time.sleep(3600)})
    steps = result.of(StepDone)
    assert [event.step for event in steps] == list(range(1, 21))
    assert all(first.seconds <= second.seconds for first, second in pairwise(steps)), "the clock went back"
    assert steps[-1].seconds - steps[0].seconds < 1
    [warning] = result.of(Warned)
    assert "3,600 s" in warning.message
