"""A measurement, printed as a JSON object or as a line of a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tinylm.words import counted


@dataclass(frozen=True)
class Row:
    """One measurement."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """The most this machine could do, measured in the same run, in the same unit."""
    peer: str | None = None
    """What it is compared with, measured in the same run in alternating pairs."""
    peer_value: float | None = None
    ratio: float | None = None
    """To the peer if there is one (median of the pairs' ratios), else to the limit."""
    runs: int | None = None
    """How many times each was measured."""

    def line(self) -> str:
        """The row for people."""
        parts = [f"{self.name:<34} {_number(self.value):>10} {self.unit:<9}"]
        if self.limit is not None:
            parts.append(f"limit {_number(self.limit)}")
        if self.peer is not None and self.peer_value is not None:
            parts.append(f"{self.peer} {_number(self.peer_value)}")
        if self.ratio is not None:
            parts.append(f"ratio {self.ratio:.2f}")
        if self.runs is not None:
            parts.append(f"({counted(self.runs, 'run')})")
        return "  ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def print_rows(rows: Iterable[Row], *, as_json: bool) -> None:
    """Print each row as it comes; JSON leaves out keys without a value."""
    for row in rows:
        table = {key: value for key, value in asdict(row).items() if value is not None}
        print(json.dumps(table) if as_json else row.line(), flush=True)
