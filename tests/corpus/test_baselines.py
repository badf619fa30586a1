"""The n-gram baselines against a slow implementation of their definition."""

import gzip
import lzma
import math
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.texts import span
from tinylm.corpus import baselines


def bits_per_byte(train: list[str], held_out: list[str]) -> dict[str, float]:
    return baselines.baselines([span(text) for text in train], [span(text) for text in held_out])


DOCUMENTS = st.lists(st.text(alphabet="abç\n😀", max_size=30), max_size=5)


def plain_model(train: list[str], alphabet: set[str], order: int) -> Callable[[str, str], float]:
    """p(c | history), character by character, as the docstring defines it; None stands for the boundary."""
    counts: Counter[tuple[object, ...]] = Counter()
    for document in train:
        padded = [None, None, *document]
        for i in range(2, len(padded)):
            for n in (1, 2, 3):
                counts[tuple(padded[i - n + 1 : i + 1])] += 1
    total = sum(len(document) for document in train)

    def p(history: tuple[object, ...], c: str) -> float:
        if not history:
            return (counts[(c,)] + 1) / (total + len(alphabet))
        n = sum(counts[(*history, d)] for d in alphabet)
        return (counts[(*history, c)] + p(history[1:], c)) / (n + 1)

    return lambda before, c: p(((None, None, *before)[-order + 1 :] if order > 1 else ()), c)


def plain(train: list[str], held_out: list[str]) -> dict[str, float]:
    alphabet = set("".join([*train, *held_out]))
    size = len("".join(held_out).encode())
    out = {"blind": sum(map(len, held_out)) * math.log2(len(alphabet)) / size}
    for order, name in ((1, "counts"), (2, "pairs"), (3, "triples")):
        p = plain_model(train, alphabet, order)
        out[name] = -sum(math.log2(p(d[:i], c)) for d in held_out for i, c in enumerate(d)) / size
    return out


@pytest.fixture(params=["dense", "sorted", "small blocks"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "sorted":
        monkeypatch.setattr(baselines, "MOST_DENSE", 0)
    if request.param != "dense":
        monkeypatch.setattr(baselines, "BLOCK", 7)


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("seed", range(6))
def test_all_ways_of_counting_agree_with_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    train, held_out = (
        ["".join(rng.choices("abcç 😀", [5, 4, 3, 2, 1, 1], k=rng.randrange(40))) for _ in range(4)] for _ in "th"
    )
    got = bits_per_byte(train, held_out)
    for name, bits in plain(train, held_out).items():
        assert got[name] == pytest.approx(bits)


@settings(max_examples=30, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_the_definition_on_anything(train: list[str], held_out: list[str]) -> None:
    got = bits_per_byte(train, held_out)
    assert list(got) == (["blind", "counts", "pairs", "triples", "gzip", "xz"] if any(held_out) else [])
    if got:
        for name, bits in plain(train, held_out).items():
            assert got[name] == pytest.approx(bits)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abc", max_size=20), max_size=3), st.text(alphabet="abc", max_size=4))
def test_probabilities_sum_to_one(train: list[str], history: str) -> None:
    alphabet = set("abc")
    for order in (1, 2, 3):
        p = plain_model(train, alphabet, order)
        assert sum(p(history, c) for c in alphabet) == pytest.approx(1)


def test_the_built_model_sums_to_one_too() -> None:
    """What `ax` costs for each x is p(a) p(x | a): over the whole alphabet those are p(a)'s shares."""
    train = ["abcabcaab", "cab"]
    for name in ("counts", "pairs", "triples"):
        shares = [2 ** -(bits_per_byte(train, [f"a{x}"])[name] * 2) for x in "abc"]
        first = 2 ** -bits_per_byte(train, ["a"])[name]
        assert sum(shares) == pytest.approx(first)


def test_longer_histories_help_and_compressors_are_as_they_are() -> None:
    text = "the cat sat on the mat and the dog sat on the cat. " * 40
    got = bits_per_byte([text], [text])
    assert got["blind"] > got["counts"] > got["pairs"] > got["triples"] > 0
    raw = text.encode()
    assert got["gzip"] == pytest.approx(8 * len(gzip.compress(raw, 9)) / len(raw))
    assert got["xz"] == pytest.approx(8 * len(lzma.compress(raw, preset=9)) / len(raw))


def test_bytes_not_characters() -> None:
    assert bits_per_byte([], ["чч", "ёё"])["blind"] == pytest.approx(0.5)  # 1 bit a character of two bytes


def test_edges() -> None:
    assert bits_per_byte(["abc"], []) == {}
    assert bits_per_byte(["abc"], ["", ""]) == {}
    assert bits_per_byte([], ["aaaa"])["triples"] == 0  # a single character costs nothing
    assert bits_per_byte([], ["ab"])["triples"] == bits_per_byte([], ["ab"])["blind"] == 1


def test_a_large_alphabet() -> None:
    rng = random.Random(0)
    text = "".join(chr(0x4E00 + min(int(rng.expovariate(0.01)), 3000)) for _ in range(3000))
    got = bits_per_byte([text[:2900]], [text[2900:]])
    for name, bits in plain([text[:2900]], [text[2900:]]).items():
        assert got[name] == pytest.approx(bits)
