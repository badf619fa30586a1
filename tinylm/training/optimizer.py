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
"""Added to the root of the mean square; torch's default."""

MUON_MOMENTUM = 0.95
MUON_RMS = 0.2
"""Size of a Muon update per weight in units of lr: about AdamW's own (arXiv 2502.16982), so that both share one lr."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's quintic, steep at zero: five rounds bring every singular value to about 1 (github.com/KellerJordan/Muon)."""


ROUNDS = 5


def orthogonalize(matrices: Tensor, precision: torch.dtype = torch.float32, rounds: int = ROUNDS) -> Tensor:
    """The nearest matrices with orthonormal rows or columns, about: (n, rows, columns) to the same shape.

    Newton-Schulz iteration; singular values end between about 0.7 and 1.2, which serves an update as well as 1 would.
    In bf16 they come within 1 % of fp32's.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.size(-2) > matrices.size(-1)
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    if precision == torch.bfloat16:
        x = x.bfloat16()
    if x.size(-1) < 2 * x.size(-2) or precision == torch.bfloat16:
        for _ in range(rounds):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    else:
        # A round multiplies x from the left by a polynomial of x's Gram matrix, so all rounds can be taken on that
        # small matrix, and x is multiplied once by what they come to: half the work where x is four times as long.
        # Not in bf16, where small singular values get lost in the Gram matrix and come back as large ones.
        gram = x @ x.mT
        whole = torch.eye(x.size(-2), device=x.device).expand_as(gram)
        for _ in range(rounds):
            factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
            factor.diagonal(dim1=-2, dim2=-1).add_(a)
            whole, gram = factor @ whole, factor @ gram @ factor
        x = whole @ x
    result: Tensor = x.mT if tall else x
    return result.to(matrices.dtype)


@dataclass(frozen=True)
class _Group:
    """Weights of AdamW's, and what learning rate and weight decay are multiplied with for them."""

    weights: list[Tensor]
    lr: float = 1.0
    weight_decay: float = 1.0


@dataclass
class _Stack:
    """Muon's matrices of one shape, and their momentum (n, rows, columns): all in one batched product."""

    places: list[tuple[Tensor, int]]
    """The weight that each lies in, and its number there."""
    matrices: list[Tensor]
    """Views into those weights."""
    momentum: Tensor


