"""The exponential moving average (EMA) of a model's weights, which is often better than the weights themselves."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from tinylm.model.transformer import Transformer


class WeightEMA:
    """An EMA of the weights whose horizon grows with the run.

    At step t, counted from 1, the average moves towards the weights by the factor 1 / (1 + share (t - 1)). It thus
    remembers about `share` of the steps so far, whatever the length of the run, and needs no bias correction: the first
    step sets it to the weights. At a share of 1 it is the plain mean over all steps. In general the weights of step s
    count in proportion to s^gamma with gamma = 1 / share - 1, and their mean age is share / (1 + share) of the steps:
    9 % at 0.1.

    This is the power-function EMA of Karras et al. 2023 (arXiv 2312.02696, section 3.1), who keep
    (1 - 1 / t)^(gamma + 1) of the old average; both are 1 - 1 / (share t) for large t.
    """

    def __init__(self, model: Transformer, share: float) -> None:
        """Start from the current weights of `model`; 0 < share <= 1."""
        self.model = copy.deepcopy(model).requires_grad_(False)
        """A model with the averaged weights, for evaluation and generation."""
        self._share = share
        self._averaged: list[Tensor] = list(self.model.parameters())
        self._trained = [weight.detach() for weight in model.parameters()]

    def factor(self, step: int) -> float:
        """How far the average moves towards the weights after the run's step `step`, counted from 1."""
        return 1 / (1 + self._share * (step - 1))

    @torch.no_grad()
    def update(self, factor: float | Tensor, skip: Tensor) -> None:
        """Move towards the weights by a step's `factor`, which may be a scalar on the device.

        `skip` is a bool scalar on the device: True leaves the average as it is. Does not wait for the device.
        """
        factor = torch.where(skip, 0.0, factor)
        torch._foreach_lerp_(self._averaged, self._trained, [factor] * len(self._averaged))

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Continue from averaged weights by name; RuntimeError if they are another model's."""
        self.model.load_state_dict(weights)
