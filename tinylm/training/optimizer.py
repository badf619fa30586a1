"""The optimizer: AdamW for everything, or Muon for the hidden matrices and AdamW for the rest.

One class for both, with its state as plain named tensors, so that a checkpoint is a safetensors file.
"""

import ctypes
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from tinylm.config.schema import TrainConfig
from tinylm.kernels.muon import NativeMuon
from tinylm.model.transformer import Attention, FeedForward, Transformer

ADAMW_EPS = 1e-8
"""AdamW's epsilon; torch's default."""

MUON_MOMENTUM = 0.95
MUON_RMS = 0.2
"""RMS of a Muon update in units of lr: about AdamW's (arXiv 2502.16982), so that both share one lr."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of Jordan's quintic: five iterations bring every singular value to about 1 (KellerJordan/Muon)."""


NEWTON_SCHULZ_STEPS = 5


def orthogonalize(matrices: Tensor, precision: torch.dtype = torch.float32, steps: int = NEWTON_SCHULZ_STEPS) -> Tensor:
    """The nearest matrices with orthonormal rows or columns, approximately: (n, rows, columns) to the same shape.

    Newton-Schulz iteration; singular values end between about 0.7 and 1.2, which is as good for an update as 1. In bf16
    they are within 1 % of fp32's.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.size(-2) > matrices.size(-1)
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    if precision == torch.bfloat16:
        x = x.bfloat16()
    if x.size(-1) < 2 * x.size(-2) or precision == torch.bfloat16:
        for _ in range(steps):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    else:
        # A step multiplies x from the left by a polynomial of x's Gram matrix, so all steps can be taken on that small
        # matrix and x multiplied once by their product: half the work where x is four times as wide as high.
        # Not in bf16: small singular values would get lost in the Gram matrix and come back as large ones.
        gram = x @ x.mT
        product = torch.eye(x.size(-2), device=x.device).expand_as(gram)
        for _ in range(steps):
            factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
            factor.diagonal(dim1=-2, dim2=-1).add_(a)
            product, gram = factor @ product, factor @ gram @ factor
        x = product @ x
    result: Tensor = x.mT.contiguous() if tall else x  # transposed ones would be added to the weights one by one
    return result.to(matrices.dtype)


@dataclass(frozen=True)
class _Group:
    """A parameter group of AdamW, with its factors on learning rate and weight decay."""

    weights: list[Tensor]
    lr: float = 1.0
    weight_decay: float = 1.0


@dataclass
class _Stack:
    """Muon's matrices of one shape and their momentum (n, rows, columns), updated by batched products."""

    positions: list[tuple[Tensor, int]]
    """Each matrix's weight, and its index within it."""
    matrices: list[Tensor]
    """Views into those weights."""
    momentum: Tensor


