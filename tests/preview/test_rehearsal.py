"""The rehearsal: its numbers against the run itself, what it leaves behind, and how it is cancelled."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainings import Configured, of
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.errors import ConfigError, DataError, RunError
from tinylm.events import DataPrepared, Planned, RunStarted, StepDone
from tinylm.hardware import memory
from tinylm.model.transformer import Transformer
from tinylm.planning import schedule
from tinylm.preview import rehearsal, scratch
from tinylm.preview.rehearsal import Rehearsal
from tinylm.preview.scratch import Cancelled
from tinylm.runs import checkpoint
from tinylm.runs.folder import open_run
from tinylm.training.cuda_graph import GraphedStep
from tinylm.training.loop import train
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper


def never() -> bool:
    return False


def rehearsed(config: RunConfig, home: Path, steps: int = 2) -> Rehearsal:
    return rehearsal.rehearse(config, home, never, steps)


# --- against the run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_it_expects_what_the_run_then_does(home: Path, tiny_config: Configured, optimizer: str) -> None:
    settings = {"accumulation_steps": 3, "optimizer": optimizer, "budget": "5 steps", "keep_checkpoints": 1}
    config = tiny_config(train=settings)
    result = rehearsed(config, home)
    log = list(train(config, home, "run"))
    [started], [prepared], [planned] = (of(log, kind) for kind in (RunStarted, DataPrepared, Planned))
    steps = of(log, StepDone)
    assert result.loss == pytest.approx(steps[0].loss, rel=1e-6)
    assert result.parameters == started.parameters
    assert result.train_tokens == prepared.train_tokens
    assert result.steps == result.plan.steps == planned.steps == len(steps) == 5
    assert result.config.tokens_per_step == steps[0].tokens == 3 * 4 * 32
    assert (result.threads, result.device) == (started.threads, started.device) == (1, "cpu")
    folder = checkpoint.find(open_run(home, "run"))
    files = sum((folder / name).stat().st_size for name in (checkpoint.MODEL, checkpoint.OPTIMIZER))
    assert result.disk_mb == pytest.approx(3 * files / 1e6, rel=0.05)  # one that is kept, the best, one being written


class Clock:
    """Time that passes only where the model computes: so much a window, and so much an update of the weights."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.window, self.update = 0.0, 0.0, 0.0
        self.rows: list[int] = []
        """Windows of each forward pass."""
        forward, step = Transformer.forward, Optimizer.step

        def slow_forward(model: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
            self.now += self.window * len(ids)
            self.rows.append(len(ids))
            return forward(model, ids, targets, noise)

        def slow_step(optimizer: Optimizer, gradients: Sequence[Tensor], *how: Any) -> None:
            self.now += self.update
            step(optimizer, gradients, *how)

        monkeypatch.setattr(rehearsal.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(Transformer, "forward", slow_forward)
        monkeypatch.setattr(Optimizer, "step", slow_step)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_speed_is_that_of_the_steps(home: Path, tiny_config: Configured, clock: Clock) -> None:
    """A whole step, a whole micro-batch, and a part of one give the same."""
    config = tiny_config(train={"batch_size": 8, "accumulation_steps": 2, "budget": "100 steps"})
    clock.update = 0.25
    weighing = [1, 2]
    for clock.window, rows in (
        (0.01, [*weighing, 1, 8, *[8, 8], *[8, 8]]),  # an untimed step and a timed one
        (0.1, [*weighing, 1, 8, 8, 8]),
        (0.3, [*weighing, 1, 8, 3, 3]),
        (0.7, [*weighing, 1, 8, 1, 1]),
        (5.0, [*weighing, 1, 1]),  # the first is long enough
    ):
        clock.rows.clear()
        result = rehearsed(config, home)
        assert result.step_seconds == pytest.approx(16 * clock.window + 0.25)
        assert result.tokens_per_second == pytest.approx(16 * 32 / result.step_seconds)
        assert clock.rows == rows


def test_stepping_ends_when_it_has_taken_long_enough(home: Path, tiny_config: Configured, clock: Clock) -> None:
    clock.window = 0.1
    rehearsed(tiny_config(train={"batch_size": 4}), home, steps=100)
    assert len(clock.rows[4:]) == 4  # 0.4 s each
    clock.rows.clear()
    rehearsed(tiny_config(train={"batch_size": 4}), home, steps=3)
    assert len(clock.rows[4:]) == 3


def test_what_a_forward_pass_keeps_grows_with_its_windows(home: Path, tiny_config: Configured) -> None:
    """Two small passes give exactly what the whole one takes."""
    config = tiny_config(train={"batch_size": 16})
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    batches = Batches(corpus.stream(next(iter(corpus.layout.groups)), 32), "chunked", 16, 1)
    model = Transformer(config.model, corpus.tokenizer.vocab_size, torch.Generator().manual_seed(1))
    stepper = Stepper(config, model, Optimizer(model, config.train), "fp32")
    stage = rehearsal.Stage(stepper, batches, lambda: None)
    needed, _ = stage.measure_memory(None)
    assert needed == pytest.approx(stage.activation_bytes(16), rel=1e-3)
    scores = 16 * 32 * corpus.tokenizer.vocab_size * 4
    kept = config.model.n_embd * 4 * 16 * 32  # one tensor of the width of the model
    assert 3 * scores + 5 * kept < needed < 3 * scores + 60 * kept


class WarmStep(GraphedStep):
    """A step as a CUDA graph that needs no warm-up; the capture is a stand-in."""

    is_warm = True


def test_on_cuda_steps_are_timed_as_the_run_takes_them(
    home: Path, tiny_config: Configured, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay takes a tenth of what launching its kernels one by one takes."""
    clock.window = 0.01

    def replayed_fast(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        def replay() -> Tensor:
            before = clock.now
            result = work()
            clock.now = before + 0.1 * (clock.now - before)
            return result

        return replay

    def capture(stepper: Stepper) -> None:
        stepper.graphed = WarmStep(stepper._graphed_work, stepper.device, replayed_fast)

    plain = rehearsed(tiny_config(), home)
    monkeypatch.setattr(scratch, "captures_steps", lambda *_: True)
    monkeypatch.setattr(Stepper, "capture", capture)
    captured = rehearsed(tiny_config(), home)
    assert captured.step_seconds == pytest.approx(0.1 * plain.step_seconds, rel=0.01)
    assert captured.loss == pytest.approx(plain.loss, rel=1e-6)


def test_memory_counts_weights_gradients_and_state(home: Path, tiny_config: Configured) -> None:
    small = rehearsed(tiny_config(), home)
    wide = rehearsed(tiny_config(model={"n_embd": 64}), home)
    large = rehearsed(tiny_config(train={"batch_size": 8}), home)
    frugal = rehearsed(tiny_config(train={"optimizer": "muon"}), home)
    assert small.memory_mb > 4 * 4 * small.parameters / 1e6
    assert wide.memory_mb - small.memory_mb > 4 * 4 * (wide.parameters - small.parameters) / 1e6
    assert large.memory_mb > small.memory_mb
    blocks = 32 * (2 + 2) * 16 + 32 * 32 + 12 * 32 * 32  # Muon remembers one number a weight there, AdamW two
    assert small.memory_mb - frugal.memory_mb == pytest.approx(4 * blocks / 1e6, rel=0.01)
    assert small.free_memory_mb is None or small.free_memory_mb > 10


def test_no_more_is_run_than_fits(
    home: Path, tiny_config: Configured, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(train={"batch_size": 64})
    clock.window = 0.001
    needed = rehearsed(config, home).memory_mb
    assert max(clock.rows) == 64
    clock.rows.clear()
    monkeypatch.setattr(memory, "free", lambda _: needed / 2 * 1e6)
    result = rehearsed(config, home)
    assert 1 < max(clock.rows) < 32
    assert result.memory_mb < needed / 2, "the run's passes are planned smaller"
    assert result.free_memory_mb == pytest.approx(needed / 2)


def test_a_model_larger_than_the_memory_is_refused(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda _: 24e9)
    with pytest.raises(ConfigError, match=r"71,747 million .* 1,148\.0 GB .* 24\.0 GB"):
        rehearsed(tiny_config(model={"n_embd": 8192, "n_layer": 89}), home)


# --- the length of the run -------------------------------------------------------------------------------------


def test_passes_are_the_budgets_epochs(home: Path, tiny_config: Configured) -> None:
    result = rehearsed(tiny_config(train={"budget": "7 epochs"}), home)
    assert result.epochs == pytest.approx(7, abs=0.02)
    assert result.steps == pytest.approx(7 * result.train_tokens / result.config.tokens_per_step, rel=0.01)
    early = rehearsed(tiny_config(train={"budget": "7 epochs", "stop_at": 10}), home)
    assert (early.steps, early.plan.steps) == (10, result.steps)
    assert early.epochs == pytest.approx(7 * 10 / result.steps, rel=0.01)


def test_a_time_is_filled(home: Path, tiny_config: Configured, clock: Clock) -> None:
    clock.window = 0.025
    auto = {"budget": "10m", "eval_interval": "auto", "sample_interval": "auto"}
    result = rehearsed(tiny_config(train=auto), home)
    assert result.step_seconds == pytest.approx(0.1)
    assert result.seconds == pytest.approx(600, abs=0.2)
    assert result.steps == result.plan.steps
    assert 5000 < result.steps < 6000  # the rest is for evaluations and samples
    half = rehearsed(tiny_config(train={**auto, "stop_at": result.steps // 2}), home)
    assert half.steps == result.steps // 2
    assert half.plan == result.plan
    assert half.seconds == pytest.approx(300, rel=0.05)
    often = rehearsed(tiny_config(train={**auto, "eval_interval": 2}), home)
    assert often.steps < result.steps / 1.5
    assert often.seconds == pytest.approx(600, abs=0.2)


def test_a_time_too_short_has_a_step_for_each_phase(home: Path, tiny_config: Configured, clock: Clock) -> None:
    clock.window = 1.0
    phases = [{"schedule": "constant", "share": 0.5}] * 2
    assert rehearsed(tiny_config(train={"phases": phases, "budget": "0.1s"}), home).steps == 2


def test_steps_take_their_time(home: Path, tiny_config: Configured, clock: Clock) -> None:
    clock.window = 0.025
    phases = [{"schedule": "constant", "steps": 300}, {"schedule": "wsd", "steps": 100}]
    config = tiny_config(train={"phases": phases, "eval_interval": 1000, "sample_interval": 1000})
    result = rehearsed(config, home)
    assert result.plan == schedule.plan(config.train.phases)
    assert result.steps == 400
    assert 40 < result.seconds < 42  # the evaluation at the end is there too


def test_texts_of_all_phases_are_passed_over(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Another text altogether. " * 500, encoding="utf-8")
    phase = {"schedule": "constant", "steps": 50}
    result = rehearsed(tiny_config(train={"phases": [phase, {**phase, "sources": [str(other)]}]}), home)
    corpus = Corpus(prepare.prepare(tiny_config(), home), torch.device("cpu"))
    assert result.train_tokens > corpus.train_tokens
    assert result.epochs < 100 * result.config.tokens_per_step / corpus.train_tokens


# --- what it leaves, and how it ends ---------------------------------------------------------------------------


def test_a_relative_path_is_prepared_once(
    home: Path, tiny_config: Configured, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_file.parent)
    config = tiny_config(data={"sources": [tiny_file.name]}, train={"budget": "2 steps"})
    rehearsed(config, home)
    list(train(config, home, "run"))
    assert len(list((home / "cache" / "texts").iterdir())) == 1


def test_threads_are_those_that_are_set_or_stay_as_they_are(home: Path, tiny_config: Configured) -> None:
    before = torch.get_num_threads()
    assert rehearsed(tiny_config(train={"threads": "auto"}), home).threads == before
    assert rehearsed(tiny_config(train={"threads": before + 1}), home).threads == before + 1


def test_it_can_be_cancelled_anywhere(home: Path, tiny_config: Configured) -> None:
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return False

    config = tiny_config(train={"accumulation_steps": 2, "threads": 2})
    before = torch.get_num_threads()
    rehearsal.rehearse(config, home, count, 2)
    assert asked >= 3 + 2 + 2 + 2  # between the parts, weighing, probing, and each of two steps
    for last in range(1, asked + 1):
        left = last

        def now() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        with pytest.raises(Cancelled):
            rehearsal.rehearse(config, home, now, 2)
        assert left == 0
    assert torch.get_num_threads() == before


def test_what_the_run_would_refuse_is_refused(home: Path, tiny_config: Configured) -> None:
    phases = [{"schedule": "constant", "steps": 2}] * 3
    with pytest.raises(ConfigError, match="3 phases"):
        rehearsed(tiny_config(train={"phases": phases, "budget": "2 steps"}), home)
    with pytest.raises(DataError, match="never met"):
        rehearsed(tiny_config(tokenizer={"kind": "char"}, sample={"prompt": "日"}), home)


def test_a_full_disk_is_reported(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare, "prepare", full)
    with pytest.raises(RunError, match="no room"):
        rehearsed(tiny_config(), home)


def test_the_first_loss_is_that_of_guessing(home: Path, tiny_config: Configured) -> None:
    result = rehearsed(tiny_config(), home)
    assert result.loss == pytest.approx(math.log(300), abs=0.5)
