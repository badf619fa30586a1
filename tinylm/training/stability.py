"""How a training fares: steps that come out as no number, a held-out loss that rises, the patience that ends a run.

All that is remembered lies in TrainState, so that a resumed run decides as the undisturbed one would have.
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
"""Steps in a row without a finite loss and gradient that a training gets over; one more, and it has diverged."""

BAD_STEPS_FP16 = 20
"""The same in fp16, which feels for its loss scale that way."""

SPIKE_SIGMAS, SPIKE_NATS, SPIKE_STEPS = 6.0, 0.5, 50
"""A loss this many deviations, and so many nats, above the mean of late is a spike; one that lasts so many steps is no
chance any more. The mean is over the last CALM_STEPS or so that were no spike, and needs as many to be trusted."""

CALM_STEPS = 50

MAX_RESCUES = 3

SLOWER = 0.5
"""What a rescue multiplies the learning rate with."""

RISE = 1.005
"""A held-out loss this many times the best one is worse by more than chance."""

RISES = 2
"""So many of them in a row are a turn."""


class Diverging(Exception):  # noqa: N818  # no end yet: the training is rescued
    """The training has gone astray, as was seen at `step`; `what` says by what."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(step, what)
        self.step, self.what = step, what


def stepped(state: TrainState, step: int, loss: float, finite: bool, precision: Precision) -> Warned | None:
    """Take in a step; `finite`: its loss and gradient are.

    A first bad one is worth a warning. Diverging is raised after too many in a row, or where the loss stays high.
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
    """Take in a loss; how many in a row are high."""
    above = loss - state.calm_loss
    limit = max(SPIKE_NATS, SPIKE_SIGMAS * math.sqrt(state.calm_variance))
    if state.calm_steps >= CALM_STEPS and above > limit:
        state.high_steps += 1
        return state.high_steps
    state.high_steps, state.calm_steps = 0, state.calm_steps + 1
    weight = 1 / min(state.calm_steps, CALM_STEPS)  # a plain mean at first, then one that forgets
    state.calm_loss += weight * above
    state.calm_variance = (1 - weight) * (state.calm_variance + weight * above**2)
    return 0


def new_phase(state: TrainState) -> None:
    """A phase has begun, maybe with other text or other rates: the losses before say nothing of its own."""
    state.calm_steps, state.calm_loss, state.calm_variance, state.high_steps = 0, 0.0, 0.0, 0


def may_be_saved(state: TrainState, precision: Precision) -> bool:
    """Whether a checkpoint of now is one to go back to: not while steps go wrong, but where it measured best."""
    calm = (state.bad_steps == 0 or precision == "fp16") and state.high_steps == 0
    return calm or state.best_step == state.step


def rescued(state: TrainState, found: Diverging, before: TrainState) -> Rescued:
    """Slow a training down that is back at a checkpoint (`state`) after it had diverged (`before`)."""
    state.rescues, state.lr_scale = before.rescues + 1, before.lr_scale * SLOWER
    state.bad_steps, state.high_steps = 0, 0
    place = f"to step {state.step:,}" if state.step else "to the beginning"
    return Rescued(
        step=found.step,
        back_to=state.step,
        rescue=state.rescues,
        lr_scale=state.lr_scale,
        message=f"At step {found.step:,} {found.what}. The run went back {place} and goes on with "
        f"{state.lr_scale:g} times the learning rate (rescue {state.rescues} of {MAX_RESCUES}).",
    )


def check_rescuable(state: TrainState, step: int) -> None:
    """DivergedError where a training that diverged at `step` has been rescued often enough."""
    if state.rescues >= MAX_RESCUES:
        raise DivergedError(
            f"The training diverged again at step {step:,}, and {MAX_RESCUES} rescues did not help.",
            "Start again with a lower learning rate (train.phases.0.max_lr); the last checkpoint is kept.",
        )


def evaluated(state: TrainState, train_loss: float | None, val: Score) -> bool:
    """Take in an evaluation; returns whether it is the best so far. Without held-out text there is none."""
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


def risen(state: TrainState, train_loss: float | None, val_loss: float | None, patience: int) -> Warned | None:
    """A warning, once until the next best, where the held-out loss rises and that on training text goes on falling."""
    if state.rising < RISES or state.rise_told or out_of_patience(state, patience):
        return None
    if train_loss is None or state.best_train_loss is None or not train_loss < state.best_train_loss:
        return None
    state.rise_told = True
    return Warned(
        title="The held-out loss rises",
        message=f"Since step {state.best_step:,} it went from {state.best_val_loss:.3f} to {val_loss:.3f}, and that on "
        f"the training text fell from {state.best_train_loss:.3f} to {train_loss:.3f}: the model begins to learn its "
        "text by heart.",
        hint=f"The checkpoint of step {state.best_step:,} is kept as the best. More text, a smaller model or "
        "model.dropout help; train.patience ends such a run by itself.",
    )


def out_of_patience(state: TrainState, patience: int) -> bool:
    """Whether so many evaluations in a row brought nothing better that the run ends early."""
    return 0 < patience <= state.since_best


def reopened(state: TrainState, config: TrainConfig) -> None:
    """Be patient anew with a run that ended early and is given another budget."""
    if out_of_patience(state, config.patience) and state.budget != config.budget:
        state.since_best = 0
