"""All runs of a home as a person sees them, and what a person does with them: name, annotate, throw away, bring back.

Nothing here loads torch or reads a whole event log (`glance.py`), so that a list of many long runs is there at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tinylm import events, files, paths
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs import folder as runs
from tinylm.runs.folder import RunFolder
from tinylm.runs.log_ends import LogEnds, read_log_ends, saved
from tinylm.runs.notes import Notes


@dataclass(frozen=True)
class RunListing:
    """A run, as lists show it; what is unknown is None or empty."""

    run: RunFolder
    name: str
    """What to show: the name that was given to it while it ran, else the folder's."""
    status: str
    """training, paused, finished, stopped, failed, interrupted or damaged."""
    data: str
    """The names of its texts, comma separated."""
    device: str | None
    parameters: int | None
    vocab_size: int | None
    step: int | None
    steps: int | None
    """As planned."""
    tokens: int | None
    seconds: float | None
    val_bpb: float | None
    """Of the finish, else the best so far."""
    best_step: int | None
    tokens_per_second: float | None
    utc: str
    """When it was started, in ISO's form."""
    bytes: int
    """Of all its files; what it shares with the cache counts too."""
    note: str
    fault: str
    """The sentence that says why it failed or what is damaged."""

    def as_row(self) -> dict[str, object]:
        """What --runs --json prints; `run` is the folder, which --run wants."""
        return {
            "run": self.run.name,
            "state": self.status,
            "data": self.data,
            "parameters": self.parameters,
            "step": self.step,
            "val_bpb": self.val_bpb,
            "tokens_per_second": self.tokens_per_second,
            "utc": self.utc,
            "dir": str(self.run.path),
            "name": self.name,
            "device": self.device,
            "vocab_size": self.vocab_size,
            "steps": self.steps,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "bytes": self.bytes,
            "note": self.note,
            "fault": self.fault,
        }


def entries(home: Path) -> list[RunListing]:
    """All runs of a home, the newest first; one whose files are damaged is listed as such."""
    known = Notes(home).runs
    found = [_entry(run, known.get(run.name, {})) for run in _folders(home)]
    return sorted(found, key=lambda entry: (entry.utc, _last_change(entry.run)), reverse=True)


# ---- what a run's files tell --------------------------------------------------------------------------------------


def _entry(run: RunFolder, note: dict[str, Any]) -> RunListing:
    """What is listed of a run."""
    fault, config, told = "", None, LogEnds()
    try:
        config = run.config()
    except TinyLMError as error:
        fault = error.message
    try:
        told = read_log_ends(run)
    except OSError as error:
        fault = fault or f"{run.events_file} cannot be read: {error.strerror}."
    if not told.readable:
        fault = fault or f"{run.events_file} is no event log."
    status = _status(run, told, bool(fault))
    if isinstance(told.ending, events.Failed) and status == "failed":
        fault = str(told.ending.message)
    elif status != "damaged":
        fault = ""

    finished = told.ending if isinstance(told.ending, events.Finished) else None
    started = told.last.get("run_started") or told.first.get("run_started")
    latest, best = saved(run, "latest"), saved(run, "best")
    last = finished or told.last.get("step")
    plan = told.last.get("planned")
    planned = plan.steps if isinstance(plan, events.Planned) else latest.get("plan_steps")
    if planned is None and isinstance(first_plan := told.first.get("planned"), events.Planned):
        planned = first_plan.steps
    val_bpb, best_step = finished.val_bpb if finished else None, finished.best_step if finished else None
    if finished is None:
        seen: list[tuple[Any, Any]] = [(told.best.step, told.best.val_bpb)] if told.best else []
        seen += [(state.get("best_step"), state.get("best_val_bpb")) for state in (latest, best)]
        pairs = [(step, bpb) for step, bpb in seen if _whole(step) is not None and _number(bpb) is not None]
        best_step, val_bpb = max(pairs, default=(None, None))
    return RunListing(
        run=run,
        name=_text(note.get("name")) or run.name,
        status=status,
        data=_names(config) if config else "",
        device=_device(config, started),
        parameters=_whole(getattr(started, "parameters", None)),
        vocab_size=_whole(getattr(told.first.get("data_prepared"), "vocab_size", None)),
        step=_whole(getattr(last, "step", latest.get("step"))),
        steps=_whole(planned),
        tokens=_whole(getattr(last, "tokens", latest.get("tokens"))),
        seconds=_number(getattr(last, "seconds", latest.get("seconds"))),
        val_bpb=_number(val_bpb),
        best_step=_whole(best_step),
        tokens_per_second=_number(getattr(last, "tokens_per_second", None)),
        utc=_time(getattr(told.first.get("run_started"), "utc", None)),
        bytes=_size(run.path),
        note=_text(note.get("note")),
        fault=fault,
    )


def _status(run: RunFolder, told: LogEnds, damaged: bool) -> str:
    if run.is_locked():
        return "paused" if told.paused else "training"
    if damaged:
        return "damaged"
    if isinstance(told.ending, events.Finished):
        return "stopped" if told.ending.reason == "stopped" else "finished"
    return "failed" if told.ending else "interrupted"


def _folders(home: Path) -> list[RunFolder]:
    """All runs, also those that lost their config.toml; a run that is being set up is none yet."""
    found = runs.list_runs(home)
    whole = {run.path for run in found}
    try:
        others = [RunFolder(path) for path in paths.runs(home).iterdir() if path not in whole and path.is_dir()]
    except OSError:
        return found
    return found + [run for run in others if _length(run.events_file) or _length(run.checkpoints)]


def _names(config: RunConfig) -> str:
    return ", ".join(Path(source).name for source in config.data.sources)


def _device(config: RunConfig | None, started: events.Event | None) -> str | None:
    """What it trains on: the configuration has what `auto` chose, once the run has begun."""
    if config and config.train.device != "auto":
        return config.train.device
    device = getattr(started, "device", None)
    return device if isinstance(device, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < events.MOST else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < events.LARGEST else None


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _time(value: object) -> str:
    try:
        if not isinstance(value, str) or not (told := datetime.fromisoformat(value)).tzinfo:
            return ""
        told.astimezone()  # lists show it in the local time
    except (ValueError, OverflowError, OSError):
        return ""
    return value


def _last_change(run: RunFolder) -> float:
    try:
        return run.events_file.stat().st_mtime
    except OSError:
        return 0.0


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there, or pruned, renamed or closed to us meanwhile
        return 0


def _size(folder: Path) -> int:
    """The bytes of all files in a folder."""
    try:
        return sum(_length(Path(entry.path)) for entry in files.inside(folder) if not entry.is_dir())
    except OSError:
        return 0


# ---- moving, and the notes ----------------------------------------------------------------------------------------
