"""`--bench generate`: how fast a model of the reference recipe's shape writes on this machine's CPU.

**The limit.** For one token each weight of the blocks and of the head is read once, and one row of the embedding. Those
bytes do not fit into a core's cache, so a step cannot take less than it takes to read them: measured in the same pairs,
as the sum of that many numbers, on as many threads. Texts side by side share the reading and are bound by arithmetic
instead: two operations for each of the same weights and each text, by what all cores multiply at most (`limits.py`).
Of them it is also said how many times faster than one they are together.

**The peer.** Where Hugging Face transformers is installed, a Gemma 2 that holds the same weights, and so is the same
function, goes on with the same prompt by its `generate`: greedy, on one thread or on two, whichever is faster.

Weights are random: what is read and multiplied is the same.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinylm.bench import limits
from tinylm.bench.gemma import gemma
from tinylm.bench.pairs import Pairs, in_pairs, seconds
from tinylm.bench.rows import Row
from tinylm.config import resolve
from tinylm.config.schema import ModelConfig, SampleConfig
from tinylm.hardware import malloc
from tinylm.inference import load
from tinylm.inference.generate import generate, generate_batch
from tinylm.kernels import decode
from tinylm.model import size
from tinylm.model.transformer import Transformer

VOCABULARY = 5000
PROMPT, TOKENS = 16, 200
"""Read, then written; together within the block."""
TEXTS, PAIRS = 16, 9
NEVER = -1
"""No token: nothing stops a text but its length."""
AGREE = 1e-3
"""Scores of the same function differ by less, however they are computed."""

Work = Callable[[], object]


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:  # noqa: ARG001  # all of them look alike
    """One text, greedy, against the limit; several, drawn, against one; and one, greedy, against the peer: a minute."""
    config = resolve.validate(resolve.read_preset("seed", home)).model
    model = Transformer(config, VOCABULARY, torch.Generator().manual_seed(0)).eval()
    load.settle_threads(model)
    decode.prepare(home, model)
    malloc.keep()  # as where a model is loaded
    yield from rows(model, limits.peak_flops("fp32", home))


def rows(model: Transformer, flops: float) -> Iterator[Row]:
    """The same, for any model on the CPU, on the threads that are set; the cores do so many operations a second."""
    prompt = torch.randint(model.vocab_size, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    greedy = SampleConfig(temperature=0, max_new_tokens=TOKENS)
    drawn = SampleConfig(max_new_tokens=TOKENS)

    def one() -> object:
        return list(generate(model, prompt, greedy, NEVER))

    gemma2 = as_gemma2(model) if find_spec("transformers") else None
    if gemma2 is not None:
        yield _difference(model, gemma2, torch.tensor([prompt]))

    pairs = _measured(one, reading(model))
    speed, limit = _speeds(pairs)
    yield Row("generate.one", speed, "tokens/s", limit=limit, ratio=pairs.ratio, runs=PAIRS)

    pairs = _measured(
        lambda: list(generate_batch(model, prompt, drawn, range(TEXTS), NEVER)),
        lambda: list(generate(model, prompt, drawn, NEVER)),
    )
    each, alone = _speeds(pairs)
    limit = flops / (2 * weights_per_token(model.config, model.vocab_size))
    yield Row(f"generate.{TEXTS}_at_once", TEXTS * each, "tokens/s", limit=limit, peer="one alone, drawn too",
              peer_value=alone, ratio=TEXTS * pairs.ratio, runs=PAIRS)  # fmt: skip

    if gemma2 is not None:
        theirs, peer = _best_threads(gemma2, torch.tensor([prompt]))
        pairs = _measured(_on_threads(torch.get_num_threads(), one), theirs)
        speed, other = _speeds(pairs)
        yield Row("generate.one.against_hugging_face", speed, "tokens/s", peer=peer,
                  peer_value=other, ratio=pairs.ratio, runs=PAIRS)  # fmt: skip


def _measured(ours: Work, theirs: Work) -> Pairs:
    ours(), theirs()  # warm
    return in_pairs(ours, theirs, PAIRS)


def _speeds(pairs: Pairs) -> tuple[float, float]:
    """Tokens per second of a text, each way's median."""
    return TOKENS / statistics.median(pairs.ours), TOKENS / statistics.median(pairs.theirs)


