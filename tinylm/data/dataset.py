"""A prepared folder: token ids (`data/tokens.bin`), their layout (`data/data.json`) and the tokenizer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from tinylm import files
from tinylm.config.schema import SPLIT
from tinylm.data.tokenizer import MOST_BYTES, Tokenizer
from tinylm.errors import RunError
from tinylm.events import Count

_MOST_JSON_BYTES = 1 << 26
"""Largest data.json; it has about 100 bytes for each text."""

_BLOCK = 1 << 22
"""Ids checked at a time."""

_MOST_REPEATS = 100
"""Most times a text may be read in an epoch (`data.weights`)."""

Number = Annotated[float, Field(ge=0, lt=1e39)]


@dataclass(frozen=True)
class Segment:
    """A span of training ids; `before` and `after` say whether held-out text lies on that side of it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    start: Count
    end: Count
    before: bool
    after: bool


@dataclass(frozen=True)
class Layout:
    """The contents of `data.json`: the spans of `tokens.bin`, and facts about the text."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    dtype: Literal["uint16", "uint32"]
    groups: dict[str, list[Segment]]
    """Training segments by group of sources (`group_name`); a phase with texts of its own is a group.

    In the order of an epoch: a text that is read several times in it (`data.weights`) is listed several times.
    """
    held_out: list[tuple[Count, Count]]
    """Held-out spans (start, end); each begins with the end-of-text token, which is context and not predicted."""
    bytes: Count
    val_bytes: Count
    baselines: dict[str, Number]
    notes: list[str]
    split: Annotated[int, Field(ge=1, le=SPLIT)] = 1
    """`data.split`; the layouts of earlier versions lack it."""
    stories_version: int | None = None
    """Version of the grammar that wrote the built-in stories, where they are among the texts.

    The floor and the judge belong to this version. The first grammar wrote no version, and has no judge.
    """

    def spans(self) -> list[tuple[int, int]]:
        """All spans (start, end): training segments and held-out ones."""
        return [(part.start, part.end) for parts in self.groups.values() for part in parts] + self.held_out

    @property
    def end(self) -> int:
        """The number of ids that tokens.bin must have."""
        return max((end for _, end in self.spans()), default=0)

    def to_json(self) -> str:
        """The text of a data.json."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what `to_json` wrote; RunError if it is damaged."""
        try:
            layout = TypeAdapter(cls).validate_json(text)
            for start, end in layout.spans():
                if start > end:
                    raise ValueError(f"no ids can lie from {start} to {end}")
            if sum(end - start for start, end in layout.spans()) > _MOST_REPEATS * layout.end:
                raise ValueError("the same ids are read over and over")
            return layout
        except ValueError as error:
            what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise RunError(f"The data.json of this run is damaged: {what}.", "Restore it, or train again.") from None


@dataclass(frozen=True)
class Prepared:
    """A prepared folder or a run folder, opened: layout, tokenizer, and ids (n_tokens,) as a memory map."""

    layout: Layout
    tokenizer: Tokenizer
    ids: npt.NDArray[np.unsignedinteger[Any]]

    @classmethod
    def open(cls, folder: Path) -> Prepared:
        """Read and check the files; RunError if one is damaged or they do not fit each other."""
        try:
            layout = Layout.from_json(files.read(folder / "data" / "data.json", _MOST_JSON_BYTES).decode())
            tokenizer = Tokenizer.from_json(files.read(folder / "tokenizer.json", MOST_BYTES).decode())
            with files.open_regular(folder / "data" / "tokens.bin") as file:
                # "c": copy on write, since torch wants a writable array.
                ids = np.memmap(file, dtype=layout.dtype, mode="c")
                largest = _largest(file, ids.dtype, min(layout.end, len(ids)))
        except (OSError, ValueError) as error:
            raise RunError(
                f"The prepared text in {folder} cannot be read: {error}.", "Restore the folder, or train again."
            ) from None
        if layout.end > len(ids):
            raise RunError(f"The tokens.bin in {folder} is shorter than it was.", "Restore it, or train again.")
        if largest >= tokenizer.vocab_size:
            raise RunError(
                f"The tokens.bin in {folder} holds tokens that its tokenizer does not know.",
                "Restore both, or train again.",
            )
        return cls(layout, tokenizer, ids)


def _largest(file: BinaryIO, dtype: np.dtype[Any], count: int) -> int:
    """The largest of the first `count` ids of a file; read in blocks, since a memory map counts as memory in use."""
    file.seek(0)
    largest = 0
    for start in range(0, count, _BLOCK):
        largest = max(largest, int(np.fromfile(file, dtype, min(_BLOCK, count - start)).max(initial=0)))
    return largest
