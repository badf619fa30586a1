"""Cuts Project Gutenberg's header and licence from a text.

The text is read in blocks that end after a line, few of them in memory at a time: a file may hold ten thousand books.
"""

import re
from collections.abc import Iterator
from itertools import chain

from tinylm.corpus.blocks import Blocks

REACH = 1 << 16
"""Characters from the beginning of a marker or a credit within which it ends."""

# Markers as Project Gutenberg has written them since 1991; with a long title the newer ones take two lines.
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
"""The first line of each marker contains one of these."""
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
    """The book or books between Gutenberg's markers, or None if this text (of `length` characters) is not from there.

    The first marker must be near the beginning, with a Gutenberg header or nothing above it: a text that merely quotes
    the marker stays whole. Each of several books in a file loses its header and licence.
    """
    begin = _first_book(text(), length)
    return None if begin is None else lambda: _books(text(), begin)


class _Reader:
    """Reads a text once, with a buffer that is large enough to see a marker whole."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks, self._exhausted = blocks, False
        self._text, self._position = "", 0
        self.match: re.Match[str] | None = None
        """The marker at which `before` ended."""

    def skip(self, characters: int) -> None:
        """Skip so many characters; the last of them stays in the buffer, so that ^ still matches only at a line."""
        while characters > len(self._text) and not self._exhausted:
            characters -= len(self._text) - 1
            self._text = self._text[-1:]
            self._more()
        self._position = min(characters, len(self._text))

    def before(self, marker: re.Pattern[str]) -> Iterator[str]:
        """The text up to the next marker, in pieces that begin with a line; then the position is behind the marker."""
        while True:
            safe = len(self._text) - REACH
            match = self._next(marker) if self._exhausted or safe > self._position else None
            if match and (self._exhausted or match.start() <= safe):
                piece, self._position = self._text[self._position : match.start()], match.end()
            else:
                match = None
                # Lines that begin so late that a marker may not be whole yet stay in the buffer.
                cut = (
                    len(self._text)
                    if self._exhausted
                    else max(self._position, self._text.rfind("\n", 0, max(0, safe)) + 1)
                )
                piece, self._position = self._text[self._position : cut], cut
            if piece:
                yield piece
            if match or self._exhausted:
                self.match = match
                return
            kept = max(0, self._position - 1)
            self._text, self._position = self._text[kept:], self._position - kept
            self._more()

    def _next(self, marker: re.Pattern[str]) -> re.Match[str] | None:
        """The next marker. The search starts at the first line with a word of it, which is ten times as fast."""
        starts = [start for word in _WORDS[marker] if (start := self._text.find(word, self._position)) >= 0]
        if not starts:
            return None
        return marker.search(self._text, max(self._position, self._text.rfind("\n", 0, min(starts)) + 1))

    def _more(self) -> None:
        block = next(self._blocks, None)
        self._exhausted = block is None
        self._text += block or ""


def _first_book(blocks: Iterator[str], length: int) -> int | None:
    """The position in characters at which the first book begins, or None."""
    reader = _Reader(_cut(blocks, max(length // 10, 40_000)))
    position = lines = 0
    written = headed = False
    last = ""
    for piece in reader.before(_START):
        position += len(piece)
        lines += piece.count("\n")
        written = written or bool(piece.strip())
        headed = headed or _HEADER.search(last + piece) is not None
        last = piece[piece.rfind("\n", 0, max(0, len(piece) - 200)) + 1 :]  # a header's words may be on two lines
    if reader.match is None:
        return None
    small_print = "SMALL PRINT" in reader.match.group().upper()  # before it stands the old licence, which is long
    far = position > length // 10 and lines > (500 if small_print else 100)
    if far or (written and not headed):
        return None
    return position + len(reader.match.group())


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
    while reader.match:
        for _ in reader.before(_START):
            pass
        if reader.match:
            yield "\n\n"
            yield from _book(reader.before(_END))


def _book(pieces: Iterator[str]) -> Iterator[str]:
    """A book without its credits and the blank lines around it; its first line keeps its indentation."""
    head = ""
    for piece in pieces:
        head += piece
        if len(head) > REACH:
            break
    credit = _CREDIT.match(head)
    begin = credit.end() if credit else 0
    blank = _BLANK_LINES.match(head, begin)
    head = head[blank.end() if blank else begin :]
    space = ""  # white space that may turn out to be the book's last
    for piece in chain([head], pieces):
        text = space + piece
        stripped = text.rstrip()
        space = text[len(stripped) :]
        if stripped:
            yield stripped
    yield "\n"
