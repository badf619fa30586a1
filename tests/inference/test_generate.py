"""Generation: cached logits against plain ones, what is drawn, texts side by side, and text as it comes."""

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
from tinylm.inference.generate import Decoder, continue_texts, generate, generate_batch, generate_text, generate_texts
from tinylm.inference.sampling import Probs, logits_to_probs
from tinylm.kernels.decode import DecodeLibrary
from tinylm.model.transformer import Transformer
from tinylm.words import is_visible

BYTES = Tokenizer("byte", [bytes([byte]) for byte in range(256)])
BLOCK = 16


def build(seed: int = 0, vocab_size: int = 257) -> Transformer:
    model = models.build(vocab_size, seed, block_size=BLOCK)
    with torch.no_grad():
        model.head.weight.mul_(20)  # opinions, so that a wrong logit changes what is written
    return model.eval()


MODEL = build()


@torch.no_grad()
def plain_logits(model: Transformer, ids: list[int]) -> Tensor:
    return model.logits(torch.tensor([ids]))[0, -1]


def probabilities(logits: Tensor, settings: SampleConfig, ids: list[int]) -> Tensor:
    """What the next token is drawn with (V,), by logits (V,) and the text so far."""
    return logits_to_probs(logits[None], [ids], settings).dense(len(logits))[0]


def written(prompt: list[int], settings: SampleConfig, stop: int = -1) -> list[int]:
    """The tokens of one text, without `stop`."""
    return [sampled.token for sampled in generate(MODEL, prompt, settings, stop) if sampled.token != stop]


