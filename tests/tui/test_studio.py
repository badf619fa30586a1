"""The studio without an app: its training, the run that is shown, and who hears of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui import scripts
from tests.tui.scripts import ScriptedEngine
from tests.waiting import until
from tinylm import events
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs.folder import RunFolder
from tui.engine import Machine
from tui.studio import LOCK_POLLS, Notice, Studio


class Desktop:
    """A studio, and what it asks of the app."""

    def __init__(self, home: Path, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.studio = Studio(home, RunConfig(), engine)
        self.modes: list[str] = []
        self.notices: list[Notice] = []
        self.studio.go, self.studio.notify = self.modes.append, self.notices.append

    def poll_until(self, true: Callable[[], object]) -> None:
        """Poll, as the app does, until something has come about."""
        until(lambda: (self.studio.poll(), true())[1])

    @property
    def steps(self) -> int:
        """Steps that are known of the run that is shown."""
        return len(self.studio.shown.history.step) if self.studio.shown else 0


@pytest.fixture
def desktop(home: Path) -> Desktop:
    """A studio whose training goes on until it is asked to stop."""
    return Desktop(home, ScriptedEngine(endless=True))


def test_a_training_of_the_plan_is_started_and_shown(desktop: Desktop) -> None:
    studio = desktop.studio
    studio.start_training()
    assert desktop.modes == ["train"]
    assert studio.is_training
    assert studio.shown is studio.training
    desktop.poll_until(lambda: desktop.steps == 200)
    assert desktop.engine.trained == [studio.plan]
    assert "stories-test" in studio.pulse()


def test_a_second_training_is_refused_while_one_runs(desktop: Desktop, home: Path) -> None:
    old = scripts.write_run(home, "old", [*scripts.training(20), scripts.finished(20)])
    desktop.studio.start_training()
    until(lambda: desktop.engine.controls)
    first = desktop.studio.training
    desktop.studio.start_training()
    desktop.studio.resume_training(old)
    assert [notice.title for notice in desktop.notices] == ["A training is running"] * 2
    assert desktop.studio.training is first
    assert desktop.modes == ["train"]
    assert len(desktop.engine.controls) == 1


def test_the_end_of_a_training_is_reported_once_after_its_last_event(desktop: Desktop) -> None:
    studio = desktop.studio
    studio.start_training()
    until(lambda: desktop.engine.controls)
    desktop.engine.controls[0].stop.set()
    ended = []
    until(lambda: ended.append(studio.poll()) or ended[-1])
    assert ended[-1] is studio.training
    assert ended[-1].status == "stopped"
    assert [studio.poll() for _ in range(3)] == [None] * 3
    studio.resume_training(run_of(studio))  # nothing stands in its way now
    until(lambda: len(desktop.engine.controls) == 2)


def test_a_training_that_fails_is_kept_with_its_error(home: Path) -> None:
    desktop = Desktop(home, ScriptedEngine([scripts.opening()[0]], RunError("The disk is full.", "Free some.")))
    desktop.studio.start_training()
    until(lambda: desktop.studio.poll() is desktop.studio.training)
    assert desktop.studio.training.status == "failed"
    assert not desktop.studio.is_training


def test_a_resumed_run_shows_what_it_had_learnt_and_nothing_twice(home: Path) -> None:
    saved = events.CheckpointSaved(130, "checkpoints/step-00000130", False, 40.0)
    closing = [saved, scripts.evaluation(130), events.Sampled(130, "", "Stopped."), scripts.finished(130, "stopped")]
    run = scripts.write_run(home, "old", [*scripts.training(130), *closing])
    again = [saved, replace(scripts.opening()[0], resumed_from=130), *(scripts.step(n) for n in range(131, 141))]
    desktop = Desktop(home, ScriptedEngine(again, endless=True))
    desktop.studio.resume_training(run)
    desktop.poll_until(lambda: desktop.steps == 140)
    assert desktop.engine.resumed == [run]
    history = desktop.studio.shown.history
    assert list(history.step.values) == list(range(1, 141))
    assert [event.step for event in history.state.evals] == [20, 40, 60, 80, 100, 120], "as the log"
    assert [event.step for event in history.samples] == [40, 80, 120]
    assert desktop.studio.shown.status == "training", "the old end is no end any more"


def test_a_run_whose_lock_cannot_be_looked_at_is_shown(desktop: Desktop, home: Path) -> None:
    run = scripts.write_run(home, "copied", [*scripts.training(20), scripts.finished(20)])
    (run.path / ".lock").mkdir()
    desktop.studio.open_run(run)
    desktop.poll_until(lambda: desktop.studio.shown and desktop.studio.shown.status == "finished")


def test_a_run_that_another_process_trains_is_followed(desktop: Desktop, home: Path) -> None:
    run = scripts.write_run(home, "elsewhere", scripts.training(40))
    with run.lock():
        desktop.studio.open_run(run)
        assert desktop.modes == ["train"]
        desktop.poll_until(lambda: desktop.steps == 40)
        assert desktop.studio.shown.status == "training"
        assert not desktop.studio.shown.own
        with run.events_file.open("a", encoding="utf-8") as file:
            file.write(events.to_json(scripts.step(41)) + "\n")
        desktop.poll_until(lambda: desktop.steps == 41)
    for _ in range(LOCK_POLLS):
        desktop.studio.poll()
    assert desktop.studio.shown.status == "interrupted"


def test_a_run_of_this_app_is_its_own_until_another_process_resumes_it(desktop: Desktop) -> None:
    studio = desktop.studio
    studio.start_training()
    desktop.poll_until(lambda: desktop.steps)
    run = run_of(studio)
    desktop.engine.controls[0].stop.set()
    desktop.poll_until(lambda: not studio.is_training)
    studio.open_run(run)
    assert studio.shown is studio.training
    run.events_file.write_text("".join(events.to_json(event) + "\n" for event in scripts.training(60)))
    with run.lock():
        studio.open_run(run)
        desktop.poll_until(lambda: desktop.steps == 60)
        assert studio.shown is not studio.training
        assert studio.shown.status == "training"


def run_of(studio: Studio) -> RunFolder:
    """The folder of its training."""
    assert studio.training.run is not None
    return studio.training.run


def test_another_run_may_be_shown_while_one_trains_and_the_pulse_stays_with_the_training(
    desktop: Desktop, home: Path
) -> None:
    old = scripts.write_run(home, "old", [*scripts.training(20), scripts.finished(20)])
    studio = desktop.studio
    studio.start_training()
    until(lambda: desktop.engine.controls)
    studio.open_run(old)
    desktop.poll_until(lambda: desktop.steps == 20 and studio.training and len(studio.training.history.step) == 200)
    assert studio.is_training
    assert "stories-test" in studio.pulse()
    desktop.engine.controls[0].stop.set()
    desktop.poll_until(lambda: not studio.is_training)
    assert "old" in studio.pulse()


def test_only_our_own_training_is_asked_for_a_checkpoint(desktop: Desktop, home: Path) -> None:
    other = scripts.write_run(home, "old", scripts.training(20))
    studio = desktop.studio
    studio.save_first(other)
    studio.start_training()
    desktop.poll_until(lambda: desktop.steps == 200)
    saved = len(studio.training.history.checkpoints)
    studio.save_first(other)
    assert not desktop.engine.controls[0].save.is_set()
    studio.save_first(run_of(studio))
    desktop.poll_until(lambda: studio.training and len(studio.training.history.checkpoints) == saved + 1)


def test_a_checkpoint_waits_for_talk(desktop: Desktop, home: Path) -> None:
    run = scripts.write_run(home, "old", scripts.training(60))
    desktop.studio.talk_to(run, "best")
    assert desktop.studio.talk_choice == (run, "best")
    assert desktop.modes == ["talk"]


def test_a_new_plan_reaches_all_who_listen_until_they_stop(desktop: Desktop) -> None:
    heard: list[tuple[str, RunConfig]] = []
    stop_first = desktop.studio.on_plan_change(lambda plan: heard.append(("first", plan)))
    desktop.studio.on_plan_change(lambda plan: heard.append(("second", plan)))
    one, two = RunConfig(preset="one"), RunConfig(preset="two")
    desktop.studio.set_plan(one)
    stop_first()
    desktop.studio.set_plan(two)
    assert heard == [("first", one), ("second", one), ("second", two)]
    assert desktop.studio.plan is two


def test_our_errors_are_shown_with_their_hint_and_others_with_their_type(desktop: Desktop) -> None:
    desktop.studio.fault(RunError("The run is locked.", "Wait for it."))
    desktop.studio.fault(ZeroDivisionError("by zero"))
    known, unknown = desktop.notices
    assert (known.severity, known.title, known.message) == ("error", RunError.title, "The run is locked. Wait for it.")
    assert unknown.severity == "error"
    assert "ZeroDivisionError" in unknown.message


def test_the_machine_is_known_after_the_warm_up_and_one_that_fails_is_no_crash(desktop: Desktop, home: Path) -> None:
    assert desktop.studio.machine is None
    desktop.studio.warm_up()
    assert isinstance(desktop.studio.machine, Machine)

    class Broken(ScriptedEngine):
        def warm_up(self, home: Path, config: RunConfig) -> Machine:
            raise ImportError("no torch")

    broken = Desktop(home, Broken())
    thread = threading.Thread(target=broken.studio.warm_up)
    thread.start()
    thread.join()
    assert broken.studio.machine is None
    assert "no torch" in broken.studio.noise[0]
