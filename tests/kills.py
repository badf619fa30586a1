"""Trainings that are killed (SIGKILL) at any instant, go on, and end as if nothing had happened.

Each training is a process of its own, forked from one that has loaded torch already. It is killed by the clock, or it
kills itself at a certain call to the disk: before the file is opened, renamed or deleted, or in the middle of a write.
"""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from tinylm import files
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.events import DataPrepared, Note, Planned, RunStarted
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training import loop
from tinylm.training.step import Stepper

NAME = "run"
STEPS, INTERVAL = 40, 3
"""How long a training is, and after how many steps it saves at the latest."""

OFTEN = {"eval_interval": 5, "sample_interval": 7, "checkpoint_interval": INTERVAL}

TIMES = {"seconds", "tokens_per_second", "peak_memory_mb", "dir", "utc"}
CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
"""Audit events by which files and folders change; opening one to write is another."""

SETTING_UP, APPENDING, SAVING, CLOCK = "setting up", "appending", "saving", "by the clock"


@dataclass(frozen=True)
class Kill:
    """When a process dies: after `at` seconds, or at its call to the disk number `at` while it is doing `kind`."""

    kind: str
    at: float
    torn: float = 0.5
    """How much of a write still gets through."""


class Calls:
    """Counts what this process changes on the disk, by what it is doing; it dies at the call that `kill` names."""

    def __init__(self, kill: Kill | None) -> None:
        self.kill, self.doing = kill, SETTING_UP
        self.made: Counter[str] = Counter()
        sys.addaudithook(self._hear)
        checkpoint.save = partial(self._saving, checkpoint.save)
        checkpoint.prune = partial(self._saving, checkpoint.prune)
        self._write_durably, files.write_durably = files.write_durably, self._tearing_file
        append = LogWriter.write
        LogWriter.write = lambda log, lines: self._tearing_lines(append, log, lines)
        os.fsync = lambda _: None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            self._call()

    def _saving(self, work: Callable[..., Any], *arguments: object) -> Any:
        before, self.doing = self.doing, SAVING
        try:
            return work(*arguments)
        finally:
            self.doing = before

    def _tearing_file(self, path: Path, data: bytes) -> None:
        self._call(lambda part: path.write_bytes(data[: int(part * len(data))]))
        self._write_durably(path, data)

    def _tearing_lines(self, append: Callable[..., None], log: LogWriter, lines: list[str]) -> None:
        data = "".join(line + "\n" for line in lines).encode()

        def tear(part: float) -> None:
            log.file.write(data[: int(part * len(data))])
            log.file.flush()

        self._call(tear)
        append(log, lines)

    def _call(self, tear: Callable[[float], object] | None = None) -> None:
        self.made[self.doing] += 1
        if self.kill and (self.doing, self.made[self.doing]) == (self.kill.kind, self.kill.at):
            if tear:
                tear(self.kill.torn)
            os.kill(os.getpid(), signal.SIGKILL)


# --- what the forked processes do ----------------------------------------------------------------------------


def run_training(kill: Kill | None, sender: Connection, home: Path, config: RunConfig) -> None:
    """Go on with the run, or begin it where there is nothing to go on with; reports where it began, and each step."""
    calls, take = Calls(kill), Stepper.take

    def reported_take(stepper: Stepper, step: int, *arguments: Any) -> Any:
        metrics = take(stepper, step, *arguments)
        sender.send(("step", step))
        return metrics

    Stepper.take = reported_take  # type: ignore[method-assign]
    sender.send(("began", time.monotonic()))
    try:
        run = folder.open_run(home, NAME)
    except RunError:
        stream = loop.train(config, home, NAME)
    else:
        stream = loop.resume(resolve.resumed(run.config(), run.config()), run)
    for event in stream:
        calls.doing = APPENDING
        if isinstance(event, RunStarted):
            sender.send(("from", event.resumed_from or 0))
    sender.send(("calls", calls.made))


def save_again(kill: Kill | None, sender: Connection, run: RunFolder) -> None:
    """Save step 5 again, as a run does that is stopped right after it was resumed."""
    calls = Calls(kill)
    save_value(run, 2)
    checkpoint.prune(run, 3)
    sender.send(("calls", calls.made))


def save_value(run: RunFolder, value: int) -> None:
    tensors = {"a": torch.full((3, 5), float(value))}
    checkpoint.save(run, tensors, tensors, TrainState(step=5, tokens=value), True)


# --- watching them -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How a process ended, and the messages that it had sent."""

    killed: bool
    seconds: float
    messages: dict[str, Any]
    """The last of each kind."""


