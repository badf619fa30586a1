"""Encodings, Gutenberg's header and licence, and hard wraps, on synthetic texts."""

import random
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.texts import decode
from tinylm.corpus import cleaning
from tinylm.corpus.cleaning import clean
from tinylm.corpus.encoding import DAMAGED_UTF8, looks_like

WORDS = textwrap.dedent("""\
    the a one of and to in it was he she they said went house river morning letter window old small quiet never
    always walked looked garden brother afternoon considerable understanding rain Anna Peter""").split()
FRENCH = "Il était une fois, très loin d’ici, une reine qui n’avait jamais goûté de crème brûlée.\n"
GERMAN = "Der Bär läuft durch die große Höhle und überlegt, ob er schöne süße Äpfel essen möchte.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n"


def outcome(text: str, unwrap: cleaning.Unwrap = "auto") -> tuple[str, bool, bool]:
    cleaned = clean(text, unwrap)
    return cleaned.text, cleaned.cut_gutenberg, cleaned.unwrapped


def prose(seed: int, paragraphs: int = 8, words: int = 70) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=rng.randrange(words // 2, words))).capitalize() + "." for _ in range(paragraphs)
    ]


def wrapped(paragraphs: list[str], width: int = 72) -> str:
    return "\n\n".join(textwrap.fill(p, width, break_on_hyphens=False) for p in paragraphs) + "\n"


def verse(seed: int, speeches: int = 60) -> str:
    """Speaker, colon, lines of varying length with a capital each: a play in the style of the Bard."""
    rng = random.Random(seed)
    out = []
    for _ in range(speeches):
        lines = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 10))) for _ in range(rng.randrange(1, 9))]
        speech = [line[0].upper() + line[1:] + rng.choice([",", ";", ".", ""]) for line in lines]
        out.append("\n".join([rng.choice(["First Citizen:", "MENENIUS:", "All:"]), *speech]))
    return "\n\n".join(out) + "\n"


# --- decode --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text())
def test_utf8_comes_back(text: str) -> None:
    controls = sum(unicodedata.category(c) == "Cc" for c in text)
    if controls <= 2 and not text.startswith(("\ufeff", "%PDF-", "{\\rtf", "\x00")):
        assert decode(text.encode()) == (text, "UTF-8")
        assert decode(b"\xef\xbb\xbf" + text.encode()) == (text, "UTF-8")


@settings(deadline=None)
@given(st.text(min_size=1), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_with_a_mark_comes_back(text: str, encoding: str) -> None:
    if not text.startswith(("\ufeff", "\x00")):
        assert decode(("\ufeff" + text).encode(encoding)) == (text, "UTF-16")


@pytest.mark.parametrize(
    "text", ["Hello", FRENCH * 3, RUSSIAN * 3, "从前有座山，\n山里有座庙，\n庙里有个老和尚。\n", "😀 ok\n"]
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_comes_back(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == (text, "UTF-16")


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (FRENCH * 20, "cp1252", "Windows-1252"),
        ("He said “hello” — and left…\n", "cp1252", "Windows-1252"),
        (GERMAN * 20, "latin-1", "Windows-1252"),
        ("café", "latin-1", "Windows-1252"),
        ("é", "latin-1", "Windows-1252"),
        ("Zażółć gęślą jaźń. Był sobie król, który miał trzy córki.\n" * 5, "cp1250", "Windows-1250"),
        (RUSSIAN * 5, "cp1251", "Windows-1251"),
        (RUSSIAN * 5, "koi8-r", "KOI8-R"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 5, "cp932", "Shift-JIS"),
        ("Plain English first.\n" * 5000 + FRENCH * 20, "cp1252", "Windows-1252"),
    ],
)
def test_older_encodings_are_detected(text: str, encoding: str, name: str) -> None:
    assert decode(text.encode(encoding)) == (text, name)


def test_a_byte_that_an_encoding_lacks_spoils_nothing_else() -> None:
    """0x81 is undefined in Windows-1252, and lies far behind the sample."""
    assert decode(FRENCH.encode("cp1252") * 2000 + b"\x81") == (FRENCH * 2000 + "\ufffd", "Windows-1252")


def test_a_torn_utf8_file_is_still_utf8() -> None:
    decoded = decode((RUSSIAN * 3).encode()[:-3])
    assert decoded == ((RUSSIAN * 3)[:-3] + "\ufffd", DAMAGED_UTF8)


@pytest.mark.parametrize("text", ["x", "😀", "a\x00b", "\x00\x00 nul and nul, twice in a long enough line", "\n", ""])
def test_odd_little_texts_are_texts(text: str) -> None:
    assert decode(text.encode()) == (text, "UTF-8")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"GIF89a\x01\x00\x01\x00", "picture"),
        (b"%PDF-1.4\nall printable\n", "PDF"),
        (b"PK\x03\x04\x14\x00\x00\x00", "zip file"),
        (b"\x1f\x8b\x08\x00\x00", "archive"),
        (b"\x00\x00\x00\x20ftypisom", "film"),
        (b"\x7fELF\x02\x01", "program"),
    ],
)
def test_magic_numbers(raw: bytes, kind: str) -> None:
    assert looks_like(raw) == kind
    assert decode(raw) is None


