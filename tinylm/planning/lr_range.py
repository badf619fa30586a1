"""The valley that a learning-rate sweep draws: which rates are tried, when the loss has diverged, what is suggested.

The range test of Smith 2015 (arXiv 1506.01186) as pure functions; `tinylm.finder` does the steps. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence

LOWEST, HIGHEST = 1e-5, 1e-1
"""The rates between which is swept."""

STEPS = 60
"""Of a whole sweep: fifteen for each power of ten, 10 s for the preset `quick` on two cores."""

LOST, LOST_AT_LEAST = 0.5, 0.1
"""It has diverged where the smoothed loss gave back this share of what it had gained, and this share of where it began:
a loss that has hardly begun to fall may rise by chance."""

WORTH = 0.05
"""Share of its first loss that a sweep has to gain, or there is no valley: it may have fallen by chance."""

ABOVE_HALF_WAY = 5.0
"""What is suggested is the rate at which half of the fall is done, times this."""

BELOW_THE_LOWEST = 2.0
"""And at most the rate of the lowest loss divided by this: a schedule stays long where a sweep only passes."""


def swept() -> list[float]:
    """The rates of a sweep, one a step: evenly apart on a logarithmic scale, each with three digits that count."""
    return [float(f"{LOWEST * (HIGHEST / LOWEST) ** (i / (STEPS - 1)):.2e}") for i in range(STEPS)]


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last of the smoothed losses (nats) is so far above the lowest that no larger rate is worth trying."""
    first, lowest = losses[0], min(losses)
    return losses[-1] - lowest > max(LOST * (first - lowest), LOST_AT_LEAST * first)


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A top rate for a schedule that decays, from the rates of a sweep and the smoothed loss at each (nats).

    With two digits that count; None where the loss hardly fell, and there is no valley to look at.
    """
    if not losses or losses[0] - min(losses) < WORTH * losses[0]:
        return None
    # Chosen by what a training at the suggested rate loses against the best of several fixed top rates (wsd, 80 to 120
    # steps, held-out nats): quick and char with Muon and with AdamW, seed with 8 windows, quick on 250 kB of licences.
    # This rule: 0.08 on average, 0.19 at worst (quick with AdamW: 2.6e-2 where 8e-3 was best), and the same from two
    # seeds but for seed. The textbooks' failed: the rate of the lowest loss / 10 lost 0.21 and 0.50, the steepest
    # descent 0.39 and 0.72, since norms around each sublayer bear rates up to 0.1 and more, and the valley is wide.
    # Lowest / 3 lost 0.10 and 0.20 and moves with every bump of a flat bottom; steepest * 5 lost 0.08 and 0.22.
    bottom = losses.index(min(losses))
    half_way = next(i for i, loss in enumerate(losses) if losses[0] - loss >= (losses[0] - losses[bottom]) / 2)
    return float(f"{min(ABOVE_HALF_WAY * rates[half_way], rates[bottom] / BELOW_THE_LOWEST):.1e}")
