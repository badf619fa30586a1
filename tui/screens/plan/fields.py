"""The settings as form fields: their order and labels, and how values are formatted and parsed.

Made from the declarations in `tinylm.config.schema` by `resolve.settings()`. No widgets.
"""

from __future__ import annotations

import math
import re
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.planning import sizing

Kind = Literal["integer", "number", "choice", "switch", "text", "texts", "numbers", "budget", "preset", "phases"]

QUESTION = "How long do you have?"

ESSENTIAL = (
    "preset", "train.fit", "model.n_layer", "model.n_embd", "model.block_size", "train.batch_size", "train.phases",
    "train.phases.N.max_lr", "train.optimizer", "model.dropout", "tokenizer.kind", "tokenizer.vocab_size",
)  # fmt: skip
"""The settings that most people change, in this order; all others follow by group."""

LABELS = {"tokenizer.kind": "Tokenizer"}
"""Labels for titles that are unclear outside their group."""

GROUPS = {"model": "Model", "tokenizer": "Tokenizer", "data": "Data", "train": "Training", "sample": "Sampling"}

_EMPTY = {
    "train.budget": "set by phases", "train.phases.N.sources": "as in Data", "sample.prompt": "a new text",
    "train.phases.N.share": "-", "train.phases.N.steps": "-", "preset": "none",
}  # fmt: skip
"""What is shown for an empty value, if not `off`."""

_RATES = ("max_lr", "min_lr", "base_lr")
"""The settings of a phase that Fit chooses."""


@dataclass(frozen=True)
class Field:
    """A setting as a field of the form."""

    key: str
    """Dotted name with the index of the phase: `train.phases.0.max_lr`."""
    title: str
    help: str
    kind: Kind
    default: Any
    words: tuple[str, ...] = ()
    """The choices; for a number, words that are allowed instead of it."""
    optional: bool = False
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    """Whether `low` itself is excluded; `high_open` likewise."""
    high_open: bool = False

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def declared(self) -> str:
        """The key in `resolve.settings()`, with N for the index of a phase."""
        return re.sub(r"\.\d+\.", ".N.", self.key)

    @property
    def typed(self) -> bool:
        """Whether the value can be typed; choices and switches are only stepped through."""
        return self.kind not in ("choice", "switch", "preset")

    @property
    def bounds(self) -> str:
        """The allowed values as text; "" if anything is allowed."""
        if self.kind == "choice":
            return ", ".join(self.words)
        if self.kind == "switch":
            return "on or off"
        text = ""
        if self.low is not None and self.high is not None:
            begin = f"{'above ' if self.low_open else ''}{_format_number(self.low)}"
            text = (
                f"{begin} to below {_format_number(self.high)}"
                if self.high_open
                else f"{begin} to {_format_number(self.high)}"
            )
        elif self.low is not None:
            text = f"above {_format_number(self.low)}" if self.low_open else f"at least {_format_number(self.low)}"
        return " or ".join([text, *self.words]) if text else ""


# ---- declaration --------------------------------------------------------------------------------------------------


def fields(config: RunConfig) -> tuple[Field, ...]:
    """All settings of a configuration in the order of their declaration, those of phases once for each phase."""
    return _fields(len(config.train.phases))


@lru_cache(maxsize=16)
def _fields(n_phases: int) -> tuple[Field, ...]:
    declared = resolve.settings()
    single = [_field(key, info) for key, info in declared.items() if ".N." not in key]
    repeated = [
        _field(key.replace(".N.", f".{number}."), info)
        for number in range(n_phases)
        for key, info in declared.items()
        if ".N." in key
    ]
    at = 1 + next(i for i, field in enumerate(single) if field.key == "train.phases")
    return (*single[:at], *repeated, *single[at:])


def field_of(config: RunConfig, key: str) -> Field:
    """The field with this key."""
    return next(field for field in fields(config) if field.key == key)