class Optimizer:
    """AdamW or Muon with AdamW, by `config.optimizer`; weight decay is decoupled: lr * weight_decay each step.

    Embedding and head are a group apart: AdamW's always, with rates of their own by `config.embedding_lr` and
    `config.embedding_decay`. Both factors count: in a step such a weight loses lr * embedding_lr * weight_decay *
    embedding_decay of itself, as in a parameter group of torch's.
    """

    def __init__(self, model: Transformer, config: TrainConfig) -> None:
        """Take all of the model's weights; with Muon, those inside blocks are its own."""
        self._names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
        self._heights = _heights(model) if config.optimizer == "muon" else {}
        self._stacks = _stacked(self._heights)
        self._native: NativeMuon | None = None
        others = [weight for weight in self._names if weight not in self._heights]
        tables: list[Tensor] = [part.weight for part in (model.embedding, model.head) if part is not None]
        hidden: list[Tensor] = [weight for weight in model.blocks.parameters() if weight not in self._heights]
        self._groups = [_Group(hidden), _Group(tables, config.embedding_lr, config.embedding_decay)]
        # Each weight's number of steps, mean gradient and mean square. torch.optim's class would hold the same, but
        # making one imports torch's compiler, and the first step would wait for that longer than for anything else.
        self._betas = config.betas
        self._remembered = {
            weight: {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
            for weight in others
        }

    def use(self, code: ctypes.CDLL | None, threads: int) -> None:
        """From now on, take Muon's part of a step by our own code, on so many threads; without it by torch's again."""
        matrices = [matrix for stack in self._stacks for matrix in stack.matrices]
        momenta = [momentum for stack in self._stacks for momentum in stack.momentum]
        self._native = None
        if code and matrices:
            self._native = NativeMuon(code, matrices, momenta, MUON_MOMENTUM, ROUNDS, NEWTON_SCHULZ, threads)

    @torch.no_grad()
    def step(
        self,
        gradients: Sequence[Tensor],
        lr: float | Tensor,
        weight_decay: float,
        skip: Tensor,
        products: torch.dtype = torch.float32,
    ) -> None:
        """Move the weights along their gradients, given in the order of the model's parameters.

        `lr` may be a scalar on the device, which a CUDA graph reads anew each time. `products` is what Muon multiplies
        in: bf16 where that is faster.

        Not where `skip` (a bool scalar on the device) says so; nothing is asked of the device here: a step that must
        not be applied is computed and then left out.
        """
        grads = dict(zip(self._names, gradients, strict=True))
        for group in self._groups:
            self._adamw_step(group, grads, lr * group.lr, weight_decay * group.weight_decay, skip)
        if self._stacks:
            self._muon_step(grads, lr, weight_decay, skip, products)

    def _adamw_step(
        self, group: _Group, grads: Mapping[Tensor, Tensor], lr: float | Tensor, weight_decay: float, skip: Tensor
    ) -> None:
        kept = [self._remembered[weight] for weight in group.weights]
        adamw(
            group.weights,
            [grads[weight] for weight in group.weights],
            [each["exp_avg"] for each in kept],
            [each["exp_avg_sq"] for each in kept],
            [],
            [each["step"] for each in kept],
            fused=True,
            found_inf=skip.float(),  # how torch's GradScaler tells fused optimizers
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
        if self._native and not isinstance(lr, Tensor):
            if not skip:
                grads_ = [parts[weight][number] for stack in self._stacks for weight, number in stack.places]
                self._native.step(grads_, lr * MUON_RMS, lr * weight_decay, bf16=products == torch.bfloat16)
            return
        # A product and no `torch.where`: that copies a Python number to a GPU, for which Python would wait.
        applied = (~skip).float()
        for stack in self._stacks:
            grad = torch.stack([parts[weight][number] for weight, number in stack.places])
            torch.where(skip, stack.momentum, grad, out=grad)  # a skipped step leaves the momentum as it is
            stack.momentum.lerp_(grad, 1 - MUON_MOMENTUM)
            update = orthogonalize(grad.lerp_(stack.momentum, MUON_MOMENTUM), products)  # Nesterov's look ahead
            update *= applied * (-lr * MUON_RMS * math.sqrt(max(update.shape[1:])))
            torch._foreach_mul_(stack.matrices, 1 - applied * (lr * weight_decay))
            torch._foreach_add_(stack.matrices, update.unbind())

    def state(self) -> dict[str, Tensor]:
        """All that the optimizer remembers, by the weight's name: what a checkpoint holds."""
        tensors = {f"{self._names[weight]}.momentum": torch.cat(parts) for weight, parts in self._momenta().items()}
        for weight, remembered in self._remembered.items():
            for key, value in remembered.items():
                tensors[f"{self._names[weight]}.{key}"] = value
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; ValueError where names or shapes are not this model's."""
        wanted = self.state()
        if wanted.keys() != tensors.keys() or any(wanted[name].shape != tensors[name].shape for name in wanted):
            raise ValueError("the optimizer's state is not that of this model")
        for weight, parts in self._momenta().items():
            whole = tensors[f"{self._names[weight]}.momentum"]
            for part, value in zip(parts, torch.split(whole, self._heights[weight]), strict=True):
                part.copy_(value)
        for weight, remembered in self._remembered.items():
            for key, value in remembered.items():
                value.copy_(tensors[f"{self._names[weight]}.{key}"])

    def _momenta(self) -> dict[Tensor, list[Tensor]]:
        """Muon's momentum of each weight, as the matrices that are stacked in it."""
        found: dict[Tensor, dict[int, Tensor]] = {weight: {} for weight in self._heights}
        for stack in self._stacks:
            for (weight, number), momentum in zip(stack.places, stack.momentum, strict=True):
                found[weight][number] = momentum
        return {weight: [parts[number] for number in sorted(parts)] for weight, parts in found.items()}


def _heights(model: Transformer) -> dict[Tensor, list[int]]:
    """The weights inside blocks, with the heights of the matrices that are stacked in each: q, k, v; gate, up."""
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
    """All matrices, those of a shape together."""
    by_shape: dict[torch.Size, list[tuple[tuple[Tensor, int], Tensor]]] = defaultdict(list)
    for weight, each in heights.items():
        for number, matrix in enumerate(torch.split(weight.detach(), each)):
            by_shape[matrix.shape].append(((weight, number), matrix))
    stacks = []
    for found in by_shape.values():
        matrices = [matrix for _, matrix in found]
        stacks.append(_Stack([place for place, _ in found], matrices, torch.zeros_like(torch.stack(matrices))))
    return stacks


def global_norm(tensors: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The L2 norm over all tensors together, and the mean of their single norms: two scalars on the device."""
    norms = torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors])
    return torch.linalg.vector_norm(norms), norms.mean()


def clip(grads: Sequence[Tensor], norm: Tensor, longest: float) -> None:
    """Shorten the gradients to the length `longest` where `norm`, their global one, is above it; no host sync."""
    torch._foreach_mul_(list(grads), (longest / (norm + 1e-6)).clamp(max=1.0))
