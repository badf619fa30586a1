"""Compares an untested kind of device with the CPU before a run starts on it."""

from __future__ import annotations

import copy

from torch import Tensor

from tinylm.data.batches import Batches
from tinylm.errors import DeviceError
from tinylm.hardware.device import release_memory
from tinylm.model import dropout
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.training.optimizer import global_norm

UNTESTED = ("mps",)
"""Device types to check."""

CLOSE = 0.02
"""Relative tolerance of loss and gradient norm; differences from rounding in fp32 are far below it."""


def check(model: Transformer, batches: Batches) -> None:
    """Compare loss and gradient norm of the first sequence with the CPU's; DeviceError where they differ."""
    device = batches.stream.device
    if device.type not in UNTESTED:
        return
    ids, targets = (part[:1] for part in batches.draw(0))
    on_device = _loss_and_norm(model, ids, targets)
    on_cpu = _loss_and_norm(copy.deepcopy(model).cpu(), ids.cpu(), targets.cpu())
    for name, value, expected in zip(("loss", "gradient norm"), on_device, on_cpu, strict=True):
        if not abs(value - expected) <= CLOSE * abs(expected):  # also true of NaN
            raise DeviceError(
                f"{device.type.upper()} computes something else than the CPU: a {name} of {value:.4g} instead of "
                f"{expected:.4g}.",
                "Train with --device cpu; a newer torch or system may mend it.",
            )
    release_memory(device)


def _loss_and_norm(model: Transformer, ids: Tensor, targets: Tensor) -> tuple[float, float]:
    """Loss and gradient norm in fp32, with the model's dropout: its masks are the same on every device."""
    noise = dropout.key(0, 0, ids.device) if model.config.dropout else None
    loss, grads = eager_pass(model, list(model.parameters()), "fp32", 1.0, ids, targets, noise)
    return float(loss), float(global_norm(grads)[0])
