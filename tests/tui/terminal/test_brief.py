"""A line takes the longest way to say a thing that it has room for."""

from __future__ import annotations

import pytest

from tui.terminal.fit_text import first_fitting


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (40, "Nothing is chosen: Space chooses."),
        (18, "Nothing is chosen."),
        (4, "None."),
        (33, "Nothing is chosen: Space chooses."),
    ],
)
def test_the_longest_that_fits(room: int, said: str) -> None:
    assert first_fitting(room, "Nothing is chosen: Space chooses.", "Nothing is chosen.", "None.") == said


def test_wide_letters_take_two_cells() -> None:
    assert first_fitting(5, "\u6587\u5b57\u5217", "text") == "text"
