"""Encodings that no byte order mark and no valid UTF-8 gives away: the text comes back, and a guess is called one."""

import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.passages import PASSAGES
from tests.texts import SPOOL, decode
from tinylm.config import resolve
from tinylm.config.encodings import NAMES, canonical, codec_of
from tinylm.config.schema import RunConfig
from tinylm.corpus.encoding import DAMAGED_UTF8, encoding_of
from tinylm.corpus.reading import excerpt, read_paths
from tinylm.errors import ConfigError

PROMISED = [
    ("Czech", "cp1250"), ("Hungarian", "cp1250"), ("Russian", "cp1251"), ("Russian", "cp866"), ("Greek", "cp1253"),
    ("Turkish", "cp1254"), ("Hebrew", "cp1255"), ("Thai", "cp874"), ("Japanese", "cp932"), ("Japanese", "iso2022_jp"),
    ("Chinese", "gb18030"),
]  # fmt: skip
OTHERS = [
    *((language, codec) for language in ("Slovak", "Polish", "Romanian", "Croatian")
      for codec in ("cp1250", "iso8859_2")),
    ("Polish", "cp852"), ("Ukrainian", "cp1251"), ("Ukrainian", "koi8_u"), ("Bulgarian", "cp1251"),
    ("Serbian", "cp1251"), ("Russian", "koi8_r"), ("Russian", "mac_cyrillic"), ("Greek", "iso8859_7"),
    ("Turkish", "iso8859_9"), ("Hebrew", "cp862"), ("Arabic", "cp1256"), ("Lithuanian", "cp1257"),
    ("Latvian", "cp1257"), ("Japanese", "euc_jp"), ("Chinese", "hz"), ("Chinese, traditional", "big5"),
    ("Korean", "euc_kr"), ("Korean", "iso2022_kr"), ("German", "cp850"), ("German", "cp437"), ("Czech", "utf-7"),
    ("Russian", "utf-16-le"), ("Chinese", "utf-16-be"), ("Japanese", "utf-16-le"),
    *((language, codec) for language in ("French", "German", "Spanish", "Portuguese", "Italian", "Swedish", "Danish",
                                         "Finnish", "Icelandic", "English") for codec in ("cp1252", "mac_roman")),
]  # fmt: skip


def encodable(text: str, codec: str) -> str:
    """`text` as an old program would write it: plain signs for what the encoding lacks."""
    plain = str.maketrans({"„": '"', "“": '"', "”": '"', "«": '"', "»": '"', "’": "'", "–": "-", "—": "-", "…": "..."})
    return "".join(
        c if c.encode(codec, "ignore") else c.translate(plain).encode("ascii", "ignore").decode() for c in text
    )


