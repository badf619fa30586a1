"""Divides texts into training text and held-out text."""

from dataclasses import dataclass
from itertools import pairwise

from tinylm.corpus.reading import Text
from tinylm.corpus.spool import TextSpan

N_SPANS = 4
"""Into how many contiguous spans `val_placement = "spans"` divides the held-out part of a text."""

MIN_SPANS_CHARS = 100_000
"""Shorter texts give their tail: the gaps around spans would cost more than spans are worth."""


@dataclass(frozen=True)
class Piece:
    """A part of a text, for training or held out."""

    text: TextSpan
    held_out: bool
    starts_document: bool
    ends_document: bool
    weight: int = 1
    """How many times it is read in an epoch."""


def hold_out(text: Text, fraction: float, placement: str) -> list[Piece]:
    """Divide a text into pieces, `fraction` of it (by characters) held out.

    Of several documents the last ones are held out whole. A single long document gives its tail, or `N_SPANS` spans
    spread evenly over it, each from one line start to another where there is one nearby.
    """
    if len(text.documents) > 1:
        wanted = fraction * sum(map(len, text.documents))
        held, first = 0, len(text.documents)
        while first > 1 and held < wanted:
            first -= 1
            held += len(text.documents[first])
        return [Piece(document, i >= first, True, True) for i, document in enumerate(text.documents)]
    document = text.documents[0]
    if placement == "tail" or len(document) < MIN_SPANS_CHARS:
        # nanoGPT cuts at int(0.9 n), and so does the preset `char` that is compared with it.
        cuts = [int(len(document) * (1 - fraction)), len(document)]
    else:
        cuts = []
        for i in range(N_SPANS):
            start = (i + 1) / (N_SPANS + 1) * (1 - fraction) + i / N_SPANS * fraction
            for edge in (start, start + fraction / N_SPANS):
                cuts.append(_next_line(document, int(edge * len(document))))
    return [
        Piece(document.part(begin, end), i % 2 == 1, begin == 0, end == len(document))
        for i, (begin, end) in enumerate(pairwise([0, *cuts, len(document)]))
        if begin < end
    ]


def _next_line(document: TextSpan, position: int) -> int:
    """The next line start after a position, or the position itself where none is within 1,000 characters."""
    newline = str(document.part(position, position + 1000)).find("\n")
    return position if newline < 0 else position + newline + 1
