"""The Home screen: one obvious key, how long one has, the other ways, the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui import scripts
from tests.tui.pilot import running, until
from tests.tui.pilot import text as pilot_text
from tests.tui.scripts import ScriptedEngine
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tui.app import StudioApp
from tui.screens.home import ActionRow, BudgetChoice, HomeScreen, length, offer, texts

MakeApp = Callable[..., StudioApp]
QUICK = resolve.with_values(RunConfig(), model={"n_layer": 3}, train={"budget": "2m"})


class Usage(NamedTuple):
    free: float


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HomeScreen, "home_name", "~/.local/share/tinylm-studio")
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(41e9))


@asynccontextmanager
async def on_home(app: StudioApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[int]]:
    """Run the app until Home can be used."""
    async with running(app, size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and app.screen.focused is not None)
        await pilot.pause()
        yield pilot


def text(pilot: Pilot[int], selector: str) -> str:
    return pilot_text(pilot.app.screen.query_one(selector, Static))


def app_of(pilot: Pilot[int]) -> StudioApp:
    assert isinstance(pilot.app, StudioApp)
    return pilot.app


# ---- starting


async def test_enter_trains_the_plan(make_app: MakeApp) -> None:
    engine = ScriptedEngine()

    async with on_home(make_app(engine=engine, config=QUICK)) as pilot:
        assert "[ Try it now ]       Enter built-in stories, 1.3 M weights, 2 min" in text(pilot, "#home-try")
        await pilot.press("enter")
        await until(pilot, lambda: engine.trained == [QUICK])
        assert app_of(pilot).current_mode == "train"


async def test_a_click_trains_too(make_app: MakeApp) -> None:
    engine = ScriptedEngine()

    async with on_home(make_app(engine=engine, config=QUICK)) as pilot:
        await pilot.click("#home-try")
        await until(pilot, lambda: len(engine.trained) == 1)


async def test_while_something_trains_enter_shows_it(make_app: MakeApp) -> None:
    engine = ScriptedEngine(endless=True)

    async with on_home(make_app(engine=engine, config=QUICK)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: len(engine.controls) == 1)
        app_of(pilot).action_go("home")
        await until(pilot, lambda: "[ Watch it learn ]" in text(pilot, "#home-try"))
        await pilot.press("enter")
        await until(pilot, lambda: app_of(pilot).current_mode == "train")
        assert len(engine.trained) == 1


# ---- how long


async def test_left_and_right_choose_how_long(make_app: MakeApp) -> None:
    async with on_home(make_app(config=QUICK)) as pilot:
        seen = []
        for key in ("right", "right", "right", "left"):
            await pilot.press(key)
            seen.append(app_of(pilot).studio.plan.train.budget)
        assert seen == ["15m", "1h", "2m", "1h"]
        assert "( 1 hour )" in text(pilot, "BudgetChoice")
        assert "1 hour" in text(pilot, "#home-try")
        assert app_of(pilot).studio.plan.model == QUICK.model


async def test_a_length_can_be_clicked(make_app: MakeApp) -> None:
    async with on_home(make_app(config=QUICK)) as pilot:
        line = text(pilot, "BudgetChoice")
        await pilot.click(BudgetChoice, offset=(line.index("15 min") + 2, 0))
        assert app_of(pilot).studio.plan.train.budget == "15m"


async def test_another_length_stays_until_one_is_chosen(make_app: MakeApp) -> None:
    async with on_home(make_app()) as pilot:
        assert "( 1,000 steps )" in text(pilot, "BudgetChoice")
        assert "( 2 min )" not in text(pilot, "BudgetChoice")
        await pilot.press("left")
        assert app_of(pilot).studio.plan.train.budget == "1h"
        await pilot.pause()
        assert "1,000 steps" not in text(pilot, "BudgetChoice")


# ---- the other ways


@pytest.mark.parametrize(("key", "mode"), [("d", "data"), ("2", "plan"), ("5", "runs")])
async def test_keys_lead_on(make_app: MakeApp, key: str, mode: str) -> None:
    async with on_home(make_app(config=QUICK)) as pilot:
        await pilot.press(key)
        assert app_of(pilot).current_mode == mode


async def test_arrows_mark_a_way_and_enter_takes_it(make_app: MakeApp) -> None:
    engine = ScriptedEngine()

    async with on_home(make_app(engine=engine, config=QUICK)) as pilot:
        await pilot.press("down", "down", "down", "up")
        marked = [way.id for way in pilot.app.screen.query(ActionRow) if str(way.content).startswith("▸")]
        assert marked == ["home-plan"]
        await pilot.press("enter")
        assert app_of(pilot).current_mode == "plan"
        assert engine.trained == []


async def test_ways_can_be_clicked(make_app: MakeApp) -> None:
    async with on_home(make_app(config=QUICK)) as pilot:
        await pilot.click("#home-runs")
        assert app_of(pilot).current_mode == "runs"


async def test_runs_are_counted(make_app: MakeApp, home: Path) -> None:
    scripts.write_run(home, "one", scripts.training(20))

    async with on_home(make_app(mode="home")) as pilot:
        assert "1 run in this home" in text(pilot, "#home-runs")


# ---- the machine


async def test_the_machine_appears_when_it_is_known(make_app: MakeApp) -> None:
    async with on_home(make_app()) as pilot:
        await until(pilot, lambda: "Test CPU, 2 cores · no GPU" in text(pilot, "#home-found"))
        assert "2 threads, 14,776 tokens/s, the fastest of 1, 2 · torch 2.13.0" in text(pilot, "#home-found")
        assert "~/.local/share/tinylm-studio · 41 GB free" in text(pilot, "#home-found")
        app_of(pilot).studio.machine = None
        await until(pilot, lambda: "Loading torch" in text(pilot, "#home-found"))


# ---- words


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        ("2m", "2 min"), ("1h", "1 hour"), ("90s", "1.5 min"), ("60m", "60 min"), ("3h", "3 hours"),
        ("500 steps", "500 steps"), ("3 epochs", "3 passes"), (None, "1,000 steps"),
    ],
)  # fmt: skip
def test_lengths_in_words(budget: str | None, text: str) -> None:
    assert length(resolve.with_values(RunConfig(), train={"budget": budget})) == text


def test_what_enter_does_in_words() -> None:
    own = resolve.with_values(QUICK, data={"sources": ["/home/u/moby\x1b dick.txt", "stories"]})
    assert texts(own) == "moby\ufffd dick.txt and 1 more"
    assert offer(QUICK) == "built-in stories, 1.3 M weights, 2 min"
    assert "weights" not in offer(resolve.with_values(QUICK, tokenizer={"kind": "char"}))


# ---- small windows and pictures


async def test_everything_is_there_in_a_small_window(make_app: MakeApp) -> None:
    async with on_home(make_app(config=QUICK), size=(60, 18)) as pilot:
        for way in pilot.app.screen.query(ActionRow):
            assert way.region.height == 1
            assert pilot.app.screen.region.contains_region(way.region)


async def test_ascii_terminals_get_ascii(make_app: MakeApp) -> None:
    async with on_home(make_app()) as pilot:
        await until(pilot, lambda: "Test CPU" in text(pilot, "#home-found"))
        await pilot.press("G", "G")
        await until(pilot, lambda: text(pilot, "#home-title").isascii())
        assert all(str(shown.content).isascii() for shown in pilot.app.screen.query_one("#home-pane").query(Static))


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 18)])
def test_picture(make_app: MakeApp, snap_compare: Any, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "Test CPU" in text(pilot, "#home-found"))

    assert snap_compare(make_app(config=QUICK), terminal_size=size, run_before=before)
