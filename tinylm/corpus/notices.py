"""What people should hear about their files: sentences, and the words in them."""

import os
import unicodedata
from collections import Counter
from pathlib import Path

from tinylm import words
from tinylm.corpus.encoding import DAMAGED_UTF8


class Said:
    """Collects what was done to which file, so that a thousand files make a few sentences."""

    def __init__(self) -> None:
        self.empty: list[str] = []  # named outright
        self._encodings: dict[str, list[str]] = {}
        self._repeats: dict[str, list[str]] = {}  # by what they repeat
        self._twice: list[str] = []
        self._cut: list[str] = []
        self._joined: list[str] = []

    def repeat(self, path: Path, name: str, first: tuple[Path, str]) -> None:
        """A file, by path and name, that has the same bytes as the one that came `first`."""
        if path.resolve() == first[0].resolve():
            self._twice.append(name)
            return
        a, b = (first[1], name) if first[1] != name else (shown(first[0]), shown(path))
        self._repeats.setdefault(a, []).append(b)

    def text(self, name: str, encoding: str, cut: bool, joined: bool) -> None:
        """What was done to a text."""
        if encoding != "UTF-8":
            self._encodings.setdefault(encoding, []).append(name)
        if cut:
            self._cut.append(name)
        if joined:
            self._joined.append(name)

    def notes(self) -> list[str]:
        """All of it in sentences."""
        notes = []
        if self.empty:
            notes.append(f"{listed(self.empty)} {were(self.empty)} empty and left out.")
        for encoding, names in self._encodings.items():
            verb, it = ("is", "it was") if len(names) == 1 else ("are", "they were")
            if encoding == DAMAGED_UTF8:
                notes.append(f"{listed(names)} {verb} UTF-8 with damaged bytes; those were read as \ufffd.")
            else:
                notes.append(f"{listed(names)} {verb} not UTF-8; {it} read as {encoding}.")
        for first, names in self._repeats.items():
            verb = "repeats" if len(names) == 1 else "repeat"
            notes.append(f"{listed(names)} {verb} {first} and {were(names)} read once.")
        if self._twice:
            notes.append(f"{listed(self._twice)} {were(self._twice)} given twice and read once.")
        if self._cut:
            notes.append(f"Cut the Project Gutenberg header and licence of {listed(self._cut)}.")
        if self._joined:
            notes.append(f"Joined hard-wrapped lines in {listed(self._joined)}.")
        return notes


def shown(path: str | Path) -> str:
    """A path for people and for JSON: U+FFFD for control characters and for bytes that are not Unicode."""
    text = os.fspath(path).replace(os.sep, "/")
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def were(names: list[str]) -> str:
    """ "was" or "were"."""
    return "was" if len(names) == 1 else "were"


def a(kind: str) -> str:
    """ "an office document"."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def listed(names: list[str], most: int = 4) -> str:
    """ "a.txt, b.txt and 7 more"."""
    return words.listed(names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"])


def counted(kinds: Counter[str]) -> str:
    """ "3 pictures and 1 hidden file": the most frequent first."""
    return words.listed([f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in kinds.most_common()])


def only(kinds: Counter[str]) -> str:
    """What a folder holds instead of text, to be put behind that."""
    return f", only {counted(kinds)}" if kinds else ": it is empty"
