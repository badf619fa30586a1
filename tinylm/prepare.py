"""From a person's texts to a folder of token ids: read, hold out, train the tokenizer, encode, measure baselines.

The result lies in a cache keyed by the content, the cleaning and the tokenizer, so the same text is prepared once.
A prepared folder holds `data/tokens.bin` (all ids, one after the other), `data/data.json` (where what lies: `Layout`)
and `tokenizer.json`; a run keeps a copy of its own, so that it can go on when texts and cache are gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from tinylm import disk, paths, wary
from tinylm.config import STORIES, DataConfig, RunConfig, TokenizerConfig
from tinylm.corpus.baselines import baselines
from tinylm.corpus.cleaning import CLEANING_VERSION
from tinylm.corpus.reading import Reading, Text, fingerprint, read_paths
from tinylm.corpus.stories import STORIES_VERSION, stories
from tinylm.errors import DataError, RunError
from tinylm.tokenizer import MOST_BYTES, Tokenizer, train_tokenizer

N_SPANS = 4
"""Into how many contiguous spans `val_placement = "spans"` divides the held-out part of a text."""

MIN_SPANS_CHARS = 100_000
"""Shorter texts give their tail: the gaps around spans would cost more than spans are worth."""

_PREPARE_VERSION = 1


_MOST_LAYOUT_BYTES = 1 << 26
"""Of a data.json, which has about 100 bytes for each text."""

_MOST_READ = 100
"""How many times a text is read in a pass at most (`data.weights`)."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, Field(ge=0, lt=1e39)]


@dataclass(frozen=True)
class Segment:
    """A stretch of training ids; `before` and `after` say whether held-out text lies on that side of it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    start: Count
    end: Count
    before: bool
    after: bool


@dataclass(frozen=True)
class Layout:
    """Where what lies in `tokens.bin`, and what there is to say about the text."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    dtype: Literal["uint16", "uint32"]
    groups: dict[str, list[Segment]]
    """Training segments by group of sources; a phase with texts of its own is a group (`group_name`).

    In the order of a pass: those of a text that is read several times in it (`data.weights`) stand here several times.
    """
    held_out: list[tuple[Count, Count]]
    """Held-out pieces (start, end); each begins with the end-of-text token, which is context and not predicted."""
    bytes: Count
    val_bytes: Count
    baselines: dict[str, Number]
    notes: list[str]

    def stretches(self) -> list[tuple[int, int]]:
        """All places (start, end) that are named: training segments and held-out pieces."""
        return [(part.start, part.end) for parts in self.groups.values() for part in parts] + self.held_out

    @property
    def end(self) -> int:
        """How many ids there have to be."""
        return max((end for _, end in self.stretches()), default=0)

    def to_json(self) -> str:
        """The text of a data.json."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """The layout that `to_json` wrote; RunError where the text is not one."""
        try:
            layout = TypeAdapter(cls).validate_json(text)
            for start, end in layout.stretches():
                if start > end:
                    raise ValueError(f"no ids can lie from {start} to {end}")
            if sum(end - start for start, end in layout.stretches()) > _MOST_READ * layout.end:
                raise ValueError("the same ids are read over and over")
            return layout
        except ValueError as error:
            what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise RunError(f"The data.json of this run is damaged: {what}.", "Restore it, or train again.") from None


@dataclass(frozen=True)
class Prepared:
    """A prepared folder or a run folder, opened: its layout, its tokenizer, and its ids in a memory map."""

    layout: Layout
    tokenizer: Tokenizer
    ids: npt.NDArray[np.unsignedinteger[Any]]

    @classmethod
    def open(cls, folder: Path) -> Prepared:
        """Read and check its files; RunError where one is damaged, or they do not fit each other."""
        try:
            layout = Layout.from_json(wary.read(folder / "data" / "data.json", _MOST_LAYOUT_BYTES).decode())
            tokenizer = Tokenizer.from_json(wary.read(folder / "tokenizer.json", MOST_BYTES).decode())
            with wary.opened(folder / "data" / "tokens.bin") as file:
                # "c": torch wants an array that it may write to; nobody does, and it would not reach the disk.
                ids = np.memmap(file, dtype=layout.dtype, mode="c")
        except (OSError, ValueError) as error:
            raise RunError(
                f"The prepared text in {folder} cannot be read: {error}.", "Restore the folder, or train again."
            ) from None
        if layout.end > len(ids):
            raise RunError(f"The tokens.bin in {folder} is shorter than it was.", "Restore it, or train again.")
        if int(ids[: layout.end].max(initial=0)) >= tokenizer.vocab_size:
            raise RunError(
                f"The tokens.bin in {folder} holds tokens that its tokenizer does not know.",
                "Restore both, or train again.",
            )
        return cls(layout, tokenizer, ids)


def group_name(sources: Sequence[str]) -> str:
    """The name under which the texts of `sources` lie in a layout."""
    return " + ".join(sources)


def groups_of(config: RunConfig) -> dict[str, list[str]]:
    """The groups of sources that the phases of a run train on, in order, each once."""
    return {group_name(part): part for part in (phase.sources or config.data.sources for phase in config.train.phases)}


def prepare(config: RunConfig, home: Path) -> Path:
    """The folder with the prepared texts of a run, from the cache or made now; DataError where a text cannot be used.

    Safe against a second process that prepares the same: the folder appears whole or not at all.
    """
    groups = groups_of(config)
    folder = paths.cache(home) / "texts" / _key(groups, config.data, config.tokenizer)
    if _is_whole(folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # somebody cleared a part of the cache
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    try:
        _make(making, groups, config.data, config.tokenizer)
        making.chmod(0o777 & ~disk.umask())  # mkdtemp makes private folders
        try:
            making.rename(folder)
        except OSError:
            if not _is_whole(folder):  # else another process was faster
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether all that belongs into a prepared folder is there, and fits."""
    try:
        Prepared.open(folder)
    except RunError:
        return False
    return True


