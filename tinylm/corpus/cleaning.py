"""From bytes on a disk to the text worth learning: encoding, line ends, NFC, Gutenberg's licence, hard wraps.

Everything here is a pure function of its argument. What is not clearly a hard-wrapped book keeps every
character but its line ends and its Unicode form, so verse, dialogue and code come out as they went in.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

import numpy as np

CLEANING_VERSION = 2
"""Part of the cache key: raise it whenever the same bytes would come out as other text."""

Unwrap = Literal["auto", "on", "off"]

# --- bytes to text -------------------------------------------------------------------------------------

# What a file begins with, and what a person calls it (the plural takes an s).
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF"),
    (b"{\\rtf", "rich-text document"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"PK\x03\x04", "zip file"),
    (b"\xd0\xcf\x11\xe0", "office document"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"ID3", "sound file"),
    (b"OggS", "sound file"),
    (b"fLaC", "sound file"),
    (b"RIFF", "media file"),
    (b"\x1aE\xdf\xa3", "film"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"SQLite format 3\x00", "database"),
)
_SURE = {b"%PDF-", b"{\\rtf"}  # binaries for us, although their first bytes may all be printable

# Bytes that no text has many of. Tab, line ends, form feed, backspace (old manual pages), Ctrl-Z (DOS's end
# of file) and escape (coloured logs) are not among them.
_CONTROL = bytes(b for b in (*range(32), 127) if b not in b"\t\n\v\f\r\b\x1a\x1b")

_ENCODINGS = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "mac_roman": "Mac Roman",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "koi8_r": "KOI8-R",
    "gb18030": "GB18030",
    "big5": "Big5",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "EUC-KR",
}
_WESTERN = ["cp1252", "cp1250", "mac_roman"]
DAMAGED_UTF8 = "damaged UTF-8"


def looks_like(head: bytes) -> str | None:
    """The kind of binary that begins so ("picture", "PDF", ...), or None if the first bytes settle nothing."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (magic in _SURE or _controls(head[:512]) or not head[:512].isascii()):
            return kind
    return "film" if head[4:8] == b"ftyp" else None


def decode(raw: bytes) -> tuple[str, str] | None:
    """The text of a file and the name of its encoding for people, or None for a binary.

    UTF-8 is tried first and strictly, a byte order mark is believed, and only what is left is handed to
    charset-normalizer, as a sample: it takes seconds on megabytes. A UTF-8 file with a few broken bytes (cut
    in the middle of a character, say) is read as UTF-8 with U+FFFD for those, and named DAMAGED_UTF8. Never
    raises; a byte order mark is dropped; line ends are left alone.
    """
    if looks_like(raw[:512]):
        return None
    if raw.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")) and (text := _strictly(raw, "utf-32")):
        return text, "UTF-32"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None if (text := _strictly(raw, "utf-16")) is None else (text, "UTF-16")
    text = _strictly(raw, "utf-8-sig")
    nuls = raw.count(0)
    too_many = _controls(raw) > 2 + len(raw) * (0.10 if text is not None else 0.02)
    # UTF-16 has a NUL beside each Latin letter, or at least beside each space; it may well be valid UTF-8.
    if nuls and (text is None or too_many or nuls > len(raw) / 5) and (wide := _utf16_without_mark(raw)) is not None:
        return wide, "UTF-16"
    if too_many:
        return None
    if text is not None:
        return text, "UTF-8"
    lenient = raw.decode("utf-8-sig", "replace")
    damaged = lenient.count("\ufffd")
    if len(lenient.encode()) - len(lenient) - 2 * damaged > 4 * damaged:  # mostly whole sequences
        return lenient, DAMAGED_UTF8
    return _eight_bit(raw)


def _strictly(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _controls(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, _CONTROL))


def _utf16_without_mark(raw: bytes) -> str | None:
    """The text if the bytes make sense as UTF-16 in one of the two byte orders."""
    best: tuple[int, str] | None = None
    for encoding in ("utf-16-le", "utf-16-be"):
        text = _strictly(raw, encoding)
        if not text:
            continue
        sample = text[:20_000]
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in "\t\n\r\f" for c in sample)
        # A text keeps to few blocks of Unicode; with its bytes swapped it is scattered over many.
        blocks = len({ord(c) >> 8 for c in sample})
        if odd <= 2 + len(sample) / 50 and odd < len(sample) / 2 and (best is None or blocks < best[0]):
            best = blocks, text
    return best and best[1]


