"""Which part of the texts is held out."""

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.texts import span
from tinylm.corpus import split
from tinylm.corpus.reading import Text
from tinylm.corpus.split import N_SPANS, SHORT_CHARS, Piece


@dataclass
class Part:
    text: str
    held_out: bool
    starts_document: bool
    ends_document: bool


def text_of(key: str, *documents: str) -> Text:
    return Text("t", tuple(map(span, documents)), key.encode())


def parts_of(pieces: list[Piece]) -> list[Part]:
    return [Part(str(piece.text), piece.held_out, piece.starts_document, piece.ends_document) for piece in pieces]


def hold_out(documents: tuple[str, ...], fraction: float, placement: str) -> list[Part]:
    """The parts of one text."""
    [pieces] = split.hold_out([[text_of("a", *documents)]], fraction, placement, 2).values()
    return parts_of(pieces)


def divided(texts: list[str], fraction: float, placement: str = "spans", version: int = 2) -> list[list[Part]]:
    """The parts of each of several texts that are trained on together."""
    keyed = [text_of(str(i), text) for i, text in enumerate(texts)]
    pieces = split.hold_out([keyed], fraction, placement, version)
    return [parts_of(pieces[text.key]) for text in keyed]


def held_share(parts: list[list[Part]]) -> float:
    sizes = [(len(part.text), part.held_out) for pieces in parts for part in pieces]
    return sum(size for size, held in sizes if held) / sum(size for size, _ in sizes)


