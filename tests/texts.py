"""Texts for tests: made-up ones, spans of one spool that all tests share, and files that are decoded in one go."""

import random

from tinylm.corpus.encoding import decoded, encoding_of
from tinylm.corpus.spool import Spool, TextSpan

SPOOL = Spool()


def span(text: str) -> TextSpan:
    return SPOOL.put([text])


def decode(raw: bytes) -> tuple[str, str] | None:
    """The text and the name of its encoding, or None for a binary."""
    encoding = encoding_of(lambda: iter([raw]))
    return None if encoding is None else ("".join(decoded(lambda: iter([raw]), encoding)), encoding.name)


SUBJECTS = "the fox,a tall miller,her brother,old Mrs. Reed,the river,nobody,the café owner,every child".split(",")
VERBS = "saw,followed,forgot,wrote to,painted,feared,sang about,bought".split(",")
OBJECTS = "the quiet mill,two grey geese,a letter from 1874,the garden gate,the moon,his winter coat".split(",")
ENDINGS = ".,!,?, at dawn., before the rain came., and laughed., without a word.".split(",")


def made_up_text(seed: int, size: int) -> str:
    """English-like paragraphs, at least `size` characters, the same for the same seed."""
    rng = random.Random(seed)
    paragraphs: list[str] = []
    length = 0
    while length < size:
        sentences = []
        for _ in range(rng.randrange(2, 7)):
            sentence = f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}{rng.choice(ENDINGS)}"
            sentences.append(sentence[0].upper() + sentence[1:])
        paragraphs.append(" ".join(sentences))
        length += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs) + "\n"
