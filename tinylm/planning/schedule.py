"""Learning-rate schedules as pure functions of the step, and the plan of a run: its phases with their lengths.

Steps of a phase are counted from 0, as in torch's schedulers; steps of a run are counted from 1, as in events.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tinylm.config.schema import Budget, Phase, TrainConfig
from tinylm.errors import ConfigError


@dataclass(frozen=True)
class PhasePlan:
    """A phase of a plan; all lengths are in steps."""

    name: str
    schedule: str
    first: int
    """The step of the run that is this phase's step 0."""
    steps: int
    base_lr: float
    max_lr: float
    min_lr: float
    warmup: int
    up: int
    """Of a triangle of `cyclic`."""
    down: int
    """Of a triangle of `cyclic`, or the decay of `wsd`."""
    since: int = 0
    """A step of the phase: where the decay begins, or where it was replanned."""
    done: float = 0.0
    """The share of the decay, or the number of cycles, that is done at the step `since`."""

    @property
    def last(self) -> int:
        """The step of the run that is the phase's last."""
        return self.first + self.steps - 1


@dataclass(frozen=True)
class Plan:
    """The phases of a run in order."""

    phases: tuple[PhasePlan, ...]

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.phases[-1].last

    @property
    def turns(self) -> set[int]:
        """The last steps before something that cannot be taken back: the decay of a stable rate, and the end."""
        return {phase.first + phase.since for phase in self.phases if phase.schedule == "wsd"} | {self.steps}

    def phase_index(self, step: int) -> int:
        """Index of the phase of a step of the run; steps past the end belong to the last phase."""
        return min(bisect_left([phase.last for phase in self.phases], step), len(self.phases) - 1)

    def lr(self, step: int) -> float:
        """The learning rate at a step of the run."""
        phase = self.phases[self.phase_index(step)]
        return SCHEDULES[phase.schedule](step - phase.first, phase)


Totals = tuple[tuple[int, int], ...]
"""How a plan came about: pairs of a step and the total length planned there; the first pair is of step 0."""


def from_totals(phases: Sequence[Phase], totals: Totals) -> Plan:
    """The plan that these totals led to. ConfigError where one has less than a step for each phase."""
    (_, first), *others = totals
    made = plan(phases, first)
    for step, total in others:
        made = replan(made, phases, step, total)
    return made


def total_steps(train: TrainConfig, steps_per_epoch: float | None = None) -> int | None:
    """The steps of the whole run; None if a time budget decides, or epochs of unknown length do."""
    if train.budget is None:
        return sum(phase.steps or 0 for phase in train.phases)
    budget = Budget.parse(train.budget)
    if budget.kind == "steps":
        return int(budget.amount)
    if budget.kind == "time" or steps_per_epoch is None:
        return None
    return max(1, round(budget.amount * steps_per_epoch))


def replan(old: Plan, phases: Sequence[Phase], step: int, total: int) -> Plan:
    """The plan for a new total length of a run that has done `step` steps.

    Past phases stay and the current one keeps its first step. A finished warm-up stays as it was. A decay that has
    begun, or would have begun by the new length, goes on from the current rate and takes all the steps left, so
    the rate never rises again; cycles go on from where they are. The plan has at least `step` steps and one for each
    phase to come.
    """
    current = old.phase_index(max(step, 1))
    before = old.phases[current].first - 1
    left = len(phases) - current - 1
    same, *later = plan(phases[current:], max(total, step + left) - before).phases
    end = same.last + before
    if end < step:  # the current phase has become shorter than what is done: it ends at `step`
        end = step
        later = list(plan(phases[current + 1 :], max(total - end, left)).phases) if left else []
        later = [replace(phase, first=phase.first + end - before) for phase in later]
    now = _continued(old.phases[current], phases[current], step, end - before)
    return Plan((*old.phases[:current], now, *(replace(phase, first=phase.first + before) for phase in later)))


def _continued(old: PhasePlan, phase: Phase, step: int, steps: int) -> PhasePlan:
    """The current phase, now of `steps` steps, when `step` steps of the run are done."""
    i = max(step - old.first, 0)
    new = _lay_out(phase, old.first, steps, warmup=old.warmup if i >= old.warmup else None)
    if new.schedule == "cyclic":
        return replace(new, since=i, done=_cycles(i, old))
    done = _decayed(i, old)
    return replace(new, since=i, done=done) if done > 0 or new.since < i else new


