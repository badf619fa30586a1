"""The learning rate as a pure function of the step, and a run's length laid out in phases.

Steps of a phase are counted from 0 here, as torch's schedulers count; events count a run's steps from 1.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tinylm.config.schema import Budget, Phase, TrainConfig
from tinylm.errors import ConfigError


@dataclass(frozen=True)
class PhasePlan:
    """A phase with its place in the run: `steps` long, its own inner lengths in whole steps."""

    name: str
    schedule: str
    first: int
    """The run's step, counted from 1, that is this phase's step 0."""
    steps: int
    base_lr: float
    max_lr: float
    min_lr: float
    warmup: int
    up: int
    down: int

    @property
    def last(self) -> int:
        """The last step of the phase, counted from 1 over the run."""
        return self.first + self.steps - 1


@dataclass(frozen=True)
class Plan:
    """The whole run: its phases one after the other."""

    phases: tuple[PhasePlan, ...]

    @property
    def steps(self) -> int:
        """The run's length in optimizer steps."""
        return self.phases[-1].last

    def index(self, step: int) -> int:
        """Which phase the run's step (from 1) lies in; steps past the end belong to the last phase."""
        return min(bisect_left([phase.last for phase in self.phases], step), len(self.phases) - 1)

    def lr(self, step: int) -> float:
        """The learning rate of the run's step (from 1)."""
        phase = self.phases[self.index(step)]
        return SCHEDULES[phase.schedule](step - phase.first, phase)


def total_steps(train: TrainConfig, steps_per_epoch: float) -> int | None:
    """The steps of the whole run; None where a time budget decides."""
    if train.budget is None:
        return sum(phase.steps or 0 for phase in train.phases)
    budget = Budget.parse(train.budget)
    if budget.kind == "steps":
        return int(budget.amount)
    return max(1, round(budget.amount * steps_per_epoch)) if budget.kind == "epochs" else None


def replan(old: Plan, phases: Sequence[Phase], step: int, total: int) -> Plan:
    """A new length for a run that has come to `step`: what is past stays, and the phase that is begun keeps its start.

    At least `step` steps, and one for each phase that is still to come.
    """
    current = old.index(max(step, 1))
    before = old.phases[current].first - 1
    left = len(phases) - current - 1
    laid = plan(phases[current:], max(total, step + left) - before).phases
    end = max(laid[0].last + before, step)
    if end > laid[0].last + before:  # shorter than what is done of it: it ends here, and the others share the rest
        here = _lay(phases[current], before + 1, end - before)
        others = plan(phases[current + 1 :], max(total - end, left)).phases if left else ()
        return Plan((*old.phases[:current], here, *(replace(phase, first=phase.first + end) for phase in others)))
    return Plan((*old.phases[:current], *(replace(phase, first=phase.first + before) for phase in laid)))


def plan(phases: Sequence[Phase], total: int | None = None) -> Plan:
    """Lay the phases out over `total` steps, or over their own steps where it is None.

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
        laid.append(_lay(phase, first, steps))
        first, left = first + steps, left - steps
    return Plan(tuple(laid))


def _lay(phase: Phase, first: int, steps: int) -> PhasePlan:
    scale = steps / phase.steps if phase.steps else 1.0

    def inner(length: float) -> int:
        if length == 0:
            return 0
        return max(1, round(length * steps if length < 1 else length * scale))

    return PhasePlan(
        name=phase.name,
        schedule=phase.schedule,
        first=first,
        steps=steps,
        base_lr=phase.base_lr,
        max_lr=phase.max_lr,
        min_lr=phase.min_lr,
        warmup=inner(phase.warmup_steps),
        up=inner(phase.steps_up),
        down=inner(phase.steps_down),
    )


def cyclic(i: int, phase: PhasePlan) -> float:
    """Triangles between base_lr and max_lr whose height halves each cycle.

    Equal to torch's `CyclicLR(mode="triangular2", step_size_up=up, step_size_down=down)`; Smith 2017,
    arXiv 1506.01186.
    """
    period = max(phase.up + phase.down, 1)
    cycle, place = divmod(i, period)
    height = place / phase.up if place <= phase.up and phase.up else (period - place) / max(phase.down, 1)
    return phase.base_lr + (phase.max_lr - phase.base_lr) * height / 2.0 ** min(cycle, 1023)


def cosine(i: int, phase: PhasePlan) -> float:
    """Linear warm-up from 0 over `warmup` steps, then half a cosine down to min_lr at the end of the phase.

    Equal to torch's `LinearLR` (from 0) into `CosineAnnealingLR(T_max=steps - warmup, eta_min=min_lr)`.
    """
    if i < phase.warmup:
        return phase.max_lr * i / phase.warmup
    progress = min((i - phase.warmup) / max(phase.steps - phase.warmup, 1), 1.0)
    return phase.min_lr + (phase.max_lr - phase.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def wsd(i: int, phase: PhasePlan) -> float:
    """Warm-up, stable, decay: up in `warmup` steps, max_lr, then straight down to min_lr over the last `down` steps.

    The first step already learns (its rate is not 0), and so does the last; Hu et al. 2024, arXiv 2404.06395.
    """
    rising = (i + 1) / (phase.warmup + 1)
    falling = (phase.steps - i) / (min(phase.down, phase.steps) + 1)
    return phase.min_lr + (phase.max_lr - phase.min_lr) * max(0.0, min(1.0, rising, falling))


def constant(i: int, phase: PhasePlan) -> float:
    """Linear warm-up, then max_lr to the end."""
    return phase.max_lr * min(1.0, (i + 1) / (phase.warmup + 1))


SCHEDULES: dict[str, Callable[[int, PhasePlan], float]] = {
    "cyclic": cyclic,
    "cosine": cosine,
    "wsd": wsd,
    "constant": constant,
}