def _key(groups: dict[str, list[str]], data: DataConfig, tokenizer: TokenizerConfig) -> str:
    """The content of the texts and all that decides what becomes of it, as a short hash."""
    content = {
        name: [STORIES if source == STORIES else fingerprint([source]) for source in sources]
        for name, sources in groups.items()
    }
    decides: dict[str, Any] = {
        "versions": [_PREPARE_VERSION, CLEANING_VERSION, STORIES_VERSION],
        "content": content,
        "data": data.model_dump(include={"val_fraction", "val_placement", "unwrap"}),
        "tokenizer": tokenizer.model_dump(),
    }
    if data.weights is not None:
        decides["weights"] = {group_name(data.sources): data.weights}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Piece:
    """A part of a text: for training or held out; `opens` and `closes` say whether a document begins or ends here."""

    text: str
    held_out: bool
    opens: bool
    closes: bool
    weight: int = 1
    """How many times it is read in a pass."""


def read(sources: Sequence[str], data: DataConfig) -> Reading:
    """The cleaned texts of `sources`, the built-in stories first; `given` is each one's place in `sources`."""
    texts: list[Text] = []
    notes: list[str] = []
    plain = [place for place, source in enumerate(sources) if source != STORIES]
    if STORIES in sources:
        told = stories()
        documents, bits = tuple(story.text for story in told), tuple(story.bits for story in told)
        texts.append(Text(STORIES, documents, bits, sources.index(STORIES)))
    if plain:
        reading = read_paths([sources[place] for place in plain], data.unwrap)
        texts += (replace(text, given=plain[text.given]) for text in reading.texts)
        notes += reading.notes
    return Reading(tuple(texts), tuple(notes))


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
            pieces.append(Piece(document[start:end], i % 2 == 1, start == 0, end == len(document)))
    return pieces


def _near_line(document: str, place: int) -> int:
    """The beginning of the line nearest after `place`, where there is one within 1,000 characters."""
    return document.find("\n", place, place + 1000) + 1 or place


