"""A measurement as a row: one JSON object a line, or a line of a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is that to the peer where there is one, else that to the limit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """What this machine could do at most, measured in the same run, in the same unit."""
    peer: str | None = None
    """What it is compared with, measured in the same run in turn with it."""
    peer_value: float | None = None
    ratio: float | None = None
    """Median of the pairs' own ratios where a peer is measured in pairs."""
    runs: int | None = None
    """How many times each was measured."""

    def line(self) -> str:
        """The row as a person reads it."""
        parts = [f"{self.name:<34} {_number(self.value):>10} {self.unit:<9}"]
        if self.limit is not None:
            parts.append(f"limit {_number(self.limit)}")
        if self.peer is not None and self.peer_value is not None:
            parts.append(f"{self.peer} {_number(self.peer_value)}")
        if self.ratio is not None:
            parts.append(f"ratio {self.ratio:.2f}")
        if self.runs is not None:
            parts.append(f"({self.runs} runs)")
        return "  ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def tell(rows: Iterable[Row], *, as_json: bool) -> None:
    """Print each row as it comes; in JSON, keys that do not apply are left out."""
    for row in rows:
        table = {key: value for key, value in asdict(row).items() if value is not None}
        print(json.dumps(table) if as_json else row.line(), flush=True)
