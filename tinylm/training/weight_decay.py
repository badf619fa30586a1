"""Weight decay told in passes over the text: from `train.decay_epochs` to the optimizer's number."""

from __future__ import annotations

from collections.abc import Sequence

from tinylm.config.schema import Phase, RunConfig, TrainConfig
from tinylm.data.batches import Batches
from tinylm.errors import ConfigError


def weight_decay(train: TrainConfig, phase: Phase, steps_per_epoch: float) -> float:
    """The weight decay of a phase whose text takes `steps_per_epoch` steps to read once.

    AdamW's weights are an exponential moving average of its updates, which remembers tau = 1 / (lr * weight_decay)
    steps (Wang and Aitchison 2024, arXiv 2405.13698). Told in passes over the text, the best tau stays about the same
    when text, batch or rate change, and where text is scarce and read often, it is far shorter than a usual decay makes
    it (Kim et al. 2025, arXiv 2509.14786). `train.decay_epochs` is tau at the phase's highest rate; a lower rate
    remembers for longer. ConfigError where that is less than a step: the weights would swing through zero.
    """
    if train.decay_epochs is None:
        return train.weight_decay
    tau = train.decay_epochs * steps_per_epoch
    if tau < 1:
        raise ConfigError(
            f"train.decay_epochs={train.decay_epochs:g} passes over the text are {tau:.2g} steps, "
            "and weights remember one at least.",
            f"Give {1 / steps_per_epoch:.2g} or more, or make the steps smaller (train.batch_size).",
        )
    return 1 / (phase.max_lr * tau)


def weight_decays(config: RunConfig, batches: Sequence[Batches]) -> list[float]:
    """Each phase's weight decay, which may depend on how long its text is; ConfigError where it cannot be."""
    train = config.train
    return [
        weight_decay(train, phase, part.stream.tokens / config.tokens_per_step)
        for phase, part in zip(train.phases, batches, strict=True)
    ]


def told(config: RunConfig, decays: Sequence[float]) -> str:
    """What `train.decay_epochs` comes to, as a sentence."""
    each = [f"{decay:.4g} in {phase.name}" for phase, decay in zip(config.train.phases, decays, strict=True)]
    number = f"{decays[0]:.4g}" if len(set(decays)) == 1 else ", ".join(each)
    return f"The weights remember {config.train.decay_epochs:g} passes over the text: weight decay is {number}."
