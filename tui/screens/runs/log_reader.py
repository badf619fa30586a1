"""Reads the logs of runs for the Runs screen, in worker threads: each log once, and later only what was added to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogReader
from tui.live.history import History
from tui.screens.runs import compare
from tui.screens.runs.compare import LossTrace

KEPT = 12
"""Logs that stay in memory, besides those that are asked for."""

LOOK = 2000
"""Events between two looks at whether the trace is still wanted."""


@dataclass
class _Log:
    """A log as far as it was read."""

    reader: LogReader = field(default_factory=LogReader)
    history: History = field(default_factory=History)
    trace: LossTrace | None = None


class Traces:
    """Traces of runs by folder; any thread may ask."""

    def __init__(self) -> None:
        self._logs: OrderedDict[Path, _Log] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, run: RunFolder, name: str, cancelled: Callable[[], bool] = lambda: False) -> LossTrace | None:
        """What the log tells by now, nothing where it cannot be read; None where `cancelled` said so meanwhile."""
        with self._lock:
            log = self._logs.setdefault(run.path, _Log())
            self._logs.move_to_end(run.path)
            while len(self._logs) > KEPT:
                self._logs.popitem(last=False)
            with suppress(OSError):  # not there yet, gone, closed to us: the list says so
                if not _read_on(run, log, cancelled):
                    return None
            if log.trace is None or log.trace.name != name:
                log.trace = compare.trace(log.history, name, _config(run))
            return log.trace


def _read_on(run: RunFolder, log: _Log, cancelled: Callable[[], bool]) -> bool:
    """Take in what was added to the log; whether it came to the end."""
    for number, event in enumerate(log.reader.read(run.events_file), start=1):
        log.trace = None
        if event is None:
            log.history = History()
        else:
            log.history.apply(event)
        if number % LOOK == 0 and cancelled():
            return False
    return True


def _config(run: RunFolder) -> RunConfig | None:
    try:
        return run.config()
    except TinyLMError:
        return None
