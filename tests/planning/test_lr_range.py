"""The rules of the learning-rate range test: its rates, what it suggests, and when a loss diverges."""

import math
from itertools import pairwise

import pytest

from tinylm.planning import lr_range


def test_the_rates_go_from_the_lowest_to_the_highest_evenly() -> None:
    rates = lr_range.sweep_rates()
    assert (rates[0], rates[-1], len(rates)) == (lr_range.LOWEST, lr_range.HIGHEST, lr_range.STEPS)
    ratios = [after / before for before, after in pairwise(rates)]
    assert max(ratios) == pytest.approx(min(ratios), rel=0.01)


def test_the_steep_fall_is_suggested_not_the_flat_bottom_and_noise_moves_nothing() -> None:
    rates = lr_range.sweep_rates()
    losses = [7.6 - 3 / (1 + (4e-3 / rate) ** 2) for rate in rates]
    half_way = 4e-3
    assert lr_range.suggestion(rates, losses) == pytest.approx(5 * half_way, rel=0.2)
    bumpy = [loss + 0.02 * (-1) ** i for i, loss in enumerate(losses)]
    assert lr_range.suggestion(rates, bumpy) == lr_range.suggestion(rates, losses)


def test_a_suggestion_keeps_away_from_where_the_loss_turns() -> None:
    rates = lr_range.sweep_rates()
    turning = [7.6 - 3 / (1 + (4e-3 / rate) ** 2) + max(0.0, 9 * math.log10(rate / 8e-3)) for rate in rates]
    bottom = rates[turning.index(min(turning))]
    assert lr_range.suggestion(rates, turning) == pytest.approx(bottom / 2, rel=0.05)


@pytest.mark.parametrize("losses", [[], [7.6], [7.6, 7.7, 7.9], [7.6, 7.5, 7.4, 9.0]])
def test_without_a_fall_there_is_nothing_to_suggest(losses: list[float]) -> None:
    assert lr_range.suggestion(lr_range.sweep_rates()[: len(losses)], losses) is None


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([7.6], False),
        ([7.6, 7.65, 7.9], False),  # by chance
        ([7.6, 7.6, 8.5], True),
        ([7.6, 5.0, 4.0, 5.7], False),  # less than half of what was gained
        ([7.6, 5.0, 4.0, 5.9], True),
    ],
)
def test_a_loss_diverges_where_it_gives_back_what_it_gained(losses: list[float], over: bool) -> None:
    assert lr_range.diverged(losses) is over
