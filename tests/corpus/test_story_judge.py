"""The judge: accepts what the grammar writes, and says where and why another text makes no sense."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tinylm.corpus.grammar import Item, Items
from tinylm.corpus.recogniser import Recogniser
from tinylm.corpus.stories import stories, story_grammar
from tinylm.corpus.story_judge import FAULTS, judge, summary
from tinylm.words import with_article


def pieces(rng: random.Random) -> Iterator[tuple[Item, str, str]]:
    """A random story as (item, the text that it writes, its word)."""
    grammar = story_grammar()
    memory: dict[str, str] = {}

    def expand(items: Items) -> Iterator[tuple[Item, str, str]]:
        for item in items:
            if item.kind == "text":
                yield item, item.name, ""
            elif item.kind == "expand":
                yield from expand(rng.choice(grammar.rules[item.name]))
            else:
                word = grammar.recalled(item, memory) if item.kind == "recall" else ""
                if item.kind == "draw":
                    word = rng.choice(grammar.options(item, memory))
                    if item.slot:
                        memory[item.slot] = word
                yield item, with_article(word) if item.article else word, word

    yield from expand(rng.choice(list(grammar.scenes.values())))


def with_one_word_exchanged(rng: random.Random) -> tuple[str, int, Item, str]:
    """A story in which a remembered word became another: the text, the place, the item, and the right word."""
    recogniser = Recogniser(story_grammar())
    while True:
        story = list(pieces(rng))
        if not (recalled := [index for index, (item, _, _) in enumerate(story) if item.kind == "recall"]):
            continue
        index = rng.choice(recalled)
        item, _, right = story[index]
        known = recogniser.facts[item.fact] if item.fact else recogniser.slots[item.name]
        if others := sorted(known - {right}):
            wrong = rng.choice(others)
            texts = [text for _, text, _ in story]
            texts[index] = with_article(wrong) if item.article else wrong
            return "".join(texts), len("".join(texts[:index])), item, right


def test_every_story_of_the_generator_holds():
    for story in stories(seed=21, n_bytes=300_000):
        verdict = judge(story.text)
        assert verdict.holds
        assert verdict.plot in story_grammar().scenes


def test_one_exchanged_word_is_refused_at_its_place_and_named():
    rng = random.Random(5)
    faults = Counter()
    for _ in range(500):
        text, place, item, right = with_one_word_exchanged(rng)
        verdict = judge(text)
        assert not verdict.holds
        assert verdict.place == place
        if item.fact in ("he", "He", "him", "his", "His"):
            assert verdict.fault == "pronoun"
        if item.name == "hero" and not item.fact:
            assert verdict.fault == "name"
            assert right in verdict.reason
        faults[verdict.fault] += 1
    assert faults["memory"] > 50


def test_what_breaks_off_or_goes_on_has_no_end():
    text = stories(seed=2, n_bytes=1)[0].text
    for length in range(len(text) - 1):
        verdict = judge(text[:length])
        assert verdict.fault == "end"
        assert verdict.place == len(text[:length].rstrip())
    assert judge(f"{text}{text}").fault == "end"


def test_the_end_of_another_story_is_not_what_happens_next():
    some = stories(seed=3, n_bytes=40_000)
    for one, other in pairwise(story.text for story in some):
        if judge(one).plot != judge(other).plot:
            first, _, _ = one.partition("\n")
            _, _, second = other.partition("\n")
            verdict = judge(f"{first}\n{second}")
            assert not verdict.holds
            assert verdict.plot in (None, judge(one).plot)
            assert verdict.fault in FAULTS


def test_other_sentences_are_unknown():
    text = stories(seed=2, n_bytes=1)[0].text
    first, _, rest = text.partition("\n")
    verdict = judge(f"{first}\nThe committee adjourned. {rest}")
    assert (verdict.fault, verdict.place) == ("sentence", len(first) + 1)
    assert judge("Call me Ishmael.").place == 0


@pytest.mark.parametrize("text", ["", "\n", "Once", "\0", "é", '"' * 2000, "Once upon a time " * 500])
def test_any_text_gets_a_verdict(text):
    assert not judge(text).holds


def test_the_search_takes_linear_time(monkeypatch):
    """Counted in words that are looked up: a story as long as two takes no more than twice as many."""
    counts = []
    words = Recogniser.words
    monkeypatch.setattr(Recogniser, "words", lambda *some: counts.append(1) or words(*some))
    for story in stories(seed=4, n_bytes=100_000):
        counts.clear()
        judge(story.text)
        assert len(counts) < 4 * len(story.text)


def test_summary_counts_and_says_where_the_thread_is_lost():
    whole = stories(seed=5, n_bytes=3_000)
    verdicts = [judge(story.text) for story in whole]
    assert summary(verdicts) == f"{len(whole)} of {len(whole)} stories hold together."
    broken = judge(whole[0].text[:40])
    assert summary([*verdicts, broken]).startswith(f"{len(whole)} of {len(whole) + 1} stories hold together; ")
