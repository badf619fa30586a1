"""Encoding and decoding by every kind of tokenizer, on arbitrary texts."""

import base64
import json
import random
from itertools import pairwise

import numpy as np
import pytest
import regex as re
import rustbpe
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from tinylm.config.schema import TokenizerConfig
from tinylm.data.tokenizer import (
    END_OF_TEXT,
    GPT4_SPLIT,
    LONGEST_TOKEN,
    SPLIT,
    Tokenizer,
    train_tokenizer,
    training_blocks,
)
from tinylm.errors import DataError, RunError

ODD = "naïve \U0001f642\U0001f468‍\U0001f469‍\U0001f467 \x00\x01 \r\n\t\t  \u3000日本語 ٣ ½ ﬁ \u202e \ufffd \ufeff"
TEXT = "The miller saw the river. The river saw the miller! 1234567 it's they'll\n\n" * 20
BPE = train_tokenizer(TokenizerConfig(kind="bpe", vocab_size=280), [TEXT], [TEXT])
BYTE = train_tokenizer(TokenizerConfig(kind="byte"), [TEXT], [TEXT])
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def trained(text: str, vocab_size: int = 300, kind: str = "bpe") -> Tokenizer:
    return train_tokenizer(TokenizerConfig(kind=kind, vocab_size=vocab_size), [text], [text])


@given(ANY_TEXT)
def test_any_text_comes_back(text: str) -> None:
    for tokenizer in (BPE, BYTE):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.uint32
        assert tokenizer.decode(ids.tolist()) == text
        assert tokenizer.end_of_text not in ids
        assert tokenizer.token_bytes[ids].sum() == len(text.encode())
    if text:
        char = trained(text, kind="char")
        assert char.vocab_size == len(set(text)) + 1
        assert len(char.encode(text)) == len(text)
        assert char.decode(char.encode(text).tolist()) == text


@given(st.lists(ANY_TEXT, min_size=1, max_size=4), st.integers(257, 320))
def test_bpe_can_be_trained_on_any_text(texts: list[str], vocab_size: int) -> None:
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=vocab_size), texts, texts)
    assert 257 <= tokenizer.vocab_size <= vocab_size
    for text in (*texts, ODD):
        assert tokenizer.decode(tokenizer.encode(text).tolist()) == text


def test_bpe_learns_what_is_frequent() -> None:
    assert BPE.vocab_size == 280
    assert b" the" in BPE.pieces
    assert len(BPE.encode(TEXT)) < 0.7 * len(TEXT.encode())


TELLING = [*"'sStTdDmMlLvVeErRſaé漢٣19 \n\r\t\u3000\xa0.,!”\u0301🙂", "'ll", "'RE", "  ", "\r\n"]


@given(st.lists(st.sampled_from(TELLING) | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join))
def test_text_is_cut_as_gpt4_cuts_it(text: str) -> None:
    assert re.findall(SPLIT, text) == re.findall(GPT4_SPLIT, text)


def test_the_same_tokens_as_with_gpt4s_own_pattern() -> None:
    text = "".join(random.Random(1).choices([*TELLING, *ODD, " the", " mill", "er's "], k=20_000))
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter([text]), vocab_size=499, pattern=GPT4_SPLIT)
    ranks = {bytes(piece): rank for piece, rank in theirs.get_mergeable_ranks()}
    ours = trained(text, 500)
    assert ours.pieces == sorted(ranks, key=ranks.__getitem__)
    reference = tiktoken.Encoding("theirs", pat_str=GPT4_SPLIT, mergeable_ranks=ranks, special_tokens={})
    assert ours.encode(text).tolist() == reference.encode_ordinary(text)


def test_special_token_is_the_last_id_and_has_no_bytes() -> None:
    for tokenizer in (BPE, BYTE, trained(TEXT, kind="char")):
        assert tokenizer.end_of_text == tokenizer.vocab_size - 1 == len(tokenizer.pieces)
        assert tokenizer.token_bytes.shape == (tokenizer.vocab_size,)
        assert tokenizer.token_bytes[tokenizer.end_of_text] == 0
        assert tokenizer.decode([tokenizer.end_of_text]) == ""


def test_the_name_of_the_special_token_is_just_text() -> None:
    text = f"one{END_OF_TEXT}two{END_OF_TEXT}"
    for tokenizer in (trained(text * 9), BPE, BYTE, trained(text, kind="char")):
        ids = tokenizer.encode(text)
        assert tokenizer.end_of_text not in ids
        assert tokenizer.decode(ids.tolist()) == text


