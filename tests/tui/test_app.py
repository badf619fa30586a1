"""The app itself: screens, the pulse, one training at a time, leaving, the palette, what it remembers."""

import json
import os
import signal
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input, OptionList
from textual.widgets._footer import FooterKey

from tests.tui import scripts
from tests.tui.pilot import drawn, running, start_training, until
from tests.tui.scripts import ScriptedEngine
from tests.waiting import PATIENCE
from tinylm import events
from tinylm.config import resolve
from tinylm.errors import RunError
from tinylm.training.control import Control
from tui.app import StudioApp
from tui.commands import StudioCommands
from tui.engine import Engine
from tui.screens.talk.prompt import Prompt
from tui.terminal import glyphs
from tui.terminal.preferences import Preferences
from tui.widgets.dialogs import Ask, AskText, Leave
from tui.widgets.top_bar import TABS, Sentence, TopBar


async def test_the_first_screen_is_home_and_with_runs_it_is_runs(make_app, home):
    async with running(make_app()) as pilot:
        assert pilot.app.current_mode == "home"
    scripts.write_run(home, "old", [*scripts.training(20), scripts.finished(20)])
    for chosen, mode in ((None, "runs"), ("data", "data")):
        async with running(make_app(mode=chosen)) as pilot:
            assert pilot.app.current_mode == mode


async def test_digits_and_f_keys_show_the_screens_and_the_bar_says_which(make_app):
    async with running(make_app()) as pilot:
        for key, mode in zip(["f2", "f3", "f4", "f5", "f6"], ["data", "plan", "train", "talk", "runs"], strict=True):
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.current_mode == mode
            assert pilot.app.screen.query_one(TopBar).mode == mode
        await pilot.press("escape", "h")
        await until(pilot, lambda: pilot.app.current_mode == "home")


async def test_a_click_on_a_name_in_the_bar_shows_its_screen(make_app):
    async with running(make_app()) as pilot:
        await pilot.click(TopBar, offset=(44, 0))
        await until(pilot, lambda: pilot.app.current_mode == "runs")


async def test_a_training_goes_on_when_screens_change_and_every_header_has_its_pulse(make_app):
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine)

    async with running(app) as pilot:
        await start_training(pilot)
        for mode in ("data", "plan", "talk", "runs", "train"):
            app.action_go(mode)
            await until(pilot, lambda: any("stories-test" in bar.pulse for bar in app.screen.query(TopBar)))
            assert app.studio.training.running
        engine.controls[0].stop.set()
        await until(pilot, lambda: app.studio.pulse().endswith("stopped"))


async def test_leaving_without_a_training_asks_nothing(make_app):
    app = make_app()
    async with running(app) as pilot:
        await pilot.press("ctrl+q")
        await pilot.pause()
    assert app.return_code == 0


async def test_leaving_while_it_trains_asks_saves_and_says_where(make_app):
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine)

    async with running(app) as pilot:
        await start_training(pilot)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("escape")
        await pilot.pause()
        assert app.studio.training.running, "Esc keeps training"
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("s")
        await until(pilot, lambda: app.farewell)
    assert "stories-test is saved at step 200" in app.farewell
    assert app.return_code == 0


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
async def test_a_signal_saves_and_leaves_with_its_code(make_app):
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine)

    async with running(app) as pilot:
        await start_training(pilot)
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)
        await until(pilot, lambda: app.farewell)
    assert app.return_code == 143
    assert engine.controls[0].leave.is_set()


async def test_the_palette_has_every_screen_setting_run_and_checkpoint(make_app, home):
    scripts.write_run(home, "old", scripts.training(130))
    app: StudioApp = make_app()
    titles: list[str] = []

    async with running(app):
        titles.extend(command.title for command in StudioCommands(app.screen).commands())
    missing = [name for name in resolve.settings() if not any(f"({name.replace('.N.', '.0.')})" in t for t in titles)]
    assert not missing
    for title in ("Go to Talk (4)", "Go to Home (h)", "Open run old", "Talk to old at step 120", "Quit (^q)"):
        assert title in titles


