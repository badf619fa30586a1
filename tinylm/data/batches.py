"""Batches of training sequences as a pure function of (seed, step), and the held-out sequences for evaluation.

There is no state: any step's batch can be drawn at any time, so a resumed run sees the batches of an uninterrupted one,
and how often one evaluates changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tinylm.data.dataset import Prepared, Segment
from tinylm.data.shuffle import mix, permute
from tinylm.errors import DataError, RunError
from tinylm.hardware.device import copy_async
from tinylm.model.transformer import IGNORE_INDEX

STEPS_AHEAD = 32
"""Steps whose sequence starts are computed at once, since doing it for each alone takes 2 % of a step
(assets/results/notes.md)."""

GAP_SHARE = 0.005
"""Most of a stream that the gaps beside held-out text may take, where `data.split` is 2."""

MIN_BLOCKS = 4
"""The shortest stream, in blocks."""

_SAMPLED_IDS = 1 << 20
"""Ids, from the beginning of a stream, by which the length of documents is estimated."""


class Corpus:
    """The prepared texts of a run: token ids in a memory map (on a GPU in its memory), layout and tokenizer."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Open a prepared folder or a run folder (`prepare.py`); RunError if it is damaged."""
        prepared = Prepared.open(folder)
        self._folder, self.layout, self.tokenizer = folder, prepared.layout, prepared.tokenizer
        width = prepared.ids.itemsize
        # torch has few operations for unsigned integers: view the bits as signed, and let `read` mask the sign away.
        self._ids = torch.from_numpy(prepared.ids.view(f"int{8 * width}"))
        self._mask = (1 << 8 * width) - 1
        self.device = device
        if device.type != "cpu":
            self._ids = self._ids.to(device)

    @property
    def train_tokens(self) -> int:
        """Training ids of an epoch, before gaps around held-out text are cut; repeated texts count repeatedly."""
        return sum(part.end - part.start for parts in self.layout.groups.values() for part in parts)

    @property
    def val_tokens(self) -> int:
        """Held-out ids that are predicted: all but the first of each span."""
        return sum(end - start - 1 for start, end in self.layout.held_out)

    def read(self, positions: Tensor) -> Tensor:
        """The ids (int64) at positions of `tokens.bin`, any shape."""
        return self._ids[positions].to(torch.int64) & self._mask

    def stream(self, group: str, block_size: int) -> Stream:
        """The training ids of a group as one stream; DataError if it is too short for `block_size`."""
        if group not in self.layout.groups:
            raise RunError(
                f"The data.json in {self._folder} knows no texts by the name {group!r}.",
                "Restore it and config.toml as they were, or train again.",
            )
        return Stream(self, group, block_size)