# --- cached logits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [1, 2, 7, BLOCK - 1, BLOCK])
def test_cached_logits_are_plain_ones(either_library: DecodeLibrary | None, prompt: int) -> None:
    text = torch.randint(256, (BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    decoder = Decoder(MODEL, text[:prompt], library=either_library)
    for length in range(prompt, BLOCK + 1):
        torch.testing.assert_close(decoder.next_logits()[0], plain_logits(MODEL, text[:length]), rtol=1e-4, atol=1e-4)
        if length < BLOCK:
            decoder.append([text[length]])
    assert decoder.ids == [text]


@pytest.mark.parametrize("prompt", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_past_the_block_the_last_half_is_read_again(either_library: DecodeLibrary | None, prompt: int) -> None:
    text = torch.randint(256, (4 * BLOCK,), generator=torch.Generator().manual_seed(prompt)).tolist()
    decoder = Decoder(MODEL, text[:prompt], library=either_library)
    begin = max(0, prompt - BLOCK)  # where the window begins that the model sees
    for length in range(prompt, 4 * BLOCK):
        if length - begin > BLOCK:
            begin = length - BLOCK // 2
        torch.testing.assert_close(
            decoder.next_logits()[0], plain_logits(MODEL, text[begin:length]), rtol=1e-4, atol=1e-4
        )
        decoder.append([text[length]])


def test_texts_side_by_side_do_not_see_each_other(either_library: DecodeLibrary | None) -> None:
    drawn = torch.randint(256, (4, 3 * BLOCK), generator=torch.Generator().manual_seed(2)).tolist()
    decoder, texts, begin = Decoder(MODEL, [1, 2, 3], n_texts=4, library=either_library), [[1, 2, 3] for _ in drawn], 0
    for position in range(3 * BLOCK):
        if len(texts[0]) - begin > BLOCK:
            begin = len(texts[0]) - BLOCK // 2
        for logits, text in zip(decoder.next_logits(), texts, strict=True):
            torch.testing.assert_close(logits, plain_logits(MODEL, text[begin:]), rtol=1e-4, atol=1e-4)
        if position in (5, 20):  # one has ended: the others go on, also across the block's border
            del texts[1], drawn[1]
            decoder.keep([row for row in range(len(texts) + 1) if row != 1])
        decoder.append([tokens[position] for tokens in drawn])
        for text, tokens in zip(texts, drawn, strict=True):
            text.append(tokens[position])
        assert decoder.ids == texts


def test_a_prompt_is_not_changed() -> None:
    prompt = [1, 2, 3]
    written(prompt, SampleConfig(max_new_tokens=4), 256)
    assert prompt == [1, 2, 3]


def test_temperature_zero_takes_the_likeliest() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=10)
    ids = [5]
    for token in written([5], settings):
        assert token == int(plain_logits(MODEL, ids).argmax())
        ids.append(token)
    assert len(ids) == 11
    for seed in range(3):
        other = settings.model_copy(update={"seed": seed, "top_k": 7})
        assert written([5], other) == ids[1:]


def test_tokens_are_drawn_by_their_probability() -> None:
    settings = SampleConfig(temperature=1.5, max_new_tokens=1)
    expected = probabilities(plain_logits(MODEL, [5]), settings, [5])
    drawn = Counter(token for seed in range(300) for token in written([5], settings.model_copy(update={"seed": seed})))
    for token in expected.topk(3).indices.tolist():
        share = expected[token].item()
        assert drawn[token] / 300 == pytest.approx(share, abs=4 * (share * (1 - share) / 300) ** 0.5)


def test_settings_limit_what_is_written() -> None:
    settings = SampleConfig(temperature=3.0, top_k=2, max_new_tokens=12)
    ids = [5]
    for token in written([5], settings):
        if len(ids) <= BLOCK:
            assert token in plain_logits(MODEL, ids).topk(2).indices.tolist()
        ids.append(token)


def test_a_high_penalty_never_repeats() -> None:
    settings = SampleConfig(temperature=0, repetition_penalty=100.0, max_new_tokens=20)
    tokens = written([5], settings)
    assert len(set(tokens)) == len(tokens)
    assert 5 not in tokens


# --- several at once -------------------------------------------------------------------------------------------


def side_by_side(prompt: list[int], settings: SampleConfig, seeds: list[int], stop: int = -1) -> list[list[int]]:
    texts: list[list[int]] = [[] for _ in seeds]
    for index, sampled in generate_batch(MODEL, prompt, settings, seeds, stop):
        texts[index].append(sampled.token)
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
    alone = [written(prompt, settings.model_copy(update={"seed": seed})) for seed in seeds]
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
    order = [index for index, _ in generate_batch(MODEL, [5], SampleConfig(max_new_tokens=3), [1, 2], -1)]
    assert order == [0, 1, 0, 1, 0, 1]


def test_candidates_of_texts_side_by_side_are_each_its_own() -> None:
    settings = SampleConfig(max_new_tokens=6, temperature=2.0)
    together = list(generate_batch(MODEL, [5], settings, [1, 2], -1, 4))
    for which, seed in enumerate([1, 2]):
        alone = list(generate(MODEL, [5], settings.model_copy(update={"seed": seed}), -1, 4))
        for mine, expected in zip([sampled for index, sampled in together if index == which], alone, strict=True):
            assert mine.token == expected.token
            assert mine.bits == pytest.approx(expected.bits, rel=1e-4)
            assert [c.token for c in mine.candidates] == [c.token for c in expected.candidates]
            assert [c.sampling_probability for c in mine.candidates] == pytest.approx(
                [c.sampling_probability for c in expected.candidates], 1e-3
            )


def test_a_shorter_text_is_the_beginning_of_a_longer_one() -> None:
    settings = SampleConfig(max_new_tokens=60, temperature=2.0)
    longer = written([5], settings)
    assert written([5], settings.model_copy(update={"max_new_tokens": 25})) == longer[:25]


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
def test_asking_for_candidates_changes_nothing(settings: SampleConfig) -> None:
    expected = written([5], settings)
    assert len(expected) == 30
    for n_candidates in (0, 1, 6, 1000):
        tokens = [sampled.token for sampled in generate(MODEL, [5], settings, -1, n_candidates)]
        assert tokens == expected


def test_candidates_are_the_models_own_likeliest() -> None:
    settings = SampleConfig(max_new_tokens=BLOCK - 1, temperature=2.0, min_p=0.01, repetition_penalty=1.3)
    ids = [5]
    stands_last = 0
    for sampled in generate(MODEL, ids, settings, -1, 5):
        logits = plain_logits(MODEL, ids)
        own = logits.softmax(-1)
        drawn = probabilities(logits, settings, ids)
        tokens = [candidate.token for candidate in sampled.candidates]
        assert tokens[:5] == own.topk(5).indices.tolist()
        assert tokens[5:] == ([] if sampled.token in tokens[:5] else [sampled.token])
        stands_last += len(tokens) == 6
        for candidate in sampled.candidates:
            assert candidate.probability == pytest.approx(own[candidate.token].item(), rel=1e-3, abs=1e-6)
            assert candidate.sampling_probability == pytest.approx(drawn[candidate.token].item(), rel=1e-3, abs=1e-6)
        assert sampled.probability == pytest.approx(own[sampled.token].item(), rel=1e-3, abs=1e-6)
        assert sampled.bits == pytest.approx(torch.distributions.Categorical(own).entropy().item() / math.log(2), 1e-3)
        ids.append(sampled.token)
    assert 0 < stands_last < BLOCK - 1  # both kinds were seen


def test_entropy_is_in_bits() -> None:
    class Even(Scripted):
        def next_logits(self, ids: Tensor, cache: object) -> Tensor:
            logits = torch.full((1, self.vocab_size), -torch.inf)
            logits[0, :8] = 3.0
            return logits

    model = Even(MODEL.config, 257, torch.Generator().manual_seed(0))
    [sampled] = generate(model, [5], SampleConfig(max_new_tokens=1, temperature=0.1), -1, 257)
    assert sampled.bits == pytest.approx(3.0)
    assert sampled.probability == pytest.approx(1 / 8)
    assert len(sampled.candidates) == 8, "tokens that cannot come are no candidates"


def test_the_stop_token_is_seen_and_not_written() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=30)
    whole = written([5], settings)
    stop = whole[7]
    until = whole[: whole.index(stop) + 1]
    for n_candidates in (0, 3):
        assert [each.token for each in generate(MODEL, [5], settings, stop, n_candidates)] == until
    assert written([5], settings, stop) == until[:-1]


def test_who_does_not_ask_for_candidates_pays_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Probs, vocab_size: int) -> Tensor:
        raise AssertionError("computed probabilities that nobody asked for")

    monkeypatch.setattr(Probs, "dense", never)
    [sampled] = generate(MODEL, [5], SampleConfig(max_new_tokens=1), -1)
    assert math.isnan(sampled.probability)
    assert math.isnan(sampled.bits)
    assert sampled.candidates == ()


