"""How many steps fit into a time budget, from what steps, evaluations, samples and checkpoints have cost so far."""

import math
from dataclasses import dataclass

from tinylm.config.schema import Budget, TrainConfig

PLAN_AGAIN_AT = (0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97)
"""Shares of the time at which the plan is made anew: other programs come and go, and so does half of the speed."""

EVALUATION_SHARE = 0.04
"""Of the time, at most about, that evaluations whose interval is `auto` may take; samples half of that.

Three times as much gave a chart of 30 points, and `stories` in two minutes a tenth fewer steps."""

ONE_EVALUATION = 0.03
"""Of the time, at most about, that a single evaluation may take. The reference recipe looks at 8,400 windows, which on
one slow core is longer than five minutes: a run of that time would have had one step."""

CLOSING = 0.2
"""Of the time, at most, that is set aside to measure all held-out text at the end; what is more comes on top of it."""

SHORT = 30.0
"""Seconds; a run of less compiles nothing that others could use as well."""

MEMORY = 0.8
"""Weight of the past in the running average of a step's time."""


@dataclass
class TimeBudget:
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
        """What is set aside for what remains to do after the last step: evaluate, sample, save."""
        most = math.inf if self.budget is None else CLOSING * self.budget
        return self.evaluation + min(self.closing_evaluation, most) + self.sample + self.save

    @property
    def overrun(self) -> float:
        """Seconds that measuring all held-out text takes beyond what is set aside for it."""
        return 0.0 if self.budget is None else max(0.0, self.closing_evaluation - CLOSING * self.budget)

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


def seconds_of(train: TrainConfig) -> float | None:
    """A budget in time, in seconds; None where a run's length is given otherwise."""
    budget = Budget.parse(train.budget) if train.budget else None
    return budget.amount if budget and budget.kind == "time" else None


def window_seconds(train: TrainConfig, step: float) -> float:
    """What a forward pass of a window takes, about, where a step takes `step` seconds: a third of its share."""
    return step / train.sequences_per_step / 3


def is_short(train: TrainConfig) -> bool:
    """Whether a run has so little time that nothing is prepared in it for later ones."""
    time = seconds_of(train)
    return time is not None and time < SHORT


def affordable(train: TrainConfig, window: float) -> int:
    """How many batches of both kinds of text an evaluation looks at, where a forward pass of a window takes `window` s.

    Those that are set, or as many as a budget in time can pay for; one at least.
    """
    time = seconds_of(train)
    if time is None:
        return train.eval_iters
    each = 2 * train.batch_size * window
    return max(1, min(train.eval_iters, int(ONE_EVALUATION * time / each)))
