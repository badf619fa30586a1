"""The built-in stories: one derivation for each text, exact bits, a plausible floor, consistent pronouns."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from tinylm.corpus.stories import GRAMMAR, Story, stories, write_story
from tinylm.corpus.story_words import BOYS, GIRLS, WORDS

HELD_OUT = 0.05
BLOCK = 900  # bytes; the longest story that may be


@cache
def corpus() -> list[Story]:
    return stories()


def split() -> tuple[list[str], list[Story]]:
    cut = int(len(corpus()) * (1 - HELD_OUT))
    return [story.text for story in corpus()[:cut]], corpus()[cut:]


def bits_per_byte(some: list[Story]) -> float:
    return sum(story.bits for story in some) / sum(len(story.text) for story in some)


def test_same_seed_same_stories_another_seed_others():
    few = stories(seed=3, n_bytes=20_000)
    assert few == stories(seed=3, n_bytes=20_000)
    assert few[0].text != stories(seed=4, n_bytes=20_000)[0].text
    assert few[:10] == stories(seed=3, n_bytes=100_000)[:10]


def test_whole_stories_until_the_size_is_reached():
    few = stories(n_bytes=20_000)
    size = sum(len(story.text) for story in few)
    assert size >= 20_000 > size - len(few[-1].text)
    assert stories(n_bytes=0) == []


# --- one derivation -------------------------------------------------------------------------------------------


class DeviationError(Exception):
    """The text is no longer a beginning of the target."""


class OpenChoiceError(Exception):
    """A choice that the replay has no answer for yet."""


def derivations(target: str, look_ahead: bool) -> Iterator[float]:
    """Search all choices; yield the bits of every derivation that writes exactly `target`.

    The writer runs again and again, each time with one choice more decided beforehand. With `look_ahead`, words
    that the target does not go on with are dropped before they are tried, which is much faster.
    """
    open_prefixes: list[tuple] = [()]
    while open_prefixes:
        prefix = open_prefixes.pop()
        sizes: list[int] = []
        open_options: list = []
        at = 0

        def pick(options, prefix=prefix, sizes=sizes, open_options=open_options):
            sizes.append(len(options))
            if len(sizes) <= len(prefix):
                return prefix[len(sizes) - 1]
            open_options.extend(options)
            raise OpenChoiceError

        def emit(piece):
            nonlocal at
            if not target.startswith(piece, at):
                raise DeviationError
            at += len(piece)

        try:
            write_story(pick, emit)
        except DeviationError:
            continue
        except OpenChoiceError:
            if look_ahead and isinstance(open_options[0], str):
                ahead = (target[at:], target[at:].removeprefix("a "), target[at:].removeprefix("an "))
                open_options = [word for word in open_options if any(text.startswith(word) for text in ahead)]
            open_prefixes.extend((*prefix, option) for option in open_options)
            continue
        if at == len(target):
            yield sum(map(math.log2, sizes))


@pytest.mark.parametrize(("n_bytes", "look_ahead"), [(1_500, False), (28_000, True)])
def test_every_text_has_one_derivation_and_bits_is_its_cost(n_bytes, look_ahead):
    for story in stories(seed=11, n_bytes=n_bytes):
        assert list(derivations(story.text, look_ahead)) == [pytest.approx(story.bits)]


def test_alternatives_and_words_of_a_class_differ():
    for options in (*GRAMMAR.values(), *WORDS.values()):
        assert len(set(options)) == len(options)
    for words in WORDS.values():
        assert all(re.fullmatch("[A-Za-z]+", word) for word in words)  # a space after a word ends it


def test_every_rule_and_class_has_a_name_of_its_own_and_is_used():
    assert not set(GRAMMAR) & set(WORDS)
    used = {
        part.name for rule in GRAMMAR.values() for parts in rule for part in parts if part.kind in ("expand", "draw")
    }
    assert set(GRAMMAR) | set(WORDS) <= used | {"story"}


# --- the floor, and what word statistics reach ----------------------------------------------------------------


def test_the_floor_is_neither_cheap_nor_hopeless():
    assert 0.6 <= bits_per_byte(corpus()) <= 1.2
    assert bits_per_byte(split()[1]) == pytest.approx(bits_per_byte(corpus()), rel=0.02)


class Trigram:
    """Interpolated Kneser-Ney over words and signs, the end of the text included.

    Tokens put together give the text back, so its probabilities are probabilities of texts.
    """

    START, END = "<start>", "<end>"

    def __init__(self, texts: list[str]) -> None:
        self.counts = [Counter(), Counter(), Counter()]  # of words, pairs, triples; below triples: of kinds of left
        for text in texts:
            tokens = self.tokens(text)
            self.counts[2].update(zip(tokens, tokens[1:], tokens[2:], strict=False))
        for order in (1, 0):
            self.counts[order].update(gram[1:] for gram in self.counts[order + 1])
        self.totals = [Counter(), Counter(), Counter()]
        self.kinds = [Counter(), Counter(), Counter()]
        self.discounts = []
        for counts, totals, kinds in zip(self.counts, self.totals, self.kinds, strict=True):
            for gram, count in counts.items():
                totals[gram[:-1]] += count
                kinds[gram[:-1]] += 1
            once, twice = (sum(count == n for count in counts.values()) for n in (1, 2))
            self.discounts.append(once / (once + 2 * twice) if once else 0.5)

    def tokens(self, text: str) -> list[str]:
        return [self.START, self.START, *re.findall(r" ?[A-Za-z]+|[^A-Za-z]", text), self.END]

    def probability(self, gram: tuple[str, ...]) -> float:
        if not gram:
            return 1 / (1 + len(self.counts[0]))  # one more for words never seen
        lower = self.probability(gram[1:])
        order = len(gram) - 1
        total = self.totals[order][gram[:-1]]
        if total == 0:
            return lower
        discount = self.discounts[order]
        seen = max(self.counts[order][gram] - discount, 0)
        return (seen + discount * self.kinds[order][gram[:-1]] * lower) / total

    def bits(self, text: str) -> float:
        tokens = self.tokens(text)
        grams = zip(tokens, tokens[1:], tokens[2:], strict=False)
        return -sum(math.log2(self.probability(gram)) for gram in grams)


def test_a_word_trigram_stays_well_above_the_floor():
    train, held_out = split()
    trigram = Trigram(train)
    context = (" a", " red")
    vocabulary = [gram[0] for gram in trigram.counts[0]]
    total = sum(trigram.probability((*context, word)) for word in vocabulary)
    assert total == pytest.approx(1, abs=1e-3)  # the rest is for words never seen
    spent = sum(trigram.bits(story.text) for story in held_out)
    size = sum(len(story.text) for story in held_out)
    assert spent / size >= 1.3 * bits_per_byte(held_out)


# --- the texts ------------------------------------------------------------------------------------------------


def test_stories_fit_a_block_and_are_plain():
    for story in corpus():
        assert 350 <= len(story.text) <= BLOCK
        assert story.text.isascii()
        assert story.text.endswith(".\n") or story.text.endswith('."\n')
        assert not set(story.text) & set("{}<>_")
        assert "  " not in story.text
        assert " \n" not in story.text


def test_held_out_stories_are_new():
    train, held_out = split()
    assert not set(train) & {story.text for story in held_out}


def test_articles_agree():
    for story in corpus():
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", story.text)


def test_sentences_begin_with_capitals():
    for story in corpus():
        assert not re.search(r'(^|[.!?]"? |\n)"?[a-z]', re.sub(r'[?!]" [a-z]+', "", story.text))


def test_pronouns_are_the_heros():
    """The first name is the hero; nobody else is ever he or she."""
    for story in corpus():
        hero = next(word for word in re.findall(r"[A-Z][a-z]+", story.text) if word in WORDS["name"])
        words = set(re.findall(r"[A-Za-z]+", story.text))
        others = {"he", "He", "him", "his", "His", "boy"} if hero in GIRLS else {"she", "She", "her", "Her", "girl"}
        assert not words & others
        assert words & ({"he", "He", "him", "his", "His"} if hero in BOYS else {"she", "She", "her", "Her"})


def test_every_word_is_met_often():
    count = Counter(word for story in corpus() for word in re.findall(r"[A-Za-z]+", story.text))
    assert len(count) < 1200
    assert min(count.values()) > 30