def plan(phases: Sequence[Phase], total: int | None = None) -> Plan:
    """Divide `total` steps among the phases; by default each has its own number of steps.

    Lengths scale with the whole, at least one step each; inner lengths scale with their phase. ConfigError where
    `total` has less than a step for each phase.
    """
    if total is None:
        total = sum(phase.steps or 0 for phase in phases)
    if total < len(phases):
        raise ConfigError(
            f"The run is too short: {len(phases)} phases need a step each, and there is room for {total}.",
            "Give it more --steps, --time or --epochs.",
        )
    weights = [phase.share if phase.share is not None else float(phase.steps or 0) for phase in phases]
    laid: list[PhasePlan] = []
    first, left = 1, total
    for i, (phase, weight) in enumerate(zip(phases, weights, strict=True)):
        after = len(phases) - i - 1
        steps = left if not after else min(max(round(left * weight / sum(weights[i:])), 1), left - after)
        laid.append(_lay_out(phase, first, steps))
        first, left = first + steps, left - steps
    return Plan(tuple(laid))


def _lay_out(phase: Phase, first: int, steps: int, warmup: int | None = None) -> PhasePlan:
    """A phase laid out anew, by default with a warm-up as long as configured."""
    scale = steps / phase.steps if phase.steps else 1.0

    def inner(length: float) -> int:
        if length == 0:
            return 0
        return max(1, round(length * steps if length < 1 else length * scale))

    warmup, down = inner(phase.warmup_steps) if warmup is None else warmup, inner(phase.steps_down)
    since = {"cyclic": 0, "cosine": warmup, "wsd": steps - min(down, steps) - 1, "constant": steps}
    return PhasePlan(
        name=phase.name,
        schedule=phase.schedule,
        first=first,
        steps=steps,
        base_lr=phase.base_lr,
        max_lr=phase.max_lr,
        min_lr=phase.min_lr,
        warmup=warmup,
        up=inner(phase.steps_up),
        down=down,
        since=since[phase.schedule],
    )


def _decayed(i: int, phase: PhasePlan) -> float:
    """The share of the decay that is done at step `i` of a phase, from 0 to 1."""
    share = (i - phase.since) / max(phase.steps - phase.since, 1)
    return max(0.0, min(phase.done + (1 - phase.done) * share, 1.0))


def _cycles(i: int, phase: PhasePlan) -> float:
    """The cycles of `cyclic` that are done at step `i` of a phase."""
    return phase.done + (i - phase.since) / max(phase.up + phase.down, 1)


def cyclic(i: int, phase: PhasePlan) -> float:
    """Triangles between base_lr and max_lr whose height halves with each cycle.

    Equal to torch's `CyclicLR(mode="triangular2", step_size_up=up, step_size_down=down)`; Smith 2017,
    arXiv 1506.01186.
    """
    period = max(phase.up + phase.down, 1)
    cycle, position = divmod(phase.done * period + i - phase.since, period)
    height = position / phase.up if position <= phase.up and phase.up else (period - position) / max(phase.down, 1)
    return phase.base_lr + (phase.max_lr - phase.base_lr) * height / 2.0 ** min(int(cycle), 1023)


def cosine(i: int, phase: PhasePlan) -> float:
    """Linear warm-up from 0 over `warmup` steps, then half a cosine period down to min_lr at the end of the phase.

    Equal to torch's `LinearLR` (from 0) into `CosineAnnealingLR(T_max=steps - warmup, eta_min=min_lr)`.
    """
    if i < phase.warmup:
        return phase.max_lr * i / phase.warmup
    return phase.min_lr + (phase.max_lr - phase.min_lr) * (1 + math.cos(math.pi * _decayed(i, phase))) / 2


def wsd(i: int, phase: PhasePlan) -> float:
    """Warm-up, stable, decay: linear over `warmup` steps, max_lr, linear down to min_lr in the last `down` steps.

    No step, even the first or the last, has rate 0; Hu et al. 2024, arXiv 2404.06395.
    """
    rising = (i + 1) / (phase.warmup + 1)
    falling = (1 - phase.done) * (phase.steps - i) / (phase.steps - phase.since)
    return phase.min_lr + (phase.max_lr - phase.min_lr) * max(0.0, min(1.0, rising, falling))


def constant(i: int, phase: PhasePlan) -> float:
    """Linear warm-up over `warmup` steps, then max_lr to the end."""
    return phase.max_lr * min(1.0, (i + 1) / (phase.warmup + 1))


SCHEDULES: dict[str, Callable[[int, PhasePlan], float]] = {
    "cyclic": cyclic,
    "cosine": cosine,
    "wsd": wsd,
    "constant": constant,
}
