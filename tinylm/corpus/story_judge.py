"""Judges whether the grammar could have written a story, and if not, where the story stops making sense and why.

Each story of the grammar has one derivation, so the judgement is exact and not a matter of taste: `recogniser.py` looks
for it. A story that breaks off is none.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tinylm.corpus.recogniser import Expected, Recogniser
from tinylm.corpus.stories import story_grammar
from tinylm.words import listed, with_article

Fault = Literal["name", "pronoun", "memory", "fit", "answer", "thread", "sentence", "end"]

FAULTS: dict[Fault, str] = {
    "name": "a name",
    "pronoun": "he or she",
    "memory": "what the story was about",
    "fit": "words that do not go together",
    "answer": "an answer",
    "thread": "what happens next",
    "sentence": "a sentence that no story has",
    "end": "the end",
}
"""Kinds of faults, and at what a story with such a fault loses the thread."""

_PRONOUNS = frozenset("he He him his His child".split())
_SENTENCE_END = re.compile(r'[.!?]"?(?=\s+["A-Z]|\s*$)')


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a text."""

    holds: bool
    """Whether the grammar could have written it."""
    plot: str | None
    """The name of its plot, as far as it could be told."""
    place: int
    """Character at which the first word begins that makes no sense; the length of the text if it ends too early."""
    fault: Fault | None
    reason: str
    """A sentence for people; empty where the story holds together."""


def judge(text: str) -> Verdict:
    """Whether `text` is a story, the white space at its end aside."""
    text = text.rstrip()
    parse = _recogniser().parse(text)
    if parse.derivations:
        return Verdict(True, parse.derivations[0].scene, len(text), None, "")
    plots = {expected.scene for expected in parse.expected}
    fault, reason = _fault(text, parse.place, parse.expected)
    return Verdict(False, plots.pop() if len(plots) == 1 else None, parse.place, fault, reason)


def summary(verdicts: Sequence[Verdict]) -> str:
    """`17 of 20 stories hold together; the others lose the thread at a name and he or she.`"""
    sound = sum(verdict.holds for verdict in verdicts)
    text = f"{sound} of {len(verdicts)} stories hold together"
    faults = Counter(verdict.fault for verdict in verdicts if verdict.fault)
    if faults:
        text += f"; the others lose the thread at {listed([FAULTS[fault] for fault, _ in faults.most_common(3)])}"
    return f"{text}."


@cache
def _recogniser() -> Recogniser:
    return Recogniser(story_grammar())


def _fault(text: str, place: int, expected: Sequence[Expected]) -> tuple[Fault, str]:
    """What is wrong at `place`, and in a sentence for people."""
    if place == len(text):
        return "end", "It ends before the story does."
    if not expected:
        return "end", "It goes on after the story has ended."
    exchanged = [(one, found) for one in expected if (found := _other_word(text, place, one))]
    recalled = [(one, found) for one, found in exchanged if one.item.kind == "recall"]
    for one, found in recalled or exchanged:
        if one.item.kind == "draw":
            if one.item.fact:
                return "fit", f"{found} does not go with {one.memory[one.item.name]}."
            return "fit", f"{found} a second time."
        right = " or ".join(dict.fromkeys(word for other, _ in recalled for word in other.words))
        if one.item.fact in _PRONOUNS:
            return "pronoun", f"{found} for {right}."
        if right[0].isupper():
            return "name", f"A name that changed: {right} became {found}."
        return "memory", f"It was {right}, and here it is {found}."
    start = max((end.end() for end in _SENTENCE_END.finditer(text, 0, place)), default=0)
    start += len(text[start:]) - len(text[start:].lstrip())
    end = _SENTENCE_END.search(text, place)
    if not end or not _recogniser().knows(text, start, end.end()):
        return "sentence", "Not a sentence that the stories know."
    if start == 0:
        return "sentence", "Not a beginning that the stories know."
    if text[start] == '"':
        return "answer", "An answer to nothing that was said."
    return "thread", "A sentence that does not follow from what came before."


def _other_word(text: str, place: int, expected: Expected) -> str:
    """The longest word at `place` that could stand there if the story remembered something else."""
    item, recogniser = expected.item, _recogniser()
    if item.kind == "text":
        return ""
    if item.kind == "draw" and not item.fact:
        words = set(recogniser.grammar.words[item.name]).intersection(expected.memory.values())
    else:
        words = set(recogniser.facts[item.fact] if item.fact else recogniser.slots[item.name])
    fitting = []
    for word in words:
        written = with_article(word) if item.article else word
        if text.startswith(written, place) and not text[place + len(written) :][:1].isalpha():
            fitting.append(word)
    return max(fitting, key=len, default="")
