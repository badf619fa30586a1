"""Makes the parts of a training from a configuration: batches, the first model, the first state."""

from __future__ import annotations

import torch

from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.data.shuffle import mix
from tinylm.errors import CheckpointError
from tinylm.model.transformer import Transformer
from tinylm.runs.checkpoint import TrainState


def batches_of(config: RunConfig, corpus: Corpus) -> list[Batches]:
    """The batches of each phase; DataError where its texts are too short for the model's context."""
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


def first_model(config: RunConfig, corpus: Corpus) -> Transformer:
    """The model as its seed makes it."""
    return Transformer(config.model, corpus.tokenizer.vocab_size, torch.Generator().manual_seed(config.train.seed))


def first_state(precision: str) -> TrainState:
    """Where a run stands before its first step."""
    return TrainState(loss_scale=2.0**16 if precision == "fp16" else 1.0)


def _set_aside(faults: list[CheckpointError]) -> list[str]:
    """What there is to tell of checkpoints that did not verify."""
    return [f"{fault.message} It was set aside, and the one before is used." for fault in faults]
