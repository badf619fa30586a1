"""Thousands of keys and clicks at random over all screens; `--rounds` says how many."""

import pytest

from tests.tui.conftest import _still  # noqa: F401 (a fixture)
from tests.tui.random_keys import press_anything


def test_10000_random_keys_and_clicks(home, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    press_anything(home, monkeypatch, request.config.getoption("rounds") or 10_000, seed=2)
