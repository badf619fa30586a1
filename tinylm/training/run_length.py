"""How long a run is: its plan, made from the budget, and made again as the machine's speed shows."""

from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import Budget
from tinylm.errors import ConfigError
from tinylm.planning import schedule
from tinylm.planning.time_budget import TimeBudget, window_seconds
from tinylm.training.session import Session

AUTO_EVALS, AUTO_SAMPLES = 20, 10
"""How many evaluations and samples `auto` intervals make in a run."""

SAMPLE_TOKEN_SECONDS = 2e-3
"""What a token of a sample takes on a slow CPU: a first guess, for planning."""


SETTLE, MISS, FEW = 0.02, 0.15, 5
"""A plan stands for this share of the time at least; then it is made anew where it is off by this share of the steps
that are left, and by more than a few."""


class RunLength:
    """The plan of a run, and whether it is fulfilled."""

    def __init__(self, parts: Session, eval_windows: int, held_out_windows: int) -> None:
        """Lay the whole run out, and write the intervals that `auto` chose into the configuration.

        They change with the plan: a run that goes over to compiled passes makes three times the steps.

        `eval_windows` and `held_out_windows` are how many windows an evaluation and the whole held-out text have.
        ConfigError where the budget is too short for the phases.
        """
        self._parts, train = parts, parts.config.train
        self._planned_at = parts.clock.seconds()
        self._budget = Budget.parse(train.budget) if train.budget else None
        # Guesses from the rehearsal, until it has been timed.
        window = window_seconds(train, parts.step_seconds)
        self.pace = TimeBudget(
            budget=self._budget.amount if self._budget and self._budget.kind == "time" else None,
            step=parts.step_seconds,
            evaluation=window * (train.eval_iters * train.batch_size + eval_windows),
            closing_evaluation=window * held_out_windows,
            sample=SAMPLE_TOKEN_SECONDS * parts.config.sample.max_new_tokens,
        )
        if self.pace.overrun > 0:
            parts.notes.append(
                "There is so much held-out text that measuring all of it at the end will take about "
                f"{self.pace.overrun:,.0f} s more than the time given; a smaller data.val_fraction makes it less."
            )
        try:
            self.plan = schedule.plan(train.phases, self._first_total())
        except ValueError as error:
            raise ConfigError(f"The run is too short: {error}.", "Give it more --steps, --time or --epochs.") from None
        self._auto = train.eval_interval == "auto", train.sample_interval == "auto"
        self._lay_intervals()

    def _lay_intervals(self) -> None:
        """Choose the intervals that are `auto`, for the plan and the speed of now."""
        train = self._parts.config.train
        evals, samples = self.pace.intervals(self.plan.steps, AUTO_EVALS, AUTO_SAMPLES)
        self.eval_interval = evals if self._auto[0] else int(train.eval_interval)
        self.sample_interval = samples if self._auto[1] else int(train.sample_interval)
        intervals = {"eval_interval": self.eval_interval, "sample_interval": self.sample_interval}
        self._parts.config = resolve.with_values(self._parts.config, train=intervals)

    def _first_total(self) -> int | None:
        """The steps of the whole run; None where the phases say it."""
        budget, state, train = self._budget, self._parts.state, self._parts.config.train
        if budget is None:
            return None
        if budget.kind == "steps":
            return int(budget.amount)
        if budget.kind == "epochs":
            tokens = self._parts.batches[0].stream.tokens
            return max(1, round(budget.amount * tokens / self._parts.config.tokens_per_step))
        if state.plan_steps and state.budget == train.budget:
            self.pace.due(self._parts.clock.seconds())  # the times that passed before the run was resumed
            return state.plan_steps
        return max(state.step + max(1, self.pace.steps_left(self._parts.clock.seconds())), len(train.phases))

    def is_reached(self) -> bool:
        """Whether the plan is fulfilled, or the time is over."""
        step, stop_at = self._parts.state.step, self._parts.config.train.stop_at
        last = min(self.plan.steps, stop_at or self.plan.steps)
        return step >= last or (step > 0 and self.pace.over(self._parts.clock.seconds()))

    def evaluates(self) -> bool:
        """Whether an evaluation falls due after this step."""
        return self._is_due(self._parts.state.evaluated_step, self.eval_interval, auto=self._auto[0])

    def samples(self) -> bool:
        """Whether a sample falls due after this step."""
        return self._is_due(self._parts.state.sampled_step, self.sample_interval, auto=self._auto[1])

    def _is_due(self, last: int | None, interval: int, *, auto: bool) -> bool:
        """At multiples of the interval; an `auto` one changes with the plan, so it counts from the last time."""
        step = self._parts.state.step
        return step - (last or 0) >= interval if auto else step % interval == 0

    def _fitting(self) -> int:
        """How many more steps fit at the speed of late."""
        seconds = self._parts.config.train.checkpoint_seconds
        return self.pace.steps_left(self._parts.clock.seconds(), self.eval_interval, self.sample_interval, seconds)

    def misses(self) -> bool:
        """Whether the plan of a time budget would end far from its time, since the machine has changed its speed.

        The first steps after a start are slow, and a plan made from them would end a run long before its time.
        """
        if self.pace.budget is None or self._parts.clock.seconds() - self._planned_at < SETTLE * self.pace.budget:
            return False
        planned, fitting = self.plan.steps - self._parts.state.step, self._fitting()
        return abs(fitting - planned) > max(FEW, MISS * max(fitting, planned))

    def plan_again(self) -> bool:
        """Fit the plan to the speed that was measured; false where it fits already."""
        parts, train = self._parts, self._parts.config.train
        self._planned_at = parts.clock.seconds()
        new = schedule.replan(self.plan, train.phases, parts.state.step, parts.state.step + max(1, self._fitting()))
        if abs(new.steps - self.plan.steps) <= 0.005 * self.plan.steps:
            return False
        self.plan = new
        self._lay_intervals()
        return True

    def planned(self) -> events.Planned:
        """The plan as an event; from now on it is the one that checkpoints remember."""
        state = self._parts.state
        state.plan_steps, state.budget = self.plan.steps, self._parts.config.train.budget
        spans = tuple(events.PhaseSpan(phase.name, phase.first, phase.last) for phase in self.plan.phases)
        return events.Planned(self.plan.steps, self.pace.budget, spans)
