"""Hard-wrapped lines joined to paragraphs, in texts that are books, and only in paragraphs that were wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinylm.corpus.blocks import Blocks

# A hard-wrapped paragraph breaks where the next word would not have fitted, and nowhere else. Verse,
# dialogue, lists and code break for other reasons: there the next word would mostly have fitted.
_NARROWEST, _WIDEST = 55, 120  # columns of a hard-wrapped text; narrower ones are verse or tables
_SLACK = 0.85  # of the width: room for hand-made edits, and for wrapping that counted bytes
_FEWEST = 4  # breaks to judge by
_LARGE, _LONG = 1 << 24, 1 << 12  # characters of a block that has a line without end, and enough of a line to judge by
_SET_IN = 9  # spaces: deeper than a paragraph's first line: a title, a signature, verse
_GLUED = re.compile(r"[^\s\-—](?:--?|—)\Z")  # a dash typed without spaces, or a compound broken at its hyphen
_CJK = re.compile("[\u3000-\ua4cf\uff00-\uffef]{2}")  # scripts that set no space between words
_FIRST_CJK = 0x3000

_SPACES = np.array([chr(code).isspace() for code in range(0x3002)])
"""By code point, as far as there is white space; the last stands for all others."""

_NOWHERE = np.iinfo(np.int64).max

_Integers = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def unwrapped(text: Blocks, force: bool) -> Blocks | None:
    """The text with its hard wraps joined, or None if there is nothing to join; blocks end after a line.

    A break is looked at only between two lines of a paragraph of which the second is not indented (and the
    first no further than a paragraph's first line is). Hyphens stay: whether `to-` + `day` was one word is not
    guessed, and in books the hyphen at a line's end is mostly a real one. What follows a hyphen or an unspaced
    dash is joined to it without a space.
    """
    columns = _Columns()
    seen: list[_Lines] = []
    last, whole = "", True
    for block in text():
        short = block if len(block) <= _LARGE else "\n".join(line[:_LONG] for line in block.split("\n"))
        whole = whole and short is block
        seen = [*seen[:1], _Lines.of(last + short)]
        columns.add(seen[-1], new=short.count("\n") + 1)
        last = short[short.rfind("\n", 0, -1) + 1 :]
    if not columns.breaks:
        return None
    full = 0.0 if force else columns.full()
    if full is None:
        return None

    def soft(lines: _Lines) -> tuple[_Lines, _Integers]:
        return lines, lines.breaks if force else _soft_breaks(lines, full)

    # What is one block was looked at already.
    only = [soft(lines) for lines in seen] if len(seen) == 1 and whole else []

    def parts() -> Iterator[tuple[_Lines, _Integers]]:
        return iter(only) if only else (soft(_Lines.of(part)) for part in _paragraphs(text()))

    if not any(found.size for _, found in parts()):
        return None
    return lambda: (_joined(lines, found) for lines, found in parts())


def _paragraphs(blocks: Iterator[str]) -> Iterator[str]:
    """The same text in blocks that end after a blank line: no paragraph is divided."""
    begun: list[str] = []
    for block in blocks:
        end = block.rfind("\n\n") + 2 if "\n\n" in block else int(bool(begun) and block.startswith("\n"))
        if end:
            yield "".join([*begun, block[:end]])
            begun.clear()
        if end < len(block):
            begun.append(block[end:])
    if begun:
        yield "".join(begun)


@dataclass(frozen=True)
class _Lines:
    """Lines that follow each other, as places in their characters, and the breaks between them.

    Arrays, since a book has a hundred thousand lines: a loop over them would be most of the time that reading takes.
    """

    codes: _Codes
    """The characters."""
    starts: _Integers
    """Where each line begins; `ends`: where its line end is; `bare`: where the white space before that begins."""
    ends: _Integers
    bare: _Integers
    breaks: _Integers
    """The number of each break's first line."""
    reach: _Integers
    """How far that line would have reached with the next word on it, in characters.

    Lines of one to three words prove nothing about a width (and columns of numbers would look wrapped): they count as
    short.
    """

    @classmethod
    def of(cls, text: str) -> _Lines:
        codes = _codes(text)
        ends = np.append(np.flatnonzero(codes == ord("\n")), len(codes))
        starts = np.append(0, ends[:-1] + 1)
        bare = ends.copy()
        blanks = np.append(np.flatnonzero(codes == ord(" ")), [_NOWHERE] * _SET_IN)
        first = np.searchsorted(blanks, starts)  # of each line's spaces
        spaces = np.diff(first, append=len(blanks) - _SET_IN)
        for i in np.flatnonzero((ends > starts) & _is_space(codes, ends - 1)):
            line = text[starts[i] : ends[i]].rstrip()
            bare[i], spaces[i] = starts[i] + len(line), line.count(" ")
        word = np.where(spaces > 0, blanks[first], bare) - starts
        set_in = blanks[first + _SET_IN - 1] == starts + _SET_IN - 1
        opens = (bare > starts) & ~_is_space(codes, starts)
        breaks = np.flatnonzero((bare > starts)[:-1] & ~set_in[:-1] & opens[1:])
        reach = np.where(spaces[breaks] >= 3, (bare - starts)[breaks] + 1 + word[breaks + 1], 0)
        return cls(codes, starts, ends, bare, breaks, reach)


def _codes(text: str) -> _Codes:
    """The code points of a text, in 16 bits where that is enough for each: it halves the memory to go through."""
    small = text.encode("utf-16-le", "surrogatepass")
    if len(small) == 2 * len(text):
        return np.frombuffer(small, dtype="<u2")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _is_space(codes: _Codes, places: _Integers) -> npt.NDArray[np.bool_]:
    """Whether white space stands at each place; at one before the first or behind the last character, anything."""
    if not codes.size:
        return np.zeros(len(places), dtype=np.bool_)
    return _SPACES[np.minimum(codes[np.clip(places, 0, len(codes) - 1)], len(_SPACES) - 1)]


class _Columns:
    """How long the lines of a text are, and where the breaks between them are."""

    def __init__(self) -> None:
        self.breaks = self._neighbours = self._small = 0
        self._reaches, self._lengths = (np.zeros(_WIDEST + 2, dtype=np.int64) for _ in range(2))

    def add(self, lines: _Lines, new: int) -> None:
        """Count the breaks between lines, and the lines, of which the last `new` have not been counted yet."""
        lengths = lines.bare - lines.starts
        self.breaks += len(lines.breaks)
        self._neighbours += int(np.count_nonzero((lengths[:-1] > 0) & (lengths[1:] > 0)))
        heads, times = np.unique(lines.codes[lines.starts[lines.breaks + 1]], return_counts=True)
        small = [head.isalpha() and not head.isupper() for head in map(chr, heads)]
        self._small += int(times[small].sum())
        self._reaches += _histogram(lines.reach)
        self._lengths += _histogram(lengths[-new:][lengths[-new:] > 0])

    def full(self) -> float | None:
        """From how many columns on a line is full, or None if this is not hard-wrapped prose.

        The width is the one that the fewest lines contradict, by being longer or by ending although the next
        word would have fitted.
        """
        if self.breaks < max(_FEWEST, 0.6 * self._neighbours):  # mostly indented: code, plays, tables
            return None
        if self._small < 0.4 * self.breaks:  # verse begins lines with capitals
            return None
        early = self._reaches.cumsum() / self.breaks  # [w] share of breaks that come too early for w
        over = 1 - self._lengths.cumsum() / self._lengths.sum()  # [w] share of lines that are longer than w
        width = int(np.argmin((early + over)[: _WIDEST + 1]))
        fits = width >= _NARROWEST and early[int(width * _SLACK)] <= 0.2 and over[width] <= 0.1
        return width * _SLACK if fits else None


def _histogram(lengths: _Integers) -> _Integers:
    """How many there are of each length, those beyond the widest together."""
    return np.bincount(np.minimum(lengths, _WIDEST + 1), minlength=_WIDEST + 2)


def _soft_breaks(lines: _Lines, full: float) -> _Integers:
    """The breaks to join: after full lines, in paragraphs where at least half of the lines are full."""
    if not lines.breaks.size:
        return lines.breaks
    forced = lines.reach > full
    paragraphs = np.append(0, np.flatnonzero(np.diff(lines.breaks) != 1) + 1)  # their first breaks
    sizes = np.diff(np.append(paragraphs, len(forced)))
    wrapped = 2 * np.add.reduceat(forced, paragraphs, dtype=np.int64) >= sizes
    return lines.breaks[forced & np.repeat(wrapped, sizes)]


def _joined(lines: _Lines, soft: _Integers) -> str:
    """The text of the lines, the soft breaks between them gone."""
    codes = lines.codes.copy()
    codes[lines.ends[soft]] = ord(" ")
    gone = [int(lines.ends[i]) for i in soft[_may_be_tight(lines, soft)] if _is_tight(lines, int(i))]
    ragged = lines.bare < lines.ends
    for i in {*soft[ragged[soft]].tolist(), *(soft[ragged[soft + 1]] + 1).tolist()}:
        gone += range(int(lines.bare[i]), int(lines.ends[i]))
    encoding = "utf-16-le" if codes.itemsize == 2 else "utf-32-le"
    return str((np.delete(codes, gone) if gone else codes).data, encoding, "surrogatepass")


def _may_be_tight(lines: _Lines, soft: _Integers) -> npt.NDArray[np.bool_]:
    """Whether each line ends with a dash, or a sign of a script without spaces: few do."""
    last = lines.codes[lines.bare[soft] - 1]
    return np.isin(last, [ord("-"), ord("—")]) | (last >= _FIRST_CJK)


def _is_tight(lines: _Lines, i: int) -> bool:
    """Whether line `i` is joined to the next without a space."""
    begin, end, after = int(lines.starts[i]), int(lines.bare[i]), int(lines.starts[i + 1])
    tail = "".join(map(chr, lines.codes[max(begin, end - 3) : end]))
    if tail[-1] in "-—":
        return _GLUED.search(tail) is not None
    return _CJK.match(tail[-1] + chr(lines.codes[after])) is not None
