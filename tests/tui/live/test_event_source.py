"""The queue between a training's thread and the screen, and the log of a run that others write."""

import gc
import threading
import time
import traceback
import weakref
from dataclasses import replace
from pathlib import Path

from tests.tui import scripts
from tests.waiting import PATIENCE, until
from tinylm import events
from tinylm.errors import RunError
from tinylm.events import Event
from tinylm.training.control import Control
from tui.live import event_source, status
from tui.live.event_source import EventSource, LogFollower, TrainingThread
from tui.live.watch import ObservedRun
from tui.terminal import glyphs


def wait_for(source: EventSource, count: int) -> list[Event | None]:
    """The next events, `count` of them at least."""
    taken: list[Event | None] = []

    def came() -> bool:
        taken.extend(source.drain())
        return len(taken) >= count

    until(came)
    return taken


def test_a_training_in_a_thread_gives_its_events_in_order_and_ends():
    told = scripts.training(30)
    trainer = TrainingThread(lambda _control: iter(told))
    trainer.start()
    assert trainer.join(PATIENCE)
    assert wait_for(trainer, len(told)) == told
    assert trainer.error is None
    assert not trainer.running


def test_a_stop_reaches_the_training():
    def endless(control: Control):
        while not control.stop.is_set():
            yield scripts.step(1)
            time.sleep(0.001)
        yield scripts.finished(1, "stopped")

    trainer = TrainingThread(endless)
    trainer.start()
    assert wait_for(trainer, 3)
    trainer.control.stop.set()
    assert trainer.join(PATIENCE)
    assert isinstance(wait_for(trainer, 1)[-1], events.Finished)


def test_an_error_is_kept_with_the_events_before_it():
    fault = RunError("It broke.", "Mend it.")

    def breaks(_control: Control):
        yield scripts.step(1)
        raise fault

    trainer = TrainingThread(breaks)
    trainer.start()
    assert trainer.join(PATIENCE)
    assert trainer.drain() == [scripts.step(1)]
    assert trainer.error is fault


def test_a_screen_takes_a_bounded_number_at_once(monkeypatch):
    monkeypatch.setattr(event_source, "MOST_AT_ONCE", 10)
    trainer = TrainingThread(lambda _control: iter(scripts.training(30)))
    trainer.start()
    trainer.join(PATIENCE)
    assert len(trainer.drain()) == 10
    assert len(trainer.drain()) == 10


def test_a_follower_reads_what_stands_in_a_log_and_what_is_added(home: Path):
    run = scripts.write_run(home, "other", scripts.training(20))
    follower = LogFollower(run)
    before = scripts.training(20)
    assert wait_for(follower, len(before)) == before
    with run.events_file.open("a", encoding="utf-8") as file:
        file.write(events.to_json(scripts.step(21)) + "\n" + '{"event": "unheard of"}\n' + "no event\n")
        file.write(events.to_json(scripts.step(22))[:20])  # still being written
        file.flush()
        assert wait_for(follower, 1) == [scripts.step(21)]
        file.write(events.to_json(scripts.step(22))[20:] + "\n")
        file.flush()
        assert wait_for(follower, 1) == [scripts.step(22)]
    follower.close()


def test_a_log_that_is_cut_back_is_read_anew(home: Path):
    run = scripts.write_run(home, "other", scripts.training(40))
    watch = ObservedRun(LogFollower(run), run.name, run)
    until(lambda: watch.poll() and watch.history.step.last == 40)

    run.events_file.write_text("".join(events.to_json(e) + "\n" for e in scripts.training(10)), encoding="utf-8")
    until(lambda: watch.poll() and watch.history.step.last == 10)
    assert list(watch.history.step.values) == list(range(1, 11))
    watch.source.close()


def test_a_history_has_each_step_once_and_goes_back_where_the_log_does():
    history = scripts.history([*scripts.training(60), scripts.step(41), scripts.step(42)])
    assert list(history.step.values) == list(range(1, 43))
    assert history.loss.last == scripts.step(42).loss
    assert [sample.step for sample in history.samples] == [40]
    assert len(history.loss) == len(history.speed) == len(history.seconds) == 42


