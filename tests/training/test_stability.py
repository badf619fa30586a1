"""A training that diverges is rescued, one that stops getting better ends early, and both hold over a resume."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.command_line import call
from tests.run_files import reforge
from tests.trainings import (
    Configured,
    acting,
    collect,
    go_on,
    kill_at,
    logged,
    newest_files,
    notes_in,
    of,
)
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import DivergedError
from tinylm.events import (
    CheckpointSaved,
    EvalDone,
    Event,
    Failed,
    Finished,
    Planned,
    Rescued,
    Sampled,
    StepDone,
    Warned,
)
from tinylm.model.transformer import Transformer
from tinylm.planning.schedule import plan
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import RunFolder
from tinylm.runs.state import RunState
from tinylm.training import loop, stability
from tinylm.training.evaluate import Evaluation, Evaluator, Score
from tinylm.training.loop import train
from tinylm.training.step import Stepper


def nan(loss: Tensor) -> Tensor:
    return loss * math.nan


def spoil(
    monkeypatch: pytest.MonkeyPatch, which: Callable[[int, float], bool], how: Callable[[Tensor], Tensor] = nan
) -> None:
    """Change the loss of the steps that `which` picks, by number and learning rate."""
    take, forward, now = Stepper.take, Transformer.forward, {"bad": False}

    def watched(self: Stepper, step: int, lr: float, *batch: Any) -> Tensor:
        now["bad"] = which(step, lr)
        metrics = take(self, step, lr, *batch)
        now["bad"] = False
        return metrics

    def spoilt(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        loss: Tensor = forward(self, ids, targets, noise)
        return how(loss) if now["bad"] else loss

    monkeypatch.setattr(Stepper, "take", watched)
    monkeypatch.setattr(Transformer, "forward", spoilt)


def at_full_rate(config: RunConfig, *steps: int) -> Callable[[int, float], bool]:
    """Picks these steps as long as no rescue has lowered the learning rate."""
    planned = plan(config.train.phases)
    return lambda step, lr: step in steps and lr == planned.lr(step)


def config_of(tiny_config: Configured, **values: Any) -> RunConfig:
    return tiny_config(model={"dropout": 0.2}, train={"checkpoint_interval": 5, "eval_interval": 10, **values})


def folded(events: list[Event]) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


# --- rescue --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_step")
def test_a_rescue(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tiny_config)
    spoil(monkeypatch, at_full_rate(config, 12, 13, 14))
    events = list(train(config, home, "run"))
    run = folder.open_run(home, "run")
    [rescued] = of(events, Rescued)
    assert (rescued.step, rescued.back_to, rescued.rescue, rescued.lr_scale) == (14, 10, 1, 0.5)
    assert "10" in rescued.message
    index = events.index(rescued)
    assert isinstance(events[index - 1], StepDone)
    assert [event.step for event in of(events[:index], StepDone)] == list(range(1, 15))
    assert [event.step for event in of(events[index:], StepDone)] == list(range(11, 21))

    steps = of(run.events(), StepDone)
    assert [event.step for event in steps] == list(range(1, 21)), "a step stands twice in the log, or none"
    laid = plan(run.config().train.phases)
    assert [event.lr for event in steps] == [laid.lr(step) * (0.5 if step > 10 else 1) for step in range(1, 21)]
    assert [event.tokens for event in steps] == [step * 4 * 32 for step in range(1, 21)]
    assert all(first.seconds <= second.seconds for first, second in pairwise(steps)), "the clock went back"
    assert all(math.isfinite(event.loss or math.nan) for event in steps)
    assert [event.kind for event in run.events() if isinstance(event, Rescued | Warned | Failed)] == ["rescued"]
    saved = [event.step for event in of(events[index:], CheckpointSaved)]
    assert saved[0] == 10, "the lower rate is not saved at once"
    assert isinstance(events[-1], Finished)
    assert events[-1].step == 20
    last = checkpoint.load(checkpoint.find(run)).state
    assert (last.rescues, last.lr_scale, last.bad_steps) == (1, 0.5, 0)


@pytest.mark.usefixtures("each_step")
def test_what_is_repeated_begins_with_the_weights_and_the_optimizer_of_the_checkpoint(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability, "LR_FACTOR", 1.0)  # so that a rescue repeats the very steps
    values = {"sample_interval": 11}
    for optimizer in ("adamw", "muon"):
        list(train(config_of(tiny_config, optimizer=optimizer, **values), home, f"plain-{optimizer}"))
    for optimizer, bad in (("adamw", 12), ("muon", 12), ("adamw", 2), ("muon", 2)):
        with pytest.MonkeyPatch.context() as patch:
            left = {bad, bad + 1, bad + 2}  # each is bad once
            spoil(patch, lambda step, _, left=left: step in left and left.discard(step) is None)  # type: ignore[misc]
            list(train(config_of(tiny_config, optimizer=optimizer, **values), home, f"{optimizer}-{bad}"))
        run, plain = folder.open_run(home, f"{optimizer}-{bad}"), folder.open_run(home, f"plain-{optimizer}")
        for kind in (StepDone, EvalDone, Sampled, Finished):
            assert logged(run, kind) == logged(plain, kind), (optimizer, bad, kind)
        assert newest_files(run) == newest_files(plain)
        assert run.samples_file.read_bytes() == plain.samples_file.read_bytes()


@pytest.mark.usefixtures("each_step")
def test_without_a_checkpoint_a_rescue_goes_back_to_the_beginning(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tiny_config)
    spoil(monkeypatch, at_full_rate(config, 2, 3, 4))
    events = list(train(config, home, "run"))
    run = folder.open_run(home, "run")
    [rescued] = of(events, Rescued)
    assert (rescued.step, rescued.back_to) == (4, 0)
    assert "beginning" in rescued.message
    kinds = [event.kind for event in run.events() if event.kind != "note"]
    assert kinds[:6] == ["run_started", "data_prepared", "planned", "rescued", "planned", "checkpoint"]
    assert kinds.count("run_started") == 1
    assert [event["step"] for event in logged(run, StepDone)] == list(range(1, 21))


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("bad", [2, 12])
def test_killed_after_a_rescue_it_resumes_as_if_nothing_had_happened(
    bad: int, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tiny_config)
    spoil(monkeypatch, at_full_rate(config, bad, bad + 1, bad + 2))
    list(train(config, home, "whole"))
    whole = folder.open_run(home, "whole")
    for kill in ("rescued", "planned", "checkpoint", "step", "later"):
        stream = train(config, home, kill)
        rescued = False
        for event in stream:
            rescued = rescued or isinstance(event, Rescued)
            if rescued and (event.kind == kill or (kill == "later" and getattr(event, "step", 0) == 17)):
                break
        stream.close()  # type: ignore[attr-defined]
        run = folder.open_run(home, kill)
        again = of(go_on(run), Rescued)
        assert bool(again) == (kill in ("rescued", "planned")), "a rescue that was saved must not be lost"
        for kind in (StepDone, EvalDone, Rescued, Finished):
            assert logged(run, kind) == logged(whole, kind), (kill, kind)
        assert newest_files(run) == newest_files(whole)


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("seconds", ["1h", None])
def test_after_three_rescues_it_is_given_up_and_all_is_kept(
    seconds: str | None, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, _: step > 12)
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    values = {"phases": [phase], "budget": seconds} if seconds else {}
    events: list[Event] = []
    with pytest.raises(DivergedError) as caught:
        collect(train(config_of(tiny_config, **values), home, "run"), events)
    rescues = of(events, Rescued)
    assert [(event.rescue, event.back_to, event.lr_scale) for event in rescues] == [
        (1, 10, 0.5),
        (2, 10, 0.25),
        (3, 10, 0.125),
    ]
    assert caught.value.hint
    assert isinstance(events[-1], Failed)
    assert events[-1].message == caught.value.message
    assert [event.kind for event in events if isinstance(event, Failed | Finished)] == ["failed"]
    run = folder.open_run(home, "run")
    assert list(run.events())[-1] == events[-1]
    assert [event["step"] for event in logged(run, StepDone)] == list(range(1, 16))
    assert len(logged(run, Rescued)) == 3, "an earlier rescue is cut out of the log by a later one"
    newest, faults = checkpoint.newest_whole(run)
    assert newest is not None
    assert (newest.state.step, faults) == (10, [])
    assert all(weight.isfinite().all() for weight in newest.model().values())
    assert not run.is_locked()
    with pytest.raises(DivergedError):
        go_on(run)


@pytest.mark.usefixtures("each_step")
def test_two_bad_steps_are_skipped(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda step, _: step in (4, 5, 7, 8, 14, 15))
    events = list(train(config_of(tiny_config), home, "run"))
    assert not of(events, Rescued)
    assert [event.message.split()[2] for event in of(events, Warned)] == ["4", "7", "14"]
    saved = [event.step for event in of(events, CheckpointSaved)]
    assert saved == [10, 20], "a checkpoint was made where steps were being left out"


@pytest.mark.usefixtures("each_step")
def test_a_best_that_was_measured_between_bad_steps_is_saved(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, _: step in (10, 11))
    list(train(config_of(tiny_config, stop_at=12), home, "run"))
    run = folder.open_run(home, "run")
    best = max(event["step"] for event in logged(run, EvalDone) if event["best"])
    assert checkpoint.find(run, "best").name == checkpoint.folder_name(best)
    assert 10 in [event["step"] for event in logged(run, CheckpointSaved)]


@pytest.mark.usefixtures("each_step")
def test_a_rescue_skips_a_damaged_checkpoint(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tiny_config)
    spoil(monkeypatch, at_full_rate(config, 12, 13, 14))

    def damage() -> None:
        (checkpoint.find(folder.open_run(home, "run"), "10") / checkpoint.MODEL).write_bytes(b"damaged")

    events = acting(train(config, home, "run"), {11: damage})
    [rescued] = of(events, Rescued)
    assert rescued.back_to == 5
    assert notes_in(events, "step-00000010")
    run = folder.open_run(home, "run")
    assert [event["step"] for event in logged(run, StepDone)] == list(range(1, 21))
    assert [event["step"] for event in logged(run, EvalDone)] == [10, 20]


@pytest.mark.usefixtures("each_step", "fake_time")
def test_a_rescue_late_in_a_budget_of_time_plans_anew_and_ends_in_time(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"late": False}
    spoil(monkeypatch, lambda *_: now["late"])
    phase = {"name": "train", "schedule": "wsd", "share": 1.0, "steps_down": 0.5}
    config = config_of(tiny_config, phases=[phase], budget="2s", eval_interval=10**6, checkpoint_interval=10**6)
    events = []
    for event in train(config, home, "run"):
        events.append(event)
        if isinstance(event, StepDone) and event.seconds > 1.2 and event.step > 30:
            now["late"] = not of(events, Rescued)
        elif isinstance(event, Rescued):
            now["late"] = False
    [rescued] = of(events, Rescued)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "budget"
    assert finished.seconds == pytest.approx(2, abs=0.1)
    steps = of(events[: events.index(rescued)], StepDone)
    fitting = (2 - steps[-1].seconds) / ((steps[-1].seconds - steps[-21].seconds) / 20)  # at the speed of late
    after = of(events[events.index(rescued) :], Planned)
    assert rescued.back_to == 0
    assert after[0].steps < 1.5 * fitting + 5, "the steps that the lost time would have taken are still planned"
    run = folder.open_run(home, "run")
    assert list(run.events())[-1] == finished
    assert [event["step"] for event in logged(run, StepDone)] == list(range(1, finished.step + 1))


@pytest.mark.usefixtures("each_step")
def test_the_fold_of_the_stream_is_the_fold_of_the_log(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tiny_config, checkpoint_interval=14, eval_interval=4)
    spoil(monkeypatch, at_full_rate(config, 18, 19, 20))
    events = list(train(config, home, "run"))
    mine, theirs = folded(events), folder.open_run(home, "run").state()
    assert len(mine.rescues) == 1
    assert (mine.steps, mine.evals, mine.best, mine.rescues) == (
        theirs.steps,
        theirs.evals,
        theirs.best,
        theirs.rescues,
    )
    assert mine.steps[-1].step == 20


def test_a_run_whose_last_steps_are_warned_at_its_end_is_rescued_too(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 1e9)
    config = config_of(tiny_config)
    spoil(monkeypatch, at_full_rate(config, 18, 19, 20))
    events = list(train(config, home, "run"))
    assert [(event.step, event.back_to) for event in of(events, Rescued)] == [(20, 15)]
    assert isinstance(events[-1], Finished)
    assert [event["step"] for event in logged(folder.open_run(home, "run"), StepDone)] == list(range(1, 21))


def test_a_rescue_counts_bad_steps_anew_and_rescues_on() -> None:
    """Also from a checkpoint that a stop made between bad steps."""
    state, before = TrainState(step=5, bad_steps=2), TrainState(step=9, rescues=1, lr_scale=0.5, bad_steps=3)
    rescued = stability.apply_rollback(state, stability.Diverging(9, "the loss was no number"), before)
    assert (state.bad_steps, state.rescues, state.lr_scale) == (0, 2, 0.25)
    assert (rescued.step, rescued.back_to, rescued.rescue, rescued.lr_scale) == (9, 5, 2, 0.25)


def test_fp16_may_search_for_its_scale() -> None:
    state = TrainState()
    for step in range(1, 21):
        assert stability.record_step(state, step, math.nan, finite=False, precision="fp16") is None
    assert stability.may_be_saved(state, "fp16")
    with pytest.raises(stability.Diverging) as caught:
        stability.record_step(state, 21, math.nan, finite=False, precision="fp16")
    assert caught.value.step == 21
    assert stability.record_step(TrainState(bad_steps=2), 3, 2.0, finite=True, precision="fp32") is None


def calm(steps: int) -> TrainState:
    """A training whose loss has been 3 nats, more or less, for so many steps."""
    state = TrainState()
    for step in range(1, steps + 1):
        stability.record_step(state, step, 3 + 0.05 * math.sin(step), finite=True, precision="fp32")
    return state


def test_a_loss_that_stays_high_is_a_divergence() -> None:
    state = calm(60)
    for step in range(61, 61 + stability.SPIKE_STEPS):
        stability.record_step(state, step, 5.0, finite=True, precision="fp32")
        assert not stability.may_be_saved(state, "fp32"), "what may be diverging is nothing to go back to"
    with pytest.raises(stability.Diverging, match=r"3\.\d\d nats for 50 steps") as caught:
        stability.record_step(state, 61 + stability.SPIKE_STEPS, 5.0, finite=True, precision="fp32")
    assert caught.value.step == 61 + stability.SPIKE_STEPS


def test_a_spike_that_does_not_last_is_no_divergence() -> None:
    state = calm(60)
    for step in range(61, 400):  # high, but again and again not
        stability.record_step(state, step, 3.0 if step % 50 == 0 else 5.0, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(3.0, abs=0.05), "spikes are kept out of the mean"
    state = calm(60)
    for step in range(61, 400):
        stability.record_step(state, step, 3.3, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(3.3, abs=0.05), "a little more is no spike"
    state = calm(60)
    stability.new_phase(state)
    for step in range(61, 400):
        stability.record_step(state, step, 5.0, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(5.0), "another phase has losses of its own"
    state = calm(10)
    for step in range(11, 400):
        stability.record_step(state, step, 9.0, finite=True, precision="fp32")
    assert state.high_steps == 0, "ten steps are no measure"


@pytest.mark.usefixtures("each_step")
def test_a_run_whose_loss_stays_high_is_rescued(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability, "SPIKE_STEPS", 3)
    monkeypatch.setattr(stability, "MEAN_STEPS", 4)
    config = config_of(tiny_config, eval_interval=100)
    spoil(monkeypatch, at_full_rate(config, *range(9, 21)), lambda loss: loss + 20)
    events = list(train(config, home, "run"))
    [rescued] = of(events, Rescued)
    assert (rescued.step, rescued.back_to, rescued.lr_scale) == (12, 5, 0.5), "step 10 was saved amid the spike"
    assert "far above" in rescued.message
    assert [event["step"] for event in logged(folder.open_run(home, "run"), StepDone)] == list(range(1, 21))
    assert isinstance(events[-1], Finished)


def test_the_command_line_exits_with_3(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda step, _: step > 7)
    file = home / "config.toml"
    file.write_text(resolve.to_toml(config_of(tiny_config)), encoding="utf-8")
    result = call("--train", "--plain", "--home", home, "--config", file, "--run", "run")
    assert result.code == 3
    assert result.err.count("rescue 1 of 3") == result.err.count("rescue 3 of 3") == 1
    assert "learning rate" in result.err.splitlines()[-1]


# --- early stop ----------------------------------------------------------------------------------------------


def score_held_out(monkeypatch: pytest.MonkeyPatch, held_out: list[float], training: list[float]) -> None:
    """Let evaluations measure these losses, one at every second step."""

    def scripted(self: Evaluator, *_: object) -> Evaluation:
        index = self.session.state.step // 2 - 1
        return Evaluation(Score(training[index], 1, 1), Score(held_out[index], 1, 1))

    monkeypatch.setattr(Evaluator, "validate", scripted)


FALLING = [9.0 - number for number in range(9)] + [0.5]


@pytest.mark.parametrize(
    ("patience", "held_out", "end"),
    [
        (2, [5.0, 4.0, 4.1, 4.2, 4.3], 8),
        (1, [5.0, 5.0], 4),
        (3, [5.0, 6.0, 4.0, 4.1, 4.2, 4.3], 12),
        (2, [5.0, math.nan, math.inf], 6),
        (2, [math.nan, math.nan], 4),
        (0, [5.0, *[6.0] * 9], 20),
        (9, [5.0, *[6.0] * 9], 20),
    ],
)
def test_patience(
    patience: int,
    held_out: list[float],
    end: int,
    home: Path,
    tiny_config: Configured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_held_out(monkeypatch, held_out, FALLING)
    events = list(train(config_of(tiny_config, eval_interval=2, patience=patience), home, "run"))
    finished, run = events[-1], folder.open_run(home, "run")
    assert isinstance(finished, Finished)
    assert (finished.step, finished.reason) == (end, "early_stop" if end < 20 else "budget")
    assert [event.step for event in of(events, EvalDone)] == list(range(2, end + 1, 2))
    assert checkpoint.find(run).name == checkpoint.folder_name(end)
    if any(map(math.isfinite, held_out)):
        best = 2 + 2 * held_out.index(min(filter(math.isfinite, held_out)))
        assert finished.best_step == best
        assert checkpoint.find(run, "best").name == checkpoint.folder_name(best)
    else:
        assert finished.best_step is None


@pytest.mark.usefixtures("each_step")
def test_a_resumed_run_is_as_patient_as_the_uninterrupted_one(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8], FALLING)
    config = config_of(tiny_config, eval_interval=2, patience=4, checkpoint_interval=3)
    list(train(config, home, "whole"))
    whole = folder.open_run(home, "whole")
    assert logged(whole, Finished)[0]["step"] == 12
    for kill in (3, 5, 8, 11, 12):
        kill_at(kill, train(config, home, f"killed-{kill}"))
        run = folder.open_run(home, f"killed-{kill}")
        go_on(run)
        for kind in (StepDone, EvalDone, Warned, Finished):
            assert logged(run, kind) == logged(whole, kind), (kill, kind)
    go_on(whole)
    assert [event["reason"] for event in logged(whole, Finished)] == ["early_stop"]
    assert len(logged(whole, StepDone)) == 12


@pytest.fixture
def ended_early(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run with patience for two evaluations, whose second was the best."""
    score_held_out(monkeypatch, [5.0, 4.0, *[4.1] * 20], [9.0] * 22)
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    config = config_of(tiny_config, eval_interval=2, patience=2, phases=[phase], budget="20 steps")
    list(train(config, home, "run"))
    return folder.open_run(home, "run")


