"""Text in a number of cells: names are cut in the middle, sentences have shorter versions."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tui.terminal.fit_text import ellipsize_middle, first_fitting
from tui.terminal.glyphs import ASCII, BRAILLE, Glyphs


@pytest.mark.parametrize(
    ("width", "glyphs", "shown"),
    [
        (23, BRAILLE, "stories-20261124-033635"),
        (22, BRAILLE, "stories-202…124-033635"),
        (14, BRAILLE, "stories…033635"),
        (14, ASCII, "storie...33635"),
        (4, BRAILLE, "st…5"),
        (1, BRAILLE, "…"),
    ],
)
def test_both_ends_stay(width: int, glyphs: Glyphs, shown: str) -> None:
    assert ellipsize_middle("stories-20261124-033635", width, glyphs) == shown


@pytest.mark.parametrize("width", range(1, 14))
def test_wide_characters_are_never_halved(width: int) -> None:
    assert cell_len(ellipsize_middle("一千零一夜故事", width, BRAILLE)) <= width


@pytest.mark.parametrize(
    ("room", "fitting"),
    [
        (40, "Nothing is chosen: Space chooses."),
        (18, "Nothing is chosen."),
        (4, "None."),
        (33, "Nothing is chosen: Space chooses."),
    ],
)
def test_the_longest_that_fits(room: int, fitting: str) -> None:
    assert first_fitting(room, "Nothing is chosen: Space chooses.", "Nothing is chosen.", "None.") == fitting


def test_wide_letters_take_two_cells() -> None:
    assert first_fitting(5, "\u6587\u5b57\u5217", "text") == "text"
