"""Detects divergence (steps that are not finite, loss spikes), overfitting, and when to stop early.

All memory is in TrainState, so that a resumed run decides as the uninterrupted one.
"""

from __future__ import annotations

import math

from tinylm.config.schema import TrainConfig
from tinylm.errors import DivergedError
from tinylm.events import Rescued, Warned
from tinylm.hardware.device import Precision
from tinylm.runs.checkpoint import TrainState
from tinylm.training.evaluate import Score

BAD_STEPS = 2
"""Steps in a row without finite loss and gradient that are only skipped; one more is divergence."""

BAD_STEPS_FP16 = 20
"""The same in fp16, where such steps also adjust the loss scale."""

SPIKE_SIGMAS, SPIKE_NATS, SPIKE_STEPS = 6.0, 0.5, 50
"""A loss is a spike if it is both so many standard deviations and so many nats above the running mean. A spike that
lasts SPIKE_STEPS is divergence, not noise."""

MEAN_STEPS = 50
"""Horizon of the running mean, which leaves spikes out; it is trusted after as many steps."""

MAX_ROLLBACKS = 3

LR_FACTOR = 0.5
"""A rollback multiplies the learning rate by this factor."""

RISE = 1.005
"""A held-out loss above this multiple of the best one is worse by more than noise."""

RISES = 2
"""This many of them in a row are overfitting."""


class Diverging(Exception):  # noqa: N818  # not an error: the training rolls back
    """The training has diverged, as seen at `step`; `what` is the reason."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(step, what)
        self.step, self.what = step, what


def record_step(state: TrainState, step: int, loss: float, finite: bool, precision: Precision) -> Warned | None:
    """Record a step; `finite`: its loss and gradient norm are finite.

    Returns a warning for the first bad step. Raises Diverging after too many in a row, or where the loss stays high.
    """
    state.bad_steps = 0 if finite else state.bad_steps + 1
    allowed = BAD_STEPS_FP16 if precision == "fp16" else BAD_STEPS
    if state.bad_steps > allowed:
        raise Diverging(step, "the loss or the gradient was not a finite number once too often")
    if finite and _spikes(state, loss) > SPIKE_STEPS:
        raise Diverging(step, f"the loss had been far above {state.calm_loss:.2f} nats for {SPIKE_STEPS} steps")
    if state.bad_steps != 1 or precision == "fp16":
        return None
    return Warned(
        title="A step was left out",
        message=f"At step {step} the loss or the gradient is not a finite number; it was not applied.",
        hint=f"Should {BAD_STEPS + 1} in a row be so, the run goes back and on with a lower learning rate.",
    )


def _spikes(state: TrainState, loss: float) -> int:
    """Record a finite loss; returns how many in a row have been spikes."""
    above = loss - state.calm_loss
    limit = max(SPIKE_NATS, SPIKE_SIGMAS * math.sqrt(state.calm_variance))
    if state.calm_steps >= MEAN_STEPS and above > limit:
        state.high_steps += 1
        return state.high_steps
    state.high_steps, state.calm_steps = 0, state.calm_steps + 1
    weight = 1 / min(state.calm_steps, MEAN_STEPS)  # a plain mean at first, then an exponential one
    state.calm_loss += weight * above
    state.calm_variance = (1 - weight) * (state.calm_variance + weight * above**2)
    return 0


def new_phase(state: TrainState) -> None:
    """Reset the running mean: a new phase may have other text or another learning rate."""
    state.calm_steps, state.calm_loss, state.calm_variance, state.high_steps = 0, 0.0, 0.0, 0


def may_be_saved(state: TrainState, precision: Precision) -> bool:
    """Whether the current weights are worth a checkpoint: no bad step or spike in progress, or the best evaluation."""
    healthy = (state.bad_steps == 0 or precision == "fp16") and state.high_steps == 0
    return healthy or state.best_step == state.step


def apply_rollback(state: TrainState, cause: Diverging, before: TrainState) -> Rescued:
    """Lower the learning rate after a rollback from the state `before` to the checkpoint's `state`."""
    state.rescues, state.lr_scale = before.rescues + 1, before.lr_scale * LR_FACTOR
    state.bad_steps, state.high_steps = 0, 0
    target = f"to step {state.step:,}" if state.step else "to the beginning"
    return Rescued(
        step=cause.step,
        back_to=state.step,
        rescue=state.rescues,
        lr_scale=state.lr_scale,
        message=f"At step {cause.step:,} {cause.what}. The run went back {target} and goes on with "
        f"{state.lr_scale:g} times the learning rate (rescue {state.rescues} of {MAX_ROLLBACKS}).",
    )


def check_rollbacks(state: TrainState, step: int) -> None:
    """DivergedError if a training that diverged at `step` has used up its rollbacks."""
    if state.rescues >= MAX_ROLLBACKS:
        raise DivergedError(
            f"The training diverged again at step {step:,}, and {MAX_ROLLBACKS} rescues did not help.",
            "Start again with a lower learning rate (max_lr of that phase); the last checkpoint is kept.",
        )


def record_evaluation(state: TrainState, train_loss: float | None, val: Score) -> bool:
    """Record an evaluation; returns whether it is the best so far. Without held-out text none is."""
    if val.loss is None:
        return False
    if math.isfinite(val.loss) and (state.best_val_loss is None or val.loss < state.best_val_loss):
        state.best_val_loss, state.best_val_bpb, state.best_step = val.loss, val.bpb, state.step
        state.best_train_loss = train_loss if train_loss is not None and math.isfinite(train_loss) else None
        state.since_best, state.rising, state.rise_told = 0, 0, False
        return True
    state.since_best += 1
    state.rising = state.rising + 1 if state.best_val_loss and val.loss > RISE * state.best_val_loss else 0
    return False


def overfitting(state: TrainState, train_loss: float | None, val_loss: float | None, patience: int) -> Warned | None:
    """A warning if the held-out loss rises while the training loss falls; only one until the next best evaluation."""
    if state.rising < RISES or state.rise_told or out_of_patience(state, patience):
        return None
    if train_loss is None or state.best_train_loss is None or not train_loss < state.best_train_loss:
        return None
    state.rise_told = True
    end = f"after {patience} measurements without" if patience else "with train.patience=3 it ends after three without"
    return Warned(
        title="The held-out loss rises",
        message=f"Since step {state.best_step:,} it went from {state.best_val_loss:.3f} to {val_loss:.3f}, and that on "
        f"the training text fell from {state.best_train_loss:.3f} to {train_loss:.3f}: the model begins to learn its "
        "text by heart.",
        hint=f"The checkpoint of step {state.best_step:,} is kept as the best. More text helps; {end} a better one.",
    )


def out_of_patience(state: TrainState, patience: int) -> bool:
    """Whether to stop early: `patience` evaluations in a row were not the best (0 never stops)."""
    return 0 < patience <= state.since_best


def reset_patience(state: TrainState, config: TrainConfig) -> None:
    """Give a run that stopped early its full patience again if its budget has changed."""
    if out_of_patience(state, config.patience) and state.budget != config.budget:
        state.since_best = 0
