"""Keys and clicks at random: no crash, no hang, and runs are whole; ten thousand of them: tests/torture."""

import pytest

from tests.tui.random_keys import press_anything


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_100_random_keys_and_clicks(seed, home, monkeypatch):
    press_anything(home, monkeypatch, 100, seed)