async def test_the_palette_finds_a_setting_and_leads_to_it(make_app):
    app: StudioApp = make_app()

    async with running(app) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"train.grad_clip")
        await until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "plan")
        await until(
            pilot,
            lambda: (
                app.screen.query("ConfigForm")
                and app.screen.form.field
                and app.screen.form.field.key == "train.grad_clip"
            ),
        )


async def test_theme_and_glyphs_are_remembered(make_app, home):
    async with running(make_app()) as pilot:
        pilot.app.theme = "gruvbox"
        await pilot.press("G", "G")
        await pilot.pause()
    assert json.loads((home / "studio.json").read_text()) == {"theme": "gruvbox", "glyphs": "ascii"}

    async with running(make_app()) as pilot:
        assert pilot.app.theme == "gruvbox"
        assert pilot.app.has_class("-ascii")


async def test_only_what_somebody_changed_is_remembered_and_no_terminal_is_asked_for_more_than_it_shows(
    make_app, home, monkeypatch
):
    async with running(make_app()) as pilot:
        await pilot.pause()
    assert Preferences.load(home) == Preferences()

    async with running(make_app(mode="plan")) as pilot:
        await pilot.press("G")
        assert "blocks" in str(pilot.app.screen.query_one(Sentence).content)
    assert Preferences.load(home) == Preferences("", "blocks")
    monkeypatch.setenv("TERM", "linux")

    async with running(make_app()) as pilot:
        assert pilot.app.glyphs is glyphs.ASCII
    assert Preferences.load(home) == Preferences("", "blocks")


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"theme": 3}', '{"theme": "no such theme"}'])
async def test_damaged_preferences_are_no_fault(make_app, home: Path, text: str):
    (home / "studio.json").write_text(text)
    async with running(make_app()) as pilot:
        assert pilot.app.theme == "textual-dark"


