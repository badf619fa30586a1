"""Writing: cached scores against plain ones, what each filter lets through, and text as it comes."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tinylm import generate
from tinylm.config import ModelConfig, SampleConfig
from tinylm.generate import (
    Chosen,
    Writer,
    choose_tokens,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    next_probabilities,
    penalize,
    write,
    write_tokens,
)
from tinylm.model import Transformer
from tinylm.tokenizer import Tokenizer

BYTES = Tokenizer("byte", [bytes([byte]) for byte in range(256)])
BLOCK = 16
NONE = torch.zeros(0, dtype=torch.int64)
LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=20).map(torch.tensor)


def build(seed: int = 0, vocab_size: int = 257) -> Transformer:
    config = ModelConfig(n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, block_size=BLOCK)
    model = Transformer(config, vocab_size, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model.head.weight.mul_(20)  # opinions, so that a wrong score changes what is written
    return model.eval()


MODEL = build()


def likely(logits: Tensor) -> list[int]:
    return torch.isfinite(logits).nonzero().flatten().tolist()


@torch.no_grad()
def plain_scores(model: Transformer, ids: list[int]) -> Tensor:
    return model.logits(torch.tensor([ids]))[0, -1]


# --- cached scores -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [1, 2, 7, BLOCK - 1, BLOCK])
def test_cached_scores_are_plain_ones(prompt: int) -> None:
    text = torch.randint(256, (BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    writer = Writer(MODEL, text[:prompt])
    for length in range(prompt, BLOCK + 1):
        torch.testing.assert_close(writer.logits(), plain_scores(MODEL, text[:length]), rtol=1e-4, atol=1e-4)
        if length < BLOCK:
            writer.push(text[length])
    assert writer.ids == text


@pytest.mark.parametrize("prompt", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_past_the_block_the_last_half_is_read_anew(prompt: int) -> None:
    text = torch.randint(256, (4 * BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    writer = Writer(MODEL, text[:prompt])
    begin = max(0, prompt - BLOCK)  # where the window begins that the model sees
    for length in range(prompt, 4 * BLOCK):
        if length - begin > BLOCK:
            begin = length - BLOCK // 2
        torch.testing.assert_close(writer.logits(), plain_scores(MODEL, text[begin:length]), rtol=1e-4, atol=1e-4)
        writer.push(text[length])


def test_a_prompt_is_not_changed() -> None:
    prompt = [1, 2, 3]
    list(write_tokens(MODEL, prompt, SampleConfig(max_new_tokens=4), stop=256))
    assert prompt == [1, 2, 3]


# --- filters -------------------------------------------------------------------------------------------------


@given(LOGITS, st.integers(0, 25))
def test_top_k_keeps_the_k_highest(logits: Tensor, k: int) -> None:
    before = logits.clone()
    kept = keep_top_k(logits, k)
    assert torch.equal(logits, before)
    if k == 0 or k >= len(logits):
        assert torch.equal(kept, logits)
        return
    border = logits.sort(descending=True).values[k - 1]
    assert likely(kept) == (logits >= border).nonzero().flatten().tolist()
    assert torch.equal(kept[likely(kept)], logits[likely(kept)])


@given(LOGITS, st.floats(0.001, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    kept = likely(keep_top_p(logits, p))
    probabilities = logits.double().softmax(-1)
    assert int(logits.argmax()) in kept or logits[kept].max() == logits.max()
    if p == 1.0:
        assert kept == list(range(len(logits)))
        return
    assert probabilities[kept].sum() >= p - 1e-4
    without_last = probabilities[kept].sum() - probabilities[kept].min()
    assert len(kept) == 1 or without_last < p + 1e-4
    left_out = [i for i in range(len(logits)) if i not in kept]
    assert not left_out or logits[left_out].max() <= logits[kept].min()


def test_top_p_on_known_numbers() -> None:
    logits = torch.tensor([0.1, 0.5, 0.3, 0.1]).log()
    assert likely(keep_top_p(logits, 0.4)) == [1]
    assert likely(keep_top_p(logits, 0.51)) == [1, 2]
    assert len(likely(keep_top_p(logits, 0.85))) == 3
    assert likely(keep_top_p(logits, 0.95)) == [0, 1, 2, 3]
    assert likely(keep_top_p(logits, 1e-9)) == [1]


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
    written = data.draw(st.sets(st.integers(0, len(logits) - 1)))
    before = logits.clone()
    result = penalize(logits, torch.tensor(sorted(written), dtype=torch.int64), penalty)
    assert torch.equal(logits, before)
    for i, score in enumerate(logits.tolist()):
        expected = score if i not in written else score / penalty if score > 0 else score * penalty
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
def test_all_settings_together_give_a_distribution(logits: Tensor, settings: SampleConfig) -> None:
    probabilities = next_probabilities(logits, torch.arange(0, len(logits), 2), settings)
    assert probabilities.shape == logits.shape
    assert torch.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-46, 1e-40, 1e-20, 1e-3, 100])
def test_any_temperature_gives_a_distribution(temperature: float) -> None:
    probabilities = next_probabilities(torch.tensor([1.0, 3.0, 2.0]), NONE, SampleConfig(temperature=temperature))
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert probabilities.argmax() == 1


def test_temperature_divides_scores() -> None:
    logits = torch.tensor([1.0, -2.0, 0.5])
    for temperature in (0.5, 1.0, 3.0):
        expected = (logits / temperature).softmax(-1)
        torch.testing.assert_close(next_probabilities(logits, NONE, SampleConfig(temperature=temperature)), expected)


def test_filters_apply_in_the_order_stated() -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    # top-k leaves 0.4, 0.3 and 0.2, which are then 0.44, 0.33 and 0.22: top-p 0.7 needs two of them.
    both = next_probabilities(logits, NONE, SampleConfig(temperature=1.0, top_k=3, top_p=0.7))
    assert both.nonzero().flatten().tolist() == [0, 1]
    # The temperature comes before top-p: flattened scores need more tokens to reach it.
    flat = next_probabilities(logits, NONE, SampleConfig(temperature=100.0, top_p=0.7))
    assert len(flat.nonzero()) == 3
    # The penalty comes before everything: the likeliest is no longer that.
    scores = torch.tensor([2.0, 1.9, -1.0])
    greedy = next_probabilities(scores, torch.tensor([0]), SampleConfig(temperature=0, repetition_penalty=2.0))
    assert greedy.tolist() == [0, 1, 0]


def test_temperature_zero_takes_the_likeliest() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=10)
    ids = [5]
    for token in write_tokens(MODEL, [5], settings, stop=-1):
        assert token == int(plain_scores(MODEL, ids).argmax())
        ids.append(token)
    assert len(ids) == 11
    for seed in range(3):
        other = settings.model_copy(update={"seed": seed, "top_k": 7})
        assert list(write_tokens(MODEL, [5], other, stop=-1)) == ids[1:]


def test_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    settings = SampleConfig(temperature=1.5, max_new_tokens=1)
    expected = next_probabilities(plain_scores(MODEL, [5]), NONE, settings)
    drawn = Counter(
        token
        for seed in range(300)
        for token in write_tokens(MODEL, [5], settings.model_copy(update={"seed": seed}), stop=-1)
    )
    for token in expected.topk(3).indices.tolist():
        share = expected[token].item()
        assert drawn[token] / 300 == pytest.approx(share, abs=4 * (share * (1 - share) / 300) ** 0.5)


def test_settings_limit_what_is_written() -> None:
    settings = SampleConfig(temperature=3.0, top_k=2, max_new_tokens=12)
    ids = [5]
    for token in write_tokens(MODEL, [5], settings, stop=-1):
        if len(ids) <= BLOCK:
            assert token in plain_scores(MODEL, ids).topk(2).indices.tolist()
        ids.append(token)


def test_a_high_penalty_never_repeats() -> None:
    settings = SampleConfig(temperature=0, repetition_penalty=100.0, max_new_tokens=20)
    written = list(write_tokens(MODEL, [5], settings, stop=-1))
    assert len(set(written)) == len(written)
    assert 5 not in written


# --- what is seen of a choice ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        SampleConfig(max_new_tokens=30),
        SampleConfig(max_new_tokens=30, temperature=3.0, top_p=0.9, repetition_penalty=1.5, seed=4),
        SampleConfig(max_new_tokens=30, temperature=0),
    ],
    ids=["plain", "filtered", "greedy"],
)
def test_looking_on_changes_nothing(settings: SampleConfig) -> None:
    expected = list(write_tokens(MODEL, [5], settings, stop=-1))
    assert len(expected) == 30
    for n_candidates in (0, 1, 6, 1000):
        chosen = list(choose_tokens(MODEL, [5], settings, -1, n_candidates))
        assert [each.token for each in chosen] == expected


def test_candidates_are_the_models_own_likeliest() -> None:
    settings = SampleConfig(max_new_tokens=BLOCK - 1, temperature=2.0, min_p=0.01, repetition_penalty=1.3)
    ids = [5]
    last_places = 0
    for chosen in choose_tokens(MODEL, ids, settings, -1, 5):
        scores = plain_scores(MODEL, ids)
        own = scores.softmax(-1)
        drawn = next_probabilities(scores, torch.tensor(sorted(set(ids))), settings)
        tokens = [candidate.token for candidate in chosen.candidates]
        assert tokens[:5] == own.topk(5).indices.tolist()
        assert tokens[5:] == ([] if chosen.token in tokens[:5] else [chosen.token])
        last_places += len(tokens) == 6
        for candidate in chosen.candidates:
            assert candidate.probability == pytest.approx(own[candidate.token].item(), rel=1e-3, abs=1e-6)
            assert candidate.drawn == pytest.approx(drawn[candidate.token].item(), rel=1e-3, abs=1e-6)
        assert chosen.probability == pytest.approx(own[chosen.token].item(), rel=1e-3, abs=1e-6)
        assert chosen.bits == pytest.approx(torch.distributions.Categorical(own).entropy().item() / math.log(2), 1e-3)
        ids.append(chosen.token)
    assert 0 < last_places < BLOCK - 1  # both kinds were seen


def test_entropy_is_in_bits() -> None:
    class Even(Scripted):
        def next_logits(self, ids: Tensor, cache: object) -> Tensor:
            scores = torch.full((1, self.vocab_size), -torch.inf)
            scores[0, :8] = 3.0
            return scores

    model = Even(MODEL.config, 257, torch.Generator().manual_seed(0))
    [chosen] = choose_tokens(model, [5], SampleConfig(max_new_tokens=1, temperature=0.1), -1, 257)
    assert chosen.bits == pytest.approx(3.0)
    assert chosen.probability == pytest.approx(1 / 8)
    assert len(chosen.candidates) == 257


def test_the_stop_token_is_seen_and_not_written() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=30)
    whole = list(write_tokens(MODEL, [5], settings, stop=-1))
    stop = whole[7]
    until = whole[: whole.index(stop) + 1]
    for n_candidates in (0, 3):
        assert [each.token for each in choose_tokens(MODEL, [5], settings, stop, n_candidates)] == until
    assert list(write_tokens(MODEL, [5], settings, stop)) == until[:-1]


def test_who_does_not_ask_for_candidates_pays_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Chosen:
        raise AssertionError("looked at a choice that nobody asked about")

    monkeypatch.setattr(generate, "_told", never)
    [chosen] = choose_tokens(MODEL, [5], SampleConfig(max_new_tokens=1), stop=-1)
    assert math.isnan(chosen.probability)
    assert math.isnan(chosen.bits)
    assert chosen.candidates == ()


# --- text ----------------------------------------------------------------------------------------------------


def told(settings: SampleConfig, prompt: str = "It was", model: Transformer = MODEL) -> str:
    return "".join(write(model, BYTES, prompt, settings))


def test_the_same_seed_writes_the_same_text() -> None:
    settings = SampleConfig(max_new_tokens=40)
    torch.manual_seed(1)
    first = told(settings)
    torch.manual_seed(2)
    assert told(settings) == first
    others = {told(settings.model_copy(update={"seed": seed})) for seed in range(1, 5)}
    assert first not in others
    assert len(others) == 4


def test_writing_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    told(SampleConfig(max_new_tokens=5))
    assert torch.equal(torch.rand(2), expected)


def test_length_is_a_limit() -> None:
    for length in (1, 3, 50):
        assert len(list(write_tokens(MODEL, [5], SampleConfig(max_new_tokens=length), stop=-1))) == length


def test_it_stops_at_the_end_of_the_text() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=30)
    whole = list(write_tokens(MODEL, [5], settings, stop=-1))
    stop = whole[7]
    assert list(write_tokens(MODEL, [5], settings, stop=stop)) == whole[: whole.index(stop)]


def test_an_empty_prompt_begins_a_new_text() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=20)
    expected = BYTES.decode(list(write_tokens(MODEL, [BYTES.end_of_text], settings, BYTES.end_of_text)))
    assert told(settings, "") == expected


def test_a_prompt_is_continued_not_repeated() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=20)
    prompt = [BYTES.end_of_text, *BYTES.encode("It was").tolist()]
    assert told(settings) == BYTES.decode(list(write_tokens(MODEL, prompt, settings, BYTES.end_of_text)))


class Scripted(Transformer):
    """Says given ids, one after the other, whatever it reads."""

    script: list[int]

    def next_logits(self, ids: Tensor, cache: object) -> Tensor:
        scores = torch.zeros(1, self.vocab_size)
        scores[0, self.script.pop(0) if self.script else BYTES.end_of_text] = 50.0
        return scores


def scripted(ids: list[int]) -> Scripted:
    model = Scripted(MODEL.config, 257, torch.Generator().manual_seed(0))
    model.script = list(ids)
    return model


def test_text_comes_in_whole_characters() -> None:
    text = "é日\U0001f642a\u0301"
    pieces = list(write(scripted(list(text.encode())), BYTES, "", SampleConfig(temperature=0)))
    assert pieces == list(text)


@given(st.binary(max_size=40))
def test_pieces_join_to_the_decoded_whole(written: bytes) -> None:
    pieces = list(write(scripted(list(written)), BYTES, "", SampleConfig(temperature=0)))
    assert "".join(pieces) == written.decode("utf-8", errors="replace")
    assert all(pieces)


def test_a_character_that_breaks_off_is_shown_as_one_mark() -> None:
    model = scripted(list("a\U0001f642".encode()[:-1]))
    assert list(write(model, BYTES, "", SampleConfig(temperature=0))) == ["a", "\ufffd"]
