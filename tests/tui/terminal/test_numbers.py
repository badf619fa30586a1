"""Numbers as people read them."""

import math

import pytest

from tui.terminal import glyphs, numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"), (math.nan, "-"), (0, "0"), (840, "840"), (12_500, "12 k"), (99_900, "100 k"), (956_426, "0.96 M"),
        (1_310_720, "1.3 M"), (31e6, "31 M"), (210e6, "210 M"), (3.2e9, "3.2 G"),
    ],
)  # fmt: skip
def test_two_digits(number: float | None, text: str) -> None:
    assert numbers.two_digits(number) == text


@pytest.mark.parametrize(("number", "text"), [(None, "-"), (950, "950"), (9500, "9.5 k"), (1_234_567, "1.23 M")])
def test_three_digits(number: float | None, text: str) -> None:
    assert numbers.three_digits(number) == text


@pytest.mark.parametrize(("number", "text"), [(12, "12 B"), (310_000, "310 kB"), (1.25e6, "1.2 MB"), (16e6, "16 MB")])
def test_sizes_of_files(number: float, text: str) -> None:
    assert numbers.file_size(int(number)) == text


def test_brief_percent() -> None:
    shown = [numbers.brief_percent(share) for share in (1.0, 0.46, 0.0996, 0.031, 0.0004)]
    assert shown == ["100%", "46%", "10%", "3.1%", "<.1%"]


def test_a_bar_is_filled_by_parts_of_a_cell() -> None:
    assert numbers.bar(0.5, 4, glyphs.BRAILLE) == "██  "
    assert numbers.bar(0.3, 4, glyphs.BRAILLE) == "█▎  "
    assert numbers.bar(1.0, 3, glyphs.ASCII) == "###"
    assert numbers.bar(0.0, 3, glyphs.ASCII) == "   "
