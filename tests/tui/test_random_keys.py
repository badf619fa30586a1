"""Keys and clicks at random: no crash, no hang, and runs are whole; ten thousand of them: tests/torture."""

from tests.tui.random_keys import press_anything


def test_300_random_keys_and_clicks(home, monkeypatch):
    press_anything(home, monkeypatch, 300, seed=1)
