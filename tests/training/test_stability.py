"""A training that diverges is rescued, one that stops getting better ends early, and both hold over a resume."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tinylm import events
from tinylm.cli import headless, main
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import DivergedError
from tinylm.events import CheckpointSaved, EvalDone, Event, Failed, Finished, Planned, Rescued, StepDone, Warned
from tinylm.model.transformer import Transformer
from tinylm.planning.schedule import plan
from tinylm.runs import checkpoint
from tinylm.runs import folder as runs
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import RunFolder
from tinylm.runs.state import RunState
from tinylm.training import loop, stability
from tinylm.training.evaluate import Evaluation, Evaluator, Score
from tinylm.training.loop import Training, resume, train

Configured = Callable[..., RunConfig]
TIMES = {"seconds", "tokens_per_second", "peak_memory_mb"}


def spoil(monkeypatch: pytest.MonkeyPatch, which: Callable[[int, TrainState], bool]) -> None:
    """Make the loss of the steps that `which` picks, by number and by the run's state, not finite."""
    step_, forward, now = Training._step, Transformer.forward, {"bad": False}

    def watched(self: Training, step: int) -> None:
        now["bad"] = which(step, self.state)
        step_(self, step)
        now["bad"] = False

    def spoilt(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        loss: Tensor = forward(self, ids, targets, noise)
        return loss * math.nan if now["bad"] else loss

    monkeypatch.setattr(Training, "_step", watched)
    monkeypatch.setattr(Transformer, "forward", spoilt)


def config_of(tiny_config: Configured, **values: Any) -> RunConfig:
    return tiny_config(model={"dropout": 0.2}, train={"checkpoint_interval": 5, "eval_interval": 10, **values})


def collect(stream: Iterator[Event], told: list[Event]) -> None:
    for event in stream:
        told.append(event)


def go_on(run: RunFolder) -> list[Event]:
    torch.manual_seed(99)
    return list(resume(resolve.resumed(run.config(), run.config()), run))


def of(run: RunFolder, *kinds: type[Event]) -> list[dict[str, Any]]:
    """The events of these kinds in the log, without times and speeds."""
    return [
        {"event": event.kind} | {key: value for key, value in asdict(event).items() if key not in TIMES}
        for event in run.events()
        if isinstance(event, kinds)
    ]


def files(run: RunFolder) -> list[bytes]:
    last = checkpoint.find(run)
    return [(last / name).read_bytes() for name in (checkpoint.MODEL, checkpoint.OPTIMIZER)]


def folded(told: list[Event]) -> RunState:
    state = RunState()
    for event in told:
        state.apply(event)
    return state


# --- rescue --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_step")
def test_a_rescue(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda step, state: step in (12, 13, 14) and not state.rescues)
    told = list(train(config_of(tiny_config), home, "run"))
    run = runs.open_run(home, "run")
    [rescued] = [event for event in told if isinstance(event, Rescued)]
    assert (rescued.step, rescued.back_to, rescued.rescue, rescued.lr_scale) == (14, 10, 1, 0.5)
    assert "10" in rescued.message
    place = told.index(rescued)
    assert isinstance(told[place - 1], StepDone)
    assert told[place - 1].step == 14  # type: ignore[attr-defined]
    assert [event.step for event in told[:place] if isinstance(event, StepDone)] == list(range(1, 15))
    assert [event.step for event in told[place:] if isinstance(event, StepDone)] == list(range(11, 21))

    steps = [event for event in run.events() if isinstance(event, StepDone)]
    assert [event.step for event in steps] == list(range(1, 21)), "a step stands twice in the log, or none"
    laid = plan(run.config().train.phases)
    assert [event.lr for event in steps] == [laid.lr(step) * (0.5 if step > 10 else 1) for step in range(1, 21)]
    assert [event.tokens for event in steps] == [step * 4 * 32 for step in range(1, 21)]
    assert all(first.seconds <= second.seconds for first, second in pairwise(steps)), "the clock went back"
    assert all(math.isfinite(event.loss or math.nan) for event in steps)
    assert [event.kind for event in run.events() if isinstance(event, Rescued | Warned | Failed)] == ["rescued"]
    saved = [event.step for event in told[place:] if isinstance(event, CheckpointSaved)]
    assert saved[0] == 10, "the lower rate is not saved at once"
    assert isinstance(told[-1], Finished)
    assert told[-1].step == 20
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
            spoil(patch, lambda step, state, bad=bad: bad <= step <= bad + 2 and not state.rescues)  # type: ignore[misc]
            list(train(config_of(tiny_config, optimizer=optimizer, **values), home, f"{optimizer}-{bad}"))
        run, plain = runs.open_run(home, f"{optimizer}-{bad}"), runs.open_run(home, f"plain-{optimizer}")
        for kind in (StepDone, EvalDone, events.Sampled, Finished):
            assert of(run, kind) == of(plain, kind), (optimizer, bad, kind)
        assert files(run) == files(plain)
        assert run.samples_file.read_bytes() == plain.samples_file.read_bytes()


@pytest.mark.usefixtures("each_step")
def test_without_a_checkpoint_a_rescue_goes_back_to_the_beginning(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, state: step in (2, 3, 4) and not state.rescues)
    told = list(train(config_of(tiny_config), home, "run"))
    run = runs.open_run(home, "run")
    [rescued] = [event for event in told if isinstance(event, Rescued)]
    assert (rescued.step, rescued.back_to) == (4, 0)
    assert "beginning" in rescued.message
    kinds = [event.kind for event in run.events()]
    assert kinds[:6] == ["run_started", "data_prepared", "planned", "rescued", "planned", "checkpoint"]
    assert kinds.count("run_started") == 1
    assert [event["step"] for event in of(run, StepDone)] == list(range(1, 21))


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("bad", [2, 12])
def test_killed_after_a_rescue_it_goes_on_as_if_nothing_had_been(
    bad: int, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, state: bad <= step <= bad + 2 and not state.rescues)
    list(train(config_of(tiny_config), home, "whole"))
    whole = runs.open_run(home, "whole")
    for kill in ("rescued", "planned", "checkpoint", "step", "later"):
        stream = train(config_of(tiny_config), home, kill)
        rescued = False
        for event in stream:
            rescued = rescued or isinstance(event, Rescued)
            if rescued and (event.kind == kill or (kill == "later" and getattr(event, "step", 0) == 17)):
                break
        stream.close()  # type: ignore[attr-defined]
        run = runs.open_run(home, kill)
        told = go_on(run)
        again = any(isinstance(event, Rescued) for event in told)
        assert again == (kill in ("rescued", "planned")), "a rescue that was saved must not be lost"
        for kind in (StepDone, EvalDone, Rescued, Finished):
            assert of(run, kind) == of(whole, kind), (kill, kind)
        assert files(run) == files(whole)


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("seconds", ["1h", None])
def test_after_three_rescues_it_is_given_up_and_all_is_kept(
    seconds: str | None, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, _: step > 12)
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    values = {"phases": [phase], "budget": seconds} if seconds else {}
    told: list[Event] = []
    with pytest.raises(DivergedError) as caught:
        collect(train(config_of(tiny_config, **values), home, "run"), told)
    rescues = [event for event in told if isinstance(event, Rescued)]
    assert [(event.rescue, event.back_to, event.lr_scale) for event in rescues] == [
        (1, 10, 0.5),
        (2, 10, 0.25),
        (3, 10, 0.125),
    ]
    assert caught.value.hint
    assert isinstance(told[-1], Failed)
    run = runs.open_run(home, "run")
    assert [event["step"] for event in of(run, StepDone)] == list(range(1, 16))
    assert len(of(run, Rescued)) == 3, "an earlier rescue is cut out of the log by a later one"
    found, faults = checkpoint.newest_whole(run)
    assert found is not None
    assert (found.state.step, faults) == (10, [])
    assert not run.is_locked()
    with pytest.raises(DivergedError):
        go_on(run)


@pytest.mark.usefixtures("each_step")
def test_two_bad_steps_are_got_over(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda step, _: step in (4, 5, 7, 8, 14, 15))
    told = list(train(config_of(tiny_config), home, "run"))
    assert not any(isinstance(event, Rescued) for event in told)
    assert [event.message.split()[2] for event in told if isinstance(event, Warned)] == ["4", "7", "14"]
    saved = [event.step for event in told if isinstance(event, CheckpointSaved)]
    assert saved == [10, 20], "a checkpoint was made where steps were being left out"


@pytest.mark.usefixtures("each_step")
def test_a_best_that_was_measured_between_bad_steps_is_saved(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, _: step in (10, 11))
    list(train(config_of(tiny_config, stop_at=12), home, "run"))
    run = runs.open_run(home, "run")
    best = max(event["step"] for event in of(run, EvalDone) if event["best"])
    assert checkpoint.find(run, "best").name == checkpoint.folder_name(best)
    assert 10 in [event["step"] for event in of(run, CheckpointSaved)]


@pytest.mark.usefixtures("each_step")
def test_a_rescue_passes_a_damaged_checkpoint_over(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, state: step in (12, 13, 14) and not state.rescues)
    told = []
    for event in train(config_of(tiny_config), home, "run"):
        told.append(event)
        if isinstance(event, StepDone) and event.step == 11:
            (checkpoint.find(runs.open_run(home, "run"), "10") / checkpoint.MODEL).write_bytes(b"damaged")
    [rescued] = [event for event in told if isinstance(event, Rescued)]
    assert rescued.back_to == 5
    assert any("step-00000010" in event.message for event in told if isinstance(event, events.Note))
    run = runs.open_run(home, "run")
    assert [event["step"] for event in of(run, StepDone)] == list(range(1, 21))
    assert [event["step"] for event in of(run, EvalDone)] == [10, 20]


@pytest.mark.usefixtures("each_step", "fake_time")
def test_a_rescue_late_in_a_budget_of_time_plans_anew_and_ends_in_time(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def late(_: int, state: TrainState) -> bool:
        return not state.rescues and bool(done) and state.step > 30

    spoil(monkeypatch, late)
    phase = {"name": "train", "schedule": "wsd", "share": 1.0, "steps_down": 0.5}
    config = config_of(tiny_config, phases=[phase], budget="2s", eval_interval=10**6, checkpoint_interval=10**6)
    told: list[Event] = []
    for event in train(config, home, "run"):
        told.append(event)
        if isinstance(event, StepDone) and event.seconds > 1.2:
            done.append(event.step)
    [rescued] = [event for event in told if isinstance(event, Rescued)]
    finished = told[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "budget"
    assert finished.seconds == pytest.approx(2, abs=0.1)
    steps = [event for event in told[: told.index(rescued)] if isinstance(event, StepDone)]
    fitting = (2 - steps[-1].seconds) / ((steps[-1].seconds - steps[-21].seconds) / 20)  # at the speed of late
    after = [event for event in told[told.index(rescued) :] if isinstance(event, Planned)]
    assert rescued.back_to == 0
    assert after[0].steps < 1.5 * fitting + 5, "the steps that the lost time would have taken are still planned"
    run = runs.open_run(home, "run")
    assert list(run.events())[-1] == finished
    assert [event["step"] for event in of(run, StepDone)] == list(range(1, finished.step + 1))


@pytest.mark.usefixtures("each_step")
def test_the_fold_of_the_stream_is_the_fold_of_the_log(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda step, state: step in (18, 19, 20) and not state.rescues)
    told = list(train(config_of(tiny_config, checkpoint_interval=14, eval_interval=4), home, "run"))
    mine, theirs = folded(told), runs.open_run(home, "run").state()
    assert len(mine.rescues) == 1
    assert (mine.steps, mine.evals, mine.best, mine.rescues) == (
        theirs.steps,
        theirs.evals,
        theirs.best,
        theirs.rescues,
    )
    assert mine.steps[-1].step == 20


def test_a_run_whose_last_steps_are_told_at_its_end_is_rescued_too(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 1e9)
    spoil(monkeypatch, lambda step, state: step in (18, 19, 20) and not state.rescues)
    told = list(train(config_of(tiny_config), home, "run"))
    assert [(event.step, event.back_to) for event in told if isinstance(event, Rescued)] == [(20, 15)]
    assert isinstance(told[-1], Finished)
    assert [event["step"] for event in of(runs.open_run(home, "run"), StepDone)] == list(range(1, 21))


def test_a_rescue_counts_bad_steps_anew_and_rescues_on() -> None:
    """Also from a checkpoint that a stop made between bad steps."""
    state, before = TrainState(step=5, bad_steps=2), TrainState(step=9, rescues=1, lr_scale=0.5, bad_steps=3)
    told = stability.rolled_back(state, stability.Diverging(9, "the loss was no number"), before)
    assert (state.bad_steps, state.rescues, state.lr_scale) == (0, 2, 0.25)
    assert (told.step, told.back_to, told.rescue, told.lr_scale) == (9, 5, 2, 0.25)


def test_fp16_may_feel_for_its_scale() -> None:
    state = TrainState()
    for step in range(1, 21):
        assert stability.stepped(state, step, math.nan, finite=False, precision="fp16") is None
    assert stability.may_be_saved(state, "fp16")
    with pytest.raises(stability.Diverging) as caught:
        stability.stepped(state, 21, math.nan, finite=False, precision="fp16")
    assert caught.value.step == 21
    assert stability.stepped(TrainState(bad_steps=2), 3, 2.0, finite=True, precision="fp32") is None


def calm(steps: int) -> TrainState:
    """A training whose loss has been 3 nats, more or less, for so many steps."""
    state = TrainState()
    for step in range(1, steps + 1):
        stability.stepped(state, step, 3 + 0.05 * math.sin(step), finite=True, precision="fp32")
    return state


def test_a_loss_that_stays_high_is_a_divergence() -> None:
    state = calm(60)
    for step in range(61, 61 + stability.SPIKE_STEPS):
        stability.stepped(state, step, 5.0, finite=True, precision="fp32")
        assert not stability.may_be_saved(state, "fp32"), "what may be diverging is nothing to go back to"
    with pytest.raises(stability.Diverging, match=r"far above 3\.\d\d nats for 50 steps") as caught:
        stability.stepped(state, 61 + stability.SPIKE_STEPS, 5.0, finite=True, precision="fp32")
    assert caught.value.step == 61 + stability.SPIKE_STEPS


def test_what_is_no_lasting_spike_is_none() -> None:
    state = calm(60)
    for step in range(61, 400):  # high, but again and again not
        stability.stepped(state, step, 3.0 if step % 50 == 0 else 5.0, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(3.0, abs=0.05), "spikes are kept out of the mean"
    state = calm(60)
    for step in range(61, 400):
        stability.stepped(state, step, 3.3, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(3.3, abs=0.05), "a little more is no spike"
    state = calm(60)
    stability.new_phase(state)
    for step in range(61, 400):
        stability.stepped(state, step, 5.0, finite=True, precision="fp32")
    assert state.calm_loss == pytest.approx(5.0), "another phase has losses of its own"
    state = calm(10)
    for step in range(11, 400):
        stability.stepped(state, step, 9.0, finite=True, precision="fp32")
    assert state.high_steps == 0, "ten steps are no measure"


@pytest.mark.usefixtures("each_step")
def test_a_run_whose_loss_stays_high_is_rescued(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability, "SPIKE_STEPS", 3)
    monkeypatch.setattr(stability, "MEAN_STEPS", 4)
    step_, forward, now = Training._step, Transformer.forward, {"high": False}

    def watched(self: Training, step: int) -> None:
        now["high"] = step >= 9 and not self.state.rescues
        step_(self, step)
        now["high"] = False

    def raised(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        loss: Tensor = forward(self, ids, targets, noise)
        return loss + 20 if now["high"] else loss

    monkeypatch.setattr(Training, "_step", watched)
    monkeypatch.setattr(Transformer, "forward", raised)
    told = list(train(config_of(tiny_config, eval_interval=100), home, "run"))
    [rescued] = [event for event in told if isinstance(event, Rescued)]
    assert (rescued.step, rescued.back_to, rescued.lr_scale) == (12, 5, 0.5), "step 10 was saved amid the spike"
    assert "far above" in rescued.message
    assert [event["step"] for event in of(runs.open_run(home, "run"), StepDone)] == list(range(1, 21))
    assert isinstance(told[-1], Finished)


def test_the_command_line_exits_with_3(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, lambda step, _: step > 7)
    file = home / "config.toml"
    file.write_text(resolve.to_toml(config_of(tiny_config)), encoding="utf-8")
    code = main.main(["--train", "--plain", "--home", str(home), "--config", str(file), "--run", "run"])
    said = capsys.readouterr().err
    assert code == 3
    assert said.count("rescue 1 of 3") == said.count("rescue 3 of 3") == 1
    assert "lower learning rate" in said.splitlines()[-1]


# --- early stop ----------------------------------------------------------------------------------------------


def score_held_out(monkeypatch: pytest.MonkeyPatch, held_out: list[float], training: list[float]) -> None:
    """Let evaluations measure these losses, one at every second step."""

    def scripted(self: Evaluator, *_: object) -> Evaluation:
        place = self._session.state.step // 2 - 1
        return Evaluation(Score(training[place], 1, 1), Score(held_out[place], 1, 1))

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
    told = list(train(config_of(tiny_config, eval_interval=2, patience=patience), home, "run"))
    finished, run = told[-1], runs.open_run(home, "run")
    assert isinstance(finished, Finished)
    assert (finished.step, finished.reason) == (end, "early_stop" if end < 20 else "budget")
    assert [event.step for event in told if isinstance(event, EvalDone)] == list(range(2, end + 1, 2))
    assert checkpoint.find(run).name == checkpoint.folder_name(end)
    if any(map(math.isfinite, held_out)):
        best = 2 + 2 * held_out.index(min(filter(math.isfinite, held_out)))
        assert finished.best_step == best
        assert checkpoint.find(run, "best").name == checkpoint.folder_name(best)
    else:
        assert finished.best_step is None


@pytest.mark.usefixtures("each_step")
def test_a_resumed_run_is_as_patient_as_the_undisturbed_one(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8], FALLING)
    config = config_of(tiny_config, eval_interval=2, patience=4, checkpoint_interval=3)
    list(train(config, home, "whole"))
    whole = runs.open_run(home, "whole")
    assert of(whole, Finished)[0]["step"] == 12
    for kill in (3, 5, 8, 11, 12):
        stream = train(config, home, f"killed-{kill}")
        for event in stream:
            if isinstance(event, StepDone) and event.step == kill:
                break
        stream.close()  # type: ignore[attr-defined]
        run = runs.open_run(home, f"killed-{kill}")
        go_on(run)
        for kind in (StepDone, EvalDone, Warned, Finished):
            assert of(run, kind) == of(whole, kind), (kill, kind)
    go_on(whole)
    assert [event["reason"] for event in of(whole, Finished)] == ["early_stop"]
    assert len(of(whole, StepDone)) == 12


def test_a_run_that_ended_early_is_finished_until_it_is_given_more(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, *[4.1] * 20], [9.0] * 22)
    phase = {"name": "train", "schedule": "constant", "share": 1.0}
    config = config_of(tiny_config, eval_interval=2, patience=2, phases=[phase], budget="20 steps")
    list(train(config, home, "run"))
    run = runs.open_run(home, "run")
    own = run.config()

    def nothing_left(**values: object) -> bool:
        return headless._nothing_left(run, resolve.with_values(own, train=values))

    assert nothing_left()
    assert nothing_left(budget="19 steps")
    assert nothing_left(patience=1)
    assert nothing_left(stop_at=30)
    assert not nothing_left(patience=3)
    assert not nothing_left(patience=0)
    assert not nothing_left(budget="30 steps")
    wanted = resolve.with_values(own, train={"budget": "30 steps"})
    told = list(resume(resolve.resumed(own, wanted), run))
    assert [event.step for event in told if isinstance(event, StepDone)] == [9, 10, 11, 12]
    assert isinstance(told[-1], Finished)
    assert told[-1].reason == "early_stop"


def test_a_run_given_more_patience_goes_on(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, *[4.1] * 20], [9.0] * 22)
    list(train(config_of(tiny_config, eval_interval=2, patience=2), home, "run"))
    run = runs.open_run(home, "run")
    told = list(resume(resolve.with_values(run.config(), train={"patience": 4}), run))
    assert [event.step for event in told if isinstance(event, StepDone)] == [9, 10, 11, 12]
    assert told[-1].reason == "early_stop"  # type: ignore[attr-defined]


# --- the held-out loss rises ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held_out", "training", "patience", "told_at"),
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
def test_a_turn_is_told_once(
    held_out: list[float],
    training: list[float],
    patience: int,
    told_at: list[int],
    home: Path,
    tiny_config: Configured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_held_out(monkeypatch, held_out, training)
    told = list(train(config_of(tiny_config, eval_interval=2, patience=patience), home, "run"))
    warnings = [event for event in told if isinstance(event, Warned)]
    evaluations = [told[told.index(event) - 1] for event in warnings]
    assert [event.step for event in evaluations if isinstance(event, EvalDone)] == told_at
    for warning in warnings:
        assert warning.title == "The held-out loss rises"
        assert "learn" in warning.message
        assert "best" in warning.hint


def test_the_numbers_of_a_turn(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    score_held_out(monkeypatch, [5.0, 4.0, 4.1, 4.25, *[3.0] * 6], FALLING)
    told = list(train(config_of(tiny_config, eval_interval=2), home, "run"))
    [warning] = [event for event in told if isinstance(event, Warned)]
    for number in ("step 4 ", "4.000", "4.250", "8.000", "6.000"):
        assert number in warning.message
    assert "step 4 " in warning.hint


def test_a_state_without_the_newer_values_loads(home: Path, tiny_config: Configured) -> None:
    list(train(config_of(tiny_config), home, "run"))
    folder = checkpoint.find(runs.open_run(home, "run"))
    table = json.loads((folder / checkpoint.STATE).read_bytes())
    newer = ("rescues", "lr_scale", "best_train_loss", "since_best", "rising", "rise_told")
    older = {key: value for key, value in table.items() if key not in (*newer, "sha256")}
    (folder / checkpoint.STATE).write_text(json.dumps(older | {"sha256": checkpoint._checksum(older)}))
    state = checkpoint.load(folder).state
    assert (state.rescues, state.lr_scale, state.since_best) == (0, 1.0, 0)
