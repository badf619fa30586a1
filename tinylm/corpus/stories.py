"""Generates simple English stories from a grammar with memory; the exact information in each story is known.

A rule is a tuple of alternatives; an alternative is text with three kinds of marks:

    {trip}            write one alternative of the rule `trip`
    {prize:prize}     draw a word of the class `prize`, write it, and remember it as `prize`
    <prize>           write again what `prize` remembers; <hero.his> is a fact about it

A draw can depend on memory: `{trap.tool}` is one of the tools that help with what `trap` remembers. `<he>`, `<his>` and
the like are facts about the hero. `{a look}` and `<a look>` put the right article first. A word that was drawn is not
drawn from its class again in the same story.

Every choice is uniform and goes through one function, `pick(options)`, so a sequence of choices has an exact
probability. It is the probability of the text only if no other choices give the same text. So each choice is made when
it is written: alternatives of a rule differ in what they write, words of a class differ, nothing is planned ahead or
drawn and discarded. Then `bits`, the sum of log2(len(options)) over the choices, is the information in the story, and
its mean over a corpus is the entropy of the source: the lower bound of every model's loss. What a model has to learn
beyond word statistics is memory: he or she, what was lost, which tool helps, who asked.

Remembered words come from small classes (20 helpers, 20 prizes), and the hero is named once and then he or she: in two
minutes a small model only begins to copy (assets/results/notes.md).
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from tinylm.corpus.story_grammar import RULES
from tinylm.corpus.story_words import BOYS, GIRLS, SKIES, TASKS, TRAPS, WORDS
from tinylm.words import with_article

DEFAULT_BYTES = 4_000_000

STORIES_VERSION = 1
"""Part of the cache key of prepared texts; raise it when the same seed writes other stories."""

T = TypeVar("T")


@dataclass(frozen=True)
class Story:
    """A story."""

    text: str
    """ASCII; every line ends in a newline."""
    bits: float
    """The exact -log2 of the probability that the generator writes this text and ends it here."""


PRONOUNS = {"he": "she he", "He": "She He", "him": "her him", "his": "her his", "His": "Her His", "child": "girl boy"}
# Facts about words, by (word, name of the fact): strings to write ...
FACTS: dict[tuple[str, str], str] = {
    **{(girl, fact): forms.split()[0] for girl in GIRLS for fact, forms in PRONOUNS.items()},
    **{(boy, fact): forms.split()[1] for boy in BOYS for fact, forms in PRONOUNS.items()},
    **{(helper, fact): f"{fact} {helper}" for helper in WORDS["helper"] for fact in ("the", "The")},
    **{(weather, "air"): air for weather, air in SKIES.items()},
    **{(task, "did"): did for task, did in TASKS.items()},
}
# ... and words to draw from.
OPTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    **{(where, "trap"): tuple(traps) for where, traps in TRAPS.items()},
    **{(trap, "tool"): tuple(tools.split()) for traps in TRAPS.values() for trap, tools in traps.items()},
}


class Part(NamedTuple):
    """A piece of text or a parsed mark of an alternative.

    `{a trap.tool:tool}` is Part("draw", "trap", "tool", True, "tool"); what is absent is the empty string.
    """

    kind: str  # "text", "expand" a rule, "draw" a word, "recall" one
    name: str  # the text, the rule, the class, or the memory slot
    fact: str
    article: bool
    slot: str  # memory slot for a drawn word


_MARK = re.compile(r"([{<])(a )?(\w+)(?:\.(\w+))?(?::(\w+))?[}>]")


def _parse(alternative: str) -> tuple[Part, ...]:
    parts = []
    end = 0
    for mark in _MARK.finditer(alternative):
        if mark.start() > end:
            parts.append(Part("text", alternative[end : mark.start()], "", False, ""))
        bracket, article, name, fact, slot = mark.groups(default="")
        kind = "recall" if bracket == "<" else "expand" if name in RULES else "draw"
        if kind == "recall" and name in PRONOUNS:
            name, fact = "hero", name
        parts.append(Part(kind, name, fact, article != "", slot))
        end = mark.end()
    if end < len(alternative):
        parts.append(Part("text", alternative[end:], "", False, ""))
    return tuple(parts)


GRAMMAR = {rule: tuple(map(_parse, alternatives)) for rule, alternatives in RULES.items()}


class Pick(Protocol):
    """Chooses one of the options, all equally likely."""

    def __call__(self, options: Sequence[T], /) -> T:  # noqa: D102
        ...


def write_story(pick: Pick, emit: Callable[[str], object]) -> None:
    """Write one story.

    `pick` makes every choice: which alternative of a rule, which word of a class. `emit` takes the text piece by piece,
    each piece as soon as the choices so far determine it.
    """
    memory: dict[str, str] = {}
    bags: dict[tuple[str, str], list[str]] = {}  # the words of each class that this story has not used yet

    def expand(rule: str) -> None:
        for kind, name, fact, article, slot in pick(GRAMMAR[rule]):
            if kind == "text":
                emit(name)
                continue
            if kind == "expand":
                expand(name)
                continue
            if kind == "draw":
                bag = bags.get((name, fact))
                if bag is None:
                    bag = bags[name, fact] = list(OPTIONS[memory[name], fact] if fact else WORDS[name])
                word = pick(bag)
                bag.remove(word)
                if slot:
                    memory[slot] = word
            else:
                word = FACTS[memory[name], fact] if fact else memory[name]
            emit(with_article(word) if article else word)

    expand("story")


def stories(seed: int = 0, n_bytes: int = DEFAULT_BYTES) -> list[Story]:
    """Whole stories, at least `n_bytes` in total; the same arguments give the same stories."""
    uniform = random.Random(seed).random
    most = max(map(len, (*GRAMMAR.values(), *WORDS.values(), *OPTIONS.values())))
    bits_of = [math.inf, *(math.log2(n) for n in range(1, most + 1))]  # bits_of[n]: of one choice among n
    bits = 0.0

    def pick(options: Sequence[T], /) -> T:
        nonlocal bits
        n = len(options)
        bits += bits_of[n]
        return options[int(uniform() * n)]

    written = []
    size = 0
    while size < n_bytes:
        pieces: list[str] = []
        bits = 0.0
        write_story(pick, pieces.append)
        story = Story("".join(pieces), bits)
        written.append(story)
        size += len(story.text)
    return written
