"""Text for people that every front end shares: durations, optional numbers, text that cannot steer a terminal."""

from __future__ import annotations

import unicodedata


def duration(seconds: float) -> str:
    """`1:04` or `2:03:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def printable(text: str) -> str:
    """`text` without what could steer a terminal: control characters, but line ends and tabs, become U+FFFD."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs") else "\ufffd"
        for character in text
    )


def comma_list(names: list[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def with_article(word: str) -> str:
    """`a drum`, `an owl`."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def number(value: float | None, form: str) -> str:
    """`value` in the given format, or a dash where there is none."""
    return "–" if value is None else format(value, form)
