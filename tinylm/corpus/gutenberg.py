"""Project Gutenberg's header and licence, cut from a text that is read block by block.

Blocks end after a line, and never is more than a few of them in the memory: a file may hold ten thousand books.
"""

import re
from collections.abc import Iterator
from itertools import chain

from tinylm.corpus.blocks import Blocks

_REACH = 1 << 16
"""Characters after the beginning of a marker or a credit in which its end is seen."""

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
_WORDS = {_START: ("*",), _END: ("Gutenberg", "GUTENBERG")}
"""One of these stands in each marker's first line."""
_HEADER = re.compile(
    r"Project Gutenberg(?:['’]s|\s+e-?(?:book|text))|^Title:|use of anyone anywhere", re.MULTILINE | re.IGNORECASE
)
_CREDIT = re.compile(
    r"\s*(?:Produced by|E-?text prepared by|This e-?text was (?:prepared|produced) by|Transcribed (?:from|by)"
    r"|HTML version by)[^\n]*(?:\n[^\n]*\S[^\n]*)*",
    re.IGNORECASE,
)
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")


def books(text: Blocks, length: int) -> Blocks | None:
    """The book or books between Gutenberg's markers, or None if this text of `length` characters is none of its files.

    The first marker must stand near the beginning with a Gutenberg header or nothing above it: a text that
    quotes the marker stays whole. Several books in one file each lose their header and licence.
    """
    begin = _first_book(text(), length)
    return None if begin is None else lambda: _books(text(), begin)


class _Reader:
    """A text that is read once, with so much of it at hand that a marker is seen whole."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks, self._over = blocks, False
        self._text, self._at = "", 0
        self.found: re.Match[str] | None = None
        """The marker that `before` ended at."""

    def skip(self, characters: int) -> None:
        """Go on to a place; the line that it lies in is still known."""
        while characters > len(self._text) and not self._over:
            characters -= len(self._text) - 1
            self._text = self._text[-1:]
            self._more()
        self._at = min(characters, len(self._text))

    def before(self, marker: re.Pattern[str]) -> Iterator[str]:
        """The text up to the next marker, in pieces that begin at a line, and then go on behind it."""
        while True:
            settled = len(self._text) - _REACH
            found = self._next(marker) if self._over or settled > self._at else None
            if found and (self._over or found.start() <= settled):
                piece, self._at = self._text[self._at : found.start()], found.end()
            else:
                found = None
                # Lines that begin too late for the whole of a marker to be seen stay for the next look.
                cut = len(self._text) if self._over else max(self._at, self._text.rfind("\n", 0, max(0, settled)) + 1)
                piece, self._at = self._text[self._at : cut], cut
            if piece:
                yield piece
            if found or self._over:
                self.found = found
                return
            kept = max(0, self._at - 1)
            self._text, self._at = self._text[kept:], self._at - kept
            self._more()

    def _next(self, marker: re.Pattern[str]) -> re.Match[str] | None:
        """The next marker: looked for from the first line on that has a word of it, which is ten times as fast."""
        places = [place for word in _WORDS[marker] if (place := self._text.find(word, self._at)) >= 0]
        if not places:
            return None
        return marker.search(self._text, max(self._at, self._text.rfind("\n", 0, min(places)) + 1))

    def _more(self) -> None:
        block = next(self._blocks, None)
        self._over = block is None
        self._text += block or ""


def _first_book(blocks: Iterator[str], length: int) -> int | None:
    """After how many characters the first book begins."""
    reader = _Reader(_cut(blocks, max(length // 10, 40_000)))
    place = lines = 0
    written = headed = False
    last = ""
    for piece in reader.before(_START):
        place += len(piece)
        lines += piece.count("\n")
        written = written or bool(piece.strip())
        headed = headed or _HEADER.search(last + piece) is not None
        last = piece[piece.rfind("\n", 0, max(0, len(piece) - 200)) + 1 :]  # a header's words may be on two lines
    if reader.found is None:
        return None
    small_print = "SMALL PRINT" in reader.found.group().upper()  # the old licence comes first and is long
    far = place > length // 10 and lines > (500 if small_print else 100)
    if far or (written and not headed):
        return None
    return place + len(reader.found.group())


def _cut(blocks: Iterator[str], most: int) -> Iterator[str]:
    for block in blocks:
        yield block[:most]
        most -= len(block)
        if most <= 0:
            return


def _books(blocks: Iterator[str], begin: int) -> Iterator[str]:
    reader = _Reader(blocks)
    reader.skip(begin)
    yield from _book(reader.before(_END))
    while reader.found:
        for _ in reader.before(_START):
            pass
        if reader.found:
            yield "\n\n"
            yield from _book(reader.before(_END))


def _book(pieces: Iterator[str]) -> Iterator[str]:
    """A book without its credits and the blank lines around it; the indentation of its first line stays."""
    head = ""
    for piece in pieces:
        head += piece
        if len(head) > _REACH:
            break
    credit = _CREDIT.match(head)
    begin = credit.end() if credit else 0
    blank = _BLANK_LINES.match(head, begin)
    head = head[blank.end() if blank else begin :]  # one cut: each is a copy of the book
    held = ""  # white space that may turn out to be the last
    for piece in chain([head], pieces):
        text = held + piece
        written = text.rstrip()
        held = text[len(written) :]
        if written:
            yield written
    yield "\n"
