"""The built-in stories: one derivation for each text, exact bits, plots and words enough, no slips of the pen."""

import math
import re
from collections import Counter
from functools import cache

import pytest

from tests.corpus.grammars import overlapping_alternatives
from tinylm.corpus.grammar import Grammar, GrammarError
from tinylm.corpus.recogniser import Recogniser
from tinylm.corpus.stories import Story, stories, story_grammar

HELD_OUT = 0.05
BEGINNINGS = (
    "Once upon a time",
    "Once",
    "One",
    "There was once",
    "Not long ago",
    "This is the story of",
    "Do you know",
    "It was",
    "On the first day of",
    "Last",
    "On",
    "Little",
    "In",
    "At",
    "Far away",
    "Behind",
    "Between",
    "Under",
    "Late",
)


@cache
def corpus() -> list[Story]:
    return stories()


@cache
def plots() -> list[str]:
    """The plot of each of the first 2,000 stories."""
    recogniser = Recogniser(story_grammar())
    return [recogniser.parse(story.text.rstrip()).derivations[0].scene for story in corpus()[:2000]]


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


def test_no_alternative_begins_like_the_whole_of_another():
    assert list(overlapping_alternatives(story_grammar())) == []


def test_two_alternatives_that_overlap_are_found():
    shared = "colour\n  red\n  blue\n"
    for first, second in (("a {colour} hat", "a {colour} hat with a feather"), ("a {colour} ball", "a red ball")):
        text = f"story\n    Buy {{thing}}.\nthing\n    {first}\n    {second}\n"
        assert list(overlapping_alternatives(Grammar(shared, {"shop": text}, "")))
    apart = "story\n    Buy {thing}.\nthing\n    a {colour} ball,\n    a {colour} balloon,\n"
    assert not list(overlapping_alternatives(Grammar(shared, {"shop": apart}, "")))


def test_every_text_has_one_derivation_and_bits_is_its_cost():
    recogniser = Recogniser(story_grammar())
    for story in stories(seed=11, n_bytes=400_000):
        (derivation,) = recogniser.parse(story.text.rstrip()).derivations
        assert derivation.bits == pytest.approx(story.bits)


@pytest.mark.parametrize(
    "text",
    ["story\n    {nothing}", "story\n    a {hat", "story\n    x\nstory\n    y", "story\n    {two:slot}\ntwo\n    <a>"],
)
def test_mistakes_in_a_grammar_are_named(text):
    with pytest.raises(GrammarError):
        Grammar("", {"scene": text}, "")


# --- the floor, and what word statistics reach ----------------------------------------------------------------


def test_held_out_stories_have_the_same_floor():
    assert bits_per_byte(split()[1]) == pytest.approx(bits_per_byte(corpus()), rel=0.03)


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
    assert spent / size >= 1.5 * bits_per_byte(held_out)


# --- the texts ------------------------------------------------------------------------------------------------


def test_many_plots_and_none_too_often():
    count = Counter(plots())
    assert len(count) >= 14
    assert max(count.values()) < 0.1 * len(plots())


def test_many_words_and_a_good_share_of_them_in_sentences():
    items = (item for rule in story_grammar().rules.values() for alternative in rule for item in alternative)
    sentences = " ".join(item.name for item in items if item.kind == "text")
    assert len({word.lower() for story in corpus() for word in re.findall("[A-Za-z]+", story.text)}) >= 1500
    assert len({word.lower() for word in re.findall("[A-Za-z]+", sentences)}) >= 750


def test_stories_are_short_and_plain():
    for story in corpus():
        assert 60 <= len(story.text.split()) <= 150
        assert story.text.isascii()
        assert story.text.endswith((".\n", '."\n', "?\n", '?"\n', '!"\n'))
        assert not set(story.text) & set("{}<>_|")
        assert not re.search(r"  | \n|\n\n|\n ", story.text)


def test_stories_begin_as_people_would_begin_them():
    count = Counter(
        next((words for words in BEGINNINGS if story.text.startswith(f"{words} ")), story.text.split()[0])
        for story in corpus()
    )
    names = {word for rule in ("name",) for word in story_grammar().words[rule]}
    assert set(count) <= {*BEGINNINGS, *names}
    for beginning in ("Once upon a time", "Once", "One", "There was once"):
        assert count[beginning] > 0.02 * len(corpus())
    assert all(count[name] for name in names)


def test_held_out_stories_are_new():
    train, held_out = split()
    assert not set(train) & {story.text for story in held_out}


def test_articles_agree_and_no_word_is_doubled():
    for story in corpus():
        assert not re.search(r"\b(a [aeiou]|an (?!hour)[^aeiou])", story.text)
        doubled = re.search(r"\b(\w+) \1\b", story.text)
        assert not doubled or doubled[1] == "one", story.text


def test_sentences_begin_with_capitals():
    for story in corpus():
        assert not re.search(r'(^|[.!?]"? |\n)"?[a-z]', re.sub(r'[?!]" [a-z]+', "", story.text)), story.text


def test_quotation_marks_are_paired_and_stand_at_words():
    for story in corpus():
        for paragraph in story.text.splitlines():
            assert re.fullmatch(r'([^"]|(?<![^ ])"[^" ][^"]*[^" ]"(?![^ .,]))*', paragraph), paragraph
