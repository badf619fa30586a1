"""The logs of runs for the Runs screen: each is read once by a worker thread, and later only what was added to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogReader
from tui.live.history import History
from tui.live.watch import read_config
from tui.screens.runs.compare import SMOOTHING, LoggedRun

KEPT = 12
"""Logs that stay in memory besides those asked for."""

CHECK_EVENTS = 2000
"""Events between two checks whether the log is still wanted."""


@dataclass
class _CachedLog:
    """A log as far as it was read."""

    reader: LogReader = field(default_factory=LogReader)
    history: History = field(default_factory=History)
    run: LoggedRun | None = None
    """What was last returned of it; None where events have come since."""


class HistoryCache:
    """Runs by folder, as far as their logs tell; any thread may ask."""

    def __init__(self) -> None:
        self._logs: OrderedDict[Path, _CachedLog] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, run: RunFolder, name: str, cancelled: Callable[[], bool] = lambda: False) -> LoggedRun | None:
        """The run up to the end of its log, without events where that cannot be read; None once `cancelled`."""
        with self._lock:
            log = self._logs.setdefault(run.path, _CachedLog())
            self._logs.move_to_end(run.path)
            while len(self._logs) > KEPT:
                self._logs.popitem(last=False)
            with suppress(OSError):  # not there yet, gone, or unreadable: the list of runs says so
                for number, event in enumerate(log.reader.read(run.events_file), start=1):
                    log.run = None
                    if event is None:
                        log.history = History()
                    else:
                        log.history.apply(event)
                    if number % CHECK_EVENTS == 0 and cancelled():
                        return None
            if log.run is None or log.run.name != name:
                log.history.loss.smoothed(SMOOTHING)  # computed here, so that the copy has it and the screen need not
                log.run = LoggedRun(name, read_config(run), log.history.copy())
            return log.run
