"""`--bench recipes`: every recipe on the same text, seeds in turn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import call
from tinylm.bench import recipes
from tinylm.config.schema import RunConfig

SMALL = """
[tokenizer]
kind = "byte"

[model]
n_layer = 1
n_head = 2
n_kv_head = 2
n_embd = 16
head_size = 8
block_size = 32

[train]
budget = "20 steps"
batch_size = 4
precision = "fp32"  # of what is measured, another may win each time
threads = 1
compile = "off"

[[train.phases]]
share = 1.0
max_lr = {lr}
"""


@pytest.fixture
def two(home: Path) -> Path:
    """A home with two presets that differ in their rates."""
    (home / "presets").mkdir(parents=True)
    for name, lr in [("lively", "1e-2"), ("idle", "1e-9")]:
        (home / "presets" / f"{name}.toml").write_text(SMALL.format(lr=lr), encoding="utf-8")
    return home


def measured(home: Path, *arguments: object) -> dict[str, dict[str, Any]]:
    """The rows of the benchmark by name."""
    result = call("--bench", "recipes", "--home", home, "--json", *arguments)
    assert result.code == 0, result.err
    return {row["name"]: row for row in map(json.loads, result.out.splitlines())}


def test_a_recipe_that_learns_beats_one_that_does_not(
    two: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "SEEDS", 2)
    rows = measured(two, "--preset", "lively,idle", "--data", tiny_file, "--steps", 20)
    assert rows["recipes.lively"]["value"] < rows["recipes.idle"]["value"] - 0.1
    assert rows["recipes.lively"]["runs"] == 2
    assert rows["recipes.idle.tokens"]["value"] == 20 * 4 * 32
    assert 7 < rows["recipes.idle"]["value"] < 9, "a byte costs 8 bits where nothing is known"
    assert 0 < rows["recipes.idle.spread"]["value"] < 0.2, "seeds differ, and only a little"
    assert rows["recipes.baseline.xz"]["unit"] == "bits/byte"
    assert not (two / "runs").exists(), "the runs of a benchmark are no runs of the user's"

    (file,) = (two / "results").iterdir()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert [(run["recipe"], run["seed"]) for run in kept["runs"]] == [
        ("lively", 1), ("idle", 1), ("lively", 2), ("idle", 2)
    ]  # fmt: skip
    mean = sum(run["val_bpb"] for run in kept["runs"] if run["recipe"] == "lively") / 2
    assert mean == pytest.approx(rows["recipes.lively"]["value"])
    assert kept["baselines"]["xz"] == rows["recipes.baseline.xz"]["value"]
    assert {"command", "commit", "machine", "torch", "version", "utc"} < kept.keys()


def test_without_held_out_text_there_is_nothing_to_compare(two: Path, tiny_file: Path) -> None:
    arguments = ["--bench", "recipes", "--preset", "lively", "--data", tiny_file, "--home", two]
    result = call(*arguments, "--steps", 20, "--set", "data.val_fraction=0")
    assert result.code == 2
    assert "data.val_fraction" in result.err


@pytest.mark.usefixtures("fake_time")
def test_without_a_budget_no_preset_takes_its_own(two: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "SEEDS", 1)
    monkeypatch.setattr(recipes, "BUDGET", "1s")
    rows = measured(two, "--preset", "lively", "--data", tiny_file)
    assert 0 < rows["recipes.lively.seconds"]["value"] < 1.05
    assert rows["recipes.lively.tokens"]["value"] != 20 * 4 * 32, "the preset's own 20 steps"


def test_recipes_that_hold_out_other_parts_are_measured_on_that_of_the_first(
    two: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "SEEDS", 1)
    for name, share in (("a third", 0.3), ("a tenth", 0.1)):
        data = f'\n[data]\nval_fraction = {share}\nval_placement = "tail"\n'
        (two / "presets" / f"{name}.toml").write_text(SMALL.format(lr="1e-3") + data, encoding="utf-8")
    alone, first, second = (
        measured(two, "--preset", names, "--data", tiny_file, "--steps", 2)["recipes.a tenth"]["value"]
        for names in ("a tenth", "a tenth,a third", "a third,a tenth")
    )
    assert alone == first != second


@pytest.mark.parametrize(("budget", "seeds"), [("4m", 3), ("5m", 2), ("1h", 2), ("9000 steps", 3), ("100 epochs", 3)])
def test_long_runs_are_made_with_fewer_seeds(tiny_config: Callable[..., RunConfig], budget: str, seeds: int) -> None:
    assert recipes.seed_count([tiny_config(train={"budget": budget, "phases": [{"share": 1.0}]})]) == seeds


@pytest.mark.parametrize("names", ["nothing", "lively,", ","])
def test_a_recipe_that_is_not_there_is_refused(two: Path, names: str) -> None:
    result = call("--bench", "recipes", "--preset", names, "--home", two)
    assert result.code == 2
    assert "preset" in result.err
