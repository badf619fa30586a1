"""Text for people that every front end shares: durations, sizes, counts, and text that cannot control a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: with them `txt.exe` is shown as `exe.txt`."""


def duration(seconds: float) -> str:
    """`1:04` or `2:03:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def duration_with_units(seconds: float) -> str:
    """`12 s`, `1:04 min` or `2 h 3 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes}:{rest:02} min" if minutes else f"{seconds:.2g} s"


def gigabytes(size: float) -> str:
    """`16.0 GB`, from bytes."""
    return f"{size / 1e9:,.1f} GB"


def counted(count: int, noun: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def printable(text: str) -> str:
    """`text` with U+FFFD for what could control a terminal or make it show a name in another order.

    That is control characters other than line ends and tabs, surrogates, and the nine bidirectional controls.
    """
    return "".join("\ufffd" if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    if character in _BIDIRECTIONAL:
        return True
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or of its `repr` where it has none; 200 characters at most."""
    return (str(error).strip() or repr(error)).splitlines()[0][:200]


def with_article(word: str) -> str:
    """`a drum`, `an owl`."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def number(value: float | None, form: str) -> str:
    """`value` in the given format, or a dash where there is none."""
    return "–" if value is None else format(value, form)
