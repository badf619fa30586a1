"""Names that are too long for their place."""

from __future__ import annotations

from rich.cells import cell_len

from tui.terminal.glyphs import Glyphs


def ellipsize_middle(name: str, width: int, glyphs: Glyphs) -> str:
    """`name` in `width` cells at most, cut in its middle: runs are called alike at first, and differ at the end."""
    if cell_len(name) <= width:
        return name
    room = max(0, width - len(glyphs.ellipsis))
    head, tail = name, name
    while cell_len(head) > room - room // 2:
        head = head[:-1]
    while cell_len(tail) > room // 2:
        tail = tail[1:]
    return head + glyphs.ellipsis + tail


def first_fitting(room: int, *ways: str) -> str:
    """The first of `ways`, which go from the longest to the shortest, that takes no more than `room` cells."""
    return next((way for way in ways if cell_len(way) <= room), ways[-1])
