"""Which part of a text is kept from the training, to measure on it what was learnt."""

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
    """A part of a text: for training or held out; `opens` and `closes` say whether a document begins or ends here."""

    text: TextSpan
    held_out: bool
    opens: bool
    closes: bool
    weight: int = 1
    """How many times it is read in a pass."""


def hold_out(text: Text, fraction: float, placement: str) -> list[Piece]:
    """Divide a text into pieces, `fraction` of it (by characters) held out.

    A text of many documents gives whole ones, its last. One long document gives its tail, or `N_SPANS` spans spread
    evenly over it, each beginning and ending at a line where one is near.
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
            for place in (start, start + fraction / N_SPANS):
                cuts.append(_near_line(document, int(place * len(document))))
    edges = [0, *cuts, len(document)]
    pieces = []
    for i, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            pieces.append(Piece(document.part(start, end), i % 2 == 1, start == 0, end == len(document)))
    return pieces


def _near_line(document: TextSpan, place: int) -> int:
    """The beginning of the line nearest after `place`, where there is one within 1,000 characters."""
    found = str(document.part(place, place + 1000)).find("\n")
    return place if found < 0 else place + found + 1
