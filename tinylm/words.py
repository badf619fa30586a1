"""Text for people that every front end shares: durations, optional numbers, text that cannot steer a terminal."""

from __future__ import annotations

import unicodedata


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


def printable(text: str) -> str:
    """`text` without what could steer a terminal: control characters, but line ends and tabs, become U+FFFD."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs") else "\ufffd"
        for character in text
    )


def number(value: float | None, form: str) -> str:
    """`value` in the given format, or a dash where there is none."""
    return "–" if value is None else format(value, form)
