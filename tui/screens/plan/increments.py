"""The next value of a setting: powers of two for sizes, 1-2-5 for rates, the next of the choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinylm.config.schema import Budget
from tui.screens.plan.fields import Field

BUDGETS = ("30s", "2m", "15m", "1h", "8h")
"""Steps of a time budget."""

_POWERS = (
    "n_head", "n_kv_head", "n_embd", "head_size", "block_size", "vocab_size", "batch_size", "accumulation_steps",
    "max_new_tokens",
)  # fmt: skip
_ONES = ("n_layer", "mlp_ratio", "threads", "keep_checkpoints", "seed", "patience", "phases")
_LINEAR = {
    "dropout": 0.05, "attention_dropout": 0.05, "share": 0.05, "temperature": 0.1, "top_p": 0.05,
    "repetition_penalty": 0.05,
}  # fmt: skip
_SMALLEST = {"base_lr": 1e-6, "max_lr": 1e-6, "min_lr": 1e-6, "norm_eps": 1e-9, "checkpoint_seconds": 1.0}
"""The value above 0, if it is not 0.01; all numbers that are not listed go by 1, 2, 5, 10."""
_STARTS = {"eval_interval": 50, "sample_interval": 100, "checkpoint_interval": 100, "stop_at": 100, "steps": 500}
"""The value above `auto` or `off`, if it is not the lowest one."""


def next_value(field: Field, value: Any, up: bool, presets: Sequence[str] = ()) -> Any:
    """The next larger or smaller value; choices go round. The same value if there is no other."""
    match field.kind:
        case "switch":
            return not value
        case "choice" | "preset":
            words = list(field.words or presets)
            if not words:
                return value
            at = words.index(value) if value in words else (-1 if up else 0)
            return words[(at + (1 if up else -1)) % len(words)]
        case "budget":
            return _step_budget(value, up)
        case "phases":
            return max(1, len(value) + (1 if up else -1))
        case "integer" | "number":
            return _step_number(field, value, up)
    return value


def _step_budget(value: str | None, up: bool) -> str | None:
    if value is None:
        return BUDGETS[0] if up else None
    budget = Budget.parse(value)
    if budget.kind == "time":
        amounts = [Budget.parse(notch).amount for notch in BUDGETS]
        if up:
            return next((n for n, a in zip(BUDGETS, amounts, strict=True) if a > budget.amount), value)
        below = [n for n, a in zip(BUDGETS, amounts, strict=True) if a < budget.amount]
        return below[-1] if below else None
    amount = _one_two_five(budget.amount, up)
    return f"{amount:.15g} {budget.kind}" if amount >= 1 else None


def _step_number(field: Field, value: Any, up: bool) -> Any:
    whole = field.kind == "integer"
    lowest: float | None = field.low if field.low is not None else 0.0
    if not isinstance(value, int | float):  # off, or a word
        return _as(whole, _STARTS.get(field.name, lowest or 1)) if up else value
    if field.name in _ONES:
        new: float = value + (1 if up else -1)
    elif field.name in _LINEAR:
        size = _LINEAR[field.name]
        new = size * (math.floor(value / size + 1e-6) + 1 if up else math.ceil(value / size - 1e-6) - 1)
    elif field.name in _POWERS:
        exponent = math.log2(value) if value > 0 else -1
        new = 2.0 ** (math.floor(exponent + 1e-9) + 1 if up else math.ceil(exponent - 1e-9) - 1)
    else:
        smallest = _SMALLEST.get(field.name, 1 if whole else 0.01)
        new = _one_two_five(value, up) if value > 0 else (smallest if up else -1)
        if not up and 0 < value <= smallest * (1 + 1e-9):
            new = 0
    new = float(f"{new:.12g}")
    if field.low is not None and (new < field.low or (field.low_open and new <= field.low)):
        if value > field.low and not field.low_open and new < field.low:
            return _as(whole, field.low)
        return field.words[0] if field.words else (None if field.optional else value)
    if field.high is not None and (new > field.high or (field.high_open and new >= field.high)):
        return value if field.high_open else _as(whole, field.high)
    return _as(whole, new)


def _as(whole: bool, value: float) -> float:
    return int(value) if whole else float(value)


def _one_two_five(value: float, up: bool) -> float:
    """The next larger or smaller number that is 1, 2 or 5 times a power of ten."""
    exponent = math.floor(math.log10(value))
    notches = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    if up:
        return next(notch for notch in notches if notch > value * (1 + 1e-9))
    return [notch for notch in notches if notch < value * (1 - 1e-9)][-1]
