"""One line has little room: of several ways to say a thing, the first that fits."""

from __future__ import annotations

from rich.cells import cell_len


def brief(room: int, *ways: str) -> str:
    """The first of `ways`, which go from the longest to the shortest, that takes no more than `room` cells."""
    return next((way for way in ways if cell_len(way) <= room), ways[-1])
