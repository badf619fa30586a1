"""Reads the folder of a run that another process may be writing: its log as it grows, and its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tinylm import events, files
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.events import Event
from tinylm.runs.folder import RunFolder


class LogReader:
    """Reads an event log, and later only what was added to it."""

    def __init__(self) -> None:
        self._position = 0
        """Bytes read."""
        self._last_line = b""
        """The line that ends there."""

    def read(self, path: Path) -> Iterator[Event | None]:
        """The events added since the last call; OSError where the log cannot be read.

        None where the log was cut back, as a resumed run does, and is now read from its start. A last line that is
        still being written is left for the next call; lines that cannot be parsed and unknown events are passed over.
        """
        with files.opened(path) as file:
            # A log that was cut back may have grown beyond the old position since: its length says nothing.
            file.seek(max(0, self._position - len(self._last_line)))
            if file.read(len(self._last_line)) != self._last_line:
                self._position, self._last_line = 0, b""
                yield None
            file.seek(self._position)
            for line in files.lines(file):
                if not line.endswith(b"\n"):
                    return
                self._position, self._last_line = self._position + len(line), line
                try:
                    event = events.from_json(line)
                except (ValueError, TypeError):
                    continue
                if event is not None:
                    yield event


def read_config(run: RunFolder) -> RunConfig | None:
    """A run's configuration; None where its folder has none that can be read."""
    try:
        return run.config()
    except (OSError, TinyLMError):
        return None
