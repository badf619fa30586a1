"""Where the events of a run come from: a training in a thread of ours, or the log of one that others train.

Neither side ever waits for the other: the thread puts events into a queue, the screen takes them out on a timer.
The training's thread belongs to the app, so changing screens never stops it, and it is a daemon: leaving the program
never waits for it for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tinylm import events
from tinylm.control import Control
from tinylm.events import Event
from tinylm.runs import RunFolder

MOST_AT_ONCE = 4000
"""Events taken out in one go, so that opening a long run never holds up a key."""

LOOK_SECONDS = 0.25
"""How often a log that others write is looked at."""


class Source(Protocol):
    """Events as they come."""

    def drain(self) -> list[Event]:
        """What has come since the last call, at most MOST_AT_ONCE."""
        ...

    def close(self) -> None:
        """Stop listening; a training goes on."""
        ...


@dataclass
class _Queue:
    """Events between two threads: appending and taking out of a deque are atomic."""

    waiting: deque[Event] = field(default_factory=deque)

    def drain(self) -> list[Event]:
        """What has come since the last call, at most MOST_AT_ONCE."""
        taken: list[Event] = []
        while self.waiting and len(taken) < MOST_AT_ONCE:
            taken.append(self.waiting.popleft())
        return taken


class Trainer(_Queue):
    """One training in a thread of its own."""

    def __init__(self, begin: Callable[[Control], Iterator[Event]]) -> None:
        """`begin` is called in the thread and gives the events, as `tinylm.train.train` does."""
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


class Follower(_Queue):
    """The log of a run that somebody else trains, or that is over: all that stands there, then what is added."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        self.rewound = threading.Event()
        """The log was cut back, since the run was resumed: what was shown of it is to be forgotten."""
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
            self._closed.wait(LOOK_SECONDS)

    def _read(self, path: Path, place: int) -> int:
        """Queue the whole lines behind `place`; returns where they end."""
        try:
            size = path.stat().st_size
            if size < place:
                self.waiting.clear()
                self.rewound.set()
                place = 0
            if size == place:
                return place
            with path.open("rb") as file:
                file.seek(place)
                for line in file:
                    if not line.endswith(b"\n") or self._closed.is_set():
                        break  # a line that is still being written
                    place += len(line)
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