def _make(folder: Path, groups: dict[str, list[str]], data: DataConfig, settings: TokenizerConfig) -> None:
    notes: list[str] = []
    divided: dict[str, list[Piece]] = {}
    floor_bits, floor_bytes = 0.0, 0
    for name, sources in groups.items():
        reading = read(sources, data)
        weights = data.weights if name == group_name(data.sources) else None
        notes += reading.notes
        divided[name] = []
        for text in reading.texts:
            pieces = hold_out(text, data.val_fraction, data.val_placement)
            divided[name] += [replace(piece, weight=weights[text.given]) for piece in pieces] if weights else pieces
            if text.bits is not None:
                held = [(bits, piece) for bits, piece in zip(text.bits, pieces, strict=True) if piece.held_out]
                floor_bits += sum(bits for bits, _ in held)
                floor_bytes += sum(len(piece.text.encode()) for _, piece in held)
    pieces = [piece for parts in divided.values() for piece in parts]
    train = [piece.text for piece in pieces if not piece.held_out]
    held_out = [piece.text for piece in pieces if piece.held_out]
    tokenizer = train_tokenizer(settings, train, train + held_out)
    if settings.kind == "bpe" and tokenizer.vocab_size < settings.vocab_size:
        notes.append(f"This text is so small that it yields {tokenizer.vocab_size} tokens, not {settings.vocab_size}.")

    val_bytes = sum(len(text.encode()) for text in held_out)
    measured = baselines(train, held_out)
    if floor_bytes and floor_bytes == val_bytes:
        measured["floor"] = floor_bits / floor_bytes
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
    (folder / "data").mkdir()
    with (folder / "data" / "tokens.bin").open("wb") as file:
        segments, spans = _encode(file, divided, tokenizer, dtype)
        os.fsync(file.fileno())
    layout = Layout(
        dtype=dtype,
        groups=segments,
        held_out=spans,
        bytes=sum(len(text.encode()) for text in train) + val_bytes,
        val_bytes=val_bytes,
        baselines={name: round(value, 6) for name, value in measured.items()},
        notes=notes,
    )
    disk.write_durably(folder / "tokenizer.json", tokenizer.to_json().encode())
    disk.write_durably(folder / "data" / "data.json", layout.to_json().encode())


def _encode(
    file: Any, divided: dict[str, list[Piece]], tokenizer: Tokenizer, dtype: str
) -> tuple[dict[str, list[Segment]], list[tuple[int, int]]]:
    """Write all ids: each group's training pieces in a row, then its held-out pieces.

    Training text has the end-of-text token before each document and after the last; a held-out piece has it in front
    always, since a model that is measured from there on needs something to begin with. Ids are written once, also
    those of texts that are read several times in a pass: their segments are repeated.
    """
    end_of_text = [tokenizer.end_of_text]
    place = 0

    def put(*parts: Any) -> tuple[int, int]:
        nonlocal place
        ids = np.concatenate([np.asarray(part, dtype=dtype) for part in parts])
        file.write(ids.tobytes())
        start, place = place, place + len(ids)
        return start, place

    groups: dict[str, list[Segment]] = {}
    held_out: list[tuple[int, int]] = []
    for name, pieces in divided.items():
        groups[name] = []
        for weight, run in groupby(enumerate(pieces), key=lambda numbered: numbered[1].weight):
            segments: list[Segment] = []
            closed = False
            for i, piece in run:
                if piece.held_out:
                    continue
                closed = piece.closes and (i + 1 == len(pieces) or pieces[i + 1].held_out)
                start, end = put(
                    end_of_text if piece.opens else [], tokenizer.encode(piece.text), end_of_text if closed else []
                )
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
            groups[name] += segments
        for piece in pieces:
            if piece.held_out:
                closing = end_of_text if piece.closes else []
                held_out.append(put(end_of_text, tokenizer.encode(piece.text), closing))
    if not any(groups.values()):
        raise DataError("Nothing is left to train on.", "Hold out less: --set data.val_fraction=0.1.")
    return groups, held_out
