"""A scripted engine and recorded events: the app is driven without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.scripts import ScriptedEngine
from tinylm.config.schema import RunConfig
from tui.app import StudioApp
from tui.studio import Studio


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No animations, and a terminal that can show everything."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none", raising=False)
    monkeypatch.setattr("tui.terminal.draw_budget.SHARE", 1.0)  # nothing trains here
    monkeypatch.setattr("locale.getpreferredencoding", lambda _=False: "UTF-8")


@pytest.fixture
def make_app(home: Path) -> Callable[..., StudioApp]:
    """Make an app on an empty home: `make_app(engine=ScriptedEngine(), mode="train")`."""

    def make(
        engine: ScriptedEngine | None = None, mode: str | None = None, config: RunConfig | None = None
    ) -> StudioApp:
        return StudioApp(Studio(home, config or RunConfig(), engine or ScriptedEngine()), mode)

    return make
