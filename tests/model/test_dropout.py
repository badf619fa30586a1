"""Dropout masks: their rate, their independence, and that cutting a step into passes changes nothing."""

import itertools

import pytest
import torch
from torch import Tensor

from tinylm.model.dropout import Key, Masks, key

CPU = torch.device("cpu")


def drop(x: Tensor, rate: float, key: Key, sublayer: int) -> Tensor:
    windows, tokens, width = x.shape
    return Masks(key, (windows, tokens, width), rate, sublayers=sublayer + 1).drop(x, sublayer)


def kept(rate: float, seed: int = 1, sublayer: int = 0, first: int = 0, rows: int = 16) -> Tensor:
    return drop(torch.ones(rows, 64, 32), rate, key(seed, first, CPU), sublayer) != 0


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.2, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_mean_stays(rate: float) -> None:
    x = drop(torch.ones(64, 64, 32), rate, key(7, 0, CPU), 3)
    n = x.numel()
    assert (x == 0).float().mean().item() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / n) ** 0.5)
    torch.testing.assert_close(x.unique(), torch.tensor([0.0, 1 / (1 - rate)]))


def test_every_seed_sublayer_and_window_has_a_mask_of_its_own() -> None:
    masks = [
        kept(0.5, seed, sublayer, first, 1) for seed in (1, 2, 2**40) for sublayer in (0, 1, 5) for first in (0, 1)
    ]
    for one, other in itertools.combinations(masks, 2):
        assert (one == other).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_neighbours_and_bits_hang_on_nothing() -> None:
    mask = kept(0.5, rows=64).float().flatten() - 0.5
    for distance in (1, 2, 3, 16, 32, 64, 2048):
        assert abs((mask[:-distance] * mask[distance:]).mean().item()) < 4 * 0.25 / len(mask) ** 0.5, distance


def test_a_step_that_is_cut_into_passes_drops_the_same() -> None:
    whole = kept(0.3, rows=8)
    parts = [kept(0.3, first=first, rows=rows) for first, rows in ((0, 3), (3, 3), (6, 2))]
    assert torch.equal(torch.cat(parts), whole)


def test_gradients_pass_where_numbers_do() -> None:
    x = torch.ones(2, 8, 8, requires_grad=True)
    y = drop(x, 0.25, key(1, 0, CPU), 0)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, y.detach())
