"""The ids of all texts of a run in one file, and the places in it: what is trained on, and what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from tinylm.corpus.split import Piece
from tinylm.corpus.spool import TextSpan
from tinylm.data.dataset import Segment
from tinylm.data.parallel import ordered_map
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import DataError

_ENOUGH = 1 << 18
"""Characters after which enough is together to be encoded by another thread."""


_Task = list[tuple[int, str | None]]
"""Numbers of parts, each with some of its text, or None for the end-of-text token."""


class _Part(NamedTuple):
    """A piece as it is written: whether the end-of-text token stands before it, and behind it."""

    text: TextSpan
    before: bool
    behind: bool


def write(
    file: BinaryIO, divided: Mapping[str, Sequence[Piece]], tokenizer: Tokenizer, dtype: str
) -> tuple[dict[str, list[Segment]], list[tuple[int, int]]]:
    """Write all ids: each group's training pieces in a row, then its held-out pieces; returns where they lie.

    Training text has the end-of-text token before each document and after the last; a held-out piece has it in front
    always, since a model that is measured from there on needs something to begin with. Ids are written once, also
    those of texts that are read several times in a pass: their segments are repeated. DataError where nothing is left
    to train on.
    """
    if all(piece.held_out for pieces in divided.values() for piece in pieces):
        raise DataError("Nothing is left to train on.", "Hold out less: --set data.val_fraction=0.1.")
    parts = [
        _Part(piece.text, held_out or piece.opens, piece.closes if held_out else _is_last(pieces, i))
        for pieces in divided.values()
        for held_out in (False, True)
        for i, piece in enumerate(pieces)
        if piece.held_out == held_out
    ]
    places = iter(_encode(file, parts, tokenizer, dtype))
    groups: dict[str, list[Segment]] = {}
    held_out: list[tuple[int, int]] = []
    for name, pieces in divided.items():
        groups[name] = _segments(pieces, places)
        held_out += [next(places) for piece in pieces if piece.held_out]
    return groups, held_out


def _is_last(pieces: Sequence[Piece], i: int) -> bool:
    """Whether a training piece ends a document behind which no other is trained on."""
    return pieces[i].closes and (i + 1 == len(pieces) or pieces[i + 1].held_out)


def _encode(file: BinaryIO, parts: Sequence[_Part], tokenizer: Tokenizer, dtype: str) -> list[tuple[int, int]]:
    """Write the ids of the parts one after the other; returns where each begins and ends."""

    end_of_text = np.array([tokenizer.end_of_text])

    def encode(task: _Task) -> tuple[list[int], list[int], npt.NDArray[np.unsignedinteger[Any]]]:
        numbers, blocks = zip(*task, strict=True)
        encoded = iter(tokenizer.encode_each([block for block in blocks if block is not None]))
        ids = [end_of_text if block is None else next(encoded) for block in blocks]
        return list(numbers), [len(part) for part in ids], np.concatenate(ids).astype(dtype)

    lengths = np.zeros(len(parts), dtype=np.int64)
    for numbers, counts, ids in ordered_map(encode, _tasks(parts, tokenizer)):
        np.add.at(lengths, numbers, counts)
        file.write(ids.tobytes())
    ends = np.cumsum(lengths)
    return list(zip((ends - lengths).tolist(), ends.tolist(), strict=True))


def _tasks(parts: Sequence[_Part], tokenizer: Tokenizer) -> Iterator[_Task]:
    """What there is to encode, in the order in which it is written."""
    task: _Task = []
    characters = 0
    for number, part in enumerate(parts):
        if part.before:
            task.append((number, None))
        for block in tokenizer.portions(part.text.blocks()):
            task.append((number, block))
            characters += len(block)
            if characters >= _ENOUGH:
                yield task
                task, characters = [], 0
        if part.behind:
            task.append((number, None))
    if task:
        yield task


def _segments(pieces: Sequence[Piece], places: Iterator[tuple[int, int]]) -> list[Segment]:
    """Where the training pieces of a group lie; neighbours are one segment, and weights repeat them."""
    found: list[Segment] = []
    for weight, run in groupby(enumerate(pieces), key=lambda numbered: numbered[1].weight):
        segments: list[Segment] = []
        closed = False
        for i, piece in run:
            if piece.held_out:
                continue
            closed = _is_last(pieces, i)
            start, end = next(places)
            before = not piece.opens and pieces[i - 1].held_out
            after = not piece.closes and pieces[i + 1].held_out
            if segments and segments[-1].end == start and not (before or segments[-1].after):
                segments[-1] = Segment(segments[-1].start, end, segments[-1].before, after)
            else:
                segments.append(Segment(start, end, before, after))
        if weight > 1 and segments:
            # What follows begins with an end-of-text token; two in a row would teach that a text can be empty.
            again = [*segments[:-1], replace(segments[-1], end=segments[-1].end - closed)]
            segments = again * (weight - 1) + segments
        found += segments
    return found
