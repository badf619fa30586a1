"""The built-in stories: simple English, deterministic from a seed, and the exact information in each is known.

The grammar is in `story_plots.py` and `story_words.py`; `story_judge.py` says of any text whether it is such a story.
"""

import random
from dataclasses import dataclass
from functools import cache

from tinylm.corpus.grammar import Grammar
from tinylm.corpus.story_plots import PLOTS
from tinylm.corpus.story_words import FACTS, SHARED

DEFAULT_BYTES = 4_000_000

STORIES_VERSION = 2
"""Raise it when the grammar changes: prepared texts, floors and judgements of two versions are not to be compared."""


@dataclass(frozen=True)
class Story:
    """A story."""

    text: str
    """ASCII; every line ends in a newline."""
    bits: float
    """The exact -log2 of the probability that the generator writes this text and ends it here."""


@cache
def story_grammar() -> Grammar:
    """The grammar of the stories, a scene for each plot; parsed once."""
    return Grammar(SHARED, PLOTS, FACTS)


def stories(seed: int = 0, n_bytes: int = DEFAULT_BYTES) -> list[Story]:
    """Whole stories, at least `n_bytes` in total; the same arguments give the same stories."""
    uniform = random.Random(seed).random
    grammar = story_grammar()
    written = []
    size = 0
    while size < n_bytes:
        text, bits = grammar.write(uniform)
        story = Story(f"{text}\n", bits)
        written.append(story)
        size += len(story.text)
    return written
