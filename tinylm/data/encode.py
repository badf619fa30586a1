"""Encodes the texts of a run into one file of token ids, and says which spans are for training and held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from tinylm.corpus.split import Piece
from tinylm.corpus.spool import TextSpan
from tinylm.data.dataset import Segment
from tinylm.data.parallel import ordered_map
from tinylm.data.tokenizer import Tokenizer

_TASK_CHARACTERS = 1 << 18
"""Characters that make a task for another thread."""


_Task = list[tuple[int, str | None]]
"""(index of the part, some of its text or None for the end-of-text token), in the order of writing."""


class _Part(NamedTuple):
    """A piece as it is written, with or without the end-of-text token on either side."""

    text: TextSpan
    separator_before: bool
    separator_after: bool = False


def write(
    file: BinaryIO, divided: Mapping[str, Sequence[Piece]], tokenizer: Tokenizer, dtype: str
) -> tuple[dict[str, list[Segment]], list[tuple[int, int]]]:
    """Write all ids: of each group the training pieces, then the held-out ones.

    Returns the training segments by group, and the spans (start, end) of the held-out pieces. Training text has the
    end-of-text token before each document and not after the last: a stream is a circle, whose end is followed by the
    token of its first document. A held-out piece always begins with it, as the context of its first token. Texts that
    are read several times in an epoch are written once, and their segments are repeated.
    """
    parts = [
        _Part(piece.text, True, piece.ends_document) if held_out else _Part(piece.text, piece.starts_document)
        for pieces in divided.values()
        for held_out in (False, True)
        for piece in pieces
        if piece.held_out == held_out
    ]
    spans = iter(_encode(file, parts, tokenizer, dtype))
    groups: dict[str, list[Segment]] = {}
    held_out: list[tuple[int, int]] = []
    for name, pieces in divided.items():
        groups[name] = _segments(pieces, spans)
        held_out += [next(spans) for piece in pieces if piece.held_out]
    return groups, held_out


def _encode(file: BinaryIO, parts: Sequence[_Part], tokenizer: Tokenizer, dtype: str) -> list[tuple[int, int]]:
    """Write the ids of the parts one after the other; returns the span (start, end) of each."""

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
    """What is to be encoded, in the order of writing."""
    task: _Task = []
    characters = 0
    for number, part in enumerate(parts):
        if part.separator_before:
            task.append((number, None))
        for block in tokenizer.safe_blocks(part.text.blocks()):
            task.append((number, block))
            characters += len(block)
            if characters >= _TASK_CHARACTERS:
                yield task
                task, characters = [], 0
        if part.separator_after:
            task.append((number, None))
    if task:
        yield task


def _segments(pieces: Sequence[Piece], spans: Iterator[tuple[int, int]]) -> list[Segment]:
    """The segments of a group's training pieces; adjacent pieces are merged, and weights repeat them."""
    result: list[Segment] = []
    for weight, run in groupby(enumerate(pieces), key=lambda numbered: numbered[1].weight):
        segments: list[Segment] = []
        for i, piece in run:
            if piece.held_out:
                continue
            start, end = next(spans)
            before = not piece.starts_document and pieces[i - 1].held_out
            after = not piece.ends_document and pieces[i + 1].held_out
            if segments and segments[-1].end == start and not (before or segments[-1].after):
                segments[-1] = Segment(segments[-1].start, end, segments[-1].before, after)
            else:
                segments.append(Segment(start, end, before, after))
        result += segments * weight
    return result
