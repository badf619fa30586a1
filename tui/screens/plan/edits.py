"""Changes to a plan: settings, phases, presets; and repairs for changes that do not fit with other settings.

A plan is always valid: each function returns a new one that has passed `resolve.validate`, or raises ConfigError.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from tinylm import files, paths
from tinylm.config import resolve
from tinylm.config.schema import FITTED, ModelConfig, Phase, RunConfig
from tinylm.errors import ConfigError, TinyLMError
from tinylm.planning import schedule
from tui.screens.plan import fields

MAX_PHASES = 9
MAX_HEADS = 128
"""The limit of `ModelConfig`."""
MAX_NAMED = 3
"""Settings that a sentence names at most."""
DATA_KEPT = ("sources", "weights")
"""Settings of the Data screen, which presets leave alone."""


@dataclass(frozen=True)
class Repair:
    """A plan in which another setting has changed along, so that all fit together."""

    also: str
    """The end of a sentence: `sets Key/value heads to 2`."""
    config: RunConfig


@dataclass(frozen=True)
class Difference:
    """A setting whose value differs from that of the preset."""

    key: str
    title: str
    theirs: str
    mine: str


# ---- one setting --------------------------------------------------------------------------------------------------


def change(config: RunConfig, key: str, value: Any, home: Path) -> RunConfig:
    """The plan with one setting changed; ConfigError if it does not fit with the others."""
    if key == "preset":
        return from_preset(config, value, home)
    if key == "train.phases" and isinstance(value, int):
        return _resized(config, value)
    if key.endswith(".share") and value is not None and config.train.phases[0].share is not None:
        return fit_off_if_changed(config, _shared(config, int(key.split(".")[2]), value))
    return fit_off_if_changed(config, _with_values(config, {key: value}))


def propose_repair(config: RunConfig, key: str, value: Any) -> Repair | None:
    """A repair for a value that does not fit alone; None if there is no simple one."""
    fit = config.train.fit and not resolve.is_fitted(key)
    for also, changes in _candidates(config, key, value):
        try:
            return Repair(also, _with_values(config, {"train.fit": fit, key: value, **changes}))
        except ConfigError:
            continue
    return None


def _candidates(config: RunConfig, key: str, value: Any) -> list[tuple[str, dict[str, Any]]]:
    model, phases = config.model, config.train.phases
    if key == "model.n_head" and isinstance(value, int) and value > 0:
        fitting = _sharing_alike(model, value)
        return [(f"sets Key/value heads to {fitting}", {"model.n_kv_head": fitting})]
    if key == "model.n_kv_head" and isinstance(value, int) and value > 0:
        fitting = math.ceil(model.n_head / value) * value
        return [(f"sets Heads to {fitting}", {"model.n_head": fitting})]
    if key == "model.head_size" and isinstance(value, int):
        return [(f"takes {value + 1}, which is even", {key: value + 1})]
    if key == "tokenizer.kind" and value == "bpe":
        return [("sets Vocabulary to 2,048", {"tokenizer.vocab_size": 2048})]
    if key == "tokenizer.vocab_size" and config.tokenizer.kind == "bpe" and isinstance(value, int):
        return [("takes 257, the smallest", {key: 257})]
    if key == "data.sources":
        return [("weighs all texts by their length", {"data.weights": None})]
    if key == "train.budget" and value is None:
        shares = {f"train.phases.{i}.share": None for i in range(len(phases))}
        steps = {f"train.phases.{i}.steps": max(1, round(1000 * (p.share or 1))) for i, p in enumerate(phases)}
        return [("gives the phases 1,000 steps together", {**shares, **steps})]
    if not key.startswith("train.phases."):
        return []
    number, name = int(key.split(".")[2]), key.split(".")[3]
    mine = f"train.phases.{number}."
    if name == "max_lr":
        lowest = "base_lr" if phases[number].schedule == "cyclic" else "min_lr"
        return [(f"lowers the {Phase.model_fields[lowest].title} to it", {mine + lowest: value})]
    if name in ("base_lr", "min_lr"):
        return [("raises the Top rate to it", {mine + "max_lr": value})]
    if name == "share" and value is not None:
        return [_all_shares(config, number, value)]
    if name == "steps" and value is not None:
        others = {f"train.phases.{i}.share": None for i in range(len(phases))}
        each = {f"train.phases.{i}.steps": _steps(p, phases[number], value) for i, p in enumerate(phases)}
        return [("counts every phase in steps", {**others, **each, key: value})]
    return []


def _sharing_alike(model: ModelConfig, heads: int) -> int:
    """The number of key/value heads that divides `heads` and keeps the heads per key/value head about the same."""
    served = model.n_head / model.n_kv_head
    fitting = [number for number in range(1, MAX_HEADS + 1) if heads % number == 0]
    return min(fitting, key=lambda number: abs(math.log(heads / number / served)))


def _steps(phase: Phase, chosen: Phase, steps: int) -> int:
    """Steps of a phase if `chosen` gets `steps` and all keep their shares."""
    return phase.steps or max(1, round(steps * (phase.share or 1) / (chosen.share or 1)))


def _all_shares(config: RunConfig, number: int, share: float) -> tuple[str, dict[str, Any]]:
    """Changes that make every phase a share of the whole, this one `share`."""
    phases = config.train.phases
    shares = _rest_shared([phase.share or float(phase.steps or 0) for phase in phases], number, share)
    changes: dict[str, Any] = {f"train.phases.{i}.share": part for i, part in enumerate(shares)}
    changes |= {f"train.phases.{i}.steps": None for i in range(len(phases))}
    if config.train.budget is None:
        changes["train.budget"] = f"{schedule.total_steps(config.train)} steps"
    return "counts every phase as a share of the whole", changes


def _rest_shared(weights: list[float], number: int, share: float) -> list[float]:
    """Shares with a sum of exactly 1: item `number` gets `share`, the others divide the rest by their weights."""
    rest = sum(weights) - weights[number]
    shares = [round((1 - share) * weight / rest, 6) if rest else 0.0 for weight in weights]
    shares[number] = share
    last = max((i for i in range(len(weights)) if i != number), default=None)
    if last is not None:
        shares[last] = round(shares[last] + 1 - sum(shares), 6)
    return shares


def _shared(config: RunConfig, number: int, share: float) -> RunConfig:
    if len(config.train.phases) == 1 and share != 1:
        raise ConfigError("A single phase is the whole.", "Add another one first: + does.")
    shares = _rest_shared([phase.share or 0.0 for phase in config.train.phases], number, share)
    return _with_values(config, {f"train.phases.{i}.share": part for i, part in enumerate(shares)})


def _with_values(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    table: resolve.Table = config.model_dump()
    for key, value in changes.items():
        table = resolve.put(table, key.split("."), value)
    return resolve.validate(table)


def side_effects(before: RunConfig, after: RunConfig, key: str) -> str:
    """A sentence about other settings that changed along with `key`; "" if none did.

    Also "" for preset and number of phases, which are meant to change others.
    """
    others = [other for other in difference(after, before) if other.key != key]
    if not others or key in ("preset", "train.phases"):
        return ""
    named = ", ".join(f"{other.title} {other.mine} (was {other.theirs})" for other in others[:MAX_NAMED])
    return f"Set with it: {named}{' and more' if len(others) > MAX_NAMED else ''}."


# ---- Fit ----------------------------------------------------------------------------------------------------------


def fit_off_if_changed(before: RunConfig, after: RunConfig) -> RunConfig:
    """`after`, with Fit turned off if one of the numbers that it chooses was changed by hand."""
    if before.train.fit and after.train.fit and _fitted_numbers(before) != _fitted_numbers(after):
        return _with_values(after, {"train.fit": False})
    return after


def with_fitted(config: RunConfig, chosen: RunConfig) -> RunConfig:
    """The plan with the numbers that Fit chose in `chosen`; each phase keeps its own sources."""
    numbers = _fitted_numbers(chosen)
    for own, phase in zip(config.train.phases, numbers["train"]["phases"], strict=True):
        phase["sources"] = own.sources  # those of a run are absolute paths
    return resolve.with_values(config, **numbers)


def _fitted_numbers(config: RunConfig) -> dict[str, dict[str, Any]]:
    """The values of all settings that Fit chooses."""
    return config.model_dump(include={group: set(names) for group, names in FITTED.items()})


# ---- phases -------------------------------------------------------------------------------------------------------


def with_phase(config: RunConfig, after: int) -> RunConfig:
    """The plan with a copy of a phase after it; if phases have shares, both get half of it."""
    phases = list(config.train.phases)
    if len(phases) >= MAX_PHASES:
        raise ConfigError(f"There are {len(phases)} phases.", "A form with more is no help: write them as TOML (y).")
    old = phases[after]
    names = {phase.name for phase in phases}
    name = next(f"phase {i}" for i in range(2, MAX_PHASES + 2) if f"phase {i}" not in names)
    half = None if old.share is None else old.share / 2
    phases[after : after + 1] = [
        old.model_copy(update={"share": half}),
        old.model_copy(update={"share": half, "name": name}),
    ]
    return _phased(config, phases)


def without_phase(config: RunConfig, number: int) -> RunConfig:
    """The plan without a phase; if phases have shares, the others take over its share."""
    phases = [phase for i, phase in enumerate(config.train.phases) if i != number]
    if not phases:
        raise ConfigError("A training has at least one phase.", "Change this one instead.")
    whole = sum(phase.share or 0 for phase in phases)
    if whole:
        phases = [phase.model_copy(update={"share": (phase.share or 0) / whole}) for phase in phases]
    return _phased(config, phases)


def _phased(config: RunConfig, phases: Sequence[Phase]) -> RunConfig:
    """The plan with other phases."""
    table = [phase.model_dump() for phase in phases]
    return fit_off_if_changed(config, resolve.with_values(config, train={"phases": table}))


def _resized(config: RunConfig, count: int) -> RunConfig:
    if not 1 <= count <= MAX_PHASES:
        raise ConfigError(f"{count} phases cannot be shown.", f"Choose 1 to {MAX_PHASES}.")
    while len(config.train.phases) < count:
        config = with_phase(config, len(config.train.phases) - 1)
    while len(config.train.phases) > count:
        config = without_phase(config, len(config.train.phases) - 1)
    return config


# ---- presets ------------------------------------------------------------------------------------------------------


def base_of(config: RunConfig, home: Path) -> RunConfig:
    """The preset that a plan started from; the defaults if it has none, or the preset is gone."""
    try:
        return resolve.validate(resolve.read_preset(config.preset, home)) if config.preset else RunConfig()
    except TinyLMError:
        return RunConfig()


def from_preset(config: RunConfig, name: str, home: Path) -> RunConfig:
    """Another preset, with the texts and the budget of this plan if they differ from its old preset.

    A budget that was removed stays removed only if the new preset is valid without one.
    """
    table, old = resolve.read_preset(name, home), base_of(config, home)
    mine, theirs = ({key: getattr(data, key) for key in DATA_KEPT} for data in (config.data, old.data))
    made = resolve.with_values(resolve.validate(table), data=mine if mine != theirs else {})
    if config.train.budget == old.train.budget:
        return made
    try:
        return resolve.with_values(made, train={"budget": config.train.budget})
    except ConfigError:
        return made


def reset(config: RunConfig, field: fields.Field, base: RunConfig, home: Path) -> RunConfig:
    """The plan with one setting reset to the preset; the field of the preset resets them all.

    Once all numbers that Fit chooses are those of the preset again, so is Fit.
    """
    if field.kind == "preset":
        return from_preset(config, config.preset, home) if config.preset else RunConfig()
    if not differs(config, field, base):
        return config
    changed = _as_in_preset(config, field, base, home)
    if resolve.is_fitted(field.key) and _fitted_numbers(changed) == _fitted_numbers(base):
        return _with_values(changed, {"train.fit": base.train.fit})
    return changed


def _as_in_preset(config: RunConfig, field: fields.Field, base: RunConfig, home: Path) -> RunConfig:
    """The plan with one setting as in the preset, and whatever has to change along."""
    if field.kind == "phases":
        return _phased(config, base.train.phases)
    value = preset_value(base, field)
    try:
        return change(config, field.key, value, home)
    except ConfigError:
        repair = propose_repair(config, field.key, value)
        if repair is None:
            raise
        return repair.config


def preset_value(base: RunConfig, field: fields.Field) -> Any:
    """The value of a setting in the preset; its default in a phase that the preset lacks."""
    parts = field.key.split(".")
    if parts[:2] == ["train", "phases"] and len(parts) > 2 and int(parts[2]) >= len(base.train.phases):
        return field.default
    return fields.value_of(base, field.key)


def differs(config: RunConfig, field: fields.Field, base: RunConfig) -> bool:
    """Whether a setting differs from the preset; the list of phases does if its length differs."""
    if field.key in ("preset", "format"):
        return False
    if field.kind == "phases":
        return len(config.train.phases) != len(base.train.phases)
    return bool(fields.value_of(config, field.key) != preset_value(base, field))


def difference(config: RunConfig, base: RunConfig) -> list[Difference]:
    """All settings that differ from the preset."""
    differences = []
    for field in fields.fields(config):
        if differs(config, field, base):
            mine, theirs = fields.value_of(config, field.key), preset_value(base, field)
            parts = field.key.split(".")
            title = f"Phase {int(parts[2]) + 1}: {field.title}" if ".phases." in field.key else field.title
            differences.append(
                Difference(field.key, title, fields.format_value(field, theirs), fields.format_value(field, mine))
            )
    return differences


def preset_summary(path: Path) -> str:
    """The first sentence of the comment at the top of a preset file."""
    try:
        lines = files.read(path, resolve.MOST_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    words: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            break
        words.append(line.lstrip("# ").strip())
    text = " ".join(words)
    return text.partition(". ")[0].rstrip(".") + "." if text else ""


def is_builtin(name: str) -> bool:
    """Whether a preset of this name comes with the program."""
    return (paths.assets() / "presets" / f"{name}.toml").exists()


def preset_name_fault(name: str) -> str | None:
    """Why a preset cannot have this name; None if it can."""
    if fault := paths.name_fault(name):
        return fault
    return f"{name} came with the program and stays as it is. Choose another name." if is_builtin(name) else None


def save_preset(config: RunConfig, name: str, home: Path) -> RunConfig:
    """Write the plan to HOME/presets/NAME.toml, atomically; returns the plan with that preset.

    Texts and their weights are left out, and what a run recorded: a preset is for any text and machine.
    """
    base = base_of(config, home)
    changes = [f"{d.title} {d.mine}" for d in difference(config, base) if not d.key.startswith("data.")]
    as_what = f"As {config.preset or 'the defaults'}"
    comment = (
        f"{as_what}, but {', '.join(changes[:6])}{' and more' if len(changes) > 6 else ''}."
        if changes
        else f"{as_what}."
    )
    comment = "".join(letter if letter.isprintable() else " " for letter in comment)
    saved = config.model_copy(update={"preset": name})
    table = saved.model_dump(exclude_none=True, mode="json", exclude={"data": set(DATA_KEPT), "repeat": True})
    folder = paths.user_presets(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.replace_durably(folder / f"{name}.toml", f"# {comment}\n\n{tomli_w.dumps(table)}".encode())
    except OSError as error:
        raise ConfigError(f"The preset cannot be written to {folder}: {error.strerror}.", "Mend that.") from None
    return saved
