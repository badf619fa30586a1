"""Writes texts from a grammar with memory; the exact information in each text is known.

A grammar is plain text. A line without indentation names a rule, the indented lines below it are its alternatives, and
a line that is indented further goes on with the alternative above. An alternative is text with marks:

    {trip}            write one alternative of the rule `trip`
    {toy:prize}       write one alternative of the rule `toy`, and remember it as `prize`
    {prize.look}      write one of the words that the facts give as the look of what is remembered as `prize`
    <prize>           write again what is remembered as `prize`
    <prize.home>      write a fact about it that is one word; `short` is its last word, `ball` of `red ball`
    <he>              short for <hero.he>, and so for all of `SHORT`
    |                 end the line

`{a look}` and `<a prize>` put the right article first. What is remembered or has an article comes from a rule without
marks, a list of words. From such a rule nothing is drawn that the text remembers already. Facts are lines such as
`hen | said: clucked | doing: pecking at crumbs / sitting on an egg`, and are continued in the same way.

A grammar has scenes (the plots of the stories), and rules that they share. A scene begins with its first rule. It uses
its own rule before a shared one of the same name, also where a shared rule refers to it. A text is written by choosing
a scene.

Every choice is uniform, so a sequence of choices has an exact probability. It is the probability of the text only if no
other choices give the same text. The grammar must therefore be prefix-free: no text of one alternative begins a text
of another alternative of the same rule, once a letter may not follow a word directly. Then a text determines its
choices from left to right (tests/corpus/grammars.py checks it), `bits`, the sum of log2(number of
options), is the information in a text, its mean is the entropy of the source, which no model's loss falls below, and
`recogniser.py` reads texts back in linear time.

The stories are one grammar. Another, of dialogues for instance, needs its own rules, facts and scenes, one for each
topic, and gets the writer and the recogniser from here.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tinylm.words import with_article

SHORT = frozenset("he He him his His himself child".split())
"""Facts about the hero that are written without `hero.`."""


class Item(NamedTuple):
    """A piece of text or a parsed mark of an alternative; what is absent is empty."""

    kind: str
    """`text`; `expand` a rule with marks; `draw` a word of a rule without; `recall` one."""
    name: str
    """The text, the full name of the rule, or the memory slot."""
    fact: str
    article: bool
    slot: str
    """Where a drawn word is remembered."""


Items = tuple[Item, ...]
_MARK = re.compile(r"([{<])(a )?(\w+)(?:\.(\w+))?(?::(\w+))?[}>]")
_Rules = Mapping[str, tuple[str, ...]]


class GrammarError(ValueError):
    """A mistake in a grammar: for who writes one."""


def _rules(text: str) -> dict[str, tuple[str, ...]]:
    """The alternatives of each rule of a grammar's text."""
    rules: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line.startswith(" "):
            name = line.strip()
            if name in rules:
                raise GrammarError(f"There are two rules `{name}`.")
            rules[name] = []
        elif line.startswith(" " * 8):
            rules[name][-1] += " " + line.strip()
        else:
            rules[name].append(line.strip())
    return {name: tuple(line.replace("|", "\n") for line in lines) for name, lines in rules.items()}


