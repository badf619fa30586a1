"""Parses the filter of the Runs screen, such as `state:done val<2 data:moby -fox`.

A filter is parsed at each key press, so an incomplete one is normal: terms that can be parsed count, the first other
term gives a message, and nothing is raised.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from tinylm.runs.listing import RunListing

Test = Callable[[RunListing], bool]

WORDS: dict[str, Callable[[RunListing], str]] = {
    "state": lambda entry: entry.status,
    "data": lambda entry: entry.data,
    "name": lambda entry: entry.name,
    "note": lambda entry: entry.note,
    "device": lambda entry: entry.device or "",
}
"""Fields of text: `state:done` holds where the text contains the word."""

NUMBERS: dict[str, Callable[[RunListing], float | None]] = {
    "val": lambda entry: entry.val_bpb,
    "bpb": lambda entry: entry.val_bpb,
    "weights": lambda entry: entry.parameters,
    "size": lambda entry: entry.bytes,
    "tokens": lambda entry: entry.tokens,
    "speed": lambda entry: entry.tokens_per_second,
    "vocab": lambda entry: entry.vocab_size,
    "step": lambda entry: entry.step,
    "time": lambda entry: entry.seconds,
}
"""Fields to compare: `val<2`, `weights>=1M`, `time>10m`; never true where the number is not known."""

STATES = {"done": "finished", "running": "training"}
"""Other words for states."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
}  # fmt: skip
_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
_SPANS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_TERM = re.compile(r'-?[a-z]+[:<>=]+"[^"]*"?|-?"[^"]*"?|\S+', re.IGNORECASE)
_FIELD_TERM = re.compile(r"([a-z]+)(:|<=|>=|<|>|=)(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-z]?)(?:b|ytes?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Filter:
    """A parsed filter."""

    tests: tuple[Test, ...] = ()
    fault: str = ""
    """What is wrong with the first term that could not be parsed; the other terms count."""

    def matches(self, entry: RunListing) -> bool:
        """Whether a run passes all tests."""
        return all(test(entry) for test in self.tests)


def parse(text: str) -> Filter:
    """Parse terms between spaces, all of which must hold; quotes keep spaces, a `-` in front negates a term.

    A term is `field:word`, a comparison with a number, or a word to search for in name, texts and note.
    """
    tests: list[Test] = []
    fault = ""
    for term in _TERM.findall(text):
        negated = term.startswith("-") and len(term) > 1
        try:
            test = _parse_term(term[1:] if negated else term)
        except ValueError as error:
            fault = fault or str(error)
            continue
        tests.append(_not(test) if negated else test)
    return Filter(tuple(tests), fault)


def _parse_term(term: str) -> Test:
    """One term; ValueError says what is wrong with it."""
    match = _FIELD_TERM.fullmatch(term)
    if match is None:
        return _any_text(term.strip('"'))
    field, sign, value = match[1].lower(), match[2], match[3].strip('"')
    if field in WORDS and sign in ":=":
        return _word(field, value)
    if field in NUMBERS:
        return _number(field, "=" if sign == ":" else sign, value)
    if field in WORDS:
        raise ValueError(f"{field} is a word: write {field}:{value or '...'}")
    raise ValueError(f"there is no {field!r} to filter by; there are {', '.join((*WORDS, *NUMBERS))}")


def _any_text(word: str) -> Test:
    word = word.casefold()
    return lambda entry: word in f"{entry.name}\n{entry.data}\n{entry.note}".casefold()


def _word(field: str, word: str) -> Test:
    get, word = WORDS[field], word.casefold()
    if field == "state":
        word = STATES.get(word, word)
    return lambda entry: word in get(entry).casefold()


def _number(field: str, sign: str, text: str) -> Test:
    match = _NUMBER.fullmatch(text.strip())
    scales = _SPANS if field == "time" else _SCALES
    if match is None or match[2].lower() not in scales:
        example = "10m" if field == "time" else "1.5" if field in ("val", "bpb") else "1M"
        raise ValueError(f"{field}{sign} needs a number, as in {field}{sign}{example}")
    get, compare, limit = NUMBERS[field], _COMPARISONS[sign], float(match[1]) * scales[match[2].lower()]

    def test(entry: RunListing) -> bool:
        value = get(entry)
        return value is not None and compare(value, limit)

    return test


def _not(test: Test) -> Test:
    return lambda entry: not test(entry)