async def click(pilot: Pilot[int], description: str, done: Callable[[], object]) -> None:
    """Click on a key of the footer, and again where the footer was made anew under the mouse, until it is done."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"{description} did not come about"
        keys = [key for key in pilot.app.screen.query(FooterKey) if key.description == description]
        if keys and keys[0].is_attached and keys[0].region:
            await pilot.click(keys[0])
        again = time.monotonic() + 1
        while not done() and time.monotonic() < again:
            await pilot.pause(0.02)


async def tab(pilot: Pilot[int], mode: str) -> None:
    """Click on a name in the bar."""
    bar = pilot.app.screen.query_one(TopBar)
    number = f" {[m for m, _ in TABS].index(mode) + 1} "  # where it is narrow, the others are numbers only
    await pilot.click(bar, offset=(str(bar.visual).index(number) + 1, 0))
    await until(pilot, lambda: pilot.app.current_mode == mode)


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 18)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_mouse_is_enough(make_app, home, size):
    """Start, talk, pause, go on, stop, resume, mark two runs, all without a key."""
    scripts.write_run(home, "old", [*scripts.training(120), scripts.finished(120)])
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine, mode="home")

    async with running(app, size) as pilot:
        await click(pilot, "Start", lambda: app.studio.shown)
        await until(pilot, lambda: len(app.studio.shown.history.step) == 200)
        await tab(pilot, "talk")
        await click(pilot, "Write", lambda: "the fox" in str(app.screen.query_one("Transcript Static").visual))
        await tab(pilot, "train")
        await click(pilot, "Pause", lambda: app.studio.shown.status == "paused")
        await click(pilot, "Continue", lambda: app.studio.shown.status == "training")
        await click(pilot, "Stop", lambda: isinstance(app.screen, Ask))
        await pilot.click(app.screen.query_one(OptionList), offset=(2, 0))
        await until(pilot, lambda: app.studio.shown.status == "stopped")
        await click(pilot, "Resume", lambda: len(engine.controls) == 2)
        engine.controls[1].stop.set()
        await tab(pilot, "runs")
        await until(pilot, lambda: len(app.screen.table.entries) == 2)
        await click(pilot, "Mark", lambda: len(app.screen.marks) == 1)


async def test_a_run_that_is_renamed_while_it_is_shown_keeps_being_shown(make_app, home):
    run = scripts.write_run(home, "old", scripts.training(20))
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine, mode="runs")

    async with running(app) as pilot:
        app.studio.open_run(run)
        await until(pilot, lambda: app.studio.shown and len(app.studio.shown.history.step) == 20)
        app.action_go("runs")
        await until(pilot, lambda: app.screen.entry)
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        app.screen.query_one(Input).value = "new"
        await pilot.press("enter")
        await until(pilot, lambda: app.studio.shown and app.studio.shown.name == "new")
        app.action_go("train")
        await until(pilot, lambda: app.current_mode == "train")
        with (home / "runs" / "new" / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(events.to_json(scripts.step(21)) + "\n")
        await until(pilot, lambda: len(app.studio.shown.history.step) == 21)
        await pilot.press("r")
        await until(pilot, lambda: engine.resumed)
        assert engine.resumed[0].path == home / "runs" / "new"


async def test_leaving_names_the_last_of_many_checkpoints_and_is_done_once(make_app, home, monkeypatch):
    monkeypatch.setattr("tui.live.event_source.MOST_AT_ONCE", 5)
    monkeypatch.setattr("tui.app.STUCK_SECONDS", 0.0)
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine)
    codes: list[int] = []
    app.last_resort = codes.append

    async with running(app) as pilot:
        app.studio.start_training()
        await until(pilot, lambda: engine.controls)
        app.leave(0)
        app.leave(143)
        await until(pilot, lambda: app.farewell and codes)
        await pilot.pause(0.1)
    assert app.return_code == 0
    assert codes == [0]
    assert not app.studio.training.poll(), "all was taken in"
    assert f"is saved at step {app.studio.training.history.step.last:,.0f}." in app.farewell


async def test_what_is_drawn_cannot_steer_the_terminal(make_app):
    evil = "a\x1b]0;owned\x07\x1b[31mb\x9b31mc"
    app: StudioApp = make_app(mode="talk")

    async with running(app) as pilot:
        await until(pilot, lambda: app.screen.query(Prompt))
        app.screen.query_one(Prompt).post_message(Paste(f"{evil}\n{evil}"))
        app.studio.fault(RunError(f"{evil} cannot be read.", "Look at it."))
        app.push_screen(AskText(evil, evil, evil))
        for screen in (app.screen, app.screen_stack[-1]):
            await until(pilot, lambda screen=screen: "31mb" in "".join(drawn(screen)))
            assert not [character for character in "".join(drawn(screen)) if unicodedata.category(character) == "Cc"]


@pytest.mark.parametrize("mode", ["data", "plan", "train", "talk", "runs", "home"])
async def test_leaving_while_a_screen_is_put_together_is_no_fault(make_app, mode):
    app: StudioApp = make_app(mode="train" if mode == "home" else "home")

    async with running(app):
        app.action_go(mode)
        app.exit(0)
    assert app.crash is None


def test_who_leaves_before_a_training_is_set_up_leaves_nothing_behind(tiny_config, home, monkeypatch):
    monkeypatch.setattr("tinylm.training.calibrate.fastest_threads", lambda *_: (1, {1: 1.0}))
    engine, control = Engine(), Control()
    engine.warm_up(home, tiny_config())
    control.leave.set()
    assert list(engine.train(tiny_config(), home, control)) == []
    assert not (home / "runs").exists()


async def test_leaving_is_asked_once_also_out_of_a_dialog(make_app, home):
    engine = ScriptedEngine(endless=True)
    app: StudioApp = make_app(engine)

    async with running(app) as pilot:
        app.studio.start_training()
        await until(pilot, lambda: app.studio.training and app.studio.training.running and engine.controls)
        app.push_screen(AskText("A name?", "", ""))
        await pilot.pause()
        await pilot.press("ctrl+q", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Leave))
        assert sum(isinstance(screen, Leave) for screen in app.screen_stack) == 1
        await pilot.press("s")
        await until(pilot, lambda: not app.studio.training.running)
    assert app.return_code == 0
