"""Questions: they fit on a small screen, and what they say stays true while they stand."""

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from tests.tui.pilot import drawn, running, start_training, until
from tests.tui.scripts import ScriptedEngine
from tinylm.errors import DataError
from tui.app import StudioApp
from tui.widgets.dialogs import Ask, AskText, Choice, Leave

NAME = "a-name-that-is-longer-than-a-title-has-room-for-in-its-frame"


def asking() -> Ask:
    choices = [
        Choice("p", "Pause", "stand still, all in memory; Space goes on"),
        Choice("s", "Stop and save", "it can go on any day, from this very step"),
        Choice("k", "Keep training"),
    ]
    return Ask(f"Stop {NAME}?", f"{NAME} is training. It is saved first and can go on any day.", choices)


def asking_for_words() -> AskText:
    return AskText(
        f"Rename {NAME}", "Its new name", NAME, lambda _: "There is a run of that name; choose another. " * 2
    )


@pytest.mark.parametrize("question", [asking, asking_for_words])
async def test_they_fit_at_60_by_18(make_app, question):
    async with running(make_app(), (60, 18)) as pilot:
        await fits(pilot, question())


async def fits(pilot: Pilot[int], dialog: ModalScreen[str | None]) -> None:
    pilot.app.push_screen(dialog)
    await until(pilot, lambda: dialog.is_current and dialog.query(".dialog-hint"))
    if isinstance(dialog, AskText):
        await pilot.press("enter")  # which brings up what is wrong with it
    await pilot.pause()
    box = dialog.query_one(".dialog")
    assert Region(0, 0, 60, 18).contains_region(box.region)
    assert box.max_scroll_y == 0
    for part in dialog.query(".dialog > *"):
        assert box.region.shrink((1, 1, 1, 1)).contains_region(part.region), part


async def test_where_even_that_is_too_much_the_answers_are_in_sight(make_app):
    async with running(make_app(), (40, 10)) as pilot:
        pilot.app.push_screen(asking())
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask) and pilot.app.screen.query(OptionList))
        await until(pilot, lambda: any("p  Pause" in row for row in drawn(pilot.app.screen)))


@pytest.mark.parametrize("key", ["slash", "ctrl+o"])
async def test_the_last_line_of_a_page_can_be_seen_at_60_by_18(make_app, key):
    async with running(make_app(mode="plan"), (60, 18)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen.query(".page OptionList"))
        page = pilot.app.screen
        answers = page.query_one(OptionList)
        await until(pilot, lambda: answers.region)
        await pilot.pause()
        assert page.query_one(".page").content_region.contains_region(answers.region)
        assert Region(0, 0, 60, 18).contains_region(page.query_one(".page").region)


def question(app: StudioApp) -> str:
    dialog = app.screen
    assert isinstance(dialog, Leave)
    answers = dialog.query_one(OptionList)
    words = [str(dialog.query_one(".dialog").border_title), str(dialog.query_one(".dialog-text", Static).content)]
    return " ".join([*words, *(str(option.prompt) for option in answers.options)])


async def asked_to_leave(pilot: Pilot[int], engine: ScriptedEngine) -> StudioApp:
    app = pilot.app
    assert isinstance(app, StudioApp)
    await start_training(pilot)
    await pilot.press("ctrl+q")
    await until(pilot, lambda: isinstance(app.screen, Leave) and app.screen.query_one(OptionList).options)
    assert "is training. It is saved first" in question(app)
    assert "Save and leave" in question(app)
    return app


async def test_a_training_that_ends_during_the_question_is_over_in_it(make_app):
    engine = ScriptedEngine(endless=True)

    app = make_app(engine)
    async with running(app) as pilot:
        app = await asked_to_leave(pilot, engine)
        await pilot.press("down")
        engine.controls[0].stop.set()
        await until(pilot, lambda: "is over: stopped" in question(app))
        assert "train" not in question(app).lower()
        assert app.screen.query_one(OptionList).highlighted == 1, "the mark stays"
        await pilot.press("s")
    assert app.return_code == 0


async def test_staying_after_the_end_changes_nothing(make_app):
    engine = ScriptedEngine(endless=True)

    async with running(make_app(engine)) as pilot:
        app = await asked_to_leave(pilot, engine)
        engine.controls[0].stop.set()
        await until(pilot, lambda: "Stay here" in question(app))
        await pilot.press("k")
        await until(pilot, lambda: app.screen.query("TopBar"))
        assert app.is_running


async def test_a_pause_is_shown_in_the_question(make_app):
    engine = ScriptedEngine(endless=True)

    app = make_app(engine)
    async with running(app) as pilot:
        app = await asked_to_leave(pilot, engine)
        engine.controls[0].pause.set()
        await until(pilot, lambda: "is paused. It is saved first" in question(app))
        await pilot.press("s")
    assert app.return_code == 0


async def test_a_failure_is_shown_in_the_question(make_app):
    engine = ScriptedEngine(endless=True)

    async with running(make_app(engine)) as pilot:
        app = await asked_to_leave(pilot, engine)
        app.studio.training.trainer.error = DataError("The text is gone.", "Bring it back.")
        await until(pilot, lambda: "is over: failed" in question(app))
        await pilot.press("s")