@pytest.mark.parametrize("kind", ["bpe", "char", "byte"])
def test_saved_and_loaded_it_is_the_same(kind: str) -> None:
    before = trained(TEXT + ODD, kind=kind)
    after = Tokenizer.from_json(before.to_json())
    assert (after.kind, after.pieces, after.vocab_size) == (before.kind, before.pieces, before.vocab_size)
    assert after.to_json() == before.to_json()
    assert after.encode(TEXT + ODD).tolist() == before.encode(TEXT + ODD).tolist()
    assert before.to_json().isascii()
    before.new_text = "\n\n"
    after = Tokenizer.from_json(before.to_json())
    assert after.new_text == "\n\n"
    assert after.decode(after.beginning) == "\n\n"


@pytest.mark.parametrize("kind", ["bpe", "char", "byte"])
def test_tokens_that_show_nothing(kind: str) -> None:
    tokenizer = trained(TEXT + ODD, kind=kind)
    assert tokenizer.invisible.shape == (tokenizer.vocab_size,)
    assert tokenizer.invisible[tokenizer.end_of_text]
    for text, shows in (("T", True), ("!", True), (" ", False), ("\n", False), ("\x00", False), ("\u202e", False)):
        ids = tokenizer.encode(text)
        assert len(ids) > 1 or bool(tokenizer.invisible[ids[0]]) != shows, text
    if kind != "char":  # a part of a character may become one that shows
        assert not tokenizer.invisible[tokenizer.encode("語")[0]]


def test_the_same_text_makes_the_same_tokenizer() -> None:
    assert trained(TEXT + ODD, 400).pieces == trained(TEXT + ODD, 400).pieces


@pytest.mark.parametrize("text", ["a" * 50_000, "-" * 50_000 + "\n", "word " + "=" * 50_000])
def test_a_long_run_is_many_tokens(text: str) -> None:
    """Else a text of 180 kB could have a handful of tokens, and be called too short."""
    tokenizer = trained(text, 2000)
    assert len(tokenizer.encode(text)) >= len(text) / LONGEST_TOKEN
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_small_text_yields_fewer_merges() -> None:
    assert trained("ab", 2000).vocab_size == 258
    assert trained("a", 2000).vocab_size == 257


@pytest.mark.parametrize("kind", ["bpe", "char", "byte"])
def test_one_character(kind: str) -> None:
    tokenizer = trained("é", kind=kind)
    assert tokenizer.decode(tokenizer.encode("é").tolist()) == "é"
    assert tokenizer.encode("").tolist() == []


def test_a_text_without_a_line_end_longer_than_a_block_is_learnt_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinylm.data.tokenizer.BLOCK_CHARS", 64)
    for text in ("word " * 100, "line one\nline two\n" * 20, "\n" * 200, "x" * 63 + "\n" + "y" * 200, "é"):
        assert "".join(training_blocks([text])) == text


def test_merges_do_not_depend_on_where_blocks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(TEXT, 320).pieces
    monkeypatch.setattr("tinylm.data.tokenizer.BLOCK_CHARS", 200)
    assert trained(TEXT, 320).pieces == whole


@pytest.mark.parametrize(
    "text",
    [
        *(run * 100_000 for run in (" ", "a", "\n", "1", "!", " \n", "ab")),
        "a" + " " * 1_000_100 + "b",  # the split pattern's engine backtracks a million times at most
    ],
    ids=range(8),
)
def test_long_runs_of_one_character_do_not_break_the_encoder(text: str) -> None:
    tokenizer = trained(text, 300)
    assert tokenizer.decode(tokenizer.encode(text).tolist()) == text


def test_the_error_of_an_unknown_character_names_it() -> None:
    tokenizer = trained("abc", kind="char")
    for unknown in ("d", "A", "\U0001f642", "\x00"):
        with pytest.raises(DataError) as caught:
            tokenizer.encode("ab" + unknown)
        assert repr(unknown) in caught.value.message


SPACED = st.text(st.sampled_from("ab .,'!1\n\n\r\t \u3000é日"), max_size=80)


@given(st.lists(SPACED, max_size=8))
def test_portions_have_the_ids_of_the_whole(blocks: list[str]) -> None:
    whole = "".join(blocks)
    for tokenizer in (BPE, BYTE):
        portions = list(tokenizer.safe_blocks(blocks))
        assert "".join(portions) == whole
        assert [i for part in portions for i in tokenizer.encode(part).tolist()] == tokenizer.encode(whole).tolist()


