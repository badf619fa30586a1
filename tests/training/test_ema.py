"""Averaged weights: what they remember, that the better ones are used everywhere, and that a run resumes exactly."""

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from torch import Tensor

from tests.models import build
from tests.run_files import reforge
from tests.trainings import Configured, go_on, kill_at, logged, newest_files, of, resumed, stop_at
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.data.batches import Corpus, HeldOut
from tinylm.errors import ConfigError, RunError
from tinylm.events import EvalDone, Finished, Sampled, StepDone
from tinylm.hardware import device
from tinylm.inference import generate
from tinylm.inference.load import load_model
from tinylm.model.transformer import Transformer
from tinylm.preview.rehearsal import rehearse
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, STATE
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training import memory_check, setup
from tinylm.training.ema import WeightEMA
from tinylm.training.evaluate import Evaluator, Score, score
from tinylm.training.loop import train
from tinylm.training.session import Session

GO = torch.tensor(False)
STEPS = 24
CHOICES = {"averaged": (0.3, 0.3), "trained": (1.0, 0.01), "in turn": (1.0, 0.1)}
"""Share and rate of trainings in which evaluations find better: always the average, never, now this and now that."""


def config_of(tiny_config: Configured, choice: str = "averaged", **values: Any) -> RunConfig:
    share, lr = CHOICES[choice]
    phase = {"name": "train", "schedule": "constant", "steps": STEPS, "max_lr": lr}
    often = {"eval_interval": 4, "sample_interval": 8, "checkpoint_interval": 5}
    return tiny_config(train={"average": share, "phases": [phase], **often, **values})


def move(model: Transformer, seed: int) -> dict[str, Tensor]:
    """Change the weights in place; returns a copy of them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator))
    return {name: weight.clone() for name, weight in model.state_dict().items()}


# --- what is remembered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_it_is_the_plain_loop_over_the_weights(share: float) -> None:
    model = build()
    average, expected = WeightEMA(model, share), {name: value.double() for name, value in model.state_dict().items()}
    for step in range(1, 30):
        for name, weight in move(model, step).items():
            expected[name] = expected[name] + (weight.double() - expected[name]) / (1 + share * (step - 1))
        average.update(average.factor(step), GO)
        for name, value in average.model.state_dict().items():
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5, msg=f"{name} at {step}")
    assert average.model.embedding.weight is not model.embedding.weight


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_steps_count_by_a_power_of_their_number(share: float) -> None:
    """What a step's weights count for is found by a training in which one number is 1 at that step alone."""
    steps, model = 1000, build()
    number = model.embedding.weight[0]
    counts = torch.zeros(steps)
    with torch.no_grad():
        for chosen in range(100, steps, 100):
            average = WeightEMA(model, share)
            for step in range(1, steps + 1):
                number[0] = float(step == chosen)
                average.update(average.factor(step), GO)
            counts[chosen] = average.model.embedding.weight[0, 0]
    gamma = 1 / share - 1
    for chosen in range(300, steps, 100):
        expected = (gamma + 1) * chosen**gamma / steps ** (gamma + 1)
        assert counts[chosen].item() == pytest.approx(expected, rel=0.03 + 3 / share / chosen)


def test_a_step_that_is_not_finite_is_not_averaged(home: Path, tiny_config: Configured) -> None:
    parts = setup.start(config_of(tiny_config), home, "run")
    stepper, average = parts.stepper, parts.stepper.average
    assert average
    ids, targets = parts.batches[0].draw(0)
    stepper.take(1, 0.1, 0.1, ids, targets)
    before = {name: value.clone() for name, value in average.model.state_dict().items()}
    loss, grads = stepper.gradients(2, ids, targets)
    stepper.update(2, 0.1, 0.1, loss * math.nan, grads)
    assert all(torch.equal(value, before[name]) for name, value in average.model.state_dict().items())
    stepper.take(3, 0.1, 0.1, ids, targets)
    assert not torch.equal(average.model.head.weight, before["head.weight"])
    parts.close()


# --- the better ones are used --------------------------------------------------------------------------------


@pytest.fixture
def parts(home: Path, tiny_config: Configured) -> Session:
    parts = setup.start(config_of(tiny_config), home, "run")
    parts.close()
    return parts


