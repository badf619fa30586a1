"""Numbers as people read them: sizes, shares, counts, bars."""

from __future__ import annotations

from tui.terminal.glyphs import Glyphs


def size(number: int) -> str:
    """`16 MB`."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= scale:
            scaled = number / scale
            return f"{scaled:.1f} {unit}" if scaled < 9.95 else f"{scaled:.0f} {unit}"
    return f"{number} B"


NONE = "-"
"""What stands where there is no number."""


def short(number: float | None) -> str:
    """`9.5 k`, `1.2 M`."""
    if number is None:
        return NONE
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"


def bar(fraction: float, width: int, glyphs: Glyphs) -> str:
    """A bar of `width` cells, filled by eighths where the terminal can."""
    shades = glyphs.bar
    eighths = round(max(0.0, min(1.0, fraction)) * width * (len(shades) - 1))
    whole, rest = divmod(eighths, len(shades) - 1)
    return (shades[-1] * whole + (shades[rest] if rest else "")).ljust(width)


def amount(number: float) -> str:
    """`2.10 M`, `106 k` or `950`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return (
                f"{number / size:.2f} {unit}" if size > 1e3 and number < 100 * size else f"{number / size:.0f} {unit}"
            )
    return f"{number:.0f}"


def percent(fraction: float) -> str:
    """`5 %`, `0.2 %`."""
    return f"{100 * fraction:.1f}".removesuffix(".0") + " %"


def size_of(n_bytes: int) -> str:
    """`8.50 MB`."""
    shown = amount(n_bytes)
    return f"{shown}B" if " " in shown else f"{shown} bytes"
