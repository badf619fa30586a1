"""Builds the parts of a training from its configuration: batches, initial model, initial loss scale."""

from __future__ import annotations

import torch

from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.data.shuffle import mix
from tinylm.model.transformer import Transformer


def batches_of(config: RunConfig, corpus: Corpus) -> list[Batches]:
    """The batches of each phase; DataError where a phase's texts are too short for the model's context."""
    train = config.train
    return [
        Batches(
            corpus.stream(prepare.group_name(phase.sources or config.data.sources), config.model.block_size),
            config.data.windows,
            train.sequences_per_step,
            mix(train.seed, number),
        )
        for number, phase in enumerate(train.phases)
    ]


def initial_model(config: RunConfig, corpus: Corpus) -> Transformer:
    """The model with the random weights that `train.seed` gives."""
    return Transformer(config.model, corpus.tokenizer.vocab_size, torch.Generator().manual_seed(config.train.seed))


def initial_loss_scale(precision: str) -> float:
    """The loss scale before the first step: 1 in all precisions but fp16."""
    return 2.0**16 if precision == "fp16" else 1.0