def spoil(model: Transformer) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=3.0, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("averaged", [False, True])
def test_an_evaluation_is_of_the_better_weights(averaged: bool, parts: Session) -> None:
    assert parts.stepper.average
    trained, average = parts.model, parts.stepper.average.model
    spoil(trained if averaged else average)
    evaluator, stream = Evaluator(parts), parts.batches[0].stream
    result = evaluator.validate(stream)
    assert result.averaged == averaged
    assert result.other is not None
    assert result.other.loss > result.val.loss  # type: ignore[operator]
    better, worse = (
        {name: value.clone() for name, value in model.state_dict().items()}
        for model in ((average, trained) if averaged else (trained, average))
    )
    for weights, expected in ((worse, result.other), (better, result.val)):
        for model in (trained, average):
            model.load_state_dict(weights)
        alone = evaluator.validate(stream)
        assert alone.val == alone.other == expected
    assert alone.train == result.train


def test_where_both_are_as_good_the_trained_ones_are_used(parts: Session) -> None:
    result = Evaluator(parts).validate(parts.batches[0].stream)
    assert not result.averaged
    assert result.other == result.val


def test_without_held_out_text_the_trained_ones_are_used(home: Path, tiny_config: Configured) -> None:
    config = resolve.with_values(config_of(tiny_config), data={"val_fraction": 0.0})
    assert {event.averaged for event in of(train(config, home, "run"), EvalDone)} == {False}
    saved = checkpoint.load(checkpoint.find(folder.open_run(home, "run")))
    assert all(torch.equal(value, saved.trained()[name]) for name, value in saved.model().items())
    assert not torch.equal(saved.average()["head.weight"], saved.model()["head.weight"])  # type: ignore[index]


