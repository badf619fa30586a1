"""Logs of JSON lines: appending to them, and reading the events that were added since."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinylm import events, files
from tinylm.events import Event

STEP = b'{"event": "step"'
"""How the line of a step begins; nearly all lines of a log are steps."""


class LogWriter:
    """Appends lines to a log."""

    def __init__(self, path: Path, keep_bytes: int | None = None) -> None:
        """Open for appending; with `keep_bytes` cut back to that length first: a resumed run repeats nothing."""
        self.file = path.open("ab", buffering=0)
        if keep_bytes is not None:
            self.cut(keep_bytes)

    def cut(self, keep_bytes: int) -> None:
        """Shorten the file to `keep_bytes`, where it is longer."""
        self.file.truncate(min(keep_bytes, os.fstat(self.file.fileno()).st_size))

    def write(self, lines: Sequence[str]) -> None:
        """Append lines in one write: all of them or, where the disk refuses, none."""
        left = memoryview("".join(line + "\n" for line in lines).encode("utf-8", errors="replace"))
        before = os.fstat(self.file.fileno()).st_size
        try:
            while left:  # a disk that fills up takes a part
                left = left[self.file.write(left) :]
        except OSError:
            self.file.truncate(before)
            raise

    def sync(self) -> int:
        """Flush everything to the disk; returns the length of the file in bytes."""
        os.fsync(self.file.fileno())
        return os.fstat(self.file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class LogReader:
    """Reads an event log that may still grow: each call of `read` gives what was added since the last one."""

    def __init__(self) -> None:
        self._position = 0
        self._last_line = b""
        """The line that ends at that position."""

    def read(self, path: Path) -> Iterator[Event | None]:
        """The events of the lines added since the last call; an unfinished last line is left for the next.

        None comes first where the log was cut back, because its run was resumed: what was read before is void, and
        all events come again. The file may have been renamed between calls. Raises OSError where it cannot be read.
        """
        with files.open_regular(path) as file:
            file.seek(max(0, self._position - len(self._last_line)))
            if file.read(len(self._last_line)) != self._last_line:
                self._position, self._last_line = 0, b""
                yield None
            file.seek(self._position)
            for line in files.lines(file):
                if not line.endswith(b"\n") and len(line) < files.LONGEST_LINE:
                    break
                self._position, self._last_line = self._position + len(line), line
                event = parse(line)
                if event is not None:
                    yield event


def parse(line: bytes) -> Event | None:
    """The event on a line; None where there is none or it is of an unknown kind."""
    try:
        return events.from_json(line)
    except ValueError:
        return None
