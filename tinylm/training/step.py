"""One optimizer step: forward and backward passes, norms, clipping, update.

Nothing here reads a value back from the device; `LaunchLimiter` waits only when the GPU is several steps behind.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from tinylm.config.schema import RunConfig
from tinylm.data.shuffle import mix
from tinylm.events import Warned
from tinylm.hardware import memory
from tinylm.hardware.device import Precision, has_bf16, peak_memory_mb, release_memory
from tinylm.kernels.train_pass import NativePass
from tinylm.model import dropout
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.training import memory_check
from tinylm.training.cuda_graph import GraphedStep, Keys, LaunchLimiter
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer, clip, global_norm
from tinylm.words import first_line

MICRO_BATCH_TOKENS = 2048
"""Target for the tokens in an eager pass on a CPU: with a vocabulary of 5,000 their logits take 41 MB."""

MAX_CAPTURED_PASSES = 16
"""Most passes of a step that is captured as a CUDA graph: launches take little of a longer step, and its graph could
have millions of nodes."""

CAPTURED_METRICS_TOLERANCE, CAPTURED_UPDATE_TOLERANCE = 0.01, 0.05
"""How far the first captured step may be from a plain one: relative difference of the metrics, and of the update of the
weights in units of its norm. Rounding stays far below, also in bf16."""

STATE_COPIES = 6
"""Copies of the weights in that comparison, at most: before and after, two moments, average, difference."""

LOSS_SCALE_GROWTH = 2.0 ** (1 / 2000)
"""fp16: factor of the loss scale at each finite step: twofold in 2,000, as in torch's GradScaler. Others halve it."""

Result = TypeVar("Result")

_DROPOUT = 1003
"""Mixed into the seed: dropout's random stream is independent of the others."""


