"""Detects the encoding of a file and decodes it, block by block.

Detection reads the file several times from the beginning and never holds all of it.
"""

import codecs
import string
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tinylm.config.encodings import AUTO, NAMES, codec_of
from tinylm.corpus.letters import log_likelihood
from tinylm.words import printable

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

DAMAGED_UTF8 = "damaged UTF-8"

_ESCAPES = {
    b"\x1b$": ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_kr"),
    b"~{": ("hz",),
    b"+": ("utf-7",),
}
"""Encodings that write everything in ASCII's bytes, by what their other characters begin with."""

_EAST_ASIAN = ("cp932", "gb18030", "cp950", "cp949", "euc_jp")
_WINDOWS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874")
_OLDER = (
    "koi8_r", "koi8_u", "cp866", "cp1258", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "mac_roman", "cp850",
    "cp437", "cp852", "iso8859_3", "iso8859_4", "iso8859_6", "iso8859_8", "iso8859_9", "iso8859_16", "cp737", "cp775",
    "cp855", "cp857", "cp862", "cp865", "mac_latin2", "mac_cyrillic", "mac_greek", "mac_turkish",
)  # fmt: skip
_SINGLE_BYTE = (*_WINDOWS, *_OLDER)
"""Of two that give the same text and are equally common, the first is named."""
_READ_AS = "tinylm-read-as-"
"""Prefix of the error handlers that read what is not UTF-8 in another encoding."""


def _register(codec: str) -> None:
    def read_as(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        return error.object[error.start : error.end].decode(codec, "replace"), error.end

    codecs.register_error(_READ_AS + codec, read_as)


for _codec in _SINGLE_BYTE:
    _register(_codec)


def looks_like(head: bytes) -> str | None:
    """The kind of binary by a file's first bytes ("picture", "PDF", ...), or None if they do not tell."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (magic in _SURE or _controls(head[:512]) or not head[:512].isascii()):
            return kind
    return "film" if head[4:8] == b"ftyp" else None


@dataclass(frozen=True)
class Guess:
    """What tells a person whether a guessed encoding is right."""

    words: tuple[str, ...]
    """A few words of the text that another encoding would spell differently."""
    other: str
    """The name of the next most plausible encoding."""


@dataclass(frozen=True)
class Encoding:
    """How to decode a file."""

    codec: str
    """Python's name."""
    name: str
    """The name for people."""
    errors: str = "strict"
    fallback: str = ""
    """The name of the encoding of what is not UTF-8, where a file mixes both."""
    guess: Guess | None = None
    """None where the bytes leave no doubt, or a person named the encoding."""


def decoded(raw: Raw, encoding: Encoding) -> Iterator[str]:
    """The text of a file in blocks; UnicodeDecodeError if it is not in that encoding."""
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    for block in raw():
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def encoding_of(raw: Raw, wanted: str = AUTO) -> Encoding | None:
    """The encoding of a file, or None for a binary.

    `wanted` is the name that a person gave (`data.encoding`). Without one, a byte order mark decides; else UTF-8 is
    tried, strictly. ASCII may hold the escape sequences of an older encoding. All other bytes are read in the encoding
    that makes the most plausible text of them, as far as they are not UTF-8: a file may mix two. UTF-8 with a few
    broken bytes (cut in the middle of a character, say) is decoded with U+FFFD in their stead and named DAMAGED_UTF8.
    Decoding drops a byte order mark and keeps line ends.
    """
    head = _head(raw, 512)
    if looks_like(head):
        return None
    if wanted != AUTO:
        return _as_wanted(raw, wanted)
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")) and len(head) > 4 and _fits(raw, "utf-32"):
        return Encoding("utf-32", "UTF-32")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Encoding("utf-16", "UTF-16") if _fits(raw, "utf-16") else _as_wanted(raw, "UTF-16")
    size = nuls = controls = 0
    is_ascii = True
    for block in raw():
        size += len(block)
        nuls += block.count(0)
        controls += _controls(block)
        is_ascii = is_ascii and block.isascii()
    if is_ascii and (escaped := _escaped(raw)) is not None:
        return escaped
    utf8 = is_ascii or _fits(raw, "utf-8-sig")
    too_many = controls > 2 + size * (0.10 if utf8 else 0.02)
    # UTF-16 has a NUL beside each Latin letter, or at least beside each space; it may well be valid UTF-8.
    # Chinese without spaces has none, but halves of characters that look like control characters.
    maybe_wide = too_many or (nuls and (not utf8 or nuls > size / 5))
    if maybe_wide and (wide := _utf16_without_mark(raw, with_nuls=nuls > 0)) is not None:
        return wide
    if too_many:
        return None
    return Encoding("utf-8-sig", "UTF-8") if utf8 else _guessed(raw)


def _as_wanted(raw: Raw, name: str) -> Encoding | None:
    """The encoding that a person named, or None if it turns the file into control characters, as in a binary."""
    codec = codec_of(name)
    text = "".join(islice(decoded(lambda: iter([_head(raw, 65_536)]), Encoding(codec, name, "replace")), 1))
    if _odd(text) > 2 + len(text) / 50:
        return None
    return Encoding(codec, name, "strict" if _fits(raw, codec) else "replace")


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


def _odd(text: str) -> int:
    """How many characters are control characters, not assigned or private."""
    return sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in "\t\n\r\f" for c in text)


