"""The learning-rate finder: its sweep against the run's own steps, where it ends, what it leaves behind."""

import json
import math
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import pytest
import torch

from tests.command_line import TINY, call
from tinylm.bench import benchmarks, lr
from tinylm.cli import main
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Corpus
from tinylm.errors import DataError
from tinylm.events import LrFound, LrTried, from_json, to_json
from tinylm.planning import lr_range
from tinylm.preview import lr_finder
from tinylm.preview.scratch import Cancelled
from tinylm.training import build
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

Configured = Callable[..., RunConfig]


def sweep(config: RunConfig, home: Path) -> tuple[list[LrTried], LrFound]:
    *tried, found = lr_finder.find(config, home)
    assert isinstance(found, LrFound)
    return [event for event in tried if isinstance(event, LrTried)], found


# ---- the sweep ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_valley_is_found_on_the_way_up(home: Path, tiny_config: Configured, optimizer: str) -> None:
    tried, found = sweep(tiny_config(train={"optimizer": optimizer}), home)
    assert found.rates == tuple(event.rate for event in tried)
    assert found.losses == tuple(event.loss for event in tried)
    assert [event.step for event in tried] == list(range(1, len(tried) + 1))
    assert found.rates[0] == 1e-5
    assert found.losses[0] == pytest.approx(math.log(300), abs=0.5)
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < found.rates[found.losses.index(min(found.losses))]
    assert from_json(to_json(found)) == found


def test_the_steps_are_the_runs_own(home: Path, tiny_config: Configured) -> None:
    """The first batches, the first weights, the run's clip and optimizer: the same by hand, unsmoothed."""
    config = tiny_config(model={"dropout": 0.1}, train={"grad_clip": 0.05, "accumulation_steps": 2})
    told = [event.loss for event in islice(lr_finder.find(config, home), 8) if isinstance(event, LrTried)]
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    batches = build.batches_of(config, corpus)[0]
    model = build.initial_model(config, corpus)
    stepper = Stepper(config, model, Optimizer(model, config.train), "fp32")
    losses = [stepper.take(i + 1, lr_range.sweep_rates()[i], 0.1, *batches.draw(i)).tolist()[0] for i in range(8)]
    for i, loss in enumerate(told):
        weights = [lr_finder.SMOOTHING ** (i - j) for j in range(i + 1)]
        mean = sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights)
        assert loss == pytest.approx(mean, abs=1e-4)


