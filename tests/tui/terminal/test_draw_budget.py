"""The share of the time that drawing may take beside a training."""

from tui.terminal import draw_budget
from tui.terminal.draw_budget import DrawBudget


class Hands:
    """A clock and a processor that the test moves."""

    def __init__(self) -> None:
        self.now = self.used = 0.0

    def pace(self) -> DrawBudget:
        return DrawBudget(lambda: self.now, lambda: self.used)


def drawn(seconds: float, cost: float, training: bool = True, ticks: int = 4) -> int:
    """How often it is drawn in `seconds`, where a draw costs `cost`."""
    hands = Hands()
    watched = hands.pace()
    count = 0
    for _ in range(int(seconds * ticks)):
        hands.now += 1 / ticks
        if watched.allows(training):
            count += 1
            hands.used += cost
    return count


def test_drawing_takes_its_share_and_no_more(monkeypatch):
    monkeypatch.setattr(draw_budget, "SHARE", 0.02)
    for cost in (0.01, 0.02, 0.03):
        assert 0.6 * 0.02 <= drawn(100, cost) * cost / 100 <= 1.05 * 0.02


def test_cheap_pictures_are_drawn_at_every_tick(monkeypatch):
    monkeypatch.setattr(draw_budget, "SHARE", 0.02)
    assert drawn(10, 0.001) == 40


def test_dear_pictures_are_drawn_now_and_then_all_the_same(monkeypatch):
    monkeypatch.setattr(draw_budget, "SHARE", 0.02)
    assert drawn(30, 1.0) == 30 / draw_budget.LONGEST


def test_where_nothing_trains_every_tick_draws(monkeypatch):
    monkeypatch.setattr(draw_budget, "SHARE", 0.02)
    assert drawn(10, 0.1, training=False) == 40


def test_a_key_is_answered_at_the_next_tick(monkeypatch):
    monkeypatch.setattr(draw_budget, "SHARE", 0.02)
    hands = Hands()
    watched = hands.pace()
    hands.now += 0.25
    assert watched.allows(True)
    hands.used += 0.05
    hands.now += 0.25
    assert not watched.allows(True)
    watched.hurry()
    assert watched.allows(True)
