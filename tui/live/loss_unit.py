"""Losses in the unit that a person chose: nats per token, as the engine counts, or bits per byte, as baselines are.

Bits per byte do not depend on how text is cut into tokens, so that a model can be compared with simpler means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinylm import events

Unit = Literal["bits", "nats"]


@dataclass(frozen=True)
class LossUnit:
    """How a loss is told."""

    unit: Unit
    bits_in_a_nat: float
    """Bits per byte that make up one nat per token, on this run's held-out text."""

    @classmethod
    def of_run(cls, data: events.DataPrepared | None, unit: Unit | None = None) -> LossUnit:
        """For a run's text; without a `unit` bits per byte where there are baselines, which are told in them."""
        chosen: Unit = unit or ("bits" if data and data.baselines else "nats")
        if data is None:
            return cls("nats" if unit is None else chosen, 1 / math.log(2))
        tokens, size = (data.val_tokens, data.val_bytes) if data.val_bytes else (data.tokens, data.bytes)
        return cls(chosen, tokens / max(size, 1) / math.log(2))

    @property
    def name(self) -> str:
        """The unit in words."""
        return "bits/byte" if self.unit == "bits" else "nats/token"

    @property
    def factor(self) -> float:
        """What nats per token are multiplied with."""
        return self.bits_in_a_nat if self.unit == "bits" else 1.0

    def of(self, nats: float) -> float:
        """A loss in nats per token."""
        return nats * self.factor

    def level(self, bpb: float) -> float:
        """A baseline, which is given in bits per byte."""
        return bpb if self.unit == "bits" else bpb / self.bits_in_a_nat

    def held_out(self, evaluation: events.EvalDone | events.Finished) -> float | None:
        """The held-out loss of an evaluation, or of the whole text at the end."""
        return evaluation.val_bpb if self.unit == "bits" else evaluation.val_loss
