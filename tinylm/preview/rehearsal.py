"""The rehearsal: a few real steps before a run, to estimate its time, memory and disk space.

Only the prepared text stays in the cache, which the run will use. It goes from small to large: a step that would take
long, or would not fit into memory, is measured on some of its sequences and scaled up.
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
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, HeldOut
from tinylm.hardware import memory
from tinylm.hardware.device import autocast
from tinylm.model import dropout
from tinylm.planning import schedule
from tinylm.planning.time_budget import TimeBudget, affordable, sequence_seconds
from tinylm.preview import scratch
from tinylm.training import weight_decay
from tinylm.training.calibrate import CALIBRATION_TOKENS
from tinylm.training.cuda_graph import WARM_UP_STEPS
from tinylm.training.step import Stepper

STEPPING_SECONDS = 1.5
"""Seconds for which steps are repeated to time them."""

WHOLE_STEP_SECONDS = 1.0
"""A step that takes longer than this is measured on some of its sequences."""

MEMORY_SHARE = 0.8
"""Most of the free memory that the rehearsal itself may take."""


@dataclass(frozen=True)
class Rehearsal:
    """Estimates for a run, from a few of its steps."""

    config: RunConfig
    """The configuration after `train.fit`."""
    parameters: int
    step_seconds: float
    tokens_per_second: float
    threads: int
    device: str
    memory_mb: float
    """Peak: weights, their EMA, gradients, optimizer state, and the activations and logit gradients of one pass."""
    free_memory_mb: float | None
    """None where it is unknown."""
    steps: int
    """Steps of the whole run, or up to `train.stop_at`."""
    seconds: float
    """Expected seconds of the run."""
    epochs: float
    """Epochs over the training text."""
    disk_mb: float
    """All kept checkpoints, the best, and the one being written: model, optimizer, and where there is an EMA both sets
    of weights."""
    plan: schedule.Plan
    train_tokens: int
    loss: float
    """Loss of the first step, or of its measured part, in nats per token."""


def rehearse(config: RunConfig, home: Path, cancelled: Callable[[], bool], steps: int = 4) -> Rehearsal:
    """Take up to `steps` steps (at least two) of the run that `config` describes, and estimate the whole run.

    Raises Cancelled soon after `cancelled()` is true, and TinyLMError where the run would not start either.
    """
    config, check = resolve.absolute_sources(config), scratch.checker(cancelled)
    with scratch.isolated(config, home, check) as (device, folder):
        return _rehearsed(config, device, folder, home, check, steps)


def _rehearsed(
    config: RunConfig, device: torch.device, folder: Path, home: Path, check: Callable[[], None], steps: int
) -> Rehearsal:
    began = time.perf_counter()
    config, corpus, batches = scratch.texts(config, folder, device, home)
    train, block_size = config.train, config.model.block_size
    weight_decay.weight_decays(config, batches)  # refuses a `train.decay_epochs` of less than a step
    total = schedule.total_steps(config.train, batches[0].stream.tokens / config.tokens_per_step)
    if total is not None:
        schedule.plan(config.train.phases, total)  # refuses a run that is too short for its phases
    free = memory.free(device)
    stage = Stage(scratch.stepper(config, home, device, corpus), batches[0], check)
    model = stage.stepper.model
    building = time.perf_counter() - began
    check()
    forward_memory, sequences = stage.measure_memory(free)
    step_seconds, loss = stage.time_steps(sequences, steps)

    held_out = len(HeldOut.cut(corpus.layout.held_out, block_size).starts)
    eval_iters = affordable(train, sequence_seconds(train, step_seconds))
    evaluated = (2 if train.average else 1) * min(eval_iters * train.batch_size, held_out)
    evaluating = resolve.with_values(config, train={"eval_iters": eval_iters})
    budget = TimeBudget.estimate(evaluating, step_seconds, evaluated, held_out)
    plan, seconds = _length(config, budget, building, total)
    last = min(plan.steps, train.stop_at or plan.steps)
    names = [prepare.group_name(phase.sources or config.data.sources) for phase in train.phases]
    lengths = {name: part.stream.tokens for name, part in zip(names, batches, strict=True)}
    weights, optimizer = _bytes(model.state_dict().values()), _bytes(stage.stepper.optimizer.state().values())
    return Rehearsal(
        config=config,
        parameters=model.n_parameters(),
        step_seconds=step_seconds,
        tokens_per_second=config.tokens_per_step / step_seconds,
        threads=torch.get_num_threads(),
        device=device.type,
        memory_mb=((3 if train.average else 2) * weights + optimizer + forward_memory) / 1e6,
        free_memory_mb=None if free is None else free / 1e6,
        steps=last,
        seconds=seconds,
        epochs=last * config.tokens_per_step / sum(lengths.values()),
        disk_mb=(train.keep_checkpoints + 2) * ((3 if train.average else 1) * weights + optimizer) / 1e6,
        plan=plan,
        train_tokens=corpus.train_tokens,
        loss=loss,
    )


# --- steps, and what they keep ---------------------------------------------------------------------------------


class Stage:
    """Takes steps at a learning rate of 0."""

    def __init__(self, stepper: Stepper, batches: Batches, check: Callable[[], None]) -> None:
        self.stepper, self._batches, self._check = stepper, batches, check
        self._train, self._block_size = stepper.config.train, stepper.config.model.block_size
        self._device, self._model = stepper.device, stepper.model

    def measure_memory(self, free: float | None) -> tuple[float, int]:
        """The bytes that a pass takes, and how many sequences a timed step should have.

        A pass keeps a fixed part and a part for each sequence, so two small passes are enough to know, and none that
        is too large for the memory is run.
        """
        in_a_pass, weights = self.stepper.micro_batch_size, _bytes(self.stepper.weights)
        room = math.inf if free is None else MEMORY_SHARE * free - 4 * weights
        one = self.activation_bytes(1)
        two = self.activation_bytes(2) if in_a_pass > 1 and 2 * one < room else 2 * one
        each, fixed = two - one, 2 * one - two
        fitting = max(1, int(min(in_a_pass, (room - fixed) / each)))

        probe = min(fitting, max(1, CALIBRATION_TOKENS // self._block_size))
        seconds = 0.0  # of a sequence
        for sequences in (1, probe):  # the first pass is cold, which makes no difference where it takes long
            if seconds < WHOLE_STEP_SECONDS:
                start = time.perf_counter()
                self._pass(0, sequences)
                seconds = (time.perf_counter() - start) / sequences
        whole = self._train.sequences_per_step
        if fitting == in_a_pass and seconds * whole < WHOLE_STEP_SECONDS:
            return fixed + each * in_a_pass, whole
        return fixed + each * in_a_pass, max(1, int(min(fitting, WHOLE_STEP_SECONDS / seconds)))

    def time_steps(self, sequences: int, steps: int) -> tuple[float, float]:
        """The seconds of a whole step, from steps on `sequences` of it; and the loss of the first step.

        The first step is cold and not counted, unless it takes so long that it makes no difference. Passes grow with
        the number of sequences, the update does not.
        """
        if self.stepper.graphed and sequences == self._train.sequences_per_step:
            return self._time_captured_steps(steps)
        loss = 0.0
        pass_seconds: list[float] = []
        update_seconds: list[float] = []
        began = time.perf_counter()
        for number in range(max(2, steps)):
            start = time.perf_counter()
            step_loss, grads = self._pass(number, sequences)
            passed = time.perf_counter()
            metrics = self.stepper.update(number + 1, 0.0, 0.0, step_loss, grads).tolist()
            end = time.perf_counter()
            if number == 0:
                loss = metrics[0]
            if number > 0 or end - began > STEPPING_SECONDS:
                pass_seconds.append(passed - start)
                update_seconds.append(end - passed)
                if end - began > STEPPING_SECONDS:
                    break
        scale = self._train.sequences_per_step / sequences
        return median(pass_seconds) * scale + median(update_seconds), loss

    def _time_captured_steps(self, steps: int) -> tuple[float, float]:
        """What `time_steps` returns, on CUDA: the first steps warm up, the next one is captured, the last are timed."""
        losses: list[float] = []
        seconds: list[float] = []
        for number in range(WARM_UP_STEPS + 1 + max(2, steps)):
            ids, targets = self._batch(number, self._train.sequences_per_step)
            start = time.perf_counter()
            losses.append(self.stepper.take(number + 1, 0.0, 0.0, ids, targets).tolist()[0])
            seconds.append(time.perf_counter() - start)
        return median(seconds[WARM_UP_STEPS + 1 :]), losses[0]

    def _batch(self, step: int, sequences: int) -> tuple[Tensor, Tensor]:
        """Ids and targets (sequences, T): the first of a step."""
        self._check()
        return self._batches.stream.sequences(self._batches.starts(step)[:sequences])

    def _pass(self, step: int, sequences: int) -> tuple[Tensor, list[Tensor]]:
        """Forward and backward: the mean loss and the gradients. Waits for the device."""
        loss, grads = self.stepper.gradients(step, *self._batch(step, sequences))
        loss.item()
        return loss, grads

    def activation_bytes(self, sequences: int) -> int:
        """Bytes that a forward pass over `sequences` keeps for its backward pass, plus the logits' gradients.

        Each storage counts once, weights do not. The backward pass begins with two tensors of the logits' size: the
        gradients of the log-probabilities and of the logits.
        """
        weights = {weight.untyped_storage().data_ptr() for weight in self.stepper.weights}
        storages: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()  # this pass keeps it alive, so its address is unique
            if storage.data_ptr() not in weights:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        ids, targets = self._batch(0, sequences)
        noise = dropout.key(0, 0, self._device) if self._model.config.dropout else None
        with saved_tensors_hooks(pack, lambda tensor: tensor), autocast(self.stepper.precision, self._device):
            self._model(ids, targets, noise)
        logits = ids.numel() * self._model.vocab_size * torch.float32.itemsize
        return sum(storages.values()) + 2 * logits


def _bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


# --- the whole run ---------------------------------------------------------------------------------------------


def _length(config: RunConfig, budget: TimeBudget, building: float, total: int | None) -> tuple[schedule.Plan, float]:
    """The plan of the whole run, and its seconds up to its last step or `train.stop_at`.

    `total` is its steps; None stands for as many as the time budget allows.
    """
    train = config.train
    if total is None:
        total = max(budget.first_total(train, building), len(train.phases))
    plan = schedule.plan(train.phases, total)
    steps = min(plan.steps, train.stop_at or plan.steps)
    eval_interval, sample_interval = budget.intervals(train, plan.steps)
    each = budget.step_seconds + budget.evaluation_seconds / eval_interval + budget.sample_seconds / sample_interval
    seconds = building + steps * each + budget.closing_seconds
    return plan, seconds if budget.budget is None else min(seconds, budget.budget) + budget.overrun
