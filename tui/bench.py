"""`--bench app`: what the app costs a training, and how late its keys are, against `--train` on the same machine.

Each pair is one training in the app, drawn on a terminal of its own (a pty of 160 x 45, Train on show), and one by
`--train`, in turn the first and the second: same text, settings, seed and number of threads. Speed is what the runs'
own `finished` events say, steps only. Lateness is how much later than asked a coroutine that sleeps for 10 ms wakes
up, from the first step on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from tinylm.bench.rows import Row, tell
from tinylm.config import flags, resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs import folder as runs
from tui.app import StudioApp
from tui.studio import Studio

PAIRS, SECONDS = 10, "30s"
COLUMNS, LINES = 160, 45
PROBE_SECONDS = 0.01


@dataclass(frozen=True)
class Lateness:
    """How late the event loop woke up, in milliseconds."""

    p95: float
    p999: float
    worst: float

    @classmethod
    def of(cls, seconds: list[float]) -> Lateness:
        """Of the single delays, in seconds; at least one."""
        ordered = sorted(seconds)

        def at(share: float) -> float:
            return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(at(0.95), at(0.999), 1000 * ordered[-1])


class ProbedApp(StudioApp):
    """The app, which starts its plan by itself, feels its own pulse, and leaves when the training is over."""

    def __init__(self, home: Path, config: RunConfig) -> None:
        super().__init__(Studio(home, config))
        self.late: list[float] = []

    def on_mount(self) -> None:
        """Open as ever, and begin."""
        super().on_mount()
        self.call_after_refresh(self.studio.start_training)
        self._probe = asyncio.create_task(self._feel())

    async def _feel(self) -> None:
        while self.studio.training is None or self.studio.training.running:
            before = time.perf_counter()
            await asyncio.sleep(PROBE_SECONDS)
            late = time.perf_counter() - before - PROBE_SECONDS
            if self.studio.training and len(self.studio.training.history.step):
                self.late.append(max(0.0, late))
        self.exit(0)


def run(options: argparse.Namespace, home: Path) -> int:
    """Measure, and print a table, or JSON lines with --json; returns the exit code."""
    options.time = options.time or SECONDS
    config = resolve.absolute_sources(flags.configuration(options, home, None))
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder:
        place = Path(folder)
        plan = place / "plan.toml"
        plan.write_text(resolve.to_toml(_settled(config, place)), encoding="utf-8")
        speeds: list[tuple[float, float]] = []
        late: list[float] = []
        for pair in range(PAIRS):
            measured = {}
            for where in ("app", "train") if pair % 2 == 0 else ("train", "app"):
                name = f"{where}-{pair}"
                if where == "app":
                    late += _in_app(place, plan)
                    name = runs.open_run(place).name
                else:
                    _by_train(place, plan, name)
                measured[where] = _speed(place, name)
            speeds.append((measured["app"], measured["train"]))
            print(f"pair {pair + 1} of {PAIRS}: {speeds[-1][0] / speeds[-1][1]:.3f}", file=sys.stderr, flush=True)
    _tell(speeds, Lateness.of(late), as_json=options.json)
    return 0


def _settled(config: RunConfig, place: Path) -> RunConfig:
    """The plan with threads and precision, the same for all runs, as one short training measures it; stories cached."""
    if "auto" in (config.train.threads, config.train.precision):
        plan = place / "first.toml"
        short = resolve.with_values(config, train={"budget": "5 steps"})
        plan.write_text(resolve.to_toml(short), encoding="utf-8")
        _by_train(place, plan, "first")
        found = runs.open_run(place, "first").config().train
        config = resolve.with_values(config, train={"threads": found.threads, "precision": found.precision})
    return config


def _by_train(place: Path, plan: Path, name: str) -> None:
    command = [sys.executable, "-m", "tui", "--train", "--plain", "--home", str(place), "--config", str(plan)]
    done = subprocess.run([*command, "--run", name], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RunError(f"--train ended with {done.returncode}: {done.stderr.strip()[-300:]}", "Mend that first.")


def _in_app(place: Path, plan: Path) -> list[float]:
    """Train in the app, on a pty that somebody reads; returns the loop's delays in seconds."""
    told = place / "late.json"
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "tui.bench", str(place), str(plan), str(told)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)  # noqa: S603
    os.close(theirs)
    threading.Thread(target=_swallow, args=(ours,), daemon=True).start()
    if child.wait() or not told.exists():
        raise RunError(f"The app ended with {child.returncode}.", "Open it by hand and look.")
    late = json.loads(told.read_text(encoding="utf-8"))
    told.unlink()
    return [float(value) for value in late]


def _swallow(terminal: int) -> None:
    """Read what the app draws, as a terminal would."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:  # the other end is closed
        os.close(terminal)


def _speed(place: Path, name: str) -> float:
    finished = runs.open_run(place, name).state().finished
    if finished is None:
        raise RunError(f"The run {name} did not come to its end.", "Look at its events.jsonl.")
    return finished.tokens_per_second


def _tell(speeds: list[tuple[float, float]], late: Lateness, as_json: bool) -> None:
    app, train = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(a / t for a, t in speeds)
    rows = [
        Row("app.tokens_per_second", round(app, 1), "tokens/s", peer="--train", peer_value=round(train, 1),
            ratio=round(ratio, 4), runs=len(speeds)),
        Row("app.lateness_p95", round(late.p95, 2), "ms"),
        Row("app.lateness_p99.9", round(late.p999, 2), "ms"),
        Row("app.lateness_worst", round(late.worst, 2), "ms"),
    ]  # fmt: skip
    tell(rows, as_json=as_json)


def child(home: Path, plan: Path, told: Path) -> None:
    """The process in which the app trains: one training, then the delays into `told`."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line does
    app = ProbedApp(home, resolve.validate(resolve.read_toml(plan)))
    app.run()
    if app.crash is not None:
        raise app.crash
    told.write_text(json.dumps(app.late), encoding="utf-8")


if __name__ == "__main__":
    child(*map(Path, sys.argv[1:]))
