"""Cleans a text for training: line ends, NFC, Gutenberg's licence, hard wraps.

Pure functions. A text that is not clearly a hard-wrapped book changes only in its line ends and its Unicode form, so
verse, dialogue and code stay as they are. Texts are read block by block and several times: first to count what the
decisions need, then to apply them.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tinylm.corpus import gutenberg
from tinylm.corpus.blocks import Blocks, in_memory, unix_line_ends, whole_lines
from tinylm.corpus.unwrap import unwrapped

CLEANING_VERSION = 3
"""Part of the cache key: raise it when the same bytes would give another text."""

Unwrap = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Cleaned:
    """A cleaned text, and which of the changes that people are told about were made."""

    blocks: Blocks
    cut_gutenberg: bool
    unwrapped: bool

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.blocks())


def clean(text: str | Blocks, unwrap: Unwrap = "auto") -> Cleaned:
    r"""Line ends to \n, no byte order mark, NFC, no Gutenberg header and licence, hard wraps joined.

    `unwrap` is "auto" (only hard-wrapped prose, and in it only wrapped paragraphs), "on" (every paragraph that is not
    indented) or "off". Cleaning a cleaned text changes nothing.

    A string is cleaned once. Blocks are cleaned anew on each reading, in the memory of a few blocks, the longest line
    and, in a hard-wrapped text, the longest paragraph. A text with hundreds of accents on one letter keeps its Unicode
    form: the time for normalising them grows with the square of their number.
    """
    once = in_memory if isinstance(text, str) else lambda blocks: blocks
    raw: Blocks = (lambda: iter([text])) if isinstance(text, str) else text
    lines = once(lambda: whole_lines(_without_bom(unix_line_ends(raw()))))
    length, composed = 0, True
    for block in lines():  # no accent combines with a line end, so blocks of whole lines are normalised one by one
        length += len(block)
        composed = composed and unicodedata.is_normalized("NFC", block)
    if not composed and not any(_has_stacked_accents(block) for block in lines()):
        lines = once(_composed(lines))
        length = sum(len(block) for block in lines())
    body = gutenberg.books(lines, length)
    whole = lines if body is None else once(lambda: whole_lines(body()))
    joined = None if unwrap == "off" else unwrapped(whole, force=unwrap == "on")
    return Cleaned(whole if joined is None else once(joined), body is not None, joined is not None)


def normalized(text: str) -> str:
    r"""A short text, such as a prompt, in the form of cleaned text: line ends to \n, no byte order mark, NFC."""
    text = "".join(_without_bom(unix_line_ends(iter([text]))))
    return text if _has_stacked_accents(text) else unicodedata.normalize("NFC", text)


def _composed(text: Blocks) -> Blocks:
    return lambda: (unicodedata.normalize("NFC", block) for block in text())


def _without_bom(blocks: Iterator[str]) -> Iterator[str]:
    """The text without the byte order marks at its beginning."""
    begun = False
    for block in blocks:
        text = block if begun else block.lstrip("\ufeff")
        begun = begun or bool(text)
        yield text


_MARKS = re.compile(r"[^\w\s\x00-\x7f]++")  # accents, among what is neither letter, digit nor space
_STACKED = 500


def _has_stacked_accents(text: str) -> bool:
    """Whether a letter has hundreds of accents."""
    runs = (match[0] for match in _MARKS.finditer(text) if match.end() - match.start() >= _STACKED)
    return any(
        is_accent and len(list(group)) >= _STACKED
        for run in runs
        for is_accent, group in groupby(run, lambda character: unicodedata.combining(character) > 0)
    )
