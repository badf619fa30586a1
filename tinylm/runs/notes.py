"""What a person wrote on runs: names that are shown and notes, in the home's notes.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock

from tinylm import files
from tinylm.errors import RunError

NOTES_FORMAT = 1

_MOST_BYTES = 1 << 24


class Notes:
    """The home's notes.json; what cannot be read counts as empty, and is kept under another name before a write."""

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

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """Names and notes by folder."""
        return self.part("runs")

    def part(self, name: str) -> dict[str, dict[str, Any]]:
        """The runs, or those in the bin; what is no table in it is left out."""
        part = self._table.get(name)
        part = {key: value for key, value in part.items() if isinstance(value, dict)} if isinstance(part, dict) else {}
        self._table[name] = part
        return part

    def put(self, part: str, folder: str, note: dict[str, Any]) -> None:
        """Keep what is known of a folder; nothing is known where `note` is empty."""
        table = self.part(part)
        table.pop(folder, None)
        if note:
            table[folder] = note

    def write(self) -> None:
        """Bring it on the disk; RunError where that is refused."""
        with telling(self._file):
            if self._damaged:
                self._file.rename(unique(self._file.parent, "notes.json.damaged"))
            table = {"format": NOTES_FORMAT, **self._table}
            files.replace_durably(
                self._file, json.dumps(table, ensure_ascii=False, indent=1).encode("utf-8", "replace")
            )


@contextmanager
def changing(home: Path) -> Iterator[Notes]:
    """The notes, to be changed: no other program does so meanwhile, and at the end they are brought on the disk.

    RunError where that is refused.
    """
    with telling(home / "notes.json"), FileLock(home / ".notes.lock"):
        notes = Notes(home)
        yield notes
        notes.write()


def unique(folder: Path, name: str) -> Path:
    """A path in `folder` that is free: `name`, or with a number behind it."""
    numbered = (f"{name[: 63 - len(str(number))]}-{number}" for number in count(2))
    while (folder / name).exists():
        name = next(numbered)
    return folder / name


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """A refusal of the operating system as a sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{error.filename or path} cannot be written: {error.strerror}.", "Check its rights, and the disk."
        ) from error
