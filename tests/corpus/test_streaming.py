"""Texts read block by block give the same result as texts read whole, without being whole in memory."""

import random
import textwrap
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.texts import SPOOL, decode, made_up_text, span
from tinylm.corpus import baselines, gutenberg, reading, spool
from tinylm.corpus.cleaning import Unwrap, clean
from tinylm.corpus.encoding import decoded, encoding_of
from tinylm.corpus.reading import read_paths
from tinylm.corpus.spool import Spool

SIZES = st.sampled_from([1, 2, 7, 50, 333])
ODD_WORDS = "the a river miller to-day, and then it’s -- again Mr. é e\u0301 ＡＢ 日本 \t".split(" ")
MARKERS = [
    "*** START OF THE PROJECT GUTENBERG EBOOK A ***",
    "*** START OF THIS PROJECT GUTENBERG EBOOK A\nlong title of it\nindeed ***",
    "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*",
    "End of the Project Gutenberg EBook of A",
    "The Project Gutenberg eBook of A\nTitle: A",
    "Produced by A and\nB and C",
    "\n\n\n",
    "  \n \n",
    "   set in",
    "\ufeffx",
    "a\rb",
    "x" * 500,
]


def cut(text: str, size: int) -> Callable[[], Iterator[str]]:
    return lambda: (text[i : i + size] for i in range(0, len(text), size))


def book(seed: int) -> str:
    """Paragraphs, wrapped at some width, with whatever may stand between them."""
    rng = random.Random(seed)
    width = rng.choice([40, 60, 72, 200])
    parts = []
    for _ in range(rng.randrange(1, 30)):
        words = " ".join(rng.choices(ODD_WORDS, k=rng.randrange(1, 80)))
        parts.append(rng.choice(MARKERS) if rng.random() < 0.3 else textwrap.fill(words, width))
    end = rng.choice(["", "\n", "\n\n  ", "\r"])
    return rng.choice(["", "\ufeff", "\n\n"]) + rng.choice(["\n\n", "\n\n", "\n", "\r\n\r\n", "\r"]).join(parts) + end


@pytest.mark.parametrize("seed", range(150))
def test_a_text_in_blocks_is_cleaned_as_the_whole(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gutenberg, "REACH", 2000)
    text, rng = book(seed), random.Random(seed)
    unwrap: Unwrap = rng.choice(["auto", "auto", "on", "off"])
    whole, parts = clean(text, unwrap), clean(cut(text, rng.choice([1, 7, 50, 333])), unwrap)
    assert (parts.text, parts.cut_gutenberg, parts.unwrapped) == (whole.text, whole.cut_gutenberg, whole.unwrapped)
    assert parts.text == whole.text, "it can be read again"


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.text("où été", min_size=9).map(str.encode), SIZES
)
def test_bytes_in_blocks_have_the_encoding_of_the_whole(raw: bytes, size: int) -> None:
    def blocks() -> Iterator[bytes]:
        return (raw[i : i + size] for i in range(0, len(raw), size))

    encoding, whole = encoding_of(blocks), decode(raw)
    assert (encoding and ("".join(decoded(blocks, encoding)), encoding.name)) == whole


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=5), SIZES, st.data())
def test_a_spool_gives_back_what_was_put_into_it(texts: list[str], size: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch, Spool() as store:
        patch.setattr(spool, "INDEX_CHARS", 5)
        patch.setattr(spool, "BLOCK", 7)
        kept = [store.put(cut(text, size)()) for text in texts]
        for text, span in zip(texts, kept, strict=True):
            assert (str(span), len(span), span.size) == (text, len(text), len(text.encode()))
            assert "".join(span.blocks()) == text
            first, last = sorted(data.draw(st.tuples(st.integers(0, 70), st.integers(0, 70))))
            part = span.part(first, last)
            assert (str(part), len(part), part.size) == (
                text[first:last],
                len(text[first:last]),
                len(str(part).encode()),
            )


def test_a_large_file_is_read_as_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(40):
        (tmp_path / f"{i:02}.txt").write_bytes(book(1000 + i).encode(random.Random(i).choice(["utf-8", "utf-16"])))
    whole = read_paths([tmp_path], "auto", SPOOL)
    monkeypatch.setattr(reading, "LARGE_FILE", 10)
    monkeypatch.setattr(reading, "BLOCK", 77)
    parts = read_paths([tmp_path], "auto", SPOOL)
    assert parts.notes == whole.notes
    for one, other in zip(parts.texts, whole.texts, strict=True):
        assert (one.name, [str(part) for part in one.documents]) == (
            other.name,
            [str(part) for part in other.documents],
        )


def peak(work: Callable[[], object]) -> int:
    """Peak memory in bytes that Python and numpy allocated during the call."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_more_text_takes_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 1 << 14)
    for module in (reading, spool):
        monkeypatch.setattr(module, "BLOCK", 1 << 14)
    monkeypatch.setattr(baselines, "BLOCK", 1 << 14)
    (tmp_path / "first.txt").write_text(
        "\n\n".join(textwrap.wrap(made_up_text(0, 1000)))
    )  # so that imports do not count
    peaks = []
    for size in (300_000, 1_200_000):
        paragraphs = made_up_text(size, size).split("\n\n")
        (tmp_path / "large.txt").write_text("\n\n".join(textwrap.fill(part, 70) for part in paragraphs))
        with Spool(tmp_path) as store:

            def work(store: Spool = store) -> None:
                [text] = read_paths([tmp_path / "large.txt"], "auto", store).texts
                [document] = text.documents
                size = len(document)
                baselines.ngram_bits([document.part(0, size // 2)], [document.part(size // 2, size)])

            read_paths([tmp_path / "first.txt"], "auto", store)
            peaks.append(peak(work))
    assert peaks[1] < 1.2 * peaks[0] + 100_000


def test_a_stretch_of_a_string_is_that_string() -> None:
    assert str(span("né\n")) == "né\n"


def test_reading_from_a_closed_spool_is_an_error() -> None:
    store = Spool()
    text = store.put(["word " * 10])
    store.close()
    with pytest.raises(ValueError, match="closed"):
        baselines.baselines([text], [text])