def _field(key: str, info: FieldInfo) -> Field:
    kind, words, optional, metadata = _shape(info.annotation, list(info.metadata))
    if key == "train.budget":
        kind = "budget"
    elif key == "preset":
        kind = "preset"
    limits: dict[str, float] = {}
    for mark in metadata:
        for name in ("ge", "gt", "le", "lt"):
            if (limit := getattr(mark, name, None)) is not None:
                limits[name] = limit
    return Field(
        key=key,
        title=info.title or key,
        help=info.description or "",
        kind=kind,
        default=info.default,
        words=words,
        optional=optional,
        low=limits.get("ge", limits.get("gt")),
        high=limits.get("le", limits.get("lt")),
        low_open="gt" in limits,
        high_open="lt" in limits,
    )


def _shape(annotation: Any, metadata: list[Any]) -> tuple[Kind, tuple[str, ...], bool, list[Any]]:
    """Kind, words, whether None is allowed, and the metadata with bounds, of a type annotation."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks = [m for mark in inner[1:] for m in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
        return _shape(inner[0], metadata + marks)
    if origin in (Union, types.UnionType):
        shapes = [_shape(part, metadata) for part in inner if part is not type(None)]
        words = tuple(word for kind, words, _, _ in shapes if kind == "choice" for word in words)
        others = [shape for shape in shapes if shape[0] != "choice"]
        kind, _, _, marks = others[0] if others else shapes[0]
        return kind, words, type(None) in inner, marks
    if origin is Literal:
        return "choice", tuple(map(str, inner)), False, metadata
    if origin in (list, tuple):
        item = get_args(inner[0])[0] if get_origin(inner[0]) is Annotated else inner[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            return "phases", (), False, metadata
        return ("numbers" if item in (int, float) else "texts"), (), False, metadata
    kinds: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number"}
    return kinds.get(annotation, "text"), (), False, metadata


@dataclass(frozen=True)
class Section:
    """A heading of the form and its fields, each with its label."""

    id: str
    title: str
    """Empty for the first section, which is always open."""
    rows: tuple[tuple[str, Field], ...]


def sections(config: RunConfig) -> list[Section]:
    """All fields in the order of the form: the budget, the essential ones, and the rest by group."""
    left = {field.key: field for field in fields(config)}
    phases = config.train.phases
    first = [(QUESTION, left.pop("train.budget"))]
    for key in ESSENTIAL:
        if ".N." not in key:
            first.append((LABELS.get(key, left[key].title), left.pop(key)))
            continue
        for number in range(len(phases)):
            field = left.pop(key.replace(".N.", f".{number}."))
            first.append((f"{field.title} {number + 1}" if len(phases) > 1 else field.title, field))
    made = [Section("first", "", tuple(first))]

    def section(name: str, title: str, begin: str, but: tuple[str, ...] = ()) -> None:
        keys = [key for key in left if key.startswith(begin) and not key.startswith(but)]
        rows = tuple((left[key].title, left.pop(key)) for key in keys)
        if rows:
            made.append(Section(name, title, rows))

    for group, title in GROUPS.items():
        section(group, title, f"{group}.", but=("train.phases.", "data.split"))
        if group == "train":
            for number, phase in enumerate(phases):
                section(f"phase{number}", f"Phase {number + 1}: {phase.name}", f"train.phases.{number}.")
    section("file", "File", "")
    return made


def value_of(config: RunConfig, key: str) -> Any:
    """The value of a setting; None if the configuration has no such phase."""
    node: Any = config
    for name in key.split("."):
        if name.isdecimal():
            if int(name) >= len(node):
                return None
            node = node[int(name)]
        else:
            node = getattr(node, name)
    return node


# ---- formatting ---------------------------------------------------------------------------------------------------


def format_value(field: Field, value: Any) -> str:
    """A value as the form shows it."""
    if value is None or value == "":
        return _EMPTY.get(field.declared, "off")
    match field.kind:
        case "switch":
            return "on" if value else "off"
        case "budget":
            return re.sub(r"^([\d.]+)\s*([smh])$", lambda m: f"{m[1]} {'s min h'.split()['smh'.index(m[2])]}", value)
        case "phases":
            return f"{len(value)}" if not isinstance(value, int) else f"{value}"
        case "numbers" | "texts":
            return ", ".join(map(str, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _format_number(value)
    return str(value)


def display_value(config: RunConfig, field: Field) -> str:
    """A setting of a plan as the form shows it: in parentheses if Fit chooses it, or a substitute if it is unused."""
    if unused_reason(config, field.key):
        return {"char": "characters", "byte": "256 bytes"}[config.tokenizer.kind]
    value = format_value(field, value_of(config, field.key))
    return f"({value})" if chosen_by_fit(config, field) else value


def chosen_by_fit(config: RunConfig, field: Field) -> bool:
    """Whether Fit chooses the setting; the value in the plan is then only where Fit starts."""
    inside = field.key.startswith("train.phases")
    chosen = resolve.is_fitted(field.key) and (not inside or field.name in _RATES)
    return chosen and sizing.wanted(config)


def unused_reason(config: RunConfig, key: str) -> str:
    """Why a setting has no effect in this plan; "" if it has."""
    if key != "tokenizer.vocab_size" or config.tokenizer.kind == "bpe":
        return ""
    pieces = "characters of the text" if config.tokenizer.kind == "char" else "256 bytes"
    return f"The {pieces} are the vocabulary."


def _format_number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}".replace("e-0", "e-").replace("e+0", "e")


def text_of(field: Field, value: Any) -> str:
    """A value as it is typed: `parse` reads exactly this value from it."""
    if value is None:
        return ""
    if field.kind == "phases":
        return str(len(value))
    if field.kind == "texts":
        return "; ".join(value)
    return format_value(field, value) if field.kind == "budget" else str(value).strip("()[]")


# ---- parsing ------------------------------------------------------------------------------------------------------


def parse(field: Field, text: str) -> Any:
    """The value of typed text; ValueError with advice. Bounds are left to `validate`."""
    text = text if field.kind == "text" else text.strip()
    if field.optional and text.lower() in ("", "none", "off", "-"):
        return None
    if text.lower() in field.words:
        return text.lower()
    match field.kind:
        case "integer" | "phases":
            value = _number(text)
            if value != int(value):
                raise ValueError(f"{text} is broken; this takes whole numbers.")
            return int(value)
        case "number":
            return float(_number(text))
        case "switch":
            if text.lower() not in ("on", "off", "yes", "no", "true", "false"):
                raise ValueError("Write on or off.")
            return text.lower() in ("on", "yes", "true")
        case "choice":
            raise ValueError(f"Choose one of: {', '.join(field.words)}.")
        case "budget":
            return parse_budget(text)
        case "numbers":
            values = [_number(part) for part in re.split(r"[\s,;]+", text.strip("()[]")) if part]
            return [int(value) if "." not in text and value == int(value) else float(value) for value in values]
        case "texts":
            if text.startswith("["):
                try:
                    return resolve.parse_toml(f"texts = {text}")["texts"]
                except ValueError:
                    raise ValueError('Write names with ; between them, or ["a", "b"].') from None
            return [part.strip() for part in text.split(";") if part.strip()]
    return text


def parse_budget(text: str) -> str:
    """A budget in its short form, also from words: `2 min`, `an hour`, `overnight`, `500 steps`."""
    short = text.lower().strip()
    if short == "overnight":
        return "8h"
    short = re.sub(r"^an?\b", "1", short)
    short = re.sub(r"\s*(seconds?|secs?|minutes?|mins?|hours?|hrs?)$", lambda m: m[1][0], short)
    short = re.sub(r"^(\d{1,3}(?:,\d{3})+)", lambda m: m[1].replace(",", ""), short)
    if re.fullmatch(r"[\d.]+", short):
        raise ValueError(f"{text} of what? Write {short}s, {short}m, {short}h, {short} steps or {short} epochs.")
    budget = Budget.parse(short)
    if budget.kind == "time":
        return short.replace(" ", "")
    return f"{budget.amount:.15g} {budget.kind}"


def _number(text: str) -> float:
    plain = text.replace("_", "").replace(" ", "")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    scale = {"k": 1e3, "K": 1e3, "M": 1e6, "%": 0.01}.get(plain[-1:], 1.0)
    try:
        value = float(plain[:-1] if scale != 1 else plain)
    except ValueError:
        point = " Write it with a point." if "," in plain else ""
        raise ValueError(f"{text!r} is not a number.{point}" if text else "A number is missing.") from None
    if not math.isfinite(value):
        raise ValueError("This takes a finite number.")
    # rounded, since 0.1 * 3 and the like are meant as decimal numbers
    return value if scale == 1 else float(f"{value * scale:.12g}")
