"""Chooses model size, context, batch size, learning rate and dropout for a time budget, by text and machine.

With `train.fit` a preset is right for one size and one length; this rule scales it up and down from there. It was
fitted to a few runs, all on CPUs and of up to an hour: beyond that, and for GPUs, it extrapolates. No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinylm.config import resolve
from tinylm.config.schema import FITTED, STORIES, Budget, ModelConfig, RunConfig
from tinylm.model import size
from tinylm.words import passes

SIZES = ((2, 64), (3, 96), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512))
"""Candidates (n_layer, n_embd). The last two were never run: they are chosen for hours on two cores."""

E, A, ALPHA, B, BETA = 1.118, 8.246, 0.27, 668.3, 0.53
"""Held-out bits per byte = E + A / N^ALPHA + B / D^BETA, with N the weights of all blocks and D the tokens read.

The form of Hoffmann et al. 2022, arXiv 2203.15556, by least squares over the fourteen runs of
`assets/results/sizes.json`: three novels, 2 layers of 64 to 6 of 256, 0.7 to 20 million tokens. It misses them by 0.007
in the mean square and by 0.013 at most; other powers and what it chooses are in assets/results/notes.md.
"""


@dataclass(frozen=True)
class Adjustment:
    """How a kind of text differs from the novels that the rule was fitted to."""

    size_weight: float = 1.0
    """Factor of what model size gains, against tokens."""
    mlp_ratio: int | None = None
    """Width of the feed-forward in n_embd; None keeps the preset's."""
    lr_factor: float = 1.0
    windows: Literal["documents"] | None = None
    """`data.windows`; None keeps the preset's."""


STORIES_ADJUSTMENT = Adjustment(size_weight=1.5, mlp_ratio=2, lr_factor=0.6, windows="documents")
"""The built-in stories are mostly copying: attention counts, and a feed-forward has little to store. In a sequence that
begins within a story, the words to copy are often missing (assets/results/notes.md).

On novels half the feed-forward loses in bits what it gains in time (assets/results/notes.md).
"""

REPEAT_VALUE = 15.0
"""Most that repeated epochs of a text are worth, in epochs beside the first: R*_D of Muennighoff et al. 2023, arXiv
2305.16264."""

SHORTEST_TEXT = 1024
"""Tokens. A shorter text gets the smallest model: any learns it by heart, for which the law has no term, and it would
choose the largest (assets/results/notes.md)."""

COST_POWER = 0.9
"""A token's time grows with its floating-point operations to this power, since wide layers use a processor better.

Measured: 0.87 on two threads in bf16, 0.91 on one, 0.96 in fp32 (assets/results/notes.md).
"""

REFERENCE_TOKENS = 2e6
"""Tokens of the run for which the numbers of a preset are right."""

LR_POWER = 0.75
"""The learning rate falls with the width to this power."""

BATCH_POWER = 0.5
"""The tokens of a step grow with the tokens of the run to this power."""

SHORT_TOKENS = 1e6
"""A run of fewer tokens gets half the context and as many tokens a step (assets/results/notes.md)."""

CONTEXT_MULTIPLE = 32
"""The context is not longer than the documents, rounded up to a multiple of this.

On `stories`, where 19 of 20 have at most 183 tokens, 192 takes a tenth less time than 256 and learns as much
(assets/results/notes.md).
"""

BATCH_MULTIPLE = 2
"""The batch size is a multiple of this: threads take whole sequences, so on two cores three last as long as four."""

DROPOUT = ((6.0, 0.0), (20.0, 0.3))
"""(epochs, dropout); in between it is interpolated over log epochs (assets/results/notes.md)."""

TRAINING_SHARE, MIN_TRAINING_SHARE = 0.78, 0.3
"""Share of the time that goes into forward and backward passes, and the least that remains after `startup_seconds`.

The rest is the optimizer, evaluation and samples.
"""


@dataclass(frozen=True)
class TextStats:
    """What the rule needs to know of a text."""

    tokens: int
    """Training tokens of an epoch."""
    document_length: int
    """Tokens that most of its documents have at most."""


@dataclass(frozen=True)
class Fit:
    """The numbers chosen for a budget."""

    config: RunConfig
    """With the numbers, and `train.fit` off."""
    tokens: float
    """Tokens that will be read, about."""
    epochs: float

    def in_words(self) -> str:
        """What was chosen, as a sentence."""
        model, train = self.config.model, self.config.train
        dropout = f", dropout {model.dropout:g}" if model.dropout else ""
        return (
            f"For {train.budget} on this machine: {model.n_layer} layers of {model.n_embd}, a context of "
            f"{model.block_size}, {self.config.tokens_per_step:,} tokens a step, a rate of "
            f"{train.phases[0].max_lr:.2g}{dropout}; expected are {_round(self.tokens)} tokens, "
            f"{passes(self.epochs)} over the text."
        )


