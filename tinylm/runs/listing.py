"""All runs of a home, as lists show them.

It loads no torch and reads only the ends of event logs, so that a list of many long runs appears at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tinylm import events, files, paths
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.runs.folder import RunFolder, list_runs
from tinylm.runs.log_ends import LogEnds, read_checkpoint_state, read_log_ends
from tinylm.runs.notes import Notes
from tinylm.runs.state import RunState


@dataclass(frozen=True)
class RunListing:
    """A row in a list of runs; what is unknown is None or empty."""

    run: RunFolder
    name: str
    """The name to show: the one it was given while it ran, else the folder's."""
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
    """Of the best checkpoint: at the end of the run on the whole held-out text, else as evaluated so far."""
    best_step: int | None
    tokens_per_second: float | None
    utc: str
    """When it was started, in ISO 8601."""
    bytes: int
    """Of all its files, those shared with the cache included."""
    note: str
    fault: str
    """A sentence that says why it failed or what is damaged."""

    def as_row(self) -> dict[str, object]:
        """What `--runs --json` prints; `run` is the folder, the name that `--run` takes."""
        named = {"run": self.run.name, "state": self.status, "dir": str(self.run.path)}
        return named | {key: value for key, value in vars(self).items() if key not in ("run", "status")}


def read_listings(home: Path) -> list[RunListing]:
    """All runs of a home, the newest first; one whose files are damaged is listed as such."""
    notes = Notes(home).part("runs")
    listings = [_read_listing(run, notes.get(run.name, {})) for run in _folders(home)]
    return sorted(listings, key=lambda listing: (listing.utc, _last_change(listing.run)), reverse=True)


def _read_listing(run: RunFolder, note: dict[str, Any]) -> RunListing:
    """What a run's files and the note on it say."""
    fault, config, ends = "", None, LogEnds()
    try:
        config = run.config()
    except TinyLMError as error:
        fault = error.message
    try:
        ends = read_log_ends(run)
    except OSError as error:
        fault = fault or f"{run.events_file} cannot be read: {error.strerror}."
    if not ends.readable:
        fault = fault or f"{run.events_file} is no event log."
    head, tail = ends.head, ends.tail
    status = _status(run, tail, bool(fault))
    if status == "failed" and tail.failed:
        fault = tail.failed.message
    elif status != "damaged":
        fault = ""

    latest, best = read_checkpoint_state(run, "latest"), read_checkpoint_state(run, "best")
    started = tail.started or head.started
    last = tail.finished or (tail.steps[-1] if tail.steps else None)
    planned = tail.plan.steps if tail.plan else _count(latest.get("plan_steps"))
    if planned is None and head.plan:
        planned = head.plan.steps
    if tail.finished:
        val_bpb, best_step = tail.finished.selected_bpb, tail.finished.best_step
    else:
        seen: list[tuple[Any, Any]] = [(tail.best.step, tail.best.val_bpb)] if tail.best else []
        seen += [(state.get("best_step"), state.get("best_val_bpb")) for state in (latest, best)]
        pairs = [(step, bpb) for step, bpb in seen if _count(step) is not None and _number(bpb) is not None]
        best_step, val_bpb = max(pairs, default=(None, None))
    return RunListing(
        run=run,
        name=_text(note.get("name")) or run.name,
        status=status,
        data=", ".join(Path(source).name for source in config.data.sources) if config else "",
        device=_device(config, started),
        parameters=started.parameters if started else None,
        vocab_size=head.data.vocab_size if head.data else None,
        step=last.step if last else _count(latest.get("step")),
        steps=planned,
        tokens=last.tokens if last else _count(latest.get("tokens")),
        seconds=last.seconds if last else _number(latest.get("seconds")),
        val_bpb=_number(val_bpb),
        best_step=best_step,
        tokens_per_second=last.tokens_per_second if last else None,
        utc=_time(head.started.utc) if head.started else "",
        bytes=_size(run.path),
        note=_text(note.get("note")),
        fault=fault,
    )


def _status(run: RunFolder, tail: RunState, damaged: bool) -> str:
    if run.is_locked():
        return "paused" if tail.paused else "training"
    if damaged:
        return "damaged"
    if tail.finished:
        return "stopped" if tail.finished.reason == "stopped" else "finished"
    return "failed" if tail.failed else "interrupted"


def _folders(home: Path) -> list[RunFolder]:
    """All runs, also those that lost their config.toml, but not those that are still being set up."""
    whole = list_runs(home)
    paths_of_whole = {run.path for run in whole}
    try:
        others = [
            RunFolder(path) for path in paths.runs(home).iterdir() if path not in paths_of_whole and path.is_dir()
        ]
    except OSError:
        return whole
    return whole + [run for run in others if _length(run.events_file) or _length(run.checkpoints)]


def _device(config: RunConfig | None, started: events.RunStarted | None) -> str | None:
    """What it trains on: the configuration has what `auto` chose, once the run has begun."""
    if config and config.train.device != "auto":
        return config.train.device
    return started.device if started else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < events.MOST else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < events.LARGEST else None


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _time(utc: str) -> str:
    """`utc` where it is a time, else nothing."""
    try:
        time = datetime.fromisoformat(utc)
        time.astimezone()  # lists show it in the local time
    except (ValueError, OverflowError, OSError):
        return ""
    return utc if time.tzinfo else ""


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
        return sum(_length(Path(entry.path)) for entry in files.walk(folder) if not entry.is_dir())
    except OSError:
        return 0
