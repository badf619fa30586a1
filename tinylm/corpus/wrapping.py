"""Hard-wrapped lines joined to paragraphs, in texts that are books, and only in paragraphs that were wrapped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinylm.corpus.blocks import Blocks

# A hard-wrapped paragraph breaks where the next word would not have fitted, and nowhere else. Verse,
# dialogue, lists and code break for other reasons: there the next word would mostly have fitted.
_NARROWEST, _WIDEST = 55, 120  # columns of a hard-wrapped text; narrower ones are verse or tables
_SLACK = 0.85  # of the width: room for hand-made edits, and for wrapping that counted bytes
_FEWEST = 4  # breaks to judge by
_SET_IN = " " * 9  # deeper than a paragraph's first line: a title, a signature, verse
_GLUED = re.compile(r"[^\s\-—](?:--?|—)\Z")  # a dash typed without spaces, or a compound broken at its hyphen
_CJK = re.compile("[\u3000-\ua4cf\uff00-\uffef]{2}")  # scripts that set no space between words


def unwrapped(text: Blocks, force: bool) -> Blocks | None:
    """The text with its hard wraps joined, or None if there is nothing to join; blocks end after a line.

    A break is looked at only between two lines of a paragraph of which the second is not indented (and the
    first no further than a paragraph's first line is). Hyphens stay: whether `to-` + `day` was one word is not
    guessed, and in books the hyphen at a line's end is mostly a real one. What follows a hyphen or an unspaced
    dash is joined to it without a space.
    """
    columns = _Columns()
    seen: list[_Lines] = []
    last: list[str] = []
    for block in text():
        lines = block.split("\n")
        seen = [*seen[:1], _Lines.of([*last, *lines])]
        columns.add(seen[-1], new=len(lines))
        last = lines[-2:-1]  # behind the end of the last line there is nothing
    if not columns.breaks:
        return None
    full = 0.0 if force else columns.full()
    if full is None:
        return None

    def soft(lines: _Lines) -> tuple[_Lines, set[int]]:
        return lines, set(lines.reach) if force else _soft_breaks(list(lines.reach), lines.reach, full)

    only = [soft(lines) for lines in seen] if len(seen) == 1 else []  # what is one block was looked at already

    def parts() -> Iterator[tuple[_Lines, set[int]]]:
        return iter(only) if only else (soft(_Lines.of(part.split("\n"))) for part in _paragraphs(text()))

    if not any(found for _, found in parts()):
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
    """Lines that follow each other, without the white space at their ends, and the breaks between them."""

    whole: list[str]
    bare: list[str]
    reach: dict[int, int]
    """By the number of each break's first line: how far it would have reached with the next word on it, in characters.

    Lines of one to three words prove nothing about a width (and columns of numbers would look wrapped): they count as
    short.
    """

    @classmethod
    def of(cls, lines: list[str]) -> "_Lines":
        bare = [line.rstrip() for line in lines]
        reach = {
            i: len(line) + 1 + _first_word(follower) if line.count(" ") >= 3 else 0
            for i, (line, follower) in enumerate(pairwise(bare))
            if line and follower and not follower[0].isspace() and not line.startswith(_SET_IN)
        }
        return cls(lines, bare, reach)


def _first_word(line: str) -> int:
    space = line.find(" ")
    return len(line) if space < 0 else space


class _Columns:
    """How long the lines of a text are, and where the breaks between them are."""

    def __init__(self) -> None:
        self.breaks = self._neighbours = self._small = 0
        self._reaches, self._lengths = (np.zeros(_WIDEST + 2, dtype=np.int64) for _ in range(2))

    def add(self, lines: _Lines, new: int) -> None:
        """Count the breaks between lines, and the lines, of which the last `new` have not been counted yet."""
        bare, reach = lines.bare, lines.reach
        self.breaks += len(reach)
        self._neighbours += sum(1 for a, b in pairwise(bare) if a and b)
        heads = [bare[i + 1][0] for i in reach]
        self._small += sum(c.isalpha() and not c.isupper() for c in heads)
        self._reaches += _histogram(list(reach.values()))
        self._lengths += _histogram([len(line) for line in bare[len(bare) - new :] if line])

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


def _histogram(lengths: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many there are of each length, those beyond the widest together."""
    clipped = np.minimum(np.array(lengths, dtype=np.int64), _WIDEST + 1)
    return np.bincount(clipped, minlength=_WIDEST + 2)


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


def _joined(lines: _Lines, soft: set[int]) -> str:
    """The text of the lines, the soft breaks between them gone."""
    out: list[str] = []
    i = 0
    while i < len(lines.whole):
        if i not in soft:
            out.append(lines.whole[i])
            i += 1
            continue
        parts = [lines.bare[i]]
        while i in soft:
            i += 1
            follower = lines.bare[i]
            end = parts[-1][-1]
            tight = (
                _GLUED.search(parts[-1][-3:]) if end in "-—" else not end.isascii() and _CJK.match(end + follower[0])
            )
            parts += ["" if tight else " ", follower]
        out.append("".join(parts))
        i += 1
    return "\n".join(out)
