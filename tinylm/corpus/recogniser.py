"""Reads a text back into the choices of a grammar, and finds where a text stops being one.

A depth-first search over the choices that fit the text so far. Alternatives of a prefix-free grammar part after a few
words, so the search takes linear time. Where it gets furthest is where a text stops making sense, and what the grammar
expected there says why.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import NamedTuple

from tinylm.corpus.grammar import Grammar, Item, Items
from tinylm.words import with_article

_SENTENCE_END = re.compile(r'[.!?]"?\s')


class Derivation(NamedTuple):
    """The choices that write a text."""

    scene: str
    bits: float


class Expected(NamedTuple):
    """One way in which a text could have gone on."""

    scene: str
    item: Item
    words: tuple[str, ...]
    """Any of these."""
    memory: Mapping[str, str]


@dataclass(frozen=True)
class Parse:
    """What a grammar makes of a text."""

    derivations: tuple[Derivation, ...]
    """One if the grammar could have written the text, else none."""
    place: int
    """Character at which the word begins that the grammar could not have written; the length of the text, where it
    could go on."""
    expected: tuple[Expected, ...]
    """What could stand there instead; empty where the grammar would have ended the text."""


class _Rest(NamedTuple):
    """What is still to be read: `items` from `start`, and then `after`."""

    items: Items
    start: int
    after: "_Rest | None"


class _Path(NamedTuple):
    """A beginning of a derivation that fits the text up to `position`."""

    scene: str
    rest: _Rest | None
    position: int
    memory: Mapping[str, str]
    bits: float


class Recogniser:
    """Reads the texts of a grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar

    def parse(self, text: str) -> Parse:
        """All derivations of `text`, or where it stops being a text of the grammar."""
        bits = log2(len(self.grammar.scenes))
        search = _Search(self, text)
        starts = [_Path(scene, _Rest(items, 0, None), 0, {}, bits) for scene, items in self.grammar.scenes.items()]
        derivations = tuple(
            Derivation(path.scene, path.bits) for path in search.whole(starts) if path.position == len(text)
        )
        return Parse(derivations, search.place, tuple(search.expected))

    def knows(self, text: str, start: int, end: int) -> bool:
        """Whether the sentence `text[start:end]` stands somewhere in the grammar, whatever is remembered."""
        anything = dict.fromkeys(self.slots, "")
        search = _Search(self, text)
        paths = [
            _Path("", _Rest(items, 0, None), start, anything, 0.0)
            for items in self._sentences
            if items[0].kind != "text" or text.startswith(items[0].name[:9], start)
        ]
        return any(path.position >= end for path in search.whole(paths)) or search.place >= end

    @cached_property
    def _sentences(self) -> list[Items]:
        """Each alternative from its beginning and from the beginning of each further sentence in it."""
        sentences = []
        for items in (items for alternatives in self.grammar.rules.values() for items in alternatives):
            sentences.append(items)
            for index, item in enumerate(items):
                if item.kind == "text":
                    for end in _SENTENCE_END.finditer(item.name):
                        rest = item.name[end.end() :]
                        head = (item._replace(name=rest),) if rest else ()
                        sentences.append((*head, *items[index + 1 :]))
        return [items for items in sentences if items and items[0].kind != "expand"]  # that rule has its own

    @cached_property
    def slots(self) -> dict[str, frozenset[str]]:
        """All words that each slot can remember."""
        words: dict[str, frozenset[str]] = {}
        for item in (item for rule in self.grammar.rules.values() for items in rule for item in items if item.slot):
            drawn = self.facts[item.fact] if item.fact else self.grammar.words[item.name]
            words[item.slot] = words.get(item.slot, frozenset()).union(drawn)
        return words

    @cached_property
    def facts(self) -> dict[str, frozenset[str]]:
        """All words that each fact can be."""
        words: dict[str, set[str]] = {}
        for facts in self.grammar.facts.values():
            for fact, some in facts.items():
                words.setdefault(fact, set()).update(some)
        return {fact: frozenset(some) for fact, some in words.items()}

    def words(self, item: Item, memory: Mapping[str, str]) -> Iterable[str]:
        """What a `draw` or a `recall` can write: anything it ever writes where the memory has the empty word."""
        if memory.get(item.name) == "":
            return self.facts[item.fact] if item.fact else self.slots[item.name]
        if item.kind == "draw":
            return self.grammar.options(item, memory)
        return (self.grammar.recalled(item, memory),)


class _Search:
    """Follows all paths through a grammar that fit a text, and keeps where they end."""

    def __init__(self, recogniser: Recogniser, text: str) -> None:
        self._recogniser = recogniser
        self._text = text
        self.place = 0
        self.expected: list[Expected] = []

    def whole(self, paths: list[_Path]) -> Iterator[_Path]:
        """The paths that have nothing left to read."""
        rules, text = self._recogniser.grammar.rules, self._text
        while paths:
            scene, rest, position, memory, bits = paths.pop()
            while rest is not None:
                items, index, after = rest
                item = items[index]
                rest = _Rest(items, index + 1, after) if index + 1 < len(items) else after
                if item.kind == "text":
                    if not text.startswith(item.name, position):
                        self._stop(scene, item, position, (item.name,), memory)
                        break
                    position += len(item.name)
                elif item.kind == "expand":
                    alternatives = rules[item.name]
                    bits += log2(len(alternatives))
                    paths += (_Path(scene, _Rest(items, 0, rest), position, memory, bits) for items in alternatives)
                    break
                else:
                    words = tuple(self._recogniser.words(item, memory))
                    if item.kind == "draw":
                        bits += log2(len(words))
                    written = tuple(map(with_article, words)) if item.article else words
                    ahead = len(paths)
                    if text.startswith(written, position):
                        for word, form in zip(words, written, strict=True):
                            if self._stands(form, position):
                                known = {**memory, item.slot: word} if item.slot else memory
                                paths.append(_Path(scene, rest, position + len(form), known, bits))
                    if len(paths) == ahead:
                        self._stop(scene, item, position, written, memory)
                    break
            else:
                if position < len(text):
                    self._reach(position)
                yield _Path(scene, None, position, memory, bits)

    def _stands(self, word: str, position: int) -> bool:
        """Whether the text has `word` here, and not as the beginning of a longer one."""
        end = position + len(word)
        return self._text.startswith(word, position) and not (
            word[-1:].isalpha() and self._text[end : end + 1].isalpha()
        )

    def _stop(self, scene: str, item: Item, position: int, words: tuple[str, ...], memory: Mapping[str, str]) -> None:
        """Note that the text does not go on with any of `words`."""
        text = self._text
        if position + max(map(len, words)) < self.place:
            return
        place = position + max(_begun(word, text, position) for word in words)
        if place < len(text):  # else the text ends, maybe within a word
            if item.kind == "text":
                while place > position and text[place - 1].isalnum():
                    place -= 1
            else:
                place = position
        if self._reach(place):
            self.expected.append(Expected(scene, item, words, memory))

    def _reach(self, place: int) -> bool:
        """Whether no path has got further than `place`; forgets what was expected earlier in the text."""
        if place > self.place:
            self.place, self.expected = place, []
        return place == self.place


def _begun(word: str, text: str, position: int) -> int:
    """How many characters of `word` the text has at `position`."""
    size = len(word)
    while not text.startswith(word[:size], position):
        size -= 1
    return size
