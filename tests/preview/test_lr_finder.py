"""The learning-rate finder: its sweep against the run's own steps, where it ends, what it leaves behind."""

import math
from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.trainings import Configured, of
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Corpus
from tinylm.events import LrFound, LrTried, from_json, to_json
from tinylm.planning import lr_range
from tinylm.preview import lr_finder
from tinylm.preview.scratch import Cancelled
from tinylm.training import build
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper


def sweep(config: RunConfig, home: Path) -> tuple[list[LrTried], LrFound]:
    *tried, result = lr_finder.find(config, home)
    assert isinstance(result, LrFound)
    return of(tried, LrTried), result


# ---- the sweep ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_valley_is_found_on_the_way_up(home: Path, tiny_config: Configured, optimizer: str) -> None:
    tried, result = sweep(tiny_config(train={"optimizer": optimizer}), home)
    assert result.rates == tuple(event.rate for event in tried)
    assert result.losses == tuple(event.loss for event in tried)
    assert [event.step for event in tried] == list(range(1, len(tried) + 1))
    assert result.rates[0] == 1e-5
    assert result.losses[0] == pytest.approx(math.log(300), abs=0.5)
    assert result.suggestion is not None
    assert 1e-4 < result.suggestion < result.rates[result.losses.index(min(result.losses))]
    assert from_json(to_json(result)) == result


def test_the_steps_are_the_runs_own(home: Path, tiny_config: Configured) -> None:
    """The first batches, the first weights, the run's clip and optimizer: the same by hand, unsmoothed."""
    config = tiny_config(model={"dropout": 0.1}, train={"grad_clip": 0.05, "accumulation_steps": 2})
    smoothed = [event.loss for event in of(islice(lr_finder.find(config, home), 8), LrTried)]
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    batches = build.batches_of(config, corpus)[0]
    model = build.initial_model(config, corpus)
    stepper = Stepper(config, model, Optimizer(model, config.train), "fp32")
    losses = [stepper.take(i + 1, lr_range.sweep_rates()[i], 0.1, *batches.draw(i)).tolist()[0] for i in range(8)]
    for i, loss in enumerate(smoothed):
        weights = [lr_finder.SMOOTHING ** (i - j) for j in range(i + 1)]
        mean = sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights)
        assert loss == pytest.approx(mean, abs=1e-4)


def test_it_ends_where_the_loss_diverges_and_suggests_less(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Stepper.take

    def breaking(self: Stepper, step: int, rate: float, decay: float, *batch: torch.Tensor) -> torch.Tensor:
        metrics = take(self, step, rate, decay, *batch)
        if rate > 1e-2:
            metrics[0] += 300 * (rate - 1e-2)  # nats: a loss that runs away
        return metrics

    monkeypatch.setattr(Stepper, "take", breaking)
    _, result = sweep(tiny_config(), home)
    assert result.diverged_at is not None
    assert 1e-2 < result.diverged_at < 0.1
    assert result.rates[-1] == result.diverged_at
    assert result.suggestion is not None
    assert result.suggestion < 1e-2


def test_a_loss_that_is_no_number_ends_it(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Stepper.take

    def breaking(self: Stepper, step: int, rate: float, decay: float, *batch: torch.Tensor) -> torch.Tensor:
        return take(self, step, rate, decay, *batch) * (math.nan if step == 50 else 1)

    monkeypatch.setattr(Stepper, "take", breaking)
    tried, result = sweep(tiny_config(), home)
    assert len(tried) == 49
    assert result.diverged_at == lr_range.sweep_rates()[49]
    assert result.suggestion is not None
    assert result.suggestion < result.diverged_at


def test_the_same_seed_gives_the_same_sweep(home: Path, tiny_config: Configured) -> None:
    config = tiny_config(model={"dropout": 0.1})
    first = sweep(config, home)
    torch.manual_seed(99)
    assert sweep(config, home) == first
    assert sweep(tiny_config(model={"dropout": 0.1}, train={"seed": 2}), home) != first


def test_a_sweep_without_time_suggests_nothing(home: Path, tiny_config: Configured) -> None:
    tried, result = list(lr_finder.find(tiny_config(), home, limit=0.0))
    assert isinstance(tried, LrTried)
    assert result == LrFound(0, (tried.rate,), (tried.loss,), None, None)


def test_of_large_steps_a_part_is_taken(tiny_config: Configured) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert lr_finder.sequences_per_step(tiny_config(train={"accumulation_steps": 3}), cpu) == 12
    large = tiny_config(train={"batch_size": 500})
    assert lr_finder.sequences_per_step(large, cpu) == lr_finder.STEP_TOKENS // 32
    assert lr_finder.sequences_per_step(large, gpu) == 500
    assert lr_finder.sequences_per_step(tiny_config(model={"block_size": 4096}), cpu) == 1


# ---- what it leaves, and how it ends ------------------------------------------------------------------------------


def test_it_is_cancelled_at_the_next_step(home: Path, tiny_config: Configured) -> None:
    done: list[LrTried | LrFound] = []
    before = torch.get_num_threads()
    sweep = lr_finder.find(tiny_config(train={"threads": before + 1}), home, lambda: len(done) == 3)
    with pytest.raises(Cancelled):
        done.extend(sweep)
    assert len(done) == 3
    assert torch.get_num_threads() == before
