"""A few real steps before a run: what it will take, in time, memory and room on the disk.

Nothing is left behind but the prepared text in the cache, which the run will use. The way goes from small to large: a
step that would take long, or would not fit into the memory, is measured on some of its windows and scaled up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, HeldOut
from tinylm.errors import ConfigError
from tinylm.hardware import device, memory
from tinylm.model import dropout
from tinylm.planning import schedule
from tinylm.planning.time_budget import TimeBudget, affordable, seconds_of, window_seconds
from tinylm.preview import scratch
from tinylm.preview.scratch import Cancelled
from tinylm.training import weight_decay
from tinylm.training.calibrate import REHEARSAL_TOKENS
from tinylm.training.run_length import AUTO_EVALS, AUTO_SAMPLES, SAMPLE_TOKEN_SECONDS
from tinylm.training.step import Stepper

STEPPING_SECONDS = 1.5
"""How long steps are repeated to time them, about."""

WHOLE_STEP_SECONDS = 1.0
"""A step that takes longer than this is measured by a part of it."""

MEMORY_SHARE = 0.8
"""Of the free memory, at most, that the rehearsal itself may take."""


@dataclass(frozen=True)
class Rehearsal:
    """What a run will take, estimated from a few of its steps."""

    config: RunConfig
    """What it would run with, where `train.fit` leaves that to the machine."""
    parameters: int
    step_seconds: float
    tokens_per_second: float
    threads: int
    device: str
    memory_mb: float
    """At its peak: weights, their average, gradients, optimizer state, what one forward pass keeps, the gradient of its
    scores."""
    free_memory_mb: float | None
    """What the machine has free for it; None where that is unknown."""
    steps: int
    """Of the whole run, up to `train.stop_at` where that ends it early."""
    seconds: float
    """Expected length of the run."""
    passes: float
    """How often the run reads the training text."""
    disk_mb: float
    """All checkpoints that are kept, the best, and the one being written: model and optimizer, and where weights are
    averaged the average and what goes on training."""
    plan: schedule.Plan
    train_tokens: int
    loss: float
    """Of the first step, or of the part of it that was measured, in nats per token."""


def rehearse(config: RunConfig, home: Path, cancelled: Callable[[], bool], steps: int = 4) -> Rehearsal:
    """Do up to `steps` steps (at least two) of the run that `config` describes, and estimate the whole.

    Raises Cancelled soon after `cancelled()` is true, and TinyLMError where the run would not start either.
    """
    config = resolve.absolute_sources(config)
    with scratch.undisturbed(config, home) as place:
        return _rehearsed(config, place, home, cancelled, steps)


def _rehearsed(
    config: RunConfig, place: torch.device, home: Path, cancelled: Callable[[], bool], steps: int
) -> Rehearsal:
    def check() -> None:
        if cancelled():
            raise Cancelled

    check()
    folder = prepare.prepare(config, home)
    check()
    began = time.perf_counter()
    config, corpus, batches = scratch.texts(config, folder, place, home)
    train, block_size = config.train, config.model.block_size
    weight_decay.weight_decays(config, batches)  # a memory of less than a step is refused here too
    total = _fixed_steps(config, batches[0].stream.tokens / config.tokens_per_step)
    if total is not None:
        _laid(config, total)  # a run that is too short for its phases is refused before the work begins
    free = memory.free(place)
    stage = _Stage(scratch.stepper(config, home, place, corpus), batches[0], check)
    model = stage.stepper.model
    building = time.perf_counter() - began
    check()
    forward_memory, rows = stage.weighed(free)
    step_seconds, loss = stage.timed(rows, steps)

    held_out = len(HeldOut.cut(corpus.layout.held_out, block_size).starts)
    pace = _pace(config, step_seconds, held_out)
    plan, seconds = _course(config, pace, building, total)
    last = min(plan.steps, train.stop_at or plan.steps)
    names = [prepare.group_name(phase.sources or config.data.sources) for phase in train.phases]
    lengths = {name: part.stream.tokens for name, part in zip(names, batches, strict=True)}
    weights, remembered = _size(model.state_dict().values()), _size(stage.stepper.optimizer.state().values())
    return Rehearsal(
        config=config,
        parameters=model.n_parameters(),
        step_seconds=step_seconds,
        tokens_per_second=config.tokens_per_step / step_seconds,
        threads=torch.get_num_threads(),
        device=place.type,
        memory_mb=((3 if train.average else 2) * weights + remembered + forward_memory) / 1e6,
        free_memory_mb=None if free is None else free / 1e6,
        steps=last,
        seconds=seconds,
        passes=last * config.tokens_per_step / sum(lengths.values()),
        disk_mb=(train.keep_checkpoints + 2) * ((3 if train.average else 1) * weights + remembered) / 1e6,
        plan=plan,
        train_tokens=corpus.train_tokens,
        loss=loss,
    )


# --- steps, and what they keep ---------------------------------------------------------------------------------


class _Stage:
    """A model and its optimizer, taking steps at a rate of 0."""

    def __init__(self, stepper: Stepper, batches: Batches, check: Callable[[], None]) -> None:
        self.stepper, self._batches, self._check = stepper, batches, check
        self._train, self._block_size = stepper.config.train, stepper.config.model.block_size
        self._place, self._model = stepper.place, stepper.model

    def weighed(self, free: float | None) -> tuple[float, int]:
        """The bytes that a pass takes, and how many of its windows a timed step should have.

        What a pass keeps is a fixed part and so much a window, so two small ones tell, and none that is too large for
        the memory is run.
        """
        in_a_pass, weights = self.stepper.rows, _size(self.stepper.weights)
        room = math.inf if free is None else MEMORY_SHARE * free - 4 * weights
        one = self._kept(1)
        two = self._kept(2) if in_a_pass > 1 and 2 * one < room else 2 * one
        each, fixed = two - one, 2 * one - two
        fitting = max(1, int(min(in_a_pass, (room - fixed) / each)))

        probe = min(fitting, max(1, REHEARSAL_TOKENS // self._block_size))
        window = 0.0
        for rows in (1, probe):  # the first is cold, which makes no difference where it takes long
            if window < WHOLE_STEP_SECONDS:
                start = time.perf_counter()
                self._passed(0, rows)
                window = (time.perf_counter() - start) / rows
        whole = self._train.sequences_per_step
        if fitting == in_a_pass and window * whole < WHOLE_STEP_SECONDS:
            return fixed + each * in_a_pass, whole
        return fixed + each * in_a_pass, max(1, int(min(fitting, WHOLE_STEP_SECONDS / window)))

    def timed(self, rows: int, steps: int) -> tuple[float, float]:
        """The seconds of a whole step, from steps on `rows` of its windows; and the loss of the first.

        The first is cold and not counted, unless it takes so long that it makes no difference. Passes grow with the
        windows, and what is done to the weights does not.
        """
        loss = 0.0
        passing: list[float] = []
        updating: list[float] = []
        began = time.perf_counter()
        for number in range(max(2, steps)):
            start = time.perf_counter()
            found, grads = self._passed(number, rows)
            passed = time.perf_counter()
            told = self.stepper.update(number + 1, 0.0, 0.0, found, grads).tolist()
            end = time.perf_counter()
            if number == 0:
                loss = told[0]
            if number > 0 or end - began > STEPPING_SECONDS:
                passing.append(passed - start)
                updating.append(end - passed)
                if end - began > STEPPING_SECONDS:
                    break
        scale = self._train.sequences_per_step / rows
        return median(passing) * scale + median(updating), loss

    def _windows(self, step: int, rows: int) -> tuple[Tensor, Tensor]:
        """The first `rows` windows of a step."""
        self._check()
        return self._batches.stream.windows(self._batches.starts(step)[:rows])

    def _passed(self, step: int, rows: int) -> tuple[Tensor, list[Tensor]]:
        """Forward and backward: the mean loss, for which the host waits, and the gradients."""
        loss, grads = self.stepper.gradients(step, *self._windows(step, rows))
        loss.item()
        return loss, grads

    def _kept(self, rows: int) -> int:
        """Bytes that a forward pass over `rows` windows keeps for its backward pass, and of the scores' gradients.

        Each storage counts once, and weights do not. The backward pass begins with two tensors as large as the scores:
        the gradients of their log-probabilities and of themselves.
        """
        own = {weight.untyped_storage().data_ptr() for weight in self.stepper.weights}
        found: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()  # kept alive by this pass, so its address is its own
            if storage.data_ptr() not in own:
                found[storage.data_ptr()] = storage.nbytes()
            return tensor

        ids, targets = self._windows(0, rows)
        noise = dropout.key(0, 0, self._place) if self._model.config.dropout else None
        with saved_tensors_hooks(pack, lambda tensor: tensor), device.autocast(self.stepper.precision, self._place):
            self._model(ids, targets, noise)
        scores = ids.numel() * self._model.vocab_size * torch.float32.itemsize
        return sum(found.values()) + 2 * scores


def _size(tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


# --- the whole run ---------------------------------------------------------------------------------------------


def _pace(config: RunConfig, step_seconds: float, held_out: int) -> TimeBudget:
    """What things take, as `length.Length` guesses it."""
    train = config.train
    window = window_seconds(train, step_seconds)
    rows = affordable(train, window) * train.batch_size
    return TimeBudget(
        budget=seconds_of(train),
        step=step_seconds,
        evaluation=window * (rows + (2 if train.average else 1) * min(rows, held_out)),
        closing_evaluation=window * held_out,
        sample=SAMPLE_TOKEN_SECONDS * config.sample.max_new_tokens,
    )


def _fixed_steps(config: RunConfig, steps_per_pass: float) -> int | None:
    """The steps of the whole run where they do not depend on its speed, else None."""
    train = config.train
    if train.budget is None:
        return sum(phase.steps or 0 for phase in train.phases)
    budget = Budget.parse(train.budget)
    if budget.kind == "steps":
        return int(budget.amount)
    return max(1, round(budget.amount * steps_per_pass)) if budget.kind == "epochs" else None


def _laid(config: RunConfig, total: int) -> schedule.Plan:
    try:
        return schedule.plan(config.train.phases, total)
    except ValueError as error:
        raise ConfigError(f"The run is too short: {error}.", "Give it more --steps, --time or --epochs.") from None


def _course(config: RunConfig, pace: TimeBudget, building: float, total: int | None) -> tuple[schedule.Plan, float]:
    """The plan of the whole run, and how many seconds it takes up to its last step or `train.stop_at`.

    `total` is its steps; None stands for as many as the time allows.
    """
    train = config.train

    def intervals(steps: int) -> tuple[int, int]:
        evals, samples = pace.intervals(steps, AUTO_EVALS, AUTO_SAMPLES)
        return (
            evals if train.eval_interval == "auto" else train.eval_interval,
            samples if train.sample_interval == "auto" else train.sample_interval,
        )

    if total is None:  # as the run does: a first guess, by which the intervals are chosen, and then what fits with them
        total = pace.steps_left(building, *intervals(pace.steps_left(building)))
        total = max(1, total, len(train.phases))
    plan = _laid(config, total)
    steps = min(plan.steps, train.stop_at or plan.steps)
    evals, samples = intervals(plan.steps)
    seconds = building + steps * (pace.step + pace.evaluation / evals + pace.sample / samples) + pace.closing
    return plan, seconds if pace.budget is None else min(seconds, pace.budget) + pace.overrun
