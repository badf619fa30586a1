"""`--bench tokenize`: from files to token ids, stage by stage, and against Hugging Face `tokenizers` if installed.

Without --data the text is the built-in stories. Stages are measured one by one, and the whole as `prepare` does it,
several stages at once. The limit of the tokenizer's training is counting the text's pieces with the same library, which
every way of training has to do. The peer trains a byte-level BPE of the same size with the same split and encodes the
whole text, on all processors: `text_work` is this alone; in `files_to_ids` both read the files as we do; in `prepared`
ours also measures baselines and writes everything, theirs does not. Each measurement has a process of its own, since
`tokenizers` takes almost twice as long the third time in one process. Memory is the peak of this process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from tinylm.bench.pairs import alternate, seconds
from tinylm.bench.rows import Row
from tinylm.config import flags, resolve
from tinylm.config.schema import STORIES, RunConfig, TokenizerConfig
from tinylm.corpus.baselines import baselines
from tinylm.corpus.reading import fingerprint
from tinylm.corpus.split import Piece
from tinylm.corpus.spool import Spool, TextSpan
from tinylm.data import encode
from tinylm.data.prepare import groups_of, make_tokenizer, prepare, split_groups
from tinylm.data.tokenizer import GPT4_SPLIT, Tokenizer, training_blocks
from tinylm.hardware import malloc

RUNS = 5
LARGE = 50_000_000
"""A text of more bytes is measured only once."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """The rows, as they come; DataError if the text cannot be used."""
    config = resolve.absolute_sources(flags.configuration(options, home, None))
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder, Spool(Path(folder)) as spool:
        work = _Work(config, Path(folder), _pieces(config, spool))
        yield Row("tokenize.text", round(work.megabytes, 3), "MB")
        yield from work.stages()
        yield Row("tokenize.peak_memory", round(_peak_megabytes(), 1), "MB")
        if find_spec("tokenizers") and config.tokenizer.kind == "bpe":
            yield from work.against_tokenizers()


def _pieces(config: RunConfig, spool: Spool) -> list[Piece]:
    groups, _, _ = split_groups(groups_of(config), config.data, spool)
    return [piece for pieces in groups.values() for piece in pieces]


def _peak_megabytes() -> float:
    """The peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _apart(config: RunConfig, work: str, theirs: bool) -> float:
    """Seconds that `work` takes in a process of its own, imports not included."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_seconds_of, config, work, theirs).result()


def _seconds_of(config: RunConfig, work: str, theirs: bool) -> float:
    if theirs:
        import tokenizers  # noqa: F401, PLC0415  # loaded before the clock runs
    malloc.keep()  # as `prepare` does, for both
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as name, Spool(Path(name)) as spool:
        folder = Path(name)
        if work == "text_work":
            already_read = _Work(config, folder, _pieces(config, spool))
            return seconds(lambda: already_read.text_work(theirs))
        if work == "prepared" and not theirs:
            return seconds(lambda: prepare(config, folder / "home"))
        return seconds(lambda: _Work(config, folder, _pieces(config, spool)).text_work(theirs))


class _Work:
    """The stages of preparing one text, ours and the peer's."""

    def __init__(self, config: RunConfig, folder: Path, pieces: list[Piece]) -> None:
        self._config, self._folder, self._pieces = config, folder, pieces
        self._train = [piece.text for piece in pieces if not piece.held_out]
        self._held_out = [piece.text for piece in pieces if piece.held_out]
        self._numbers = count()
        self.megabytes = sum(piece.text.size for piece in pieces) / 1e6
        self.runs = RUNS if self.megabytes * 1e6 < LARGE else 1

    def stages(self) -> Iterator[Row]:
        """Rows of each stage by itself, and of the whole."""
        tokenizer = self._learn()
        files = [path for sources in groups_of(self._config).values() for path in sources if path != STORIES]
        stages: dict[str, Callable[[], object]] = {
            "read": self._read,
            "train": self._learn,
            "encode": lambda: self._encode(tokenizer),
            "baselines": lambda: baselines(self._train, self._held_out),
            "total": self._prepare,
        }
        if files:
            stages = {"fingerprint": lambda: fingerprint(files, float("inf"))} | stages
        for name, work in stages.items():
            taken = self._seconds(work)
            limit = ratio = None
            if name == "train" and self._config.tokenizer.kind == "bpe":
                limit = self._seconds(lambda: self._learn(TokenizerConfig(vocab_size=257)))
                limit, ratio = round(limit, 4), round(taken / limit, 3)
            yield Row(f"tokenize.{name}", round(taken, 4), "s", limit=limit, ratio=ratio, runs=self.runs)
            yield Row(f"tokenize.{name}.speed", round(self.megabytes / taken, 2), "MB/s", runs=self.runs)

    def against_tokenizers(self) -> Iterator[Row]:
        """Rows of `text_work`, `files_to_ids` and `prepared` against `tokenizers`."""
        for name in ("text_work", "files_to_ids", "prepared"):
            apart = partial(_apart, self._config, name)
            pairs = alternate(lambda: apart(False), lambda: apart(True), self.runs)  # noqa: B023  # called at once
            taken, peer = (round(statistics.median(times), 4) for times in (pairs.ours, pairs.theirs))
            ratio = round(pairs.ratio, 3)
            yield Row(f"tokenize.{name}", taken, "s", peer="tokenizers", peer_value=peer, ratio=ratio, runs=self.runs)

    def text_work(self, theirs: bool) -> None:
        """Train a tokenizer and encode the whole text."""
        if theirs:
            self._theirs()
        else:
            self._encode(self._learn())

    def _seconds(self, work: Callable[[], object]) -> float:
        return statistics.median(seconds(work) for _ in range(self.runs))

    def _read(self) -> None:
        with Spool(self._folder) as spool:
            _pieces(self._config, spool)

    def _learn(self, config: TokenizerConfig | None = None) -> Tokenizer:
        return make_tokenizer(config or self._config.tokenizer, self._train, self._held_out)[0]

    def _encode(self, tokenizer: Tokenizer) -> None:
        with (self._folder / "tokens.bin").open("wb") as file:
            encode.write(file, {"": self._pieces}, tokenizer, "uint32")

    def _prepare(self) -> None:
        prepare(self._config, self._folder / str(next(self._numbers)))  # a home without a cache

    def _theirs(self) -> None:
        import tokenizers  # noqa: PLC0415  # there only with the extra `bench`
        from tokenizers import models, pre_tokenizers, trainers  # noqa: PLC0415

        model = tokenizers.Tokenizer(models.BPE())
        split = pre_tokenizers.Split(tokenizers.Regex(GPT4_SPLIT), "isolated")
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        model.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
        trainer = trainers.BpeTrainer(
            vocab_size=self._config.tokenizer.vocab_size - 1,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        model.train_from_iterator(training_blocks(text.blocks() for text in self._train), trainer)
        texts: list[TextSpan] = [*self._train, *self._held_out]
        for encoding in model.encode_batch_fast(list(training_blocks(text.blocks() for text in texts))):
            assert encoding.ids
