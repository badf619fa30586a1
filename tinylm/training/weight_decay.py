"""From `train.decay_epochs`, a weight decay in epochs, to the optimizer's weight decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinylm.config.schema import Phase, RunConfig, TrainConfig
from tinylm.data.batches import Batches
from tinylm.errors import ConfigError
from tinylm.words import passes


def weight_decay(train: TrainConfig, phase: Phase, steps_per_epoch: float) -> float:
    """The weight decay of a phase whose epoch has `steps_per_epoch` steps.

    AdamW's weights are an EMA of its updates with a time constant of tau = 1 / (lr * weight_decay) steps (Wang and
    Aitchison 2024, arXiv 2405.13698). In epochs, the best tau stays about the same when text, batch or learning rate
    change, and where a small text is read often it is far shorter than usual weight decays make it (Kim et al. 2025,
    arXiv 2509.14786). `train.decay_epochs` is tau at the phase's highest learning rate; at lower ones tau is longer.
    ConfigError where tau is less than a step: the weights would change sign.
    """
    if train.decay_epochs is None:
        return train.weight_decay
    tau = train.decay_epochs * steps_per_epoch
    if tau < 1:
        raise ConfigError(
            f"train.decay_epochs={train.decay_epochs:g} is {tau:.2g} of a step, and weights remember one at least.",
            f"Give {math.ceil(1000 / steps_per_epoch) / 1000:g} or more, or make the steps smaller (train.batch_size).",
        )
    return 1 / (phase.max_lr * tau)


def weight_decays(config: RunConfig, batches: Sequence[Batches]) -> list[float]:
    """The weight decay of each phase; ConfigError as in `weight_decay`."""
    train = config.train
    return [
        weight_decay(train, phase, part.stream.tokens / config.tokens_per_step)
        for phase, part in zip(train.phases, batches, strict=True)
    ]


def in_words(config: RunConfig, decays: Sequence[float]) -> str:
    """The weight decay that `train.decay_epochs` gives, as a sentence."""
    each = [f"{decay:.4g} in {phase.name}" for phase, decay in zip(config.train.phases, decays, strict=True)]
    assert config.train.decay_epochs is not None
    number = f"{decays[0]:.4g}" if len(set(decays)) == 1 else ", ".join(each)
    return f"The weights remember {passes(config.train.decay_epochs)} over the text: weight decay is {number}."
