"""Charts: what is drawn, as text; and what keys and mouse do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.pilot import running
from tui.chart import picture as pictures
from tui.chart import render
from tui.chart.chart import Chart
from tui.chart.picture import Band, Border, Curve, Level, Picture, StableRange, value_at
from tui.chart.render import Drawing
from tui.live.series import Floats
from tui.terminal import glyphs
from tui.terminal.glyphs import ASCII, BLOCKS, BRAILLE, Glyphs
from tui.terminal.numbers import compact

STEPS = np.arange(1.0, 101.0)
FALLING = 1 + 4 * np.exp(-STEPS / 20)


def curve(ys: Floats = FALLING, **given: object) -> Curve:
    return Curve(np.arange(1.0, len(ys) + 1), np.asarray(ys, dtype=float), **given)


def text(picture: Picture, width: int = 40, height: int = 8, kind: Glyphs = BRAILLE) -> list[str]:
    return ["".join(piece for piece, _ in row).rstrip() for row in rows(picture, width, height, kind)]


def rows(picture: Picture, width: int, height: int, kind: Glyphs) -> list[list[tuple[str, str]]]:
    """The rows of a drawn picture, as pieces of one role each."""
    grid = Drawing(picture, width, height, kind).grid
    return [grid.runs(row) for row in range(height)]


# ---- what is drawn -------------------------------------------------------------------------------------------------


FULL = Picture(
    curves=(curve(), Curve(STEPS[19::20], FALLING[19::20] + 0.1, "held_out", style="points")),
    band=Band(STEPS, FALLING + 0.4 * np.sin(STEPS * 99)),
    levels=(Level(3.2, "pairs"), Level(2.1, "triples")),
    borders=(Border(60, "cool"),),
)


def test_braille() -> None:
    assert text(FULL) == GOLDEN["braille"]


def test_blocks() -> None:
    assert text(FULL, kind=BLOCKS) == GOLDEN["blocks"]


def test_ascii_is_ascii() -> None:
    drawn = text(FULL, kind=ASCII)
    assert drawn == GOLDEN["ascii"]
    assert "".join(drawn).isascii()


def test_a_small_chart_has_the_curve_and_its_range() -> None:
    assert text(Picture(curves=(curve(),)), 24, 3) == GOLDEN["small"]


def test_before_the_first_point_levels_stand_there_and_a_sentence() -> None:
    picture = Picture(levels=(Level(3.0, "pairs"), Level(2.0, "triples")), empty="Loading torch", x_range=(0, 400))
    drawn = text(picture)
    assert any("Loading torch" in line for line in drawn)
    assert any("pairs" in line for line in drawn)
    assert drawn[-1].endswith("step 400")


def test_a_spike_of_one_step_among_many_is_drawn() -> None:
    ys = np.ones(100_000)
    ys[54_321] = 9.0
    drawn = text(Picture(curves=(curve(ys),), y_range=(0, 10)), 60, 12)
    top = next(line for line in drawn if any("⠀" < sign < "⣿" for sign in line))
    column = next(at for at, sign in enumerate(top) if "⠀" < sign < "⣿")
    assert drawn.index(top) <= 2
    assert abs((column - 4) / 56 - 0.54321) < 0.03


def test_colours_do_not_bleed_each_cell_has_one_role() -> None:
    pieces = [piece for row in rows(FULL, 40, 8, BRAILLE) for piece, role in row if role == "held_out"]
    assert pieces
    assert set("".join(pieces)) == {"◆"}


def test_values_outside_the_range_are_named() -> None:
    ys = FALLING.copy()
    ys[0] = 50.0
    drawn = text(Picture(curves=(curve(ys),)))
    assert drawn[0].endswith("▲ 50 at step 1")
    assert "▲" not in "".join(text(Picture(curves=(curve(ys[:40]),))))  # too few values to leave any out


def test_the_name_of_a_place_may_stand_to_its_left_and_that_of_a_beginning_may_not() -> None:
    drawn = [text(Picture(curves=(curve(),), borders=(Border(98, "cool", side),))) for side in (False, True)]
    assert ["cool" in "".join(lines) for lines in drawn] == [False, True]


def test_of_two_levels_in_one_row_the_nearer_is_named() -> None:
    drawn = "".join(text(Picture(curves=(curve(),), levels=(Level(3.0, "far"), Level(2.99, "near")))))
    assert "near" in drawn
    assert "far" not in drawn


def test_names_of_levels_leave_the_curve_alone() -> None:
    rising = Picture(curves=(curve(5 - FALLING),), levels=(Level(3.9, "a long name"),))
    without = dataclasses.replace(rising, levels=(Level(3.9, ""),))
    dots = [[sign if "⠀" < sign <= "⣿" else " " for sign in line] for line in text(rising)]
    assert [d for row in dots for d in row if d != " "] == [
        sign for line in text(without) for sign in line if "⠀" < sign <= "⣿"
    ]
    assert any("a long name" in line for line in text(rising))


def test_gaps_stay_open() -> None:
    ys = np.ones(100)
    ys[30:70] = math.nan
    line = text(Picture(curves=(curve(ys),), y_range=(0, 2)), 60, 9)[4]
    assert line[30:35].strip() == ""


def test_hair_line_has_the_values_beside_it() -> None:
    drawn = text(dataclasses.replace(FULL, hair=40.0), 60, 10)
    assert f"step 40  {FALLING[39]:.3f}  ◆ {FALLING[39] + 0.1:.3f}" in "\n".join(drawn)


def test_overlaid_curves_are_named_at_their_ends() -> None:
    picture = Picture(curves=(curve(FALLING, role="a", label="long"), curve(FALLING[:50] + 1, role="b", label="brief")))
    drawn = text(picture, 60, 12)
    row = next(line for line in drawn if "brief" in line)
    assert 28 < row.index("brief") < 40


@pytest.mark.parametrize("width", [0, 1, 3, 15, 16, 17, 33, 34, 35, 76])
@pytest.mark.parametrize("height", [0, 1, 2, 3, 4, 5, 6])
def test_any_size_is_filled_exactly(width: int, height: int) -> None:
    for kind in glyphs.ALL.values():
        for log in (False, True):
            grid = Drawing(dataclasses.replace(FULL, hair=20.0, log_x=log, log_y=log), width, height, kind).grid
            lines = ["".join(piece for piece, _ in grid.runs(row)) for row in range(grid.height)]
            assert [cell_len(line) for line in lines] == [max(1, width)] * max(1, height)


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 0.0], [math.nan] * 9, [math.inf, 1.0, -math.inf], [-1.0, -2.0]])
def test_odd_values_are_drawn_or_left_out(values: list[float]) -> None:
    for log in (False, True):
        picture = Picture(curves=(curve(np.array(values)),), log_x=log, log_y=log, empty="nothing yet")
        assert len(text(picture)) == 8


# ---- ranges --------------------------------------------------------------------------------------------------------


def test_the_first_steps_do_not_squeeze_the_rest() -> None:
    ys = np.concatenate([[90.0, 80.0, 70.0], np.linspace(3, 2, 60)])
    assert pictures.y_range(Picture(curves=(curve(ys),)))[1] < 3.2
    assert pictures.y_range(Picture(curves=(curve(ys[:40]),)))[1] > 80


def test_outermost_values_of_the_band_do_not_count() -> None:
    raw = np.full(1000, 2.0)
    raw[500] = 40.0
    low, high = pictures.y_range(
        Picture(curves=(curve(np.linspace(3, 2, 1000)),), band=Band(np.arange(1.0, 1001), raw))
    )
    assert 1.8 < low < 2
    assert 3 < high < 3.2


def test_a_near_level_is_taken_into_view_a_far_one_is_not() -> None:
    line = curve(np.linspace(3, 2, 60))
    near = pictures.y_range(Picture(curves=(line,), levels=(Level(1.8, "xz"), Level(9.0, "blind"))))
    far = pictures.y_range(Picture(curves=(line,), levels=(Level(1.6, "xz"), Level(9.0, "blind"))))
    assert near[0] < 1.8 < far[0]
    assert near[1] < 4


def test_the_range_follows_the_zoom() -> None:
    whole = Picture(curves=(curve(),))
    assert pictures.y_range(dataclasses.replace(whole, x_range=(60, 100)))[1] < 1.5 < pictures.y_range(whole)[1]


def test_range_grows_at_once_and_shrinks_after_two_seconds() -> None:
    now = [0.0]
    stable, picture = StableRange(lambda: now[0]), Picture(curves=(curve(),))
    assert stable((1.0, 5.0), picture) == (1.0, 5.0)
    low, high = stable((1.0, 8.0), picture)
    assert [low, high] == pytest.approx([1.0, 8.35])
    assert stable((1.0, 4.0), picture) == (low, high)
    now[0] = 1.9
    assert stable((1.0, 4.0), picture) == (low, high)
    assert not stable.due()
    now[0] = 2.1
    assert stable.due()
    assert stable((1.0, 4.0), picture) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [(0, 400, 5, [0, 100, 200, 300, 400]), (1.85, 3.5, 4, [2, 2.5, 3, 3.5]), (0, 0.012, 3, [0, 0.005, 0.01])],
)
def test_ticks_are_round(low: float, high: float, most: int, ticks: list[float]) -> None:
    assert pictures.ticks(low, high, most) == pytest.approx(ticks)


def test_what_is_counted_has_no_halves_on_its_axis() -> None:
    assert pictures.ticks(1, 17, 7) == pytest.approx([2.5, 5, 7.5, 10, 12.5, 15])
    assert pictures.ticks(1, 17, 7, whole=True) == pytest.approx([5, 10, 15])
    assert pictures.ticks(1, 3, 40, whole=True) == []


def test_log_ticks_are_round() -> None:
    assert pictures.log_ticks(0.3, 40, 6) == pytest.approx([0.5, 1, 2, 5, 10, 20])
    assert pictures.log_ticks(1e-4, 1e4, 4) == pytest.approx([1e-3, 1, 1e3])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (2.04, "2.04"),
        (9480, "9480"),
        (94800, "94.8k"),
        (1.2e6, "1.2M"),
        (0.012, "0.012"),
        (1.14e-3, "1.14e-3"),
    ],
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert compact(value) == words


# ---- the widget ----------------------------------------------------------------------------------------------------


class Shown(App[None]):
    """Two charts and something else to look at."""

    CSS = "Chart { width: 60; height: 12; }"

    def __init__(self) -> None:
        super().__init__()
        self.glyphs = BRAILLE
        self.messages: list[object] = []

    def compose(self) -> ComposeResult:
        yield Chart(Picture(curves=(curve(),)), id="chart")
        yield Static("below", id="below")

    def on_chart_hair_moved(self, message: Chart.HairMoved) -> None:
        self.messages.append(message.x)

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        self.messages.append((message.chart.zoom, message.chart.scale_name))


@asynccontextmanager
async def on_chart() -> AsyncIterator[tuple[Pilot[None], Chart]]:
    """Run the two charts, the first of them focused."""
    async with running(Shown()) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.focus()
        await pilot.pause()
        yield pilot, chart


def messages(pilot: Pilot[None]) -> list[object]:
    app = pilot.app
    assert isinstance(app, Shown)
    return app.messages


def screen(chart: Chart) -> str:
    return "\n".join(strip.text for strip in (chart.render_line(y) for y in range(chart.size.height)))


async def test_keys_move_the_hair_line() -> None:
    async with on_chart() as (pilot, chart):
        await pilot.press("v")
        assert chart.hair == 100
        await pilot.press("left", "shift+left")
        assert 75 < chart.hair < 85
        assert value_at(chart.picture.curves[0], chart.hair) == (chart.hair, FALLING[int(chart.hair) - 1])
        assert f"step {chart.hair:.0f}" in screen(chart)
        await pilot.press("v")
        assert chart.hair is None
        assert messages(pilot)[0] == 100
        assert messages(pilot)[-1] is None


async def test_hair_line_goes_from_value_to_value_where_there_are_few() -> None:
    async with on_chart() as (pilot, chart):
        chart.show(Picture(curves=(curve(FALLING[:4]),)))
        await pilot.press("v", "left", "left")
        assert chart.hair == 2
        await pilot.press("right")
        assert chart.hair == 3


async def test_zoom_pan_and_back() -> None:
    async with on_chart() as (pilot, chart):
        await pilot.press("plus")
        assert chart.zoom == pytest.approx((25.75, 75.25))
        await pilot.press("left")
        assert chart.zoom[0] < 25
        await pilot.press(*["shift+right"] * 5)
        assert chart.zoom[1] == pytest.approx(100)
        await pilot.press("minus")
        assert chart.zoom is None
        await pilot.press("plus", "plus", "0")
        assert chart.zoom is None
        assert len(messages(pilot)) >= 6


async def test_zoom_ends_while_there_are_points_to_see() -> None:
    async with on_chart() as (pilot, chart):
        await pilot.press(*["plus"] * 12)
        assert chart.zoom is not None
        assert 4 <= np.diff(np.searchsorted(STEPS, chart.zoom))[0] <= 8


async def test_scale_goes_round() -> None:
    async with on_chart() as (pilot, chart):
        linear = screen(chart)
        names = []
        for _ in range(3):
            await pilot.press("l")
            names.append(chart.scale_name)
        assert names == ["log y", "log x+y", "linear"]
        assert screen(chart) == linear
        chart.show(Picture(curves=(curve(),), log_y=True))
        await pilot.press("l", "l")
        assert chart.scale_name == "linear"  # it begins where the picture does


async def test_mouse_hovers_clicks_and_zooms() -> None:
    async with on_chart() as (pilot, chart):
        await pilot.hover("#chart", offset=(30, 5))
        assert 40 < chart.hair < 60
        await pilot.hover("#below")
        assert chart.hair is None
        await pilot.click("#chart", offset=(30, 5))
        await pilot.hover("#below")
        assert chart.hair is not None


async def test_the_same_picture_again_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_chart() as (_, chart):
        drawn: list[Picture] = []

        class Counted(Drawing):
            def __init__(self, picture: Picture, *more: Any) -> None:
                super().__init__(picture, *more)
                drawn.append(picture)

        monkeypatch.setattr(render, "Drawing", Counted)
        values = np.append(FALLING, np.empty(50))  # a view of a series that grows in place
        for last, drawings in ((values[99], 1), (values[99], 1), (3.0, 2)):
            values[99] = last
            chart.show(Picture(curves=(Curve(STEPS, values[:100]),)))
            screen(chart)
            assert len(drawn) == drawings


async def test_an_unseen_chart_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_chart() as (pilot, chart):
        chart.display = False
        await pilot.pause()
        monkeypatch.setattr(render, "Drawing", lambda *_: pytest.fail("drawn"))
        chart.show(Picture(curves=(curve(FALLING[:30]),)))
        await pilot.pause()


async def test_glyphs_and_themes_are_followed() -> None:
    async with on_chart() as (pilot, chart):
        assert not screen(chart).isascii()
        before = {segment.style for segment in chart.render_line(5)}
        pilot.app.theme = "textual-light"
        await pilot.pause()
        assert {segment.style for segment in chart.render_line(5)} != before
        pilot.app.glyphs = ASCII
        chart.show(chart.picture)
        assert screen(chart).isascii()


async def test_a_chart_can_be_maximised() -> None:
    async with on_chart() as (pilot, chart):
        pilot.app.screen.maximize(chart)
        await pilot.pause()
        assert pilot.app.screen.maximized is chart
        assert "step 100" in screen(chart)


GOLDEN = {
    "braille": [
        "4┤⠁⠱⡀                   ▲ 4.84 at step 3",
        " │ ⠐⠘⢄⡆                 ┊cool",
        " │╌ ╌⠊⠑⢄╌⡀╌ ╌ ╌ ╌ ╌ ╌ ╌ ┊ ╌ ╌ ╌ ╌ pairs",
        " │    ⠈ ⠉◆⢄ ⡄⢀          ┊",
        "2┤╌ ╌ ╌ ╌⠈╌⠉⠒⠤⢄⣀╌◆╌ ╌⢀╌ ┊ ╌ ╌ ╌ triples",
        " │           ⠁⠐⠈⠉⠉⠑⠒⠒⠤⠤⠤◆⢄⣀⣀⣀⣀⣀⣀◆⣀⣀⣀⣀⣀⡀◆",
        " │                 ⠁⠈ ⠉⠈┊⠑⠈⠂⠡⠈⠄⠠ ⠌⠠⠁⠔⠠⠈⠉",
        " └1 ────────────── 50 ───────── step 100",
    ],
    "blocks": [
        "4┤▝▚▗                   ┊cool",
        " │ ▝▀▄▖                 ┊",
        " │╌ ╌▀▀▄╌▖╌ ╌ ╌ ╌ ╌ ╌ ╌ ┊ ╌ ╌ ╌ ╌ pairs",
        " │    ▝ ▀◆▄ ▖▗          ┊",
        "2┤╌ ╌ ╌ ╌▝╌▀▀▚▄▄▖◆╌ ╌▗╌ ┊ ╌ ╌ ╌ triples",
        " │           ▘▝ ▝▀▀▀▀▀▄▄◆▄▄▄▄▄▄▄◆▄▄▄▄▄▄◆",
        " │                  ▝ ▘▝┊▀▝▘▝ ▘▗ ▖▗▘▀▝▘▀",
        " └1 ────────────── 50 ───────── step 100",
    ],
    "ascii": [
        "4+':.                   :cool",
        " | .'..                 :",
        " |- -.'.-.- - - - - - - : - - - - pairs",
        " |    . 'o. ..          :",
        "2+- - - -.-'':...o- -.- : - - - triples",
        " |           .. ''''''..o.......o......o",
        " |                  . ..:.... .. .......",
        " +1 -------------- 50 --------- step 100",
    ],
    "small": [
        "4.4 ⠉⢢⡀",
        "      ⠈⠢⢄⡀",
        "0.9      ⠈⠉⠒⠒⠢⠤⠤⠤⠤⠤⠤⢄⣀⣀⣀",
    ],
}
