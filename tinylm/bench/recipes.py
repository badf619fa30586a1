"""`--bench recipes`: which recipe learns most from a text in a given time.

All recipes are trained on the same text with the same held-out part (that of the first recipe) and budget; all take
their turn with a seed before the next seed. The result is bits per byte of the whole held-out text at the end of the
budget: per byte, so that vocabularies of different sizes can be compared. A budget in time counts from the start of the
run; in epochs all recipes see the same tokens; a step is each recipe's own. Every run is recorded, with the command,
the commit and the machine, in a file of HOME/results; `assets/results` has those that our claims rest on.

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
"""Seeds for each recipe, and seeds if the budget is five minutes (LONG) or more."""

LONG = 300.0

BUDGET = "2m"
"""The default. Presets have budgets of their own, but that of `seed` is days on a CPU."""

BASELINES = ("floor", "triples", "xz")
"""The baselines that are reported, of those that a run measures on its held-out text."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """Train every recipe with several seeds from `--seed` (or 1) on; yields its rows after its last run."""
    if not (options.time or options.steps or options.epochs):
        options.time = BUDGET
    names = options.preset.split(",") if options.preset else list(resolve.presets(home))
    recipes = {name: _configuration(options, home, name) for name in names}
    recipes = {name: _on_the_same_text(config, recipes[names[0]]) for name, config in recipes.items()}
    first = 1 if options.seed is None else options.seed
    finished_runs: dict[str, list[Finished]] = {name: [] for name in names}
    baselines: dict[str, float] = {}
    runs: list[dict[str, object]] = []
    results = {**_circumstances(), "runs": runs, "baselines": baselines}
    results_file = paths.results(home) / f"recipes-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder:
        runs_home = Path(folder)
        (home / "cache").mkdir(parents=True, exist_ok=True)
        (runs_home / "cache").symlink_to((home / "cache").absolute())  # share compiled code and measurements
        seeds = range(first, first + seed_count(recipes.values()))
        for seed in seeds:
            for name, config in recipes.items():
                print(f"Training {name}, seed {seed} …", file=sys.stderr, flush=True)
                finished, measured = _trained(resolve.with_values(config, train={"seed": seed}), runs_home)
                finished_runs[name].append(finished)
                baselines |= measured
                figures = {key: value for key, value in asdict(finished).items() if key not in ("reason", "checkpoint")}
                runs.append({"recipe": name, "seed": seed} | figures)
                _keep(results, results_file)
                if seed == seeds[-1]:
                    yield from _rows(name, finished_runs[name], baselines.get("floor"))
    for baseline in BASELINES:
        if baseline in baselines:
            yield Row(f"recipes.baseline.{baseline}", baselines[baseline], "bits/byte")
    print(f"All runs are in {results_file}.", file=sys.stderr)


def _circumstances() -> dict[str, object]:
    """What one needs to repeat the measurement."""
    return {
        "command": shlex.join(["tinylm-studio", *sys.argv[1:]]),
        "version": __version__,
        "commit": _commit(Path(__file__).parents[2]),
        "machine": device.machine_name(device.choose_device("auto")),
        "torch": str(torch.__version__),
        "utc": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    }


def _commit(checkout: Path) -> str | None:
    """The commit of a checkout; None if the program was not installed from one."""
    if not (checkout / ".git").exists():
        return None
    try:
        result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _keep(results: dict[str, object], file: Path) -> None:
    """Write the results so far: a benchmark of hours may be stopped."""
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace_durably(file, (json.dumps(results, indent=1) + "\n").encode())


def _on_the_same_text(config: RunConfig, first: RunConfig) -> RunConfig:
    """The recipe with the held-out part of the first one: figures on different texts cannot be compared."""
    split = first.data.model_dump(include={"val_fraction", "val_placement", "encoding", "unwrap", "split"})
    return resolve.with_values(config, data=split)


def seed_count(recipes: Iterable[RunConfig]) -> int:
    """How many seeds each recipe is trained with."""
    budgets = [Budget.parse(config.train.budget) for config in recipes if config.train.budget]
    return LONG_SEEDS if any(budget.kind == "time" and budget.amount >= LONG for budget in budgets) else SEEDS


def _configuration(options: Namespace, home: Path, name: str) -> RunConfig:
    return flags.configuration(Namespace(**{**vars(options), "preset": name}), home, None)


def _trained(config: RunConfig, home: Path) -> tuple[Finished, dict[str, float]]:
    """The end of a training and the baselines of its held-out text; TinyLMError if no text is held out."""
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
