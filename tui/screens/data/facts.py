"""What is in the chosen texts, what their tokenizer costs, and the lines that they will be on the loss chart."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.words import printable
from tui.screens.data import texts
from tui.screens.data.texts import Prepared
from tui.terminal.glyphs import ASCII, BRAILLE, Glyphs
from tui.terminal.numbers import amount, bar, counted, percent, text_size

if TYPE_CHECKING:
    from tinylm.corpus.profile import Profile

KINDS = ("bpe", "char", "byte")
LABEL = 11
"""Columns for the word in front of a line."""

FEW = ("counts", "pairs", "triples", "xz")
"""The baselines that are said where there is room for one line only."""

MEANS = {
    "blind": "every character equally likely",
    "counts": "how often each character comes",
    "pairs": "which character follows which",
    "triples": "which follows the last two",
    "gzip": "the compressor, at its best",
    "xz": "a stronger compressor",
    "floor": "what the stories' grammar allows",
}
"""What knows no more than this costs so many bits per byte."""


@dataclass(frozen=True)
class Known:
    """What is known of a plan's texts by now."""

    config: RunConfig
    profile: Profile | None = None
    prepared: Prepared | None = None
    baselines: Mapping[str, float] | None = None
    fault: BaseException | None = None
    doing: str = ""
    """What is being done to find out the rest; "" where nothing is."""

    @property
    def cautions(self) -> list[str]:
        """What to think of before training on them."""
        if self.profile is None or self.fault is not None:
            return []
        return texts.cautions(self.config, self.profile.bytes, self.prepared)

    @property
    def notes(self) -> list[str]:
        """What was done to the texts, each once."""
        apart = [f"Phase {phase.name} reads texts of its own." for phase in self.config.train.phases if phase.sources]
        said = [*apart, *(self.profile.notes if self.profile else ()), *(self.prepared.notes if self.prepared else ())]
        return list(dict.fromkeys(said))


def told(error: BaseException) -> tuple[str, str, str]:
    """An error as title, sentence and way out."""
    if isinstance(error, TinyLMError):
        return error.title, error.message, error.hint
    if isinstance(error, OSError):
        return (
            "The text cannot be prepared",
            f"{error.strerror or error}.",
            "See whether the disk is full or taken away.",
        )
    return "This is our fault", repr(error), "Choose another text; the rest of the studio goes on."


