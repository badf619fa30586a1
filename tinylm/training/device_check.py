"""Whether a device that this program was not tested on computes what the CPU does, before a run is trusted to it."""

from __future__ import annotations

import copy

from torch import Tensor

from tinylm.data.batches import Batches
from tinylm.errors import DeviceError
from tinylm.hardware import device
from tinylm.model import dropout
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.training.optimizer import global_norm

UNTESTED = ("mps",)
"""Devices that are checked."""

CLOSE = 0.02
"""How far loss and gradient norm may lie apart: kernels round otherwise, and in fp32 that stays far below this."""


def check(model: Transformer, batches: Batches) -> None:
    """Compare loss and gradient of a run's first window with the CPU's; DeviceError where they are others."""
    place = batches.stream.device
    if place.type not in UNTESTED:
        return
    ids, targets = (part[:1] for part in batches.draw(0))
    there = _loss_and_norm(model, ids, targets)
    here = _loss_and_norm(copy.deepcopy(model).cpu(), ids.cpu(), targets.cpu())
    for name, found, right in zip(("loss", "gradient norm"), there, here, strict=True):
        if not abs(found - right) <= CLOSE * abs(right):  # also where it is no number
            raise DeviceError(
                f"{place.type.upper()} computes something else than the CPU: a {name} of {found:.4g} instead of "
                f"{right:.4g}.",
                "Train with --device cpu; a newer torch or system may mend it.",
            )
    device.release_memory(place)


def _loss_and_norm(model: Transformer, ids: Tensor, targets: Tensor) -> tuple[float, float]:
    """In fp32, and with dropout where the model has it: its masks are the same on every device."""
    noise = dropout.key(0, 0, ids.device) if model.config.dropout else None
    loss, grads = eager_pass(model, list(model.parameters()), "fp32", 1.0, ids, targets, noise)
    return float(loss), float(global_norm(grads)[0])
