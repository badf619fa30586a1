"""Cleaned texts on the disk instead of in the memory: a corpus may be far larger than what fits there.

A text is read in blocks, as often as need be; places in it are counted in characters, as people and Python count.
"""

from __future__ import annotations

import codecs
import io
import math
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
"""Bytes of a text that are read at a time, and characters that are written at a time."""

_MARK = 1 << 13
"""Characters after which it is noted anew at which byte they end."""


class Spool:
    """A file of UTF-8 without a name, to which texts are appended; several threads may read it at once."""

    def __init__(self, folder: Path | None = None, *, in_memory: bool = False) -> None:
        """The file lies in `folder`, else where the system keeps such; the system deletes it when it is closed."""
        self._folder = None if in_memory else folder or Path(tempfile.gettempdir())
        self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder)) if self._folder else io.BytesIO()  # noqa: SIM115
        self._lock = threading.Lock()
        # Where stretches of at most _MARK characters begin and the last one ends: in characters, and in bytes.
        self._characters, self._bytes = array("q", [0]), array("q", [0])

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the room back; whoever reads on gets a ValueError."""
        with self._lock:
            self._file.close()

    def disk(self) -> float:
        """Bytes that the disk has, full or free, where the file lies; endless in the memory."""
        return files.disk_size(self._folder) if self._folder else math.inf

    def put(self, blocks: Iterable[str]) -> TextSpan:
        """Append a text; OSError where the disk has no room for it."""
        first = len(self._characters) - 1
        for block in blocks:
            for place in range(0, len(block), BLOCK):
                self._append(block[place : place + BLOCK])
        return TextSpan(self, self._characters[first], self._characters[-1], self._bytes[first], self._bytes[-1])

    def _append(self, text: str) -> None:
        parts = [text[place : place + _MARK] for place in range(0, len(text), _MARK)]
        encoded = [part.encode() for part in parts]
        with self._lock:
            self._file.seek(self._bytes[-1])
            self._file.write(b"".join(encoded))
        for part, data in zip(parts, encoded, strict=True):
            self._characters.append(self._characters[-1] + len(part))
            self._bytes.append(self._bytes[-1] + len(data))

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)

    def byte_of(self, character: int) -> int:
        """At which byte of the file a character begins."""
        mark = bisect_right(self._characters, character) - 1
        place, more = self._bytes[mark], character - self._characters[mark]
        if not more:
            return place
        return place + len(self.read(place, self._bytes[mark + 1]).decode()[:more].encode())


@dataclass(frozen=True)
class TextSpan:
    """A text, or a part of one, in a spool; `len` counts its characters, `str` reads all of it."""

    spool: Spool
    first: int
    """Its first character, and (`last`) the one after its last, among all of the spool; so too its bytes."""
    last: int
    start: int
    end: int

    @classmethod
    def of(cls, text: str) -> TextSpan:
        """A text that is in the memory, as a stretch of a spool of its own."""
        return Spool(in_memory=True).put([text])

    def __len__(self) -> int:
        return self.last - self.first

    def __str__(self) -> str:
        return self.spool.read(self.start, self.end).decode()

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start

    def blocks(self) -> Iterator[str]:
        """The text in blocks of at most `BLOCK` bytes, none of them empty."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        for place in range(self.start, self.end, BLOCK):
            if text := decoder.decode(self.spool.read(place, min(place + BLOCK, self.end))):
                yield text

    def part(self, first: int, last: int) -> TextSpan:
        """Its characters from `first` to `last`, which are cut to what there is as in a slice of a string."""
        last = min(last, len(self))
        first = min(first, last)
        start = self.start if first == 0 else self.spool.byte_of(self.first + first)
        end = self.end if last == len(self) else self.spool.byte_of(self.first + last)
        return TextSpan(self.spool, self.first + first, self.first + last, start, end)
