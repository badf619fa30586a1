"""Driving the app by Textual's pilot, without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from tui.app import StudioApp

Act = Callable[[Pilot[int]], Awaitable[None]]


def drive(app: StudioApp, act: Act, size: tuple[int, int] = (80, 24)) -> StudioApp:
    """Run the app and let `act` use it."""

    async def go() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(pilot)

    asyncio.run(go())
    return app


async def until(pilot: Pilot[int], condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for what threads and timers bring about."""
    end = time.monotonic() + seconds
    await pilot.pause()
    while not condition():
        assert time.monotonic() < end, f"it did not come to {condition}"
        await pilot.pause(0.01)
