"""The unit that losses are shown in: nats per token, as the engine counts, or bits per byte, as baselines are given.

Bits per byte do not depend on the tokenizer, so a model can be compared with the baselines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinylm import events

Unit = Literal["bits", "nats"]
UNIT_NAMES: dict[Unit, str] = {"bits": "bits/byte", "nats": "nats/token"}


@dataclass(frozen=True)
class LossUnit:
    """A unit of loss, and how to convert into it for one run."""

    unit: Unit
    bits_per_nat: float
    """Bits per byte that one nat per token is on this run's held-out text; nan before the text is known."""

    @classmethod
    def of_run(cls, data: events.DataPrepared | None, unit: Unit | None = None) -> LossUnit:
        """For a run's text; by default bits per byte where there are baselines, else nats per token."""
        chosen: Unit = unit or ("bits" if data and data.baselines else "nats")
        if data is None:
            return cls(chosen, math.nan)
        tokens, size = (data.val_tokens, data.val_bytes) if data.val_bytes else (data.tokens, data.bytes)
        return cls(chosen, tokens / max(size, 1) / math.log(2))

    @property
    def name(self) -> str:
        """The unit in words."""
        return UNIT_NAMES[self.unit]

    @property
    def factor(self) -> float:
        """What nats per token are multiplied by."""
        return self.bits_per_nat if self.unit == "bits" else 1.0

    def of(self, nats: float) -> float:
        """A loss, given in nats per token."""
        return nats * self.factor

    def of_bits(self, bpb: float) -> float:
        """A loss or baseline, given in bits per byte."""
        return bpb if self.unit == "bits" else bpb / self.bits_per_nat

    def held_out(self, evaluation: events.EvalDone | events.Finished) -> float | None:
        """The held-out loss of an evaluation, or of the whole held-out text at the end."""
        return evaluation.val_bpb if self.unit == "bits" else evaluation.val_loss
