"""Texts that the tests make up."""

import random

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
            said = f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}{rng.choice(ENDINGS)}"
            sentences.append(said[0].upper() + said[1:])
        paragraphs.append(" ".join(sentences))
        length += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs) + "\n"
