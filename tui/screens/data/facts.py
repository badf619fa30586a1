"""Statistics of the chosen texts, the size of their vocabulary in the model, and the baselines of the loss chart."""

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
from tinylm.words import counted, printable, text_size
from tui.screens.data import texts
from tui.screens.data.texts import PreparedTexts
from tui.terminal.glyphs import ASCII, BRAILLE, Glyphs
from tui.terminal.numbers import amount, bar, percent

if TYPE_CHECKING:
    from tinylm.corpus.profile import Profile

KINDS = ("bpe", "char", "byte")
LABEL = 11
"""Cells for the label of a line."""

FEW = ("counts", "pairs", "triples", "xz")
"""The baselines that are shown where there is room for one line only."""

MEANS = {
    "blind": "every character equally likely",
    "counts": "how often each character comes",
    "pairs": "which character follows which",
    "triples": "which follows the last two",
    "gzip": "the compressor, at its best",
    "xz": "a stronger compressor",
    "floor": "what the stories' grammar allows",
}
"""What each baseline knows of the text; its value is the bits per byte that this knowledge costs."""


@dataclass(frozen=True)
class TextsState:
    """What is known so far about the texts of a plan."""

    config: RunConfig
    profile: Profile | None = None
    prepared: PreparedTexts | None = None
    baselines: Mapping[str, float] | None = None
    fault: BaseException | None = None
    doing: str = ""
    """What is under way to find out the rest; "" if nothing is."""

    @property
    def cautions(self) -> list[str]:
        """Warnings before training on them."""
        if self.profile is None or self.fault is not None:
            return []
        return texts.cautions(self.config, self.profile.bytes, self.prepared)

    @property
    def notes(self) -> list[str]:
        """What was done to the texts while they were read, each note once."""
        apart = [f"Phase {phase.name} reads texts of its own." for phase in self.config.train.phases if phase.sources]
        notes = [*apart, *(self.profile.notes if self.profile else ()), *(self.prepared.notes if self.prepared else ())]
        return list(dict.fromkeys(notes))