def test_words_that_begin_like_a_binary_are_words() -> None:
    for text in (
        "MZ is a pair of letters.",
        "RIFF raff",
        "ID3 tags are small.",
        "GIF89 or GIF87?",
        "Rar! said the bear",
    ):
        assert decode(text.encode()) == (text, "UTF-8")


def test_noise_and_zeros_are_binaries() -> None:
    assert decode(random.Random(1).randbytes(5000)) is None
    assert decode(bytes(1000)) is None
    assert decode(b"".join(i.to_bytes(4, "little") for i in range(2000))) is None


# --- clean ---------------------------------------------------------------------------------------------


def test_line_ends_mark_and_nfc() -> None:
    assert clean("\ufeffone\r\ntwo\rthree\n\r\nre\u0301sume\u0301").text == "one\ntwo\nthree\n\nrésumé"
    assert clean("\ufeff\ufeffx").text == "x"
    assert clean(" \t kept \x00 as is \n\n\n").text == " \t kept \x00 as is \n\n\n"


@settings(deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("ab \n\r\ufeff\u0301e—-"), st.characters(codec="utf-8"))))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    for unwrap in ("auto", "on", "off"):
        once = clean(text, unwrap).text
        assert clean(once, unwrap).text == once
        assert "\r" not in once
        assert unicodedata.is_normalized("NFC", once)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(56, 100))
def test_wrapped_prose_comes_back_in_paragraphs(seed: int, width: int) -> None:
    paragraphs = prose(seed)
    cleaned = clean(wrapped(paragraphs, width))
    assert cleaned.unwrapped
    assert cleaned.text == "\n\n".join(paragraphs) + "\n"
    assert clean(cleaned.text).text == cleaned.text


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_verse_keeps_every_byte(seed: int) -> None:
    text = verse(seed)
    assert clean(text).text.encode() == text.encode()
    assert not clean(text).unwrapped


def test_verse_with_long_lines_keeps_every_byte() -> None:
    lines = [" ".join(p.split()[:12]).capitalize() for p in prose(3, 60)]
    text = "\n".join(lines) + "\n"
    assert clean(text).text == text


@pytest.mark.parametrize("module", [cleaning, textwrap, random, pytest])
def test_source_code_keeps_every_byte(module: object) -> None:
    text = Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert clean(text).text == text


def test_tables_and_defines_keep_every_byte() -> None:
    defines = "".join(f"#define {'NAME' + str(i):<36} {i:>4}\n" for i in range(100, 200))
    numbers = "".join(f"np.float32,0x{i:08x},0x{i * 7:08x},{'3' * 25}\n" for i in range(200))
    for text in (defines, numbers):
        assert clean(text).text == text


def test_one_paragraph_to_a_line_is_left_alone() -> None:
    text = "\n\n".join(prose(5, 30)) + "\n"
    assert outcome(text) == (text, False, False)


def test_a_wrapped_book_keeps_its_poems_lists_and_letters() -> None:
    *a, b, c = prose(7, 6, 90)
    poem = "Roses are red,\nViolets are blue,\nSugar is sweet,\nAnd so are you."
    quoted = "    An indented stanza of a song\n    that keeps to its lines as well"
    contents = "CONTENTS\n  Chapter I. Of Beginnings\n  Chapter II. Of Ends"
    fill = textwrap.fill(b, 72)
    letter = f"Dear Sir,\n{fill}\nYours truly,\nN."
    text = (
        "\n\n".join([contents, *(textwrap.fill(p, 72) for p in a), poem, quoted, letter, textwrap.fill(c, 72)]) + "\n"
    )
    expected = "\n\n".join([contents, *a, poem, quoted, f"Dear Sir,\n{b}\nYours truly,\nN.", c]) + "\n"
    assert clean(text).text == expected


def test_first_lines_may_be_set_in() -> None:
    paragraphs = prose(11, 12)
    text = "\n".join(textwrap.fill(p, 70, initial_indent="   ") for p in paragraphs) + "\n"
    assert clean(text).text == "\n".join("   " + p for p in paragraphs) + "\n"


