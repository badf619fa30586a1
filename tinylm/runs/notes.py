"""The home's notes.json: a person's notes on runs, and the names that runs were given while they were trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from tinylm import files
from tinylm.errors import RunError

NOTES_FORMAT = 1

TRASH = "bin"
"""The part of notes.json with the notes on runs in the trash."""

_MOST_BYTES = 1 << 24


class Notes:
    """The content of notes.json; a damaged file counts as empty, and is kept under another name before a write."""

    def __init__(self, home: Path) -> None:
        self._file, self._damaged = home / "notes.json", False
        self._table: dict[str, Any] = {}
        try:
            table = files.json_object(files.read(self._file, _MOST_BYTES))
            if not isinstance(table.get("runs"), dict):
                raise ValueError("no notes")
            self._table = table
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            self._damaged = True

    def part(self, name: str) -> dict[str, dict[str, Any]]:
        """Names and notes by the run's folder, for `runs` or for the trash (TRASH); entries that are no tables go."""
        part = self._table.get(name)
        part = {key: value for key, value in part.items() if isinstance(value, dict)} if isinstance(part, dict) else {}
        self._table[name] = part
        return part

    def put(self, part: str, folder: str, note: dict[str, Any]) -> None:
        """Set the note on a folder; an empty one deletes it."""
        notes = self.part(part)
        notes.pop(folder, None)
        if note:
            notes[folder] = note

    def write(self) -> None:
        """Write it to the disk; RunError where that fails."""
        with disk_errors(self._file):
            if self._damaged:
                self._file.rename(files.free_path(self._file.parent, "notes.json.damaged"))
            table = {"format": NOTES_FORMAT, **self._table}
            files.replace_durably(
                self._file, json.dumps(table, ensure_ascii=False, indent=1).encode("utf-8", "replace")
            )


@contextmanager
def edit_notes(home: Path) -> Iterator[Notes]:
    """The notes for editing, locked against other programs and written at the end; RunError where that fails."""
    with disk_errors(home / "notes.json"), FileLock(home / ".notes.lock"):
        notes = Notes(home)
        yield notes
        notes.write()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raises an OSError from inside as a RunError."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{error.filename or path} cannot be written: {error.strerror}.", "Check its rights, and the disk."
        ) from error
