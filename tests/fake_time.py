"""The time of a training, made by the test: a busy machine then changes nothing."""

from collections.abc import Callable
from typing import Any

from tinylm.hardware import autotune
from tinylm.training import clock
from tinylm.training.step import Stepper

STEP_SECONDS = 0.01
"""What an optimizer step takes; nothing else takes any time."""


class FakeTime:
    """Wall time and CPU time that pass only where a test says so."""

    def __init__(self) -> None:
        self.wall, self.cpu = 100.0, 10.0

    def now(self) -> float:
        """Stands in for `clock.now`."""
        return self.wall

    def cpu_seconds(self) -> float:
        """Stands in for `clock.cpu_seconds`."""
        return self.cpu

    def work(self, seconds: float) -> None:
        """Let time pass in which the program works."""
        self.wall, self.cpu = self.wall + seconds, self.cpu + seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass in which it does nothing, as where it is suspended."""
        self.wall += seconds


def install(setattr_: Callable[[Any, str, object], None]) -> FakeTime:
    """Give runs this time, by a test's `monkeypatch.setattr` or, in a process of its own, by `setattr`.

    Each step takes STEP_SECONDS, and what is timed before a run says so too.
    """
    time, take = FakeTime(), Stepper.take

    def timed_take(self: Stepper, *arguments: Any) -> Any:
        time.work(STEP_SECONDS)
        return take(self, *arguments)

    setattr_(clock, "now", time.now)
    setattr_(clock, "cpu_seconds", time.cpu_seconds)
    setattr_(Stepper, "take", timed_take)
    setattr_(autotune, "timed", lambda *_: STEP_SECONDS)
    return time