def micro_batch_size(config: RunConfig, device: torch.device) -> int:
    """Sequences in one pass: all of a batch, or on a CPU so few that activations stay in its cache."""
    batch_size = config.train.batch_size
    if device.type != "cpu":
        return batch_size
    passes = -(-batch_size * config.model.block_size // MICRO_BATCH_TOKENS)
    return max(1, -(-batch_size // passes))


def fitting_micro_batch(config: RunConfig, vocab_size: int, device: torch.device) -> int:
    """`micro_batch_size`, halved until a pass fits into the free memory; ConfigError where one sequence does not."""
    wanted = micro_batch_size(config, device)
    return memory_check.fitting_sequences(config, vocab_size, wanted, memory.free(device))


class Stepper:
    """Model, optimizer and backend of a run: one call of `take` is one optimizer step."""

    def __init__(
        self,
        config: RunConfig,
        model: Transformer,
        optimizer: Optimizer,
        precision: Precision,
        loss_scale: float = 1.0,
        average: WeightEMA | None = None,
    ) -> None:
        self.config, self.model, self.optimizer, self.precision = config, model, optimizer, precision
        self.average = average
        """The EMA of the weights, where the run keeps one."""
        self.weights = list(model.parameters())
        self.detached = [weight.detach() for weight in self.weights]
        self.device = self.weights[0].device
        self.kernels: NativePass | None = None
        """The C++ kernels, on a CPU: all sequences of a step in one call."""
        self.compiled: Callable[..., tuple[Tensor, list[Tensor]]] | None = None
        """On a GPU: torch.compile's pass over `micro_batch_size` sequences (`backend.torch_compile`)."""
        self.graphed: GraphedStep | None = None
        """The CUDA graph of a whole step (`capture`)."""
        self._graph_is_checked = False
        """Whether a captured step was compared with a plain one."""
        self._graph_in_the_way = False
        """Whether evaluations have run out of memory beside it."""
        self._launch_limiter = LaunchLimiter(self.device)
        self._muon_dtype = torch.bfloat16 if precision == "bf16" or has_bf16(self.device) else torch.float32
        """Of Muon's matrix products."""
        self.micro_batch_size = micro_batch_size(config, self.device)
        """Sequences in a pass; halved each time memory runs out."""
        self.loss_scale = torch.tensor(loss_scale, device=self.device)
        """fp16: factor on the loss before the backward pass."""
        self.warnings: list[Warned] = []
        """Warnings from steps; the loop takes them out."""

    def use(self, code: ctypes.CDLL | None, threads: int) -> None:
        """Use the kernels in `code` from the next step on, or eager torch if it is None.

        MemoryError or RuntimeError where the kernels cannot run.
        """
        config = self.config.model
        self.kernels = NativePass(code, config, self.model.vocab_size, self.precision, threads) if code else None
        self.optimizer.use(code, threads)

    def take(self, step: int, lr: float, weight_decay: float, ids: Tensor, targets: Tensor) -> Tensor:
        """Take step number `step` on ids and targets (batch_size * accumulation_steps, T).

        Returns metrics (4,) on the device: loss in nats per token, gradient norm before clipping, norm of the weights
        before the update, and the reference recipe's `norm_ratio`: the mean norm of a weight tensor over the mean norm
        of a gradient tensor. If loss or gradient norm are not finite, the update is skipped.
        """
        metrics = self._graphed_step(step, lr, weight_decay, ids, targets)
        if metrics is None:
            metrics = self._plain_step(step, lr, weight_decay, ids, targets)
        self._launch_limiter.stepped()
        return metrics

    def _graphed_step(self, step: int, lr: float, weight_decay: float, ids: Tensor, targets: Tensor) -> Tensor | None:
        """The metrics (4,) of a step taken as a CUDA graph; None if the run uses none, or the step has many passes."""
        if self.graphed is None or len(ids) > MAX_CAPTURED_PASSES * self.micro_batch_size:
            return None
        if not self.graphed.is_warm:
            return self.graphed.warm_up(partial(self._plain_step, step, lr, weight_decay, ids, targets))
        keys = self._keys(step, len(ids))
        captured = partial(self.graphed.take, lr, self._ema_factor(step), weight_decay, ids, targets, keys)
        problem: str | None = None
        try:
            if self._graph_is_checked or not self._has_room_to_check():
                return captured()
            plain = partial(self._plain_step, step, lr, weight_decay, ids, targets)
            metrics, agree = self._compared(captured, plain)
            if agree:
                self._graph_is_checked = True
            else:
                problem = "it computed something else than a plain step"
        except RuntimeError as error:  # includes torch's out-of-memory error
            metrics, problem = None, first_line(error)
        if problem is not None:  # outside the handler, whose traceback keeps the graph alive
            self.graphed = None
            release_memory(self.device)
            self.warnings.append(_not_captured(problem))
        return metrics

    def _compared(self, captured: Callable[[], Tensor], plain: Callable[[], Tensor]) -> tuple[Tensor, bool]:
        """Take the same step captured and then plain; returns the plain one's metrics (4,), and whether they agree.

        Metrics and updated weights are compared. The state afterwards is that of the plain step.
        """
        before = [tensor.clone() for tensor in self.detached]
        optimizer = {name: tensor.clone() for name, tensor in self.optimizer.state().items()}
        average = (
            {name: tensor.clone() for name, tensor in self.average.model.state_dict().items()} if self.average else {}
        )
        loss_scale = self.loss_scale.clone()
        captured_metrics = captured()
        captured_weights = [tensor.clone() for tensor in self.detached]
        torch._foreach_copy_(self.detached, before)
        self.optimizer.load(optimizer)
        if self.average:
            self.average.load(average)
        self.loss_scale.copy_(loss_scale)
        metrics = plain()
        update = global_norm(torch._foreach_sub(self.detached, before))[0]
        apart = global_norm(torch._foreach_sub(self.detached, captured_weights))[0]
        close = (captured_metrics - metrics).abs() <= CAPTURED_METRICS_TOLERANCE * metrics.abs()
        agree = (close | (captured_metrics == metrics) | (captured_metrics.isnan() & metrics.isnan())).all() & (
            apart <= CAPTURED_UPDATE_TOLERANCE * update
        )
        return metrics, bool(agree)

    def _has_room_to_check(self) -> bool:
        """Whether a copy of the state fits into memory beside a step."""
        free = memory.free(self.device)
        state = STATE_COPIES * sum(tensor.nbytes for tensor in self.detached)
        return free is None or free > state + 1e6 * peak_memory_mb(self.device)

    def _plain_step(self, step: int, lr: float, weight_decay: float, ids: Tensor, targets: Tensor) -> Tensor:
        return self.update(step, lr, weight_decay, *self.gradients(step, ids, targets))

    def update(self, step: int, lr: float, weight_decay: float, loss: Tensor, grads: list[Tensor]) -> Tensor:
        """Apply `grads`, which are overwritten; returns the metrics (4,) of `take`."""
        return self._apply(lr, self._ema_factor(step), weight_decay, loss, grads)

    def capture(self, graphed_step: Callable[..., GraphedStep] = GraphedStep) -> None:
        """Take the next steps as one CUDA graph each. Not with attention dropout, which uses torch's generator."""
        self.graphed = graphed_step(self._graphed_work, self.device)

    def _graphed_work(
        self, lr: Tensor, ema_factor: Tensor, weight_decay: float, ids: Tensor, targets: Tensor, keys: Keys
    ) -> Tensor:
        return self._apply(lr, ema_factor, weight_decay, *self._passes(ids, targets, keys))

    def beside(self, work: Callable[[], Result]) -> Result:
        """Run `work`, such as an evaluation, beside the steps of a run.

        The memory of a captured step is given back only with its graph. Where it is missing, the graph is dropped and
        captured anew, from then on for each such work.
        """
        if self.graphed and self._graph_in_the_way:
            self._drop_graph()
        try:
            return work()
        except RuntimeError as error:
            if not (self.graphed and self.graphed.is_captured) or memory.out_of_memory(error, self.device) is None:
                raise
        self._graph_in_the_way = True
        self._drop_graph()
        return work()

    def _drop_graph(self) -> None:
        if self.graphed:
            self.graphed.forget()
        release_memory(self.device)

    def reset(self, optimizer: Optimizer, loss_scale: float) -> None:
        """Continue with another optimizer state and loss scale, after a rollback."""
        self.optimizer = optimizer
        if self.graphed:
            self.graphed.forget()
        self.loss_scale.fill_(loss_scale)

    def _ema_factor(self, step: int) -> float:
        return self.average.factor(step) if self.average else 0.0

    def _apply(
        self,
        lr: float | Tensor,
        ema_factor: float | Tensor,
        weight_decay: float,
        loss: Tensor,
        grads: list[Tensor],
    ) -> Tensor:
        """Norms, clipping, the update of the weights and of their EMA; returns the metrics of `take`."""
        if self.precision == "fp16":
            torch._foreach_div_(grads, self.loss_scale)
        grad_norm, mean_grad = global_norm(grads)
        param_norm, mean_param = global_norm(self.detached)
        if self.config.train.grad_clip:
            clip(grads, grad_norm, self.config.train.grad_clip)
        bad = ~torch.isfinite(loss + grad_norm)
        self.optimizer.step(grads, lr, weight_decay, bad, self._muon_dtype)
        if self.precision == "fp16":
            self.loss_scale *= torch.where(bad, 0.5, LOSS_SCALE_GROWTH)
        if self.average:
            self.average.update(ema_factor, skip=bad)
        return torch.stack((loss, grad_norm, param_norm, mean_param / mean_grad))

    def gradients(self, step: int, ids: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The mean loss of ids and targets (batch_size * accumulation_steps, T), and a gradient for each weight.

        Computed in micro-batches. If memory runs out, the micro-batch is halved and the step started over; the weights
        have not changed by then.
        """
        while True:
            size = self.micro_batch_size
            try:
                if self.kernels:
                    return self.kernels(self.detached, ids, targets, self._key(step, 0))
                return self._passes(ids, targets, self._keys(step, len(ids)))
            except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
                if size == 1 or memory.out_of_memory(error, self.device) is None:
                    raise
            # Outside the handler, whose traceback keeps the tensors of the pass alive.
            release_memory(self.device)
            self.micro_batch_size, self.compiled, self.kernels = (size + 1) // 2, None, None
            self.warnings.append(
                Warned(
                    title="The memory ran out",
                    message=f"{size} windows at once were too many at step {step:,}; from here on it takes "
                    f"{self.micro_batch_size}, and the step adds them up to what it was.",
                    hint="It is a little slower so. train.batch_size and train.accumulation_steps set it beforehand.",
                )
            )

    def _keys(self, step: int, sequences: int) -> list[dropout.Key | None]:
        """The dropout key of each pass of a step with `sequences` sequences; None without dropout."""
        if self.config.model.attention_dropout:  # torch's own dropout inside attention
            torch.manual_seed(self._mixed(step))
        return [self._key(step, first) for first in range(0, sequences, self.micro_batch_size)]

    def _key(self, step: int, first: int) -> dropout.Key | None:
        return dropout.key(self._mixed(step), first, self.device) if self.config.model.dropout else None

    def _mixed(self, step: int) -> int:
        return mix(self.config.train.seed, _DROPOUT, step)

    def _passes(self, ids: Tensor, targets: Tensor, keys: Sequence[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
        loss = torch.zeros((), device=self.device)
        grads: list[Tensor] = []
        for first, key in zip(range(0, len(ids), self.micro_batch_size), keys, strict=True):
            micro_batch = slice(first, first + self.micro_batch_size)
            part, new = self._pass(ids[micro_batch], targets[micro_batch], key)
            share = len(ids[micro_batch]) / len(ids)
            loss += share * part
            if not grads:
                grads = new
                if share < 1:
                    torch._foreach_mul_(grads, share)
            else:
                torch._foreach_add_(grads, new, alpha=share)
        return loss, grads

    def _pass(self, ids: Tensor, targets: Tensor, key: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The mean loss of a micro-batch, ids and targets (up to `micro_batch_size`, T), and its gradients.

        In fp16 these are the gradients of the loss times `loss_scale`.
        """
        if self.compiled and len(ids) == self.micro_batch_size:  # the last pass may be smaller
            return self.compiled(self.detached, ids, targets, key)
        scale = self.loss_scale if self.precision == "fp16" else 1.0
        return eager_pass(self.model, self.weights, self.precision, scale, ids, targets, key)


def _not_captured(reason: str) -> Warned:
    """The warning that steps are not captured as a CUDA graph."""
    return Warned(
        title="Steps are launched one by one",
        message=f"A step could not be captured as one launch ({reason}), so the GPU waits for Python between kernels.",
        hint="The run goes on, more slowly. --set train.compile=off does not try.",
    )
