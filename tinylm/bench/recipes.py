"""`--bench recipes`: which recipe learns most from a text in a given time, so that anyone can repeat what we claim.

Each recipe is trained on the same text with the same held-out part (that of the first recipe) and the same budget, each
seed by all recipes in turn before the next seed. Its figure is the bits per byte of the whole held-out text at the end
of the budget: bytes, so that vocabularies of different sizes can be compared. A budget in time counts everything from
the run's start on; one in epochs gives all recipes the same tokens; steps are each recipe's own. Every run is kept,
with the command, the commit and the machine, in a file of HOME/results: `assets/results` has those that our claims rest
on.

    tinylm-studio --bench recipes --data FILE --time 2m                      every preset
    tinylm-studio --bench recipes --data FILE --time 2m --preset quick,seed  these two
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from tinylm import __version__, files, paths
from tinylm.bench.rows import Row
from tinylm.config import flags, resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.errors import TinyLMError
from tinylm.events import DataPrepared, Finished
from tinylm.hardware import device
from tinylm.training import loop

SEEDS, LONG_SEEDS = 3, 2
"""How many seeds each recipe is trained with, and how many where the budget is five minutes or more."""

LONG = 300.0

BUDGET = "2m"
"""Where no flag gives one: presets have budgets of their own, and that of `seed` is days on a CPU."""

BASELINES = ("floor", "triples", "xz")
"""What a model is laid beside, of what a run knows about its held-out text."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """Train every recipe with several seeds, from `--seed` (or 1) on; the rows of each when its last run is over."""
    if not (options.time or options.steps or options.epochs):
        options.time = BUDGET
    names = options.preset.split(",") if options.preset else list(resolve.presets(home))
    recipes = {name: _configuration(options, home, name) for name in names}
    recipes = {name: _on_the_same_text(config, recipes[names[0]]) for name, config in recipes.items()}
    first = 1 if options.seed is None else options.seed
    ended: dict[str, list[Finished]] = {name: [] for name in names}
    known: dict[str, float] = {}
    runs: list[dict[str, object]] = []
    results = {**_circumstances(), "runs": runs, "baselines": known}
    kept = paths.results(home) / f"recipes-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder:
        place = Path(folder)
        (home / "cache").mkdir(parents=True, exist_ok=True)
        (place / "cache").symlink_to((home / "cache").absolute())  # what was compiled and measured before holds here
        seeds = range(first, first + _seeds(recipes.values()))
        for seed in seeds:
            for name, config in recipes.items():
                print(f"Training {name}, seed {seed} …", file=sys.stderr, flush=True)
                finished, baselines = _trained(resolve.with_values(config, train={"seed": seed}), place)
                ended[name].append(finished)
                known |= baselines
                told = {key: value for key, value in asdict(finished).items() if key not in ("reason", "checkpoint")}
                runs.append({"recipe": name, "seed": seed} | told)
                _keep(results, kept)
                if seed == seeds[-1]:
                    yield from _rows(name, ended[name], known.get("floor"))
    for baseline in BASELINES:
        if baseline in known:
            yield Row(f"recipes.baseline.{baseline}", known[baseline], "bits/byte")
    print(f"All runs are in {kept}.", file=sys.stderr)


def _circumstances() -> dict[str, object]:
    """What somebody needs to measure the same again."""
    return {
        "command": shlex.join(["tinylm-studio", *sys.argv[1:]]),
        "version": __version__,
        "commit": _commit(Path(__file__).parents[2]),
        "machine": device.machine_name(device.choose_device("auto")),
        "torch": str(torch.__version__),
        "utc": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    }


def _commit(checkout: Path) -> str | None:
    """The commit that a checkout is at; None where the program was installed from something else."""
    if not (checkout / ".git").exists():
        return None
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def _keep(results: dict[str, object], file: Path) -> None:
    """Write what there is so far, after each run: a benchmark of hours may be stopped."""
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace_durably(file, (json.dumps(results, indent=1) + "\n").encode())


def _on_the_same_text(config: RunConfig, first: RunConfig) -> RunConfig:
    """A recipe with what the first one holds out: presets differ in that, and figures of two texts say nothing."""
    split = first.data.model_dump(include={"val_fraction", "val_placement", "unwrap"})
    return resolve.with_values(config, data=split)


def _seeds(recipes: Iterable[RunConfig]) -> int:
    budgets = [Budget.parse(config.train.budget) for config in recipes if config.train.budget]
    return LONG_SEEDS if any(budget.kind == "time" and budget.amount >= LONG for budget in budgets) else SEEDS


def _configuration(options: Namespace, home: Path, name: str) -> RunConfig:
    return flags.configuration(Namespace(**{**vars(options), "preset": name}), home, None)


def _trained(config: RunConfig, home: Path) -> tuple[Finished, dict[str, float]]:
    """How a training ended, and the baselines of its held-out text; TinyLMError where there is nothing to compare."""
    finished, baselines = None, {}
    for event in loop.train(config, home):
        if isinstance(event, DataPrepared):
            baselines = event.baselines
        elif isinstance(event, Finished):
            finished = event
    assert finished is not None  # a training that fails raises
    if finished.val_bpb is None:
        raise TinyLMError("No text is held out, so there is nothing to compare.", "Give data.val_fraction above 0.")
    return finished, baselines


def _rows(name: str, runs: list[Finished], floor: float | None) -> Iterator[Row]:
    bpb = [run.val_bpb for run in runs if run.val_bpb is not None]
    best = [run.best_val_bpb for run in runs if run.best_val_bpb is not None]
    mean = statistics.fmean(bpb)
    yield Row(f"recipes.{name}", mean, "bits/byte", limit=floor, ratio=mean / floor if floor else None, runs=len(runs))
    yield Row(f"recipes.{name}.spread", max(bpb) - min(bpb), "bits/byte", runs=len(runs))
    yield Row(f"recipes.{name}.best", statistics.fmean(best), "bits/byte", runs=len(runs))
    yield Row(f"recipes.{name}.tokens", statistics.fmean(run.tokens for run in runs), "tokens", runs=len(runs))
    yield Row(f"recipes.{name}.seconds", statistics.fmean(run.seconds for run in runs), "s", runs=len(runs))
