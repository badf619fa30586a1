"""What the Runs screen says beside its chart: the numbers of one run, or how several runs differ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from tinylm.runs.listing import RunListing
from tinylm.words import duration, printable
from tui.live.status import ranking
from tui.screens.runs import compare
from tui.screens.runs.columns import state_sign
from tui.screens.runs.compare import Axis, LossTrace, amount
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import size

TONES = {"a": "$text-primary", "b": "$text-warning", "c": "$text-success", "d": "$text-error"}
"""The colours that the chart gives its curves."""

MUTED = "$foreground 60%"
"""$text-muted is white in Content: its contrast is only worked out in style sheets."""

LABEL = 9
"""Cells of the labels of a card."""

NARROWEST_VALUE = 4
"""Cells that a column of values needs at least."""

SAMPLE = 160
"""Characters of what each of several runs writes."""

Row = tuple[str, tuple[str, ...], bool]
"""A label, a value of each run, and whether these differ."""


def card(entry: RunListing, told: LossTrace | None, glyphs: Glyphs, when: str, width: int) -> Content:
    """One run: what it is, how long it learnt, how good it got, what it writes."""
    head = f"{state_sign(entry.status, glyphs)} {entry.status}"
    if entry.status not in ("finished", "damaged") and entry.step is not None and entry.steps:
        head += f" at step {entry.step:,} of {entry.steps:,}"
    rows = [
        ("begun", when),
        ("text", _joined(printable(entry.data), told and told.data and size(told.data.bytes))),
        ("weights", _joined(amount(entry.parameters), entry.vocab_size and f"vocab {entry.vocab_size:,}")),
        (
            "learnt",
            _joined(entry.tokens and f"{amount(entry.tokens)} tokens", entry.seconds and duration(entry.seconds)),
        ),
        ("speed", entry.tokens_per_second and f"{amount(entry.tokens_per_second)} tokens/s"),
        ("held out", "" if entry.val_bpb is None else f"{entry.val_bpb:.3f} bits/byte"),
        ("best", "" if entry.best_step is None else f"@ step {entry.best_step:,}"),
        ("machine", printable(told.machine) if told and told.machine else entry.device),
        ("disk", size(entry.bytes)),
        ("note", printable(entry.note)),
    ]
    parts = [Content.styled(head, "bold")]
    if entry.fault:
        parts.append(Content.styled(printable(entry.fault), "$text-error"))
    for label, value in rows:
        for number, line in enumerate(textwrap.wrap(str(value or ""), max(8, width - LABEL))):
            parts.append(Content.styled(f"{'' if number else label:<{LABEL}}", MUTED) + Content(line))
    if entry.val_bpb is not None and told and told.data:
        parts.append(Content.styled(ranking(entry.val_bpb, told.data.baselines).removeprefix(", "), "$text-success"))
    if told and told.sample:
        parts += [Content(""), Content.styled(f"step {told.sample.step:,} writes", MUTED)]
        parts.append(Content(printable(told.sample.prompt + told.sample.text).strip()))
    return Content("\n").join(parts)


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part and part != "-")


def comparison(
    entries: Mapping[str, RunListing],
    traces: Mapping[str, LossTrace],
    axis: Axis,
    glyphs: Glyphs,
    width: int,
    everything: bool,
    brief: bool,
) -> Content:
    """Several runs by their letters: who is who, whether losses may be compared, what differs, equal lengths.

    `brief`: without what the sentence near the screen's foot says too.
    """
    parts = []
    for letter, entry in entries.items():
        bpb = "-" if entry.val_bpb is None else f"{entry.val_bpb:.3f}"
        room = max(8, width - 6 - len(bpb))
        name = set_cell_size(ellipsize_middle(printable(entry.name), room, glyphs), room)
        parts.append(
            Content.styled(f" {letter} ", f"bold reverse {TONES[letter]}")
            + Content(f" {name} ")
            + Content.styled(bpb, "bold")
        )
    told = list(traces.values())
    if len(told) < len(entries):
        return Content("\n").join([*parts, Content(""), Content.styled("Reading their logs ...", MUTED)])
    verdict = compare.verdict(told)
    if not brief:
        tone = "$text-success" if verdict.comparable else "$text-warning"
        parts += [Content(""), Content.styled(verdict.sentence, tone)]
    tables: list[tuple[str, list[Row]]] = []
    configs = [trace.config for trace in told if trace.config is not None]
    if len(configs) == len(told):
        found = compare.differences(configs, everything)
        title = "all settings" if everything else "what differs" if found else "No setting differs."
        tables.append((title, [(setting.label, setting.values, setting.differs) for setting in found]))
    equal = compare.at_equal(told, axis)
    if equal is not None:
        rows: list[Row] = [
            ("held out", tuple("-" if bpb is None else f"{bpb:.3f}" for bpb in equal.held_out), True),
            ("tokens", tuple(amount(tokens) for tokens in equal.tokens), True),
            ("time", tuple(duration(seconds) for seconds in equal.seconds), True),
        ]
        place = compare.along(axis, equal.place).removesuffix(" tokens")
        tables.append((f"at {place}", [row for row in rows if row[0] != axis]))
    parts += _tables(tables, list(traces), width, glyphs)
    if not brief:
        for letter, trace in traces.items():
            if trace.sample:
                text = " ".join(printable(trace.sample.prompt + trace.sample.text).split())
                head = Content.styled(f"{letter} writes ", f"bold {TONES[letter]}")
                parts += [Content(""), head + Content(_cut(text, SAMPLE, glyphs).rstrip())]
    return Content("\n").join(parts)


def _tables(
    tables: Sequence[tuple[str, Sequence[Row]]], letters: Sequence[str], width: int, glyphs: Glyphs
) -> list[Content]:
    """Tables with a column for each run, one below the other; where these do not fit, values behind their label."""
    names = [name for title, rows in tables for name in (title, *(row[0] for row in rows)) if rows]
    label = min(max(map(len, names), default=0), max(12, width // 2 - 2))
    each = min((width - label) // len(letters) - 2, 16)
    lines = []
    for title, rows in tables:
        lines += [Content(""), Content.styled(_cut(title, label, glyphs) if rows else title, MUTED)]
        if each >= NARROWEST_VALUE and rows:
            for letter in letters:
                lines[-1] += Content.styled(f"  {letter:<{each}}", f"bold {TONES[letter]}")
        for name, values, differs in rows:
            if each >= NARROWEST_VALUE:
                text = "".join(f"  {_cut(value, each, glyphs)}" for value in values)
                head = Content.styled(_cut(name, label, glyphs), MUTED)
            else:
                text = "  ".join(f"{letter} {printable(value)}" for letter, value in zip(letters, values, strict=True))
                head = Content.styled(f"{name}: ", MUTED)
            lines.append(head + Content(text).stylize("" if differs else MUTED))
    return lines


def _cut(text: str, width: int, glyphs: Glyphs) -> str:
    text = printable(text)
    if cell_len(text) > width:
        return set_cell_size(text, width - len(glyphs.ellipsis)) + glyphs.ellipsis
    return set_cell_size(text, width)
