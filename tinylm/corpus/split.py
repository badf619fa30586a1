"""Divides the texts of a run into training text and held-out text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinylm.corpus.reading import Text
from tinylm.corpus.spool import TextSpan

N_SPANS = 4
"""Into how many contiguous spans `val_placement = "spans"` divides the held-out part of a text."""

MIN_SPANS_CHARS = 100_000
"""Shorter texts give their tail: the gaps around spans would cost more than spans are worth."""

SHORT_CHARS = 20_000
"""Shorter texts are held out whole or not at all: the tail of a note is too little to judge a model by."""


@dataclass(frozen=True)
class Piece:
    """A part of a text, for training or held out."""

    text: TextSpan
    held_out: bool
    starts_document: bool
    ends_document: bool
    weight: int = 1
    """How many times it is read in an epoch."""


def hold_out(
    groups: Sequence[Sequence[Text]], fraction: float, placement: str, version: int
) -> dict[bytes, list[Piece]]:
    """The pieces of each distinct text of a run by its key, `fraction` of the characters held out.

    `groups` are the texts that phases train on; a text of several groups is divided once. In `version` 1 (`data.split`)
    every text gives a part of its own; in version 2, short texts are held out whole, and every group keeps one to train
    on.
    """
    texts = {text.key: text for group in groups for text in group}
    short = {key for key, text in texts.items() if version > 1 and _is_short(text)}
    pieces = {key: _part_of(text, fraction, placement) for key, text in texts.items() if key not in short}
    keys = [{text.key for text in group} for group in groups]
    whole = {key: text.documents[0] for key, text in texts.items() if key in short}
    return pieces | _whole_texts(whole, keys, fraction, placement)


def _is_short(text: Text) -> bool:
    return len(text.documents) == 1 and len(text.documents[0]) < SHORT_CHARS


def _whole_texts(
    texts: dict[bytes, TextSpan], groups: Sequence[set[bytes]], fraction: float, placement: str
) -> dict[bytes, list[Piece]]:
    """Hold out whole texts: the last ones for `tail`, else some spread evenly over the texts sorted by length.

    Where that is less than half of what is wanted, since there are few, the longest text gives the rest from its tail.
    """
    held: set[bytes] = set()
    held_chars = wanted = 0.0
    total = sum(map(len, texts.values()))
    left = [len(group) for group in groups]  # texts that each group has to train on
    by_length = sorted(texts, key=lambda key: len(texts[key]))  # stable: texts of one length stay in reading order
    for key in reversed(texts) if placement == "tail" else by_length:
        size = len(texts[key])
        wanted = fraction * total if placement == "tail" else wanted + fraction * size
        if held_chars + size / 2 < wanted:
            members = [i for i, group in enumerate(groups) if key in group]
            if all(left[i] > 1 for i in members):
                held.add(key)
                held_chars += size
                for i in members:
                    left[i] -= 1
        elif placement == "tail":
            break
    pieces = {key: [Piece(text, key in held, True, True)] for key, text in texts.items()}
    if held_chars < fraction * total / 2:
        longest = max((key for key in texts if key not in held), key=lambda key: len(texts[key]))
        size = len(texts[longest])
        pieces[longest] = _tail(texts[longest], min(0.5, fraction * (total / size) - held_chars / size))
    return pieces


def _part_of(text: Text, fraction: float, placement: str) -> list[Piece]:
    """Divide one text, `fraction` of it held out.

    Of several documents the last ones are held out whole. A single document gives its tail, or `N_SPANS` spans spread
    evenly over it, each from one line start to another where there is one nearby.
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
        return _tail(document, fraction)
    cuts = []
    for i in range(N_SPANS):
        start = (i + 1) / (N_SPANS + 1) * (1 - fraction) + i / N_SPANS * fraction
        for edge in (start, start + fraction / N_SPANS):
            cuts.append(_next_line(document, int(edge * len(document))))
    return _cut(document, cuts)


def _tail(document: TextSpan, fraction: float) -> list[Piece]:
    # nanoGPT cuts at int(0.9 n), and so does the preset `char` that is compared with it.
    return _cut(document, [max(1, int(len(document) * (1 - fraction))), len(document)])


def _cut(document: TextSpan, cuts: list[int]) -> list[Piece]:
    """The pieces between ascending cuts; every second one is held out."""
    return [
        Piece(document.part(begin, end), i % 2 == 1, begin == 0, end == len(document))
        for i, (begin, end) in enumerate(pairwise([0, *cuts, len(document)]))
        if begin < end
    ]


def _next_line(document: TextSpan, position: int) -> int:
    """The next line start after a position, or the position itself where none is within 1,000 characters."""
    newline = str(document.part(position, position + 1000)).find("\n")
    return position if newline < 0 else position + newline + 1
