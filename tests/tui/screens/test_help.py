"""The help: what is in it, that it can be read at every size, and how one gets out of it."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Markdown

from tests.tui.pilot import drawn, running, until
from tui.app import StudioApp
from tui.screens.help import KEYS_WIDTH, HelpPage, KeyTable, groups

MODES = ("home", "data", "plan", "train", "talk", "runs")


async def opened(pilot: Pilot[int], key: str = "f1") -> HelpPage:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, HelpPage))
    await pilot.pause()
    assert isinstance(pilot.app.screen, HelpPage)
    return pilot.app.screen


@pytest.mark.parametrize(("opening", "closing"), [("f1", "escape"), ("question_mark", "question_mark"), ("f1", "f1")])
async def test_it_opens_and_closes_and_says_how(make_app, opening, closing):
    async with running(make_app(mode="plan")) as pilot:
        page = await opened(pilot, opening)
        assert any("Esc or ? closes" in row for row in drawn(page))
        await pilot.press(closing)
        await until(pilot, lambda: pilot.app.current_mode == pilot.app.screen.MODE)


@pytest.mark.parametrize(
    ("mode", "size"), [*((mode, (80, 24)) for mode in MODES), ("plan", (60, 18)), ("runs", (160, 45))]
)
async def test_the_keys_come_first_aligned_and_none_is_cut(make_app, mode, size):
    async with running(make_app(mode=mode), size) as pilot:
        shown = groups(pilot.app.screen)
        page = await opened(pilot)
        rows = drawn(page)
        assert "Help: " in rows[page.query_one("#help").region.y]
        assert next(iter(shown)) == "On this screen"
        starts = set()
        for keys, group in zip(page.query(KeyTable), shown.values(), strict=True):
            assert keys.size.width >= 40, "room for words"
            assert keys.size.height >= len(group)
            starts.add(keys.content_region.x)
            if page.region.contains_region(keys.region):
                first = rows[keys.region.y][keys.region.x :]
                assert first.startswith(group[0].keys[0])
                assert first[KEYS_WIDTH:].strip().startswith(group[0].name)
        assert len(starts) == 1


@pytest.mark.parametrize("size", [(60, 18), (80, 24)])
async def test_it_scrolls_to_the_end_of_its_words(make_app, size):
    async with running(make_app(mode="plan"), size) as pilot:
        page = await opened(pilot)
        words = page.query_one(Markdown)
        assert words.region.y > page.query(KeyTable).first().region.y
        await pilot.press("end")
        await until(pilot, lambda: words.region.bottom <= size[1] - 1)
        assert any(row.rstrip(" │|").endswith("trains.") for row in drawn(page))


async def test_a_wide_terminal_has_keys_and_words_side_by_side(make_app):
    async with running(make_app(mode="runs"), (160, 45)) as pilot:
        page = await opened(pilot)
        words = page.query_one(Markdown)
        assert words.region.y == page.query_one("#help-keys").region.y
        assert words.region.x >= page.query_one("#help-keys").region.right


async def test_keys_that_are_called_the_same_share_a_row_and_what_textual_does_by_itself_is_left_out(make_app):
    async with running(make_app(mode="home")) as pilot:
        rows = [row for group in groups(pilot.app.screen).values() for row in group]
        assert ["1", "F2"] in [row.keys for row in rows]
        assert all(row.what for row in rows)
        assert not any("super+c" in row.keys for row in rows)
        assert [row.name for row in rows].count("Palette") == 1


async def test_the_command_of_the_palette_that_textual_calls_keys_opens_it_too(make_app):
    app: StudioApp = make_app(mode="home")

    async with running(app) as pilot:
        app.action_show_help_panel()
        await until(pilot, lambda: isinstance(app.screen, HelpPage))
        app.action_show_help_panel()
        await pilot.pause()
        assert sum(isinstance(screen, HelpPage) for screen in app.screen_stack) == 1, "one is enough"
        await pilot.press("ctrl+q")
    assert app.return_code == 0
