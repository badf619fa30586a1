"""Random keys and clicks over all screens while a training runs: no crash, no hang, and the run is whole."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest
from textual.pilot import OutOfBounds, Pilot

from tests.tui import scripts
from tests.tui.rehearsals import rehearsal
from tests.tui.scripts import ScriptedEngine
from tests.waiting import PATIENCE
from tinylm import events
from tui.app import StudioApp
from tui.studio import Studio

KEYS = (
    *"abcdefghijklmnopqrstuvwxyz0123456789", *"GLRDNTX", "space", "enter", "escape", "tab", "shift+tab", "up", "down",
    "left", "right", "shift+left", "shift+right", "pageup", "pagedown", "home", "end", "backspace", "delete", "plus",
    "minus", "equals_sign", "slash", "question_mark", "left_square_bracket", "right_square_bracket", "comma",
    "full_stop", "f1", "f2", "f3", "f4", "f5", "f6", "ctrl+p", "ctrl+s", "ctrl+o", "ctrl+e",
)  # fmt: skip
SIZES = ((80, 24), (160, 45), (60, 18), (100, 30), (40, 10))


async def _storm(app: StudioApp, count: int, seed: int) -> None:
    rng = random.Random(seed)
    async with app.run_test(size=(80, 24)) as pilot:
        app.studio.start_training()
        await pilot.pause(0.1)
        for i in range(count):
            await asyncio.wait_for(_something(pilot, rng), timeout=PATIENCE)
            if i % 97 == 96:
                await pilot.resize_terminal(*rng.choice(SIZES))
            if i % 50 == 49:
                await pilot.pause(0.05)
        for watch in (app.studio.training, app.studio.shown):
            if watch and watch.trainer:
                watch.trainer.control.stop.set()
                assert watch.trainer.join(PATIENCE), "the training does not stop any more"


async def _something(pilot: Pilot[int], rng: random.Random) -> None:
    if rng.random() < 0.75:
        await pilot.press(rng.choice(KEYS))
        return
    width, height = pilot.app.size
    with suppress(OutOfBounds):  # the terminal has just become smaller
        await pilot.click(offset=(rng.randrange(width), rng.randrange(height)), times=rng.choice((1, 1, 1, 2)))


def press_anything(home: Path, monkeypatch: pytest.MonkeyPatch, count: int, seed: int) -> None:
    """Press so many keys at random, and see that the runs are whole."""
    monkeypatch.setattr(StudioApp, "action_quit", lambda _self: None)  # a person who leaves ends the test too early
    engine = ScriptedEngine(endless=True)
    engine.rehearsal = rehearsal
    for name in ("one", "two", "three"):
        scripts.write_run(home, name, [*scripts.training(120), scripts.finished(120)])
    app = StudioApp(Studio(home, scripts.RunConfig(), engine), "home")
    asyncio.run(_storm(app, count, seed))
    assert engine.controls, "a training ran"
    for run in scripts.folder.list_runs(home):
        assert all(isinstance(event, events.Event) for event in run.events())
        run.config()
