"""`--bench generate`: how fast a model of the reference recipe's shape generates text on this machine's CPU.

**The limit.** One token needs each weight of the blocks and of the head once, and one row of the embedding. These bytes
do not fit into a core's cache, so a step takes at least as long as reading them: measured in the same pairs, as the sum
of that many numbers on as many threads. Several texts at once share the reading and are bound by arithmetic: two
operations for each of these weights and each text, at the peak of all cores (`limits.py`).

**The peer.** If Hugging Face transformers is installed, a Gemma 2 with the same weights, hence the same function,
continues the same prompt by its `generate`: greedy, on one thread or on two, whichever is faster.

Weights are random, which makes no difference to the work.
"""

from __future__ import annotations

import argparse
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
"""Tokens of the prompt and of the text; together they fit into the context."""
TEXTS, PAIRS = 16, 9
NEVER = -1
"""A stop token that never occurs: only its length ends a text."""
AGREE = 1e-3
"""Largest difference between logits of the same function, however they are computed."""

Work = Callable[[], object]


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:  # noqa: ARG001  # all of them look alike
    """One text, greedy, against the limit; several, sampled, against one; one, greedy, against the peer. A minute."""
    config = resolve.validate(resolve.read_preset("seed", home)).model
    model = Transformer(config, VOCABULARY, torch.Generator().manual_seed(0)).eval()
    load.settle_threads(model)
    library = decode.load_in_background(home, model).result()
    malloc.keep()  # as where a model is loaded
    yield from rows(model, library, limits.peak_flops("fp32", home))


def rows(model: Transformer, library: decode.DecodeLibrary | None, flops: float) -> Iterator[Row]:
    """The same for any model on the CPU, with torch's number of threads; `flops` is the peak of all cores."""
    prompt = torch.randint(model.vocab_size, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    greedy = SampleConfig(temperature=0, max_new_tokens=TOKENS)
    drawn = SampleConfig(max_new_tokens=TOKENS)

    def one() -> object:
        return list(generate(model, prompt, greedy, NEVER, library=library))

    gemma2 = as_gemma2(model) if find_spec("transformers") else None
    if gemma2 is not None:
        yield difference_row(model, gemma2, torch.tensor([prompt]))

    pairs = _measured(one, reading(model))
    speed, limit = pairs.speeds(TOKENS)
    yield Row("generate.one", speed, "tokens/s", limit=limit, ratio=pairs.ratio, runs=PAIRS)

    pairs = _measured(
        lambda: list(generate_batch(model, prompt, drawn, range(TEXTS), NEVER, library=library)),
        lambda: list(generate(model, prompt, drawn, NEVER, library=library)),
    )
    each, alone = pairs.speeds(TOKENS)
    limit = flops / (2 * weights_per_token(model.config, model.vocab_size))
    yield Row(f"generate.{TEXTS}_at_once", TEXTS * each, "tokens/s", limit=limit, peer="one alone, drawn too",
              peer_value=alone, ratio=TEXTS * pairs.ratio, runs=PAIRS)  # fmt: skip

    if gemma2 is not None:
        theirs, peer = _best_threads(gemma2, torch.tensor([prompt]))
        pairs = _measured(limits.on_threads(torch.get_num_threads(), one), theirs)
        speed, other = pairs.speeds(TOKENS)
        yield Row("generate.one.against_hugging_face", speed, "tokens/s", peer=peer,
                  peer_value=other, ratio=pairs.ratio, runs=PAIRS)  # fmt: skip


def _measured(ours: Work, theirs: Work) -> Pairs:
    ours(), theirs()  # warm
    return in_pairs(ours, theirs, PAIRS)


def weights_per_token(config: ModelConfig, vocab_size: int) -> int:
    """Number of weights that a token is multiplied with: all but the embedding."""
    return size.block_parameters(config) + vocab_size * config.n_embd


def bytes_per_token(config: ModelConfig, vocab_size: int) -> int:
    """Bytes to read for one token: these weights and one row of the embedding, in fp32."""
    return torch.float32.itemsize * (weights_per_token(config, vocab_size) + config.n_embd)


def reading(model: Transformer) -> Work:
    """Reads as many bytes as `TOKENS` tokens need by summing numbers, which is as fast as torch reads memory."""
    numbers = torch.ones(bytes_per_token(model.config, model.vocab_size) // torch.float32.itemsize)
    return lambda: [numbers.sum() for _ in range(TOKENS)]


# ---- Hugging Face transformers ---------------------------------------------------------------------------------------


def as_gemma2(model: Transformer) -> Any:
    """The model as transformers' Gemma2ForCausalLM with the same weights, and without a stop token.

    Gemma's norms multiply by 1 + weight, so these are 0; it scales the embedding by sqrt(n_embd), which is divided out.
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
    peer.load_state_dict(weights)
    return peer


@torch.no_grad()
def difference_row(model: Transformer, peer: Any, ids: Tensor) -> Row:
    """The largest difference between the two models' logits for ids (B, T); RuntimeError if beyond rounding."""
    difference = float((model.logits(ids) - peer(ids).logits).abs().max())
    if not difference < AGREE:
        raise RuntimeError(f"The peer does not compute the same: its scores are off by up to {difference:.2g}.")
    return Row("generate.scores_differ_by", difference, "", limit=AGREE)


def _best_threads(peer: Any, ids: Tensor) -> tuple[Work, str]:
    """The peer's generation on one thread or on two, whichever is faster here, and its name."""

    def write() -> object:
        mask = torch.ones_like(ids)
        return peer.generate(ids, attention_mask=mask, max_new_tokens=TOKENS, do_sample=False, use_cache=True)

    ways = {threads: limits.on_threads(threads, write) for threads in (1, 2)}
    taken = {threads: min(seconds(way) for _ in range(2)) for threads, way in ways.items()}
    best = min(taken, key=lambda threads: taken[threads])
    version = import_module("transformers").__version__
    return ways[best], f"transformers {version}, {best} thread{'s' if best > 1 else ''}"
