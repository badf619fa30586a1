"""Sentences that tell people what was done to their files, and the phrases they are made of."""

import os
from collections import Counter
from pathlib import Path

from tinylm.corpus.encoding import DAMAGED_UTF8, SHOWN_WORDS, Encoding
from tinylm.words import counted, listed, one_line


class Notices:
    """Collects what was done to each file and sums it up: a thousand files give a few sentences."""

    def __init__(self) -> None:
        self.empty: list[str] = []
        """Files that were named outright and are empty."""
        self._encodings: dict[str, list[tuple[str, Encoding]]] = {}  # those worth a sentence, by the encoding's name
        self._repeats: dict[str, list[str]] = {}  # by the name of the file that they repeat
        self._given: dict[Path, tuple[str, int]] = {}  # by path: the name, and how often it was given, if not once
        self._cut: list[str] = []
        self._joined: list[str] = []

    def add_repeat(self, path: Path, name: str, first: tuple[Path, str]) -> None:
        """Note a file, by path and name, that has the same bytes as an earlier one, `first`."""
        if (real := path.resolve()) == first[0].resolve():
            self._given[real] = first[1], self._given.get(real, ("", 1))[1] + 1
            return
        a, b = (first[1], name) if first[1] != name else (shown(first[0]), shown(path))
        self._repeats.setdefault(a, []).append(b)

    def add_text(self, name: str, encoding: Encoding, cut: bool, joined: bool) -> None:
        """Note a text's encoding, and whether Gutenberg's licence was cut and hard wraps were joined."""
        if encoding.guess is not None or encoding.errors == "replace":
            self._encodings.setdefault(encoding.name, []).append((name, encoding))
        if cut:
            self._cut.append(name)
        if joined:
            self._joined.append(name)

    def sentences(self) -> list[str]:
        """All notices as sentences."""
        sentences = []
        if self.empty:
            sentences.append(f"{abbreviated(self.empty)} {were(self.empty)} empty and left out.")
        sentences += (_on_encoding(files) for files in self._encodings.values())
        for first, names in self._repeats.items():
            verb = "repeats" if len(names) == 1 else "repeat"
            sentences.append(f"{abbreviated(names)} {verb} {first} and {were(names)} read once.")
        if self._given:
            twice = [name for name, _ in self._given.values()]
            counts = {count for _, count in self._given.values()}
            often = "more than once" if len(counts) > 1 else "twice" if counts == {2} else f"{max(counts):,} times"
            sentences.append(f"{abbreviated(twice)} {were(twice)} given {often} and read once.")
        if self._cut:
            sentences.append(f"Cut the Project Gutenberg header and licence of {abbreviated(self._cut)}.")
        if self._joined:
            sentences.append(f"Joined hard-wrapped lines in {abbreviated(self._joined)}.")
        return sentences


def _on_encoding(files: list[tuple[str, Encoding]]) -> str:
    """What was assumed or found about the encoding of files, by name; all have the same."""
    names, encoding = [name for name, _ in files], files[0][1]
    verb, it = ("is", "it was") if len(files) == 1 else ("are", "they were")
    if encoding.name == DAMAGED_UTF8:
        return f"{abbreviated(names)} {verb} UTF-8 with damaged bytes; those were read as \ufffd."
    if encoding.guess is None:
        has = "has" if len(files) == 1 else "have"
        return f"{abbreviated(names)} {has} bytes that are not {encoding.name}; those were read as \ufffd."
    if encoding.fallback:
        read = f"{verb} not UTF-8 throughout; the rest was read as {encoding.fallback}"
    else:
        read = f"{verb} not UTF-8; {it} read as {encoding.name}"
    words = list(dict.fromkeys(word for _, each in files if each.guess for word in each.guess.words))[:SHOWN_WORDS]
    return (
        f"{abbreviated(names)} {read}, which is a guess: {', '.join(words)}. "
        f"If that looks wrong, name the encoding: --set data.encoding={encoding.guess.other.lower()}."
    )


def shown(path: str | Path) -> str:
    """A path for people and for JSON, on one line and with slashes."""
    return one_line(os.fspath(path).replace(os.sep, "/"))


def were(names: list[str]) -> str:
    """ "was" or "were"."""
    return "was" if len(names) == 1 else "were"


def abbreviated(names: list[str], most: int = 4) -> str:
    """ "a.txt, b.txt and 7 more"."""
    return listed(names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"])


def tally(kinds: Counter[str]) -> str:
    """ "3 pictures and 1 hidden file", the most frequent first."""
    return listed([counted(n, kind) for kind, n in kinds.most_common()])
