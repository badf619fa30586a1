"""The planned length of a run: made from its budget, and adjusted as the machine's speed shows."""

import math
from typing import Literal

from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import Decision, TrainConfig
from tinylm.errors import ConfigError
from tinylm.planning import schedule, time_budget
from tinylm.planning.schedule import Plan
from tinylm.planning.time_budget import TimeBudget
from tinylm.runs.checkpoint import TrainState
from tinylm.training.session import Session
from tinylm.words import counted, duration_with_units

START_SHARE, SWITCH_SHARE, REPLAN_SHARE = 0.1, 0.02, 0.3
"""A plan stands for at least this share of the time left, unless the rate is about to fall or the run to end: the plan
that a run starts with, one whose steps are computed in another way from now on, and any other."""

MISS_SHARE, SAME_SHARE = 0.1, 0.01
"""Replan where the steps that fit differ from the steps planned by more than the first share of what is left, by more
than the second share of the whole run, and by more than one."""


def refuse_what_is_done(train: TrainConfig, state: TrainState, steps_per_epoch: float) -> None:
    """ConfigError where a run that is resumed from `state` has already passed the length that it is given now."""
    if train.stop_at is not None and train.stop_at < state.step:
        raise ConfigError(
            f"train.stop_at={train.stop_at} ends the run before step {state.step:,}, which it has already done.",
            "Give a later step to go on.",
        )
    if state.budget == train.budget:
        return
    seconds, steps = time_budget.seconds_of(train), schedule.total_steps(train, steps_per_epoch)
    if seconds is not None and seconds <= state.seconds:
        raise ConfigError(
            f"--time is the time of the whole run, which has already trained for {duration_with_units(state.seconds)}.",
            "Give more than that to go on.",
        )
    if steps is not None and steps <= state.step:
        raise ConfigError(
            f"--steps and --epochs are the length of the whole run, which has already done "
            f"{counted(state.step, 'step')}; what is given now makes {steps:,}.",
            "Give more than that to go on.",
        )


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
        recorded = session.decisions.recorded
        wished = {"eval_interval": recorded.eval_interval, "sample_interval": recorded.sample_interval}
        self._configured = config.train.model_copy(update=wished)  # before `auto` is replaced
        self.totals: schedule.Totals = ()
        """What `plan` was made from; it can be made from them again."""
        self._stands_until = 0.0
        """The second of the run before which the plan is kept."""
        made = [decision for decision in session.decisions.made if decision.kind in ("plan", "replan")]
        if made and session.state.budget == config.train.budget:  # it is resumed
            for decision in made:
                self._apply(decision)
        elif due := session.decisions.due():
            self.follow(due)
        else:
            total = self._first_total()
            self._decide("plan", schedule.plan(config.train.phases, total), total)
        self._keep_plan(START_SHARE)

    def _decide(self, kind: Literal["plan", "replan"], new: Plan, total: int) -> None:
        """Adopt a plan for `total` steps, with intervals for its length and the current speed."""
        evaluation, sample = self.time_budget.intervals(self._configured, new.steps)
        self.follow(
            Decision(
                step=self._session.state.step,
                kind=kind,
                steps=total,
                eval_interval=evaluation,
                sample_interval=sample,
            )
        )

    def follow(self, decision: Decision) -> None:
        """Adopt the plan and the intervals of a decision, and record it."""
        self._apply(decision)
        self._session.decisions.record(decision)

    def _apply(self, decision: Decision) -> None:
        phases, total = self._session.config.train.phases, decision.steps
        assert total is not None
        if decision.kind == "plan":
            self.totals, self.plan = ((0, total),), schedule.plan(phases, total)
        else:
            self.totals = (*self.totals, (decision.step, total))
            self.plan = schedule.replan(self.plan, phases, decision.step, total)
        assert decision.eval_interval is not None
        assert decision.sample_interval is not None
        self.eval_interval, self.sample_interval = decision.eval_interval, decision.sample_interval
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
        if state.plan_steps and state.budget == train.budget:  # resumed, and begun by an earlier version
            return state.plan_steps
        total = state.step + self.time_budget.first_total(train, clock.seconds())
        return max(total, len(train.phases))

    def _keep_plan(self, share: float) -> None:
        """Keep the plan for a share of the time left."""
        now, budget = self._session.clock.seconds(), self.time_budget.budget
        self._stands_until = math.inf if budget is None else now + share * (budget - now)

    def speed_changed(self) -> None:
        """Measure the speed of steps anew: they are computed in another way from now on."""
        self.time_budget.forget_speed()
        self._keep_plan(SWITCH_SHARE)

    def is_reached(self) -> bool:
        """Whether the plan is fulfilled, or the time is up; a repetition ends where the repeated run did."""
        step, stop_at = self._session.state.step, self._session.config.train.stop_at
        if repeated := self._session.decisions.repeated:
            return repeated.ended is not None and step >= repeated.ended
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
        step = self._session.state.step
        total = step + max(1, self._steps_left())
        self._decide("replan", schedule.replan(self.plan, self._session.config.train.phases, step, total), total)
        self._keep_plan(REPLAN_SHARE)

    def plan_event(self) -> events.Planned:
        """The plan as an event; also writes it into the state, for checkpoints."""
        state = self._session.state
        state.plan_steps, state.budget = self.plan.steps, self._session.config.train.budget
        spans = tuple(events.PhaseSpan(phase.name, phase.first, phase.last) for phase in self.plan.phases)
        return events.Planned(self.plan.steps, self.time_budget.budget, spans, self.totals)
