"""Prepares the texts of a run: read, hold out, train the tokenizer, encode, measure baselines.

The result is cached by the content, the cleaning and the tokenizer, so a text is prepared once. A prepared folder has
`data/tokens.bin` (all ids), `data/data.json` (`Layout`) and `tokenizer.json`; a run keeps its own copy, so that it can
be resumed when texts and cache are gone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from tinylm import files, paths
from tinylm.config.schema import STORIES, DataConfig, RunConfig, TokenizerConfig
from tinylm.corpus.baselines import MOST_COMPRESSED, baselines
from tinylm.corpus.cleaning import CLEANING_VERSION
from tinylm.corpus.reading import fingerprint
from tinylm.corpus.sources import read
from tinylm.corpus.split import Piece, hold_out
from tinylm.corpus.spool import Spool, TextSpan
from tinylm.corpus.stories import STORIES_VERSION
from tinylm.data import encode
from tinylm.data.dataset import Layout, Prepared
from tinylm.data.tokenizer import PARAGRAPH_ENDS, Tokenizer, train_tokenizer
from tinylm.errors import RunError
from tinylm.hardware import malloc
from tinylm.words import counted, text_size

FEW_WORDS = 15
"""Bytes of all learnt tokens, in square roots of the text's bytes, below which it is repetition that leaves them few,
and not the text's size: words grow with its root (Heaps' law), in a novel with 70 to 85 times that."""

MOST_TOKENIZER_BYTES = 100_000_000
"""Most bytes of text that a BPE tokenizer is trained on: more does not improve 5,000 tokens, and the distinct words of
a larger text would not fit into memory."""

MIN_BEGINNINGS = 20
"""Texts, or paragraphs, from which a model learns how one begins."""

_SEARCHED_BLOCKS = 32
"""Blocks of at most a megabyte, from the beginning of the texts, in which paragraphs are looked for."""

_PREPARE_VERSION = 2


def group_name(sources: Sequence[str]) -> str:
    """The key of the texts of `sources` in a layout."""
    return " + ".join(sources)


def groups_of(config: RunConfig) -> dict[str, list[str]]:
    """The groups of sources that the phases of a run train on, by name, in order."""
    return {group_name(part): part for part in (phase.sources or config.data.sources for phase in config.train.phases)}


def prepare(config: RunConfig, home: Path) -> Path:
    """The folder of a run's prepared texts, from the cache or made now; DataError if a text cannot be used.

    Two processes may prepare the same: the folder appears whole or not at all.
    """
    malloc.keep()
    groups = groups_of(config)
    texts = paths.cache(home) / "texts"
    folder = texts / _key(groups, config.data, config.tokenizer, files.disk_size(texts))
    if _is_whole(folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # damaged, or partly deleted
    texts.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=texts))
    try:
        _make(making, groups, config.data, config.tokenizer)
        files.give_usual_rights(making, 0o777)
        try:
            making.rename(folder)
        except OSError:
            if not _is_whole(folder):  # else another process was faster
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether a prepared folder has all its files, and they fit each other."""
    try:
        Prepared.open(folder)
    except RunError:
        return False
    return True


def _key(groups: dict[str, list[str]], data: DataConfig, tokenizer: TokenizerConfig, disk_size: float) -> str:
    """The cache key: a short hash of the content of the texts and of all settings that change the result."""
    content = {
        name: [STORIES if source == STORIES else fingerprint([source], disk_size) for source in sources]
        for name, sources in groups.items()
    }
    key: dict[str, Any] = {
        "versions": [_PREPARE_VERSION, CLEANING_VERSION, STORIES_VERSION],
        "content": content,
        "data": data.model_dump(include={"val_fraction", "val_placement", "encoding", "unwrap", "split"}),
        "tokenizer": tokenizer.model_dump(),
    }
    if data.weights is not None:
        key["weights"] = {group_name(data.sources): data.weights}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]


