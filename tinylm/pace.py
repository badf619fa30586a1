"""How many steps fit into a time budget, from what steps, evaluations, samples and checkpoints have cost so far."""

import math
from dataclasses import dataclass

PLAN_AGAIN_AT = (0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97)
"""Shares of the time at which the plan is made anew: other programs come and go, and so does half of the speed."""

EVALUATION_SHARE = 0.06
"""Of the time, at most about, that evaluations whose interval is `auto` may take; samples half of that.

Twice as much gave a chart of 30 points, and `stories` in two minutes a tenth fewer steps."""

MEMORY = 0.8
"""Weight of the past in the running average of a step's time."""


@dataclass
class Pace:
    """Seconds that things take, as measured so far; None where nothing has been measured."""

    budget: float | None
    """Seconds that the whole run may take; None where its length is given otherwise."""
    step: float
    """One optimizer step; at first an estimate from the rehearsal."""
    evaluation: float = 0.0
    """One evaluation along the way."""
    closing_evaluation: float = 0.0
    """The whole held-out text once, at the end."""
    sample: float = 0.0
    save: float = 0.0
    _planned_at: int = 0

    def stepped(self, seconds: float, steps: int) -> None:
        """Learn from `steps` steps that took `seconds` together."""
        for _ in range(min(steps, 20)):
            self.step = MEMORY * self.step + (1 - MEMORY) * seconds / steps

    def due(self, elapsed: float) -> bool:
        """Whether it is time to plan again; true once for each share of the time."""
        if self.budget is None:
            return False
        passed = sum(elapsed >= share * self.budget for share in PLAN_AGAIN_AT)
        if passed <= self._planned_at:
            return False
        self._planned_at = passed
        return True

    def intervals(self, steps: int, evaluations: int, samples: int) -> tuple[int, int]:
        """Steps between evaluations and between samples: so many in a run of `steps`, fewer where they cost much."""
        cheap_evaluation = math.ceil(self.evaluation / (EVALUATION_SHARE * self.step))
        cheap_sample = math.ceil(self.sample / (EVALUATION_SHARE / 2 * self.step))
        return max(1, steps // evaluations, cheap_evaluation), max(1, steps // samples, cheap_sample)

    @property
    def closing(self) -> float:
        """What remains to do after the last step: evaluate, sample, save."""
        return self.evaluation + self.closing_evaluation + self.sample + self.save

    def over(self, elapsed: float) -> bool:
        """Whether another step, and the closing after it, would end nearer beyond the budget than before it."""
        return self.budget is not None and elapsed + self.closing + self.step / 2 > self.budget

    def steps_left(
        self,
        elapsed: float,
        eval_interval: float = math.inf,
        sample_interval: float = math.inf,
        save_seconds: float = math.inf,
    ) -> int:
        """How many more steps fit, with the evaluations, samples and checkpoints that fall due between them."""
        assert self.budget is not None
        each = self.step + self.evaluation / eval_interval + self.sample / sample_interval
        each *= 1 + self.save / save_seconds
        return max(0, round((self.budget - elapsed - self.closing) / each))
