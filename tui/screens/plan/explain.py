"""Explains a setting: what it is, and what a change does to parameters, arithmetic and batch.

All numbers are exact counts from the configuration; times are left to the rehearsal, which measures them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinylm.config.schema import Budget, RunConfig
from tinylm.model.size import flops_per_token, parameters
from tui.screens.data.texts import expected_vocabulary
from tui.screens.plan import fields
from tui.screens.plan.fields import Field

WHY = {
    "train.budget": "How long the training may take. The schedule is laid out to end with it, from measured speed.",
    "preset": "A recipe to start from. Texts and budget that you chose stay; Backspace drops all other changes.",
    "train.fit": "A rule fitted to measured runs. It needs a time as budget; choosing one of them by hand ends it.",
    "model.n_layer": "More blocks combine what was read in more stages; each costs time in every step.",
    "model.n_embd": "Most weights lie in matrices whose sides are widths: twice the width, up to four times the work.",
    "model.n_head": "Each looks for something else in the text before; together they cost heads times head size.",
    "model.mlp_ratio": "Where facts are kept: half of it takes a sixth less time, and on novels learns a little less.",
    "model.n_kv_head": "Fewer of them make a smaller memory of the text while writing, and a little less work.",
    "model.block_size": "In training the model never sees further back than this. Attention's work grows with it.",
    "model.dropout": "Against learning by heart where the text is read many times; a short run learns more without.",
    "train.batch_size": "More windows a step make a calmer gradient and fewer steps in the same time.",
    "train.accumulation_steps": "As a batch that many times larger, in the memory of one; each pass takes its time.",
    "train.optimizer": "Muon changes hidden matrices in all directions alike; its steps take a little longer.",
    "train.phases": "Right adds a phase like the last, left takes the last away; + and - do it at the marked phase.",
    "train.phases.N.max_lr": "How far a step moves the weights: too high, the loss jumps; too low, it hardly falls. "
    "F tries rates on the first batches.",
    "tokenizer.kind": "Pieces of words make a text short and its vocabulary large; characters and bytes the other way.",
    "tokenizer.vocab_size": "Each token has a row of width numbers where it is read, and one where it is predicted.",
    "train.grad_clip": "A gradient longer than this is shortened to it: one odd batch cannot throw the weights far.",
    "train.eval_interval": "Each measurement takes time from the training.",
    "train.checkpoint_seconds": "What a crash or a power cut may cost at most.",
    "data.val_fraction": "Text the model never learns from; without any, learning by heart goes unnoticed.",
    "train.seed": "On a CPU, the same seed, settings, text and threads give the same training again.",
}  # fmt: skip


def size_text(config: RunConfig) -> str:
    """Parameters of the model, as text."""
    vocab_size = expected_vocabulary(config)
    if vocab_size is None:
        each = parameters(config.model, 1) - parameters(config.model, 0)
        return f"{parameters(config.model, 0):,} + {each:,} a character"
    return f"{parameters(config.model, vocab_size):,} parameters"


def fixed_steps(config: RunConfig) -> int | None:
    """Steps of the whole run, if they follow from the settings alone."""
    if config.train.budget is None:
        return sum(phase.steps or 0 for phase in config.train.phases)
    budget = Budget.parse(config.train.budget)
    return int(budget.amount) if budget.kind == "steps" else None


def first_loss(config: RunConfig) -> float | None:
    """Loss of a uniform prediction, ln(vocab_size), in nats per token."""
    vocab_size = expected_vocabulary(config)
    return None if vocab_size is None else math.log(vocab_size)


def effect(config: RunConfig, field: Field, larger: RunConfig | None) -> str:
    """What the next larger value of a setting changes; `larger` is the plan with it."""
    if larger is None:
        return ""
    value = fields.format_value(field, fields.value_of(larger, field.key))
    before, after = expected_vocabulary(config), expected_vocabulary(larger)
    if before is not None and after is not None:
        had, gets = parameters(config.model, before), parameters(larger.model, after)
        work = flops_per_token(larger.model, after) / flops_per_token(config.model, before)
        if had != gets:
            return f"At {value}: {gets:,} parameters, now {had:,}; {work:.2g} x the arithmetic a token."
        if abs(work - 1) > 0.005 and config.tokens_per_step == larger.tokens_per_step:
            return f"At {value}: as many parameters, {work:.2g} x the arithmetic a token."
    had, gets = config.tokens_per_step, larger.tokens_per_step
    if had != gets:
        return f"At {value}: {gets:,} tokens in each step, now {had:,}."
    return ""


def paragraphs(field: Field, config: RunConfig, larger: RunConfig | None, presets: Mapping[str, Any]) -> list[str]:
    """What the setting is, what a change does, what is allowed: a few paragraphs, the most important first."""
    default = fields.format_value(field, field.default)
    allowed = [part for part in (field.bounds, f"default {default}" if field.kind != "phases" else "") if part]
    used = [f"{name} {fields.format_value(field, value)}" for name, value in presets.items() if value is not None]
    fit = " Fit chooses it." if fields.chosen_by_fit(config, field) else ""
    parts = [
        f"{field.title}: {field.help}{fit}",
        fields.unused_reason(config, field.key),
        effect(config, field, larger),
        f"{field.key}: {'; '.join(allowed) or 'a list'}." + (f" Presets: {', '.join(used)}." if used else ""),
        WHY.get(field.declared, ""),
    ]
    return [part for part in parts if part]
