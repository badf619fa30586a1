"""`--bench app`: how much the app slows a training compared with `--train`, and how late it handles keys.

Each pair is one training in the app, on a terminal of its own (a pty of 160 x 45 that shows Train), and one by
`--train`, in alternating order, with the same text, settings, seed and threads. Speed is that of the `finished` events,
which count steps only. Lateness is how much too late a coroutine that sleeps for 10 ms wakes up, after the first step.
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
from fcntl import ioctl
from pathlib import Path

from tinylm.bench.rows import Row, print_rows
from tinylm.config import flags, resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs.folder import open_run
from tui.app import StudioApp
from tui.studio import Studio

PAIRS, SECONDS = 10, "30s"
COLUMNS, LINES = 160, 45
PROBE_SECONDS = 0.01


class ProbedApp(StudioApp):
    """The app with a probe: it starts its plan, measures its lateness, and quits when the training is over."""

    def __init__(self, home: Path, config: RunConfig) -> None:
        super().__init__(Studio(home, config))
        self.late: list[float] = []

    def on_mount(self) -> None:
        """Start the training once the app is open."""
        super().on_mount()
        self.call_after_refresh(self.studio.start_training)
        self._probe = asyncio.create_task(self._measure_lateness())

    async def _measure_lateness(self) -> None:
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
        scratch_home = Path(folder)
        plan = scratch_home / "plan.toml"
        plan.write_text(resolve.to_toml(_with_measured_settings(config, scratch_home)), encoding="utf-8")
        speeds: list[tuple[float, float]] = []
        late: list[float] = []
        for pair in range(PAIRS):
            measured = {}
            for where in ("app", "train") if pair % 2 == 0 else ("train", "app"):
                name = f"{where}-{pair}"
                if where == "app":
                    late += _in_app(scratch_home, plan)
                    name = open_run(scratch_home).name
                else:
                    _by_train(scratch_home, plan, name)
                measured[where] = _speed(scratch_home, name)
            speeds.append((measured["app"], measured["train"]))
            print(f"pair {pair + 1} of {PAIRS}: {speeds[-1][0] / speeds[-1][1]:.3f}", file=sys.stderr, flush=True)
    _print_table(speeds, sorted(late), as_json=options.json)
    return 0


def _with_measured_settings(config: RunConfig, home: Path) -> RunConfig:
    """The plan with the threads and precision that one short training measures; that caches the stories too."""
    if "auto" in (config.train.threads, config.train.precision):
        plan = home / "first.toml"
        short = resolve.with_values(config, train={"budget": "5 steps"})
        plan.write_text(resolve.to_toml(short), encoding="utf-8")
        _by_train(home, plan, "first")
        train = open_run(home, "first").config().train
        config = resolve.with_values(config, train={"threads": train.threads, "precision": train.precision})
    return config


def _by_train(home: Path, plan: Path, name: str) -> None:
    command = [sys.executable, "-m", "tui", "--train", "--plain", "--home", str(home), "--config", str(plan)]
    done = subprocess.run([*command, "--run", name], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RunError(f"--train ended with {done.returncode}: {done.stderr.strip()[-300:]}", "Mend that first.")


def _in_app(home: Path, plan: Path) -> list[float]:
    """Train in the app on a pty whose output is read; returns the delays of the event loop in seconds."""
    delays_file = home / "late.json"
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "tui.bench", str(home), str(plan), str(delays_file)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)  # noqa: S603
    os.close(theirs)
    threading.Thread(target=_discard_output, args=(ours,), daemon=True).start()
    if child.wait() or not delays_file.exists():
        raise RunError(f"The app ended with {child.returncode}.", "Open it by hand and look.")
    late = json.loads(delays_file.read_text(encoding="utf-8"))
    delays_file.unlink()
    return [float(value) for value in late]


def _discard_output(terminal: int) -> None:
    """Read what the app draws, as a terminal does."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:  # the other end is closed
        os.close(terminal)


def _speed(home: Path, name: str) -> float:
    finished = open_run(home, name).state().finished
    if finished is None:
        raise RunError(f"The run {name} did not come to its end.", "Look at its events.jsonl.")
    return finished.tokens_per_second


def _print_table(speeds: list[tuple[float, float]], late: list[float], as_json: bool) -> None:
    """`late` has at least one delay of the event loop in seconds, in ascending order."""
    app, train = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(a / t for a, t in speeds)
    rows = [
        Row("app.tokens_per_second", round(app, 1), "tokens/s", peer="--train", peer_value=round(train, 1),
            ratio=round(ratio, 4), runs=len(speeds)),
        *(
            Row(f"app.lateness_{name}", round(1000 * late[min(len(late) - 1, int(share * len(late)))], 2), "ms")
            for name, share in (("p95", 0.95), ("p99.9", 0.999), ("worst", 1.0))
        ),
    ]  # fmt: skip
    print_rows(rows, as_json=as_json)


def child(home: Path, plan: Path, delays_file: Path) -> None:
    """Run one training in the app, in a process of its own, and write the delays."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line does
    app = ProbedApp(home, resolve.validate(resolve.read_toml(plan)))
    app.run()
    if app.crash is not None:
        raise app.crash
    delays_file.write_text(json.dumps(app.late), encoding="utf-8")


if __name__ == "__main__":
    child(*map(Path, sys.argv[1:]))
