"""`--bench generate`: how fast a model of the reference recipe's shape writes on this machine's CPU.

**The limit.** For one token each weight of the blocks and of the head is read once, and one row of the embedding. Those
bytes do not fit into a core's cache, so a step cannot take less than it takes to read them: measured in the same pairs,
as the sum of that many numbers, on as many threads. (Texts side by side share the reading and are bound by arithmetic
instead; of them it is said how many times faster than one they are together.)

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

from tinylm import counting, load, settings
from tinylm.bench.pairs import Pairs, in_pairs, seconds
from tinylm.bench.rows import Row
from tinylm.config import ModelConfig, SampleConfig
from tinylm.counting import MLP_RATIO
from tinylm.generate import choose_tokens, choose_variants
from tinylm.model import Transformer

VOCABULARY = 5000
PROMPT, TOKENS = 16, 200
"""Read, then written; together within the block."""
TEXTS, PAIRS = 16, 9
NEVER = -1
"""No token: nothing stops a text but its length."""
AGREE = 1e-3
"""Scores of the same function differ by less, however they are computed."""

Work = Callable[[], object]


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:  # noqa: ARG001
    """One text against the limit, texts side by side against one, and one against the peer; takes about a minute."""
    config = settings.validate(settings.read_preset("seed", home)).model
    model = Transformer(config, VOCABULARY, torch.Generator().manual_seed(0)).eval()
    load.settle_threads(model)
    yield from rows(model)


def rows(model: Transformer) -> Iterator[Row]:
    """The same, for any model on the CPU, on the threads that are set."""
    prompt = torch.randint(model.vocab_size, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    greedy = SampleConfig(temperature=0, max_new_tokens=TOKENS)
    drawn = SampleConfig(max_new_tokens=TOKENS)

    def one() -> object:
        return list(choose_tokens(model, prompt, greedy, NEVER))

    gemma = as_gemma2(model) if find_spec("transformers") else None
    if gemma is not None:
        yield _difference(model, gemma, torch.tensor([prompt]))

    pairs = _measured(one, reading(model))
    speed, limit = _speeds(pairs)
    yield Row("one text, greedy", speed, "tokens/s", limit=limit, ratio=pairs.ratio, runs=PAIRS)

    pairs = _measured(
        lambda: list(choose_variants(model, prompt, drawn, range(TEXTS), NEVER)),
        lambda: list(choose_tokens(model, prompt, drawn, NEVER)),
    )
    together, alone = TEXTS * _speeds(pairs)[0], _speeds(pairs)[1]
    ratio, name = TEXTS * pairs.ratio, f"{TEXTS} texts at once, drawn"
    yield Row(name, together, "tokens/s", peer="one text, drawn", peer_value=alone, ratio=ratio, runs=PAIRS)

    if gemma is not None:
        theirs, peer = _best_threads(gemma, torch.tensor([prompt]))
        pairs = _measured(_on_threads(torch.get_num_threads(), one), theirs)
        speed, other = _speeds(pairs)
        yield Row("one text, greedy", speed, "tokens/s", peer=peer, peer_value=other, ratio=pairs.ratio, runs=PAIRS)


def _measured(ours: Work, theirs: Work) -> Pairs:
    ours(), theirs()  # warm
    return in_pairs(ours, theirs, PAIRS)


def _speeds(pairs: Pairs) -> tuple[float, float]:
    """Tokens per second of a text, each way's median."""
    return TOKENS / statistics.median(pairs.ours), TOKENS / statistics.median(pairs.theirs)


def bytes_per_token(config: ModelConfig, vocab_size: int) -> int:
    """What has to be read to write one token: all weights but the embedding, and one row of that; fp32."""
    return torch.float32.itemsize * (counting.layers(config) + (vocab_size + 1) * config.n_embd)


def reading(model: Transformer) -> Work:
    """Reads as many bytes as `TOKENS` tokens need, as fast as torch reads anything: summing them."""
    numbers = torch.ones(bytes_per_token(model.config, model.vocab_size) // torch.float32.itemsize)
    return lambda: [numbers.sum() for _ in range(TOKENS)]


# ---- Hugging Face transformers ---------------------------------------------------------------------------------------


def as_gemma2(model: Transformer) -> Any:
    """The model as transformers' Gemma2ForCausalLM, which is the same function without its soft caps.

    Its norms multiply by 1 + weight and its embedding by sqrt(n_embd): weights of 0, and an embedding divided by that.
    """
    config = model.config
    assert model.head is not None
    assert not config.qk_norm
    transformers = import_module("transformers")
    gemma = transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(
            vocab_size=model.vocab_size,
            hidden_size=config.n_embd,
            intermediate_size=MLP_RATIO * config.n_embd,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            num_key_value_heads=config.n_kv_head,
            head_dim=config.head_size,
            query_pre_attn_scalar=config.head_size,
            max_position_embeddings=config.block_size,
            sliding_window=config.block_size,
            layer_types=["full_attention"] * config.n_layer,
            rms_norm_eps=config.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
            tie_word_embeddings=False,
            attn_logit_softcapping=None,
            final_logit_softcapping=None,
            bos_token_id=None,
            eos_token_id=None,  # nothing stops it either
            pad_token_id=None,
        )
    ).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in gemma.state_dict().items() if "norm" in name}
    weights["model.embed_tokens.weight"] = model.embedding.weight.detach() / config.n_embd**0.5
    weights["lm_head.weight"] = model.head.weight.detach()
    heads = [n * config.head_size for n in (config.n_head, config.n_kv_head, config.n_kv_head)]
    for name, weight in model.blocks.state_dict().items():  # 0.attention.qkv.weight
        layer, _, kind, _ = name.split(".")
        parts = {
            "qkv": (["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], heads),
            "out": (["self_attn.o_proj"], [config.n_embd]),
            "gate_up": (["mlp.gate_proj", "mlp.up_proj"], [MLP_RATIO * config.n_embd] * 2),
            "down": (["mlp.down_proj"], [config.n_embd]),
        }
        for part, rows_ in zip(parts[kind][0], torch.split(weight, parts[kind][1]), strict=True):
            weights[f"model.layers.{layer}.{part}.weight"] = rows_
    gemma.load_state_dict(weights)  # strict: none is missing, none is too many
    return gemma


@torch.no_grad()
def _difference(model: Transformer, gemma: Any, ids: Tensor) -> Row:
    """How far the two models' scores are apart at most; RuntimeError where that is more than rounding."""
    difference = float((model.logits(ids) - gemma(ids).logits).abs().max())
    if not difference < AGREE:
        raise RuntimeError(f"The peer does not compute the same: its scores are off by up to {difference:.2g}.")
    return Row("largest difference of the scores", difference, "", limit=AGREE)


def _best_threads(gemma: Any, ids: Tensor) -> tuple[Work, str]:
    """Its way to write, on one thread or on two, whichever is faster here, and what it is called."""

    def write() -> object:
        return gemma.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False)

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