class Stream:
    """A group's training ids, concatenated, without a gap of some ids next to held-out text on either side.

    A gap has `block_size` ids; where `data.split` is 2, all gaps together take at most GAP_SHARE of the ids.
    """

    def __init__(self, corpus: Corpus, group: str, block_size: int) -> None:
        segments = corpus.layout.groups[group]
        self._corpus, self.group = corpus, group
        self.device = corpus.device
        self.block_size = block_size
        self.split = corpus.layout.split
        kept = without_gaps(segments, self.split, block_size)
        lengths = torch.tensor([end - start for start, end in kept] or [0])
        self.tokens, self.gap_tokens = int(lengths.sum()), _length(segments) - int(lengths.sum())
        if self.tokens < MIN_BLOCKS * block_size:
            name = "The text" if len(corpus.layout.groups) == 1 else f"The text {group}"
            raise _too_short(name, segments, self.split, block_size)
        # Where segment i begins in the stream, and the distance from there to its position in the file.
        self._begins = torch.cumsum(lengths, 0) - lengths
        self._shift = torch.tensor([start for start, _ in kept]) - self._begins
        if corpus.device.type != "cpu":
            self._begins, self._shift = self._begins.to(corpus.device), self._shift.to(corpus.device)

    def document_parts(self) -> Tensor:
        """Where in the stream documents begin, and the further parts of those of more than `block_size` ids, (n,)."""
        begins_here = self._read(torch.arange(self.tokens, device=self.device)) == self._corpus.tokenizer.end_of_text
        begins_here[0] = True
        begins = torch.nonzero(begins_here)[:, 0].cpu()
        lengths = begins.diff(append=torch.tensor([self.tokens]))
        parts = -(-lengths // self.block_size)
        first = torch.cumsum(parts, 0) - parts
        number = torch.arange(int(parts.sum())) - first.repeat_interleave(parts)
        return begins.repeat_interleave(parts) + number * self.block_size

    def document_length(self) -> int:
        """95th percentile of the documents' lengths in tokens with their end-of-text token, by the first documents."""
        ids = self._read(torch.arange(min(self.tokens, _SAMPLED_IDS), device=self.device))
        ends = torch.nonzero(ids == self._corpus.tokenizer.end_of_text)[:, 0].cpu()
        lengths = ends.diff(prepend=torch.tensor([0]), append=torch.tensor([len(ids)]))
        lengths = lengths[lengths > 1].sort().values
        return int(lengths[(19 * len(lengths) - 1) // 20])

    def sequences(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each (B, block_size), of the sequences that begin at `starts` (B,) in the stream.

        A sequence that reaches the end of the stream goes on at its beginning.
        """
        offsets = torch.arange(self.block_size + 1, device=starts.device)
        ids = self._read((starts[:, None] + offsets) % self.tokens)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()  # torch.compile makes a pass for each layout

    def _read(self, positions: Tensor) -> Tensor:
        """The ids (int64) at positions of the stream, any shape."""
        segment = torch.searchsorted(self._begins, positions, right=True) - 1
        return self._corpus.read(positions + self._shift[segment])


def _length(segments: Iterable[Segment]) -> int:
    return sum(part.end - part.start for part in segments)


def without_gaps(segments: list[Segment], split: int, block_size: int) -> list[tuple[int, int]]:
    """The spans (start, end) of the segments that are trained on."""
    gap, cuts = block_size, sum(part.before + part.after for part in segments)
    if split > 1 and cuts:
        gap = min(gap, int(GAP_SHARE * _length(segments) / cuts))
    return [
        (part.start + part.before * gap, part.end - part.after * gap)
        for part in segments
        if part.end - part.start > (part.before + part.after) * gap
    ]


def _too_short(name: str, segments: list[Segment], split: int, block_size: int) -> DataError:
    """The error for a text of less than MIN_BLOCKS blocks; it proposes a smaller context where that would do."""

    def kept(size: int) -> int:
        return sum(end - start for start, end in without_gaps(segments, split, size))

    given = _length(segments)
    powers = [1 << n for n in range(block_size.bit_length(), 2, -1)]
    smaller = [size for size in powers if size < block_size and kept(size) >= MIN_BLOCKS * size]
    mend = f", or a smaller context: --set model.block_size={smaller[0]}" if smaller else ""
    return DataError(
        f"{name} is too short: {given:,} training tokens, and a context of {block_size} needs at least "
        f"{MIN_BLOCKS * block_size + given - kept(block_size):,}.",
        f"Give more text{mend}.",
    )


class Batches:
    """The batch of each step, a pure function of (seed, step); steps are counted from 0."""

    def __init__(self, stream: Stream, placement: str, batch_size: int, seed: int) -> None:
        """`placement` is `data.windows`; `batch_size` is in sequences a step, accumulation included.

        chunked: an epoch cuts the stream, from a new offset, into adjacent sequences and visits them in a new order, so
        each token is a target once, but up to block_size - 1 tokens are left out. The first two epochs, the next two
        and so on leave out different ones, but where `data.split` is 1. every_offset: an epoch visits the sequence at
        each offset once, in a new order. documents: likewise the sequences that begin where a document begins, or a
        further part of one that is longer than a sequence; those of short documents overlap.
        """
        self.stream = stream
        self._chunked = placement == "chunked"
        self._parts = stream.document_parts() if placement == "documents" else None
        self._batch_size = batch_size
        self._seed = seed
        self._cached: tuple[int, Tensor] | None = None
        if self._parts is not None:
            self.sequences_per_epoch = len(self._parts)
        elif self._chunked:
            self.sequences_per_epoch = stream.tokens // stream.block_size
        else:
            self.sequences_per_epoch = stream.tokens - stream.block_size

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each (batch_size, block_size), int64."""
        return self.stream.sequences(self.starts(step))

    def starts(self, step: int) -> Tensor:
        """Positions in the stream at which the sequences of a step begin, (batch_size,)."""
        first = step - step % STEPS_AHEAD
        if self._cached is None or self._cached[0] != first:
            self._cached = first, self._starts_from(first)
        return self._cached[1][step - first]

    def _starts_from(self, first: int) -> Tensor:
        """Those of the steps from `first` on, (STEPS_AHEAD, batch_size)."""
        number = torch.arange(first * self._batch_size, (first + STEPS_AHEAD) * self._batch_size)
        epochs, indices = number // self.sequences_per_epoch, number % self.sequences_per_epoch
        starts = torch.empty_like(number)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            in_epoch = epochs == epoch
            order = permute(indices[in_epoch], self.sequences_per_epoch, mix(self._seed, epoch))
            if self._parts is not None:
                order = self._parts[order]
            starts[in_epoch] = (self._offset(epoch) + order * self.stream.block_size) if self._chunked else order
        return copy_async((starts % self.stream.tokens).view(STEPS_AHEAD, -1), self.stream.device)

    def _offset(self, epoch: int) -> int:
        """Where a chunked epoch begins in the stream; what it leaves out lies right before."""
        tokens, number = self.stream.tokens, mix(self._seed, epoch, 1)
        if self.stream.split == 1 or epoch % 2 == 0:
            return number % tokens
        left_out = tokens % self.stream.block_size
        return (self._offset(epoch - 1) + left_out + number % (tokens - 2 * left_out + 1)) % tokens

    def unread(self) -> int:
        """Training tokens that the first two epochs leave out, those in the gaps of the stream included."""
        tokens, left_out = self.stream.tokens, self.stream.tokens % self.stream.block_size
        distance = (self._offset(1) - self._offset(0)) % tokens
        overlap = max(0, left_out - min(distance, tokens - distance))
        return self.stream.gap_tokens + (overlap if self._chunked else 0)


@dataclass(frozen=True)
class HeldOut:
    """Held-out text as disjoint sequences: the i-th begins at `starts[i]` of tokens.bin, predicts `lengths[i]` ids."""

    starts: Tensor
    """(n,), int64"""
    lengths: Tensor
    """(n,), int64"""

    @classmethod
    def cut(cls, spans: list[tuple[int, int]], block_size: int) -> HeldOut:
        """Cut each span (start, end) into sequences of `block_size`, the last one shorter, in order."""
        starts, lengths = [], []
        for start, end in spans:
            for position in range(start, end - 1, block_size):
                starts.append(position)
                lengths.append(min(block_size, end - 1 - position))
        return cls(torch.tensor(starts, dtype=torch.int64), torch.tensor(lengths, dtype=torch.int64))

    def subset(self, size: int, seed: int) -> HeldOut:
        """At most `size` of the sequences, the same ones for the same seed."""
        chosen = torch.randperm(len(self.starts), generator=torch.Generator().manual_seed(seed))[:size].sort().values
        return HeldOut(self.starts[chosen], self.lengths[chosen])

    def batches(self, corpus: Corpus, batch_size: int, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets, each (batch_size, block_size); targets beyond the end of a sequence are IGNORE_INDEX."""
        rows = -(-len(self.starts) // batch_size) * batch_size
        starts, lengths = (F.pad(part, (0, rows - len(part))) for part in (self.starts, self.lengths))
        offsets = torch.arange(block_size + 1)
        for first in range(0, rows, batch_size):
            begin, length = starts[first : first + batch_size, None], lengths[first : first + batch_size, None]
            # Padding repeats the last id of the sequence, so that no position lies outside the file.
            ids = corpus.read(copy_async(begin + torch.minimum(offsets, length), corpus.device))
            inside = copy_async(offsets[1:] <= length, corpus.device)
            yield ids[:, :-1], torch.where(inside, ids[:, 1:], IGNORE_INDEX)