@pytest.mark.parametrize(
    "flags", [(), ("--steps", 19), ("--set", "train.patience=1"), ("--set", "train.stop_at=30")], ids=str
)
def test_a_run_that_ended_early_is_finished(flags: tuple[object, ...], home: Path, ended_early: RunFolder) -> None:
    before = ended_early.events_file.read_bytes()
    result = call("--train", "--resume", "--home", home, "--run", "run", *flags)
    assert result.code == 0
    assert "is finished" in result.err
    assert ended_early.events_file.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "end", "reason"),
    [
        (("--steps", 30), 12, "early_stop"),
        (("--set", "train.patience=3"), 10, "early_stop"),
        (("--set", "train.patience=4"), 12, "early_stop"),
        (("--set", "train.patience=0"), 20, "budget"),
    ],
    ids=str,
)
def test_a_run_that_ended_early_continues_where_it_is_given_more(
    flags: tuple[object, ...], end: int, reason: str, home: Path, ended_early: RunFolder
) -> None:
    assert call("--train", "--resume", "--home", home, "--run", "run", *flags).code == 0
    assert [event.step for event in of(ended_early.events(), StepDone)] == list(range(1, end + 1))
    assert [(event.step, event.reason) for event in of(ended_early.events(), Finished)] == [(end, reason)]


