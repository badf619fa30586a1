"""The planned length of a run: made from its budget, and adjusted as the machine's speed shows."""

import math

from tinylm import events
from tinylm.config import resolve
from tinylm.planning import schedule
from tinylm.planning.time_budget import TimeBudget
from tinylm.training.session import Session
from tinylm.words import duration_with_units

START_SHARE, SWITCH_SHARE, REPLAN_SHARE = 0.1, 0.02, 0.3
"""A plan stands for at least this share of the time left, unless the rate is about to fall or the run to end: the plan
that a run starts with, one whose steps are computed in another way from now on, and any other."""

MISS_SHARE, SAME_SHARE = 0.1, 0.01
"""Replan where the steps that fit differ from the steps planned by more than the first share of what is left, by more
than the second share of the whole run, and by more than one."""


class RunLength:
    """The plan of a run, and whether it is fulfilled."""

    def __init__(self, session: Session, eval_sequences: int, held_out_sequences: int) -> None:
        """Plan the whole run, and write the intervals that `auto` chose into the session's configuration.

        `eval_sequences` and `held_out_sequences`: held-out sequences in one evaluation, and in all of the text.
        ConfigError where the budget is too short for the phases.
        """
        self._session, config = session, session.config
        self.time_budget = TimeBudget.estimate(config, session.step_seconds, eval_sequences, held_out_sequences)
        if self.time_budget.overrun >= 1:
            mend = "; a smaller data.val_fraction makes it less" if session.fresh else ""
            session.notes.append(
                "There is so much held-out text that measuring all of it at the end will take about "
                f"{duration_with_units(self.time_budget.overrun)} more than the time given{mend}."
            )
        self._configured = config.train  # the intervals as configured, before `auto` is replaced
        self.totals = self._first_totals()
        """What `plan` was made from; it can be made from them again."""
        self.plan = schedule.from_totals(config.train.phases, self.totals)
        self._stands_until = 0.0
        """The second of the run before which the plan is kept."""
        self._keep_plan(START_SHARE)
        self._set_intervals()

    def _set_intervals(self) -> None:
        """Choose the intervals that are `auto`, for the current plan and speed."""
        self.eval_interval, self.sample_interval = self.time_budget.intervals(self._configured, self.plan.steps)
        intervals = {"eval_interval": self.eval_interval, "sample_interval": self.sample_interval}
        self._session.config = resolve.with_values(self._session.config, train=intervals)

    def _first_totals(self) -> schedule.Totals:
        """The plan of a resumed run, else the steps of the whole run, as far as can be said at its start."""
        state, config, clock = self._session.state, self._session.config, self._session.clock
        train = config.train
        steps_per_epoch = self._session.batches[0].stream.tokens / config.tokens_per_step
        total = schedule.total_steps(train, steps_per_epoch)
        if total is not None:
            return ((0, total),)
        if state.plan_steps and state.budget == train.budget:
            return state.plan_totals or ((0, state.plan_steps),)  # earlier versions kept the last total alone
        total = state.step + self.time_budget.first_total(train, clock.seconds())
        return ((0, max(total, len(train.phases))),)

    def _keep_plan(self, share: float) -> None:
        """Keep the plan for a share of the time left."""
        now, budget = self._session.clock.seconds(), self.time_budget.budget
        self._stands_until = math.inf if budget is None else now + share * (budget - now)

    def speed_changed(self) -> None:
        """Measure the speed of steps anew: they are computed in another way from now on."""
        self.time_budget.forget_speed()
        self._keep_plan(SWITCH_SHARE)

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
        step, now = self._session.state.step, self._session.clock.seconds()
        if self.time_budget.budget is None or (now < self._stands_until and step not in self.plan.turns):
            return False
        planned, fitting = self.plan.steps - step, self._steps_left()
        return abs(fitting - planned) > max(1, MISS_SHARE * max(fitting, planned), SAME_SHARE * self.plan.steps)

    def replan(self) -> None:
        """Fit the plan to the measured speed."""
        session, step = self._session, self._session.state.step
        total = step + max(1, self._steps_left())
        self.totals = (*self.totals, (step, total))
        self.plan = schedule.replan(self.plan, session.config.train.phases, step, total)
        self._keep_plan(REPLAN_SHARE)
        self._set_intervals()

    def plan_event(self) -> events.Planned:
        """The plan as an event; also writes it into the state, for checkpoints."""
        state = self._session.state
        state.plan_steps, state.plan_totals = self.plan.steps, self.totals
        state.budget = self._session.config.train.budget
        spans = tuple(events.PhaseSpan(phase.name, phase.first, phase.last) for phase in self.plan.phases)
        return events.Planned(self.plan.steps, self.time_budget.budget, spans, self.totals)