def prose(language: str, codec: str, size: int) -> str:
    """The sentences of a passage in changing order, up to `size` bytes."""
    sentences = re.split(r"(?<=[.。]) *", encodable(PASSAGES[language], codec))
    between, rng, text = "" if language.startswith(("Ch", "Ja")) else " ", random.Random(size), ""
    while len(text.encode(codec)) < size:
        rng.shuffle(sentences)
        text += between.join(sentences) + "\n"
    while len(text.encode(codec)) > size:
        text = text[: -max(1, (len(text.encode(codec)) - size) // 4)]
    return text


def reads(raw: bytes) -> str:
    """The text, composed as cleaning does it."""
    decoded = decode(raw)
    assert decoded is not None
    return unicodedata.normalize("NFC", decoded[0])


@pytest.mark.parametrize("size", [200, 2_000, 20_000])
@pytest.mark.parametrize(("language", "codec"), PROMISED)
def test_promised_encodings_are_found_at_every_size(language: str, codec: str, size: int) -> None:
    text = prose(language, codec, size)
    raw = text.encode(codec)
    assert reads(raw) == text
    encoding = encoding_of(lambda: iter([raw]))
    assert encoding is not None
    assert encoding.guess is not None
    assert encoding.guess.words
    assert all(word in text for word in encoding.guess.words)


@pytest.mark.parametrize(("language", "codec"), OTHERS)
def test_other_encodings_are_found(language: str, codec: str) -> None:
    for size in (300, 3_000):
        text = prose(language, codec, size)
        assert reads(text.encode(codec)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("language", ["French", "Russian", "Chinese", "Czech"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_is_sure_is_no_guess(language: str, codec: str) -> None:
    text = prose(language, codec, 2_000)
    raw = text.encode(codec)
    encoding = encoding_of(lambda: iter([raw]))
    assert encoding is not None
    assert encoding.guess is None
    assert reads(raw) == text


@pytest.mark.parametrize(
    ("language", "codec"), [("French", "cp1252"), ("German", "latin-1"), ("Polish", "cp1250"), ("Russian", "cp1251")]
)
@pytest.mark.parametrize("old_first", [True, False])
def test_a_file_of_two_encodings_is_read_in_both(language: str, codec: str, old_first: bool) -> None:
    text = encodable(PASSAGES[language], codec) + "\n"
    halves = [text.encode(codec), text.encode()]
    assert reads(b"".join(halves if old_first else halves[::-1])) == text * 2
    lines = [text.encode(codec if line % 3 == 0 else "utf-8") for line in range(90)]
    assert reads(b"".join(lines)) == text * 90


def damaged(raw: bytes, damage: Callable[[bytearray, int], None], times: int) -> bytes:
    data, rng = bytearray(raw), random.Random(times)
    for _ in range(times):
        damage(data, rng.choice([i for i, byte in enumerate(data) if byte >= 0xC3]))
    return bytes(data)


@pytest.mark.parametrize("language", ["English", "French", "German", "Russian", "Thai", "Chinese"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data, at: data.__setitem__(at, 0xFF),
        lambda data, at: data.__delitem__(at + 1),
        lambda data, at: data.insert(at, 0x80),
    ],
    ids=["overwritten", "lost", "added"],
)
def test_a_few_bad_bytes_spoil_only_their_characters(language: str, damage: Callable[[bytearray, int], None]) -> None:
    text = PASSAGES[language]
    decoded = decode(damaged((text * 3).encode(), damage, 2))
    assert decoded is not None
    assert decoded[1] == DAMAGED_UTF8
    assert decoded[0] == damaged((text * 3).encode(), damage, 2).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "text",
    [
        "int main() { return 0; }  // by Jörg Müller\n" * 2,
        "“Stop,” he said – “it’s late…”\n",
        "Plain words, and a café.\n",
        "10 km² of moor, 5 °C, £3 and ½ a mile\n",
        "Señor Núñez ate crème brûlée with Frau Schröder in Zürich.\n",
    ],
)
def test_a_few_western_letters_are_not_taken_for_another_script(text: str) -> None:
    assert reads(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    "text",
    [
        "x = a+b-c; y += z++ - --w;\n",
        "if (~{mask} & ~flags) { s = '~{}~'; }\n",
        "+49 170 1234567 and +1-800-FLOWERS, 2+2=4+AB\n",
        "\x1b[31mred\x1b[0m costs $B$5 and \x1b[1m$A\x1b[0m\n",
        "git diff -- a/b+c/d+e/f-g\n+added line\n-removed line\n",
        "aGVsbG8+d29ybGQ/Zm9v+YmFyIGJheg==\n",
    ],
)
def test_signs_in_ascii_are_not_escape_sequences(text: str) -> None:
    assert decode((text * 20).encode()) == (text * 20, "UTF-8")


def test_a_truncated_file_loses_its_last_character_only() -> None:
    for language, codec in [
        ("Japanese", "iso2022_jp"),
        ("Japanese", "cp932"),
        ("Chinese", "gb18030"),
        ("Greek", "utf-16"),
    ]:
        text = prose(language, codec, 2_000)
        cut = reads(text.rstrip().encode(codec)[:-4])
        assert text.startswith(cut[:-3])
        assert len(cut) > len(text) - 8


def test_every_name_that_is_shown_can_be_given_back() -> None:
    for codec, name in NAMES.items():
        assert codec_of(canonical(name.lower())) == codec


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("AUTO", "auto"), ("cp1250", "Windows-1250"), ("win1251", "Windows-1251"), ("latin2", "ISO-8859-2"),
        ("utf8", "UTF-8"), ("sjis", "Shift-JIS"), ("gbk", "GB18030"), ("koi8r", "KOI8-R"), ("macintosh", "Mac-Roman"),
        ("windows 874", "Windows-874"), ("ibm866", "DOS-866"), ("cp037", "cp037"),
    ],
)  # fmt: skip
def test_encodings_have_many_names(given: str, meant: str) -> None:
    assert resolve.validate({"data": {"encoding": given}}).data.encoding == meant


@pytest.mark.parametrize("name", ["klingon", "", "base64", "rot13", "punycode", "undefined", "x" * 500, "nul\0"])
def test_what_names_no_encoding_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.encoding"):
        resolve.validate({"data": {"encoding": name}})


def test_near_names_are_suggested() -> None:
    with pytest.raises(ConfigError, match="Windows-125"):
        resolve.validate({"data": {"encoding": "windows-1249"}})


def test_a_named_encoding_is_used_without_a_word(tmp_path: Path) -> None:
    text = PASSAGES["Czech"]
    (tmp_path / "a.txt").write_bytes(text.encode("cp1250"))
    right = read_paths([tmp_path], "off", SPOOL, "Windows-1250")
    assert (str(right.texts[0].documents[0]), right.notes) == (text, ())
    wrong = read_paths([tmp_path], "off", SPOOL, "Windows-1251")
    assert str(wrong.texts[0].documents[0]) == text.encode("cp1250").decode("cp1251")


def test_bytes_that_a_named_encoding_lacks_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PASSAGES["French"].encode("cp1252"))
    reading = read_paths([tmp_path / "a.txt"], "off", SPOOL, "UTF-8")
    assert "\ufffd" in str(reading.texts[0].documents[0])
    assert "a.txt" in reading.notes[0]


def test_a_binary_stays_one_in_a_named_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"words")
    (tmp_path / "b.bin").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    reading = read_paths([tmp_path], "off", SPOOL, "Windows-1252")
    assert [text.name for text in reading.texts] == ["a.txt"]


def test_an_excerpt_shows_what_depends_on_the_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Plain.\n" * 100)
    (tmp_path / "b.txt").write_bytes(b"Plain.\n" * 100 + PASSAGES["Greek"].encode("cp1253"))
    assert excerpt([tmp_path], "auto").startswith(PASSAGES["Greek"][:50])
    assert excerpt([tmp_path], "Windows-1251").startswith(
        PASSAGES["Greek"].encode("cp1253").decode("cp1251", "replace")[:50]
    )
    assert excerpt([tmp_path / "a.txt"], "Windows-1251").startswith("Plain.")


def test_the_default_is_to_find_out() -> None:
    assert RunConfig().data.encoding == "auto"