# --- text ----------------------------------------------------------------------------------------------------


PARAGRAPHS = Tokenizer("byte", BYTES.pieces, "\n\n")


def text_of(settings: SampleConfig, prompt: str = "It was", tokenizer: Tokenizer = BYTES) -> str:
    return "".join(generate_text(MODEL, tokenizer, prompt, settings))


def test_the_same_seed_writes_the_same_text() -> None:
    settings = SampleConfig(max_new_tokens=40)
    torch.manual_seed(1)
    first = text_of(settings)
    torch.manual_seed(2)
    assert text_of(settings) == first
    others = {text_of(settings.model_copy(update={"seed": seed})) for seed in range(1, 5)}
    assert first not in others
    assert len(others) == 4


def test_writing_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    text_of(SampleConfig(max_new_tokens=5))
    assert torch.equal(torch.rand(2), expected)


def test_an_empty_prompt_begins_a_new_text() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=20)
    expected = BYTES.decode(written([BYTES.end_of_text], settings, BYTES.end_of_text))
    assert is_visible(expected[0])  # else it would not be allowed to come first
    assert text_of(settings, "") == expected
    assert text_of(settings, "", tokenizer=PARAGRAPHS) == BYTES.decode(written([10, 10], settings, BYTES.end_of_text))


def test_a_prompt_is_continued_not_repeated() -> None:
    settings = SampleConfig(temperature=0, max_new_tokens=20)
    prompt = [BYTES.end_of_text, *BYTES.encode("It was").tolist()]
    assert text_of(settings) == BYTES.decode(written(prompt, settings, BYTES.end_of_text))
    prompt = list(b"\n\nIt was")
    assert text_of(settings, tokenizer=PARAGRAPHS) == BYTES.decode(written(prompt, settings, BYTES.end_of_text))


class Scripted(Transformer):
    """Says given ids, one after the other, whatever it reads."""

    script: list[int]

    def next_logits(self, ids: Tensor, cache: object) -> Tensor:
        logits = torch.zeros(1, self.vocab_size)
        logits[0, self.script.pop(0) if self.script else BYTES.end_of_text] = 50.0
        return logits


def scripted(ids: list[int]) -> Scripted:
    model = Scripted(MODEL.config, 257, torch.Generator().manual_seed(0))
    model.script = list(ids)
    return model


def test_text_comes_in_whole_characters() -> None:
    text = "é日\U0001f642a\u0301"
    pieces = list(generate_text(scripted(list(text.encode())), BYTES, "x", SampleConfig(temperature=0)))
    assert pieces == list(text)


@given(st.binary(max_size=40))
def test_pieces_join_to_the_decoded_whole(written: bytes) -> None:
    pieces = list(generate_text(scripted(list(written)), BYTES, "x", SampleConfig(temperature=0)))
    assert "".join(pieces) == written.decode("utf-8", errors="replace")
    assert all(pieces)


def test_a_character_that_breaks_off_is_shown_as_one_mark() -> None:
    model = scripted(list("a\U0001f642".encode()[:-1]))
    assert list(generate_text(model, BYTES, "", SampleConfig(temperature=0))) == ["a", "\ufffd"]


# --- several texts -------------------------------------------------------------------------------------------


def test_several_texts_are_those_of_their_seeds() -> None:
    settings, seeds = SampleConfig(max_new_tokens=30), [4, 2, 4]
    texts = generate_texts(MODEL, BYTES, "It was", settings, seeds)
    assert [text.text for text in texts] == [text_of(settings.model_copy(update={"seed": seed})) for seed in seeds]
    assert [text.seed for text in texts] == seeds
    assert {(text.tokens, text.ended) for text in texts} == {(30, False)}


