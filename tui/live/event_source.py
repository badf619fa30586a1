"""Where the events of a run come from: a training in a thread of ours, or the log of one that others train.

Neither side ever waits for the other: the thread puts events into a queue, the screen takes them out on a timer.
The training's thread belongs to the app, so changing screens never stops it, and it is a daemon: leaving the program
never waits for it for ever.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from tinylm.events import Event
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogReader
from tinylm.training.control import Control

MOST_AT_ONCE = 4000
"""Events taken out in one go, so that opening a long run never holds up a key."""

LOOK_SECONDS = 0.25
"""How often a log that others write is looked at."""


class EventSource(Protocol):
    """Events as they come."""

    def drain(self) -> list[Event | None]:
        """What has come since the last call, at most MOST_AT_ONCE; None: what was told before is to be forgotten."""
        ...

    def close(self) -> None:
        """Stop listening; a training goes on."""
        ...


@dataclass
class _Queue:
    """Events between two threads: appending and taking out of a deque are atomic."""

    waiting: deque[Event | None] = field(default_factory=deque)

    def drain(self) -> list[Event | None]:
        """What has come since the last call, at most MOST_AT_ONCE; None: what was told before is to be forgotten."""
        taken: list[Event | None] = []
        while self.waiting and len(taken) < MOST_AT_ONCE:
            taken.append(self.waiting.popleft())
        return taken


class TrainingThread(_Queue):
    """One training in a thread of its own."""

    def __init__(self, begin: Callable[[Control], Iterator[Event]]) -> None:
        """`begin` is called in the thread and gives the events, as `tinylm.training.loop.train` does."""
        super().__init__()
        self.control = Control()
        self.error: BaseException | None = None
        """What ended the training, where it did not end by itself."""
        self._begin = begin
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        try:
            for event in self._begin(self.control):
                self.waiting.append(event)
        except BaseException as error:  # the outer edge of this thread: the app shows it
            _let_go(error)
            self.error = error

    @property
    def running(self) -> bool:
        """Whether the thread is at work; events may still wait when it is not."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Wait for the end, at most `seconds`; whether it came."""
        self._thread.join(seconds)
        return not self.running

    def close(self) -> None:
        """Nothing to let go of: the training goes on until it is asked to stop."""


class LogFollower(_Queue):
    """The log of a run that somebody else trains, or that is over: all that stands there, then what is added."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        self.read = threading.Event()
        """All that stood in the log was read; it may still wait in the queue."""
        self._reader = LogReader()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()

    def _follow(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError):  # gone, or not readable just now: look again
                self._take_in_all()
            self.read.set()
            self._closed.wait(LOOK_SECONDS)

    def _take_in_all(self) -> None:
        """Queue what was added to the log."""
        for event in self._reader.read(self.run.events_file):
            while len(self.waiting) > 4 * MOST_AT_ONCE and not self._closed.is_set():
                time.sleep(0.01)  # the screen is busy: no need to hold a whole log in memory
            if self._closed.is_set():
                return
            self.waiting.append(event)


def _let_go(error: BaseException | None) -> None:
    """Let go what the functions that failed had in hand, a model for one: the error is kept as long as it is shown."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