def wanted(config: RunConfig) -> bool:
    """Whether the rule applies: `train.fit` is on, and the budget is a time."""
    return config.train.fit and config.train.budget is not None and Budget.parse(config.train.budget).kind == "time"


def fitted(
    config: RunConfig, vocab_size: int, text: TextStats, token_seconds: float, startup_seconds: float = 0.0
) -> Fit:
    """Choose the numbers for a text, where forward and backward of the preset's own model take `token_seconds` a token.

    `startup_seconds` are lost before the run reaches that speed.
    """
    assert config.train.budget is not None
    budget = Budget.parse(config.train.budget).amount
    seconds = max(MIN_TRAINING_SHARE * budget, TRAINING_SHARE * budget - startup_seconds)
    preset_cost = token_cost(config.model, vocab_size)

    def tokens(model: ModelConfig) -> float:
        return seconds / (token_seconds * token_cost(model, vocab_size) / preset_cost)

    adjustment = STORIES_ADJUSTMENT if config.data.sources == [STORIES] else Adjustment()
    longest = -(-text.document_length // CONTEXT_MULTIPLE) * CONTEXT_MULTIPLE
    base = config.model.model_copy(
        update={
            "block_size": min(config.model.block_size, longest),
            "mlp_ratio": adjustment.mlp_ratio or config.model.mlp_ratio,
        }
    )
    sizes = SIZES if text.tokens >= SHORTEST_TEXT else SIZES[:1]
    models = [with_size(base, *layers_and_width) for layers_and_width in sizes]
    model = min(models, key=lambda model: expected_bpb(model, tokens(model), text.tokens, adjustment.size_weight))
    read = tokens(model)
    epochs = read / text.tokens
    lr_factor = adjustment.lr_factor * (config.model.n_embd / model.n_embd) ** LR_POWER
    half = config.model.block_size // 2
    if read < SHORT_TOKENS and CONTEXT_MULTIPLE // 2 <= half < model.block_size:
        model = model.model_copy(update={"block_size": half})
    sequences = config.train.batch_size * config.model.block_size / model.block_size
    batch = sequences * (read / REFERENCE_TOKENS) ** BATCH_POWER
    chosen = resolve.with_values(
        config,
        data={"windows": adjustment.windows or config.data.windows},
        model={**model.model_dump(include=set(FITTED["model"])), "dropout": dropout(epochs)},
        train={
            "fit": False,
            "batch_size": BATCH_MULTIPLE * max(1, round(batch / BATCH_MULTIPLE)),
            "phases": [_with_lr_factor(phase.model_dump(), lr_factor) for phase in config.train.phases],
        },
    )
    return Fit(chosen, read, epochs)


def expected_bpb(model: ModelConfig, tokens: float, train_tokens: int, size_weight: float = 1.0) -> float:
    """Bits per byte that the novels would reach with this model and so many tokens read, `train_tokens` an epoch.

    Other texts have other values; that the same size is best for them is an assumption.
    """
    repeated = max(0.0, tokens / train_tokens - 1)
    worth = min(tokens, train_tokens) + train_tokens * REPEAT_VALUE * (1 - math.exp(-repeated / REPEAT_VALUE))
    return E + size_weight * (A / math.pow(size.block_parameters(model), ALPHA)) + B / math.pow(worth, BETA)


def dropout(epochs: float) -> float:
    """The dropout that prevents overfitting over so many epochs."""
    (low, least), *rest = DROPOUT
    for high, most in rest:
        if epochs < high:
            fraction = max(0.0, math.log(epochs / low) / math.log(high / low))
            return round(least + fraction * (most - least), 2)
        low, least = high, most
    return least


def with_size(model: ModelConfig, n_layer: int, n_embd: int) -> ModelConfig:
    """The model with so many layers of that width, and as many heads as fit into the width.

    More heads than that, or smaller ones, did not pay (assets/results/notes.md).
    """
    heads = max(1, n_embd // model.head_size)
    sharing = max(1, model.n_head // model.n_kv_head)
    shared = heads // sharing if heads % sharing == 0 else heads
    return model.model_copy(update={"n_layer": n_layer, "n_embd": n_embd, "n_head": heads, "n_kv_head": shared})


def token_cost(model: ModelConfig, vocab_size: int) -> float:
    """The time of a token, in arbitrary units."""
    return math.pow(size.flops_per_token(model, vocab_size), COST_POWER)


def _with_lr_factor(phase: dict[str, object], factor: float) -> dict[str, object]:
    rates = ("base_lr", "max_lr", "min_lr")
    return {key: min(10.0, float(f"{value * factor:.3g}")) if key in rates else value for key, value in phase.items()}  # type: ignore[operator]


def _round(number: float) -> str:
    """A number with two digits, for people."""
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if number >= unit:
            return f"{number / unit:.2g}{name}"
    return f"{float(f'{number:.2g}'):,.0f}"
