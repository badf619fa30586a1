"""How many steps fit into a time budget, by the measured seconds of steps, evaluations, samples and checkpoints."""

import math
from dataclasses import dataclass

from tinylm.config.schema import Budget, RunConfig, TrainConfig

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

MEMORY_SHARE, MIN_MEMORY_SECONDS = 0.25, 1.0
"""The speed of steps is averaged over about this share of the time that is left, and at least over so many seconds.

What lies ahead is best foretold by a past of similar length: early in a run another program that comes and goes every
few seconds is averaged out, and near the end a change shows at once.
"""

MIN_STEP_SECONDS = 1e-9
"""No step takes less: a clock may not have moved."""

MAX_OUTLIER = 3.0
"""Steps that took longer, by more than this factor, than the mean and the steps just before count as this much: a
single stall is no new speed."""

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
    _recent_seconds: float = 0.0
    """Seconds and number of the recent steps; older ones weigh less, exponentially."""
    _recent_steps: float = 0.0
    _last_step_seconds: float = 0.0
    """Of the steps recorded last."""

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

    def record_steps(self, seconds: float, steps: int, elapsed: float) -> None:
        """Take `steps` steps that took `seconds` together into the mean, `elapsed` seconds after the run began."""
        usual, self._last_step_seconds = max(self.step_seconds, self._last_step_seconds), seconds / steps
        seconds = min(seconds, MAX_OUTLIER * steps * usual)
        left = 0.0 if self.budget is None else self.budget - elapsed
        kept = math.exp(-seconds / max(MIN_MEMORY_SECONDS, MEMORY_SHARE * left))
        self._recent_seconds = kept * self._recent_seconds + seconds
        self._recent_steps = kept * self._recent_steps + steps
        self.step_seconds = max(self._recent_seconds / self._recent_steps, MIN_STEP_SECONDS)

    def forget_speed(self) -> None:
        """Let the next steps alone say how fast steps are: they are computed in another way from now on."""
        self._recent_seconds = self._recent_steps = 0.0

    def first_total(self, train: TrainConfig, elapsed: float) -> int:
        """How many steps fit into the whole run, before any was taken; at least one.

        A first guess gives the intervals of evaluations and samples, with which fewer steps fit.
        """
        intervals = self.intervals(train, self.steps_left(elapsed))
        return max(1, self.steps_left(elapsed, *intervals, train.checkpoint_seconds))

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