class Forkserver:
    """Forks processes from one that has loaded torch."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, "torch._dynamo"])  # which takes longer than a training

    def fork(self, work: Callable[..., None], kill: Kill | None, *arguments: object) -> End:
        """Let a process do some work, and kill it where the clock is to."""
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(kill, sender, *arguments))
        process.start()
        sender.close()
        messages: dict[str, Any] = {}
        if kill and kill.kind == CLOCK:
            messages.update([receiver.recv()])
            process.join(kill.at)
            process.kill()
        with receiver:
            try:
                while True:
                    messages.update([receiver.recv()])
            except EOFError:
                ended = time.monotonic()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), f"it failed by itself; killed {kill}"
        return End(process.exitcode != 0, ended - messages.get("began", ended), messages)


@dataclass(frozen=True)
class Uninterrupted:
    """A training that nobody killed."""

    config: RunConfig
    seconds: float
    calls: Counter[str]
    snapshot: dict[str, object]


def phased(tiny_config: Callable[..., RunConfig]) -> RunConfig:
    """A training of two phases, with dropout."""
    phases = [
        {"name": "first", "schedule": "cosine", "steps": 25, "max_lr": 1e-2, "warmup_steps": 3},
        {"name": "second", "schedule": "wsd", "steps": STEPS - 25, "max_lr": 3e-3, "warmup_steps": 2, "steps_down": 4},
    ]
    return tiny_config(model={"dropout": 0.2}, train={"phases": phases, **OFTEN})


def train_uninterrupted(
    forkserver: Forkserver, config: RunConfig, tmp_path_factory: pytest.TempPathFactory
) -> Uninterrupted:
    for _ in range(2):  # the second one is as fast as those that follow
        home = tmp_path_factory.mktemp("uninterrupted")
        end = forkserver.fork(run_training, None, home, config)
    return Uninterrupted(config, end.seconds, end.messages["calls"], snapshot(home))


def snapshot(home: Path) -> dict[str, object]:
    """All that a home holds, by name, but times and speeds and what a resumed run says again."""
    run = RunFolder(home / "runs" / NAME)
    held: dict[str, object] = {}
    for path in sorted((home / "runs").rglob("*")):
        name = str(path.relative_to(home / "runs"))
        if path == run.events_file:
            assert path.read_bytes().endswith(b"\n")
            held |= {f"{name} {number}": event for number, event in enumerate(logged(run))}
        elif path.name == checkpoint.STATE:
            table = json.loads(path.read_bytes())
            held[name] = {key: table[key] for key in table.keys() - {"seconds", "events_bytes", "sha256"}}
        elif path == run.path / "card.md":
            held[name] = re.sub(r"[\d,]+ seconds?", "", path.read_text(encoding="utf-8"))
        else:
            held[name] = path.is_dir() or path.read_bytes()
    return held


def logged(run: RunFolder) -> Iterator[dict[str, object]]:
    """The log, without times and speeds; where it was resumed it introduces itself again, which does not count."""
    again = False
    for event in run.events():
        if isinstance(event, RunStarted) and event.resumed_from is not None:
            again = True
        if not (again and isinstance(event, RunStarted | DataPrepared | Note | Planned)):
            again = False
            yield {"event": event.kind} | {key: it for key, it in asdict(event).items() if key not in TIMES}


# --- killing them --------------------------------------------------------------------------------------------


class KilledRun:
    """One run that is killed at least once, until it comes to its end."""

    def __init__(self, forkserver: Forkserver, uninterrupted: Uninterrupted, home: Path, rng: random.Random) -> None:
        self.forkserver, self.uninterrupted, self.home, self.rng = forkserver, uninterrupted, home, rng
        self.kills: list[Kill] = []
        self.trained = 0
        """The steps that the process before had."""

    def play(self, kind: str) -> None:
        """Begin runs until one was killed as `kind` says; kill it some more, and let it finish."""
        while not self.kills:
            shutil.rmtree(self.home, ignore_errors=True)
            self.home.mkdir()
            self.trained = 0
            end = self._attempt(self._kill(kind))
        more = [
            self._kill(self.rng.choice([CLOCK, SETTING_UP, APPENDING, SAVING])) for _ in range(self.rng.randrange(3))
        ]
        for kill in (*more, None):
            if not end.killed:
                break
            end = self._attempt(kill)

    def _attempt(self, kill: Kill | None) -> End:
        end = self.forkserver.fork(run_training, kill, self.home, self.uninterrupted.config)
        if kill and end.killed:
            self.kills.append(kill)
        if "from" in end.messages:
            assert 0 <= self.trained - end.messages["from"] <= INTERVAL, f"more than an interval was lost: {self.kills}"
            self.trained = end.messages.get("step", end.messages["from"])
        return end

    def _kill(self, kind: str) -> Kill:
        torn = self.rng.random()
        if kind == CLOCK:
            return Kill(kind, self.rng.uniform(0, self.uninterrupted.seconds), torn)
        return Kill(kind, self.rng.randint(1, self.uninterrupted.calls[kind]), torn)


def differences(uninterrupted: Uninterrupted, home: Path) -> list[str]:
    """What is not as it is in the uninterrupted home."""
    ours, theirs = snapshot(home), uninterrupted.snapshot
    return [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]


def killed_and_resumed(forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path, rounds: int) -> None:
    kills: Counter[str] = Counter()
    corrupt, wrong = 0, []
    for number in range(rounds):
        home = tmp_path / f"home-{number}"
        killed = KilledRun(forkserver, uninterrupted, home, random.Random(number))
        killed.play(SAVING if number % 2 else CLOCK)
        kills.update(kill.kind for kill in killed.kills)
        corrupt += len(list(home.rglob("damaged-*")))
        if different := differences(uninterrupted, home):
            wrong.append(f"round {number}, {killed.kills}: {different}")
        else:
            shutil.rmtree(home)
    kinds = ", ".join(f"{times} {kind}" for kind, times in kills.most_common())
    print(
        f"\n{rounds} runs were killed {kills.total()} times ({kinds}) and resumed as often: {corrupt} corrupt, "
        f"{rounds - len(wrong)} equal to the uninterrupted run."
    )
    assert not wrong, "\n".join(wrong)


def killed_once(
    forkserver: Forkserver, uninterrupted: Uninterrupted, tmp_path: Path, kind: str, calls: Iterable[int]
) -> None:
    wrong = []
    for at in calls:
        home = tmp_path / f"home-{at}"
        assert forkserver.fork(run_training, Kill(kind, at), home, uninterrupted.config).killed
        forkserver.fork(run_training, None, home, uninterrupted.config)
        if different := differences(uninterrupted, home):
            wrong.append(f"call {at}: {different}")
    assert not wrong, "\n".join(wrong)
