"""The planned length of a run: made from its budget, and adjusted as the machine's speed shows."""

from tinylm import events
from tinylm.config import resolve
from tinylm.planning import schedule
from tinylm.planning.time_budget import TimeBudget
from tinylm.training.session import Session

SETTLE_SHARE = 0.02
"""A new plan stands for at least this share of the time budget: the first steps after a start are slow."""

MISS_SHARE, MISS_STEPS = 0.15, 5
"""Replan early where the plan is off by more than this share of the remaining steps, and by more than so many steps."""

SAME_PLAN = 0.005
"""Keep a plan that differs from the new one by less than this share."""


class RunLength:
    """The plan of a run, and whether it is fulfilled."""

    def __init__(self, session: Session, eval_sequences: int, held_out_sequences: int) -> None:
        """Plan the whole run, and write the intervals that `auto` chose into the session's configuration.

        `eval_sequences` and `held_out_sequences`: held-out sequences in one evaluation, and in all of the text.
        ConfigError where the budget is too short for the phases.
        """
        self._session, config = session, session.config
        self._planned_at = session.clock.seconds()
        self.time_budget = TimeBudget.estimate(config, session.step_seconds, eval_sequences, held_out_sequences)
        if self.time_budget.overrun >= 1:
            session.notes.append(
                "There is so much held-out text that measuring all of it at the end will take about "
                f"{self.time_budget.overrun:,.0f} s more than the time given; a smaller data.val_fraction makes it "
                "less."
            )
        self._configured = config.train  # the intervals as configured, before `auto` is replaced
        self.plan = schedule.plan(config.train.phases, self._first_total())
        self._set_intervals()

    def _set_intervals(self) -> None:
        """Choose the intervals that are `auto`, for the current plan and speed."""
        self.eval_interval, self.sample_interval = self.time_budget.intervals(self._configured, self.plan.steps)
        intervals = {"eval_interval": self.eval_interval, "sample_interval": self.sample_interval}
        self._session.config = resolve.with_values(self._session.config, train=intervals)

    def _first_total(self) -> int:
        """The steps of the whole run, as far as can be said at its start."""
        state, config, clock = self._session.state, self._session.config, self._session.clock
        train = config.train
        steps_per_epoch = self._session.batches[0].stream.tokens / config.tokens_per_step
        total = schedule.total_steps(train, steps_per_epoch)
        if total is not None:
            return total
        if state.plan_steps and state.budget == train.budget:
            self.time_budget.replan_is_due(clock.seconds())  # skips the replanning times before the run was resumed
            return state.plan_steps
        return max(state.step + max(1, self.time_budget.steps_left(clock.seconds())), len(train.phases))

    def is_reached(self) -> bool:
        """Whether the plan is fulfilled, or the time is up."""
        step, stop_at = self._session.state.step, self._session.config.train.stop_at
        last = min(self.plan.steps, stop_at or self.plan.steps)
        return step >= last or (step > 0 and self.time_budget.is_used_up(self._session.clock.seconds()))

    def evaluation_is_due(self) -> bool:
        """Whether to evaluate after this step."""
        return self._is_due(self._session.state.evaluated_step, self.eval_interval, self._configured.eval_interval)

    def sample_is_due(self) -> bool:
        """Whether to sample after this step."""
        return self._is_due(self._session.state.sampled_step, self.sample_interval, self._configured.sample_interval)

    def _is_due(self, last: int | None, interval: int, configured: int | str) -> bool:
        """At multiples of the interval; an `auto` interval changes with the plan, so it counts from the last time."""
        step = self._session.state.step
        return step - (last or 0) >= interval if configured == "auto" else step % interval == 0

    def _steps_left(self) -> int:
        """How many more steps fit at the current speed."""
        seconds = self._session.config.train.checkpoint_seconds
        now = self._session.clock.seconds()
        return self.time_budget.steps_left(now, self.eval_interval, self.sample_interval, seconds)

    def needs_replan(self) -> bool:
        """Whether the plan would end far from the time budget, since the machine's speed has changed."""
        budget, now = self.time_budget.budget, self._session.clock.seconds()
        if budget is None or now - self._planned_at < SETTLE_SHARE * budget:
            return False
        planned, fitting = self.plan.steps - self._session.state.step, self._steps_left()
        return abs(fitting - planned) > max(MISS_STEPS, MISS_SHARE * max(fitting, planned))

    def replan(self) -> bool:
        """Fit the plan to the measured speed; False where it fits already."""
        session = self._session
        self._planned_at, step = session.clock.seconds(), session.state.step
        new = schedule.replan(self.plan, session.config.train.phases, step, step + max(1, self._steps_left()))
        if abs(new.steps - self.plan.steps) <= SAME_PLAN * self.plan.steps:
            return False
        self.plan = new
        self._set_intervals()
        return True

    def plan_event(self) -> events.Planned:
        """The plan as an event; also writes it into the state, for checkpoints."""
        state = self._session.state
        state.plan_steps, state.budget = self.plan.steps, self._session.config.train.budget
        spans = tuple(events.PhaseSpan(phase.name, phase.first, phase.last) for phase in self.plan.phases)
        return events.Planned(self.plan.steps, self.time_budget.budget, spans)
