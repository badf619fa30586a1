"""Drives the Plan screen: an app on it, waiting for what its rehearsals bring about, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui import pilot as app_pilot
from tests.tui.rehearsals import RehearsingEngine
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import DataError
from tui.app import StudioApp
from tui.screens.plan.screen import PlanScreen
from tui.studio import Studio

TOO_SHORT = DataError(
    "The text has 120 tokens, and a context of 256 needs 257.", "Add text, or take a smaller context."
)


def make(home: Path, engine: RehearsingEngine | None = None, preset: str = "quick") -> StudioApp:
    config = resolve.validate(resolve.read_preset(preset, home))
    return StudioApp(Studio(home, config, engine or RehearsingEngine()), "plan")


@asynccontextmanager
async def on_plan(app: StudioApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Pilot[Any], PlanScreen]]:
    """Run the app on Plan; gives its pilot and the screen."""
    async with app_pilot.running(app, size) as pilot:
        assert isinstance(app.screen, PlanScreen)
        yield pilot, app.screen


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Wait for what threads and timers bring about; the screen's own timer need not come round for it."""

    def came_about() -> bool:
        if true():
            return True
        if isinstance(pilot.app.screen, PlanScreen):
            pilot.app.screen.tick()
        return False

    await app_pilot.until(pilot, came_about)


def numbers(screen: PlanScreen) -> str:
    return str(screen.query_one("#numbers", Static).content)


def refuse(_: RunConfig) -> object:
    raise TOO_SHORT