def test_a_signature_at_the_right_margin_stays_on_its_line() -> None:
    paragraphs = prose(17, 12)
    signature = f"{'A. Friend of the Family':>70}\n"
    text = wrapped(paragraphs[:6], 70) + signature + wrapped(paragraphs[6:], 70)
    expected = "\n\n".join(paragraphs[:6]) + "\n" + signature + "\n\n".join(paragraphs[6:]) + "\n"
    assert clean(text).text == expected


def test_dashes_and_hyphens_at_line_ends() -> None:
    text = "He stopped--\nthen went on to-\nday, the bishop of D----\nsaid.\nAnd — he —\nsmiled—\nwell \nenough"
    joined = "He stopped--then went on to-day, the bishop of D---- said. And — he — smiled—well enough"
    assert clean(text, "on").text == joined


def test_on_joins_and_off_keeps() -> None:
    text = wrapped(prose(13))
    assert outcome(text, "off") == (text, False, False)
    assert (
        clean("short\nlines\n\n  set\n  in\n\n一二三\n四五\n", "on").text
        == "short lines\n\n  set\n  in\n\n一二三四五\n"
    )


# --- Project Gutenberg ---------------------------------------------------------------------------------

HEAD = (
    "The Project Gutenberg EBook of Rain, by Nobody\n\nThis eBook is for the use of anyone anywhere.\n\nTitle: Rain\n\n"
)
LICENCE = "\n\n*** START: FULL LICENSE ***\n\nTHE FULL PROJECT GUTENBERG LICENSE\nmany words\n"
BODY = "   RAIN\n\nIt rained.\n\nIt stopped.\n"


EBOOK = "OF THE PROJECT GUTENBERG EBOOK RAIN"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (f"*** START {EBOOK} ***", f"*** END {EBOOK} ***"),
        (f"*** START {EBOOK} ***".replace("THE", "THIS"), "End of the Project Gutenberg EBook of Rain, by Nobody"),
        (f"***START {EBOOK}***", f"***END {EBOOK}***"),
        (f"*** START {EBOOK},\nOR, THE CLOUD ***", "End of Project Gutenberg's Rain, by Nobody"),
        (f"*** START {EBOOK} ***\n\n\nProduced by A. Body\nand B. Body\n", f"*** END {EBOOK} ***"),
        ("*END*THE SMALL PRINT! FOR ETEXTS*Ver.04.29.93*END*", "End of The Project Gutenberg Etext of Rain"),
    ],
)
def test_header_and_licence_are_cut(start: str, end: str) -> None:
    cleaned = clean(f"{HEAD}{start}\n\n\n\n{BODY}\n\n{end}{LICENCE}")
    assert cleaned.text == BODY
    assert cleaned.cut_gutenberg
    assert clean(cleaned.text).text == BODY


def test_two_books_in_one_file_both_stay() -> None:
    book = f"{HEAD}*** START {EBOOK} ***\n{BODY}\n*** END {EBOOK} ***{LICENCE}"
    assert clean(book + book).text == f"{BODY}\n\n{BODY}"


def test_a_text_that_mentions_the_marker_stays_whole() -> None:
    marker = "*** START OF THE PROJECT GUTENBERG EBOOK X ***"
    quoted = f"How such files begin:\n\n{marker}\n\nand so on.\n"
    late = "\n\n".join(prose(2, 200)) + f"\n\nTitle: Notes\n{marker}\n\nThe end.\n"
    inline = f"Title: Notes\n\nOne writes {marker} at the top.\n"
    for text in (quoted, late, inline):
        assert outcome(text) == (text, False, False)


def test_a_million_accents_on_a_letter_are_left_alone() -> None:
    """Normalising a million accents takes the standard library an hour."""
    pile = "a" + "\u0315\u0300" * 500_000
    assert clean(pile).text == pile
    assert clean("e\u0301" + "\u2501" * 900 + "e\u0301").text == "\u00e9" + "\u2501" * 900 + "\u00e9"


def test_a_line_without_end_is_judged_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    words = random.Random(5).choices(
        "the miller saw a river and walked along its bank until night fell".split(), k=3000
    )
    book = "\n\n".join(textwrap.fill(" ".join(words[i : i + 60]), 70) for i in range(0, 3000, 60))
    text = f"{book}\n\n{' '.join(words)}\n\n{book}\n"
    cleaned = clean(text)
    assert cleaned.unwrapped
    monkeypatch.setattr("tinylm.corpus.unwrap.LARGE_BLOCK", 1000)
    monkeypatch.setattr("tinylm.corpus.unwrap.LINE_START", 200)
    assert clean(text).text == cleaned.text