class Facts(VerticalScroll):
    """Numbers, choices with their price, notes; scrolls where there is more to say than room."""

    DEFAULT_CSS = """
    Facts { scrollbar-size-vertical: 1; link-style: none; link-color: $text; link-style-hover: reverse; }
    Facts Static { link-style: none; link-color: $text; link-background-hover: $accent; }
    """

    def __init__(self) -> None:
        super().__init__(id="facts", classes="pane")
        self.border_title = "What is in it"
        self.glyphs: Glyphs = BRAILLE

    def compose(self):  # type: ignore[no-untyped-def]
        """One text of many lines."""
        yield Static("", markup=False)

    def show(self, known: Known, short: bool, lines_too: bool) -> None:
        """Show this: in three lines where the screen is `short`; `lines_too` where no pane beside it has them."""
        width = max(30, self.scrollable_content_region.width)
        lines = self._short(known) if short else self._whole(known, width, lines_too)
        self.query_one(Static).update(Content("\n").join(lines))

    # ---- the lines ------------------------------------------------------------------------------------------------

    def _dotted(self, *parts: str) -> Content:
        return Content(f" {self.glyphs.dot} ".join(part for part in parts if part))

    def _doing(self, known: Known) -> str:
        return known.doing + self.glyphs.ellipsis if known.doing else ""

    def _short(self, known: Known) -> list[Content]:
        if known.fault is not None:
            return self._fault(known.fault)
        profile, found, data = known.profile, known.prepared, known.config.data
        if profile is None:
            return [Content(self._doing(known))]
        tokens = f"{amount(found.tokens)} tokens" if found else self._doing(known)
        held = f"{percent(data.val_fraction)} held out" if data.val_fraction else "nothing held out"
        lines = [self._dotted(text_size(profile.bytes), tokens, held), self._price(known, short=True)]
        if known.baselines:
            few = [f"{name} {known.baselines[name]:.2f}" for name in FEW if name in known.baselines]
            lines.append(Content(f"bits/byte: {' '.join(few)}"))
        return lines + [self._warned(caution) for caution in known.cautions]

    def _whole(self, known: Known, width: int, lines_too: bool) -> list[Content]:
        lines = self._fault(known.fault) if known.fault is not None else self._numbers(known)
        lines += self._choices(known)
        lines += [self._warned(caution) for caution in known.cautions]
        if lines_too and known.fault is None:
            lines += self._lines(known, width)
        for note in known.notes if known.fault is None else ():
            rows = textwrap.wrap(printable(note), width - LABEL)
            lines += [self._labelled("" if i else "note", Content(row).stylize("dim")) for i, row in enumerate(rows)]
        return lines

    def _labelled(self, label: str, content: Content | str) -> Content:
        return Content.assemble((f"{label:<{LABEL}}", "dim"), content)

    def _fault(self, error: BaseException) -> list[Content]:
        title, message, hint = (Content(printable(part)) for part in told(error))
        return [Content(f"{self.glyphs.failed} ") + title.stylize("bold $text-error"), message, hint]

    def _warned(self, caution: str) -> Content:
        return Content(f"{self.glyphs.warning} {caution}").stylize("$text-warning")

    def _numbers(self, known: Known) -> list[Content]:
        profile, found, data = known.profile, known.prepared, known.config.data
        if profile is None:
            return [Content(self._doing(known) or "nothing chosen yet"), Content("")]
        repeated = f"{percent(profile.repeated_lines)} repeated"
        first = self._dotted(
            text_size(profile.bytes),
            f"{amount(profile.characters)} characters",
            f"{profile.distinct_characters:,} distinct",
            counted(profile.documents, "document"),
        )
        if found is None:
            return [first, self._dotted(self._doing(known), repeated)]
        second = self._dotted(
            f"{amount(found.tokens)} tokens",
            f"{amount(found.val_tokens)} held out",
            f"{amount(found.pass_tokens)} a pass" if data.weights else "",
            "" if data.weights else f"{found.bytes / max(1, found.tokens):.2f} bytes each",
            repeated,
        )
        return [first, second]

    def _choices(self, known: Known) -> list[Content]:
        data, tokenizer = known.config.data, known.config.tokenizer
        shares = sorted({*texts.HELD_OUT, data.val_fraction})
        held = [
            self._choice(percent(share), share == data.val_fraction, f"screen.hold_out({share})") for share in shares
        ]
        places = [
            self._choice(place, place == data.val_placement, f"screen.place('{place}')") for place in ("spans", "tail")
        ]
        kinds = [self._choice(kind, kind == tokenizer.kind, f"screen.kind('{kind}')") for kind in KINDS]
        row = Content("").join([*held, Content("  as "), *places, Content("x X").stylize("dim")])
        sizes = Content("")
        if tokenizer.kind == "bpe":
            sizes = Content.assemble(
                "  vocabulary ", _link("[", "screen.vocabulary(False)"),
                (f" {tokenizer.vocab_size:,} ", "bold"), _link("]", "screen.vocabulary(True)"),
            )  # fmt: skip
        line = Content("").join([*kinds, Content("t").stylize("dim"), sizes])
        return [
            self._labelled("held out", row),
            self._labelled("tokenizer", line),
            self._labelled("", self._price(known)),
        ]

    def _choice(self, word: str, chosen: bool, action: str) -> Content:
        left, right = ("(", ")") if self.glyphs is ASCII else ("‹", "›")
        shown = f"{left}{word}{right}" if chosen else f" {word} "
        return _link(shown, action).stylize("bold" if chosen else "dim") + " "

    def _price(self, known: Known, short: bool = False) -> Content:
        config, profile, found = known.config, known.profile, known.prepared
        distinct = profile.distinct_characters if profile else None
        size = found.tokenizer.vocab_size if found else texts.expected_vocabulary(config, distinct)
        if size is None:
            return Content("its price is known once the text is read").stylize("dim")
        cost = texts.price(config.model, size)
        share = percent(round(cost.share, 2))
        kind = {"bpe": "pieces of words", "char": "characters", "byte": "bytes"}[config.tokenizer.kind]
        if short:
            return Content(f"{size:,} {kind}: {share} of {amount(cost.total)} weights")
        return Content(f"{size:,} {kind} take {amount(cost.vocabulary)} of {amount(cost.total)} weights ({share})")

    def _lines(self, known: Known, width: int) -> list[Content]:
        if known.baselines is None:
            return [self._labelled("bits/byte", Content(self._doing(known)).stylize("dim"))]
        if not known.baselines:
            return [self._labelled("bits/byte", "no lines on your chart: nothing is held out")]
        words = [f"{name} {bits:.2f}" for name, bits in known.baselines.items()]
        rows, room = [""], width - LABEL
        gap = "  " if sum(map(len, words)) + 2 * (len(words) - 1) <= room else " "
        for word in words:
            if rows[-1] and len(rows[-1]) + len(gap) + len(word) > room:
                rows.append("")
            rows[-1] += (gap if rows[-1] else "") + word
        return [self._labelled("" if i else "bits/byte", row) for i, row in enumerate(rows)]


def _link(shown: str, action: str) -> Content:
    return Content.from_markup(f"[@click={action}]$shown[/]", shown=shown)


class ChartLines(Static):
    """The baselines as bars: how much each kind of knowledge is worth on this text."""

    def __init__(self) -> None:
        super().__init__("", id="chart-lines", classes="pane", markup=False)
        self.border_title = "Lines on your chart, in bits per byte"

    def show(self, known: Known, glyphs: Glyphs) -> None:
        """Bars in relation to the longest, lowest cost last."""
        if known.fault is not None or not known.baselines:
            waiting = known.fault is None and known.baselines is None and known.doing
            self.update(known.doing + glyphs.ellipsis if waiting else "none: nothing is held out to measure them on")
            return
        room = max(8, self.content_region.width - 16 - max(map(len, MEANS.values())) - 1)
        most = max(known.baselines.values())
        rows = [
            Content.assemble(
                f"{name:<8}", (f"{bits:6.2f}", "bold"), "  ", (bar(bits / most, room, glyphs), "$primary"),
                (f" {MEANS.get(name, '')}", "dim"),
            )
            for name, bits in known.baselines.items()
        ]  # fmt: skip
        below = Content("The lower the model gets, the more it has learnt.").stylize("dim")
        self.update(Content("\n").join([*rows, Content(""), below]))
