"""The clock of a run, in a world whose time the test sets."""

import subprocess
import sys
from collections.abc import Callable
from itertools import count

import pytest

from tests.fake_time import FakeTime
from tinylm.training import clock
from tinylm.training.clock import SUSPENDED_SECONDS, Clock


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    monkeypatch.setattr(clock, "now", made.now)
    monkeypatch.setattr(clock, "cpu_seconds", made.cpu_seconds)
    return made


def test_it_counts_from_its_start_and_from_what_was_used(world: FakeTime) -> None:
    assert Clock(98.0).seconds() == 2
    kept = Clock(98.0, seconds=30)
    world.work(4)
    assert kept.seconds() == 36


def test_sleep_does_not_count_but_work_and_short_waits_do(world: FakeTime) -> None:
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
def test_a_sleep_between_two_of_its_own_questions_never_counts_in_the_end(
    world: FakeTime, at_question: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may stop a program anywhere, also while it looks at the time."""
    run = Clock(100.0)
    questions = count(1)

    def stopped_before(answer: Callable[[], float]) -> Callable[[], float]:
        def asked() -> float:
            if next(questions) == at_question:
                world.sleep(60)
            return answer()

        return asked

    monkeypatch.setattr(clock, "now", stopped_before(world.now))
    monkeypatch.setattr(clock, "cpu_seconds", stopped_before(world.cpu_seconds))
    seen = [run.seconds() for _ in range(4)]
    assert seen == [0, 0, 0, 0]
    assert run.suspensions == [60]


def test_it_stands_still_while_it_is_stopped(world: FakeTime) -> None:
    run = Clock(100.0)
    world.work(3)
    run.stop()
    world.work(50)
    assert run.seconds() == 3
    run.resume()
    world.work(2)
    assert run.seconds() == 5
    run.resume()
    assert run.seconds() == 5
    assert not run.suspensions


def test_waiting_for_a_compiler_is_work() -> None:
    """The time of others counts once they are waited for."""
    before = clock.cpu_seconds()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    assert clock.cpu_seconds() > before + 0.15
