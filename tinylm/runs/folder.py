"""Run folders: creating, opening, listing and locking them.

A run is a folder, and the trainer is its only writer. Everything shown of a run is a fold over its events, so opening
an old run, following a running one and testing a chart are the same operation.
"""

from __future__ import annotations

import os
import shutil
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from tinylm import events, files, paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs.log import STEP, LogReader
from tinylm.runs.state import RunState
from tinylm.words import did_you_mean


@dataclass(frozen=True)
class RunFolder:
    """A run folder and the paths inside it."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config_file(self) -> Path:
        """The whole configuration, resolved."""
        return self.path / "config.toml"

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def samples_file(self) -> Path:
        """The log of all samples, in full."""
        return self.path / "samples.jsonl"

    @property
    def tokenizer_file(self) -> Path:
        """The run's tokenizer."""
        return self.path / "tokenizer.json"

    @property
    def home(self) -> Path:
        """The home that the run is in."""
        return self.path.parent.parent

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def card_file(self) -> Path:
        """The report written at the end of the run."""
        return self.path / "card.md"

    def config(self) -> RunConfig:
        """The run's configuration, without the settings that only a newer version knows."""
        return resolve.from_run_folder(self.config_file)[0]

    def lock(self) -> FileLock:
        """Acquire the trainer's lock; RunError where another trainer has it. A process that dies loses it."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0.5, poll_interval=0.05)  # `is_locked` holds it for a moment
        except Timeout:
            raise RunError(
                f"The run {self.name} is being trained by another process.", "Wait for it, or choose another --run."
            ) from None
        return lock

    def is_locked(self) -> bool:
        """Whether a trainer is at work here; False where the folder is read-only, since that cannot be known there."""
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

    @property
    def selected(self) -> Literal["latest", "best"]:
        """The checkpoint that the run is known by: the latest while it trains, else the best."""
        return "latest" if self.is_locked() else "best"

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
        """The state of the run after all events of its log."""
        state = RunState()
        for event in self.events():
            state.apply(event)
        return state


def check_name(name: str) -> str:
    """`name` in Unicode's composed form (NFC), if a run may have it; RunError says which names it may have."""
    name = unicodedata.normalize("NFC", name)
    if fault := paths.name_fault(name):
        raise RunError(f"A run cannot be called {name!r}.", fault)
    return name


def fresh_name(home: Path, sources: Sequence[str]) -> str:
    """A name that no run has yet, made from the first source and the time."""
    stem = paths.name_from(Path(sources[0]).stem) or "run"
    return files.free_path(paths.runs(home), f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}").name


def check_free(home: Path, name: str) -> Path:
    """The path of a new run called `name`; RunError where the name cannot be used or is taken."""
    path = paths.runs(home) / check_name(name)
    if path.exists() and not _left_behind(RunFolder(path)):
        if not (RunFolder(path).config_file.is_file() or RunFolder(path).is_locked()):
            raise RunError(f"There is already something else at {path}.", "Choose another --run, or move that away.")
        raise RunError(
            f"There is already a run named {name}.", "Add --resume to go on with it, or choose another --run."
        )
    return path


def create(home: Path, name: str) -> RunFolder:
    """Create the folder of a new run, without locking it; RunError where the name is taken."""
    run = RunFolder(check_free(home, name))
    if run.path.exists():
        aside = _aside(run)
        run.path.rename(aside)
        if not _left_behind(RunFolder(aside)):  # another process has started a run there meanwhile: put it back
            aside.rename(run.path)
            check_free(home, name)
    for leftover in run.path.parent.glob(f".left-{run.name}-*"):  # also those of processes that were killed right here
        shutil.rmtree(leftover, ignore_errors=True)
    run.path.mkdir(parents=True)
    return run


def _left_behind(run: RunFolder) -> bool:
    """Whether the folder was left by a setup that was killed: empty, or locked once, and it never became a run."""
    started = run.config_file.exists() or run.checkpoints.exists()
    locked_once = (run.path / ".lock").is_file() and not run.is_locked()
    return not started and (locked_once or (run.path.is_dir() and not any(run.path.iterdir())))


def _aside(run: RunFolder) -> Path:
    """The name that a folder gets before it is deleted, so that its own is free at once even if deleting fails."""
    return run.path.with_name(f".left-{run.name}-{os.getpid()}")


def open_run(home: Path, name: str | None = None) -> RunFolder:
    """The run called `name`, or the newest; RunError where there is none."""
    if name is None:
        last = max(list_runs(home), key=_last_change, default=None)
        if last is None:
            raise RunError("There is no run yet.", "Make one: tinylm-studio --train.")
        return last
    run = RunFolder(paths.runs(home) / check_name(name))
    if not run.config_file.is_file():
        newest = [other.name for other in sorted(list_runs(home), key=_last_change, reverse=True)]
        longer = next((other for other in newest if name in other), None)
        hint = did_you_mean(name, newest) or (f"Did you mean {longer}?" if longer else "")
        if not hint:
            hint = f"The newest: {', '.join(newest[:5])}." if newest else "There is none yet."
        raise RunError(f"There is no run named {name}.", hint)
    return run


def list_runs(home: Path) -> list[RunFolder]:
    """All runs of a home, sorted by name."""
    try:
        folders = sorted(paths.runs(home).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [RunFolder(path) for path in folders if (path / "config.toml").is_file()]


def _last_change(run: RunFolder) -> float:
    """When the trainer last wrote."""
    file = run.events_file if run.events_file.exists() else run.config_file
    return file.stat().st_mtime


def remove(run: RunFolder) -> None:
    """Delete the folder of a run whose setup failed."""
    aside = _aside(run)
    with suppress(OSError):  # already gone
        run.path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
