"""How many steps fit into a time budget, by the measured seconds of steps, evaluations, samples and checkpoints."""

import math
from dataclasses import dataclass

from tinylm.config.schema import Budget, RunConfig, TrainConfig

PLAN_AGAIN_AT = (0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.97)
"""Shares of the time at which the run is planned again: other programs come and go, and halve or double the speed."""

EVALUATION_SHARE = 0.04
"""Share of the time that evaluations with interval `auto` may take, about; samples may take half of it.

Three times as much costs `stories` in two minutes a tenth of its steps (assets/results/notes.md).
"""

ONE_EVALUATION = 0.03
"""Share of the time that a single evaluation may take, about.

The reference recipe evaluates 8,400 sequences, on one slow core longer than five minutes: a run of that length would
have a single step.
"""

CLOSING = 0.2
"""Share of the time that is reserved, at most, for evaluating all held-out text at the end; more comes on top."""

SHORT = 30.0
"""Seconds; a shorter run compiles nothing just for later runs to use."""

EMA_DECAY = 0.8
"""Weight of the past in the moving average of a step's seconds."""

AUTO_EVALS, AUTO_SAMPLES = 20, 10
"""How many evaluations and samples a run has where their intervals are `auto`."""

SAMPLE_TOKEN_SECONDS = 2e-3
"""Seconds of a sampled token on a slow CPU: an estimate until a sample has been timed."""


@dataclass
class TimeBudget:
    """The seconds that a run may take, and the measured seconds of its parts."""

    budget: float | None
    """Of the whole run; None if its length is not given as a time."""
    step_seconds: float
    """Of an optimizer step; at first an estimate from the rehearsal."""
    evaluation_seconds: float = 0.0
    """Of an evaluation during the run."""
    final_evaluation_seconds: float = 0.0
    """Of evaluating all held-out text at the end."""
    sample_seconds: float = 0.0
    save_seconds: float = 0.0
    _shares_passed: int = 0
    """How many of PLAN_AGAIN_AT have passed."""

    @classmethod
    def estimate(cls, config: RunConfig, step_seconds: float, eval_windows: int, held_out_windows: int) -> "TimeBudget":
        """What everything takes, from the time of a step alone.

        `eval_windows` and `held_out_windows`: sequences of held-out text in one evaluation, and in all of it.
        """
        train = config.train
        window = sequence_seconds(train, step_seconds)
        return cls(
            budget=seconds_of(train),
            step_seconds=step_seconds,
            evaluation_seconds=window * (train.eval_iters * train.batch_size + eval_windows),
            final_evaluation_seconds=window * held_out_windows,
            sample_seconds=SAMPLE_TOKEN_SECONDS * config.sample.max_new_tokens,
        )

    def record_steps(self, seconds: float, steps: int) -> None:
        """Update the moving average with `steps` steps that took `seconds` together."""
        for _ in range(min(steps, 20)):
            self.step_seconds = EMA_DECAY * self.step_seconds + (1 - EMA_DECAY) * seconds / steps

    def replan_is_due(self, elapsed: float) -> bool:
        """Whether it is time to plan again: once after each of PLAN_AGAIN_AT."""
        if self.budget is None:
            return False
        passed = sum(elapsed >= share * self.budget for share in PLAN_AGAIN_AT)
        if passed <= self._shares_passed:
            return False
        self._shares_passed = passed
        return True

    def intervals(self, train: TrainConfig, steps: int) -> tuple[int, int]:
        """Steps between evaluations and between samples in a run of `steps`: as configured, or longer where costly."""
        cheap_evaluation = math.ceil(self.evaluation_seconds / (EVALUATION_SHARE * self.step_seconds))
        cheap_sample = math.ceil(self.sample_seconds / (EVALUATION_SHARE / 2 * self.step_seconds))
        evaluation = max(1, steps // AUTO_EVALS, cheap_evaluation)
        sample = max(1, steps // AUTO_SAMPLES, cheap_sample)
        return (
            evaluation if train.eval_interval == "auto" else train.eval_interval,
            sample if train.sample_interval == "auto" else train.sample_interval,
        )

    @property
    def closing_seconds(self) -> float:
        """Seconds reserved for what follows the last step: evaluating, sampling, saving."""
        most = math.inf if self.budget is None else CLOSING * self.budget
        return (
            self.evaluation_seconds + min(self.final_evaluation_seconds, most) + self.sample_seconds + self.save_seconds
        )

    @property
    def overrun(self) -> float:
        """Seconds that evaluating all held-out text takes beyond what is reserved for it."""
        return 0.0 if self.budget is None else max(0.0, self.final_evaluation_seconds - CLOSING * self.budget)

    def is_used_up(self, elapsed: float) -> bool:
        """Whether the run should stop: one more step, and the closing, would end farther from the budget."""
        return self.budget is not None and elapsed + self.closing_seconds + self.step_seconds / 2 > self.budget

    def steps_left(
        self,
        elapsed: float,
        eval_interval: float = math.inf,
        sample_interval: float = math.inf,
        save_interval_seconds: float = math.inf,
    ) -> int:
        """How many more steps fit, with the evaluations, samples and checkpoints in between."""
        assert self.budget is not None
        each = self.step_seconds + self.evaluation_seconds / eval_interval + self.sample_seconds / sample_interval
        each *= 1 + self.save_seconds / save_interval_seconds
        return max(0, round((self.budget - elapsed - self.closing_seconds) / each))


def seconds_of(train: TrainConfig) -> float | None:
    """The time budget in seconds; None if the length is not given as a time."""
    budget = Budget.parse(train.budget) if train.budget else None
    return budget.amount if budget and budget.kind == "time" else None


def sequence_seconds(train: TrainConfig, step: float) -> float:
    """What a forward pass of a window takes, about, where a step takes `step` seconds: a third of its share."""
    return step / train.sequences_per_step / 3


def is_short(train: TrainConfig) -> bool:
    """Whether a run has so little time that it compiles nothing just for later runs."""
    time = seconds_of(train)
    return time is not None and time < SHORT


def affordable(train: TrainConfig, seconds: float) -> int:
    """The batches of each kind of text (training, held-out) in an evaluation: `eval_iters`, or what the time allows.

    `seconds` is for a forward pass of one sequence; the result is at least 1.
    """
    time = seconds_of(train)
    if time is None:
        return train.eval_iters
    each = 2 * train.batch_size * seconds
    return max(1, min(train.eval_iters, int(ONE_EVALUATION * time / each)))
