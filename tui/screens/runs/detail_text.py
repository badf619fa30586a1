"""The text beside the chart of the Runs screen: the numbers of one run, or how several runs differ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from tinylm.runs.listing import RunListing
from tinylm.runs.state import RunState
from tinylm.words import duration, one_line, printable
from tui.live.history import Axis
from tui.live.status import ranking
from tui.screens.base import MUTED
from tui.screens.runs import compare
from tui.screens.runs.columns import state_glyph
from tui.screens.runs.compare import LoggedRun
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import NONE, file_size, fixed, two_digits

TONES = {"a": "$text-primary", "b": "$text-warning", "c": "$text-success", "d": "$text-error"}
"""The colours of the curves, which the chart has in its style sheet."""

LABEL = 9
"""Cells of the labels in a card."""

NARROWEST_VALUE = 4
"""Cells of a column of values at the least."""

SAMPLE = 160
"""Characters of the sample of each of several runs."""

TableRow = tuple[str, tuple[str, ...], bool]
"""A label, a value of each run, and whether these differ."""


def card(entry: RunListing, run: LoggedRun | None, glyphs: Glyphs, when: str, width: int) -> Content:
    """One run: what it is, how long it trained, how good it got, what it writes. `run`: None while its log is read."""
    state = run.history.state if run else RunState()
    head = f"{state_glyph(entry.status, glyphs)} {entry.status}"
    if entry.status not in ("finished", "damaged") and entry.step is not None and entry.steps:
        head += f" at step {entry.step:,} of {entry.steps:,}"
    rows = [
        ("begun", when),
        ("text", _joined(one_line(entry.data), state.data and file_size(state.data.bytes))),
        ("weights", _joined(two_digits(entry.parameters), entry.vocab_size and f"vocab {entry.vocab_size:,}")),
        (
            "learnt",
            _joined(entry.tokens and f"{two_digits(entry.tokens)} tokens", entry.seconds and duration(entry.seconds)),
        ),
        ("speed", entry.tokens_per_second and f"{two_digits(entry.tokens_per_second)} tokens/s"),
        ("held out", "" if entry.val_bpb is None else f"{entry.val_bpb:.3f} bits/byte"),
        ("best", _best(entry)),
        ("machine", one_line(state.started.machine) if state.started and state.started.machine else entry.device),
        ("disk", file_size(entry.bytes)),
        ("note", printable(entry.note)),
    ]
    parts = [Content.styled(head, "bold")]
    if entry.fault:
        parts.append(Content.styled(printable(entry.fault), "$text-error"))
    for label, value in rows:
        for number, line in enumerate(textwrap.wrap(str(value or ""), max(8, width - LABEL))):
            parts.append(Content.styled(f"{'' if number else label:<{LABEL}}", MUTED) + Content(line))
    if entry.val_bpb is not None and state.data:
        parts.append(Content.styled(ranking(entry.val_bpb, state.data.baselines).removeprefix(", "), "$text-success"))
    if state.sample:
        parts += [Content(""), Content.styled(f"step {state.sample.step:,} writes", MUTED)]
        parts.append(Content(printable(state.sample.prompt + state.sample.text).strip()))
    return Content("\n").join(parts)


def _best(entry: RunListing) -> str:
    """The step that the held-out loss is of; where that is not the last one, the last one too."""
    if entry.best_step is None:
        return ""
    best = f"@ step {entry.best_step:,}"
    if entry.step in (None, entry.best_step):
        return best
    return f"{best}, {'now' if entry.status in ('training', 'paused') else 'ended'} at {entry.step:,}"


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part and part != NONE)


def comparison(
    entries: Mapping[str, RunListing],
    logged: Mapping[str, LoggedRun],
    axis: Axis,
    glyphs: Glyphs,
    width: int,
    everything: bool,
    brief: bool,
) -> Content:
    """Several runs by their letters: who is who, whether losses may be compared, what differs, where all have come.

    `brief`: without the verdict, which the screen's sentence says too, and without samples.
    """
    parts = []
    for letter, entry in entries.items():
        bpb = fixed(entry.val_bpb, 3)
        if entry.best_step not in (None, entry.step):
            bpb += f" @{entry.best_step:,}"
        room = max(8, width - 6 - len(bpb))
        name = set_cell_size(ellipsize_middle(one_line(entry.name), room, glyphs), room)
        parts.append(
            Content.styled(f" {letter} ", f"bold reverse {TONES[letter]}")
            + Content(f" {name} ")
            + Content.styled(bpb, "bold")
        )
    runs = list(logged.values())
    if len(runs) < len(entries):
        return Content("\n").join([*parts, Content(""), Content.styled("Reading their logs ...", MUTED)])
    verdict = compare.verdict(runs)
    if not brief:
        tone = "$text-success" if verdict.comparable else "$text-warning"
        parts += [Content(""), Content.styled(verdict.sentence, tone)]
    tables: list[tuple[str, list[TableRow]]] = []
    configs = [run.config for run in runs if run.config is not None]
    if len(configs) == len(runs):
        settings = compare.differences(configs, everything)
        title = "all settings" if everything else "what differs" if settings else "No setting differs."
        tables.append((title, [(setting.label, setting.values, setting.differs) for setting in settings]))
    equal = compare.at_equal(runs, axis)
    if equal is not None:
        rows: list[TableRow] = [
            ("held out", tuple(fixed(bpb, 3) for bpb in equal.held_out), True),
            ("tokens", tuple(two_digits(tokens) for tokens in equal.tokens), True),
            ("time", tuple(duration(seconds) for seconds in equal.seconds), True),
        ]
        position = compare.position_words(axis, equal.position).removesuffix(" tokens")
        tables.append((f"at {position}", [row for row in rows if row[0] != axis]))
    parts += _tables(tables, list(logged), width, glyphs)
    if not brief:
        for letter, run in logged.items():
            if sample := run.history.state.sample:
                text = " ".join(printable(sample.prompt + sample.text).split())
                head = Content.styled(f"{letter} writes ", f"bold {TONES[letter]}")
                parts += [Content(""), head + Content(_cut(text, SAMPLE, glyphs).rstrip())]
    return Content("\n").join(parts)


def _tables(
    tables: Sequence[tuple[str, Sequence[TableRow]]], letters: Sequence[str], width: int, glyphs: Glyphs
) -> list[Content]:
    """Tables with a column for each run, one below the other; where columns do not fit, values follow their label."""
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
                text = "  ".join(f"{letter} {one_line(value)}" for letter, value in zip(letters, values, strict=True))
                head = Content.styled(f"{name}: ", MUTED)
            lines.append(head + Content(text).stylize("" if differs else MUTED))
    return lines


def _cut(text: str, width: int, glyphs: Glyphs) -> str:
    text = one_line(text)
    if cell_len(text) > width:
        return set_cell_size(text, width - len(glyphs.ellipsis)) + glyphs.ellipsis
    return set_cell_size(text, width)
