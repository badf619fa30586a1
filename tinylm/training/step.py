"""One optimizer step: forward and backward in passes, norms, clip, update. Nothing here waits for the device."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tinylm.config.schema import RunConfig
from tinylm.data.shuffle import mix
from tinylm.events import Warned
from tinylm.hardware import device, memory
from tinylm.hardware.device import Precision
from tinylm.kernels.train_pass import NativePass
from tinylm.model import dropout
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.training import optimizer as optim
from tinylm.training.cuda_graph import GraphedStep, LaunchLimiter
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer

PASS_TOKENS = 2048
"""Tokens of an eager pass on a CPU, at most: so many have 41 MB of scores with a vocabulary of 5,000."""

LOSS_SCALE_GROWTH = 2.0 ** (1 / 2000)
"""fp16: the loss scale doubles in 2,000 good steps, as torch's GradScaler does, but smoothly; a bad step halves it."""

_DROPOUT = 1003
"""What the seed is mixed with: each use of randomness has a stream of its own."""


def micro_batch_size(config: RunConfig, place: torch.device) -> int:
    """How many windows go through the model at once: passes of one size, small enough for a CPU's cache."""
    batch_size = config.train.batch_size
    if place.type != "cpu":
        return batch_size
    passes = -(-batch_size * config.model.block_size // PASS_TOKENS)
    return max(1, -(-batch_size // passes))


class Stepper:
    """Takes optimizer steps."""

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
        """It follows the weights, where they are averaged."""
        self.weights = list(model.parameters())
        self.plain = [weight.detach() for weight in self.weights]
        self.place = self.weights[0].device
        self.native: NativePass | None = None
        """On a CPU: takes all windows of a step at once."""
        self.compiled: Callable[..., tuple[Tensor, list[Tensor]]] | None = None
        """On a GPU: for passes of `rows` windows (`compiling.for_gpu`)."""
        self.recorded: GraphedStep | None = None
        """On a CUDA device: takes whole steps as one launch (`record`)."""
        self._leash = LaunchLimiter(self.place)
        self.rows = micro_batch_size(config, self.place)
        """Windows in a pass."""
        self.loss_scale = torch.tensor(loss_scale, device=self.place)
        """What the loss is multiplied with before the backward pass, in fp16."""
        self.warnings: list[Warned] = []
        """What happened in steps; whoever tells it takes it out."""

    def use(self, code: ctypes.CDLL | None, threads: int) -> None:
        """From now on, take steps by our own code, on so many threads, or without it by torch's operations again.

        MemoryError or RuntimeError where the code cannot.
        """
        config = self.config.model
        self.native = NativePass(code, config, self.model.vocab_size, self.precision, threads) if code else None
        self.optimizer.use(code, threads)

    def take(self, step: int, lr: float, weight_decay: float, ids: Tensor, targets: Tensor) -> Tensor:
        """Learn from ids and targets (batch_size * accumulation_steps, T), the batch of the run's step `step`.

        Returns four numbers (4,) on the device: loss in nats per token, gradient norm before clipping, norm of the
        weights before the update, and the reference recipe's ratio of the two (`contract.md`: `norm_ratio`). Where
        loss or gradient are not finite, nothing is applied.
        """
        told = self._recorded_step(step, lr, weight_decay, ids, targets)
        if told is None:
            told = self.update(step, lr, weight_decay, *self.gradients(step, ids, targets))
        self._leash.stepped()
        return told

    def _recorded_step(self, step: int, lr: float, weight_decay: float, ids: Tensor, targets: Tensor) -> Tensor | None:
        """What `take` returns, by one launch; None where that is not how steps are taken."""
        if self.recorded is None:
            return None
        if not self.recorded.is_warm:
            return self.recorded.aside(lambda: self.update(step, lr, weight_decay, *self.gradients(step, ids, targets)))
        try:
            told = self.recorded.take(lr, weight_decay, ids, targets, self._keys(step, len(ids)))
        except RuntimeError as error:  # also torch's own for memory that has run out
            self.recorded = None
            self.warnings.append(_not_recorded(error))
        if self.recorded is None:  # here and not in the handler, where the traceback holds what was recorded
            device.release_memory(self.place)
            return None
        return self._followed(step, told)

    def update(self, step: int, lr: float, weight_decay: float, loss: Tensor, grads: list[Tensor]) -> Tensor:
        """What `take` does once the gradients are there; they are used up."""
        return self._followed(step, self._applied(lr, weight_decay, loss, grads))

    def record(self) -> None:
        """From now on, take whole steps as CUDA graphs; only without attention dropout, which draws by itself."""
        self.recorded = GraphedStep(
            lambda lr, weight_decay, ids, targets, keys: self._applied(
                lr, weight_decay, *self._passes(ids, targets, keys)
            ),
            self.place,
        )

    def _applied(self, lr: float | Tensor, weight_decay: float, loss: Tensor, grads: list[Tensor]) -> Tensor:
        """Norms, clip and the update of the weights: what `take` returns."""
        if self.precision == "fp16":
            torch._foreach_div_(grads, self.loss_scale)
        grad_norm, mean_grad = optim.global_norm(grads)
        param_norm, mean_param = optim.global_norm(self.plain)
        if self.config.train.grad_clip:
            optim.clip(grads, grad_norm, self.config.train.grad_clip)
        bad = ~torch.isfinite(loss + grad_norm)
        fast = self.precision == "bf16" or self.place.type == "cuda"
        self.optimizer.step(grads, lr, weight_decay, bad, torch.bfloat16 if fast else torch.float32)
        if self.precision == "fp16":
            self.loss_scale *= torch.where(bad, 0.5, LOSS_SCALE_GROWTH)
        return torch.stack((loss, grad_norm, param_norm, mean_param / mean_grad))

    def _followed(self, step: int, told: Tensor) -> Tensor:
        """The average takes in the new weights, where there are any; `told` is what `_applied` gave."""
        if self.average:
            self.average.follow(step, skip=~torch.isfinite(told[0] + told[1]))
        return told

    def gradients(self, step: int, ids: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The mean loss of all windows and its gradients, by passes that fit into the memory.

        Where the memory runs out, the weights are as they were: smaller passes begin the step anew, down to one window.
        """
        while True:
            rows = self.rows
            try:
                if self.native:
                    return self.native(self.plain, ids, targets, self._key(step, 0))
                return self._passes(ids, targets, self._keys(step, len(ids)))
            except (MemoryError, RuntimeError) as error:  # torch's own is a RuntimeError
                if rows == 1 or memory.out_of_memory(error, self.place) is None:
                    raise
            # Here and not in the handler, where the traceback still holds what the pass had in hand.
            device.release_memory(self.place)
            self.rows, self.compiled, self.native = (rows + 1) // 2, None, None
            self.warnings.append(
                Warned(
                    title="The memory ran out",
                    message=f"{rows} windows at once were too many at step {step:,}; from here on {self.rows} "
                    "are, and the step adds them up to what it was.",
                    hint="It is a little slower so. train.batch_size and train.accumulation_steps set it beforehand.",
                )
            )

    def _keys(self, step: int, windows: int) -> list[dropout.Key | None]:
        """What dropout hangs on, for each pass of a step with so many windows; None where nothing is dropped."""
        if self.config.model.attention_dropout:  # torch's own, inside of the attention
            torch.manual_seed(self._mixed(step))
        return [self._key(step, first) for first in range(0, windows, self.rows)]

    def _key(self, step: int, first: int) -> dropout.Key | None:
        return dropout.key(self._mixed(step), first, self.place) if self.config.model.dropout else None

    def _mixed(self, step: int) -> int:
        return mix(self.config.train.seed, _DROPOUT, step)

    def _passes(self, ids: Tensor, targets: Tensor, keys: Sequence[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
        loss = torch.zeros((), device=self.place)
        grads: list[Tensor] = []
        for first, key in zip(range(0, len(ids), self.rows), keys, strict=True):
            some = slice(first, first + self.rows)
            part, new = self._pass(ids[some], targets[some], key)
            share = len(ids[some]) / len(ids)
            loss += share * part
            if not grads:
                grads = new
                if share < 1:
                    torch._foreach_mul_(grads, share)
            else:
                torch._foreach_add_(grads, new, alpha=share)
        return loss, grads

    def _pass(self, ids: Tensor, targets: Tensor, key: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The mean loss over some of a step's windows, ids and targets (up to `rows`, T), and its gradients.

        In fp16, the gradients are those of the loss times `loss_scale`.
        """
        if self.compiled and len(ids) == self.rows:  # a last pass may be shorter
            return self.compiled(self.plain, ids, targets, key)
        scale = self.loss_scale if self.precision == "fp16" else 1.0
        return eager_pass(self.model, self.weights, self.precision, scale, ids, targets, key)


def _not_recorded(error: RuntimeError) -> Warned:
    """What there is to tell where a CUDA graph cannot be had."""
    reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
    return Warned(
        title="Steps are launched one by one",
        message=f"A step could not be recorded as one launch ({reason}), so the GPU waits for Python between kernels.",
        hint="The run goes on, more slowly. --set train.compile=off does not try.",
    )
