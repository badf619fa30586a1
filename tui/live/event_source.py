"""Where the events of a run come from: a training in a thread of this app, or the log of another process.

Neither side waits for the other: the thread puts events into a queue, the screen takes them out on a timer. The
training thread belongs to the app, so changing screens never stops it; it is a daemon, so quitting never hangs on it.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from tinylm.events import Event
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogReader
from tinylm.training.control import Control

MOST_AT_ONCE = 4000
"""Events taken out of a queue at once, so that opening a long run never delays a key press."""

POLL_SECONDS = 0.25
"""Between two reads of a log that another process writes."""


class EventSource:
    """Gives the events of one run as they come from another thread: a deque appends and pops atomically."""

    def __init__(self) -> None:
        self.waiting: deque[Event | None] = deque()

    def drain(self) -> list[Event | None]:
        """The events since the last call, at most MOST_AT_ONCE; None: forget all earlier ones."""
        taken: list[Event | None] = []
        while self.waiting and len(taken) < MOST_AT_ONCE:
            taken.append(self.waiting.popleft())
        return taken

    def close(self) -> None:
        """Stop listening; a training goes on."""


class TrainingThread(EventSource):
    """A training in a thread of its own."""

    def __init__(self, begin: Callable[[Control], Iterator[Event]]) -> None:
        """`begin` is called in the thread and yields the events, as `tinylm.training.loop.train` does."""
        super().__init__()
        self.control = Control()
        self.error: BaseException | None = None
        """The exception that ended the training, if one did."""
        self._begin = begin
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    def start(self) -> None:
        """Start training."""
        self._thread.start()

    def _run(self) -> None:
        try:
            for event in self._begin(self.control):
                self.waiting.append(event)
        except BaseException as error:  # the outer edge of this thread: the app shows it
            _free_frames(error)
            self.error = error

    @property
    def running(self) -> bool:
        """Whether the thread is alive; events may still wait when it is not."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Wait for the end, at most `seconds`; returns whether it came."""
        self._thread.join(seconds)
        return not self.running


class LogFollower(EventSource):
    """The log of a run that another process trains, or that is over: what it holds, then what is added."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        self.read = threading.Event()
        """The log was read to its end once; events may still wait in the queue."""
        self._reader = LogReader()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()

    def _follow(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError):  # gone, or not readable just now: try again
                for event in self._reader.read(self.run.events_file):
                    while len(self.waiting) > 4 * MOST_AT_ONCE and not self._closed.is_set():
                        time.sleep(0.01)  # the screen is busy: no need to hold a whole log in memory
                    if self._closed.is_set():
                        return
                    self.waiting.append(event)
            self.read.set()
            self._closed.wait(POLL_SECONDS)


def _free_frames(error: BaseException | None) -> None:
    """Clear the local variables of the frames that failed, such as a model: the error is kept while it is shown."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
