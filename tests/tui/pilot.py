"""Drives the app without a terminal, and waits for what its threads and timers bring about."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.waiting import PATIENCE


@asynccontextmanager
async def running(app: App[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """Run the app without a terminal, but with its notices; gives its pilot."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield pilot


async def until(pilot: Pilot[Any], true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something that a thread or a timer brings about."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not come about"
        await pilot.pause(0.02)


async def start_training(pilot: Pilot[Any]) -> None:
    """Train the plan, and wait for its first step."""
    studio = pilot.app.studio
    studio.start_training()
    await until(pilot, lambda: studio.shown and studio.shown.history.step)


def text(widget: Static) -> str:
    """What a widget shows, without its styles."""
    content = widget.content
    return getattr(content, "plain", str(content))


def drawn(screen: Screen[Any]) -> list[str]:
    """The rows of a screen, as they are on the terminal."""
    return [strip.text for strip in screen._compositor.render_strips()]  # Textual has no public way to them


async def click_on(pilot: Pilot[Any], words: str) -> None:
    """Click on the third letter of the first such words on the screen."""
    rows = drawn(pilot.app.screen)
    y = next(y for y, row in enumerate(rows) if words in row)
    await pilot.click(offset=(rows[y].index(words) + 2, y))
    await pilot.pause()