def _eight_bit(raw: bytes) -> tuple[str, str]:
    """Text in one of the encodings from before Unicode, told by its most telling lines."""
    from charset_normalizer import from_bytes  # noqa: PLC0415  # 60 ms that most texts never need

    lines: list[bytes] = []
    size = 0
    for line in raw.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > 32_768:
                break
    sample = b"\n".join(lines)
    high = sum(len(line) - len(line.decode("ascii", "ignore")) for line in lines)
    letters = sum(c.isalpha() for c in sample.decode("ascii", "ignore"))
    # A script that is not Latin has most of its letters above 127. Without that evidence the guess is kept
    # among the Latin encodings, or three accents would be Chinese.
    candidates = list(_ENCODINGS) if high >= 16 and high > 0.4 * (high + letters) else _WESTERN
    matches = list(from_bytes(sample, cp_isolation=candidates))
    chosen = "cp1252"
    if matches:
        best = matches[0]
        western = next((m for m in matches if "cp1252" in m.could_be_from_charset), None)
        # The library lists Windows-1250 first wherever the two are equally plausible.
        if western is None or western.chaos > best.chaos + 0.02 or western.coherence < best.coherence - 0.1:
            chosen = best.encoding
    text = _strictly(raw, chosen)  # the sample was a part: the whole file has the last word
    if text is None:
        chosen, text = "cp1252", _strictly(raw, "cp1252")
    if text is None or (chosen == "cp1252" and text == raw.decode("latin-1")):
        return raw.decode("latin-1"), "Latin-1"
    return text, _ENCODINGS.get(chosen, chosen)


# --- text to cleaner text ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cleaned:
    """A cleaned text, and which of the cuts that people should hear of were made."""

    text: str
    cut_gutenberg: bool
    unwrapped: bool


