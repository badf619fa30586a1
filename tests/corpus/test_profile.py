"""Profiles of texts: counts, repeated lines and excerpts."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.texts import span
from tinylm.config.schema import DataConfig
from tinylm.corpus import sources
from tinylm.corpus.profile import MOST_EXCERPTS, Profile, cut_excerpts, profile
from tinylm.corpus.stories import Story
from tinylm.errors import DataError


def profile_of(folder: Path, *texts: str, size: int = 1200) -> Profile:
    sources = []
    for i, text in enumerate(texts):
        (folder / f"{i}.txt").write_text(text, encoding="utf-8", newline="")
        sources.append(str(folder / f"{i}.txt"))
    return profile(DataConfig(sources=sources, unwrap="off"), size)


def excerpts_of(documents: list[str], size: int) -> list[str]:
    return cut_excerpts([span(document) for document in documents], size)


def numbered(lines: int) -> str:
    return "".join(f"line {i:06} of the text\n" for i in range(lines))


# --- counts ----------------------------------------------------------------------------------------------------


def test_everything_is_counted(tmp_path: Path) -> None:
    result = profile_of(tmp_path, "né\nnom", "日日")
    assert (result.documents, result.characters, result.bytes) == (2, 8, 13)
    assert result.distinct_characters == 6  # n é newline o m 日
    assert result.repeated_lines == 0
    assert result.notes == ()


def test_repeated_lines_are_weighed_by_their_length(tmp_path: Path) -> None:
    result = profile_of(tmp_path, "aaaa\n\n\nbb\n  aaaa  \n", "bb\ncccccc\nCCCCCC")
    assert result.repeated_lines == pytest.approx((4 + 2) / (4 + 2 + 4 + 2 + 6 + 6))


def test_a_text_in_three_copies_repeats_two_thirds(tmp_path: Path) -> None:
    assert profile_of(tmp_path, numbered(100) * 3).repeated_lines == pytest.approx(2 / 3)


def test_more_different_lines_than_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinylm.corpus.profile.MOST_LINES", 500)
    assert profile_of(tmp_path, numbered(4000) * 2).repeated_lines == pytest.approx(1 / 2, abs=0.1)
    assert profile_of(tmp_path, numbered(4000)).repeated_lines == 0


def test_the_same_is_read_as_a_run_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "stories", lambda: [Story(f"Story {i}.\n", 9.0) for i in range(3)])
    (tmp_path / "a.txt").write_bytes("Ein schöner Tag, ein schöner Weg.".encode("cp1252"))
    (tmp_path / "b.txt").write_text("Ein anderer Text.", encoding="utf-8")
    (tmp_path / "c.txt").write_text("Ein anderer Text.", encoding="utf-8")
    data = DataConfig(sources=["stories", *(str(tmp_path / f"{name}.txt") for name in "abc")], weights=[3, 1, 2, 1])
    result = profile(data)
    assert result.documents == 5
    assert result.characters == 3 * 9 + 33 + 17
    assert result.excerpts == (
        "Story 0.\n\nStory 1.\n\nStory 2.\n\nEin schöner Tag, ein schöner Weg.\n\nEin anderer Text.",
    )
    assert len(result.notes) == 2  # of an encoding, and of a repeat


def test_what_a_run_would_refuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        profile(DataConfig(sources=[str(tmp_path / "nothing.txt")]))
    with pytest.raises(DataError, match="empty"):
        profile_of(tmp_path, " \n ")


# --- excerpts --------------------------------------------------------------------------------------------------


def test_excerpts_are_spread_over_the_whole_text(tmp_path: Path) -> None:
    text = numbered(10_000)
    excerpts = profile_of(tmp_path, text, size=500).excerpts
    assert len(excerpts) == MOST_EXCERPTS
    starts = [text.index(excerpt) for excerpt in excerpts]  # each is in the text as it is
    assert starts[0] == 0
    for before, after in pairwise(starts):
        assert after - before == pytest.approx(len(text) / MOST_EXCERPTS, abs=30)
    assert all(excerpt.startswith("line ") for excerpt in excerpts)
    assert all(text[start + len(excerpt)].isspace() for start, excerpt in zip(starts, excerpts, strict=True))
    assert all(470 < len(excerpt) <= 500 for excerpt in excerpts)


def test_without_lines_an_excerpt_begins_at_a_word(tmp_path: Path) -> None:
    excerpts = profile_of(tmp_path, "several words of a long line " * 1999, size=300).excerpts
    assert len(excerpts) == MOST_EXCERPTS
    words = {"several", "words", "of", "a", "long", "line"}
    assert all({excerpt.split()[0], excerpt.split()[-1]} <= words for excerpt in excerpts)
    assert len({excerpt.split()[0] for excerpt in excerpts}) > 1


def test_a_text_without_any_space_has_excerpts_too(tmp_path: Path) -> None:
    assert profile_of(tmp_path, "日" * 5000, size=1000).excerpts == ("日" * 1000,) * 5


def test_a_short_text_is_one_excerpt(tmp_path: Path) -> None:
    assert profile_of(tmp_path, "Just this.\n").excerpts == ("Just this.",)


def test_short_documents_follow_each_other_in_an_excerpt() -> None:
    documents = [f"Document {i:03}." for i in range(300)]  # 13 characters each
    excerpts = excerpts_of(documents, 130)
    assert len(excerpts) == 30
    assert excerpts[3] == "\n\n".join(documents[30:40])


def test_a_paragraphs_indentation_is_kept() -> None:
    document = "".join(f"\n\n    indented {i:04}\nand flush {i:04}" for i in range(200))
    excerpts = excerpts_of([document], 200)
    assert any(excerpt.startswith("    indented") for excerpt in excerpts)
    assert all(excerpt.startswith(("    indented", "and flush")) for excerpt in excerpts[1:])


@given(st.lists(st.text("ab \n", min_size=1, max_size=200), min_size=1, max_size=6), st.integers(1, 60))
def test_any_text_has_excerpts_of_its_own_words(documents: list[str], size: int) -> None:
    excerpts = excerpts_of(documents, size)
    assert len(excerpts) <= MOST_EXCERPTS
    whole = "".join("".join(documents).split())
    for excerpt in excerpts:
        assert excerpt.strip()
        assert "".join(excerpt.split()) in whole
        assert len("".join(excerpt.split())) <= size