class Optimizer:
    """AdamW or Muon with AdamW, by `config.optimizer`; weight decay is decoupled: lr * weight_decay each step.

    Embedding and head are always AdamW's, in a group with the factors `config.embedding_lr` and
    `config.embedding_decay`. As in torch's parameter groups both count: a step shrinks such a weight by
    lr * embedding_lr * weight_decay * embedding_decay.
    """

    def __init__(self, model: Transformer, config: TrainConfig) -> None:
        """Optimize all weights of the model; with Muon, the matrices inside blocks are Muon's."""
        self._names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
        self._heights = _heights(model) if config.optimizer == "muon" else {}
        self._stacks = _stacked(self._heights)
        self._kernel: NativeMuon | None = None
        others = [weight for weight in self._names if weight not in self._heights]
        tables: list[Tensor] = [part.weight for part in (model.embedding, model.head) if part is not None]
        hidden: list[Tensor] = [weight for weight in model.blocks.parameters() if weight not in self._heights]
        self._groups = [_Group(hidden), _Group(tables, config.embedding_lr, config.embedding_decay)]
        # AdamW's state, as in torch.optim.AdamW. That class is not used because it imports torch's compiler, which
        # takes longer than anything else before the first step.
        self._betas = config.betas
        self._adamw_state = {
            weight: {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
            for weight in others
        }

    def use(self, code: ctypes.CDLL | None, threads: int) -> None:
        """Take Muon's part of the next steps with the kernels in `code`, or without it by torch's operations."""
        matrices = [matrix for stack in self._stacks for matrix in stack.matrices]
        momenta = [momentum for stack in self._stacks for momentum in stack.momentum]
        self._kernel = None
        if code and matrices:
            self._kernel = NativeMuon(
                code, matrices, momenta, MUON_MOMENTUM, NEWTON_SCHULZ_STEPS, NEWTON_SCHULZ, threads
            )

    @torch.no_grad()
    def step(
        self,
        gradients: Sequence[Tensor],
        lr: float | Tensor,
        weight_decay: float,
        skip: Tensor,
        products: torch.dtype = torch.float32,
    ) -> None:
        """Update the weights from their gradients, given in the order of the model's parameters.

        `lr` may be a scalar on the device, which a CUDA graph reads at each replay. `products` is the dtype of Muon's
        matrix products. `skip` is a bool scalar on the device: True leaves the weights and the state as they are. Does
        not wait for the device, except for Muon's kernels on a CPU.
        """
        grads = dict(zip(self._names, gradients, strict=True))
        for group in self._groups:
            self._adamw_step(group, grads, lr * group.lr, weight_decay * group.weight_decay, skip)
        if self._stacks:
            self._muon_step(grads, lr, weight_decay, skip, products)

    def _adamw_step(
        self, group: _Group, grads: Mapping[Tensor, Tensor], lr: float | Tensor, weight_decay: float, skip: Tensor
    ) -> None:
        states = [self._adamw_state[weight] for weight in group.weights]
        if any(weight.device.type == "mps" for weight in group.weights):
            for weight, state in zip(group.weights, states, strict=True):
                adamw_update(weight, grads[weight], state, lr, weight_decay, self._betas, skip)
            return
        adamw(
            group.weights,
            [grads[weight] for weight in group.weights],
            [each["exp_avg"] for each in states],
            [each["exp_avg_sq"] for each in states],
            [],
            [each["step"] for each in states],
            fused=True,
            found_inf=skip.float(),  # torch's GradScaler tells fused optimizers this way
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=lr,
            weight_decay=weight_decay,
            eps=ADAMW_EPS,
            maximize=False,
        )

    def _muon_step(
        self,
        grads: Mapping[Tensor, Tensor],
        lr: float | Tensor,
        weight_decay: float,
        skip: Tensor,
        products: torch.dtype,
    ) -> None:
        parts = {weight: torch.split(grads[weight], heights) for weight, heights in self._heights.items()}
        if self._kernel and not isinstance(lr, Tensor):
            if not skip:
                grads_ = [parts[weight][number] for stack in self._stacks for weight, number in stack.positions]
                self._kernel.step(grads_, lr * MUON_RMS, lr * weight_decay, bf16=products == torch.bfloat16)
            return
        # A product instead of `torch.where`, which would copy a Python number to the GPU and wait for it.
        applied = (~skip).float()
        for stack in self._stacks:
            grad = torch.stack([parts[weight][number] for weight, number in stack.positions])
            torch.where(skip, stack.momentum, grad, out=grad)  # a skipped step keeps the momentum
            stack.momentum.lerp_(grad, 1 - MUON_MOMENTUM)
            update = orthogonalize(grad.lerp_(stack.momentum, MUON_MOMENTUM), products)  # Nesterov's look ahead
            update *= applied * (-lr * MUON_RMS * math.sqrt(max(update.shape[1:])))
            torch._foreach_mul_(stack.matrices, 1 - applied * (lr * weight_decay))
            torch._foreach_add_(stack.matrices, update.unbind())

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state as named tensors, for a checkpoint."""
        tensors = {f"{self._names[weight]}.momentum": torch.cat(parts) for weight, parts in self._momenta().items()}
        for weight, values in self._adamw_state.items():
            for key, value in values.items():
                tensors[f"{self._names[weight]}.{key}"] = value
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load what `state` returned; ValueError if names or shapes are another model's."""
        wanted = self.state()
        if wanted.keys() != tensors.keys() or any(wanted[name].shape != tensors[name].shape for name in wanted):
            raise ValueError("the optimizer's state is not that of this model")
        for weight, parts in self._momenta().items():
            whole = tensors[f"{self._names[weight]}.momentum"]
            for part, value in zip(parts, torch.split(whole, self._heights[weight]), strict=True):
                part.copy_(value)
        for weight, values in self._adamw_state.items():
            for key, value in values.items():
                value.copy_(tensors[f"{self._names[weight]}.{key}"])

    def _momenta(self) -> dict[Tensor, list[Tensor]]:
        """The Muon momentum of each weight, as the list of its matrices."""
        momenta: dict[Tensor, dict[int, Tensor]] = {weight: {} for weight in self._heights}
        for stack in self._stacks:
            for (weight, number), momentum in zip(stack.positions, stack.momentum, strict=True):
                momenta[weight][number] = momentum
        return {weight: [parts[number] for number in sorted(parts)] for weight, parts in momenta.items()}


def adamw_update(
    weight: Tensor,
    grad: Tensor,
    state: Mapping[str, Tensor],
    lr: float | Tensor,
    weight_decay: float,
    betas: tuple[float, float],
    skip: Tensor,
) -> None:
    """AdamW's update of one weight, as torch's fused one does it (Loshchilov and Hutter 2019, arXiv 1711.05101).

    For MPS, where the fused one ignored `found_inf` until June 2026 (pytorch issue 186360).
    """
    applied = (~skip).float()
    grad = torch.where(skip, torch.zeros_like(grad), grad)
    state["step"].add_(applied)
    steps = state["step"].clamp(min=1.0)  # 0 if the very first step is skipped
    state["exp_avg"].add_(applied * (1 - betas[0]) * (grad - state["exp_avg"]))
    state["exp_avg_sq"].add_(applied * (1 - betas[1]) * (grad * grad - state["exp_avg_sq"]))
    mean = state["exp_avg"] / (1 - betas[0] ** steps)
    root = (state["exp_avg_sq"] / (1 - betas[1] ** steps)).sqrt()
    weight.mul_(1 - applied * (lr * weight_decay)).sub_(applied * lr * mean / (root + ADAMW_EPS))


def _heights(model: Transformer) -> dict[Tensor, list[int]]:
    """The weights inside blocks, with the heights of the matrices stacked in each: q, k, v; gate, up."""
    heights: dict[Tensor, list[int]] = {}
    for module in model.modules():
        if isinstance(module, Attention):
            kv = module.n_kv_head * module.head_size
            heights[module.qkv.weight] = [module.n_head * module.head_size, kv, kv]
            heights[module.out.weight] = [module.out.weight.size(0)]
        elif isinstance(module, FeedForward):
            heights[module.gate_up.weight] = [module.gate_up.weight.size(0) // 2] * 2
            heights[module.down.weight] = [module.down.weight.size(0)]
    return heights


def _stacked(heights: Mapping[Tensor, list[int]]) -> list[_Stack]:
    """All matrices, grouped by shape."""
    by_shape: dict[torch.Size, list[tuple[tuple[Tensor, int], Tensor]]] = defaultdict(list)
    for weight, each in heights.items():
        for number, matrix in enumerate(torch.split(weight.detach(), each)):
            by_shape[matrix.shape].append(((weight, number), matrix))
    stacks = []
    for group in by_shape.values():
        matrices = [matrix for _, matrix in group]
        stacks.append(_Stack([position for position, _ in group], matrices, torch.zeros_like(torch.stack(matrices))))
    return stacks


def global_norm(tensors: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The L2 norm over all tensors together, and the mean of their own norms: two scalars on the device."""
    norms = torch.stack(torch._foreach_norm(list(tensors)))
    return torch.linalg.vector_norm(norms), norms.mean()


def clip(grads: Sequence[Tensor], norm: Tensor, max_norm: float) -> None:
    """Scale the gradients down to the global norm `max_norm` if `norm` is above it. Does not wait for the device."""
    torch._foreach_mul_(list(grads), (max_norm / (norm + 1e-6)).clamp(max=1.0))
