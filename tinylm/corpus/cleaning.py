"""From text as it was found to the text worth learning: line ends, NFC, Gutenberg's licence, hard wraps.

Everything here is a pure function of its argument. What is not clearly a hard-wrapped book keeps every
character but its line ends and its Unicode form, so verse, dialogue and code come out as they went in.
A text is read block by block, several times over: what is to be known of the whole is counted before it is used.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tinylm.corpus import gutenberg
from tinylm.corpus.blocks import Blocks, kept, plain_ends, whole_lines
from tinylm.corpus.unwrap import unwrapped

CLEANING_VERSION = 2
"""Part of the cache key: raise it whenever the same bytes would come out as other text."""

Unwrap = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Cleaned:
    """A cleaned text, and which of the cuts that people should hear of were made."""

    blocks: Blocks
    cut_gutenberg: bool
    unwrapped: bool

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.blocks())


def clean(text: str | Blocks, unwrap: Unwrap = "auto") -> Cleaned:
    r"""Line ends to \n, no byte order mark, NFC, no Gutenberg header and licence, hard wraps joined.

    A text with hundreds of accents on one letter keeps its Unicode form: sorting them takes a time that grows with the
    square of their number.
    `unwrap` is "auto" (only texts that are hard-wrapped prose, and in those only the paragraphs that are),
    "on" (every paragraph that is not indented) or "off". Cleaning a cleaned text changes nothing.
    What is given as blocks is cleaned anew each time that it is read, and takes no more memory than some of them, its
    longest line and, where it is hard-wrapped, its longest paragraph; a string is cleaned once.
    """
    once = kept if isinstance(text, str) else lambda blocks: blocks
    found: Blocks = (lambda: iter([text])) if isinstance(text, str) else text
    lines = once(lambda: whole_lines(_without_mark(plain_ends(found()))))
    length, composed = 0, True
    for block in lines():  # no accent belongs to a line's end, so the Unicode form of each block is its own affair
        length += len(block)
        composed = composed and unicodedata.is_normalized("NFC", block)
    if not composed and not any(_piled(block) for block in lines()):
        lines = once(_composed(lines))
        length = sum(len(block) for block in lines())
    body = gutenberg.books(lines, length)
    whole = lines if body is None else once(lambda: whole_lines(body()))
    joined = None if unwrap == "off" else unwrapped(whole, force=unwrap == "on")
    return Cleaned(whole if joined is None else once(joined), body is not None, joined is not None)


def _composed(text: Blocks) -> Blocks:
    return lambda: (unicodedata.normalize("NFC", block) for block in text())


def _without_mark(blocks: Iterator[str]) -> Iterator[str]:
    """The text without the byte order marks in front of it."""
    begun = False
    for block in blocks:
        text = block if begun else block.lstrip("\ufeff")
        begun = begun or bool(text)
        yield text


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
