"""The budget speaks: on which model, context, batch, rate and dropout a time is best spent, by text and machine.

A preset with `train.fit` says what is right for one size and one length; from there this rule goes up and down. It is
fitted to a few runs, all on CPUs and of up to an hour: beyond that, and for GPUs, it extrapolates. No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinylm.config import resolve
from tinylm.config.schema import FITTED, STORIES, Budget, ModelConfig, RunConfig
from tinylm.model import size as counting

SIZES = ((2, 64), (3, 96), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512))
"""Layers and widths to choose from. The last two were never run: the rule comes to them after hours on two cores."""

FLOOR, SIZE, SIZE_POWER, DATA, DATA_POWER = 1.118, 8.246, 0.27, 668.3, 0.53
"""Bits per byte of held-out text: FLOOR + SIZE / N^SIZE_POWER + DATA / D^DATA_POWER, with N the weights of all blocks
and D the tokens read, by least squares (the form of Hoffmann et al. 2022, arXiv 2203.15556).

The runs are those of `assets/results/sizes.json`: fourteen on three novels, from 2 layers of 64 to 6 of 256 and from
0.7 to 20 million tokens. It misses them by 0.007 in the mean square and by 0.013 at most. Powers of 0.25 and 0.55, or
0.30 and 0.50, do as well. For two minutes on two cores it chooses 3 layers of 96: on the novels 1.58 for 4.0 million
tokens, where 4 of 128 came to 1.62 with the 1.9 million that take about as long; on Tiny Shakespeare, characters, 1.548
nats for 2.2 million, and 4 of 128 1.605 for 1.3. For an hour on one core of that machine it chooses 4 layers of 192 or
256, by how fast it is then; two such runs came to 1.374 (4 of 192, 20.0 million tokens) and 1.375 (6 of 256, 9.0
million). Fitted to the runs up to 5.4 million tokens alone, with powers of 0.33 and 0.75, it expected 0.04 more than
the three longest came to, and chose one size larger from five minutes on.
"""


@dataclass(frozen=True)
class Own:
    """What is right for a kind of text, beside the preset's numbers."""

    size: float = 1.0
    """How many times as much a larger model gains, against more tokens."""
    mlp_ratio: int | None = None
    """The feed-forward, in widths; None leaves the preset's."""
    rate: float = 1.0
    """The rate, in what it would be."""


STORIES_OWN = Own(size=1.5, mlp_ratio=2, rate=0.6)
"""The built-in stories are told by copying: attention counts, and what a feed-forward could keep is little.

All with 1.38 million tokens, 4 layers of 128, a context of 192, bits per byte. The feed-forward half as wide: 0.6666,
0.6664, 0.6681 (seeds 1 to 3), for a sixth less time; as wide as usual 0.6670; with six layers 0.6631, for two fifths
more time. Then 9e-3 instead of 1.2e-2 0.6652 (1.6e-2 0.6681). Nothing came of decaying for 0.5 or 0.3 of the steps
(0.6670, 0.6671), no weight decay (0.6697), rope_theta 1e5 (0.6673), an attention_scale of 3 (0.6591, 0.6700, 0.6674,
seeds 1 to 3; in larger steps 0.6707), of 4 (0.6716), keys shared by two heads (0.6676). Steps 1.5 times as long take a
twentieth less time for as many tokens; in two minutes they came to 0.6541, 0.6550, 0.6642, those of now to 0.6547,
0.6525, 0.6609 (seeds 1 to 3, the first with nothing compiled before).

With 3.2 to 3.4 million tokens (two minutes on two cores by our own code, seeds 1 to 3) 9e-3 came to 0.645, 0.645 and
0.658, 6e-3 to 0.649, 0.651 and 0.652, 7.2e-3, taken for that, to 0.646, 0.648 and 0.650 (seed 4: 0.651); six layers,
with 2.4 million, to 0.663 where four had 0.657, and a context of 256 to 0.655 (seed 3).

With more time and a context of 256: 4 layers of 128 came to 0.651 with 1.9 million tokens, 3 of 96 to 0.662 with 2.7
million, 4 of 96 to 0.666 with 2.3. On novels half the feed-forward loses in bits what it gains in time: 3 layers of 96
1.722 instead of 1.714 (1.5 million tokens) and 1.599 instead of 1.580 (4.0), for a fifth less time; 4 of 128 1.642
instead of 1.623 (1.9).
"""

REPEATS = 15.0
"""What a text can be worth when it is read again and again, in passes beside the first (Muennighoff et al. 2023, arXiv
2305.16264)."""

COST_POWER = 0.9
"""A token's time grows with its floating-point operations to this power, since wide layers use a processor better.

By passes of our own code, in bf16 on 2 threads of an EPYC with AVX512-BF16, a context of 256: 11, 20, 37, 69, 110 and
166 us for 2x64, 3x96, 4x128, 4x192, 4x256 and 6x256, a power of 0.87; on one thread 0.91, in fp32 0.96.
"""

TOKENS, WIDTH = 2e6, 128
"""For how long a training, and how wide a model, the numbers in a preset are right."""

RATE_POWER = 0.75
"""The rate falls with the width to this power."""

BATCH_POWER = 0.5
"""The step grows with the tokens of the run to this power."""

SHORT = 1e6
"""A run of fewer tokens has half the context, and as many tokens a step.

Tiny Shakespeare, characters, 2 layers of 64, 0.35 million: 1.864 nats with 64, 1.901 with 128; three novels, 3 of 96,
0.75 million: 1.820 bits per byte with 128, 1.837 with 256. 2.2 million characters were the other way: 1.570 and 1.548.
"""

