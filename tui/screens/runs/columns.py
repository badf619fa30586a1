"""The columns of the table of runs: what each says, and which of them fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rich.cells import cell_len

from tinylm.runs.listing import RunListing
from tinylm.words import duration, one_line
from tui.terminal.glyphs import Glyphs
from tui.terminal.numbers import file_size, fixed, two_digits

Order = Literal["when", "held-out", "size", "name"]
ORDERS: tuple[Order, ...] = ("when", "held-out", "size", "name")

MARGIN = 3
"""Cells before the first column, for the cursor and the mark."""

_SIGNS = {"training": "training", "paused": "paused", "finished": "done", "stopped": "paused", "damaged": "warning"}


def state_glyph(status: str, glyphs: Glyphs) -> str:
    """The glyph of a run's state; the word always stands beside it."""
    return str(getattr(glyphs, _SIGNS.get(status, "failed")))


def when(utc: str, now: datetime) -> str:
    """A time as people say it: `just now`, `5 min ago`, `3 h ago`, `yesterday`, `Mon`, `23 Nov`, `Nov 2024`."""
    if not utc:
        return ""
    then = datetime.fromisoformat(utc).astimezone(now.tzinfo)
    seconds, days = (now - then).total_seconds(), (now.date() - then.date()).days
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 12 * 3600 or days == 0:
        return f"{seconds // 3600:.0f} h ago"
    if days == 1:
        return "yesterday"
    if days < 7:
        return f"{then:%a}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then:%b %Y}"


@dataclass(frozen=True)
class Column:
    """One column: its title, its text and how much room it takes."""

    title: str
    text: Callable[[RunListing, datetime], str]
    most: int
    """Cells at most, while other columns still need room."""
    least: int = 0
    """Cells that it may be cut down to; 0: it is never cut."""
    right: bool = False
    order: Order | None = None
    """What a click on its title sorts by."""


COLUMNS: dict[str, Column] = {
    "name": Column("name", lambda entry, _: one_line(entry.name), 23, least=14, order="name"),
    "state": Column("state", lambda entry, _: entry.status, 13),
    "when": Column("when", lambda e, now: "now" if e.status == "training" else when(e.utc, now), 10, order="when"),
    "length": Column("length", lambda e, _: "" if e.seconds is None else duration(e.seconds), 8, right=True),
    "device": Column("device", lambda entry, _: entry.device or "", 6),
    "weights": Column("weights", lambda entry, _: two_digits(entry.parameters), 7, right=True),
    "vocab": Column("vocab", lambda e, _: "" if e.vocab_size is None else f"{e.vocab_size:,}", 7, right=True),
    "tokens": Column("tokens", lambda entry, _: two_digits(entry.tokens), 6, right=True),
    "bpb": Column("bits/B", lambda entry, _: fixed(entry.val_bpb, 3), 6, right=True, order="held-out"),
    "best": Column("best @", lambda e, _: "" if e.best_step is None else f"{e.best_step:,}", 9, right=True),
    "speed": Column("tok/s", lambda entry, _: two_digits(entry.tokens_per_second), 6, right=True),
    "size": Column("size", lambda entry, _: file_size(entry.bytes), 6, right=True, order="size"),
    "data": Column("text", lambda entry, _: one_line(entry.data), 18, least=8),
    "note": Column("note", lambda entry, _: one_line(entry.note.replace("\n", " ")), 60, least=10),
}
"""All columns, from left to right."""

IMPORTANCE = (
    "name", "state", "bpb", "when", "note", "weights", "size", "data", "tokens", "speed", "length", "best", "device",
    "vocab",
)  # fmt: skip
"""All columns, the most important first: which are shown where there is not room for all."""


def fit_columns(entries: Sequence[RunListing], width: int, now: datetime) -> dict[str, int]:
    """The columns that fit into `width` cells, from left to right, and the width of each.

    A column that is empty for every run is left out; those that can be cut share the room that is left.
    """
    wanted: dict[str, int] = {}
    for key, column in COLUMNS.items():
        widest = max((cell_len(column.text(entry, now)) for entry in entries), default=0)
        if key == "state":
            widest += 2  # its glyph
        if widest or not entries:
            wanted[key] = max(min(widest, column.most), cell_len(column.title))
    least = {key: min(wanted[key], COLUMNS[key].least or wanted[key]) for key in wanted}
    shown: dict[str, int] = {}
    room = width - MARGIN + 2
    for key in IMPORTANCE:
        # A whole name is worth more than a fifth column.
        extra = wanted["name"] - least["name"] if len(shown) >= 4 and "name" in wanted else 0
        if key in wanted and least[key] + 2 + extra <= room:
            shown[key] = least[key]
            room -= least[key] + 2
    for key in ("name", "data", "note"):
        if key in shown:
            more = min(room, wanted[key] - shown[key])
            shown[key] += more
            room -= more
    return {key: shown[key] for key in COLUMNS if key in shown}
