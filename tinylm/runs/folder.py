"""Run folders: making, opening, listing and locking them, their event log, and what a screen shows of them.

A run is a folder and the trainer its only writer; everything that is shown is a fold over its events, so opening an
old run, following a running one and testing a chart are the same operation.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tinylm import events, files, paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs.log import STEP, LogReader
from tinylm.runs.state import RunState

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
"""What a run may be called: no separators, no leading dot, nothing that leads out of the home."""


@dataclass(frozen=True)
class RunFolder:
    """The places inside a run folder."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config_file(self) -> Path:
        """The whole resolved configuration."""
        return self.path / "config.toml"

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def samples_file(self) -> Path:
        """Every sample in full."""
        return self.path / "samples.jsonl"

    @property
    def tokenizer_file(self) -> Path:
        """The run's tokenizer."""
        return self.path / "tokenizer.json"

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints lie."""
        return self.path / "checkpoints"

    def config(self) -> RunConfig:
        """The run's configuration; settings of a newer version that are not known here are left out."""
        return resolve.from_run_folder(self.config_file)[0]

    def lock(self) -> FileLock:
        """Taken: RunError where another trainer has it. The system frees it when a process dies."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0.5, poll_interval=0.05)  # somebody may just be looking: `is_locked`
        except Timeout:
            raise RunError(
                f"The run {self.name} is being trained by another process.", "Wait for it, or choose another --run."
            ) from None
        return lock

    def is_locked(self) -> bool:
        """Whether a trainer is at work here; where the folder may only be read, that cannot be known: no."""
        lock = FileLock(self.path / ".lock")
        try:
            if not (self.path / ".lock").exists():
                return False
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def events(self) -> Iterator[events.Event]:
        """The events of the log, in order, none where there is no log; lines that are no event are skipped."""
        with suppress(FileNotFoundError):
            for event in LogReader().read(self.events_file):
                assert event is not None  # only a reader that was used before has to start over
                yield event

    def opening_bytes(self) -> int:
        """The length of the event log up to its first step."""
        size = 0
        with files.open_regular(self.events_file) as file:
            for line in files.lines(file):
                if line.startswith(STEP):
                    break
                size += len(line)
        return size

    def state(self) -> RunState:
        """All that the event log tells."""
        state = RunState()
        for event in self.events():
            state.apply(event)
        return state


def check_name(name: str) -> str:
    """`name` where it may name a run; RunError says what may."""
    if not NAME.fullmatch(name):
        raise RunError(
            f"A run cannot be called {name!r}.",
            "Use up to 64 letters, digits, dots, underscores and hyphens, and no dot in front.",
        )
    return name


def fresh_name(home: Path, sources: Sequence[str]) -> str:
    """A name made from the data and the time that no run has yet."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(sources[0]).stem).strip("-").lower()[:24] or "run"
    name = candidate = f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 2
    while (paths.runs(home) / candidate).exists():
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def check_free(home: Path, name: str) -> Path:
    """Where a new run called `name` will lie; RunError where the name cannot be used or is taken."""
    path = paths.runs(home) / check_name(name)
    if path.exists() and not _left_behind(RunFolder(path)):
        raise RunError(
            f"There is already a run named {name}.", "Add --resume to go on with it, or choose another --run."
        )
    return path


def create(home: Path, name: str) -> RunFolder:
    """Make the folder of a new run, still unlocked; RunError where the name is taken."""
    run = RunFolder(check_free(home, name))
    if run.path.exists():
        aside = _aside(run)
        run.path.rename(aside)
        if not _left_behind(RunFolder(aside)):  # somebody else has begun in the meantime: put it back
            aside.rename(run.path)
            check_free(home, name)
    for left in run.path.parent.glob(f".left-{name}-*"):  # also by one that was killed right here
        shutil.rmtree(left, ignore_errors=True)
    run.path.mkdir(parents=True)
    return run


def _left_behind(run: RunFolder) -> bool:
    """Whether a set-up that was killed left this folder: empty, or locked once, and it never became a run."""
    began = run.config_file.exists() or run.checkpoints.exists()
    locked_once = (run.path / ".lock").is_file() and not run.is_locked()
    return not began and (locked_once or (run.path.is_dir() and not any(run.path.iterdir())))


def _aside(run: RunFolder) -> Path:
    """Where a folder goes that is about to be deleted: its name is free at once, whatever happens meanwhile."""
    return run.path.with_name(f".left-{run.name}-{os.getpid()}")


def open_run(home: Path, name: str | None = None) -> RunFolder:
    """The run called `name`, or the newest; RunError where there is none."""
    if name is None:
        newest = max(list_runs(home), key=_last_change, default=None)
        if newest is None:
            raise RunError("There is no run yet.", "Make one: tinylm-studio --train.")
        return newest
    run = RunFolder(paths.runs(home) / check_name(name))
    if not run.config_file.is_file():
        known = ", ".join(other.name for other in sorted(list_runs(home), key=_last_change, reverse=True)[:5])
        raise RunError(f"There is no run named {name}.", f"The newest are: {known}." if known else "There is none yet.")
    return run


def list_runs(home: Path) -> list[RunFolder]:
    """All runs of a home, by name."""
    try:
        folders = sorted(paths.runs(home).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [RunFolder(path) for path in folders if (path / "config.toml").is_file()]


def _last_change(run: RunFolder) -> float:
    """When the trainer last wrote."""
    written = run.events_file if run.events_file.exists() else run.config_file
    return written.stat().st_mtime


def remove(run: RunFolder) -> None:
    """Delete a run that never came to be, with all that it holds."""
    aside = _aside(run)
    with suppress(OSError):  # already gone
        run.path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
