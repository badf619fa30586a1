"""`--bench tokenize`: from files to token ids, stage by stage, and against Hugging Face `tokenizers` where installed.

Without --data the text is the built-in stories. Each stage is measured alone, the whole as `prepare` does it, several
stages at once. The limit of the tokenizer's training is counting the text's pieces alone, with the same library: every
way of training has to find them. The peer does the same text work on the same text: it trains a byte-level BPE of the
same size with the same split, and encodes all of the text, on all processors. `text_work` is that alone; in
`files_to_ids` both read the files as we do; in `prepared` ours also measures baselines and writes everything, theirs
does not. Each time has a process of its own, as for a person who does it once: for the third time in one, `tokenizers`
takes almost twice as long. Memory is the most that this process ever held.
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

from tinylm.bench.pairs import seconds, told_in_pairs
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
"""Bytes of text beyond which everything is measured once."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """The rows, as they come; DataError where the text cannot be used."""
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
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _apart(config: RunConfig, work: str, theirs: bool) -> float:
    """How long something takes in a process of its own, once it has loaded what it needs."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_told, config, work, theirs).result()


def _told(config: RunConfig, work: str, theirs: bool) -> float:
    if theirs:
        import tokenizers  # noqa: F401, PLC0415  # loaded before the clock runs
    malloc.keep()  # as `prepare` does, for both
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder, Spool(Path(folder)) as spool:
        place = Path(folder)
        if work == "text_work":
            read = _Work(config, place, _pieces(config, spool))
            return seconds(lambda: read.text_work(theirs))
        if work == "prepared" and not theirs:
            return seconds(lambda: prepare(config, place / "home"))
        return seconds(lambda: _Work(config, place, _pieces(config, spool)).text_work(theirs))


class _Work:
    """What there is to do with one text, in the ways that are compared."""

    def __init__(self, config: RunConfig, place: Path, pieces: list[Piece]) -> None:
        self._config, self._place, self._pieces = config, place, pieces
        self._train = [piece.text for piece in pieces if not piece.held_out]
        self._held_out = [piece.text for piece in pieces if piece.held_out]
        self._numbers = count()
        self.megabytes = sum(piece.text.size for piece in pieces) / 1e6
        self.runs = RUNS if self.megabytes * 1e6 < LARGE else 1

    def stages(self) -> Iterator[Row]:
        """Each stage by itself, and the whole."""
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
        """The text work alone, all of the way from files to ids, and this with all that we do besides."""
        for name in ("text_work", "files_to_ids", "prepared"):
            apart = partial(_apart, self._config, name)
            pairs = told_in_pairs(lambda: apart(False), lambda: apart(True), self.runs)  # noqa: B023  # called at once
            taken, peer = (round(statistics.median(times), 4) for times in (pairs.ours, pairs.theirs))
            ratio = round(pairs.ratio, 3)
            yield Row(f"tokenize.{name}", taken, "s", peer="tokenizers", peer_value=peer, ratio=ratio, runs=self.runs)

    def text_work(self, theirs: bool) -> None:
        """Train a tokenizer and encode all of the text."""
        if theirs:
            self._theirs()
        else:
            self._encode(self._learn())

    def _seconds(self, work: Callable[[], object]) -> float:
        return statistics.median(seconds(work) for _ in range(self.runs))

    def _read(self) -> None:
        with Spool(self._place) as spool:
            _pieces(self._config, spool)

    def _learn(self, config: TokenizerConfig | None = None) -> Tokenizer:
        return make_tokenizer(config or self._config.tokenizer, self._train, self._held_out)[0]

    def _encode(self, tokenizer: Tokenizer) -> None:
        with (self._place / "tokens.bin").open("wb") as file:
            encode.write(file, {"": self._pieces}, tokenizer, "uint32")

    def _prepare(self) -> None:
        prepare(self._config, self._place / str(next(self._numbers)))  # a home without a cache

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
