"""Fits text into a number of cells."""

from __future__ import annotations

from rich.cells import cell_len

from tui.terminal.glyphs import Glyphs


def ellipsize_middle(name: str, width: int, glyphs: Glyphs) -> str:
    """`name` in at most `width` cells, cut in the middle: names of runs start alike and differ at the end."""
    if cell_len(name) <= width:
        return name
    room = max(0, width - len(glyphs.ellipsis))
    head = tail = name
    while cell_len(head) > room - room // 2:
        head = head[:-1]
    while cell_len(tail) > room // 2:
        tail = tail[1:]
    return head + glyphs.ellipsis + tail


def first_fitting(width: int, *versions: str) -> str:
    """The first of `versions`, from the longest to the shortest, that fits into `width` cells; else the last."""
    return next((text for text in versions if cell_len(text) <= width), versions[-1])