def test_a_text_that_the_model_ends_is_marked_and_has_no_end_of_text() -> None:
    [text] = generate_texts(scripted(list(b"ab")), BYTES, "", SampleConfig(temperature=0), [7])
    assert (text.text, text.tokens, text.ended, text.seed) == ("ab", 2, True, 7)
    [text] = generate_texts(scripted([]), BYTES, "It was", SampleConfig(temperature=0), [0])
    assert (text.text, text.tokens, text.ended) == ("", 0, True)


# --- new texts -----------------------------------------------------------------------------------------------


CHARACTERS = Tokenizer("char", [character.encode() for character in "\n azé\u200b\u3000語"])


class Ending(Transformer):
    """Wants to end, or else to write white space, whatever it reads; then comes what the seed gives."""

    def next_logits(self, ids: Tensor, cache: object) -> Tensor:
        logits = torch.linspace(0, 1, self.vocab_size).repeat(len(ids), 1)
        logits[:, self.vocab_size - 1] = 40.0
        logits[:, [self.white, self.white + 1]] = 30.0
        return logits

    white: int


def ending(tokenizer: Tokenizer) -> Ending:
    model = Ending(MODEL.config, tokenizer.vocab_size, torch.Generator().manual_seed(0))
    model.white = 0 if tokenizer.kind == "char" else 9  # "\n" and " ", or "\t" and "\n"
    return model


@pytest.mark.parametrize("tokenizer", [BYTES, PARAGRAPHS, CHARACTERS], ids=["bytes", "paragraphs", "characters"])
@pytest.mark.parametrize("prompt", ["", "\n", " \n "], ids=repr)
@pytest.mark.parametrize(
    "settings",
    [
        SampleConfig(max_new_tokens=12),
        SampleConfig(max_new_tokens=1),
        SampleConfig(max_new_tokens=1, temperature=0),
        SampleConfig(max_new_tokens=12, temperature=0, repetition_penalty=1.5),
        SampleConfig(max_new_tokens=12, top_k=1),
        SampleConfig(max_new_tokens=12, top_p=0.01, min_p=0.9),
        SampleConfig(max_new_tokens=12, temperature=100, top_k=1000),
    ],
    ids=str,
)
def test_a_new_text_is_never_empty(
    tokenizer: Tokenizer, prompt: str, settings: SampleConfig, either_library: DecodeLibrary | None
) -> None:
    seeds = range(20)
    texts = generate_texts(ending(tokenizer), tokenizer, prompt, settings, seeds, either_library)
    assert [text.seed for text in texts if not is_visible(text.text)] == []


def test_once_a_text_shows_something_it_may_end() -> None:
    texts = generate_texts(ending(BYTES), BYTES, "", SampleConfig(max_new_tokens=20, temperature=0), [1])
    assert [(text.tokens, text.ended) for text in texts] == [(1, True)]


def test_a_character_that_shows_nothing_is_not_enough_also_in_parts() -> None:
    blank = "\u3000\u200b\u00a0"
    text = "".join(generate_text(scripted([*blank.encode()]), BYTES, "", SampleConfig(temperature=0)))
    assert text.startswith(blank)
    assert is_visible(text)


def test_a_prompt_that_shows_something_may_end_at_once() -> None:
    [text] = generate_texts(ending(BYTES), BYTES, "It was", SampleConfig(max_new_tokens=20, temperature=0), [1])
    assert (text.text, text.ended) == ("", True)


def test_behind_the_end_of_a_text_comes_one_that_is_not_empty_either() -> None:
    prompt = [*b"one", BYTES.end_of_text]
    tokens = [
        sampled.token for _, sampled in continue_texts(ending(BYTES), BYTES, prompt, SampleConfig(temperature=0), [1])
    ]
    assert is_visible(BYTES.decode(tokens))


def test_candidates_of_a_new_text_are_those_it_is_drawn_from() -> None:
    settings = SampleConfig(max_new_tokens=2, temperature=1.0)
    for seed in range(10):
        (_, first), *_ = continue_texts(ending(BYTES), BYTES, [], settings, [seed], n_candidates=257)
        assert sum(candidate.probability for candidate in first.candidates) == pytest.approx(1, abs=1e-3)
        for candidate in first.candidates:
            assert candidate.sampling_probability == pytest.approx(candidate.probability, rel=1e-3, abs=1e-7)
            assert (candidate.probability == 0) == BYTES.invisible[candidate.token]
        assert first.probability > 0
        assert 0 < first.bits < 8


def test_a_vocabulary_that_shows_nothing_is_written_as_it_is() -> None:
    blank = Tokenizer("char", ["\u200b".encode(), "\u200c".encode()])
    model = models.build(blank.vocab_size, block_size=BLOCK)
    assert generate_texts(model, blank, "", SampleConfig(max_new_tokens=3), [0, 1])
