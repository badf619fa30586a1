"""The average of a model's weights over its training, which is often the better model."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from tinylm.model.transformer import Transformer


class WeightEMA:
    """An exponential moving average of weights whose horizon grows with the run.

    After the run's step t, counted from 1, each averaged weight goes 1 / (1 + share (t - 1)) of the way to the new one.
    So it remembers about `share` of the steps so far, however long the run turns out to be, and nothing has to be
    corrected at the beginning: the first step makes the average its weights. At a share of 1 it is the plain mean over
    all steps. In general the weights of step s count in proportion to s^gamma, gamma = 1 / share - 1, as nearly as
    makes no difference after the first steps, and their mean age is share / (1 + share) of the steps: 9 % at 0.1.

    That is the power-function average of Karras et al. 2023 (arXiv 2312.02696, section 3.1), who keep
    (1 - 1 / t)^(gamma + 1) of the old average: 1 - 1 / (share t) where t is large, as here.
    """

    def __init__(self, model: Transformer, share: float) -> None:
        """Begin at the weights that `model` has now; 0 < share <= 1."""
        self.model = copy.deepcopy(model).requires_grad_(False)
        """A model with the averaged weights; it is measured and writes, and never trains."""
        self._share = share
        self._averaged: list[Tensor] = list(self.model.parameters())
        self._trained = [weight.detach() for weight in model.parameters()]

    @torch.no_grad()
    def follow(self, step: int, skip: Tensor) -> None:
        """Take in the weights behind the run's step `step`, counted from 1.

        Not where `skip` (a bool scalar on the device) says so: the step was left out. Nothing is asked of the device.
        """
        way = torch.where(skip, 0.0, 1 / (1 + self._share * (step - 1)))
        torch._foreach_lerp_(self._averaged, self._trained, [way] * len(self._averaged))

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from another average, by the weights' names; RuntimeError where it is not this model's."""
        self.model.load_state_dict(weights)
