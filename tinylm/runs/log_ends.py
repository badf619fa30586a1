"""Reads the two ends of a run's event log and its newest checkpoint states, for lists of runs.

It loads no torch and never reads a whole log, so that a list of many long runs appears at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tinylm import files
from tinylm.events import Event, StepDone
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import STEP, parse
from tinylm.runs.state import RunState

PIECE = 65536
"""Bytes that are read of each end of an event log."""

_MOST_BYTES = 1 << 20
"""Largest state.json of a checkpoint that is read; they have 2 KB."""


@dataclass
class LogEnds:
    """The events at both ends of a log, each end folded into a state."""

    head: RunState = field(default_factory=RunState)
    """From the beginning up to the first step."""
    tail: RunState = field(default_factory=RunState)
    """Of the last PIECE bytes; of their steps only the last."""
    readable: bool = True
    """The file is an event log, or empty."""


def read_log_ends(run: RunFolder) -> LogEnds:
    """Both ends of a run's event log, empty where there is none; OSError where it cannot be read."""
    ends = LogEnds()
    try:
        with files.open_regular(run.events_file) as file:
            size = file.seek(0, 2)
            file.seek(0)
            first = file.read(PIECE)
            file.seek(max(0, size - PIECE))
            last = file.read(PIECE)
    except FileNotFoundError:
        return ends
    for line in first.splitlines():
        if line.startswith(STEP):
            break
        if event := parse(line):
            ends.head.apply(event)
    ends.readable = size == 0 or ends.head.started is not None
    for event in reversed(_backwards(last.splitlines()[1:] if size > PIECE else last.splitlines())):
        ends.tail.apply(event)
    return ends


def _backwards(lines: list[bytes]) -> list[Event]:
    """The events of the lines, the last first, and of the steps only the last: the others are not even parsed."""
    events: list[Event] = []
    step_found = False
    for line in reversed(lines):
        if step_found and line.startswith(STEP):
            continue
        if event := parse(line):
            events.append(event)
            step_found = step_found or isinstance(event, StepDone)
    return events


def read_checkpoint_state(run: RunFolder, pointer: str) -> dict[str, Any]:
    """The state.json of the checkpoint that `latest` or `best` names, unchecked; empty where it cannot be read."""
    try:
        name = files.read(run.checkpoints / pointer, 100).decode("ascii").strip()
        if not re.fullmatch(r"step-\d{8}", name):
            return {}
        return files.json_object(files.read(run.checkpoints / name / "state.json", _MOST_BYTES))
    except (OSError, ValueError):
        return {}
