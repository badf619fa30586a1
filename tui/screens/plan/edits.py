"""Changes to a plan: one setting, a phase more, another preset; what would mend a change that does not fit.

A plan is always valid: each function gives a new one that `tinylm.settings.validate` has passed, or raises ConfigError.
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
from tui.screens.plan import fields

MOST_PHASES = 9
MOST_HEADS = 128
"""As `ModelConfig` allows."""
NAMED = 3
"""Settings that a sentence names; more would be a list."""
DATA_KEPT = ("sources", "weights")
"""What a person chooses in Data, and no preset takes away."""


@dataclass(frozen=True)
class Repair:
    """What has to change together with a setting, so that the whole fits."""

    also: str
    """As the end of a sentence: `sets Key/value heads to 2`."""
    config: RunConfig


@dataclass(frozen=True)
class Difference:
    """A setting that is not as its preset has it."""

    key: str
    title: str
    theirs: str
    mine: str


# ---- one setting --------------------------------------------------------------------------------------------------


def change(config: RunConfig, key: str, value: Any, home: Path) -> RunConfig:
    """The plan with one setting changed; ConfigError where that does not fit with the others."""
    if key == "preset":
        return from_preset(config, value, home)
    if key == "train.phases" and isinstance(value, int):
        return _resized(config, value)
    if key.endswith(".share") and value is not None and config.train.phases[0].share is not None:
        return by_hand(config, _shared(config, int(key.split(".")[2]), value))
    return by_hand(config, _put(config, {key: value}))


def propose(config: RunConfig, key: str, value: Any) -> Repair | None:
    """What would make room for a value that does not fit alone; None where nothing simple does."""
    fit = config.train.fit and not resolve.is_fitted(key)
    for also, changes in _candidates(config, key, value):
        try:
            return Repair(also, _put(config, {"train.fit": fit, key: value, **changes}))
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
    """Key/value heads of which each serves about as many heads as now, where there are so many heads."""
    served = model.n_head / model.n_kv_head
    fitting = [number for number in range(1, MOST_HEADS + 1) if heads % number == 0]
    return min(fitting, key=lambda number: abs(math.log(heads / number / served)))


def _steps(phase: Phase, chosen: Phase, steps: int) -> int:
    """How long a phase is in steps where `chosen` is to have `steps`, so that their shares stay what they were."""
    return phase.steps or max(1, round(steps * (phase.share or 1) / (chosen.share or 1)))


def _all_shares(config: RunConfig, number: int, share: float) -> tuple[str, dict[str, Any]]:
    """Every phase as a share of the whole, this one with `share`."""
    phases = config.train.phases
    shares = _rest_shared([phase.share or float(phase.steps or 0) for phase in phases], number, share)
    changes: dict[str, Any] = {f"train.phases.{i}.share": part for i, part in enumerate(shares)}
    changes |= {f"train.phases.{i}.steps": None for i in range(len(phases))}
    if config.train.budget is None:
        total = sum(phase.steps or 0 for phase in phases)
        changes["train.budget"] = f"{total} steps"
    return "counts every phase as a share of the whole", changes


def _rest_shared(weights: list[float], number: int, share: float) -> list[float]:
    """One item's share given, the others share the rest as their weights say; exactly 1 in all."""
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
    return _put(config, {f"train.phases.{i}.share": part for i, part in enumerate(shares)})


