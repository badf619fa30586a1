"""The learning-rate finder in the app: its sweep as picture and sentence, and the plan with the suggested rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinylm.config import resolve
from tinylm.config.schema import Phase, RunConfig
from tinylm.events import LrFound, LrTried
from tinylm.planning.lr_range import HIGHEST, LOWEST
from tui.chart.picture import Border, Curve, Picture
from tui.terminal.numbers import compact

MARGIN = 0.05
"""Margin above and below the curve, as a share of its height."""


@dataclass(frozen=True)
class LrSweep:
    """The results so far of a learning-rate sweep for a plan."""

    config: RunConfig
    rates: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    """Smoothed, in nats per token."""
    result: LrFound | None = None
    """None while the sweep goes on."""

    def with_event(self, event: LrTried | LrFound) -> LrSweep:
        """The sweep after one more event."""
        if isinstance(event, LrFound):
            return LrSweep(self.config, event.rates, event.losses, event)
        return LrSweep(self.config, (*self.rates, event.rate), (*self.losses, event.loss))

    @property
    def suggestion(self) -> float | None:
        """The suggested rate; None if there is none (yet)."""
        return self.result.suggestion if self.result else None


# ---- the plan -----------------------------------------------------------------------------------------------------


def matching_phases(config: RunConfig) -> list[int]:
    """Indices of the phases that a sweep applies to: the first, which it tried, and those with its top rate and texts.

    A sweep from new weights on the texts of the first phase says nothing about a phase with another rate or texts.
    """
    first, *_ = phases = config.train.phases
    return [i for i, phase in enumerate(phases) if (phase.max_lr, phase.sources) == (first.max_lr, first.sources)]


def with_rate(config: RunConfig, rate: float) -> RunConfig:
    """The plan with this top rate in the phases that match; their lower rates keep their proportion to it.

    Fit is turned off, or it would scale the rate once more.
    """
    matching = matching_phases(config)
    phases = [_scaled(phase, rate) if i in matching else phase for i, phase in enumerate(config.train.phases)]
    return resolve.with_values(config, train={"fit": False, "phases": [phase.model_dump() for phase in phases]})


def _scaled(phase: Phase, rate: float) -> Phase:
    factor = rate / phase.max_lr
    lower = {name: float(f"{getattr(phase, name) * factor:.3g}") for name in ("base_lr", "min_lr")}
    return phase.model_copy(update={"max_lr": rate, **{name: min(value, rate) for name, value in lower.items()}})


# ---- sentences ----------------------------------------------------------------------------------------------------


def status(sweep: LrSweep, ellipsis: str) -> tuple[str, ...]:
    """Progress or result of a sweep and what to press, in several lengths, the longest first."""
    if sweep.result is None:
        at = f" at {compact(sweep.rates[-1], digits=2)}" if sweep.rates else ""
        return (
            f"Trying rates from {compact(LOWEST)} to {compact(HIGHEST)} on the first batches{ellipsis}{at}. Esc stops.",
            f"Trying learning rates{ellipsis}{at}. Esc stops.",
        )
    rate, diverged_at = sweep.suggestion, sweep.result.diverged_at
    if rate is None:
        slow = not diverged_at and bool(sweep.rates) and sweep.rates[-1] < HIGHEST
        why = "The sweep takes too long here" if slow else "The loss did not fall at any rate"
        reached = f"; it came to {compact(sweep.rates[-1], digits=2)}" if sweep.rates else ""
        return f"{why}{reached}: nothing to suggest. Esc closes.", f"{why}. Esc closes."
    best = min(sweep.losses)
    where = compact(sweep.rates[sweep.losses.index(best)], digits=2)
    end = f" and diverges at {compact(diverged_at, digits=2)}" if diverged_at else ""
    matching = matching_phases(sweep.config)
    phases = "" if len(matching) == 1 == len(sweep.config.train.phases) else _named(matching)
    takes = f"F takes {compact(rate)} as top rate{phases}, Esc closes."
    return (
        f"The loss is lowest near {where}{end}, and a rate below that is steadier. {takes}",
        f"The loss is lowest near {where}{end}. {takes}",
        f"Lowest near {where}{end}. {takes}",
        f"F takes {compact(rate)}, Esc closes.",
    )


def confirmation(config: RunConfig, rate: float) -> tuple[str, ...]:
    """What taking the rate over has changed in `config`, in several lengths, the longest first."""
    matching = matching_phases(config)
    which = "Top rate is" if len(config.train.phases) == 1 else f"Top rate{_named(matching)} is"
    kept = any(config.train.phases[i].base_lr or config.train.phases[i].min_lr for i in matching)
    more = " Its lower rates keep their proportion." if kept else ""
    fit = ", and Fit is off" if config.train.fit else ""
    done, undo = f"{which} {compact(rate)} now{fit}.", "ctrl+z takes it back."
    return f"{done}{more} {undo}", f"{done} {undo}", done


def _named(phases: list[int]) -> str:
    """` for phase 1`, ` for phases 1 and 2`."""
    numbers = [str(i + 1) for i in phases]
    return f" for phase{'s' * (len(numbers) > 1)} {' and '.join(filter(None, (', '.join(numbers[:-1]), numbers[-1])))}"


# ---- picture ------------------------------------------------------------------------------------------------------


def sweep_picture(sweep: LrSweep, now: float) -> Picture:
    """The smoothed loss over the rates, with marks at the suggestion and at `now`, the rate of the plan after Fit."""
    if not sweep.rates:
        return Picture(empty="no loss that is a number" if sweep.result else "the first steps")
    xs, ys = np.array(sweep.rates), np.array(sweep.losses)
    curves = [Curve(xs, ys, role="train")]
    borders = [Border(now, "now", either_side=True)]
    if (rate := sweep.suggestion) is not None:
        at = float(np.interp(np.log(rate), np.log(xs), ys))
        curves.append(Curve(np.array([rate]), np.array([at]), role="best", style="points"))
        borders.insert(0, Border(rate, f"F {compact(rate)}", either_side=True))
    margin = max(MARGIN * float(np.ptp(ys)), 0.01)
    return Picture(
        curves=tuple(curves),
        borders=tuple(borders),
        x_range=(LOWEST, HIGHEST),
        y_range=(float(ys.min()) - margin, float(ys.max()) + margin),
        log_x=True,
        x_name="rate",
        x_format=_rate,
    )


def _rate(rate: float) -> str:
    return f"{rate:.0e}".replace("e-0", "e-")
