"""What the tests of the whole Plan screen share."""

import shutil

import pytest

from tui.screens.plan import screen


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a change to come to rest, and the disk has always the same room."""
    monkeypatch.setattr(screen, "WAIT", 0.0)
    usage = type(shutil.disk_usage("/"))(100_000_000_000, 59_000_000_000, 41_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