def describe_error(error: BaseException) -> tuple[str, str, str]:
    """Title, message and hint of an error."""
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
    """Statistics, settings of tokenizer and held-out part, warnings and notes; scrolls."""

    DEFAULT_CSS = """
    Facts { scrollbar-size-vertical: 1; link-style: none; link-color: $text; link-style-hover: reverse; }
    Facts Static { link-style: none; link-color: $text; link-background-hover: $accent; }
    """

    def __init__(self) -> None:
        super().__init__(id="facts", classes="pane")
        self.border_title = "What is in it"
        self.glyphs: Glyphs = BRAILLE

    def compose(self):  # type: ignore[no-untyped-def]
        """One widget for all lines."""
        yield Static("", markup=False)

    def show(self, state: TextsState, short: bool, lines_too: bool) -> None:
        """Draw `state`, in about three lines if `short`; `lines_too` adds the baselines, which then have no pane."""
        width = max(30, self.scrollable_content_region.width)
        lines = self._short(state) if short else self._whole(state, width, lines_too)
        self.query_one(Static).update(Content("\n").join(lines))

    # ---- lines ----------------------------------------------------------------------------------------------------

    def _dotted(self, *parts: str) -> Content:
        return Content(f" {self.glyphs.dot} ".join(part for part in parts if part))

    def _doing(self, state: TextsState) -> str:
        return state.doing + self.glyphs.ellipsis if state.doing else ""

    def _short(self, state: TextsState) -> list[Content]:
        if state.fault is not None:
            return self._fault(state.fault)
        profile, prepared, data = state.profile, state.prepared, state.config.data
        if profile is None:
            return [Content(self._doing(state))]
        tokens = f"{amount(prepared.tokens)} tokens" if prepared else self._doing(state)
        held = f"{percent(data.val_fraction)} held out" if data.val_fraction else "nothing held out"
        lines = [self._dotted(text_size(profile.bytes), tokens, held), self._vocabulary_share(state, short=True)]
        if state.baselines:
            few = [f"{name} {state.baselines[name]:.2f}" for name in FEW if name in state.baselines]
            lines.append(Content(f"bits/byte: {' '.join(few)}"))
        return lines + [self._warning(caution) for caution in state.cautions]

    def _whole(self, state: TextsState, width: int, lines_too: bool) -> list[Content]:
        lines = self._fault(state.fault) if state.fault is not None else self._numbers(state)
        lines += self._choices(state)
        lines += [self._warning(caution) for caution in state.cautions]
        if lines_too and state.fault is None:
            lines += self._lines(state, width)
        encoding = _link(state.config.data.encoding, "screen.encoding").stylize("bold")
        lines.append(self._labelled("encoding", Content.assemble(encoding, (" e", "dim"))))
        for note in state.notes if state.fault is None else ():
            rows = textwrap.wrap(printable(note), width - LABEL)
            lines += [self._labelled("" if i else "note", Content(row).stylize("dim")) for i, row in enumerate(rows)]
        return lines

    def _labelled(self, label: str, content: Content | str) -> Content:
        return Content.assemble((f"{label:<{LABEL}}", "dim"), content)

    def _fault(self, error: BaseException) -> list[Content]:
        title, message, hint = (Content(printable(part)) for part in describe_error(error))
        return [Content(f"{self.glyphs.failed} ") + title.stylize("bold $text-error"), message, hint]

    def _warning(self, caution: str) -> Content:
        return Content(f"{self.glyphs.warning} {caution}").stylize("$text-warning")

    def _numbers(self, state: TextsState) -> list[Content]:
        profile, prepared, data = state.profile, state.prepared, state.config.data
        if profile is None:
            return [Content(self._doing(state) or "nothing chosen yet"), Content("")]
        repeated = f"{percent(profile.repeated_lines)} repeated"
        first = self._dotted(
            text_size(profile.bytes),
            f"{amount(profile.characters)} characters",
            f"{profile.distinct_characters:,} distinct",
            counted(profile.documents, "document"),
        )
        if prepared is None:
            return [first, self._dotted(self._doing(state), repeated)]
        second = self._dotted(
            f"{amount(prepared.tokens)} tokens",
            f"{amount(prepared.val_tokens)} held out",
            f"{amount(prepared.pass_tokens)} a pass" if data.weights else "",
            "" if data.weights else f"{prepared.bytes / max(1, prepared.tokens):.2f} bytes each",
            repeated,
        )
        return [first, second]

    def _choices(self, state: TextsState) -> list[Content]:
        data, tokenizer = state.config.data, state.config.tokenizer
        shares = sorted({*texts.HELD_OUT, data.val_fraction})
        held = [
            self._choice(percent(share), share == data.val_fraction, f"screen.hold_out({share})") for share in shares
        ]
        placements = [
            self._choice(name, name == data.val_placement, f"screen.placement('{name}')") for name in ("spans", "tail")
        ]
        kinds = [self._choice(kind, kind == tokenizer.kind, f"screen.kind('{kind}')") for kind in KINDS]
        row = Content("").join([*held, Content("  as "), *placements, Content("x X").stylize("dim")])
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
            self._labelled("", self._vocabulary_share(state)),
        ]

    def _choice(self, word: str, chosen: bool, action: str) -> Content:
        left, right = ("(", ")") if self.glyphs is ASCII else ("‹", "›")
        shown = f"{left}{word}{right}" if chosen else f" {word} "
        return _link(shown, action).stylize("bold" if chosen else "dim") + " "

    def _vocabulary_share(self, state: TextsState, short: bool = False) -> Content:
        config, profile, prepared = state.config, state.profile, state.prepared
        distinct = profile.distinct_characters if profile else None
        size = prepared.tokenizer.vocab_size if prepared else texts.expected_vocabulary(config, distinct)
        if size is None:
            return Content("its price is known once the text is read").stylize("dim")
        split = texts.weight_split(config.model, size)
        share = percent(round(split.share, 2))
        kind = {"bpe": "pieces of words", "char": "characters", "byte": "bytes"}[config.tokenizer.kind]
        if short:
            return Content(f"{size:,} {kind}: {share} of {amount(split.total)} weights")
        return Content(f"{size:,} {kind} take {amount(split.vocabulary)} of {amount(split.total)} weights ({share})")

    def _lines(self, state: TextsState, width: int) -> list[Content]:
        if state.baselines is None:
            return [self._labelled("bits/byte", Content(self._doing(state)).stylize("dim"))]
        if not state.baselines:
            return [self._labelled("bits/byte", "no lines on your chart: nothing is held out")]
        words = [f"{name} {bits:.2f}" for name, bits in state.baselines.items()]
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
    """The baselines as a bar chart."""

    def __init__(self) -> None:
        super().__init__("", id="chart-lines", classes="pane", markup=False)
        self.border_title = "Lines on your chart, in bits per byte"

    def show(self, state: TextsState, glyphs: Glyphs) -> None:
        """Draw the bars, relative to the longest."""
        if state.fault is not None or not state.baselines:
            waiting = state.fault is None and state.baselines is None and state.doing
            self.update(state.doing + glyphs.ellipsis if waiting else "none: nothing is held out to measure them on")
            return
        room = max(8, self.content_region.width - 16 - max(map(len, MEANS.values())) - 1)
        most = max(state.baselines.values())
        rows = [
            Content.assemble(
                f"{name:<8}", (f"{bits:6.2f}", "bold"), "  ", (bar(bits / most, room, glyphs), "$primary"),
                (f" {MEANS.get(name, '')}", "dim"),
            )
            for name, bits in state.baselines.items()
        ]  # fmt: skip
        below = Content("The lower the model gets, the more it has learnt.").stylize("dim")
        self.update(Content("\n").join([*rows, Content(""), below]))