def _utf16_without_mark(raw: Raw, with_nuls: bool) -> Encoding | None:
    """UTF-16 in the more plausible byte order, or None if neither is plausible; a text `with_nuls` needs no letters."""
    best: tuple[int, Encoding] | None = None
    for codec, other in (("utf-16-le", "utf-16-be"), ("utf-16-be", "utf-16-le")):
        try:
            text = "".join(islice(decoded(lambda: iter([_head(raw, 80_000)]), Encoding(codec, "")), 1))[:20_000]
        except UnicodeDecodeError:
            continue
        if not text:
            continue
        odd = _odd(text)
        # A text uses few blocks of Unicode; with its bytes swapped it is scattered over many.
        blocks = len({ord(c) >> 8 for c in text})
        plausible = odd <= 2 + len(text) / 50 and odd < len(text) / 2 and (with_nuls or _is_language(text))
        if plausible and (best is None or blocks < best[0]) and _fits(raw, codec):
            best = blocks, Encoding(codec, "UTF-16", guess=Guess(_telling_words(text), NAMES[other]))
    return best and best[1]


# --- what is neither UTF-8 nor UTF-16 -------------------------------------------------------------------------------

_SEPARATED = bytes(32 if b < 0x30 else b for b in range(256))
"""Maps control characters, the space and !"#$%&'()*+,-./ to a space: in no encoding of text do they end a character."""
_PIECE = 1 << 16
"""Bytes that are looked at at a time."""
_CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes that go on a character of UTF-8."""
_MOST_UTF8, _MOST_OTHERS = 1_000, 3_000
"""Bytes of words that are judged, of those that are UTF-8 and those that are not."""
_SIGNS = string.punctuation + string.digits + "“”‘’„‚«»‹›…–—¿¡、。，！？：；「」『』（）《》"
"""What is cut from the ends of a word that is shown."""
SHOWN_WORDS, _MOST_SHOWN = 5, 12
"""Words that are shown of a guess, and characters of each: Chinese has no spaces."""
_COMMON, _RARE, _MIXED = -2.0, -4.0, -4.0
"""How much less likely other encodings are than Windows-1252 before a text is looked at, in nats."""
_DAMAGE = 7.0
"""What makes U+FFFD as plausible in damaged UTF-8 as a rather rare letter, in nats."""
_IMPLAUSIBLE = -8.5
"""Log-probability of a character (nats) below which a text is chance; Chinese is at -7.5."""


def _guessed(raw: Raw) -> Encoding:
    """The encoding that makes the most plausible text of the words that are not ASCII.

    A file may mix UTF-8 with a single-byte encoding, for example where two files were joined.
    """
    utf8, others = _words(raw)
    sample = b" ".join(utf8 + others)
    ranked = sorted(_candidates(sample, mixed=bool(utf8)), key=lambda ranked: ranked[0], reverse=True)
    _, best, text = ranked[0]
    if best.name == DAMAGED_UTF8:
        return best
    # An alternative of the same kind: a person who knows the text to be Greek needs no Chinese.
    kind = () if best.fallback else _EAST_ASIAN if best.codec in _EAST_ASIAN else _SINGLE_BYTE
    other = next((way.name for _, way, read in ranked if read != text and way.codec in kind), NAMES["utf-8-sig"])
    telling = b" ".join(others).decode(best.codec, best.errors)
    return replace(best, guess=Guess(_telling_words(telling), other))


def _candidates(sample: bytes, mixed: bool) -> Iterator[tuple[float, Encoding, str]]:
    """Every way to read a sample, with the log-probability (nats) of the text that it gives, and the text."""
    ways = [(Encoding(codec, NAMES[codec], "replace"), _COMMON) for codec in _EAST_ASIAN]
    for codec in _SINGLE_BYTE:
        prior = _RARE if codec in _OLDER else _COMMON if codec != "cp1252" else 0.0
        ways.append((Encoding(codec, NAMES[codec], "replace"), prior))
        if mixed:
            name = f"UTF-8 and {NAMES[codec]}"
            ways.append((Encoding("utf-8-sig", name, _READ_AS + codec, NAMES[codec]), prior + _MIXED))
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if len(text.encode()) - len(text) - 2 * damaged > damaged:  # more bytes that go on a character than broken ones
        ways.append((Encoding("utf-8-sig", DAMAGED_UTF8, "replace"), _DAMAGE * damaged))
    for encoding, prior in ways:
        text = sample.decode(encoding.codec, encoding.errors)
        yield prior + log_likelihood(text), encoding, text


def _words(raw: Raw) -> tuple[list[bytes], list[bytes]]:
    """Words that are not ASCII, (in UTF-8, others), from the beginning of a file until there are enough to judge.

    Where there are others enough, but few in UTF-8, the rest of the file is looked through for those in growing steps.
    """
    utf8: list[bytes] = []
    others: list[bytes] = []
    room_utf8, room_others, next_number = _MOST_UTF8, _MOST_OTHERS, 0
    for number, piece in enumerate(_pieces(raw)):
        if room_others <= 0:
            if room_utf8 <= 0:
                break
            if number < next_number:
                continue
            next_number = number + 1 + number // 8
        is_valid = _is_utf8(piece)
        if is_valid and (room_utf8 <= 0 or piece.isascii()):
            continue
        for word in piece.translate(_SEPARATED).split():
            if word.isascii():
                continue
            if is_valid or _is_utf8(word):
                if room_utf8 > 0:
                    utf8.append(word[:_MOST_UTF8])
                    room_utf8 -= len(word)
            elif room_others > 0:
                others.append(word[:_MOST_OTHERS])
                room_others -= len(word)
    return utf8, others


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _pieces(raw: Raw) -> Iterator[bytes]:
    """A file in pieces of about _PIECE bytes that end between words, or at least between characters of UTF-8."""
    rest = b""
    for block in raw():
        for begin in range(0, len(block), _PIECE):
            data = rest + block[begin : begin + _PIECE]
            end = data.translate(_SEPARATED).rfind(b" ") + 1
            if not end and len(data) >= _PIECE:
                end = len(data.rstrip(_CONTINUATION)) - 1
            end = max(end, 0)
            if end:
                yield data[:end]
            rest = data[end:]
    yield rest


def _telling_words(text: str) -> tuple[str, ...]:
    """Up to five words of a text that show as many different characters beyond ASCII as they can."""
    words = dict.fromkeys(word.strip(_SIGNS)[:_MOST_SHOWN] for word in text.split() if not word.isascii())
    left = [word for word in words if not word.isascii()] or [word for word in text.split() if not word.isascii()]
    shown: list[str] = []
    seen: set[str] = set()
    while left and len(shown) < SHOWN_WORDS:
        best = max(left, key=lambda word: len({c for c in word if not c.isascii()} - seen))
        left.remove(best)
        shown.append(printable(best))
        seen.update(best)
    return tuple(shown)


# --- escape sequences -----------------------------------------------------------------------------------------------


def _escaped(raw: Raw) -> Encoding | None:
    """The encoding of a file of ASCII bytes that has escape sequences for other characters, or None."""
    begun: set[bytes] = set()
    last = b""
    for block in raw():
        data = last + block
        begun.update(begin for begin in _ESCAPES if begin in data)
        last = data[-1:]
    found = (_read_escaped(raw, codec) for begin in _ESCAPES if begin in begun for codec in _ESCAPES[begin])
    return next((encoding for encoding in found if encoding is not None), None)


def _read_escaped(raw: Raw, codec: str) -> Encoding | None:
    """The encoding, if it gives a plausible text with few damaged characters."""
    characters = damaged = 0
    sample = ""
    for text in decoded(raw, Encoding(codec, "", "replace")):
        damaged += text.count("\ufffd")
        characters += len(text) - len(text.encode("ascii", "ignore"))
        if damaged > 3 + characters / 20:
            return None
        if len(sample) < _MOST_OTHERS and not text.isascii():
            sample += " ".join(word for word in text.split() if not word.isascii())[:_MOST_OTHERS] + " "
    if damaged > characters / 4 or not _is_language(sample):
        return None
    errors = "replace" if damaged else "strict"
    return Encoding(codec, NAMES[codec], errors, guess=Guess(_telling_words(sample), NAMES["utf-8-sig"]))


def _is_language(text: str) -> bool:
    """Whether a text has letters, and they look chosen by a language, not by chance."""
    judged = sum(character.isalpha() or not character.isascii() for character in text)
    return judged > 0 and log_likelihood(text) >= _IMPLAUSIBLE * judged
