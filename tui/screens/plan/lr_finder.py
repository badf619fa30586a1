"""The learning-rate finder in the app: its valley as a picture and in words, and the plan that takes its rate over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinylm.config import resolve
from tinylm.config.schema import Phase, RunConfig
from tinylm.events import LrFound, LrTried
from tinylm.planning.lr_range import HIGHEST, LOWEST
from tui.chart.picture import Border, Curve, Picture
from tui.terminal.numbers import compact

AIR = 0.05
"""Above and below the curve, as a share of its height."""


@dataclass(frozen=True)
class Valley:
    """What a sweep of the learning rate has told so far, for a plan."""

    config: RunConfig
    rates: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    """Smoothed, in nats per token."""
    found: LrFound | None = None
    """None while the sweep goes on."""

    def with_event(self, event: LrTried | LrFound) -> Valley:
        """What there is once this is told too."""
        if isinstance(event, LrFound):
            return Valley(self.config, event.rates, event.losses, event)
        return Valley(self.config, (*self.rates, event.rate), (*self.losses, event.loss))

    @property
    def suggestion(self) -> float | None:
        """The rate to take over, where one was found."""
        return self.found.suggestion if self.found else None


# ---- into the plan ------------------------------------------------------------------------------------------------


def concerned(config: RunConfig) -> list[int]:
    """The phases that a sweep speaks about: the first, which it tried, and those with the same top rate and texts.

    Where somebody gave a later phase another rate, as for a last one that only polishes, or texts of its own, a sweep
    from new weights on the first phase's texts says nothing about it.
    """
    first, *_ = phases = config.train.phases
    return [i for i, phase in enumerate(phases) if (phase.max_lr, phase.sources) == (first.max_lr, first.sources)]


def taken_over(config: RunConfig, rate: float) -> RunConfig:
    """The plan with this top rate in the phases that it is about; their lower rates keep their proportion to it.

    Fit is off then, or it would scale the rate once more.
    """
    about = concerned(config)
    phases = [_scaled(phase, rate) if i in about else phase for i, phase in enumerate(config.train.phases)]
    return resolve.with_values(config, train={"fit": False, "phases": [phase.model_dump() for phase in phases]})


def _scaled(phase: Phase, rate: float) -> Phase:
    factor = rate / phase.max_lr
    lower = {name: float(f"{getattr(phase, name) * factor:.3g}") for name in ("base_lr", "min_lr")}
    return phase.model_copy(update={"max_lr": rate, **{name: min(value, rate) for name, value in lower.items()}})


# ---- in words -----------------------------------------------------------------------------------------------------


def told(valley: Valley, ellipsis: str) -> tuple[str, ...]:
    """What a sweep does, or found and what to do with it, from the longest way to say it to the shortest."""
    if valley.found is None:
        at = f" at {compact(valley.rates[-1], digits=2)}" if valley.rates else ""
        return (
            f"Trying rates from {compact(LOWEST)} to {compact(HIGHEST)} on the first batches{ellipsis}{at}. Esc stops.",
            f"Trying learning rates{ellipsis}{at}. Esc stops.",
        )
    rate, diverged_at = valley.suggestion, valley.found.diverged_at
    if rate is None:
        slow = not diverged_at and bool(valley.rates) and valley.rates[-1] < HIGHEST
        why = "The sweep takes too long here" if slow else "The loss did not fall at any rate"
        reached = f"; it came to {compact(valley.rates[-1], digits=2)}" if valley.rates else ""
        return f"{why}{reached}: nothing to suggest. Esc closes.", f"{why}. Esc closes."
    best = min(valley.losses)
    where = compact(valley.rates[valley.losses.index(best)], digits=2)
    end = f" and diverges at {compact(diverged_at, digits=2)}" if diverged_at else ""
    about = concerned(valley.config)
    phases = "" if len(about) == 1 == len(valley.config.train.phases) else _named(about)
    takes = f"F takes {compact(rate)} as top rate{phases}, Esc closes."
    return (
        f"The loss is lowest near {where}{end}, and a rate below that is steadier. {takes}",
        f"The loss is lowest near {where}{end}. {takes}",
        f"Lowest near {where}{end}. {takes}",
        f"F takes {compact(rate)}, Esc closes.",
    )


def taken(config: RunConfig, rate: float) -> tuple[str, ...]:
    """What taking a rate over has done to this plan, which was as it was before."""
    about = concerned(config)
    which = "Top rate is" if len(config.train.phases) == 1 else f"Top rate{_named(about)} is"
    kept = any(config.train.phases[i].base_lr or config.train.phases[i].min_lr for i in about)
    more = " Its lower rates keep their proportion." if kept else ""
    fit = ", and Fit is off" if config.train.fit else ""
    said, back = f"{which} {compact(rate)} now{fit}.", "ctrl+z takes it back."
    return f"{said}{more} {back}", f"{said} {back}", said


def _named(phases: list[int]) -> str:
    """` for phase 1`, ` for phases 1 and 2`."""
    numbers = [str(i + 1) for i in phases]
    return f" for phase{'s' * (len(numbers) > 1)} {' and '.join(filter(None, (', '.join(numbers[:-1]), numbers[-1])))}"


# ---- as a picture -------------------------------------------------------------------------------------------------


def valley_picture(valley: Valley, now: float) -> Picture:
    """The smoothed loss over the rates, with a mark at the suggestion and at the rate that the plan has now.

    `now` is said by whoever knows what Fit makes of the plan's rate.
    """
    if not valley.rates:
        return Picture(empty="no loss that is a number" if valley.found else "the first steps")
    xs, ys = np.array(valley.rates), np.array(valley.losses)
    curves = [Curve(xs, ys, role="train")]
    borders = [Border(now, "now", either_side=True)]
    if (rate := valley.suggestion) is not None:
        at = float(np.interp(np.log(rate), np.log(xs), ys))
        curves.append(Curve(np.array([rate]), np.array([at]), role="best", style="points"))
        borders.insert(0, Border(rate, f"F {compact(rate)}", either_side=True))
    air = max(AIR * float(np.ptp(ys)), 0.01)
    return Picture(
        curves=tuple(curves),
        borders=tuple(borders),
        x_range=(LOWEST, HIGHEST),
        y_range=(float(ys.min()) - air, float(ys.max()) + air),
        log_x=True,
        x_name="rate",
        x_format=_rate,
    )


def _rate(rate: float) -> str:
    return f"{rate:.0e}".replace("e-0", "e-")
