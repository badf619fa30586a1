"""Builds the parts of a training from its configuration: batches, initial model, initial state."""

from __future__ import annotations

import torch

from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.data.shuffle import mix
from tinylm.model.transformer import Transformer
from tinylm.runs.checkpoint import TrainState


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


def initial_state(precision: str) -> TrainState:
    """The state of a run before its first step."""
    return TrainState(loss_scale=2.0**16 if precision == "fp16" else 1.0)
