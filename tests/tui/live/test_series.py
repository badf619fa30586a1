"""Series: growing, forgetting, and an average that is the same however it came about."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tui.live.series import YOUNG, Floats, Series


def series(values: Floats) -> Series:
    made = Series()
    for value in values:
        made.append(float(value))
    return made


def average(values: Floats, weight: float) -> list[float]:
    """The definition, one value after the other."""
    now, count, averages = math.nan, 0, []
    for value in values:
        if math.isfinite(value):
            count += 1
            share = min(1.0, max(1 - weight, YOUNG / count))
            now = value if count == 1 else (1 - share) * now + share * value
        averages.append(now)
    return averages


def noise(length: int) -> Floats:
    values = np.random.default_rng(1).normal(3, 1, length)
    values[[0, 7, 8, length // 2]] = math.nan
    values[11] = math.inf
    return values


@pytest.mark.parametrize("weight", [0.1, 0.9, 0.99, 0.999])
def test_average_is_over_all_values_and_skips_what_is_not_finite(weight: float) -> None:
    values = noise(3000)
    np.testing.assert_allclose(series(values).smoothed(weight), average(values, weight), rtol=1e-9)


def test_average_grows_with_the_series_to_the_same_curve() -> None:
    values, grown = noise(2500), Series()
    for count, value in enumerate(values):
        grown.append(float(value))
        if count % 97 == 0:
            grown.smoothed(0.97)
    np.testing.assert_allclose(grown.smoothed(0.97), average(values, 0.97), rtol=1e-9)


def test_average_after_a_rescue_is_that_of_what_is_left() -> None:
    values, rescued = noise(1500), series(noise(1500))
    rescued.smoothed(0.97)
    rescued.truncate(1000)
    for value in values[:500]:
        rescued.append(float(value))
    left = np.concatenate([values[:1000], values[:500]])
    np.testing.assert_allclose(rescued.smoothed(0.97), average(left, 0.97), rtol=1e-9)


def test_average_follows_a_loss_that_falls_fast_at_first() -> None:
    steps = np.arange(1.0, 61.0)
    losses = 1 + 8 / steps
    above = series(losses).smoothed(0.99) - losses
    assert above.min() >= 0
    assert above[9:].max() < 0.4, "all that fell before would leave it 1.5 above"


def test_average_of_a_late_stretch_is_the_plain_exponential_one() -> None:
    values = np.random.default_rng(2).normal(3, 1, 4000)
    late = 3.0
    for value in values[1000:]:
        late = 0.9 * late + 0.1 * value
    assert series(values).smoothed(0.9)[-1] == pytest.approx(late)


def test_nothing_is_smoothed_by_weight_0() -> None:
    assert series(np.array([3.0, 1.0])).smoothed(0).tolist() == [3, 1]


def test_values_before_a_number_are_counted() -> None:
    steps = series(np.arange(1.0, 2000.0))
    assert (len(steps), steps.last, steps.index_after(10)) == (1999, 1999, 10)
