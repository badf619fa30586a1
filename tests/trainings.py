"""Trainings that a test stops, kills and resumes, and what of them is compared."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.events import Event, StepDone
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control
from tinylm.training.loop import resume, train

Configured = Callable[..., RunConfig]
"""`tiny_config` of conftest.py."""

Kind = TypeVar("Kind", bound=Event)

_TIMES = {"seconds", "tokens_per_second", "peak_memory_mb"}


def of(events: Iterable[object], kind: type[Kind]) -> list[Kind]:
    """The events of a kind."""
    return [event for event in events if isinstance(event, kind)]


def notes_in(events: Iterable[object], text: str) -> list[str]:
    """The messages of notes and warnings that contain a text."""
    return [message for event in events if text in (message := getattr(event, "message", ""))]


def logged(run: RunFolder, *kinds: type[Event]) -> list[dict[str, Any]]:
    """The events of these kinds in the log, without times and speeds."""
    return [
        {"event": event.kind} | {key: value for key, value in asdict(event).items() if key not in _TIMES}
        for event in run.events()
        if isinstance(event, kinds)
    ]


def newest_files(run: RunFolder) -> dict[str, bytes]:
    """The weights and the optimizer's state in the newest checkpoint."""
    return {path.name: path.read_bytes() for path in checkpoint.find(run).glob("*.safetensors")}


def collect(stream: Iterable[Event], seen: list[Event]) -> None:
    """Take events one by one: those before an error are seen, too."""
    for event in stream:
        seen.append(event)


def acting(stream: Iterable[Event], actions: dict[int, Callable[[], object]]) -> list[Event]:
    """All events of a training; right behind these steps, something is done."""
    seen = []
    for event in stream:
        seen.append(event)
        if isinstance(event, StepDone) and event.step in actions:
            actions[event.step]()
    return seen


def stop_at(step: int, config: RunConfig, home: Path, name: str = "run") -> RunFolder:
    """Train a new run, and ask it to stop and save behind a step."""
    control = Control()
    acting(train(config, home, name, control), {step: control.stop.set})
    return RunFolder(home / "runs" / name)


def kill_at(step: int, stream: Iterator[Event]) -> None:
    """Break off a training at a step: what came after its last checkpoint is lost."""
    for event in stream:
        if isinstance(event, StepDone) and event.step >= step:
            break
    stream.close()  # type: ignore[attr-defined]


def go_on(run: RunFolder, **changes: object) -> list[Event]:
    """Resume a run, with other settings of `train`, as another process would; returns all its events."""
    return list(resumed(run, **changes))


def resumed(run: RunFolder, **changes: object) -> Iterator[Event]:
    """The events of a run that is resumed, as `go_on` does."""
    torch.manual_seed(random.randrange(10**6))  # another process does not have our generator's state
    own = run.config()
    return resume(resolve.resumed(own, resolve.with_values(own, train=changes)), run)