def _put(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    table: resolve.Table = config.model_dump()
    for key, value in changes.items():
        table = resolve.put(table, key.split("."), value)
    return resolve.validate(table)


def along(before: RunConfig, after: RunConfig, key: str) -> str:
    """What else has another value since the setting `key` was changed, as a sentence; empty where nothing has.

    A preset and the number of phases are there to change others, and need no word.
    """
    others = [one for one in difference(after, before) if one.key != key]
    if not others or key in ("preset", "train.phases"):
        return ""
    named = ", ".join(f"{one.title} {one.mine} (was {one.theirs})" for one in others[:NAMED])
    return f"Set with it: {named}{' and more' if len(others) > NAMED else ''}."


# ---- what Fit chooses ---------------------------------------------------------------------------------------------


def by_hand(before: RunConfig, after: RunConfig) -> RunConfig:
    """`after`, with Fit off where one of its numbers is not what it was: whoever chooses one chooses them all."""
    if before.train.fit and after.train.fit and _numbers(before) != _numbers(after):
        return _put(after, {"train.fit": False})
    return after


def with_numbers(config: RunConfig, chosen: RunConfig) -> RunConfig:
    """The plan with the numbers that Fit chose for it, and nothing else: each phase keeps its texts as they stand."""
    numbers = _numbers(chosen)
    for own, phase in zip(config.train.phases, numbers["train"]["phases"], strict=True):
        phase["sources"] = own.sources  # a run's are absolute paths
    return resolve.with_values(config, **numbers)


def _numbers(config: RunConfig) -> dict[str, dict[str, Any]]:
    """All that Fit would choose, as this plan has it."""
    return config.model_dump(include={group: set(names) for group, names in FITTED.items()})


# ---- phases -------------------------------------------------------------------------------------------------------


def with_phase(config: RunConfig, after: int) -> RunConfig:
    """A copy of a phase put behind it; where phases are shares, both have half of what it had."""
    phases = list(config.train.phases)
    if len(phases) >= MOST_PHASES:
        raise ConfigError(f"There are {len(phases)} phases.", "A form with more is no help: write them as TOML (y).")
    old = phases[after]
    names = {phase.name for phase in phases}
    name = next(f"phase {i}" for i in range(2, MOST_PHASES + 2) if f"phase {i}" not in names)
    half = None if old.share is None else old.share / 2
    phases[after : after + 1] = [
        old.model_copy(update={"share": half}),
        old.model_copy(update={"share": half, "name": name}),
    ]
    return _phased(config, phases)


def without_phase(config: RunConfig, number: int) -> RunConfig:
    """One phase less; where phases are shares, the others take over what it had."""
    phases = [phase for i, phase in enumerate(config.train.phases) if i != number]
    if not phases:
        raise ConfigError("A training has at least one phase.", "Change this one instead.")
    whole = sum(phase.share or 0 for phase in phases)
    if whole:
        phases = [phase.model_copy(update={"share": (phase.share or 0) / whole}) for phase in phases]
    return _phased(config, phases)


def _phased(config: RunConfig, phases: Sequence[Phase]) -> RunConfig:
    """The plan with these phases instead."""
    table = [phase.model_dump() for phase in phases]
    return by_hand(config, resolve.with_values(config, train={"phases": table}))


def _resized(config: RunConfig, count: int) -> RunConfig:
    if not 1 <= count <= MOST_PHASES:
        raise ConfigError(f"{count} phases cannot be shown.", f"Choose 1 to {MOST_PHASES}.")
    while len(config.train.phases) < count:
        config = with_phase(config, len(config.train.phases) - 1)
    while len(config.train.phases) > count:
        config = without_phase(config, len(config.train.phases) - 1)
    return config


# ---- presets ------------------------------------------------------------------------------------------------------


def base_of(config: RunConfig, home: Path) -> RunConfig:
    """The preset that a plan started from, over the defaults; the defaults where it names none that is there."""
    try:
        return resolve.validate(resolve.read_preset(config.preset, home)) if config.preset else RunConfig()
    except TinyLMError:
        return RunConfig()


def from_preset(config: RunConfig, name: str, home: Path) -> RunConfig:
    """A preset over the defaults, with what the person chose apart from the recipe: the texts and the budget.

    Chosen is what differs from the preset that the plan started from. A budget that was taken away stays away only
    where the new preset can do without one.
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
    """One setting as the preset has it (its default in a phase that the preset lacks); the preset itself: all of it.

    The last of Fit's numbers that is the preset's again brings the preset's Fit back.
    """
    if field.kind == "preset":
        return from_preset(config, config.preset, home) if config.preset else RunConfig()
    if not differs(config, field, base):
        return config
    changed = _as_planned(config, field, base, home)
    if resolve.is_fitted(field.key) and _numbers(changed) == _numbers(base):
        return _put(changed, {"train.fit": base.train.fit})
    return changed


def _as_planned(config: RunConfig, field: fields.Field, base: RunConfig, home: Path) -> RunConfig:
    """One setting as the preset has it, and what has to go with it."""
    if field.kind == "phases":
        return _phased(config, base.train.phases)
    value = planned(base, field)
    try:
        return change(config, field.key, value, home)
    except ConfigError:
        fix = propose(config, field.key, value)
        if fix is None:
            raise
        return fix.config


def planned(base: RunConfig, field: fields.Field) -> Any:
    """What the preset says about a setting."""
    parts = field.key.split(".")
    if parts[:2] == ["train", "phases"] and len(parts) > 2 and int(parts[2]) >= len(base.train.phases):
        return field.default
    return fields.value_of(base, field.key)


def differs(config: RunConfig, field: fields.Field, base: RunConfig) -> bool:
    """Whether a setting is not as the preset has it; a list of phases differs by its length."""
    if field.key in ("preset", "format"):
        return False
    if field.kind == "phases":
        return len(config.train.phases) != len(base.train.phases)
    return bool(fields.value_of(config, field.key) != planned(base, field))


def difference(config: RunConfig, base: RunConfig) -> list[Difference]:
    """Every setting that is not as the preset has it."""
    found = []
    for field in fields.fields(config):
        if differs(config, field, base):
            mine, theirs = fields.value_of(config, field.key), planned(base, field)
            parts = field.key.split(".")
            title = f"Phase {int(parts[2]) + 1}: {field.title}" if ".phases." in field.key else field.title
            found.append(Difference(field.key, title, fields.shown(field, theirs), fields.shown(field, mine)))
    return found


def comment_of(path: Path) -> str:
    """The first sentence of the comment that a preset file begins with."""
    try:
        lines = files.read(path, resolve.MOST_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    said: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            break
        said.append(line.lstrip("# ").strip())
    text = " ".join(said)
    return text.partition(". ")[0].rstrip(".") + "." if text else ""


def is_ours(name: str) -> bool:
    """Whether a preset of that name came with the program."""
    return (paths.assets() / "presets" / f"{name}.toml").exists()


def name_fault(name: str) -> str | None:
    """Why a preset cannot have that name."""
    allowed = all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in name)
    if not name or not allowed or name.startswith(".") or len(name) > 64:
        return "A name has letters, digits, `.`, `_` and `-`, at most 64, and does not start with a dot."
    return f"{name} came with the program and stays as it is. Choose another name." if is_ours(name) else None


def save_preset(config: RunConfig, name: str, home: Path) -> RunConfig:
    """Write the plan to HOME/presets/NAME.toml, whole or not at all; the plan that then starts from it.

    The texts stay out: they are chosen in Data, and a recipe is for any text.
    """
    base = base_of(config, home)
    told = [f"{d.title} {d.mine}" for d in difference(config, base) if not d.key.startswith("data.")]
    as_what = f"As {config.preset or 'the defaults'}"
    comment = f"{as_what}, but {', '.join(told[:6])}{' and more' if len(told) > 6 else ''}." if told else f"{as_what}."
    comment = "".join(letter if letter.isprintable() else " " for letter in comment)
    saved = config.model_copy(update={"preset": name})
    table = saved.model_dump(exclude_none=True, mode="json", exclude={"data": set(DATA_KEPT)})
    folder = paths.user_presets(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.replace_durably(folder / f"{name}.toml", f"# {comment}\n\n{tomli_w.dumps(table)}".encode())
    except OSError as error:
        raise ConfigError(f"The preset cannot be written to {folder}: {error.strerror}.", "Make room there.") from None
    return saved
