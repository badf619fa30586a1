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
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from tinylm import events, files
from tinylm.events import Event
from tinylm.runs.folder import RunFolder
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
        self._last = b""
        """The line that was read last."""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()

    def _follow(self) -> None:
        place = 0
        while not self._closed.is_set():
            place = self._read(self.run.events_file, place)
            self.read.set()
            self._closed.wait(LOOK_SECONDS)

    def _read(self, path: Path, place: int) -> int:
        """Queue the whole lines behind `place`; returns where they end."""
        try:
            if path.stat().st_size == place:
                return place
            with files.opened(path) as file:
                if not stands_before(file, place, self._last):
                    self.waiting.append(None)
                    place, self._last = 0, b""
                file.seek(place)
                for line in files.lines(file):
                    if not line.endswith(b"\n") or self._closed.is_set():
                        break  # a line that is still being written
                    place, self._last = place + len(line), line
                    self._put(line)
        except OSError:
            return place  # gone, or not readable just now: look again
        return place

    def _put(self, line: bytes) -> None:
        try:
            event = events.from_json(line)
        except (ValueError, TypeError):
            return
        if event is None:
            return
        while len(self.waiting) > 4 * MOST_AT_ONCE and not self._closed.is_set():
            time.sleep(0.01)  # the screen is busy: no need to hold a whole log in memory
        self.waiting.append(event)


def stands_before(file: BinaryIO, place: int, line: bytes) -> bool:
    """Whether `line` still ends at `place`: a log that was cut back, as its run was resumed, may be longer by now."""
    file.seek(max(0, place - len(line)))
    return file.read(len(line)) == line


def _let_go(error: BaseException | None) -> None:
    """Let go what the functions that failed had in hand, a model for one: the error is kept as long as it is shown."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
