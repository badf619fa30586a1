"""`--bench start`: how soon the program responds, each time in a new process.

--help and --version: from the start of Python to its end. The app's first paint: from the start of Python to the first
characters on a terminal (a pty of 160 x 45), with an empty home. The first step of a default training: from torch being
loaded to the first `step` event, once with an empty home, where the stories must be generated and tokenized, and once
with these in the cache.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

from tinylm.bench.pairs import seconds
from tinylm.bench.rows import Row
from tinylm.errors import RunError

RUNS = 5
PATIENCE = 120.0
"""Seconds to wait for output."""

COLUMNS, LINES = 160, 45
PROGRAM = [sys.executable, "-m", "tui"]
TRAIN = "import sys, torch; print('torch', flush=True); from tinylm.cli.main import main; sys.exit(main(sys.argv[1:]))"
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_VISIBLE = 20
"""Visible characters that distinguish a frame from a blank screen."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:  # noqa: ARG001
    """The rows, as they come; RunError if a process ends before it shows anything. `home` is not used."""
    with tempfile.TemporaryDirectory(prefix="tinylm-bench-") as folder:
        root = Path(folder)
        flags = ["--device", options.device] if options.device else []
        yield _row("help", lambda _: seconds(lambda: _answer("--help")))
        yield _row("version", lambda _: seconds(lambda: _answer("--version")))
        yield _row("first_paint", lambda i: _first_paint(root / f"app-{i}"))
        yield _row("first_step_of_all", lambda i: _first_step(root / f"train-{i}", flags))
        yield _row("first_step", lambda _: _first_step(root / "train-0", flags))


def _row(name: str, once: Callable[[int], float]) -> Row:
    return Row(f"start.{name}", round(statistics.median(once(i) for i in range(RUNS)), 4), "s", runs=RUNS)


def _answer(flag: str) -> None:
    subprocess.run([*PROGRAM, flag], check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _first_paint(home: Path) -> float:
    """Seconds until the app writes something on its terminal."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    began = time.perf_counter()
    command = [*PROGRAM, "--home", str(home)]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)  # noqa: S603
    os.close(theirs)
    drawn = b""
    try:
        while len(_ESCAPES.sub(b"", drawn).translate(None, b" \r\n\t")) < _VISIBLE:
            drawn += _read(ours, began + PATIENCE)
        return time.perf_counter() - began
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _read(handle: int, until: float) -> bytes:
    if not select.select([handle], [], [], max(0.0, until - time.perf_counter()))[0]:
        raise RunError("The app shows nothing.", "Open it by hand and look.")
    try:
        return os.read(handle, 1 << 16)
    except OSError as error:  # the other end is closed
        raise RunError("The app ended before it showed anything.", "Open it by hand and look.") from error


def _first_step(home: Path, flags: list[str]) -> float:
    """Seconds from torch being loaded to the first step of a default training."""
    command = [sys.executable, "-c", TRAIN, "--train", "--json", "--home", str(home), *flags]
    environment = {**os.environ, "GOMP_SPINCOUNT": "1000"}  # as the command line sets it before it loads torch
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)  # noqa: S603
    loaded = 0.0
    try:
        assert child.stdout is not None
        for line in child.stdout:
            loaded = loaded or time.perf_counter()
            if line.startswith(b'{"event": "step"'):
                return time.perf_counter() - loaded
        raise RunError("The training ended before its first step.", "Call --train by hand and look.")
    finally:
        child.kill()
        child.wait()
