"""The optimizer: AdamW for everything, or Muon for the hidden matrices and AdamW for the rest.

One class for both, with its state as plain named tensors, so that a checkpoint is a safetensors file.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from tinylm.config import TrainConfig
from tinylm.model import Attention, FeedForward, Transformer

ADAMW_EPS = 1e-8
"""Added to the root of the mean square; torch's default."""

MUON_MOMENTUM = 0.95
MUON_RMS = 0.2
"""Size of a Muon update per weight in units of lr: about AdamW's own (arXiv 2502.16982), so that both share one lr."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's quintic, steep at zero: five rounds bring every singular value to about 1 (github.com/KellerJordan/Muon)."""


def orthogonalize(matrices: Tensor, rounds: int = 5) -> Tensor:
    """The nearest matrices with orthonormal rows or columns, about: (n, rows, columns) to the same shape.

    Newton-Schulz iteration; singular values end between about 0.7 and 1.2, which serves an update as well as 1 would.
    In bf16 on CUDA, as usual; in fp32 elsewhere, where bf16 would often be slower.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.size(-2) > matrices.size(-1)
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    if matrices.is_cuda:
        x = x.bfloat16()
    if x.size(-1) < 2 * x.size(-2) or matrices.is_cuda:
        for _ in range(rounds):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    else:
        # A round multiplies x from the left by a polynomial of x's Gram matrix, so all rounds can be taken on that
        # small matrix, and x is multiplied once by what they come to: half the work where x is four times as long.
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


class Optimizer:
    """AdamW or Muon with AdamW, by `config.optimizer`; weight decay is decoupled: lr * weight_decay each step.

    Embedding and head are a group apart: AdamW's always, with rates of their own by `config.embedding_lr` and
    `config.embedding_decay`. Both factors count: in a step such a weight loses lr * embedding_lr * weight_decay *
    embedding_decay of itself, as in a parameter group of torch's.
    """

    def __init__(self, model: Transformer, config: TrainConfig) -> None:
        """Take all of the model's weights; with Muon, those inside blocks are its own."""
        self._names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
        self._parts = _matrices(model) if config.optimizer == "muon" else {}
        self._momentum = {weight: torch.zeros_like(weight) for weight in self._parts}
        others = [weight for weight in self._names if weight not in self._parts]
        tables: list[Tensor] = [part.weight for part in (model.embedding, model.head) if part is not None]
        hidden: list[Tensor] = [weight for weight in model.blocks.parameters() if weight not in self._parts]
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

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], lr: float, weight_decay: float, skip: Tensor) -> None:
        """Move the weights along their gradients, given in the order of the model's parameters.

        Not where `skip` (a bool scalar on the device) says so; nothing is asked of the device here: a step that must
        not be applied is computed and then left out.
        """
        grads = dict(zip(self._names, gradients, strict=True))
        for group in self._groups:
            self._adamw_step(group, grads, lr * group.lr, weight_decay * group.weight_decay, skip)
        if self._parts:
            self._muon_step(grads, lr, weight_decay, skip)

    def _adamw_step(
        self, group: _Group, grads: Mapping[Tensor, Tensor], lr: float, weight_decay: float, skip: Tensor
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

    def _muon_step(self, grads: Mapping[Tensor, Tensor], lr: float, weight_decay: float, skip: Tensor) -> None:
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for weight, sizes in self._parts.items():
            momentum = self._momentum[weight]
            grad = torch.where(skip, momentum, grads[weight])  # a skipped step leaves the momentum as it is
            momentum.lerp_(grad, 1 - MUON_MOMENTUM)
            update = grad.lerp(momentum, MUON_MOMENTUM)  # Nesterov's look ahead
            weight.mul_(torch.where(skip, 1.0, 1 - lr * weight_decay))
            for part, change in zip(torch.split(weight, sizes), torch.split(update, sizes), strict=True):
                by_shape[part.shape].append((part, change))
        for shape, pairs in by_shape.items():  # all matrices of a shape in one batched product
            changes = orthogonalize(torch.stack([change for _, change in pairs]))
            changes *= torch.where(skip, 0.0, -lr * MUON_RMS * math.sqrt(max(shape)))
            for (part, _), change in zip(pairs, changes, strict=True):
                part.add_(change)

    def state(self) -> dict[str, Tensor]:
        """All that the optimizer remembers, by the weight's name: what a checkpoint holds."""
        tensors = {f"{self._names[weight]}.momentum": momentum for weight, momentum in self._momentum.items()}
        for weight, remembered in self._remembered.items():
            for key, value in remembered.items():
                tensors[f"{self._names[weight]}.{key}"] = value
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; ValueError where names or shapes are not this model's."""
        wanted = self.state()
        if wanted.keys() != tensors.keys() or any(wanted[name].shape != tensors[name].shape for name in wanted):
            raise ValueError("the optimizer's state is not that of this model")
        for name, value in wanted.items():
            value.copy_(tensors[name])


def _matrices(model: Transformer) -> dict[Tensor, list[int]]:
    """The weights inside blocks, with the heights of the matrices that are stacked in each: q, k, v; gate, up."""
    parts: dict[Tensor, list[int]] = {}
    for module in model.modules():
        if isinstance(module, Attention):
            kv = module.n_kv_head * module.head_size
            parts[module.qkv.weight] = [module.n_head * module.head_size, kv, kv]
            parts[module.out.weight] = [module.out.weight.size(0)]
        elif isinstance(module, FeedForward):
            parts[module.gate_up.weight] = [module.gate_up.weight.size(0) // 2] * 2
            parts[module.down.weight] = [module.down.weight.size(0)]
    return parts


def global_norm(tensors: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The L2 norm over all tensors together, and the mean of their single norms: two scalars on the device."""
    norms = torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors])
    return torch.linalg.vector_norm(norms), norms.mean()


def clip(grads: Sequence[Tensor], norm: Tensor, longest: float) -> None:
    """Shorten the gradients to the length `longest` where `norm`, their global one, is above it; no host sync."""
    torch._foreach_mul_(list(grads), (longest / (norm + 1e-6)).clamp(max=1.0))
