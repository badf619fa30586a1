"""How a training fares: steps that come out as no number, a held-out loss that rises, the patience that ends a run.

All that is remembered lies in TrainState, so that a resumed run decides as the undisturbed one would have.
"""

from __future__ import annotations

import math

from tinylm.checkpoint import TrainState
from tinylm.config import TrainConfig
from tinylm.device import Precision
from tinylm.errors import DivergedError
from tinylm.evaluate import Score
from tinylm.events import Rescued, Warned

BAD_STEPS = 2
"""Steps in a row without a finite loss and gradient that a training gets over; one more, and it has diverged."""

BAD_STEPS_FP16 = 20
"""The same in fp16, which feels for its loss scale that way."""

MAX_RESCUES = 3

SLOWER = 0.5
"""What a rescue multiplies the learning rate with."""

RISE = 1.005
"""A held-out loss this many times the best one is worse by more than chance."""

RISES = 2
"""So many of them in a row are a turn."""


class Diverging(Exception):  # noqa: N818  # no end yet: the training is rescued
    """Too many steps in a row had no finite loss or gradient; the last of them was `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def stepped(state: TrainState, step: int, finite: bool, precision: Precision) -> Warned | None:
    """Take in a step; a first bad one is worth a warning, and Diverging is raised after too many in a row."""
    state.bad_steps = 0 if finite else state.bad_steps + 1
    allowed = BAD_STEPS_FP16 if precision == "fp16" else BAD_STEPS
    if state.bad_steps > allowed:
        raise Diverging(step)
    if state.bad_steps != 1 or precision == "fp16":
        return None
    return Warned(
        title="A step was left out",
        message=f"At step {step} the loss or the gradient is not a finite number; it was not applied.",
        hint=f"Should {BAD_STEPS + 1} in a row be so, the run goes back and on with a lower learning rate.",
    )


def may_be_saved(state: TrainState, precision: Precision) -> bool:
    """Whether a checkpoint of now is one to go back to: not while steps are left out, but where it measured best."""
    return state.bad_steps == 0 or precision == "fp16" or state.best_step == state.step


def rescued(state: TrainState, step: int, before: TrainState) -> Rescued:
    """Slow a training down that is back at a checkpoint (`state`) after it had diverged at `step` (`before`)."""
    state.rescues, state.lr_scale, state.bad_steps = before.rescues + 1, before.lr_scale * SLOWER, 0
    place = f"to step {state.step:,}" if state.step else "to the beginning"
    return Rescued(
        step=step,
        back_to=state.step,
        rescue=state.rescues,
        lr_scale=state.lr_scale,
        message=f"At step {step:,} the loss or the gradient was not a finite number once too often. The run went back "
        f"{place} and goes on with {state.lr_scale:g} times the learning rate "
        f"(rescue {state.rescues} of {MAX_RESCUES}).",
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
