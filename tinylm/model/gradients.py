"""Loss and gradients by torch's autograd: the reference for every faster backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tinylm.hardware import device
from tinylm.hardware.device import Precision


def eager_pass(
    model: Callable[..., Tensor], weights: Sequence[Tensor], precision: Precision, scale: Tensor | float, *given: Any
) -> tuple[Tensor, list[Tensor]]:
    """The mean loss of a pass, and the gradients of `scale` times it for all weights; `given` as for a model."""
    with device.autocast(precision, weights[0].device):
        loss = model(*given)
    return loss.detach(), list(torch.autograd.grad(loss * scale, weights))
