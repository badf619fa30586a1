"""The clock of a run, in a world whose time the test makes."""

import subprocess
import sys

import pytest

from tinylm.training import clock
from tinylm.training.clock import SUSPENDED_SECONDS, Clock


class World:
    """Time and work, as the system tells them."""

    def __init__(self) -> None:
        self.now, self.worked = 100.0, 10.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.worked

    def work(self, seconds: float) -> None:
        self.now, self.worked = self.now + seconds, self.worked + seconds

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(clock, "time", made)
    return made


def test_it_counts_from_its_start_and_from_what_was_used(world: World) -> None:
    assert Clock(98.0).seconds() == 2
    kept = Clock(98.0, seconds=30)
    world.work(4)
    assert kept.seconds() == 36


def test_sleep_is_left_out_and_told_and_work_and_short_waits_are_not(world: World) -> None:
    run = Clock(100.0)
    world.sleep(SUSPENDED_SECONDS - 1)
    assert run.seconds() == SUSPENDED_SECONDS - 1
    world.work(10 * SUSPENDED_SECONDS)
    assert run.seconds() == 11 * SUSPENDED_SECONDS - 1
    assert not run.suspensions
    world.work(1)
    world.sleep(99)
    assert run.seconds() == pytest.approx(11 * SUSPENDED_SECONDS)
    assert run.suspensions == [100]


@pytest.mark.parametrize("at_question", [1, 2, 3, 4])
def test_a_sleep_between_two_of_its_own_questions_never_counts_in_the_end(world: World, at_question: int) -> None:
    """The system may stop a program anywhere, also while it looks at the time."""
    run = Clock(100.0)
    questions = iter(range(1, 9))
    real = world.perf_counter, world.process_time

    def asked(which: int) -> float:
        if next(questions) == at_question:
            world.sleep(60)
        return real[which]()

    world.perf_counter, world.process_time = lambda: asked(0), lambda: asked(1)  # type: ignore[method-assign]
    seen = [run.seconds() for _ in range(4)]
    assert seen == [0, 0, 0, 0]
    assert run.suspensions == [60]


def test_it_stands_still_as_long_as_it_is_told(world: World) -> None:
    run = Clock(100.0)
    world.work(3)
    run.stop()
    world.work(50)
    assert run.seconds() == 3
    run.go_on()
    world.work(2)
    assert run.seconds() == 5
    run.go_on()
    assert run.seconds() == 5
    assert not run.suspensions


def test_waiting_for_a_compiler_is_work() -> None:
    """The time of others counts once they are waited for."""
    before = clock.cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    assert clock.cpu_seconds() > before + 0.05
