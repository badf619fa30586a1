"""Batches of token ids as a pure function of (seed, step), and the held-out windows that a model is measured on.

Nothing here remembers where it was: any step's batch can be drawn at any time, so a resumed run sees what the
undisturbed one would have seen, and evaluating more or less often changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tinylm.data.dataset import Prepared, Segment
from tinylm.data.shuffle import mix, permute
from tinylm.errors import DataError, RunError
from tinylm.hardware import device
from tinylm.model.transformer import IGNORE_INDEX

AHEAD = 32
"""For so many steps at once it is worked out where windows begin: for each alone it took 1.6 ms of 77 (`stories`)."""

_LOOKED_AT = 1 << 20
"""Ids by which it is judged how long documents are."""


class Corpus:
    """The prepared texts of a run: token ids in a memory map (on a GPU: in its memory), layout and tokenizer."""

    def __init__(self, folder: Path, place: torch.device) -> None:
        """Open a prepared folder or a run folder (`prepare.py`); RunError where its files do not fit each other."""
        prepared = Prepared.open(folder)
        self._folder, self.layout, self.tokenizer = folder, prepared.layout, prepared.tokenizer
        width = prepared.ids.itemsize
        # torch computes with signed integers: the same bits, and `read` masks the sign away again.
        self._ids = torch.from_numpy(prepared.ids.view(f"int{8 * width}"))
        self._mask = (1 << 8 * width) - 1
        self.device = place
        if place.type == "cuda":
            self._ids = self._ids.to(place)

    @property
    def train_tokens(self) -> int:
        """Ids for training in a pass, before any gap is cut; those of a text with a weight as often as it is read."""
        return sum(part.end - part.start for parts in self.layout.groups.values() for part in parts)

    @property
    def val_tokens(self) -> int:
        """Held-out ids that are predicted: all but the one that each piece begins with."""
        return sum(end - start - 1 for start, end in self.layout.held_out)

    def read(self, places: Tensor) -> Tensor:
        """The ids (int64) at `places`, any shape, in `tokens.bin`."""
        return self._ids[places].to(torch.int64) & self._mask

    def stream(self, group: str, block_size: int) -> Stream:
        """The training ids of a group as one stream; DataError where it is too short for `block_size`."""
        if group not in self.layout.groups:
            raise RunError(
                f"The data.json in {self._folder} knows no texts by the name {group!r}.",
                "Restore it and config.toml as they were, or train again.",
            )
        return Stream(self, self.layout.groups[group], block_size)


class Stream:
    """A group's training ids in a row, without the gap of a block that keeps every window away from held-out text."""

    def __init__(self, corpus: Corpus, segments: list[Segment], block_size: int) -> None:
        self._corpus = corpus
        self.device = corpus.device
        self.block_size = block_size
        kept = [
            (part.start + part.before * block_size, part.end - part.after * block_size)
            for part in segments
            if part.end - part.start > (part.before + part.after) * block_size
        ]
        lengths = torch.tensor([end - start for start, end in kept] or [0])
        self.tokens = int(lengths.sum())
        shortest = 4 * block_size
        if self.tokens < shortest:
            given = sum(part.end - part.start for part in segments)
            smaller = 1 << max(3, (self.tokens // 4).bit_length() - 1)
            mend = (
                f", or a smaller context: --set model.block_size={smaller}"
                if smaller < block_size and 4 * smaller <= self.tokens
                else ""
            )
            raise DataError(
                f"The text is too short: {given:,} training tokens, and a context of {block_size} needs at least "
                f"{shortest + given - self.tokens:,}.",
                f"Give more text{mend}.",
            )
        # Where segment i begins in the stream, and how far its ids lie from there in the file.
        self._begins = torch.cumsum(lengths, 0) - lengths
        self._shift = torch.tensor([start for start, _ in kept]) - self._begins
        if corpus.device.type == "cuda":
            self._begins, self._shift = self._begins.to(corpus.device), self._shift.to(corpus.device)

    def document(self) -> int:
        """Tokens that 19 of 20 documents have at most, with the end-of-text token of each; by the first of them."""
        ids = self._read(torch.arange(min(self.tokens, _LOOKED_AT), device=self.device))
        ends = torch.nonzero(ids == self._corpus.tokenizer.end_of_text)[:, 0].cpu()
        lengths = ends.diff(prepend=torch.tensor([0]), append=torch.tensor([len(ids)]))
        lengths = lengths[lengths > 1].sort().values
        return int(lengths[(19 * len(lengths) - 1) // 20])

    def windows(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each (len(starts), block_size), of the windows that begin at `starts` in the stream.

        The stream is a circle: what runs over its end goes on at its beginning.
        """
        offsets = torch.arange(self.block_size + 1, device=starts.device)
        ids = self._read((starts[:, None] + offsets) % self.tokens)
        return ids[:, :-1], ids[:, 1:]

    def _read(self, places: Tensor) -> Tensor:
        """The ids at `places` in the stream, any shape."""
        which = torch.searchsorted(self._begins, places, right=True) - 1
        return self._corpus.read(places + self._shift[which])


class Batches:
    """The windows of each step, a pure function of (seed, step); steps are counted from 0."""

    def __init__(self, stream: Stream, placement: str, batch_size: int, seed: int) -> None:
        """`placement` is `data.windows`; `batch_size` is windows a step, accumulation included.

        chunked: an epoch cuts the stream from a new phase into windows side by side and visits them in a new order,
        so each token is a target once (up to block_size - 1 tokens rest that epoch). every_offset: an epoch visits a
        window at each offset once, in a new order.
        """
        self.stream = stream
        self._chunked = placement == "chunked"
        self._batch_size = batch_size
        self._seed = seed
        self._known: tuple[int, Tensor] | None = None
        self.windows_per_epoch = (
            stream.tokens // stream.block_size if self._chunked else stream.tokens - stream.block_size
        )

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each (batch_size, block_size)."""
        return self.stream.windows(self.starts(step))

    def starts(self, step: int) -> Tensor:
        """Where the windows of a step begin in the stream, shape (batch_size,)."""
        first = step - step % AHEAD
        if self._known is None or self._known[0] != first:
            self._known = first, self._starts_from(first)
        return self._known[1][step - first]

    def _starts_from(self, first: int) -> Tensor:
        """Those of `AHEAD` steps from `first` on, a row each: (AHEAD, batch_size)."""
        number = torch.arange(first * self._batch_size, (first + AHEAD) * self._batch_size)
        epochs, places = number // self.windows_per_epoch, number % self.windows_per_epoch
        starts = torch.empty_like(number)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            order = permute(places[here], self.windows_per_epoch, mix(self._seed, epoch))
            phase = mix(self._seed, epoch, 1) % self.stream.tokens
            starts[here] = (phase + order * self.stream.block_size) if self._chunked else order
        return device.sent((starts % self.stream.tokens).view(AHEAD, -1), self.stream.device)


@dataclass(frozen=True)
class HeldOut:
    """The held-out text in windows that do not overlap: row i begins at `starts[i]` and predicts `lengths[i]` ids."""

    starts: Tensor
    lengths: Tensor

    @classmethod
    def cut(cls, pieces: list[tuple[int, int]], block_size: int) -> HeldOut:
        """Cut each piece (start, end) into windows of `block_size`, its last one shorter; order as in the text."""
        starts, lengths = [], []
        for start, end in pieces:
            for place in range(start, end - 1, block_size):
                starts.append(place)
                lengths.append(min(block_size, end - 1 - place))
        return cls(torch.tensor(starts, dtype=torch.int64), torch.tensor(lengths, dtype=torch.int64))

    def some(self, rows: int, seed: int) -> HeldOut:
        """At most `rows` of the windows, the same ones for the same seed."""
        chosen = torch.randperm(len(self.starts), generator=torch.Generator().manual_seed(seed))[:rows].sort().values
        return HeldOut(self.starts[chosen], self.lengths[chosen])

    def batches(self, corpus: Corpus, batch_size: int, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets in shapes (batch_size, block_size), always full: what is missing is IGNORE_INDEX."""
        rows = -(-len(self.starts) // batch_size) * batch_size
        starts = torch.zeros(rows, dtype=torch.int64)
        lengths = torch.zeros(rows, dtype=torch.int64)
        starts[: len(self.starts)], lengths[: len(self.starts)] = self.starts, self.lengths
        offsets = torch.arange(block_size + 1)
        for first in range(0, rows, batch_size):
            begin, length = starts[first : first + batch_size, None], lengths[first : first + batch_size, None]
            # Past its end a row reads its own last id again, so that nothing is read that is not there.
            ids = corpus.read(device.sent(begin + torch.minimum(offsets, length), corpus.device))
            inside = device.sent(offsets[1:] <= length, corpus.device)
            yield ids[:, :-1], torch.where(inside, ids[:, 1:], IGNORE_INDEX)