ROUND = 32
"""A context is no longer than documents are, up to the next multiple of this: on `stories`, where 19 of 20 have at most
183 tokens, one of 192 takes a tenth less time than one of 256 and learns as much from as many tokens (1.38 million, one
seed each: 0.6670 and 0.6696 bits per byte). Windows that begin where stories do brought nothing: 0.6687, 0.6666 without
(and 0.6696 and 0.6700 with 256).
"""

EVEN = 2
"""A step has so many windows, or a multiple: threads take whole ones, and on two cores three last as long as four."""

DROPOUT = ((6.0, 0.0), (20.0, 0.3))
"""From so many passes over the text on, this much dropout; between them by interpolation in the logarithm.

One novel of 1.2 MB, bits per byte: 6 passes 1.541 without and 1.547 with 0.1 (3 layers of 96), 19 passes 1.657 with 0.2
and 1.627 with 0.3 (2 of 128).
"""

TRAINED, LEAST = 0.78, 0.3
"""Share of the time that goes into passes, once a run has begun; and what it is at least, after `lost` seconds.

The rest is the optimizer, evaluation and samples. Two minutes of `stories` on two cores came to 3.1 and 3.4 million
tokens, where this expects 3.1 million.
"""


@dataclass(frozen=True)
class Text:
    """What the rule asks of a text."""

    tokens: int
    """Those that are trained on in a pass."""
    document: int
    """Those that most of its documents have at most."""


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
        dropout = f", dropout {model.dropout:g}" if model.dropout else ""
        return (
            f"For {train.budget} on this machine: {model.n_layer} layers of {model.n_embd}, a context of "
            f"{model.block_size}, {self.config.tokens_per_step:,} tokens a step, a rate of "
            f"{train.phases[0].max_lr:.2g}{dropout}; expected are {_round(self.tokens)} tokens, {self.passes:.2g} "
            "passes over the text."
        )


def wanted(config: RunConfig) -> bool:
    """Whether the rule has anything to say: it is asked, and the budget is a time."""
    return config.train.fit and config.train.budget is not None and Budget.parse(config.train.budget).kind == "time"


def fitted(config: RunConfig, vocab_size: int, text: Text, token_seconds: float, lost: float = 0.0) -> Fit:
    """The numbers for a text where a pass of the preset's own model takes `token_seconds` a token.

    `lost`: seconds that go by before a run goes at that speed.
    """
    assert config.train.budget is not None
    whole = Budget.parse(config.train.budget).amount
    time = max(LEAST * whole, TRAINED * whole - lost)
    own = cost(config.model, vocab_size)

    def tokens(model: ModelConfig) -> float:
        return time / (token_seconds * cost(model, vocab_size) / own)

    kind = STORIES_OWN if config.data.sources == [STORIES] else Own()
    base = config.model.model_copy(
        update={
            "block_size": min(config.model.block_size, -(-text.document // ROUND) * ROUND),
            "mlp_ratio": kind.mlp_ratio or config.model.mlp_ratio,
        }
    )
    sizes = [sized(base, *size) for size in SIZES]
    model = min(sizes, key=lambda model: expected(model, tokens(model), text.tokens, kind.size))
    read = tokens(model)
    passes = read / text.tokens
    rate = kind.rate * (config.model.n_embd / model.n_embd) ** RATE_POWER
    half = config.model.block_size // 2
    if read < SHORT and ROUND // 2 <= half < model.block_size:
        model = model.model_copy(update={"block_size": half})
    windows = config.train.batch_size * config.model.block_size / model.block_size
    batch = windows * (read / TOKENS) ** BATCH_POWER
    chosen = resolve.with_values(
        config,
        model={**model.model_dump(include=set(FITTED["model"])), "dropout": dropout(passes)},
        train={
            "fit": False,
            "batch_size": EVEN * max(1, round(batch / EVEN)),
            "phases": [_slower(phase.model_dump(), rate) for phase in config.train.phases],
        },
    )
    return Fit(chosen, read, passes)


def expected(model: ModelConfig, tokens: float, train_tokens: int, weight: float = 1.0) -> float:
    """Bits per byte that the novels would have come to, with a model of that size and so many tokens read.

    For other texts the numbers are others; that the same size is the best one is what the rule takes on trust. `weight`
    is what size counts, against tokens.
    """
    again = max(0.0, tokens / train_tokens - 1)
    worth = min(tokens, train_tokens) + train_tokens * REPEATS * (1 - math.exp(-again / REPEATS))
    size = SIZE / math.pow(counting.block_parameters(model), SIZE_POWER)
    return FLOOR + weight * size + DATA / math.pow(worth, DATA_POWER)


def dropout(passes: float) -> float:
    """How much dropout keeps so many passes over a text from being learnt by heart."""
    (low, least), *rest = DROPOUT
    for high, most in rest:
        if passes < high:
            between = max(0.0, math.log(passes / low) / math.log(high / low))
            return round(least + between * (most - least), 2)
        low, least = high, most
    return least


def sized(model: ModelConfig, n_layer: int, n_embd: int) -> ModelConfig:
    """The model with so many layers of that width, and as many heads as the width has room for."""
    # More heads than the width has room for did not pay. 2 layers of 64 with four took a quarter longer for 1.843 nats
    # instead of 1.866 (characters, 0.35 million); 3 of 96 with four 0.659 on `stories` instead of 0.662, 1.541 nats
    # instead of 1.544 and nothing on novels. Heads of half the size were worse (1.920 instead of 1.875).
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
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:.2g}{name}"
    return f"{float(f'{number:.2g}'):,.0f}"