def weights_per_token(config: ModelConfig, vocab_size: int) -> int:
    """How many weights a token is multiplied with: all but the embedding."""
    return size.block_parameters(config) + vocab_size * config.n_embd


def bytes_per_token(config: ModelConfig, vocab_size: int) -> int:
    """What has to be read to write one token: these weights, and one row of the embedding; fp32."""
    return torch.float32.itemsize * (weights_per_token(config, vocab_size) + config.n_embd)


def reading(model: Transformer) -> Work:
    """Reads as many bytes as `TOKENS` tokens need, as fast as torch reads anything: summing them."""
    numbers = torch.ones(bytes_per_token(model.config, model.vocab_size) // torch.float32.itemsize)
    return lambda: [numbers.sum() for _ in range(TOKENS)]


# ---- Hugging Face transformers ---------------------------------------------------------------------------------------


def as_gemma2(model: Transformer) -> Any:
    """The model as transformers' Gemma2ForCausalLM, with the same weights; nothing stops its texts but their length.

    Its norms multiply by 1 + weight and its embedding by sqrt(n_embd): weights of 0, and an embedding divided by that.
    """
    assert model.head is not None
    config, peer = model.config, gemma(model.config, model.vocab_size).eval()
    peer.generation_config.eos_token_id = None
    weights = {name: torch.zeros_like(weight) for name, weight in peer.state_dict().items() if "norm" in name}
    weights["model.embed_tokens.weight"] = model.embedding.weight.detach() / config.n_embd**0.5
    weights["lm_head.weight"] = model.head.weight.detach()
    heads = [n * config.head_size for n in (config.n_head, config.n_kv_head, config.n_kv_head)]
    inner = config.mlp_ratio * config.n_embd
    parts = {
        "attention.qkv.weight": (["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], heads),
        "attention.out.weight": (["self_attn.o_proj"], [config.n_embd]),
        "feed_forward.gate_up.weight": (["mlp.gate_proj", "mlp.up_proj"], [inner, inner]),
        "feed_forward.down.weight": (["mlp.down_proj"], [config.n_embd]),
    }
    for name, weight in model.blocks.state_dict().items():
        layer, _, kind = name.partition(".")
        theirs, sizes = parts[kind]
        for their, part in zip(theirs, torch.split(weight, sizes), strict=True):
            weights[f"model.layers.{layer}.{their}.weight"] = part
    peer.load_state_dict(weights)  # strict: none is missing, none is too many
    return peer


@torch.no_grad()
def _difference(model: Transformer, peer: Any, ids: Tensor) -> Row:
    """How far the two models' scores are apart at most; RuntimeError where that is more than rounding."""
    difference = float((model.logits(ids) - peer(ids).logits).abs().max())
    if not difference < AGREE:
        raise RuntimeError(f"The peer does not compute the same: its scores are off by up to {difference:.2g}.")
    return Row("generate.scores_differ_by", difference, "", limit=AGREE)


def _best_threads(peer: Any, ids: Tensor) -> tuple[Work, str]:
    """Its way to write, on one thread or on two, whichever is faster here, and what it is called."""

    def write() -> object:
        mask = torch.ones_like(ids)
        return peer.generate(ids, attention_mask=mask, max_new_tokens=TOKENS, do_sample=False, use_cache=True)

    ways = {threads: _on_threads(threads, write) for threads in (1, 2)}
    taken = {threads: min(seconds(way) for _ in range(2)) for threads, way in ways.items()}
    best = min(taken, key=lambda threads: taken[threads])
    version = import_module("transformers").__version__
    return ways[best], f"transformers {version}, {best} thread{'s' if best > 1 else ''}"


def _on_threads(threads: int, work: Work) -> Work:
    """The same work, on so many threads; those that were set are set again."""

    def turned() -> object:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return work()
        finally:
            torch.set_num_threads(before)

    return turned
