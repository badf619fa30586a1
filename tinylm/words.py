"""Text for people that every front end shares: durations, sizes, counts, and text that cannot control a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: with them `txt.exe` is shown as `exe.txt`."""


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode's categories of control and format characters, surrogates, and separators of lines and paragraphs."""

_JOINERS = "\u200c\u200d"


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
    """`16.0 GB`, from bytes; less than a tenth of that as `text_size`."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else text_size(round(size))


def text_size(n_bytes: int) -> str:
    """`1 byte`, `950 bytes`, `3.2 kB`, `106 kB`, `8.50 MB`, `120 MB`, `1.20 GB`."""
    if n_bytes < 1000:
        return counted(n_bytes, "byte")
    if n_bytes < 999_500:
        return f"{n_bytes / 1e3:.{1 if n_bytes < 9_950 else 0}f} kB"
    scaled, unit = (n_bytes / 1e6, "MB") if n_bytes < 999.5e6 else (n_bytes / 1e9, "GB")
    return f"{scaled:,.{2 if scaled < 99.995 else 0}f} {unit}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 thread`, `2 threads`; `plural` where it is more than an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def passes(epochs: float) -> str:
    """`1 pass`, `1.5 passes`, `4,900 passes`: how often a text is read, in two digits."""
    rounded = float(f"{epochs:.2g}")
    return f"{rounded:,.0f} passes" if rounded >= 10 else f"{rounded:g} pass{'es' * (rounded != 1)}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def bare(name: str) -> str:
    """A name without case, separators and plural: `nLayer`, `n-layers` and `n_layer` are the same."""
    return _letters(name).removesuffix("s")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def near(given: str, names: Collection[str]) -> list[str]:
    """Those of `names` that are `given` but for case, separators and plural; else those with a slip of the keyboard."""
    same = [name for name in names if bare(name) == bare(given)]
    return same or [name for name in names if _is_slip(_letters(given), _letters(name))]


_SHORT, _LONG = 6, 10
"""Letters of a name. A shorter one than the first is close to many words, so that only a letter that is missing, or two
that are swapped, or one that is typed twice, count as a slip; in one as long as the second there may be two."""


def _is_slip(typed: str, name: str) -> bool:
    """Whether a letter of `name` is missing, wrong or too many, or two neighbours are swapped."""
    if len(name) >= _LONG and SequenceMatcher(None, typed, name).ratio() > 0.9:
        return True
    begin = next((i for i, (a, b) in enumerate(zip(typed, name, strict=False)) if a != b), min(len(typed), len(name)))
    end = 0
    while end < min(len(typed), len(name)) - begin and typed[-1 - end] == name[-1 - end]:
        end += 1
    wrong, right = typed[begin : len(typed) - end], name[begin : len(name) - end]
    if len(right) == 2 and wrong == right[::-1]:
        return True
    if not right and len(wrong) == 1 and begin and typed[begin - 1] == wrong:
        return True
    return len(wrong) <= (0 if len(name) < _SHORT else 1) and len(right) <= 1


def did_you_mean(given: str, names: Collection[str]) -> str:
    """`Did you mean quick?` where one of `names` is near; else nothing."""
    close = near(given, names)[:3]
    return f"Did you mean {' or '.join(close)}?" if close else ""


def printable(text: str) -> str:
    """`text` with U+FFFD for what could control a terminal or make it show a name in another order.

    That is control characters other than line ends and tabs, surrogates, and the nine bidirectional controls.
    """
    return "".join("\ufffd" if _is_control(character) else character for character in text)


def one_line(name: str) -> str:
    """A name, path or note as one line: U+FFFD for all that is not seen itself but moves or hides what is.

    That is what `printable` replaces, and also line ends, tabs, marks of direction and characters without a width,
    but for the two that join emojis and Persian letters.
    """
    return "".join("\ufffd" if unicodedata.category(c) in _UNSEEN and c not in _JOINERS else c for c in name)


def is_visible(text: str) -> bool:
    """Whether a text shows anything: not only white space, control characters and the like."""
    return any(character.isprintable() and not character.isspace() for character in text)


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
