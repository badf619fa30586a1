"""What a glance at a run's files tells: both ends of its event log and the small files of its checkpoints.

No torch here, and never a whole log: a list of many long runs is to be there at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tinylm import events, files
from tinylm.runs.folder import RunFolder

PIECE = 65536
"""Bytes that are read of each end of an event log."""

_STEP = b'{"event": "step"'

_MOST_BYTES = 1 << 20
"""Of a checkpoint's state.json, which has 2 KB."""


@dataclass
class LogEnds:
    """The first and the last events of a log, by kind; the last are those of the last session only where it matters."""

    readable: bool = True
    first: dict[str, events.Event] = field(default_factory=dict)
    last: dict[str, events.Event] = field(default_factory=dict)
    ending: events.Finished | events.Failed | None = None
    """How the last session ended."""
    paused: bool = False
    best: events.EvalDone | None = None


def read_log_ends(run: RunFolder) -> LogEnds:
    """What both ends of a run's event log tell; OSError where it cannot be read."""
    told = LogEnds()
    try:
        with files.opened(run.events_file) as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(PIECE)
            file.seek(max(0, size - PIECE))
            tail = file.read(PIECE)
    except FileNotFoundError:
        return told
    for line in head.splitlines():
        if line.startswith(_STEP):
            break
        event = _event(line)
        if event is not None:
            told.first.setdefault(event.kind, event)
    told.readable = size == 0 or "run_started" in told.first
    session_over = False
    for line in reversed(tail.splitlines()[1:] if size > PIECE else tail.splitlines()):
        event = None if line.startswith(_STEP) and "step" in told.last else _event(line)
        if event is None:
            continue
        if not session_over:
            if isinstance(event, events.Finished | events.Failed):
                told.ending = told.ending or event
            elif isinstance(event, events.Paused) and "paused" not in told.last:
                told.paused = event.paused
        if isinstance(event, events.EvalDone) and event.best and told.best is None:
            told.best = event
        session_over = session_over or isinstance(event, events.RunStarted)
        told.last.setdefault(event.kind, event)
    return told


def _event(line: bytes) -> events.Event | None:
    try:
        return events.from_json(line)
    except (ValueError, TypeError):
        return None


def saved(run: RunFolder, pointer: str) -> dict[str, Any]:
    """The state of the checkpoint that `latest` or `best` names; empty where there is none that can be read."""
    try:
        name = files.read(run.checkpoints / pointer, 100).decode("ascii").strip()
        if not re.fullmatch(r"step-\d{8}", name):
            return {}
        return files.table(files.read(run.checkpoints / name / "state.json", _MOST_BYTES))
    except (OSError, ValueError):
        return {}