# --- the held-out loss rises ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held_out", "training", "patience", "warned_at"),
    [
        ([5.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8], FALLING, 0, [8]),
        ([5.0, 4.0, 4.1, 4.2, 3.9, 4.0, 4.1, 4.2, 4.3, 4.4], FALLING, 0, [8, 14]),
        ([5.0, 4.0, 4.1, 4.01, 4.1, 4.01, 4.1, 4.01, 4.1, 4.01], FALLING, 0, []),
        ([5.0, *[4.0] * 9], FALLING, 0, []),
        ([5.0, 4.0, *[4.2] * 8], [3.0] * 10, 0, []),
        ([5.0, 4.0, *[4.2] * 8], [9.0, 8.0, 8.5, 8.5, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0], 0, [10]),
        ([5.0, 4.0, *[4.2] * 8], FALLING, 3, [8]),
        ([5.0, 4.0, *[4.2] * 8], FALLING, 2, []),
    ],
)
def test_a_rise_is_warned_of_once(
    held_out: list[float],
    training: list[float],
    patience: int,
    warned_at: list[int],
    home: Path,
    tiny_config: Configured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_held_out(monkeypatch, held_out, training)
    events = list(train(config_of(tiny_config, eval_interval=2, patience=patience), home, "run"))
    warnings = of(events, Warned)
    evaluations = [events[events.index(event) - 1] for event in warnings]
    assert [event.step for event in of(evaluations, EvalDone)] == warned_at
    for warning in warnings:
        assert "held-out loss" in warning.title
        assert "best" in warning.hint


def test_the_numbers_of_a_rise(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, 4.1, 4.25, *[3.0] * 6], FALLING)
    events = list(train(config_of(tiny_config, eval_interval=2), home, "run"))
    [warning] = of(events, Warned)
    for number in ("step 4 ", "4.000", "4.250", "8.000", "6.000"):
        assert number in warning.message
    assert "step 4 " in warning.hint


def test_a_state_without_the_newer_values_loads(home: Path, tiny_config: Configured) -> None:
    list(train(config_of(tiny_config), home, "run"))
    path = checkpoint.find(folder.open_run(home, "run"))
    table = json.loads((path / checkpoint.STATE).read_bytes())
    for name in ("rescues", "lr_scale", "best_train_loss", "since_best", "rising", "rise_told"):
        del table[name]
    (path / checkpoint.STATE).write_text(json.dumps(table))
    reforge(path)
    state = checkpoint.load(path).state
    assert (state.rescues, state.lr_scale, state.since_best) == (0, 1.0, 0)
