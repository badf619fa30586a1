"""An app with a scripted engine, so that it runs without torch, and tests that are coroutines."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.scripts import ScriptedEngine
from tinylm.config.schema import RunConfig
from tui.app import StudioApp
from tui.studio import Studio


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    parameters = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in parameters}))
    return True


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No animations, and a terminal that can show everything."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none", raising=False)
    monkeypatch.setattr("tui.terminal.draw_budget.SHARE", 1.0)  # nothing trains here
    monkeypatch.setattr("locale.getpreferredencoding", lambda _=False: "UTF-8")


@pytest.fixture(autouse=True)
def _no_training_outlives_its_test() -> Iterator[None]:
    yield
    for control in ScriptedEngine.started:
        control.stop.set()
    ScriptedEngine.started.clear()


@pytest.fixture
def make_app(home: Path) -> Callable[..., StudioApp]:
    """Make an app on an empty home: `make_app(engine=ScriptedEngine(), mode="train")`."""

    def make(
        engine: ScriptedEngine | None = None, mode: str | None = None, config: RunConfig | None = None
    ) -> StudioApp:
        return StudioApp(Studio(home, config or RunConfig(), engine or ScriptedEngine()), mode)

    return make


@pytest.fixture
def endless(tiny_config: Callable[..., RunConfig]) -> RunConfig:
    """A training that is far longer than any test."""
    phases = [{"name": "train", "schedule": "constant", "steps": 1_000_000, "max_lr": 1e-3}]
    return tiny_config(train={"phases": phases, "eval_interval": 100_000})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan does not wait for a change to come to rest, and the disk has always the same room."""
    monkeypatch.setattr("tui.screens.plan.screen.WAIT", 0.0)
    usage = type(shutil.disk_usage("/"))(100_000_000_000, 59_000_000_000, 41_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
