"""`--bench train`: optimizer steps of the reference model, against the machine's limit and against peers.

The limit is the time of a step's matrix products alone (`limits.py`). Figures are training tokens per second; every
ratio is the median of alternating pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tinylm.bench import limits
from tinylm.bench.pairs import in_pairs, seconds
from tinylm.bench.rows import Row
from tinylm.config import flags, resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError
from tinylm.hardware.device import Precision, choose_device, choose_precision, has_fast_bf16, measure_threads
from tinylm.kernels import compiler, train_pass
from tinylm.model import size
from tinylm.model.transformer import Transformer
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

PAIRS = 5
GPU_STEPS = 50
"""Steps of a GPU between two synchronisations; a training synchronises ten times a second."""

Step = Callable[[], object]


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """Measure the preset `seed`, or what the flags say. About four minutes."""
    if options.preset is None and options.config is None:
        options.preset = "seed"
    config = resolve.with_values(flags.configuration(options, home, None), train={"compile": "off"})
    device = choose_device(config.train.device)
    vocab_size = {"bpe": config.tokenizer.vocab_size, "char": 100, "byte": 257}[config.tokenizer.kind]
    steps = 1 if device.type == "cpu" else GPU_STEPS
    tokens = steps * config.tokens_per_step
    for precision in _precisions(config, device):
        ours = _stepper(config, vocab_size, precision)
        if device.type == "cuda":
            ours.capture()
        take = _repeated_step(ours, vocab_size)
        threads = _best_threads(config, device, ours)
        name = f"train.{precision}"
        limit = 1 / limits.products(config.model, vocab_size, precision) if device.type == "cpu" else None
        eager = tokens / min(seconds(take) for _ in range(3))
        yield Row(f"{name}.eager", eager, "tokens/s", limit=limit, ratio=eager / limit if limit else None, runs=3)
        if device.type == "cpu" and _compile(ours, threads, home):
            take()
        yield from _against_plain(config, vocab_size, precision, take, tokens, limit, home)
        yield from _against_hugging_face(config, vocab_size, precision, take, tokens, steps)


def _precisions(config: RunConfig, device: torch.device) -> list[Precision]:
    if config.train.precision != "auto":
        chosen: list[Precision] = [choose_precision(config.train.precision, device)]
        return [*chosen, "bf16"] if device.type == "cpu" and has_fast_bf16() and chosen == ["fp32"] else chosen
    return ["fp32", "bf16"] if device.type != "cpu" or has_fast_bf16() else ["fp32"]


def _stepper(config: RunConfig, vocab_size: int, precision: Precision, **model: object) -> Stepper:
    config = resolve.with_values(config, model=model)
    device = choose_device(config.train.device)
    transformer = Transformer(config.model, vocab_size, torch.Generator().manual_seed(0)).to(device)
    return Stepper(config, transformer, Optimizer(transformer, config.train), precision)


def _repeated_step(stepper: Stepper, vocab_size: int) -> Step:
    """A step on random tokens, and a synchronisation; on a GPU, GPU_STEPS steps."""
    config = stepper.config
    count = config.train.sequences_per_step
    generator = torch.Generator().manual_seed(0)
    sequences = torch.randint(vocab_size, (count, config.model.block_size + 1), generator=generator).to(stepper.device)
    steps = 1 if stepper.device.type == "cpu" else GPU_STEPS

    def take() -> list[float]:
        results = [stepper.take(1, 1e-5, 0.1, sequences[:, :-1], sequences[:, 1:]) for _ in range(steps)]
        last: list[float] = results[-1].tolist()
        return last

    return take


def _best_threads(config: RunConfig, device: torch.device, stepper: Stepper) -> int:
    if device.type != "cpu":
        return torch.get_num_threads()
    if isinstance(config.train.threads, int):
        torch.set_num_threads(config.train.threads)
        return config.train.threads
    ids = torch.zeros(stepper.micro_batch_size, config.model.block_size, dtype=torch.int64)
    best, _ = measure_threads(lambda: stepper.gradients(1, ids, ids))
    return best


def _compile(stepper: Stepper, threads: int, home: Path) -> bool:
    try:
        if not compiler.library_path(home, train_pass.SOURCE).exists():
            print("Compiling …", file=sys.stderr, flush=True)
        stepper.use(compiler.load_or_build(home, train_pass.SOURCE, train_pass.check), threads)
    except (OSError, RuntimeError) as error:
        print(f"Compiling does not work here: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _against_plain(
    config: RunConfig,
    vocab_size: int,
    precision: Precision,
    take: Step,
    tokens: int,
    limit: float | None,
    home: Path,
) -> Iterator[Row]:
    """Against a plain implementation: eager fp32, the whole batch at once, dropout on attention weights too."""
    plain = _stepper(config, vocab_size, "fp32", attention_dropout=config.model.dropout)
    plain.micro_batch_size = config.train.batch_size
    other = _repeated_step(plain, vocab_size)
    other()
    pairs = in_pairs(take, other, PAIRS)
    ours, theirs = pairs.speeds(tokens)
    name = f"train.{precision}"
    yield Row(name, ours, "tokens/s", limit=limit, ratio=ours / limit if limit else None, runs=PAIRS)
    yield Row(f"{name}.against_plain", ours, "tokens/s", peer="plain eager fp32, attention dropped too",
              peer_value=theirs, ratio=pairs.ratio, runs=PAIRS)  # fmt: skip
    used = ours * size.flops_per_token(config.model, vocab_size)
    if limit:
        peak = limits.peak_flops(precision, home)
        yield Row(f"{name}.flops", used / 1e9, "GFLOP/s", limit=peak / 1e9, ratio=used / peak, runs=PAIRS)


def _against_hugging_face(
    config: RunConfig, vocab_size: int, precision: Precision, take: Step, tokens: int, steps: int
) -> Iterator[Row]:
    from tinylm.bench.gemma import HuggingFace  # noqa: PLC0415  # an optional peer

    try:
        peer = HuggingFace(config, vocab_size, precision)
    except (ImportError, ConfigError) as error:
        print(f"Without Hugging Face transformers: {error}", file=sys.stderr, flush=True)
        return
    peer.take()
    pairs = in_pairs(take, lambda: [peer.take() for _ in range(steps)], PAIRS)
    ours, theirs = pairs.speeds(tokens)
    yield Row(f"train.{precision}.against_hugging_face", ours, "tokens/s", peer="Gemma2, compiled, without dropout",
              peer_value=theirs, ratio=pairs.ratio, runs=PAIRS)  # fmt: skip
