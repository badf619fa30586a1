"""Joins hard-wrapped lines into paragraphs: only in texts that are wrapped prose, and only in wrapped paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinylm.corpus.blocks import Blocks, cut_at

# A hard-wrapped paragraph breaks where the next word would not have fitted, and nowhere else. Verse,
# dialogue, lists and code break for other reasons: there the next word would mostly have fitted.
_MIN_WIDTH, _MAX_WIDTH = 55, 120  # columns of hard-wrapped prose; narrower texts are verse or tables
_SLACK = 0.85  # a line of this share of the width is full: allows for edits by hand and wrapping that counted bytes
_MIN_BREAKS = 4  # fewer breaks say nothing
LARGE_BLOCK, LINE_START = 1 << 24, 1 << 12
"""A block of more characters has a huge line: then only the start of each line is analysed."""

_DEEP_INDENT = 9  # spaces; deeper than a paragraph's first line, so a title, a signature or verse
_GLUED = re.compile(r"[^\s\-—](?:--?|—)\Z")  # a dash typed without spaces, or a compound broken at its hyphen
_CJK = re.compile("[\u3000-\ua4cf\uff00-\uffef]{2}")  # scripts without spaces between words
_FIRST_CJK = 0x3000

_SPACES = np.array([chr(code).isspace() for code in range(0x3002)])
"""Whether a code point is white space; the last entry stands for all higher ones."""

_NOWHERE = np.iinfo(np.int64).max

_Integers = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def unwrapped(text: Blocks, force: bool) -> Blocks | None:
    """The text with its hard wraps joined, or None if there are none; blocks of `text` end after a line.

    A break is a candidate if the line after it is not indented, and the line before it no deeper than a paragraph's
    first line. Hyphens stay, since in books a hyphen at the end of a line is mostly a real one (`to-` + `day`); after
    a hyphen or an unspaced dash the lines are joined without a space. `force` joins all candidates.
    """
    widths = _WidthEstimate()
    seen: list[_Lines] = []  # the first block and the latest: a text of one block is analysed only once
    last, whole = "", True
    for block in text():
        short = block if len(block) <= LARGE_BLOCK else "\n".join(line[:LINE_START] for line in block.split("\n"))
        whole = whole and short is block
        seen = [*seen[:1], _Lines.of(last + short)]
        widths.add(seen[-1], new=short.count("\n") + 1)
        last = short[short.rfind("\n", 0, -1) + 1 :]
    if not widths.breaks:
        return None
    full = 0.0 if force else widths.full()
    if full is None:
        return None

    def soft(lines: _Lines) -> tuple[_Lines, _Integers]:
        return lines, lines.breaks if force else _soft_breaks(lines, full)

    only = [soft(lines) for lines in seen] if len(seen) == 1 and whole else []

    def parts() -> Iterator[tuple[_Lines, _Integers]]:
        return iter(only) if only else (soft(_Lines.of(part)) for part in _paragraphs(text()))

    if not any(breaks.size for _, breaks in parts()):
        return None
    return lambda: (_joined(lines, breaks) for lines, breaks in parts())


def _paragraphs(blocks: Iterator[str]) -> Iterator[str]:
    """The same text in blocks that end after a blank line, so that no paragraph is divided."""

    def cut(block: str, pending: bool) -> int:
        return block.rfind("\n\n") + 2 if "\n\n" in block else int(pending and block.startswith("\n"))

    return cut_at(blocks, cut)


@dataclass(frozen=True)
class _Lines:
    """Consecutive lines, as positions in their characters, and the candidate breaks between them.

    Kept as arrays: a book has a hundred thousand lines, and a loop over them would dominate the time for reading.
    """

    codes: _Codes
    """The characters, as code points."""
    starts: _Integers
    """Position of each line's first character."""
    ends: _Integers
    """Position of each line end."""
    text_ends: _Integers
    """Position of the white space before each line end, or of the line end."""
    breaks: _Integers
    """Index of the line before each break."""
    reach: _Integers
    """Length in characters of the line before each break, had the next word stood on it too.

    0 for lines of fewer than four words: they say nothing about the width, and columns of numbers would look wrapped.
    """

    @classmethod
    def of(cls, text: str) -> _Lines:
        codes = _codes(text)
        ends = np.append(np.flatnonzero(codes == ord("\n")), len(codes))
        starts = np.append(0, ends[:-1] + 1)
        text_ends = ends.copy()
        blanks = np.append(np.flatnonzero(codes == ord(" ")), [_NOWHERE] * _DEEP_INDENT)
        first = np.searchsorted(blanks, starts)  # index of each line's first space
        spaces = np.diff(first, append=len(blanks) - _DEEP_INDENT)
        for i in np.flatnonzero((ends > starts) & _is_space(codes, ends - 1)):
            line = text[starts[i] : ends[i]].rstrip()
            text_ends[i], spaces[i] = starts[i] + len(line), line.count(" ")
        word = np.where(spaces > 0, blanks[first], text_ends) - starts
        deep = blanks[first + _DEEP_INDENT - 1] == starts + _DEEP_INDENT - 1
        opens = (text_ends > starts) & ~_is_space(codes, starts)
        breaks = np.flatnonzero((text_ends > starts)[:-1] & ~deep[:-1] & opens[1:])
        reach = np.where(spaces[breaks] >= 3, (text_ends - starts)[breaks] + 1 + word[breaks + 1], 0)
        return cls(codes, starts, ends, text_ends, breaks, reach)