def test_it_ends_where_the_loss_diverges_and_suggests_less(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Stepper.take

    def breaking(self: Stepper, step: int, rate: float, decay: float, *batch: torch.Tensor) -> torch.Tensor:
        told = take(self, step, rate, decay, *batch)
        if rate > 1e-2:
            told[0] += 300 * (rate - 1e-2)  # nats: a loss that runs away
        return told

    monkeypatch.setattr(Stepper, "take", breaking)
    _, found = sweep(tiny_config(), home)
    assert found.diverged_at is not None
    assert 1e-2 < found.diverged_at < 0.1
    assert found.rates[-1] == found.diverged_at
    assert found.suggestion is not None
    assert found.suggestion < 1e-2


def test_a_loss_that_is_no_number_ends_it(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Stepper.take

    def breaking(self: Stepper, step: int, rate: float, decay: float, *batch: torch.Tensor) -> torch.Tensor:
        return take(self, step, rate, decay, *batch) * (math.nan if step == 50 else 1)

    monkeypatch.setattr(Stepper, "take", breaking)
    tried, found = sweep(tiny_config(), home)
    assert len(tried) == 49
    assert found.diverged_at == lr_range.sweep_rates()[49]
    assert found.suggestion is not None
    assert found.suggestion < found.diverged_at


def test_the_same_seed_gives_the_same_sweep(home: Path, tiny_config: Configured) -> None:
    config = tiny_config(model={"dropout": 0.1})
    first = sweep(config, home)
    torch.manual_seed(99)
    assert sweep(config, home) == first
    assert sweep(tiny_config(model={"dropout": 0.1}, train={"seed": 2}), home) != first


def test_a_sweep_without_time_suggests_nothing(home: Path, tiny_config: Configured) -> None:
    tried, found = list(lr_finder.find(tiny_config(), home, limit=0.0))
    assert isinstance(tried, LrTried)
    assert found == LrFound(0, (tried.rate,), (tried.loss,), None, None)


def test_of_large_steps_a_part_is_taken(tiny_config: Configured) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert lr_finder.sequences_per_step(tiny_config(train={"accumulation_steps": 3}), cpu) == 12
    large = tiny_config(train={"batch_size": 500})
    assert lr_finder.sequences_per_step(large, cpu) == lr_finder.STEP_TOKENS // 32
    assert lr_finder.sequences_per_step(large, gpu) == 500
    assert lr_finder.sequences_per_step(tiny_config(model={"block_size": 4096}), cpu) == 1


# ---- what it leaves, and how it ends ------------------------------------------------------------------------------


def test_nothing_is_left_but_the_cache(home: Path, tiny_config: Configured) -> None:
    config = tiny_config(model={"dropout": 0.1}, train={"threads": 2})
    before = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert len(list(lr_finder.find(config, home, limit=0.0))) == 2
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == before
    assert [path.name for path in home.iterdir()] == ["cache"]
    [folder] = (home / "cache" / "texts").iterdir()
    assert prepare.prepare(config, home) == folder  # the run finds it


def test_it_is_called_off_at_the_next_step(home: Path, tiny_config: Configured) -> None:
    done: list[LrTried | LrFound] = []
    before = torch.get_num_threads()
    sweep = lr_finder.find(tiny_config(train={"threads": before + 1}), home, lambda: len(done) == 3)
    with pytest.raises(Cancelled):
        done.extend(sweep)
    assert len(done) == 3
    assert torch.get_num_threads() == before
    with pytest.raises(Cancelled):
        next(lr_finder.find(tiny_config(), home / "untouched", lambda: True))
    assert not (home / "untouched").exists()


def test_what_the_run_would_refuse_is_refused(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("too short to train on", encoding="utf-8")
    with pytest.raises(DataError, match="too short"):
        sweep(tiny_config(data={"sources": [str(short)]}), home)


# ---- the rules ----------------------------------------------------------------------------------------------------


def test_the_rates_go_from_the_lowest_to_the_highest_evenly() -> None:
    rates = lr_range.sweep_rates()
    assert (rates[0], rates[-1], len(rates)) == (lr_range.LOWEST, lr_range.HIGHEST, lr_range.STEPS)
    ratios = [after / before for before, after in pairwise(rates)]
    assert max(ratios) == pytest.approx(min(ratios), rel=0.01)


def test_a_steep_fall_is_told_from_a_flat_bottom_and_noise_moves_nothing() -> None:
    rates = lr_range.sweep_rates()
    losses = [7.6 - 3 / (1 + (4e-3 / rate) ** 2) for rate in rates]
    half_way = 4e-3
    assert lr_range.suggestion(rates, losses) == pytest.approx(5 * half_way, rel=0.2)
    bumpy = [loss + 0.02 * (-1) ** i for i, loss in enumerate(losses)]
    assert lr_range.suggestion(rates, bumpy) == lr_range.suggestion(rates, losses)


def test_a_suggestion_keeps_away_from_where_the_loss_turns() -> None:
    rates = lr_range.sweep_rates()
    turning = [7.6 - 3 / (1 + (4e-3 / rate) ** 2) + max(0.0, 9 * math.log10(rate / 8e-3)) for rate in rates]
    bottom = rates[turning.index(min(turning))]
    assert lr_range.suggestion(rates, turning) == pytest.approx(bottom / 2, rel=0.05)


@pytest.mark.parametrize("losses", [[], [7.6], [7.6, 7.7, 7.9], [7.6, 7.5, 7.4, 9.0]])
def test_without_a_fall_there_is_nothing_to_suggest(losses: list[float]) -> None:
    assert lr_range.suggestion(lr_range.sweep_rates()[: len(losses)], losses) is None


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([7.6], False),
        ([7.6, 7.65, 7.9], False),  # by chance
        ([7.6, 7.6, 8.5], True),
        ([7.6, 5.0, 4.0, 5.7], False),  # less than half of what was gained
        ([7.6, 5.0, 4.0, 5.9], True),
    ],
)
def test_a_loss_diverges_where_it_gives_back_what_it_gained(losses: list[float], over: bool) -> None:
    assert lr_range.diverged(losses) is over


# ---- --bench lr ---------------------------------------------------------------------------------------------------


def test_the_benchmark_tells_the_valley_and_the_suggestion(home: Path, tiny_file: Path) -> None:
    said = call("--bench", "lr", "--data", tiny_file, *TINY, "--seed", "3", "--device", "cpu", "--json", "--home", home)
    assert said.code == 0
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["name"] for row in rows[:2]] == ["lr.loss.1.00e-05", "lr.loss.1.17e-05"]
    assert rows[0]["unit"] == "nats"
    assert rows[-1]["name"] == "lr.suggestion"
    assert 1e-5 < rows[-1]["value"] < 1e-1
    assert [path.name for path in home.iterdir()] == ["cache"]
    other = call("--bench", "lr", "--data", tiny_file, *TINY, "--seed", "4", "--home", home)
    assert other.out.splitlines()[0].split()[:3:2] == ["lr.loss.1.00e-05", "nats"]
    told = [line.split()[1] for line in other.out.splitlines()]
    assert told != [f"{row['value']:.3g}" for row in rows], "another seed has other losses"


def test_the_benchmark_says_what_is_wrong_in_a_sentence(home: Path) -> None:
    said = call("--bench", "lr", "--data", home / "nothing.txt", *TINY, "--home", home)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert "lr" in benchmarks.BENCHMARKS


def test_where_there_is_no_valley_there_is_no_suggestion(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = LrFound(0, (1e-5, 1e-2), (7.5, 9.0), None, 1e-2)
    monkeypatch.setattr(lr_finder, "find", lambda *_, **__: iter([LrTried(1, 1e-5, 7.5), told]))
    rows = list(lr.measure(main.parser().parse_args(["--bench", "lr", *TINY]), home))
    assert [row.name for row in rows] == ["lr.loss.1.00e-05", "lr.diverged_at"]