def _facts(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The facts about each word."""
    facts: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in filter(None, text.replace("\n    ", " ").splitlines()):
        word, *some = line.split(" | ")
        for fact in some:
            name, options = fact.split(": ", 1)
            facts.setdefault(word, {})[name] = tuple(options.split(" / "))
    return facts


class Grammar:
    """The rules of all scenes, parsed.

    A shared rule may refer to rules that each scene writes itself, so rules with marks are kept for each scene.
    """

    def __init__(self, shared: str, scenes: Mapping[str, str], facts: str) -> None:
        """Parse the rules that the scenes share, and the text of each scene; GrammarError where they have a mistake."""
        self.facts = _facts(facts)
        """By word, then by the name of the fact: one text, or several to choose from."""
        self.words: dict[str, tuple[str, ...]] = {}
        """Rules without marks, by name; those of a scene are called `scene/rule`."""
        self.rules: dict[str, tuple[Items, ...]] = {}
        """Rules with marks: `scene/rule`."""
        self.scenes: dict[str, Items] = {}
        """By the name of the scene: its first rule."""
        common = _rules(shared)
        for scene, text in scenes.items():
            own = _rules(text)
            self.scenes[scene] = (self._rule(next(iter(own)), scene, own, common),)

    def _rule(self, name: str, scene: str, own: _Rules, common: _Rules) -> Item:
        """Parse a rule and those that it needs; an item that writes it."""
        lines = own.get(name) or common.get(name)
        if lines is None:
            raise GrammarError(f"`{scene}` has no rule `{name}`.")
        for line in lines:
            if set("{}<>") & set(_MARK.sub("", line)):
                raise GrammarError(f"A mark is not closed or has a wrong form (in `{scene}`): {line}")
        if not any(map(_MARK.search, lines)):
            full = f"{scene}/{name}" if name in own else name
            self.words[full] = lines
            for word in lines:
                self.facts.setdefault(word, {})["short"] = (word.rsplit(" ", 1)[-1],)
            return Item("draw", full, "", False, "")
        full = f"{scene}/{name}"
        if full not in self.rules:
            self.rules[full] = tuple(tuple(self._items(line, scene, own, common)) for line in lines)
        return Item("expand", full, "", False, "")

    def _items(self, line: str, scene: str, own: _Rules, common: _Rules) -> Iterator[Item]:
        """Parse an alternative."""
        end = 0
        for mark in _MARK.finditer(line):
            if mark.start() > end:
                yield Item("text", line[end : mark.start()], "", False, "")
            end = mark.end()
            bracket, article, name, fact, slot = mark.groups(default="")
            if bracket == "<":
                slot, fact = ("hero", name) if name in SHORT else (name, fact)
                yield Item("recall", slot, fact, article != "", "")
            elif fact:
                yield Item("draw", name, fact, article != "", slot)
            else:
                item = self._rule(name, scene, own, common)
                if item.kind == "expand" and (article or slot):
                    raise GrammarError(f"`{item.name}` has marks, so it is neither remembered nor given an article.")
                yield item._replace(article=article != "", slot=slot)
        if end < len(line):
            yield Item("text", line[end:], "", False, "")

    def options(self, item: Item, memory: Mapping[str, str]) -> tuple[str, ...] | list[str]:
        """The words that a `draw` can write, all equally likely."""
        words = self.facts[memory[item.name]][item.fact] if item.fact else self.words[item.name]
        for word in memory.values():
            if word in words:
                return [word for word in words if word not in memory.values()]
        return words

    def recalled(self, item: Item, memory: Mapping[str, str]) -> str:
        """What a `recall` writes, without its article."""
        word = memory[item.name]
        return self.facts[word][item.fact][0] if item.fact else word

    def write(self, uniform: Callable[[], float]) -> tuple[str, float]:
        """A text and its bits; `uniform` gives numbers from 0 to 1, 1 excluded."""
        memory: dict[str, str] = {}
        pieces: list[str] = []
        bits = math.log2(len(self.scenes))

        def expand(items: Items) -> None:
            nonlocal bits
            for item in items:
                kind, name, _, article, slot = item
                if kind == "text":
                    pieces.append(name)
                    continue
                if kind == "expand":
                    alternatives = self.rules[name]
                    bits += _LOG2[len(alternatives)]
                    expand(alternatives[int(uniform() * len(alternatives))])
                    continue
                if kind == "draw":
                    options = self.options(item, memory)
                    bits += _LOG2[len(options)]
                    word = options[int(uniform() * len(options))]
                    if slot:
                        memory[slot] = word
                else:
                    word = self.recalled(item, memory)
                pieces.append(with_article(word) if article else word)

        scenes = tuple(self.scenes.values())
        expand(scenes[int(uniform() * len(scenes))])
        return "".join(pieces), bits


_LOG2 = (math.inf, *(math.log2(n) for n in range(1, 1000)))
