"""Writing: cached scores against plain ones, what is drawn, texts side by side, and text as it comes."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests import models
from tinylm.config.schema import SampleConfig
from tinylm.data.tokenizer import Tokenizer
from tinylm.inference import generate
from tinylm.inference.generate import Chosen, Writer, choose_tokens, choose_variants, write, write_tokens
from tinylm.inference.sampling import choices
from tinylm.model.transformer import Transformer

BYTES = Tokenizer("byte", [bytes([byte]) for byte in range(256)])
BLOCK = 16


def build(seed: int = 0, vocab_size: int = 257) -> Transformer:
    model = models.build(vocab_size, seed, block_size=BLOCK)
    with torch.no_grad():
        model.head.weight.mul_(20)  # opinions, so that a wrong score changes what is written
    return model.eval()


MODEL = build()


@torch.no_grad()
def plain_scores(model: Transformer, ids: list[int]) -> Tensor:
    return model.logits(torch.tensor([ids]))[0, -1]


def probabilities(logits: Tensor, settings: SampleConfig, written: list[int] | None = None) -> Tensor:
    """What the next token is drawn with (V,), by scores (V,) and the tokens that stand there already."""
    flags = torch.zeros(1, len(logits), dtype=torch.bool)
    flags[0, written or []] = True
    return choices(logits[None], flags, settings).spread(len(logits))[0]


# --- cached scores -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("prompt", [1, 2, 7, BLOCK - 1, BLOCK])
def test_cached_scores_are_plain_ones(prompt: int) -> None:
    text = torch.randint(256, (BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    writer = Writer(MODEL, text[:prompt])
    for length in range(prompt, BLOCK + 1):
        torch.testing.assert_close(writer.logits()[0], plain_scores(MODEL, text[:length]), rtol=1e-4, atol=1e-4)
        if length < BLOCK:
            writer.push([text[length]])
    assert writer.ids == [text]


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("prompt", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_past_the_block_the_last_half_is_read_anew(prompt: int) -> None:
    text = torch.randint(256, (4 * BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    writer = Writer(MODEL, text[:prompt])
    begin = max(0, prompt - BLOCK)  # where the window begins that the model sees
    for length in range(prompt, 4 * BLOCK):
        if length - begin > BLOCK:
            begin = length - BLOCK // 2
        torch.testing.assert_close(writer.logits()[0], plain_scores(MODEL, text[begin:length]), rtol=1e-4, atol=1e-4)
        writer.push([text[length]])


@pytest.mark.usefixtures("both_ways")
def test_texts_side_by_side_do_not_see_each_other() -> None:
    drawn = torch.randint(256, (4, 3 * BLOCK), generator=torch.Generator().manual_seed(2)).tolist()
    writer, texts, begin = Writer(MODEL, [1, 2, 3], texts=4), [[1, 2, 3] for _ in drawn], 0
    for place in range(3 * BLOCK):
        if len(texts[0]) - begin > BLOCK:
            begin = len(texts[0]) - BLOCK // 2
        for scores, text in zip(writer.logits(), texts, strict=True):
            torch.testing.assert_close(scores, plain_scores(MODEL, text[begin:]), rtol=1e-4, atol=1e-4)
        if place in (5, 20):  # one has ended: the others go on, also across the block's border
            del texts[1], drawn[1]
            writer.take([row for row in range(len(texts) + 1) if row != 1])
        writer.push([tokens[place] for tokens in drawn])
        for text, tokens in zip(texts, drawn, strict=True):
            text.append(tokens[place])
        assert writer.ids == texts


def test_a_prompt_is_not_changed() -> None:
    prompt = [1, 2, 3]
    list(write_tokens(MODEL, prompt, SampleConfig(max_new_tokens=4), stop=256))
    assert prompt == [1, 2, 3]


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
    expected = probabilities(plain_scores(MODEL, [5]), settings)
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


# --- several at once -------------------------------------------------------------------------------------------


def side_by_side(prompt: list[int], settings: SampleConfig, seeds: list[int], stop: int = -1) -> list[list[int]]:
    texts: list[list[int]] = [[] for _ in seeds]
    for which, chosen in choose_variants(MODEL, prompt, settings, seeds, stop):
        texts[which].append(chosen.token)
    return texts


@pytest.mark.parametrize(
    "settings",
    [
        SampleConfig(max_new_tokens=3 * BLOCK),
        SampleConfig(max_new_tokens=3 * BLOCK, temperature=2.0, top_k=20, top_p=0.8),
        SampleConfig(max_new_tokens=BLOCK, temperature=2.0, min_p=0.02, repetition_penalty=1.4),
    ],
    ids=["plain", "filtered", "penalized"],
)
@pytest.mark.parametrize("prompt", [[5], [7, 1, 200, 3]], ids=["short", "longer"])
def test_a_text_among_others_is_the_one_that_its_seed_gives_alone(prompt: list[int], settings: SampleConfig) -> None:
    seeds = [3, 0, 11, 3]
    alone = [list(write_tokens(MODEL, prompt, settings.model_copy(update={"seed": seed}), -1)) for seed in seeds]
    assert side_by_side(prompt, settings, seeds) == alone
    assert alone[0] == alone[3]
    assert alone[0] != alone[1]


def test_texts_end_each_at_its_own_stop() -> None:
    settings, seeds = SampleConfig(max_new_tokens=40, temperature=2.0), list(range(6))
    whole = side_by_side([5], settings, seeds)
    stop = Counter(token for text in whole for token in set(text)).most_common(1)[0][0]
    cut = side_by_side([5], settings, seeds, stop)
    assert cut == [text[: text.index(stop) + 1] if stop in text else text for text in whole]
    assert len({len(text) for text in cut}) > 2


def test_texts_come_in_turn_and_all_together() -> None:
    order = [which for which, _ in choose_variants(MODEL, [5], SampleConfig(max_new_tokens=3), [1, 2], stop=-1)]
    assert order == [0, 1, 0, 1, 0, 1]


def test_candidates_of_texts_side_by_side_are_each_its_own() -> None:
    settings = SampleConfig(max_new_tokens=6, temperature=2.0)
    told = list(choose_variants(MODEL, [5], settings, [1, 2], -1, 4))
    for which, seed in enumerate([1, 2]):
        alone = list(choose_tokens(MODEL, [5], settings.model_copy(update={"seed": seed}), -1, 4))
        for mine, expected in zip([chosen for place, chosen in told if place == which], alone, strict=True):
            assert mine.token == expected.token
            assert mine.bits == pytest.approx(expected.bits, rel=1e-4)
            assert [c.token for c in mine.candidates] == [c.token for c in expected.candidates]
            assert [c.drawn for c in mine.candidates] == pytest.approx([c.drawn for c in expected.candidates], 1e-3)


def test_a_shorter_text_is_the_beginning_of_a_longer_one() -> None:
    settings = SampleConfig(max_new_tokens=60, temperature=2.0)
    longer = list(write_tokens(MODEL, [5], settings, -1))
    assert list(write_tokens(MODEL, [5], settings.model_copy(update={"max_new_tokens": 25}), -1)) == longer[:25]


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
        drawn = probabilities(scores, settings, ids)
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
