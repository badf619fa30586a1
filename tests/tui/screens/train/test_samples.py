"""The strip of samples: which stand there, which is marked, and that nothing of a model's text steers the terminal."""

from __future__ import annotations

import pytest

from tinylm.events import Sampled
from tui.screens.train.samples import index_at, strip_lines
from tui.terminal.glyphs import ASCII, BRAILLE


def sampled(count: int, text: str = "Once upon a time there was a fox that ran home.") -> list[Sampled]:
    return [Sampled(40 * number, "", f"{number}: {text}") for number in range(1, count + 1)]


def test_the_newest_sample_at_a_step() -> None:
    samples = sampled(5)
    assert index_at(samples, None) == 4
    assert index_at(samples, 40) == 0
    assert index_at(samples, 119) == 1
    assert index_at(samples, 3) == 0
    assert index_at([], 3) == 0


def test_the_last_sample_of_a_run_may_be_that_of_its_best_step() -> None:
    samples = [*sampled(5), Sampled(80, "", "what the best step writes")]
    assert index_at(samples, None) == 5
    assert [index_at(samples, step) for step in (40, 85, 125, 200)] == [0, 1, 2, 4]


def test_a_low_strip_shows_the_marked_sample_and_an_early_one() -> None:
    lines, rows = strip_lines(sampled(9, "word " * 40), 8, 76, 3, BRAILLE)
    assert lines[0].plain.split()[:3] == ["step", "120", "3:"]
    assert rows == [2, 8, 8]
    assert lines[1].plain.startswith("▸ step 360")
    assert lines[2].plain.endswith("…")


def test_a_high_strip_shows_all_in_order_of_time() -> None:
    lines, rows = strip_lines(sampled(5), 2, 100, 10, BRAILLE)
    assert rows == [0, 1, 2, 3, 4]
    assert [line.plain.startswith("▸") for line in lines] == [False, False, True, False, False]


@pytest.mark.parametrize("width", [20, 40, 76, 140])
@pytest.mark.parametrize("height", [1, 2, 3, 10])
@pytest.mark.parametrize("marked", [0, 7, 19])
def test_it_fits(width: int, height: int, marked: int) -> None:
    lines, rows = strip_lines(sampled(20, "漢字 и кириллица " * 9), marked, width, height, BRAILLE)
    assert len(lines) == len(rows) <= height
    assert marked in rows
    assert all(line.cell_length <= width for line in lines)


def test_line_ends_and_control_characters_are_made_harmless() -> None:
    lines, _ = strip_lines([Sampled(1, "a", "b\n\x1b[31mc [bold]d[/bold]")], 0, 60, 3, ASCII)
    assert lines[0].plain.endswith("ab \ufffd[31mc [bold]d[/bold]")
    assert all(line.plain.isascii() or "\ufffd" in line.plain for line in lines)


def test_a_sample_of_nothing() -> None:
    lines, _ = strip_lines([Sampled(1, "", "")], 0, 60, 3, BRAILLE)
    assert "(nothing)" in lines[0].plain
