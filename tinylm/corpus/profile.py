"""A summary of a text: its size, how much of it repeats, and excerpts."""

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
"""Distinct lines whose hashes are kept, which takes about 80 MB."""

_BEFORE_LINE, _BEFORE_WORD = re.compile(r"\n(?=[ \t]*\S)"), re.compile(r"\s(?=\S)")


@dataclass(frozen=True)
class Profile:
    """Counts over the cleaned texts of a run, and excerpts."""

    documents: int
    characters: int
    bytes: int
    distinct_characters: int
    repeated_lines: float
    """Share, by characters, of the non-blank lines that repeat an earlier one; white space at their ends is ignored."""
    excerpts: tuple[str, ...]
    """Spread evenly over the text; each starts with a line or a word."""
    notes: tuple[str, ...]
    """What was done to the texts when they were read, in sentences."""


def profile(data: DataConfig, size: int = 1200) -> Profile:
    """Read the texts of `data` as a run does and summarise them; excerpts have about `size` characters.

    Each text counts once, whatever its weight. Raises DataError if a text cannot be used.
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
            excerpts=tuple(cut_excerpts(documents, size)),
            notes=reading.notes,
        )


def _repeated_lines(documents: Iterable[TextSpan]) -> float:
    """See `Profile`; of more than MOST_LINES distinct lines, a sample by hash gives an estimate."""
    seen: set[int] = set()  # hashes take less memory than lines
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


def cut_excerpts(documents: Sequence[TextSpan], size: int) -> list[str]:
    """Excerpts of the documents joined by blank lines: as many as fit, `MOST_EXCERPTS` at most."""
    starts = list(accumulate((len(document) for document in documents), initial=0))
    count = min(MOST_EXCERPTS, max(1, starts[-1] // size))
    excerpts = []
    for i in range(count):
        position = i * starts[-1] // count
        number = bisect_right(starts, position, hi=len(documents)) - 1
        excerpt = _excerpt(documents, number, position - starts[number], size)
        if excerpt:
            excerpts.append(excerpt)
    return excerpts


def _excerpt(documents: Sequence[TextSpan], number: int, position: int, size: int) -> str:
    """About `size` characters from a position in document `number`, going on into the next ones, up to a word's end."""
    begin = _beginning(documents[number], position, size // 4)
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


def _beginning(document: TextSpan, position: int, reach: int) -> int:
    """The start of a line within `reach` characters after a position, else of a word, else the position itself."""
    if position == 0:
        return 0
    near = str(document.part(position - 1, position + reach))
    for edge in _BEFORE_LINE, _BEFORE_WORD:
        if match := edge.search(near):
            return position - 1 + match.end()
    return position