def test_a_rescue_forgets_what_came_after_the_checkpoint():
    history = scripts.history(
        [*scripts.training(80), events.Rescued(80, 60, 1, 0.5, "Back to step 60 with half the rate.")]
    )
    assert history.step.last == 60
    assert history.log[-1][1].kind == "rescued"


def test_a_run_of_which_nothing_was_saved_begins_anew():
    history = scripts.history([*scripts.training(50), scripts.failed()])
    version = history.version
    for event in scripts.opening():
        history.apply(event)
    assert not len(history.step)
    assert not history.samples
    assert not history.state.evals
    assert [event for _, event in history.log] == scripts.opening()
    assert history.version > version


def test_the_state_of_a_run_in_a_word(home: Path):
    def status(told: list[Event], locked: bool = False) -> str:
        watch = ObservedRun(LogFollower(scripts.write_run(home, f"r{next(numbers)}", told)), "r")
        watch.locked = locked
        until(lambda: watch.poll() and watch.history.version >= len(told))
        watch.source.close()
        return watch.status

    numbers = iter(range(99))
    assert status(scripts.training(20)) == "interrupted"
    assert status(scripts.training(20), locked=True) == "training"
    assert status([*scripts.training(20), events.Paused(20, True)], locked=True) == "paused"
    assert status(scripts.opening(), locked=True) == "starting"
    assert status([*scripts.training(20), scripts.finished(20)]) == "finished"
    assert status([*scripts.training(20), scripts.finished(20, "stopped")]) == "stopped"
    assert status([*scripts.training(20), scripts.failed()]) == "failed"
    assert threading.active_count() < 30


def test_a_log_that_was_cut_back_and_is_longer_by_now_is_read_anew(home: Path):
    """Going on with a stopped run cuts a few lines off and writes more of them at once."""
    saved = events.CheckpointSaved(40, "checkpoints/step-00000040", False, 12.0)
    closing = [saved, scripts.evaluation(40), events.Sampled(40, "", "Stopped."), scripts.finished(40, "stopped")]
    run = scripts.write_run(home, "other", [*scripts.training(40), *closing])
    watch = ObservedRun(LogFollower(run), run.name, run)
    watch.locked = True
    until(lambda: watch.poll() and watch.status == "stopped")

    again = [replace(scripts.opening()[0], resumed_from=40), *scripts.opening()[1:]]
    told = [*scripts.training(40), saved, *again, *(scripts.step(n) for n in range(41, 45))]
    lines = "".join(events.to_json(event) + "\n" for event in told)
    assert len(lines) > run.events_file.stat().st_size
    run.events_file.write_text(lines, encoding="utf-8")
    until(lambda: watch.poll() and watch.history.step.last == 44)
    assert watch.status == "training"
    assert list(watch.history.step.values) == list(range(1, 45))
    watch.source.close()


def test_a_log_that_is_still_being_read_has_not_broken_off(home: Path, monkeypatch):
    monkeypatch.setattr(event_source, "MOST_AT_ONCE", 100)
    run = scripts.write_run(home, "long", [*scripts.training(400), scripts.finished(400)])
    watch = ObservedRun(LogFollower(run), run.name, run)
    until(watch.poll)
    seen = set()
    while watch.status != "finished":
        seen.add((watch.reading, status.sentence(watch), watch.pulse(glyphs.ASCII).rpartition(" ")[2]))
        watch.poll()
        time.sleep(0.005)
    assert seen == {(True, "Reading what happened in it.", "reading")}
    assert not watch.reading
    watch.source.close()

    empty = scripts.write_run(home, "empty", [])
    watch = ObservedRun(LogFollower(empty), empty.name, empty)
    until(lambda: not watch.reading)
    assert status.sentence(watch).endswith("Nothing was saved: r starts it over.")
    watch.source.close()


def test_an_error_keeps_nothing_of_a_training_but_its_words():
    class Model:
        """Something large."""

    alive: list[weakref.ref[Model]] = []

    def breaks(_control: Control):
        model = Model()
        alive.append(weakref.ref(model))
        yield scripts.step(1)
        try:
            raise ValueError("no room")
        except ValueError as error:
            raise RunError("It broke.", "Mend it.") from error

    trainer = TrainingThread(breaks)
    trainer.start()
    assert trainer.join(PATIENCE)
    assert "breaks" in "".join(traceback.format_exception(trainer.error))
    gc.collect()
    assert alive[0]() is None
