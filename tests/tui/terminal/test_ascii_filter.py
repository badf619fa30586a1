"""Where a terminal has no more than ASCII, nothing else is drawn: every screen, page and dialog is walked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.pilot import Pilot

from tests.tui import scripts
from tests.tui.pilot import drawn, running, start_training, until
from tests.tui.rehearsals import rehearsal
from tests.tui.scripts import ScriptedEngine
from tinylm.config import resolve
from tinylm.events import Event
from tui.app import StudioApp
from tui.screens.base import StudioScreen
from tui.studio import Studio
from tui.terminal.ascii_filter import AsciiFilter
from tui.terminal.preferences import Preferences

WALKS = {
    "home": ("h up question_mark escape", "HelpPage"),
    "data": ("f2 down a escape f end down enter escape t question_mark escape", "HelpPage"),
    "plan": (
        "f3 down slash l escape y escape ctrl+o escape ctrl+s escape D escape space escape e question_mark escape",
        "FindPage TomlPage PresetPage AskText HelpPage",
    ),
    "talk": (
        "f5 enter escape left w k escape s escape equals_sign escape v escape escape question_mark escape",
        "CheckpointPicker VersionPicker HelpPage",
    ),
    "runs": (
        "f6 space down space x d escape slash a escape n escape N escape question_mark escape",
        "AskText HelpPage",
    ),
    "train": ("f4 v left escape tab enter escape L question_mark escape s escape ctrl+q escape", "Ask Leave HelpPage"),
    "palette": ("h ctrl+p t escape", "CommandPalette"),
}
"""Keys that open what a screen has, after each of which all that is drawn is looked at, and what must have opened."""


@pytest.fixture
def app(home: Path, tiny_text: str, tmp_path: Path) -> StudioApp:
    """An app with texts and runs in plain English, whose trainings go on until they are stopped."""
    text = tmp_path / "plain.txt"
    text.write_text(tiny_text.replace("é", "e"), encoding="ascii")
    for name in ("one", "two", "a-name-that-is-longer-than-a-title-has-room-for-in-its-frame"):
        scripts.write_run(home, name, [*scripts.training(120), scripts.finished(120)])
    engine = ScriptedEngine(endless=True)
    engine.rehearsal = rehearsal
    return StudioApp(Studio(home, resolve.validate({"data": {"sources": [str(text)]}}), engine), "home")


def strange(app: App[int]) -> Iterator[str]:
    """The drawn rows with anything that is not printable ASCII."""
    for row in drawn(app.screen):
        if not (row.isascii() and row.isprintable()):
            yield f"{app.current_mode}, {type(app.screen).__name__}: {row}"


async def settle(pilot: Pilot[int]) -> None:
    """Let the screen become what it is going to be."""
    await pilot.pause(0.05)
    if isinstance(pilot.app.screen, StudioScreen):
        pilot.app.screen.refresh_all()
    await pilot.pause()


async def walk(pilot: Pilot[int], keys: str) -> set[str]:
    """Press the keys, and look; returns the kinds of screens that were seen."""
    seen = set()
    for key in keys.split():
        await pilot.press(key)
        await settle(pilot)
        assert not list(strange(pilot.app)), f"after {key}"
        seen.add(type(pilot.app.screen).__name__)
    return seen


def test_letters_of_any_language_stay_and_a_line_is_as_wide_as_before():
    line = [Segment("╭─ café “日本” ─▏"), Segment(" cut…", Style(bold=True)), Segment.line()]
    plain = AsciiFilter().apply(line, Color(0, 0, 0))
    assert [segment.text for segment in plain] == ["+- café “日本” -|", " cut~", "\n"]
    assert [segment.cell_length for segment in plain] == [segment.cell_length for segment in line]
    assert [segment.style for segment in plain] == [segment.style for segment in line]


def test_where_all_is_ascii_nothing_is_made_anew():
    line = [Segment("+- plain -+")]
    assert AsciiFilter().apply(line, Color(0, 0, 0)) is line


@pytest.mark.parametrize("start", WALKS)
async def test_every_screen_page_and_dialog_is_ascii(app, home, start):
    Preferences(glyphs="ascii").save(home)

    async with running(app) as pilot:
        if start == "train":
            await start_training(pilot)
        keys, pages = WALKS[start]
        assert set(pages.split()) <= await walk(pilot, keys)


@pytest.mark.parametrize("end", [scripts.finished(200), scripts.failed()], ids=["finished", "failed"])
async def test_the_end_of_a_training_is_ascii(app, home, end: Event):
    Preferences(glyphs="ascii").save(home)
    run = scripts.write_run(home, "over", [*scripts.training(200), end])

    async with running(app) as pilot:
        app.studio.open_run(run)
        await until(pilot, lambda: app.screen.query("OutcomeBox.-shown"))
        await walk(pilot, "v tab enter escape")


async def test_what_was_drawn_before_is_drawn_anew(app):
    async with running(app) as pilot:
        for _ in range(2):
            for key in ("f2", "f3", "f4", "f6", "h"):
                await pilot.press(key)
                await settle(pilot)
                assert list(strange(app)), key
            await pilot.press("G", "G")
            await walk(pilot, "h f2 f3 f4 f6")
            await pilot.press("G")