def _make(folder: Path, groups: dict[str, list[str]], data: DataConfig, settings: TokenizerConfig) -> None:
    """Prepare the texts of `groups` in a folder."""
    (folder / "data").mkdir()
    with ThreadPoolExecutor(1) as pool, Spool(folder) as spool:
        pieces_by_group, notes, floor = split_groups(groups, data, spool)
        pieces = [piece for parts in pieces_by_group.values() for piece in parts]
        train = [piece.text for piece in pieces if not piece.held_out]
        held_out = [piece.text for piece in pieces if piece.held_out]
        measuring = pool.submit(baselines, train, held_out)  # numpy and the compressors release the GIL

        tokenizer, tokenizer_notes = make_tokenizer(settings, train, held_out)
        notes += tokenizer_notes
        beginnings = len({piece.text for piece in pieces if piece.starts_document and not piece.held_out})
        if beginnings < MIN_BEGINNINGS and (paragraph_end := _paragraph_end(train)):
            tokenizer.new_text = paragraph_end
            notes.append(
                f"A new text will begin as a {PARAGRAPH_ENDS[paragraph_end]} does: the model sees how "
                f"{counted(beginnings, 'text')} begin{'s' * (beginnings == 1)}, which is too little to learn from."
            )
        dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
        with (folder / "data" / "tokens.bin").open("wb") as file:
            segments, spans = encode.write(file, pieces_by_group, tokenizer, dtype)
            file.flush()
            os.fsync(file.fileno())
        measured = measuring.result()
    size, val_bytes = (sum(text.size for text in texts) for texts in (train, held_out))
    if val_bytes > MOST_COMPRESSED:
        notes.append(f"gzip and xz were asked about the first {MOST_COMPRESSED >> 20} MiB of the held-out text.")
    if val_bytes and floor[1] == val_bytes:
        measured["floor"] = floor[0] / val_bytes
    layout = Layout(
        dtype=dtype,
        groups=segments,
        held_out=spans,
        bytes=size + val_bytes,
        val_bytes=val_bytes,
        baselines={name: round(value, 6) for name, value in measured.items()},
        notes=notes,
        split=data.split,
        stories_version=STORIES_VERSION if any(STORIES in sources for sources in groups.values()) else None,
    )
    files.write_durably(folder / "tokenizer.json", tokenizer.to_json().encode())
    files.write_durably(folder / "data" / "data.json", layout.to_json().encode())


def _paragraph_end(texts: Sequence[TextSpan]) -> str:
    """What ends the paragraphs of texts, of PARAGRAPH_ENDS; empty where there are fewer than MIN_BEGINNINGS of them."""
    found = dict.fromkeys(PARAGRAPH_ENDS, 0)
    for block in islice((block for text in texts for block in text.blocks()), _SEARCHED_BLOCKS):
        for end in PARAGRAPH_ENDS:
            found[end] += block.count(end)
    return next((end for end, times in found.items() if times >= MIN_BEGINNINGS), "")


def make_tokenizer(
    settings: TokenizerConfig, train: Sequence[TextSpan], held_out: Sequence[TextSpan]
) -> tuple[Tokenizer, list[str]]:
    """Train the tokenizer; returns it, and notes about it for people."""
    size = sum(text.size for text in train)
    share = min(1.0, MOST_TOKENIZER_BYTES / max(1, size))
    everything = (text.blocks() for text in (*train, *held_out))
    tokenizer = train_tokenizer(settings, (text.blocks() for text in train), everything, share)
    notes = []
    if settings.kind == "bpe" and share < 1:
        notes.append(f"The tokenizer was trained on {text_size(MOST_TOKENIZER_BYTES)} spread evenly over the text.")
    if settings.kind == "bpe" and tokenizer.vocab_size < settings.vocab_size:
        learnt = sum(len(piece) for piece in tokenizer.pieces if len(piece) > 1)
        repeats = learnt < FEW_WORDS * math.sqrt(size)
        why = "The text repeats the same few words or characters" if repeats else f"The text has only {text_size(size)}"
        notes.append(f"{why}, so it yields {tokenizer.vocab_size:,} different tokens, not {settings.vocab_size:,}.")
    return tokenizer, notes


def split_groups(
    groups: dict[str, list[str]], data: DataConfig, spool: Spool
) -> tuple[dict[str, list[Piece]], list[str], tuple[float, int]]:
    """Read and split all texts: the pieces of each group, notes for people, and (bits, bytes) of held-out stories."""
    readings = {name: read(sources, data, spool) for name, sources in groups.items()}
    texts = [reading.texts for reading in readings.values()]
    pieces_of = hold_out(texts, data.val_fraction, data.val_placement, data.split)
    pieces_by_group: dict[str, list[Piece]] = {}
    floor_bits, floor_bytes = 0.0, 0
    for name, reading in readings.items():
        weights = data.weights if name == group_name(data.sources) else None
        pieces_by_group[name] = []
        for text in reading.texts:
            pieces = pieces_of[text.key]
            pieces_by_group[name] += (
                [replace(piece, weight=weights[text.source]) for piece in pieces] if weights else pieces
            )
            if text.bits is not None:
                held = [(bits, piece) for bits, piece in zip(text.bits, pieces, strict=True) if piece.held_out]
                floor_bits += sum(bits for bits, _ in held)
                floor_bytes += sum(piece.text.size for _, piece in held)
    notes = [note for reading in readings.values() for note in reading.notes]
    return pieces_by_group, notes, (floor_bits, floor_bytes)
