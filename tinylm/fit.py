"""The budget speaks: which size, batch, rate and dropout a time is best spent on, given the text and the machine.

A preset with `train.fit` says what is right for one size and one length; from there this rule goes up and down. It is
fitted to the runs listed at LOSS, all on CPUs and of up to ten minutes: beyond that it extrapolates. No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinylm import counting, settings
from tinylm.config import FITTED, Budget, ModelConfig, RunConfig

SIZES = ((2, 64), (3, 96), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512))
"""Layers and widths to choose from; a step up costs about twice the time a token."""

LOSS = {"floor": 1.230, "size": 10.68, "size_power": 0.3, "data": 5666.0, "data_power": 0.7}
"""Nats per token on held-out text: floor + size / N^size_power + data / D^data_power, with N the weights of all blocks
and D the tokens read (Hoffmann et al. 2022, arXiv 2203.15556)."""

REPEATS = 15.0
"""What a text can be worth when it is read again and again, in passes beside the first (Muennighoff et al. 2023, arXiv
2305.16264)."""

COST_POWER = 0.7
"""A token's time grows with its floating-point operations to this power: wide layers use a processor better."""

TOKENS, WIDTH = 2e6, 128
"""For how long a training, and how wide a model, the numbers in a preset are right."""

RATE_POWER = 0.75
"""The rate falls with the width to this power."""

BATCH_POWER = 0.5
"""The step grows with the tokens of the run to this power."""

BATCHES = [count << shift for shift in range(12) for count in (2, 3)]
"""A step has 1 or as many windows as one of these: a pass that was compiled for a run serves the next one too."""

DROPOUT = ((4.0, 0.0), (10.0, 0.1), (20.0, 0.3))
"""From so many passes over the text on, this much dropout; between them by interpolation in the logarithm."""

TRAINED = 0.85
"""Share of the time that goes into steps; the rest is setting up, evaluation and samples."""


@dataclass(frozen=True)
class Fit:
    """What a budget is spent on."""

    config: RunConfig
    """The numbers, and `train.fit` off."""
    tokens: float
    """About as many will be read."""
    passes: float
    """So often the text."""

    def in_words(self) -> str:
        """What was chosen, as a sentence."""
        model, train = self.config.model, self.config.train
        step = train.batch_size * train.accumulation_steps * model.block_size
        return (
            f"For {train.budget} on this machine: {model.n_layer} layers of {model.n_embd}, {step:,} tokens a step, "
            f"a rate of {train.phases[0].max_lr:.2g}, dropout {model.dropout:g}; expected are {_round(self.tokens)} "
            f"tokens, {self.passes:.2g} passes over the text."
        )


def wanted(config: RunConfig) -> bool:
    """Whether the rule has anything to say: it is asked, and the budget is a time."""
    return config.train.fit and config.train.budget is not None and Budget.parse(config.train.budget).kind == "time"


def fitted(config: RunConfig, vocab_size: int, train_tokens: int, token_seconds: float) -> Fit:
    """The numbers for a text of `train_tokens` where a token of the preset's own model takes `token_seconds`."""
    assert config.train.budget is not None
    time = TRAINED * Budget.parse(config.train.budget).amount
    own = cost(config.model, vocab_size)

    def tokens(model: ModelConfig) -> float:
        return time / (token_seconds * cost(model, vocab_size) / own)

    model = min((_sized(config.model, *size) for size in SIZES), key=lambda m: expected(m, tokens(m), train_tokens))
    read = tokens(model)
    passes = read / train_tokens
    narrower = (config.model.n_embd / model.n_embd) ** RATE_POWER
    batch = config.train.batch_size * (read / TOKENS) ** BATCH_POWER
    chosen = settings.with_values(
        config,
        model={**model.model_dump(include=set(FITTED["model"])), "dropout": dropout(passes)},
        train={
            "fit": False,
            "batch_size": min([1, *BATCHES], key=lambda count: abs(math.log(count / batch))),
            "phases": [_slower(phase.model_dump(), narrower) for phase in config.train.phases],
        },
    )
    return Fit(chosen, read, passes)


def expected(model: ModelConfig, tokens: float, train_tokens: int) -> float:
    """Nats per token that the runs at LOSS would have come to, with a model of that size and so many tokens read."""
    again = max(0.0, tokens / train_tokens - 1)
    worth = min(tokens, train_tokens) + train_tokens * REPEATS * (1 - math.exp(-again / REPEATS))
    size = LOSS["size"] / math.pow(counting.layers(model), LOSS["size_power"])
    return LOSS["floor"] + size + LOSS["data"] / math.pow(worth, LOSS["data_power"])


def dropout(passes: float) -> float:
    """How much dropout keeps so many passes over a text from being learnt by heart."""
    (low, least), *rest = DROPOUT
    for high, most in rest:
        if passes < high:
            between = max(0.0, math.log(passes / low) / math.log(high / low))
            return round(least + between * (most - least), 2)
        low, least = high, most
    return least


def _sized(model: ModelConfig, n_layer: int, n_embd: int) -> ModelConfig:
    """The model with so many layers of that width, and as many heads as the width has room for."""
    heads = max(1, n_embd // model.head_size)
    sharing = max(1, model.n_head // model.n_kv_head)
    shared = heads // sharing if heads % sharing == 0 else heads
    return model.model_copy(update={"n_layer": n_layer, "n_embd": n_embd, "n_head": heads, "n_kv_head": shared})


def cost(model: ModelConfig, vocab_size: int) -> float:
    """What a token costs, in no unit."""
    return math.pow(counting.flops_per_token(model, vocab_size), COST_POWER)


def _slower(phase: dict[str, object], factor: float) -> dict[str, object]:
    rates = ("base_lr", "max_lr", "min_lr")
    return {key: min(10.0, float(f"{value * factor:.3g}")) if key in rates else value for key, value in phase.items()}  # type: ignore[operator]


def _round(number: float) -> str:
    """Two digits, as people say it."""
    for size, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= size:
            return f"{number / size:.2g}{name}"
    return f"{number:.2g}"
