"""Reads the logs of runs for the Runs screen, in worker threads: each log once, and later only what was added to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tinylm import events, files
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs.folder import RunFolder
from tui.live.event_source import stands_before
from tui.live.history import History
from tui.screens.runs import compare
from tui.screens.runs.compare import LossTrace

KEPT = 12
"""Logs that stay in memory, besides those that are asked for."""

LOOK = 2000
"""Lines between two looks at whether the trace is still wanted."""


@dataclass
class _Log:
    """A log as far as it was read."""

    place: int = 0
    last: bytes = b""
    """The line before that place."""
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
                with files.opened(run.events_file) as file:
                    if not stands_before(file, log.place, log.last):  # it was cut back, since the run was resumed
                        log = self._logs[run.path] = _Log()
                if not self._read_on(run, log, cancelled):
                    return None
            if log.trace is None or log.trace.name != name:
                log.trace = compare.trace(log.history, name, _config(run))
            return log.trace

    def _read_on(self, run: RunFolder, log: _Log, cancelled: Callable[[], bool]) -> bool:
        """Take in the whole lines that were added; whether it came to the end."""
        with files.opened(run.events_file) as file:
            file.seek(log.place)
            for number, line in enumerate(files.lines(file), start=1):
                if not line.endswith(b"\n"):
                    break  # it is still being written
                if number % LOOK == 0 and cancelled():
                    return False
                log.place, log.last = log.place + len(line), line
                log.trace = None
                try:
                    event = events.from_json(line)
                except (ValueError, TypeError):
                    continue
                if event is not None:
                    log.history.apply(event)
        return True


def _config(run: RunFolder) -> RunConfig | None:
    try:
        return run.config()
    except TinyLMError:
        return None
