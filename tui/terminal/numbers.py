"""Numbers as people read them: counts, sizes, shares, bars. The example in each docstring is its format."""

from __future__ import annotations

import math

from tui.terminal.glyphs import Glyphs

NONE = "-"
"""What stands where there is no number."""

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def _scaled(number: float) -> tuple[float, str]:
    """`number` in the largest unit that leaves at least 1, and the letter of the unit."""
    for unit, letter in _UNITS:
        if abs(number) >= unit:
            return number / unit, letter
    return number, ""


# ---- counts ------------------------------------------------------------------------------------------------------


def fixed(value: float | None, digits: int = 2) -> str:
    """`1.23`: a fixed number of decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def count(value: float) -> str:
    """`1,234`."""
    return f"{value:,.0f}"


def three_digits(number: float | None) -> str:
    """`9.5 k`, `1.23 M`: at most three significant digits."""
    if number is None:
        return NONE
    scaled, letter = _scaled(number)
    return f"{scaled:.3g} {letter}".rstrip()


def two_digits(number: float | None) -> str:
    """`840`, `12 k`, `0.96 M`, `1.3 M`, `31 M`: two significant digits, in millions from 100,000 on."""
    if number is None or not math.isfinite(number):
        return NONE
    scaled, letter = (number / 1e6, "M") if 1e5 <= abs(number) < 1e6 else _scaled(number)
    if not letter:
        return f"{number:.0f}"
    decimals = 0 if abs(scaled) >= 9.95 else 1 if abs(scaled) >= 0.995 else 2
    return f"{scaled:.{decimals}f} {letter}"


def amount(number: float) -> str:
    """`2.10 M`, `106 k`, `950`: hundredths of a million."""
    scaled, letter = _scaled(number)
    decimals = 2 if letter in ("M", "G") and scaled < 100 else 0
    return f"{scaled:.{decimals}f} {letter}".rstrip()


def millions(number: float) -> str:
    """`0.85 M`, `12.34 M`, `0.12 G`: the same unit along most of an axis."""
    return f"{number / 1e6:.2f} M" if number < 1e8 else f"{number / 1e9:.2f} G"


def compact(value: float, step: float | None = None, digits: int = 3) -> str:
    """`1.5M`, `0.012`, `3e-4`: as few characters as possible, with `digits` significant ones.

    With `step`, the distance between the labels of an axis, exact enough to tell multiples of it apart.
    """
    size = abs(value)
    if not math.isfinite(value) or value == 0:
        return "0" if value == 0 else NONE
    for least, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4 if digits > 2 else 1e3, 1e3, "k")):
        if size >= least:
            return compact(value / unit, step / unit if step else None, digits) + letter
    if size < 0.01 and not (step and step >= 0.001):
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    if step:
        return f"{value:.{_decimals(step)}f}"
    return _trimmed(f"{value:.{max(0, digits - 1 - math.floor(math.log10(size)))}f}")


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _decimals(step: float) -> int:
    """How many decimals tell multiples of `step` apart."""
    return next((n for n in range(7) if abs(round(step, n) - step) < 1e-6 * step), 7)


# ---- sizes -------------------------------------------------------------------------------------------------------


def file_size(n_bytes: int) -> str:
    """`12 B`, `310 kB`, `1.2 MB`, `16 MB`: two significant digits."""
    scaled, letter = _scaled(n_bytes)
    return f"{scaled:.{1 if letter and scaled < 9.95 else 0}f} {letter}B"


def list_size(n_bytes: int) -> str:
    """`12 B`, `31.0 kB`, `120 MB`: a decimal below 100, so that sizes stand in a column."""
    scaled, letter = _scaled(n_bytes)
    return f"{scaled:.{1 if letter and scaled < 100 else 0}f} {letter}B"


def memory_size(megabytes: float) -> str:
    """`310 MB`, `1.2 GB`."""
    return f"{megabytes / 1000:,.2g} GB" if megabytes >= 995 else f"{megabytes:,.0f} MB"


# ---- shares ------------------------------------------------------------------------------------------------------


def percent(fraction: float) -> str:
    """`5 %`, `0.2 %`."""
    return f"{100 * fraction:.1f}".removesuffix(".0") + " %"


def brief_percent(fraction: float) -> str:
    """`12%`, `1.2%`, `<.1%`: at most four cells."""
    if fraction >= 0.0995:
        return f"{fraction:.0%}"
    return f"{fraction:.1%}" if fraction >= 0.0005 else "<.1%"


def bar(fraction: float, width: int, glyphs: Glyphs) -> str:
    """A bar of `width` cells, filled by eighths of a cell where the terminal can show them."""
    shades = glyphs.bar
    eighths = round(max(0.0, min(1.0, fraction)) * width * (len(shades) - 1))
    whole, rest = divmod(eighths, len(shades) - 1)
    return (shades[-1] * whole + (shades[rest] if rest else "")).ljust(width)
