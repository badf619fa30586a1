"""Measures threads, precision and seconds a step before a training."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import NamedTuple

import torch

from tinylm.config import resolve
from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.data.batches import Batches, Corpus
from tinylm.hardware import autotune, device, memory
from tinylm.hardware.device import Precision
from tinylm.kernels import train_pass
from tinylm.model import dropout
from tinylm.model.transformer import Transformer
from tinylm.planning import sizing
from tinylm.training import backend, memory_check
from tinylm.training.build import batches_of, first_model

REHEARSAL_TOKENS = 1024
"""Tokens in the forward and backward pass by which thread counts are compared and the first plan is made."""


def settled(config: RunConfig, corpus: Corpus, place: torch.device, home: Path) -> tuple[RunConfig, list[str]]:
    """The configuration with the numbers that `train.fit` chooses, and what there is to tell of it; else as it was.

    The preset's own model is timed for that, and the precision that suits it is kept.
    """
    if not sizing.wanted(config):
        return (resolve.with_values(config, train={"fit": False}) if config.train.fit else config), []
    vocab_size = corpus.tokenizer.vocab_size
    memory_check.refuse_giants(config, vocab_size, memory.free(place))
    model, (batches, *_) = first_model(config, corpus).to(place), batches_of(config, corpus)
    measured = _measured(config, model, batches, home)
    choice = measured.choice
    # The first may be cold.
    seconds = min(autotune.timed(measured.rehearse, choice.precision) for _ in range(2))
    gain, lost = backend.gain(config.train, place, choice.precision, measured.native)
    stream = batches.stream
    text = sizing.Text(stream.tokens, stream.document())
    chosen = sizing.fitted(config, vocab_size, text, seconds / measured.tokens / gain, lost)
    # Of another size, threads are measured again: the least ones want one.
    same = all(getattr(chosen.config.model, name) == getattr(config.model, name) for name in ("n_layer", "n_embd"))
    known = {"precision": choice.precision} | ({"threads": choice.threads} if same else {})
    told = [chosen.in_words(), *([choice.note] if same and choice.note else [])]
    return resolve.with_values(chosen.config, train=known), told


class _Measured(NamedTuple):
    """What was chosen for a model by timing small passes, and these."""

    choice: autotune.Choice
    rehearse: autotune.Rehearse
    tokens: int
    """Of a small pass."""
    native: bool
    """Whether it is one of our own code."""


def _measured(config: RunConfig, model: Transformer, batches: Batches, home: Path) -> _Measured:
    rehearse, tokens, native_ = _small_pass(config, model, batches, home)
    shape, place = autotune.shape(config, model.vocab_size, native_), model.embedding.weight.device
    to_compile = config.train.compile != "off" and not native_
    return _Measured(autotune.choose(config.train, place, rehearse, home, shape, to_compile), rehearse, tokens, native_)


def _small_pass(
    config: RunConfig, model: Transformer, batches: Batches, home: Path
) -> tuple[autotune.Rehearse, int, bool]:
    """A forward and backward pass of the first of a run's windows, how many tokens it has, and whether it is native.

    That is where the code is there; each core has a window then. On a CUDA device it has the whole batch.
    """
    code = train_pass.load_if_built(config, model.embedding.weight.device, home)
    rows = max(1, min(config.train.batch_size, REHEARSAL_TOKENS // config.model.block_size))
    if code:
        rows = max(rows, min(config.train.batch_size, device.cores()))
    elif model.embedding.weight.device.type == "cuda":  # where a small pass is as long as its launches take
        rows = config.train.batch_size
    ids, targets = (part[:rows] for part in batches.draw(0))
    noise = dropout.key(0, 0, ids.device) if config.model.dropout else None
    return train_pass.pass_to_time(code, model, ids, targets, noise), ids.numel(), code is not None


ROWS, VOCABULARY = 4, 2048
"""The forward and backward pass that is timed: at least so many windows, and one for each core."""


def threads(config: ModelConfig, limit: float = device.MEASURE_SECONDS) -> tuple[int, dict[int, int]]:
    """The thread count at which a model of this shape trains fastest on the CPU, and tokens per second by count."""
    speeds = {count: speed for (_, count), speed in _speeds(config, ["fp32"], limit, None).items()}
    return max(speeds, key=lambda count: speeds[count]), speeds


def _speeds(
    config: ModelConfig, precisions: list[Precision], limit: float, code: ctypes.CDLL | None
) -> dict[tuple[Precision, int], int]:
    """Training tokens per second on the CPU, by precision and threads, of a small pass: by our own code, or eager."""
    model = Transformer(config, VOCABULARY, torch.Generator().manual_seed(0))
    ids = torch.zeros(max(ROWS, device.cores()), config.block_size, dtype=torch.int64)
    work = train_pass.pass_to_time(code, model, ids, ids, None)
    seconds = autotune.measure(work, precisions, limit=limit)
    return {which: round(ids.numel() / took) for which, took in sorted(seconds.items())}