def clean(text: str, unwrap: Unwrap = "auto") -> Cleaned:
    r"""Line ends to \n, no byte order mark, NFC, no Gutenberg header and licence, hard wraps joined.

    A text with hundreds of accents on one letter keeps its Unicode form: sorting them takes a time that grows with the
    square of their number.
    `unwrap` is "auto" (only texts that are hard-wrapped prose, and in those only the paragraphs that are),
    "on" (every paragraph that is not indented) or "off". Cleaning a cleaned text changes nothing.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.lstrip("\ufeff")
    if not unicodedata.is_normalized("NFC", text) and not _piled(text):
        text = unicodedata.normalize("NFC", text)
    body = _without_gutenberg(text)
    cut = body is not None
    if body is not None:
        text = body
    joined = None if unwrap == "off" else _unwrapped(text, force=unwrap == "on")
    return Cleaned(text if joined is None else joined, cut, joined is not None)


_MARKS = re.compile(r"[^\w\s\x00-\x7f]++")  # accents, and what else is neither letter, digit nor space
_PILE = 500


def _piled(text: str) -> bool:
    """Whether there are hundreds of accents on one letter."""
    runs = (found[0] for found in _MARKS.finditer(text) if found.end() - found.start() >= _PILE)
    return any(
        is_accent and len(list(pile)) >= _PILE
        for run in runs
        for is_accent, pile in groupby(run, lambda sign: unicodedata.combining(sign) > 0)
    )


# Markers as Project Gutenberg has written them since 1991; a long title takes the newer one over two lines.
_START = re.compile(
    r"^[ \t]*\*{3}[ \t]*START OF TH(?:E|IS) PROJECT GUTENBERG(?:[^\n*]*(?:\n[^\n*]+){0,2}\*{3}[^\n]*|[^\n]*)$"
    r"|^[^\n]*\*END\*? ?THE SMALL PRINT![^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
_END = re.compile(
    r"^[ \t]*(?:\*{3}[ \t]*)?(?:End of|END OF) (?:(?:[Tt]he|[Tt]his|THE|THIS) )?"
    r"(?:Project Gutenberg|PROJECT GUTENBERG)",
    re.MULTILINE,
)
_HEADER = re.compile(
    r"Project Gutenberg(?:['’]s|\s+e-?(?:book|text))|^Title:|use of anyone anywhere", re.MULTILINE | re.IGNORECASE
)
_CREDIT = re.compile(
    r"\s*(?:Produced by|E-?text prepared by|This e-?text was (?:prepared|produced) by|Transcribed (?:from|by)"
    r"|HTML version by)[^\n]*(?:\n[^\n]*\S[^\n]*)*",
    re.IGNORECASE,
)


def _without_gutenberg(text: str) -> str | None:
    """The book or books between Gutenberg's markers, or None if this is not a Gutenberg file.

    The first marker must stand near the beginning with a Gutenberg header or nothing above it: a text that
    quotes the marker stays whole. Several books in one file each lose their header and licence.
    """
    start = _START.search(text, 0, max(len(text) // 10, 40_000))
    if start is None:
        return None
    above = text[: start.start()]
    small_print = "SMALL PRINT" in start.group().upper()  # the old licence comes first and is long
    far = start.start() > len(text) // 10 and above.count("\n") > (500 if small_print else 100)
    if far or (above.strip() and not _HEADER.search(above)):
        return None
    books = []
    while start is not None:
        end = _END.search(text, start.end())
        book = text[start.end() : end.start() if end else len(text)]
        if credit := _CREDIT.match(book):
            book = book[credit.end() :]
        # Blank lines around the book go; the indentation of its first line stays.
        books.append(re.sub(r"\A(?:[^\S\n]*\n)+", "", book).rstrip() + "\n")
        start = _START.search(text, end.end()) if end else None
    return "\n\n".join(books)


# A hard-wrapped paragraph breaks where the next word would not have fitted, and nowhere else. Verse,
# dialogue, lists and code break for other reasons: there the next word would mostly have fitted.
_NARROWEST, _WIDEST = 55, 120  # columns of a hard-wrapped text; narrower ones are verse or tables
_SLACK = 0.85  # of the width: room for hand-made edits, and for wrapping that counted bytes
_FEWEST = 4  # breaks to judge by
_SET_IN = " " * 9  # deeper than a paragraph's first line: a title, a signature, verse
_GLUED = re.compile(r"[^\s\-—](?:--?|—)\Z")  # a dash typed without spaces, or a compound broken at its hyphen
_CJK = re.compile("[\u3000-\ua4cf\uff00-\uffef]")  # scripts that set no space between words


def _unwrapped(text: str, force: bool) -> str | None:
    """The text with its hard wraps joined, or None if there is nothing to join.

    A break is looked at only between two lines of a paragraph of which the second is not indented (and the
    first no further than a paragraph's first line is). Hyphens stay: whether `to-` + `day` was one word is not
    guessed, and in books the hyphen at a line's end is mostly a real one. What follows a hyphen or an unspaced
    dash is joined to it without a space.
    """
    lines = text.split("\n")
    bare = [line.rstrip() for line in lines]
    breaks = [
        i
        for i in range(len(lines) - 1)
        if bare[i] and (follower := bare[i + 1]) and not follower[0].isspace() and not bare[i].startswith(_SET_IN)
    ]
    if not breaks:
        return None
    # How far each line would have reached with the next word on it, in characters. Lines of one to three
    # words prove nothing about a width (and columns of numbers would look wrapped): they count as short.
    reach = {i: len(bare[i]) + 1 + _first_word(bare[i + 1]) if bare[i].count(" ") >= 3 else 0 for i in breaks}
    if force:
        soft = set(breaks)
    else:
        width = _width(bare, reach)
        if width is None:
            return None
        soft = _soft_breaks(breaks, reach, width * _SLACK)
    if not soft:
        return None
    out: list[str] = []
    i = 0
    while i < len(lines):
        if i not in soft:
            out.append(lines[i])
            i += 1
            continue
        parts = [bare[i]]
        while i in soft:
            i += 1
            tight = _GLUED.search(parts[-1][-3:]) or (_CJK.match(parts[-1][-1]) and _CJK.match(bare[i]))
            parts += ["" if tight else " ", bare[i]]
        out.append("".join(parts))
        i += 1
    return "\n".join(out)


def _first_word(line: str) -> int:
    space = line.find(" ")
    return len(line) if space < 0 else space


def _width(bare: list[str], reach: dict[int, int]) -> int | None:
    """The column at which this text is hard-wrapped, or None if it is not hard-wrapped prose.

    The width is the one that the fewest lines contradict, by being longer or by ending although the next
    word would have fitted.
    """
    neighbours = sum(1 for a, b in pairwise(bare) if a and b)
    if len(reach) < max(_FEWEST, 0.6 * neighbours):  # mostly indented: code, plays, tables
        return None
    heads = [bare[i + 1][0] for i in reach]
    if sum(c.isalpha() and not c.isupper() for c in heads) < 0.4 * len(heads):  # verse begins lines with capitals
        return None
    top = _WIDEST + 1
    reaches = np.minimum(np.fromiter(reach.values(), dtype=np.int64), top)
    lengths = np.minimum(np.array([len(line) for line in bare if line], dtype=np.int64), top)
    early = np.bincount(reaches, minlength=top + 1).cumsum() / len(reaches)  # [w] share ending too early for w
    over = 1 - np.bincount(lengths, minlength=top + 1).cumsum() / len(lengths)  # [w] share longer than w
    width = int(np.argmin((early + over)[:top]))
    fits = width >= _NARROWEST and early[int(width * _SLACK)] <= 0.2 and over[width] <= 0.1
    return width if fits else None


def _soft_breaks(breaks: list[int], reach: dict[int, int], full: float) -> set[int]:
    """The breaks to join: after full lines, in paragraphs where at least half of the lines are full."""
    soft: set[int] = set()
    first = 0
    for k in range(1, len(breaks) + 1):
        if k < len(breaks) and breaks[k] == breaks[k - 1] + 1:
            continue
        forced = [i for i in breaks[first:k] if reach[i] > full]
        if 2 * len(forced) >= k - first:
            soft.update(forced)
        first = k
    return soft
