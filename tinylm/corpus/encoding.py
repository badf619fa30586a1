"""Detects the encoding of a file and decodes it, block by block.

Detection reads the file several times from the beginning and never holds all of it.
"""

import codecs
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

Raw = Callable[[], Iterator[bytes]]
"""A file: each call yields its bytes from the beginning, in blocks of any size."""

# The first bytes of a file, and what people call it (the plural takes an s).
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
_SURE = {b"%PDF-", b"{\\rtf"}  # not text for us, although the first bytes may all be printable

# Bytes that are rare in text. Tab, line ends, form feed, backspace (old manual pages), Ctrl-Z (DOS's end of file) and
# escape (coloured logs) are not among them.
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
_LATIN1_TOO = bytes(b for b in range(256) if not 0x80 <= b <= 0x9F)  # the same in Latin-1 and in Windows-1252
DAMAGED_UTF8 = "damaged UTF-8"


def looks_like(head: bytes) -> str | None:
    """The kind of binary by a file's first bytes ("picture", "PDF", ...), or None if they do not tell."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (magic in _SURE or _controls(head[:512]) or not head[:512].isascii()):
            return kind
    return "film" if head[4:8] == b"ftyp" else None


@dataclass(frozen=True)
class Encoding:
    """How to decode a file."""

    codec: str
    """Python's name."""
    name: str
    """The name for people."""
    errors: str = "strict"


def decoded(raw: Raw, encoding: Encoding) -> Iterator[str]:
    """The text of a file in blocks; UnicodeDecodeError if it is not in that encoding."""
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    for block in raw():
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def encoding_of(raw: Raw) -> Encoding | None:
    """The encoding of a file, or None for a binary.

    A byte order mark decides; else UTF-8 is tried, strictly; charset-normalizer gets a sample of what remains, since it
    takes seconds on megabytes. UTF-8 with a few broken bytes (cut in the middle of a character, say) is decoded with
    U+FFFD in their stead and named DAMAGED_UTF8. Decoding drops a byte order mark and keeps line ends.
    """
    head = _head(raw, 512)
    if looks_like(head):
        return None
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")) and len(head) > 4 and _fits(raw, "utf-32"):
        return Encoding("utf-32", "UTF-32")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Encoding("utf-16", "UTF-16") if _fits(raw, "utf-16") else None
    size = nuls = controls = 0
    for block in raw():
        size += len(block)
        nuls += block.count(0)
        controls += _controls(block)
    utf8 = _fits(raw, "utf-8-sig")
    too_many = controls > 2 + size * (0.10 if utf8 else 0.02)
    # UTF-16 has a NUL beside each Latin letter, or at least beside each space; it may well be valid UTF-8.
    if nuls and (not utf8 or too_many or nuls > size / 5) and (wide := _utf16_without_mark(raw)) is not None:
        return wide
    if too_many:
        return None
    if utf8:
        return Encoding("utf-8-sig", "UTF-8")
    lenient = Encoding("utf-8-sig", DAMAGED_UTF8, "replace")
    damaged = extra = 0  # bytes beyond one for each character; U+FFFD itself has two of them
    for text in decoded(raw, lenient):
        damaged += text.count("\ufffd")
        extra += len(text.encode()) - len(text)
    return lenient if extra - 2 * damaged > 4 * damaged else _eight_bit(raw)  # mostly valid multi-byte sequences


def _head(raw: Raw, size: int) -> bytes:
    head = b""
    for block in raw():
        head += block[:size]
        if len(head) >= size:
            break
    return head[:size]


def _fits(raw: Raw, codec: str) -> bool:
    """Whether all of a file decodes."""
    try:
        for _ in decoded(raw, Encoding(codec, "")):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _controls(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, _CONTROL))


def _utf16_without_mark(raw: Raw) -> Encoding | None:
    """UTF-16 in the more plausible byte order, or None if neither is plausible."""
    best: tuple[int, Encoding] | None = None
    for codec in ("utf-16-le", "utf-16-be"):
        encoding = Encoding(codec, "UTF-16")
        try:
            sample = "".join(islice(decoded(lambda: iter([_head(raw, 80_000)]), encoding), 1))[:20_000]
        except UnicodeDecodeError:
            continue
        if not sample:
            continue
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in "\t\n\r\f" for c in sample)
        # A text uses few blocks of Unicode; with its bytes swapped it is scattered over many.
        blocks = len({ord(c) >> 8 for c in sample})
        plausible = odd <= 2 + len(sample) / 50 and odd < len(sample) / 2
        if plausible and (best is None or blocks < best[0]) and _fits(raw, codec):
            best = blocks, encoding
    return best and best[1]


def _eight_bit(raw: Raw) -> Encoding:
    """The legacy 8-bit or East Asian encoding of a file, detected from its first lines that are not ASCII."""
    from charset_normalizer import from_bytes  # noqa: PLC0415  # 60 ms that most texts never need

    lines: list[bytes] = []
    size = 0
    for line in _lines(raw):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > 32_768:
                break
    sample = b"\n".join(lines)
    high = sum(len(line) - len(line.decode("ascii", "ignore")) for line in lines)
    letters = sum(c.isalpha() for c in sample.decode("ascii", "ignore"))
    # Text in another script has most of its letters above 127. Without that evidence only Latin encodings are
    # candidates, or three accents would be taken for Chinese.
    candidates = list(_ENCODINGS) if high >= 16 and high > 0.4 * (high + letters) else _WESTERN
    matches = list(from_bytes(sample, cp_isolation=candidates))
    chosen = "cp1252"
    if matches:
        best = matches[0]
        western = next((m for m in matches if "cp1252" in m.could_be_from_charset), None)
        # The library lists Windows-1250 first wherever the two are equally plausible.
        if western is None or western.chaos > best.chaos + 0.02 or western.coherence < best.coherence - 0.1:
            chosen = best.encoding
    if not _fits(raw, chosen):  # the sample was only a part of the file
        chosen = "cp1252"
    plain = not any(block.translate(None, _LATIN1_TOO) for block in raw())
    if chosen == "cp1252" and (plain or not _fits(raw, chosen)):
        return Encoding("latin-1", "Latin-1")
    return Encoding(chosen, _ENCODINGS.get(chosen, chosen))


def _lines(raw: Raw) -> Iterator[bytes]:
    rest = b""
    for block in raw():
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    yield rest
