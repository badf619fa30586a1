"""The sentence says what is going on, in each state that a training can be in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
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
    """A source that has told everything."""

    def drain(self) -> list[Event]:
        return []

    def close(self) -> None:
        pass


def own(told: Sequence[Event], error: BaseException | None = None) -> ObservedRun:
    """A watch of a training of this app."""

    def begin(_: Control) -> Iterator[Event]:
        yield from ()

    watch = ObservedRun(TrainingThread(begin), "stories-test", RunFolder(Path("/nowhere/stories-test")))
    watch.history = scripts.history(told)
    assert watch.trainer
    watch.trainer.error = error
    return watch


def followed(told: Sequence[Event], locked: bool = True) -> ObservedRun:
    """A watch of a run's folder."""
    watch = ObservedRun(Still(), "stories-test", RunFolder(Path("/nowhere/stories-test")))
    watch.history, watch.locked = scripts.history(told), locked
    return watch


def test_nothing() -> None:
    assert "Enter starts" in status.sentence(None)


def test_starting() -> None:
    assert status.sentence(own([]), torch_loaded=False).startswith("Loading torch")
    assert status.sentence(own([]), torch_loaded=True).startswith("Reading the text and measuring threads")
    assert "being planned" in status.sentence(own(scripts.opening()[:2]))
    assert "first step is under way" in status.sentence(own(scripts.opening()))


def test_learning_tells_what_it_has_just_passed() -> None:
    steps = [*scripts.opening(), *(scripts.step(number) for number in range(1, 101))]
    told = [*steps, scripts.evaluation(80, bpb=2.60), scripts.evaluation(100, bpb=2.44)]
    assert status.sentence(own(told)).startswith('Just passed "letter triples".')
    soon = [*told, *(scripts.step(number) for number in range(101, 150))]
    assert status.sentence(own(soon)).startswith('Just passed "letter triples".')
    later = [*soon, *(scripts.step(number) for number in range(150, 190))]
    assert "Just passed" not in status.sentence(own(later)), "22 s later it is no news"


def test_learning_tells_the_trend() -> None:
    told = status.sentence(own(scripts.training(110)))
    assert "Loss down" in told
    assert "held-out follows" in told
    assert len(told) <= 78


def test_the_first_steps() -> None:
    assert "never seen a letter" in status.sentence(own(scripts.training(5)))


def test_a_training_that_gets_worse_from_its_first_step_on_is_no_beginning() -> None:
    told = [*scripts.opening(), *(scripts.step(number, loss=7 * number) for number in range(1, 9))]
    assert status.sentence(own(told)).startswith("It gets worse than it was at its first step")


def test_held_out_rises() -> None:
    told = [*scripts.training(100), scripts.evaluation(110, False, 2.4)]
    assert "held-out rises since step 100 (the best)" in status.sentence(own(told))
    told += [scripts.evaluation(number, False, 2.5) for number in (120, 130)]
    assert status.sentence(own(told)).startswith("Held-out loss rises: 3 checks no better than step 100")


def test_who_leaves_is_told_that_it_is_saved_and_who_stops_that_it_is_measured() -> None:
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


def test_rescued() -> None:
    rescue = events.Rescued(120, 60, 1, 0.5, "At step 120 …")
    told = status.sentence(own([*scripts.training(120), rescue]))
    assert told.startswith("Rescued")
    assert "back at step 60" in told
    assert "0.5 x" in told


def test_a_step_that_was_left_out() -> None:
    told = [*scripts.training(30), scripts.step(31, loss=None, grad_norm=None)]
    assert status.sentence(own(told)).startswith("Step 31 was left out")


def test_a_warning_is_told_for_a_while() -> None:
    warning = events.Warned("The disk is nearly full", "Old checkpoints are not kept.", "Make room.")
    assert status.sentence(own([*scripts.training(30), warning])).startswith("The disk is nearly full")
    later = [*scripts.training(30), warning, *(scripts.step(number) for number in range(31, 130))]
    assert "disk" not in status.sentence(own(later))


def test_no_held_out_text() -> None:
    told = [
        events.DataPrepared(900, 300, 257, 300, 0, 0, {}) if isinstance(event, events.DataPrepared) else event
        for event in scripts.training(100)
        if not isinstance(event, events.EvalDone)
    ]
    assert "no held-out text: memorising will not be noticed" in status.sentence(own(told))


def test_paused() -> None:
    told = status.sentence(own([*scripts.training(40), events.Paused(40, paused=True)]))
    assert told.startswith("Paused at step 40")
    assert "Space" in told


def test_a_followed_run_says_that_it_cannot_be_paused() -> None:
    told = status.sentence(followed(scripts.training(40)))
    assert told.startswith("Trained elsewhere: no pausing here.")


def test_a_run_whose_log_is_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObservedRun, "reading", True)
    assert status.sentence(followed([], locked=False)).startswith("Reading")


def test_interrupted() -> None:
    told = status.sentence(followed(scripts.training(140), locked=False))
    assert told == "It broke off at step 140 of 400. r goes on from step 120."
    assert "starts it over" in status.sentence(followed(scripts.training(30), locked=False))


def test_stopped() -> None:
    told = status.sentence(own([*scripts.training(140), scripts.finished(140, "stopped")]))
    assert told.startswith("Stopped and saved at step 140 of 400")


@pytest.mark.parametrize(("reason", "words"), [("budget", "Done: 0.539 bits"), ("early_stop", "Stopped early")])
def test_finished(reason: str, words: str) -> None:
    told = status.sentence(own([*scripts.training(400), scripts.finished(reason=reason)]))
    assert told.startswith(words)
    assert "Enter talks" in told


def test_ranking() -> None:
    assert status.ranking(3.0, scripts.BASELINES) == ", better than letter pairs, not yet than gzip"
    assert status.ranking(1.0, scripts.BASELINES) == ", better than all simpler means"
    assert status.ranking(9.0, scripts.BASELINES) == ", no better than blind guessing yet"
    assert status.ranking(9.0, {}) == ""


def test_failed() -> None:
    told = status.sentence(own([*scripts.training(140), scripts.failed()]))
    assert told.startswith("The training diverged at step 140")
    assert "r goes on from step 120" in told
    assert status.sentence(own([*scripts.training(10)], ZeroDivisionError("x"))).startswith("Our own fault")


def test_it_could_not_start() -> None:
    watch = own([], DataError("There is no file x.txt.", "Choose another."))
    watch.run = None
    told = status.sentence(watch)
    assert told.startswith("It could not start: There is no file x.txt.")
    assert "Enter goes to the plan" in told


def test_what_a_text_says_steers_no_terminal() -> None:
    watch = own([], DataError("There is no file \x1b[2J.", "Choose another."))
    watch.run = None
    assert "\x1b" not in status.sentence(watch)