def _codes(text: str) -> _Codes:
    """The code points of a text; in 16 bits, which halves the memory traffic, if all of them fit."""
    small = text.encode("utf-16-le", "surrogatepass")
    if len(small) == 2 * len(text):
        return np.frombuffer(small, dtype="<u2")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _is_space(codes: _Codes, positions: _Integers) -> npt.NDArray[np.bool_]:
    """Whether each position holds white space; undefined outside the text."""
    if not codes.size:
        return np.zeros(len(positions), dtype=np.bool_)
    return _SPACES[np.minimum(codes[np.clip(positions, 0, len(codes) - 1)], len(_SPACES) - 1)]


class _WidthEstimate:
    """Estimates the width at which a text was wrapped, from the lengths of its lines and the breaks between them."""

    def __init__(self) -> None:
        self.breaks = self._neighbours = self._lowercase = 0
        self._reaches, self._lengths = (np.zeros(_MAX_WIDTH + 2, dtype=np.int64) for _ in range(2))

    def add(self, lines: _Lines, new: int) -> None:
        """Count all breaks between these lines, but only the last `new` lines: the others were counted before."""
        lengths = lines.text_ends - lines.starts
        self.breaks += len(lines.breaks)
        self._neighbours += int(np.count_nonzero((lengths[:-1] > 0) & (lengths[1:] > 0)))
        heads, times = np.unique(lines.codes[lines.starts[lines.breaks + 1]], return_counts=True)
        lowercase = [head.isalpha() and not head.isupper() for head in map(chr, heads)]
        self._lowercase += int(times[lowercase].sum())
        self._reaches += _histogram(lines.reach)
        self._lengths += _histogram(lengths[-new:][lengths[-new:] > 0])

    def full(self) -> float | None:
        """The number of columns from which a line counts as full, or None if this is not hard-wrapped prose.

        The width is the one that the fewest lines contradict, by being longer or by ending where the next word would
        still have fitted.
        """
        if self.breaks < max(_MIN_BREAKS, 0.6 * self._neighbours):  # mostly indented: code, plays, tables
            return None
        if self._lowercase < 0.4 * self.breaks:  # verse begins lines with capitals
            return None
        early = self._reaches.cumsum() / self.breaks  # [w] share of breaks where the next word fits into width w
        over = 1 - self._lengths.cumsum() / self._lengths.sum()  # [w] share of lines longer than w
        width = int(np.argmin((early + over)[: _MAX_WIDTH + 1]))
        fits = width >= _MIN_WIDTH and early[int(width * _SLACK)] <= 0.2 and over[width] <= 0.1
        return width * _SLACK if fits else None


def _histogram(lengths: _Integers) -> _Integers:
    """Counts by length, (_MAX_WIDTH + 2,); the last entry counts all greater lengths."""
    return np.bincount(np.minimum(lengths, _MAX_WIDTH + 1), minlength=_MAX_WIDTH + 2)


def _soft_breaks(lines: _Lines, full: float) -> _Integers:
    """The breaks to join: those after full lines, in paragraphs where at least half of the lines are full."""
    if not lines.breaks.size:
        return lines.breaks
    forced = lines.reach > full
    paragraphs = np.append(0, np.flatnonzero(np.diff(lines.breaks) != 1) + 1)  # index of each one's first break
    sizes = np.diff(np.append(paragraphs, len(forced)))
    wrapped = 2 * np.add.reduceat(forced, paragraphs, dtype=np.int64) >= sizes
    return lines.breaks[forced & np.repeat(wrapped, sizes)]


def _joined(lines: _Lines, soft: _Integers) -> str:
    """The text of the lines, with the lines before and after each soft break joined."""
    codes = lines.codes.copy()
    codes[lines.ends[soft]] = ord(" ")
    deleted = [int(lines.ends[i]) for i in soft[_may_join_tightly(lines, soft)] if _joins_tightly(lines, int(i))]
    ragged = lines.text_ends < lines.ends
    for i in {*soft[ragged[soft]].tolist(), *(soft[ragged[soft + 1]] + 1).tolist()}:
        deleted += range(int(lines.text_ends[i]), int(lines.ends[i]))
    encoding = "utf-16-le" if codes.itemsize == 2 else "utf-32-le"
    return str((np.delete(codes, deleted) if deleted else codes).data, encoding, "surrogatepass")


def _may_join_tightly(lines: _Lines, soft: _Integers) -> npt.NDArray[np.bool_]:
    """Whether each line ends with a dash or a CJK character: a cheap filter before `_joins_tightly`."""
    last = lines.codes[lines.text_ends[soft] - 1]
    return np.isin(last, [ord("-"), ord("—")]) | (last >= _FIRST_CJK)


def _joins_tightly(lines: _Lines, i: int) -> bool:
    """Whether no space goes between line `i` and the next."""
    begin, end, after = int(lines.starts[i]), int(lines.text_ends[i]), int(lines.starts[i + 1])
    tail = "".join(map(chr, lines.codes[max(begin, end - 3) : end]))
    if tail[-1] in "-—":
        return _GLUED.search(tail) is not None
    return _CJK.match(tail[-1] + chr(lines.codes[after])) is not None
