"""What is in a text, at a glance: how much, how often it repeats itself, and some of it to read."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tinylm.config.schema import DataConfig
from tinylm.corpus import sources
from tinylm.corpus.blocks import whole_lines
from tinylm.corpus.spool import Spool, TextSpan

MOST_EXCERPTS = 40

MOST_LINES = 1 << 20
"""Different lines that are remembered, which takes about 80 MB."""

_BEFORE_LINE, _BEFORE_WORD = re.compile(r"\n(?=[ \t]*\S)"), re.compile(r"\s(?=\S)")


@dataclass(frozen=True)
class Profile:
    """The cleaned texts of a run, counted, and some stretches of them."""

    documents: int
    characters: int
    bytes: int
    distinct_characters: int
    repeated_lines: float
    """Share of the lines that are not blank, by characters, that stood before already, white space at their ends
    apart."""
    excerpts: tuple[str, ...]
    """Stretches spread evenly over the text, each from the beginning of a line or a word."""
    notes: tuple[str, ...]
    """What was done to the texts when they were read."""


def profile(data: DataConfig, size: int = 1200) -> Profile:
    """Read the texts of `data` as a run does and look at them; excerpts have about `size` characters.

    Each text counts once, whatever its weight. DataError where a text cannot be used.
    """
    with Spool() as spool:
        reading = sources.read(data.sources, data, spool)
        documents = [document for text in reading.texts for document in text.documents]
        return Profile(
            documents=len(documents),
            characters=sum(map(len, documents)),
            bytes=sum(document.size for document in documents),
            distinct_characters=len(set().union(*(set(block) for text in documents for block in text.blocks()))),
            repeated_lines=_repeated_lines(documents),
            excerpts=tuple(_excerpts(documents, size)),
            notes=reading.notes,
        )


def _repeated_lines(documents: Iterable[TextSpan]) -> float:
    """See `Profile`; where there are more than MOST_LINES different ones, those with certain hashes speak for all."""
    seen: set[int] = set()  # their hashes, which take less room than the lines
    mask = characters = repeated = 0
    for line in (line for text in documents for block in whole_lines(text.blocks()) for line in block.split("\n")):
        if bare := line.strip():
            characters += len(bare)
            key = hash(bare)
            if not key & mask:
                repeated += len(bare) * (mask + 1) * (key in seen)
                seen.add(key)
                if len(seen) > MOST_LINES:
                    mask = 2 * mask + 1
                    seen = {key for key in seen if not key & mask}
    return min(1.0, repeated / max(1, characters))


def _excerpts(documents: Sequence[TextSpan], size: int) -> list[str]:
    """Stretches of the documents in a row, a blank line between them; as many as fit, `MOST_EXCERPTS` at most."""
    starts = list(accumulate((len(document) for document in documents), initial=0))
    count = min(MOST_EXCERPTS, max(1, starts[-1] // size))
    excerpts = []
    for i in range(count):
        place = i * starts[-1] // count
        number = bisect_right(starts, place, hi=len(documents)) - 1
        excerpt = _from(documents, number, place - starts[number], size)
        if excerpt:
            excerpts.append(excerpt)
    return excerpts


def _from(documents: Sequence[TextSpan], number: int, place: int, size: int) -> str:
    """About `size` characters from `place` in a document on, and out of those that follow it, up to a word's end."""
    begin = _beginning(documents[number], place, size // 4)
    parts: list[str] = []
    left = size
    while left > 0 and number < len(documents):
        parts.append(str(documents[number].part(begin, begin + left)))
        left -= len(parts[-1])
        cut = begin + len(parts[-1]) < len(documents[number])
        number, begin = number + 1, 0
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    last = max(text.rfind(" "), text.rfind("\n"))
    return text[:last].rstrip() if cut and last > len(text) - size // 4 else text.rstrip()


def _beginning(document: TextSpan, place: int, reach: int) -> int:
    """The beginning of a line within `reach` characters after `place`, else of a word, else the place itself."""
    if place == 0:
        return 0
    near = str(document.part(place - 1, place + reach))
    for edge in _BEFORE_LINE, _BEFORE_WORD:
        if found := edge.search(near):
            return place - 1 + found.end()
    return place
