"""The sentence says what is going on, in each state that a training can be in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.tui import scripts
from tests.waiting import PATIENCE
from tinylm import events
from tinylm.errors import DataError
from tinylm.events import Event
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control
from tui.live import status
from tui.live.event_source import TrainingThread
from tui.live.watch import ObservedRun


class Still:
    """A source that has no more events."""

    def drain(self) -> list[Event]:
        return []

    def close(self) -> None:
        pass


def own(log: Sequence[Event], error: BaseException | None = None) -> ObservedRun:
    """A watch of a training of this app."""

    def begin(_: Control) -> Iterator[Event]:
        yield from ()

    watch = ObservedRun(TrainingThread(begin), "stories-test", RunFolder(Path("/nowhere/stories-test")))
    watch.history = scripts.history(log)
    watch.trainer.error = error
    return watch


def followed(log: Sequence[Event], locked: bool = True) -> ObservedRun:
    """A watch of a run's folder."""
    watch = ObservedRun(Still(), "stories-test", RunFolder(Path("/nowhere/stories-test")))
    watch.history, watch.locked = scripts.history(log), locked
    return watch


STEPS = [*scripts.opening(), *(scripts.step(number, loss=7 * number) for number in range(1, 9))]
RESCUE = events.Rescued(120, 60, 1, 0.5, "At step 120 …")
STATES: dict[str, tuple[Callable[[], ObservedRun | None], list[str]]] = {
    "nothing": (lambda: None, ["Enter starts"]),
    "planning": (lambda: own(scripts.opening()[:2]), ["being planned"]),
    "before the first step": (lambda: own(scripts.opening()), ["first step is under way"]),
    "first steps": (lambda: own(scripts.training(5)), ["never seen a letter"]),
    "worse from the first step on": (lambda: own(STEPS), ["worse than it was at its first step"]),
    "rescued": (lambda: own([*scripts.training(120), RESCUE]), ["Rescued", "back at step 60", "0.5 x"]),
    "paused": (lambda: own([*scripts.training(40), events.Paused(40, paused=True)]), ["Paused at step 40", "Space"]),
    "interrupted": (
        lambda: followed(scripts.training(140), locked=False), ["step 140 of 400", "r goes on from step 120"],
    ),
    "interrupted, nothing saved": (lambda: followed(scripts.training(30), locked=False), ["starts it over"]),
    "finished": (lambda: own([*scripts.training(400), scripts.finished()]), ["Done: 0.539 bits", "Enter talks"]),
    "finished, best earlier": (
        lambda: own([*scripts.training(400), scripts.finished(best=240)]), ["Done: 0.539 bits", "step 240"],
    ),
    "stopped, best earlier": (
        lambda: own([*scripts.training(200), scripts.finished(200, "stopped", best=160)]), ["step 200", "step 160"],
    ),
    "stopped early": (
        lambda: own([*scripts.training(400), scripts.finished(reason="early_stop")]), ["Stopped early", "Enter talks"],
    ),
    "failed": (
        lambda: own([*scripts.training(140), scripts.failed()]), ["diverged at step 140", "r goes on from step 120"],
    ),
    "our own fault": (lambda: own([*scripts.training(10)], ZeroDivisionError("x")), ["Our own fault"]),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_the_sentence_has_the_facts_of_the_state(state: str) -> None:
    watch, facts = STATES[state]
    sentence = status.sentence(watch())
    assert [fact for fact in facts if fact not in sentence] == []


def test_before_the_first_event_it_says_what_takes_so_long() -> None:
    assert "torch" in status.sentence(own([]), torch_loaded=False)
    assert "threads" in status.sentence(own([]), torch_loaded=True)


def test_a_baseline_that_was_just_passed_is_named_for_a_while() -> None:
    steps = [*scripts.opening(), *(scripts.step(number) for number in range(1, 101))]
    log = [*steps, scripts.evaluation(80, bpb=2.60), scripts.evaluation(100, bpb=2.44)]
    assert status.sentence(own(log)).startswith('Just passed "letter triples".')
    soon = [*log, *(scripts.step(number) for number in range(101, 150))]
    assert status.sentence(own(soon)).startswith('Just passed "letter triples".')
    later = [*soon, *(scripts.step(number) for number in range(150, 190))]
    assert "Just passed" not in status.sentence(own(later)), "22 s later it is no news"


def test_the_trend_is_in_one_line() -> None:
    sentence = status.sentence(own(scripts.training(110)))
    assert "Loss down" in sentence
    assert "held-out follows" in sentence
    assert len(sentence) <= 78


def test_held_out_rises() -> None:
    log = [*scripts.training(100), scripts.evaluation(110, False, 2.4)]
    assert "held-out rises since step 100 (the best)" in status.sentence(own(log))
    log += [scripts.evaluation(number, False, 2.5) for number in (120, 130)]
    assert status.sentence(own(log)).startswith("Held-out loss rises: 3 checks no better than step 100")


def test_leaving_and_stopping_have_sentences_of_their_own() -> None:
    watch = own(scripts.training(40))
    release = threading.Event()

    def begin(_: Control) -> Iterator[events.Event]:
        release.wait(PATIENCE)
        yield from ()

    watch.source = trainer = TrainingThread(begin)
    trainer.start()
    trainer.control.stop.set()
    assert status.sentence(watch) == status.STOPPING
    trainer.control.leave.set()
    assert status.sentence(watch) == status.LEAVING
    release.set()


def test_a_warning_is_shown_for_a_while() -> None:
    warning = events.Warned("The disk is nearly full", "Old checkpoints are not kept.", "Make room.")
    assert status.sentence(own([*scripts.training(30), warning])).startswith("The disk is nearly full")
    later = [*scripts.training(30), warning, *(scripts.step(number) for number in range(31, 130))]
    assert "disk" not in status.sentence(own(later))


def test_a_run_whose_log_is_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObservedRun, "reading", True)
    assert status.sentence(followed([], locked=False)).startswith("Reading")


def test_ranking() -> None:
    assert status.ranking(3.0, scripts.BASELINES) == ", better than letter pairs, not yet than gzip"
    assert status.ranking(1.0, scripts.BASELINES) == ", better than all simpler means"
    assert status.ranking(9.0, scripts.BASELINES) == ", no better than blind guessing yet"
    assert status.ranking(9.0, {}) == ""


def test_it_could_not_start() -> None:
    watch = own([], DataError("There is no file x.txt.", "Choose another."))
    watch.run = None
    sentence = status.sentence(watch)
    assert sentence.startswith("It could not start: There is no file x.txt.")
    assert "Enter goes to the plan" in sentence


def test_what_a_text_says_steers_no_terminal() -> None:
    watch = own([], DataError("There is no file \x1b[2J.", "Choose another."))
    watch.run = None
    assert "\x1b" not in status.sentence(watch)
