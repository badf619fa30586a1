"""Command-line flags become a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinylm import paths
from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.errors import ConfigError


def configuration(options: argparse.Namespace, home: Path, own: RunConfig | None) -> RunConfig:
    """The configuration by precedence: flag, --set, --config, preset (or the run that is resumed), defaults.

    `own` is the configuration of the run that is resumed.
    """
    table: resolve.Table = RunConfig().model_dump()
    given = resolve.read_toml(paths.absolute(options.config)) if options.config else {}
    preset = options.preset
    if own is not None:
        table = own.model_dump()
    elif preset is None:
        # A configuration file may name the preset it is based on. One from a run folder is complete and does without.
        preset = given.get("preset") or "quick"
        preset = preset if preset in resolve.presets(home) or "format" not in given else None
    if preset is not None:
        table = resolve.merge(table, resolve.read_preset(str(preset), home))
    table = resolve.merge(table, given)
    if _ends_fit(options, given):
        table = resolve.put(table, ["train", "fit"], False)  # choosing one of them by hand means choosing all
    if options.preset:
        table = resolve.put(table, ["preset"], options.preset)
    if options.data:  # weights belong to the texts they were set for
        table = resolve.put(table, ["data", "weights"], None)
    for assignment in options.set:
        table = resolve.assign(table, assignment)
    flags: dict[str, object] = {
        "train.device": options.device,
        "train.seed": options.seed,
        "train.budget": _budget(options),
        "data.sources": options.data,
    }
    for name, value in flags.items():
        if value is not None:
            table = resolve.put(table, name.split("."), value)
    config = resolve.validate(table)
    return resolve.resumed(own, config) if own is not None else config


def note_on_fit(options: argparse.Namespace, home: Path, config: RunConfig) -> str | None:
    """Says that a setting chosen by hand ended the fit of the configuration's preset; None where it did not."""
    given = resolve.read_toml(paths.absolute(options.config)) if options.config else {}
    name = _ends_fit(options, given)
    timed = config.train.budget is not None and Budget.parse(config.train.budget).kind == "time"
    if name is None or not timed or config.preset not in resolve.presets(home):
        return None
    if not resolve.read_preset(config.preset, home).get("train", {}).get("fit"):
        return None
    return f"{name} is set by hand, so the sizes and rates are the preset's own, not fitted to text, time and machine."


def _ends_fit(options: argparse.Namespace, given: resolve.Table) -> str | None:
    """The setting by which `train.fit` ends without being named: one that it would choose, by --set or in a file."""
    chosen = [name for name, _ in resolve.by_dotted_name(given)]
    chosen += [assignment.partition("=")[0].strip() for assignment in options.set]
    return None if "train.fit" in chosen else next(filter(resolve.is_fitted, chosen), None)


def _budget(options: argparse.Namespace) -> str | None:
    """The budget from --time, --steps or --epochs; ConfigError names the flag where it is invalid."""
    for flag, value, unit in (
        ("time", options.time, ""),
        ("steps", options.steps, " steps"),
        ("epochs", options.epochs, " epochs"),
    ):
        if value is None:
            continue
        try:
            Budget.parse(f"{value}{unit}")
        except ValueError as error:
            raise ConfigError(
                f"--{flag} {value} is no length: {error}.", "Write --time 2m, --steps 500 or --epochs 3."
            ) from None
        return f"{value}{unit}"
    return None