# --- one text ------------------------------------------------------------------------------------------------


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.floats(0, 0.5),
    st.sampled_from(["tail", "spans"]),
    st.sampled_from([10, SHORT_CHARS]),
)
def test_pieces_are_the_text(text: str, fraction: float, placement: str, short: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "MIN_SPANS_CHARS", 10)
        patch.setattr(split, "SHORT_CHARS", short)
        pieces = hold_out((text,), fraction, placement)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    assert not pieces[0].held_out
    assert [piece.starts_document for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [piece.ends_document for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    if fraction == 0:
        assert not any(piece.held_out for piece in pieces)


@pytest.mark.parametrize("length", [10, 99, 1_115_394, 1_003_854])
@pytest.mark.parametrize("version", [1, 2])
def test_the_tail_begins_where_nanogpt_cuts(length: int, version: int) -> None:
    [[first, second]] = divided(["x" * length], 0.1, "tail", version)
    assert not first.held_out
    assert second.held_out
    assert len(first.text) == int(length * 0.9)


def test_spans_are_spread_and_begin_and_end_at_lines() -> None:
    text = "".join(f"line {i:05}\n" for i in range(20_000))
    pieces = hold_out((text,), 0.1, "spans")
    held = [piece for piece in pieces if piece.held_out]
    assert len(held) == N_SPANS
    assert [piece.held_out for piece in pieces] == [bool(i % 2) for i in range(2 * N_SPANS + 1)]
    assert all(piece.text.endswith("\n") for piece in pieces)
    assert sum(len(piece.text) for piece in held) == pytest.approx(0.1 * len(text), rel=0.01)
    trained = [len(piece.text) for piece in pieces if not piece.held_out]
    assert max(trained) - min(trained) < 0.01 * len(text)


@pytest.mark.parametrize("lines", [1000, 10_000])
def test_a_text_that_is_not_long_gives_its_tail_instead_of_spans(lines: int) -> None:
    pieces = hold_out(("line\n" * lines,), 0.1, "spans")
    assert [piece.held_out for piece in pieces] == [False, True]


def test_of_many_documents_the_last_are_held_out_whole() -> None:
    documents = tuple(str(i) * 100 for i in range(10))
    pieces = hold_out(documents, 0.25, "spans")
    assert [piece.text for piece in pieces] == list(documents)
    assert [piece.held_out for piece in pieces] == [False] * 7 + [True] * 3
    assert all(piece.starts_document and piece.ends_document for piece in pieces)
    assert not any(piece.held_out for piece in hold_out(documents, 0.0, "tail"))
    assert not hold_out(documents, 0.5, "tail")[0].held_out


# --- many texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("placement", ["tail", "spans"])
@pytest.mark.parametrize(("count", "size"), [(80, 600), (1000, 200), (40, 19_999)])
def test_short_texts_are_held_out_whole(count: int, size: int, placement: str, fraction: float) -> None:
    parts = divided(["x" * size] * count, fraction, placement)
    assert all(len(pieces) == 1 and pieces[0].starts_document and pieces[0].ends_document for pieces in parts)
    assert held_share(parts) == pytest.approx(fraction, abs=0.6 / count)
    held = [i for i, [piece] in enumerate(parts) if piece.held_out]
    if placement == "tail":
        assert held == list(range(count - len(held), count))
    else:
        gaps = {after - before for before, after in pairwise(held)}
        assert max(gaps) - min(gaps) <= 1


@given(
    st.lists(st.sampled_from([1, 2, 30, 900, 2000, 19_000]) | st.integers(1, 25_000), min_size=1, max_size=40),
    st.sampled_from([0.0, 1e-6, 0.01, 0.05, 0.1, 0.5]),
    st.sampled_from(["tail", "spans"]),
)
def test_about_as_much_is_held_out_as_was_asked_for(sizes: list[int], fraction: float, placement: str) -> None:
    parts = divided(["x" * size for size in sizes], fraction, placement)
    assert [sum(len(part.text) for part in pieces) for pieces in parts] == sizes
    total, held = sum(sizes), held_share(parts) * sum(sizes)
    assert any(not part.held_out for pieces in parts for part in pieces)
    # A share of each long text, and of the short ones together at least half and at most half a text too much.
    assert 0.5 * fraction * total - 1 <= held <= fraction * total + max(sizes) / 2 + len(sizes)
    if fraction and max(sizes) > 1:
        assert held >= 1


def test_texts_of_all_lengths_are_held_out() -> None:
    rng = random.Random(1)
    sizes = [rng.choice([100, 1000, 10_000]) for _ in range(600)]
    parts = divided(["x" * size for size in sizes], 0.1)
    for size in (100, 1000, 10_000):
        held = [pieces[0].held_out for pieces, own in zip(parts, sizes, strict=True) if own == size]
        assert sum(held) / len(held) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("sizes", [(600,), (600, 500), (100, 15_000, 120), (6000, 6000, 6000)])
def test_of_few_texts_the_longest_gives_its_tail(sizes: tuple[int, ...]) -> None:
    parts = divided(["x" * size for size in sizes], 0.05)
    cut = [len(pieces) for pieces in parts]
    assert cut[sizes.index(max(sizes))] == 2
    assert sum(cut) == len(sizes) + 1
    assert held_share(parts) == pytest.approx(0.05, abs=0.01)


def test_a_long_text_among_short_ones_gives_a_part_of_its_own() -> None:
    novel = "".join(f"line {i:05}\n" for i in range(20_000))
    parts = divided(["x" * 900] * 20 + [novel] + ["y" * 900] * 20, 0.05)
    assert [len(pieces) for pieces in parts] == [1] * 20 + [2 * N_SPANS + 1] + [1] * 20
    assert sum(pieces[0].held_out for pieces in parts) == 2


def test_a_text_of_two_groups_is_divided_once() -> None:
    texts = [text_of(str(i), "x" * 600) for i in range(40)]
    alone, both = (split.hold_out(groups, 0.1, "spans", 2) for groups in ([texts], [texts, texts[10:30]]))
    assert alone == both


@pytest.mark.parametrize("placement", ["tail", "spans"])
def test_every_group_keeps_a_text_to_train_on(placement: str) -> None:
    texts = [text_of(str(i), "x" * 600) for i in range(40)]
    groups = [texts, *([text] for text in texts), texts[-2:]]
    pieces = split.hold_out(groups, 0.5, placement, 2)
    for group in groups:
        assert any(not piece.held_out for text in group for piece in pieces[text.key])


def test_the_first_version_divided_each_text_for_itself() -> None:
    for first, second in divided(["x" * 600, "y" * 700], 0.1, version=1):
        assert (first.held_out, second.held_out) == (False, True)
        assert len(first.text) == int(0.9 * len(first.text + second.text))
