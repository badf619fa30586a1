"""Keeps cleaned texts on disk: a corpus may be far larger than memory.

Texts are read in blocks, any number of times; positions are in characters, as in a Python string.
"""

from __future__ import annotations

import codecs
import tempfile
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from tinylm import files

BLOCK = 1 << 20
"""Bytes read, and characters written, at a time."""

INDEX_CHARS = 1 << 13
"""Characters between two entries of the index from characters to bytes, at most."""


class Spool:
    """An unnamed temporary file of UTF-8 to which texts are appended; several threads may read it."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open it in `folder`, by default the system's temporary folder; the system deletes it when it is closed."""
        self._folder = folder or Path(tempfile.gettempdir())
        self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
        self._lock = threading.Lock()
        # The index: the same positions, at most INDEX_CHARS characters apart, in characters and in bytes.
        self._characters, self._bytes = array("q", [0]), array("q", [0])

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the disk space; later reads raise ValueError."""
        with self._lock:
            self._file.close()

    def disk_size(self) -> int:
        """Size in bytes of the disk that holds the file, used and free space together."""
        return files.disk_size(self._folder)

    def put(self, blocks: Iterable[str]) -> TextSpan:
        """Append a text; OSError if the disk is full."""
        first = len(self._characters) - 1
        for block in blocks:
            for begin in range(0, len(block), BLOCK):
                self._append(block[begin : begin + BLOCK])
        return TextSpan(self, self._characters[first], self._characters[-1], self._bytes[first], self._bytes[-1])

    def _append(self, text: str) -> None:
        parts = [text[begin : begin + INDEX_CHARS] for begin in range(0, len(text), INDEX_CHARS)]
        encoded = [part.encode() for part in parts]
        with self._lock:
            self._file.seek(self._bytes[-1])
            self._file.write(b"".join(encoded))
        for part, data in zip(parts, encoded, strict=True):
            self._characters.append(self._characters[-1] + len(part))
            self._bytes.append(self._bytes[-1] + len(data))

    def read(self, start: int, end: int) -> bytes:
        """The bytes from position `start` to `end`."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)

    def byte_of(self, character: int) -> int:
        """The position in bytes of a position in characters."""
        mark = bisect_right(self._characters, character) - 1
        start, more = self._bytes[mark], character - self._characters[mark]
        if not more:
            return start
        return start + len(self.read(start, self._bytes[mark + 1]).decode()[:more].encode())


@dataclass(frozen=True)
class TextSpan:
    """A text, or a part of one, in a spool; `len` counts its characters, `str` reads all of it.

    Positions are counted from the beginning of the spool; ends are exclusive.
    """

    spool: Spool
    first_char: int
    end_char: int
    start_byte: int
    end_byte: int

    def __len__(self) -> int:
        return self.end_char - self.first_char

    def __str__(self) -> str:
        return self.spool.read(self.start_byte, self.end_byte).decode()

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.end_byte - self.start_byte

    def blocks(self) -> Iterator[str]:
        """The text in blocks of at most `BLOCK` bytes, none of them empty."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start in range(self.start_byte, self.end_byte, BLOCK):
            if text := decoder.decode(self.spool.read(start, min(start + BLOCK, self.end_byte))):
                yield text

    def part(self, first: int, end: int) -> TextSpan:
        """Its characters from `first` to `end`, clipped to its length like a slice of a string."""
        end = min(end, len(self))
        first = min(first, end)
        start_byte = self.start_byte if first == 0 else self.spool.byte_of(self.first_char + first)
        end_byte = self.end_byte if end == len(self) else self.spool.byte_of(self.first_char + end)
        return TextSpan(self.spool, self.first_char + first, self.first_char + end, start_byte, end_byte)
