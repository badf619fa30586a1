"""The learning-rate range test: the rates of a sweep, when the loss has diverged, and the suggested rate.

Smith 2015, arXiv 1506.01186, as pure functions without torch; `preview/lr_finder.py` does the steps.
"""

from __future__ import annotations

from collections.abc import Sequence

LOWEST, HIGHEST = 1e-5, 1e-1
"""Lowest and highest rate of a sweep."""

STEPS = 60
"""Steps of a whole sweep: fifteen for each power of ten, 10 s for the preset `quick` on two cores."""

DIVERGED_GAIN, DIVERGED_LOSS = 0.5, 0.1
"""A sweep has diverged when the smoothed loss is above its minimum by this share of what it had gained, and by this
share of the first loss: a loss that has hardly fallen may rise by chance."""

MIN_GAIN = 0.05
"""Share of its first loss that a sweep must gain for a suggestion: a smaller gain may be chance."""

HALF_WAY_FACTOR = 5.0
"""The suggestion is the rate at which half of the gain is reached, times this."""

LOWEST_LOSS_DIVISOR = 2.0
"""The suggestion is at most the rate of the lowest loss divided by this: a schedule stays long at a rate that a sweep
only passes."""


def sweep_rates() -> list[float]:
    """The rates of a sweep, one a step: evenly spaced on a logarithmic scale, rounded to three digits."""
    return [float(f"{LOWEST * (HIGHEST / LOWEST) ** (i / (STEPS - 1)):.2e}") for i in range(STEPS)]


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last of the smoothed losses (nats) is so far above the minimum that the sweep should stop."""
    first, lowest = losses[0], min(losses)
    return losses[-1] - lowest > max(DIVERGED_GAIN * (first - lowest), DIVERGED_LOSS * first)


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """The suggested max_lr of a decaying schedule, from the rates of a sweep and the smoothed loss at each (nats).

    Rounded to two digits; None if the loss hardly fell. The rule was chosen by the loss of trainings at the suggested
    rate; the textbooks' rules did far worse (assets/results/notes.md).
    """
    if not losses or losses[0] - min(losses) < MIN_GAIN * losses[0]:
        return None

    bottom = losses.index(min(losses))
    half_way = next(i for i, loss in enumerate(losses) if losses[0] - loss >= (losses[0] - losses[bottom]) / 2)
    return float(f"{min(HALF_WAY_FACTOR * rates[half_way], rates[bottom] / LOWEST_LOSS_DIVISOR):.1e}")