def test_an_average_costs_the_held_out_half_again_and_planning_knows(
    parts: Session, home: Path, tiny_config: Configured
) -> None:
    plain = setup.start(config_of(tiny_config, average=0.0), home, "plain")
    plain.close()
    evaluator, (some, whole) = Evaluator(parts), Evaluator(plain).sequences
    assert evaluator.sequences == (2 * some, whole)
    passes: list[int] = []
    losses = Transformer.losses
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transformer, "losses", lambda *given: passes.append(1) or losses(*given))
        evaluator.validate(parts.batches[0].stream)
    train = parts.config.train
    assert len(passes) == train.eval_iters + 2 * -(-some // train.batch_size)
    assert evaluator.final_evaluation_seconds > 0


@pytest.fixture(scope="module")
def whole(tiny_config: Configured, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunFolder]:
    """Runs that nothing disturbed, by what they choose."""
    made: dict[str, RunFolder] = {}

    def make(choice: str) -> RunFolder:
        if choice not in made:
            home = tmp_path_factory.mktemp("whole")
            list(train(config_of(tiny_config, choice, keep_checkpoints=9), home, "run"))
            made[choice] = folder.open_run(home, "run")
        return made[choice]

    return make


def evaluations(run: RunFolder) -> list[EvalDone]:
    return of(run.events(), EvalDone)


def measured(run: RunFolder) -> Score:
    """What the weights in the newest checkpoint's `model.safetensors` have on the whole held-out text."""
    (model, tokenizer), corpus = load_model(run, "latest"), Corpus(run.path, torch.device("cpu"))
    rows, block_size = run.config().train.batch_size, run.config().model.block_size
    windows = HeldOut.cut(corpus.layout.held_out, block_size).batches(corpus, rows, block_size)
    return score(model, windows, tokenizer.token_bytes, device.autocast("fp32", torch.device("cpu")))


def test_the_trainings_here_choose_as_they_are_called(whole: Callable[[str], RunFolder]) -> None:
    assert {event.averaged for event in evaluations(whole("averaged"))} == {True}
    assert {event.averaged for event in evaluations(whole("trained"))} == {False}
    assert {event.averaged for event in evaluations(whole("in turn"))} == {False, True}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_end_covers_what_the_checkpoint_holds(choice: str, whole: Callable[[str], RunFolder]) -> None:
    run = whole(choice)
    model, tokenizer = load_model(run, "latest")
    config, finished = run.config(), list(run.events())[-1]
    assert isinstance(finished, Finished)
    assert finished.val_loss == pytest.approx(measured(run).loss, rel=1e-6)
    assert finished.val_bpb == pytest.approx(measured(run).bpb, rel=1e-6)
    assert of(run.events(), Sampled)[-1].text == "".join(
        generate.generate_text(model, tokenizer, config.sample.prompt, config.sample)
    )


@pytest.mark.parametrize("choice", CHOICES)
def test_a_checkpoint_records_which_weights_it_holds(choice: str, whole: Callable[[str], RunFolder]) -> None:
    run = whole(choice)
    chosen = {event.step: event.averaged for event in evaluations(run)}
    for path in sorted(run.checkpoints.glob("step-*")):
        assert sorted(file.name for file in path.iterdir()) == sorted([AVERAGE, MODEL, OPTIMIZER, STATE])
        table, saved = json.loads((path / STATE).read_text(encoding="utf-8")), checkpoint.load(path)
        last = max((step for step in chosen if step <= saved.state.step), default=None)
        assert table["averaged"] == (last is not None and chosen[last])
        used, average, trained = saved.model(), saved.average(), saved.trained()
        assert average is not None
        assert used.keys() == average.keys() == trained.keys()
        same = average if table["averaged"] else trained
        assert all(torch.equal(used[name], same[name]) for name in used)
        assert any(not torch.equal(average[name], trained[name]) for name in used)
        assert not any(name.endswith(".trained") for name in saved.optimizer())


# --- going on ------------------------------------------------------------------------------------------------


def check_same(run: RunFolder, whole: RunFolder) -> None:
    assert newest_files(run).keys() == {MODEL, AVERAGE, OPTIMIZER}
    assert newest_files(run) == newest_files(whole)
    for kind in (StepDone, EvalDone, Sampled, Finished):
        assert logged(run, kind) == logged(whole, kind), kind.__name__


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("choice", CHOICES)
def test_stopped_and_killed_it_equals_the_uninterrupted_run(
    choice: str, optimizer: str, home: Path, tiny_config: Configured, whole: Callable[[str], RunFolder]
) -> None:
    config = config_of(tiny_config, choice, optimizer=optimizer, keep_checkpoints=9)
    run = stop_at(7, config, home)
    for step in (13, 19):
        kill_at(step, resumed(run))
    go_on(run)
    uninterrupted = whole(choice)
    if optimizer != "adamw":
        list(train(config, home, "whole"))
        uninterrupted = folder.open_run(home, "whole")
    check_same(run, uninterrupted)


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize(
    ("choice", "step", "turns"), [("averaged", 3, True), ("averaged", 7, False), ("trained", 7, False)]
)
def test_a_stopped_run_ends_with_the_score_of_what_it_saved(
    choice: str, step: int, turns: bool, home: Path, tiny_config: Configured
) -> None:
    """Its closing evaluation may find other weights better than the last one did, which its checkpoint holds."""
    run = stop_at(step, config_of(tiny_config, choice, eval_iters=20), home)
    finished, saved = list(run.events())[-1], checkpoint.load(checkpoint.find(run)).state
    assert isinstance(finished, Finished)
    assert (evaluations(run)[-1].averaged != saved.averaged) == turns
    assert finished.val_loss == pytest.approx(measured(run).loss, rel=1e-6)


@pytest.mark.usefixtures("each_step")
def test_what_is_evaluated_at_the_end_of_a_run_that_was_saved_there_is_saved(
    home: Path, tiny_config: Configured
) -> None:
    """Stopped before its first evaluation, then resumed to end right there: that finds the average better."""
    run = stop_at(3, config_of(tiny_config), home)
    assert not checkpoint.load(checkpoint.find(run)).state.averaged
    finished = go_on(run, stop_at=3)[-1]
    assert isinstance(finished, Finished)
    state = checkpoint.load(checkpoint.find(run)).state
    assert (finished.step, state.step, state.averaged) == (3, 3, True)
    assert finished.val_loss == pytest.approx(measured(run).loss, rel=1e-6)
    assert checkpoint.find(run, "best") == checkpoint.find(run)


@pytest.mark.parametrize("choice", ["averaged", "trained"])
def test_a_rescue_takes_both_back(choice: str, whole: Callable[[str], RunFolder]) -> None:
    run = whole(choice)
    parts = setup.resume(run.config(), run)
    assert parts.stepper.average
    saved = checkpoint.load(checkpoint.find(run))
    logs = run.events_file.read_bytes()
    for model in (parts.model, parts.stepper.average.model):
        spoil(model)
    parts.state.averaged = not parts.state.averaged
    parts.rewind()
    parts.close()
    assert parts.state.averaged == saved.state.averaged == (choice == "averaged")
    for model, expected in ((parts.model, saved.trained()), (parts.stepper.average.model, saved.average())):
        assert expected is not None
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    run.events_file.write_bytes(logs)


def test_a_rescue_before_the_first_checkpoint_begins_the_average_anew(parts: Session) -> None:
    assert parts.stepper.average
    first = {name: value.clone() for name, value in parts.model.state_dict().items()}
    for model in (parts.model, parts.stepper.average.model):
        spoil(model)
    parts.events_log, parts.samples_log = (
        LogWriter(file, 0) for file in (parts.run.events_file, parts.run.samples_file)
    )
    parts.rewind()
    for model in (parts.model, parts.stepper.average.model):
        assert all(torch.equal(value, first[name]) for name, value in model.state_dict().items())


def test_a_run_of_an_earlier_version_resumes(home: Path, tiny_config: Configured) -> None:
    """One whose files know nothing of averages, nor of the other settings that came with them."""
    phase = {"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-2}
    config = tiny_config(train={"phases": [phase], "budget": "8 steps"})
    list(train(config, home, "old"))
    run = folder.open_run(home, "old")
    table = tomllib.loads(run.config_file.read_text(encoding="utf-8"))
    for name in ("average", "embedding_decay", "embedding_lr"):
        del table["train"][name]
    run.config_file.write_text(tomli_w.dumps(table), encoding="utf-8")
    for path in run.checkpoints.glob("step-*"):
        assert not (path / AVERAGE).exists()
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        del state["averaged"]
        (path / STATE).write_text(json.dumps(state), encoding="utf-8")
        reforge(path)
    assert load_model(run)[0].n_parameters() > 0
    go_on(run, budget="12 steps")
    list(train(resolve.with_values(config, train={"budget": "12 steps"}), home, "new"))
    assert newest_files(run) == newest_files(folder.open_run(home, "new"))


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_it_may_not_change_in_the_middle(share: float, whole: Callable[[str], RunFolder]) -> None:
    own = whole("averaged").config()
    with pytest.raises(ConfigError, match=r"train\.average"):
        resolve.resumed(own, resolve.with_values(own, train={"average": share}))


@pytest.mark.parametrize("choice", ["averaged", "trained"])
def test_a_checkpoint_that_does_not_fit_the_setting_is_refused(
    choice: str, home: Path, tiny_config: Configured
) -> None:
    """Somebody has edited config.toml: without the average, nothing says what trains on and what is used."""
    averaging = choice == "averaged"
    list(train(resolve.with_values(config_of(tiny_config), train={"average": 0.3 if averaging else 0.0}), home, "run"))
    run = folder.open_run(home, "run")
    other = resolve.with_values(run.config(), train={"average": 0.0 if averaging else 0.3})
    run.config_file.write_text(resolve.to_toml(other), encoding="utf-8")
    with pytest.raises(RunError, match="does not fit"):
        go_on(run)
    assert not run.is_locked()


# --- what it costs -------------------------------------------------------------------------------------------


def test_the_memory_of_another_copy_is_counted(tiny_config: Configured) -> None:
    plain, averaging = tiny_config(), tiny_config(train={"average": 0.1})
    weights = 4 * Transformer(plain.model, 300).n_parameters()
    memory_check.refuse_giants(plain, 300, 4 * weights)
    memory_check.refuse_giants(averaging, 300, 5 * weights)
    with pytest.raises(ConfigError, match="needs"):
        memory_check.refuse_giants(averaging, 300, 5 * weights - 1)
    needed = 5 * weights + 2 * memory_check.sequence_bytes(plain.model, 300, half=False)
    assert memory_check.fitting_sequences(averaging, 300, 2, needed) == 2
    assert memory_check.fitting_sequences(averaging, 300, 2, needed - 1) == 1


def test_a_rehearsal_counts_the_disk_space_of_checkpoints(
    home: Path, tiny_config: Configured, whole: Callable[[str], RunFolder]
) -> None:
    averaged = rehearse(config_of(tiny_config, keep_checkpoints=1), home, lambda: False)
    plain = rehearse(config_of(tiny_config, keep_checkpoints=1, average=0.0), home, lambda: False)
    size = sum(len(data) for data in newest_files(whole("averaged")).values())
    assert averaged.disk_mb == pytest.approx(3 * size / 1e6, rel=0.05)
    weights = 4 * averaged.parameters / 1e6
    assert averaged.memory_mb - plain.memory_mb == pytest.approx(weights, rel=0.01)
    assert averaged.loss == plain.loss
