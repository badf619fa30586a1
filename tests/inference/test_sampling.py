"""Sampling: what each filter lets through, and that tokens are drawn by what is left."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tinylm.config.schema import SampleConfig
from tinylm.inference import sampling
from tinylm.inference.sampling import (
    Probs,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    logits_to_probs,
    penalize,
    tokens_in,
    top_p_candidates,
)
from tinylm.kernels.decode import DecodeLibrary

LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=20).map(torch.tensor)


def spread(logits: Tensor, tokens: Tensor, size: int) -> Tensor:
    """Logits of all tokens (size,), -inf where a token was not kept."""
    return torch.full((size,), -torch.inf).scatter(0, tokens, logits)


def likely(logits: Tensor) -> list[int]:
    return torch.isfinite(logits).nonzero().flatten().tolist()


def probabilities(
    logits: Tensor, settings: SampleConfig, ids: list[int] | None = None, library: DecodeLibrary | None = None
) -> Tensor:
    return logits_to_probs(logits[None], [ids or []], settings, library).dense(len(logits))[0]


# --- filters -------------------------------------------------------------------------------------------------


@given(LOGITS, st.data())
def test_top_k_keeps_the_k_highest(logits: Tensor, data: st.DataObject) -> None:
    if len(logits) < 2:
        return
    k = data.draw(st.integers(1, len(logits) - 1))
    before = logits.clone()
    [falling], [tokens] = keep_top_k(logits[None], k)
    assert torch.equal(logits, before)
    assert torch.equal(falling, falling.sort(descending=True).values)
    border = logits.sort(descending=True).values[k - 1]
    kept = spread(falling, tokens, len(logits))
    assert likely(kept) == (logits >= border).nonzero().flatten().tolist()
    assert torch.equal(kept[likely(kept)], logits[likely(kept)])


def test_top_k_hands_on_few_and_keeps_equal_ones() -> None:
    falling, tokens = keep_top_k(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), 2)
    assert (falling.tolist(), tokens.tolist()) == ([[3, 2]], [[1, 3]])
    [falling], [tokens] = keep_top_k(torch.tensor([[1.0, 3.0, 1.0, 0.0]]), 2)
    assert likely(spread(falling, tokens, 4)) == [0, 1, 2]


def nucleus(logits: Tensor, p: float) -> list[int]:
    """The tokens that top-p leaves of logits (V,)."""
    [falling], [tokens] = top_p_candidates(logits[None], p)
    assert torch.equal(falling, falling.sort(descending=True).values)
    torch.testing.assert_close(falling, logits.log_softmax(-1)[tokens])
    return likely(spread(keep_top_p(falling[None], p)[0], tokens, len(logits)))


@given(LOGITS, st.floats(0.001, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    kept = nucleus(logits, p)
    probabilities = logits.double().softmax(-1)
    logs = logits[None].log_softmax(-1)[0]  # as they are compared: the closest logits have the same logarithm
    assert int(logs.argmax()) in kept or logs[kept].max() == logs.max()
    assert probabilities[kept].sum() >= p - 1e-4
    without_last = probabilities[kept].sum() - probabilities[kept].min()
    assert len(kept) == 1 or without_last < p + 1e-4
    left_out = [i for i in range(len(logits)) if i not in kept]
    assert not left_out or logs[left_out].max() <= logs[kept].min()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("spread_of_scores", [0.1, 2.0, 9.0])
def test_top_p_looks_at_as_many_as_it_needs(spread_of_scores: float, p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(400, generator=torch.Generator().manual_seed(0)) * spread_of_scores
    kept = nucleus(logits, p)
    looked_at = top_p_candidates(logits[None], p)[0].size(-1)
    assert looked_at == (sampling.TOP_P_CANDIDATES if len(kept) < sampling.TOP_P_CANDIDATES else 400)
    monkeypatch.setattr(sampling, "TOP_P_CANDIDATES", 400)
    assert nucleus(logits, p) == kept


def test_top_p_on_known_numbers() -> None:
    logits = torch.tensor([0.1, 0.5, 0.3, 0.1]).log()
    assert nucleus(logits, 0.4) == nucleus(logits, 1e-9) == [1]
    assert nucleus(logits, 0.51) == [1, 2]
    assert len(nucleus(logits, 0.85)) == 3
    assert nucleus(logits, 0.95) == [0, 1, 2, 3]


@given(LOGITS, st.floats(0.0, 1.0))
def test_min_p_keeps_what_is_likely_enough(logits: Tensor, p: float) -> None:
    kept = likely(keep_min_p(logits, p))
    relative = (logits.double() - logits.double().max()).exp()
    assert kept
    for i in range(len(logits)):
        if abs(float(relative[i]) - p) > 1e-4 * p:
            assert (i in kept) == bool(relative[i] >= p)


@given(LOGITS, st.floats(0.25, 4.0), st.data())
def test_the_penalty_makes_what_was_written_less_likely(logits: Tensor, penalty: float, data: st.DataObject) -> None:
    seen = data.draw(st.sets(st.integers(0, len(logits) - 1)))
    before = logits.clone()
    result = penalize(logits, tokens_in([sorted(seen)], len(logits))[0], penalty)
    assert torch.equal(logits, before)
    for i, logit in enumerate(logits.tolist()):
        expected = logit if i not in seen else logit / penalty if logit > 0 else logit * penalty
        assert result[i].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(
    LOGITS,
    st.builds(
        SampleConfig,
        temperature=st.floats(0, 100),
        top_k=st.integers(0, 30),
        top_p=st.floats(1e-6, 1.0),
        min_p=st.floats(0, 1),
        repetition_penalty=st.floats(0.01, 100),
    ),
)
def test_all_settings_together_give_a_distribution(
    either_library: DecodeLibrary | None, logits: Tensor, settings: SampleConfig
) -> None:
    drawn_with = probabilities(logits, settings, list(range(0, len(logits), 2)), either_library)
    assert drawn_with.shape == logits.shape
    assert torch.isfinite(drawn_with).all()
    assert (drawn_with >= 0).all()
    assert drawn_with.sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-46, 1e-40, 1e-20, 1e-3, 100])
def test_any_temperature_gives_a_distribution(temperature: float, either_library: DecodeLibrary | None) -> None:
    drawn_with = probabilities(
        torch.tensor([1.0, 3.0, 2.0]), SampleConfig(temperature=temperature), library=either_library
    )
    assert drawn_with.sum().item() == pytest.approx(1, abs=1e-5)
    assert drawn_with.argmax() == 1


def test_temperature_divides_scores(either_library: DecodeLibrary | None) -> None:
    logits = torch.tensor([1.0, -2.0, 0.5])
    for temperature in (0.5, 1.0, 3.0):
        expected = (logits / temperature).softmax(-1)
        torch.testing.assert_close(
            probabilities(logits, SampleConfig(temperature=temperature), library=either_library), expected
        )


def test_filters_apply_in_the_order_stated() -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    # top-k leaves 0.4, 0.3 and 0.2, which are then 0.44, 0.33 and 0.22: top-p 0.7 needs two of them.
    both = probabilities(logits, SampleConfig(temperature=1.0, top_k=3, top_p=0.7))
    assert both.nonzero().flatten().tolist() == [0, 1]
    # The temperature comes before top-p: flattened logits need more tokens to reach it.
    flat = probabilities(logits, SampleConfig(temperature=100.0, top_p=0.7))
    assert len(flat.nonzero()) == 3
    # The penalty comes before everything: the likeliest is no longer that.
    logits = torch.tensor([2.0, 1.9, -1.0])
    greedy = probabilities(logits, SampleConfig(temperature=0, repetition_penalty=2.0), [0])
    assert greedy.tolist() == [0, 1, 0]


def test_rows_are_filtered_each_by_itself(either_library: DecodeLibrary | None) -> None:
    logits = torch.randn(5, 300, generator=torch.Generator().manual_seed(1)) * 3
    logits[2, :20] = 9.0  # equal ones at the border of this row alone
    for settings in (
        SampleConfig(),
        SampleConfig(temperature=0),
        SampleConfig(top_k=7),
        SampleConfig(top_k=40, top_p=0.9),
        SampleConfig(top_p=0.97),
        SampleConfig(min_p=0.05),
    ):
        together = logits_to_probs(logits, [[]] * 5, settings, either_library).dense(300)
        for row in range(5):
            torch.testing.assert_close(together[row], probabilities(logits[row], settings, library=either_library))


# --- the draw ------------------------------------------------------------------------------------------------


def test_a_uniform_number_selects_its_token(either_library: DecodeLibrary | None) -> None:
    probs = Probs(torch.tensor([[0.0, 0.25, 0.0, 0.5, 0.25, 0.0]]), None, [1.0])
    tokens = [probs.sample([u], either_library)[0] for u in (0.0, 0.2, 0.25, 0.5, 0.74, 0.76, 1 - 2**-32)]
    assert tokens == [1, 1, 3, 3, 3, 4, 4]


def test_each_text_has_its_uniform_number_and_its_tokens(either_library: DecodeLibrary | None) -> None:
    probs = Probs(torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[7, 3], [2, 9]]), [1.0, 1.0])
    assert probs.sample([0.6, 0.6], either_library) == [3, 2]
    assert probs.sample([0.4, 0.95], either_library) == [7, 9]
    assert probs.dense(10)[1].nonzero().flatten().tolist() == [2, 9]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20).filter(any), st.integers(0, 2**32 - 1))
def test_no_uniform_number_selects_what_is_ruled_out(
    either_library: DecodeLibrary | None, weights: list[float], bits: int
) -> None:
    token = Probs(torch.tensor([weights]), None, [1.0]).sample([bits / 2**32], either_library)[0]
    assert token < len(weights)
    assert weights[token] > 0


def test_even_numbers_select_by_probability(either_library: DecodeLibrary | None) -> None:
    weights = torch.rand(1, 50, generator=torch.Generator().manual_seed(0))
    weights /= weights.sum()
    uniforms = [(i + 0.5) / 1000 for i in range(1000)]
    drawn = Probs(weights.expand(1000, -1), None, [1.0] * 1000).sample(uniforms, either_library)
    counts = torch.bincount(torch.tensor(drawn), minlength=50)
    torch.testing.assert_close(counts / 1000, weights[0], atol=1.01e-3, rtol=0)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize(
    "settings",
    [
        SampleConfig(),
        SampleConfig(temperature=0),
        SampleConfig(top_k=3, top_p=0.5, min_p=0.1),
        SampleConfig(repetition_penalty=1.3),
    ],
    ids=["plain", "greedy", "filtered", "penalized"],
)
def test_what_is_no_number_is_seen(settings: SampleConfig, bad: float, either_library: DecodeLibrary | None) -> None:
    logits = torch.zeros(2, 20)
    logits[1, 7] = bad
    probs = logits_to_probs(logits, [list(range(20))] * 2, settings, either_library)
    assert [math.isfinite(logit) for logit in probs.max_logits] == [True, False]
