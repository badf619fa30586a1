"""The log's lines: what is worth one, and what the next line makes worthless."""

from tests.tui import scripts
from tinylm import events
from tui.screens.train.event_log import event_text, log_lines
from tui.terminal.glyphs import BRAILLE


def test_a_plan_that_the_next_one_replaces_at_once_has_no_line() -> None:
    plans = [events.Planned(steps, 120.0, ()) for steps in (52, 77, 94)]
    log = [(0.0, plans[0]), (4.0, plans[1]), (9.0, scripts.evaluation(20)), (12.0, plans[2])]
    lines, _ = log_lines(log, None, BRAILLE, 60)
    assert [line.plain.split("  ")[-1] for line in lines if "Planned" in line.plain] == [
        "Planned: 77 steps in 2:00.",
        "Planned: 94 steps in 2:00.",
    ]


def test_the_end_says_at_which_step_the_best_was() -> None:
    assert "240" in event_text(scripts.finished(400, best=240), BRAILLE)
    assert event_text(scripts.finished(400), BRAILLE).count("400") == 1
