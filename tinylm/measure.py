"""What a training is measured on: the same windows of both kinds of text each time, all held-out text at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from tinylm import device
from tinylm.data import Batches, HeldOut, Stream, mix
from tinylm.evaluate import Score, score
from tinylm.session import Session

_TRAIN_WINDOWS, _HELD_OUT_WINDOWS = 1001, 1002
"""What the seed is mixed with: each use of randomness has a stream of its own."""


class Measure:
    """The windows, and the last score of the held-out ones, which the end of a run need not measure again."""

    def __init__(self, parts: Session) -> None:
        self._parts, train = parts, parts.config.train
        self._all = HeldOut.cut(parts.corpus.layout.held_out, parts.config.model.block_size)
        self._some = self._all.some(train.eval_iters * train.batch_size, mix(train.seed, _HELD_OUT_WINDOWS))
        self._known: tuple[int, Score] | None = None
        self._window_seconds = 0.0

    @property
    def windows(self) -> tuple[int, int]:
        """How many held-out windows there are along the way, and at the end."""
        return len(self._some.starts), len(self._all.starts)

    @property
    def closing_seconds(self) -> float:
        """What the whole held-out text will take, by what windows took the last time."""
        return self._window_seconds * len(self._all.starts)

    def along_the_way(self, stream: Stream, clock: Callable[[], float]) -> tuple[Score, Score]:
        """The scores of training text out of `stream` and of held-out text; `clock` gives the run's own seconds."""
        train = self._parts.config.train
        windows = Batches(stream, "every_offset", train.batch_size, mix(train.seed, _TRAIN_WINDOWS))
        on_train = self._score(windows.draw(i) for i in range(train.eval_iters))
        start = clock()
        held_out = self._held_out(self._some)
        self._window_seconds = (clock() - start) / max(1, len(self._some.starts))
        self._known = self._parts.state.step, held_out
        return on_train, held_out

    def at_the_end(self) -> Score:
        """The score of the whole held-out text."""
        some, whole = self.windows
        if some == whole and self._known and self._known[0] == self._parts.state.step:
            return self._known[1]
        return self._held_out(self._all)

    def _held_out(self, windows: HeldOut) -> Score:
        config = self._parts.config
        return self._score(windows.batches(self._parts.corpus, config.train.batch_size, config.model.block_size))

    def _score(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Score:
        precision = device.autocast(self._parts.precision, self._parts.device)
        return score(self._parts.model, batches, self._parts.corpus.tokenizer.token_bytes, precision)