def test_a_text_is_cut_between_its_lines_or_words() -> None:
    for text in (TEXT, TEXT.replace("\n", " "), TEXT.replace("\n", "\n\n \n")):
        blocks = [text[i : i + 100] for i in range(0, len(text), 100)]
        portions = list(BPE.safe_blocks(blocks))
        assert len(portions) > len(blocks) / 2
        assert [i for part in portions for i in BPE.encode(part).tolist()] == BPE.encode(text).tolist()
    assert list(BPE.safe_blocks(["\n" * 50] * 4)) == ["\n" * 200], "nobody knows where a piece ends here"


@given(st.lists(ANY_TEXT | st.just(f"a {END_OF_TEXT}"), max_size=6))
def test_many_texts_are_encoded_as_each_alone(texts: list[str]) -> None:
    for tokenizer in (BPE, BYTE):
        encoded = tokenizer.encode_each(texts)
        assert [ids.tolist() for ids in encoded] == [tokenizer.encode(text).tolist() for text in texts]


def test_a_share_of_the_text_is_spread_over_it() -> None:
    blocks = [f"{i:03}\n" for i in range(1000)]
    kept = list(training_blocks(blocks, 0.25))
    assert len(kept) == pytest.approx(250, abs=1)
    assert all(b - a in (12, 16, 20) for a, b in pairwise([4 * int(block) for block in kept]))
    assert list(training_blocks(blocks)) == blocks


def test_a_tokenizer_of_a_share_knows_that_share_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinylm.data.tokenizer.BLOCK_CHARS", 64)
    text = "".join(f"{word}\n" * 32 for word in ("apple", "berry", "cherry", "grape"))
    pieces = train_tokenizer(TokenizerConfig(vocab_size=300), [text], [], share=0.02).pieces
    assert b"apple" in pieces
    assert b"berry" not in pieces


def test_half_a_character_is_replaced() -> None:
    assert BPE.decode(BPE.encode("a\ud800b").tolist()) == "a\ufffdb"


def damaged(**changes: object) -> str:
    return json.dumps({**json.loads(BPE.to_json()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "7",
        "[]",
        '"text"',
        "{}",
        "{" * 100_000,
        "[" * 100_000,
        BPE.to_json()[:-20],
        BPE.to_json().replace('"bpe"', '"other"'),
        damaged(kind="byte"),
        damaged(kind=["bpe"]),
        damaged(tokens=None),
        damaged(tokens=7),
        damaged(tokens={}),
        damaged(tokens=[]),
        damaged(tokens=[], kind="char"),
        damaged(tokens=[1, 2]),
        damaged(tokens=["not base64!"]),
        damaged(tokens=["é"]),
        damaged(tokens=["YQ==", "YQ=="], kind="char"),
        damaged(tokens=["Yg==", "YQ=="], kind="char"),
        damaged(tokens=["YWI="], kind="char"),
        damaged(tokens=["/w=="], kind="char"),
        damaged(tokens=[""] + [base64.b64encode(bytes([i])).decode() for i in range(256)]),
        damaged(tokens=[base64.b64encode(bytes([i])).decode() for i in range(255)]),
        damaged(new_text="once upon a time"),
        damaged(new_text=[3]),
        damaged(new_text=None),
        damaged(tokens=["YQ=="], kind="char", special={END_OF_TEXT: 1}, new_text="\n"),
    ],
    ids=range(30),
)
def test_damaged_json_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(RunError) as caught:
        Tokenizer.from_json(text)
    assert caught.value.hint


@pytest.mark.parametrize("tokenizer", [BPE, BYTE], ids=["bpe", "byte"])
def test_a_stream_never_gives_half_a_character(tokenizer: Tokenizer) -> None:
    text = ODD.replace("\ufffd", "") + TEXT[:100]
    stream, pieces = tokenizer.stream(), []
    for token in tokenizer.encode(text).tolist():
        pieces.append(stream.feed(token))
        assert "\ufffd" not in pieces[-1]
    assert "".join(pieces) == text
    assert stream.close() == ""


@given(st.lists(st.integers(0, BPE.end_of_text), max_size=40))
def test_a_stream_of_any_ids_equals_decoding_them(ids: list[int]) -> None:
    stream = BPE.stream()
    assert "".join([*map(stream.feed, ids), stream.close()]) == BPE.decode(ids)


def test_a_stream_that_ends_inside_a_character_ends_with_a_replacement() -> None:
    stream = BYTE.stream()
    assert [stream.feed(byte) for byte in "\U0001f642".encode()[:3]] == ["", "", ""]
    assert stream.close() == "\ufffd"
