"""Loss and gradients by torch's autograd: the reference for every faster backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tinylm.hardware import device
from tinylm.hardware.device import Precision


def eager_pass(
    model: Callable[..., Tensor], weights: Sequence[Tensor], precision: Precision, scale: Tensor | float, *inputs: Any
) -> tuple[Tensor, list[Tensor]]:
    """The loss `model(*inputs)`, a scalar, and the gradient of `scale` times that loss for each of the weights.

    For a `Transformer` the inputs are ids (B, T), targets (B, T) and a dropout key or None. `scale` is fp16's loss
    scale, otherwise 1.
    """
    with device.autocast(precision, weights[0].device):
        loss = model(*inputs)
    return loss.detach(), list(torch.autograd.grad(loss * scale, weights))
