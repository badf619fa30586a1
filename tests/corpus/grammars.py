"""What holds for every grammar: no text of an alternative begins a text of another one of the same rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tinylm.corpus.grammar import Grammar, Item, Items
from tinylm.corpus.recogniser import Recogniser
from tinylm.words import with_article


@dataclass(frozen=True, eq=False)
class Rest:
    """What an alternative still has to write: `items` from `index`, and then `after`. Compared by identity."""

    items: Items
    index: int
    after: "Rest | None"


def overlapping_alternatives(grammar: Grammar) -> Iterator[tuple[str, str]]:
    """Pairs of alternatives of a rule of which one may write a beginning of what the other writes, as `rule`, `text`.

    Of the pairs of scenes, which take long, only some are compared.

    Nothing is assumed of what is remembered, so some pairs may be none in truth; without any, each text of the grammar
    has one derivation: read from left to right, each choice is decided by the text.
    """
    compare = _Comparison(Recogniser(grammar))
    for name, alternatives in grammar.rules.items():
        for index, one in enumerate(alternatives):
            for other in alternatives[:index]:
                if compare.overlap("", compare.rest(one), "", compare.rest(other)):
                    yield name, "".join(item.name for item in one)
    scenes = list(grammar.scenes.items())
    for (name, one), (other_name, other) in pairwise([*scenes, *scenes[::2]]):
        if name != other_name and compare.overlap("", compare.rest(one), "", compare.rest(other)):
            yield "scene", name
    for name, words in grammar.words.items():
        for word in words:
            if any(other != word and other.startswith(word) and not other[len(word)].isalpha() for other in words):
                yield name, word


_WORD_END = "\0"
"""Stands behind words: no letter may follow them."""


class _Comparison:
    """Writes two alternatives side by side, as long as they write the same."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.rests: dict[tuple[int, int, Rest | None], Rest] = {}
        self.seen: dict[tuple[str, Rest | None, str, Rest | None], bool] = {}

    def rest(self, items: Items, index: int = 0, after: Rest | None = None) -> Rest | None:
        """The one `Rest` with these contents; `after` itself where nothing is left of `items`."""
        if index == len(items):
            return after
        return self.rests.setdefault((id(items), index, after), Rest(items, index, after))

    def overlap(self, left: str, left_rest: Rest | None, right: str, right_rest: Rest | None) -> bool:
        """Whether one can come to its end while the other has written the same; `left`, `right`: begun pieces."""
        same = next(
            (at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
        )
        left, right = left[same:], right[same:]
        if left and right:
            if _WORD_END not in (left[0], right[0]):
                return False
            left, right = left.removeprefix(_WORD_END), right.removeprefix(_WORD_END)
            if (left + right)[0].isalpha():
                return False
        key = (left, left_rest, right, right_rest)
        if key not in self.seen:
            self.seen[key] = False  # nothing refers to itself
            self.seen[key] = self._overlap(*key)
        return self.seen[key]

    def _overlap(self, left: str, left_rest: Rest | None, right: str, right_rest: Rest | None) -> bool:
        """The same where at least one of the pieces is used up."""
        if not left:
            return left_rest is None or any(self.overlap(*piece, right, right_rest) for piece in self.pieces(left_rest))
        return right_rest is None or any(self.overlap(left, left_rest, *piece) for piece in self.pieces(right_rest))

    def pieces(self, rest: Rest) -> Iterator[tuple[str, Rest | None]]:
        """What can be written next, and what remains then."""
        item = rest.items[rest.index]
        after = self.rest(rest.items, rest.index + 1, rest.after)
        if item.kind == "text":
            yield item.name, after
        elif item.kind == "expand":
            yield from (("", self.rest(items, 0, after)) for items in self.recogniser.grammar.rules[item.name])
        else:
            for word in self.words(item):
                yield (with_article(word) if item.article else word) + _WORD_END * word[-1].isalpha(), after

    def words(self, item: Item) -> frozenset[str] | tuple[str, ...]:
        if item.fact:
            return self.recogniser.facts[item.fact]
        return self.recogniser.grammar.words[item.name] if item.kind == "draw" else self.recogniser.slots[item.name]
