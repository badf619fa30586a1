"""tinylm-studio in processes of its own, on terminals that can be closed: forked from one that has loaded all."""

import multiprocessing
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import CDLL, c_uint32
from pathlib import Path
from typing import Any

import pytest

from tests import fake_time
from tests.waiting import PATIENCE
from tinylm.cli import main
from tinylm.training.evaluate import Evaluator
from tinylm.training.step import Stepper
from tui.__main__ import run_app

if os.name == "nt":
    pytest.skip("no such terminals there", allow_module_level=True)

import pty
import termios
from fcntl import ioctl

Prelude = Callable[[], object]
"""What a process does before the program begins."""


def nothing() -> None:
    """Leave it as it is."""


def obey_rights() -> None:
    """Be bound by the rights of files, also where root runs the tests (Linux)."""
    if os.geteuid() == 0:
        version_3, nothing_at_all = (c_uint32 * 2)(0x20080522, 0), (c_uint32 * 6)()
        assert CDLL(None).capset(version_3, nothing_at_all) == 0


def ignore_hangups() -> None:
    """As nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def suspend_at_step_200() -> None:
    """Stop as Ctrl-Z does, in a time of its own, in which an hour has passed when it is continued."""
    time, take = fake_time.install(setattr), Stepper.take

    def stopping_take(self: Stepper, step: int, *more: Any) -> Any:
        if step == 200:
            os.kill(os.getpid(), signal.SIGSTOP)
        return take(self, step, *more)

    signal.signal(signal.SIGCONT, lambda *_: time.sleep(3600))
    Stepper.take = stopping_take  # type: ignore[method-assign]


def measure_for_ever() -> None:
    """Never come to the end, once the end has come."""
    Evaluator.at_the_end = lambda _: time.sleep(1000)  # type: ignore[assignment,method-assign,return-value]


def _play(arguments: Sequence[str], out: Path, terminal: str | None, hangs_up: bool, prelude: Prelude) -> None:
    os.fsync = lambda _: None
    if terminal:
        os.setsid()
        ends = [os.open(terminal, os.O_RDWR | os.O_NOCTTY)] * 3
        if hangs_up:
            ioctl(ends[0], termios.TIOCSCTTY, 0)
    else:
        ends = [os.open(os.devnull, os.O_RDONLY)] + [os.open(out, os.O_WRONLY | os.O_APPEND)] * 2
    for number, end in enumerate(ends):
        os.dup2(end, number)
    for end in set(ends):
        os.close(end)
    sys.stdin = sys.__stdin__ = os.fdopen(0)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", buffering=1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1)  # type: ignore[misc]
    prelude()
    code = main.main(list(arguments), run_app)
    sys.stdout.flush()
    os._exit(code)


class Program:
    """A call of the program; its output goes to `out`, at once or from a terminal that somebody reads."""

    def __init__(
        self,
        out: Path,
        *arguments: object,
        terminal: bool = False,
        hangs_up: bool = True,
        prelude: Prelude = nothing,
    ) -> None:
        """`hangs_up`: where the terminal is closed, the system sends a SIGHUP, as it does to what a shell started."""
        self.out = out
        with suppress(FileExistsError):
            out.touch(exist_ok=False)
        self._ends: list[int] = []
        name = None
        if terminal:
            self._ends = list(pty.openpty())
            ioctl(self._ends[1], termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            name = os.ttyname(self._ends[1])
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "torch._dynamo", "tinylm.inference.generate", "tui.launch"])
        texts = [str(part) for part in arguments]
        self._process = context.Process(target=_play, args=(texts, out, name, hangs_up, prelude))
        self._process.start()

    @property
    def output(self) -> str:
        """Its output so far."""
        return self.out.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid
        os.kill(self._process.pid, number)

    def type(self, keys: bytes) -> None:
        """Press keys on its terminal."""
        os.write(self._ends[0], keys)

    def close_terminal(self) -> None:
        """Take its terminal away, as a connection does that is lost."""
        while self._ends:
            os.close(self._ends.pop())

    def until(self, true: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for what it brings about."""
        end = time.monotonic() + seconds
        while not true():
            assert self._process.is_alive(), self.output[-3000:]
            assert time.monotonic() < end, self.output[-3000:]
            self._read()

    def is_suspended(self) -> bool:
        """Whether the system has stopped it."""
        state = Path("/proc") / str(self._process.pid) / "stat"
        if state.exists():
            return state.read_text().rpartition(")")[2].split()[0] == "T"
        shown = subprocess.run(["ps", "-o", "state=", "-p", str(self._process.pid)], capture_output=True, check=False)
        return shown.stdout.startswith(b"T")

    def ended(self, seconds: float = PATIENCE) -> int:
        """Its exit code, within `seconds`."""
        end = time.monotonic() + seconds
        while self._process.is_alive() and time.monotonic() < end:
            self._read()
        hangs = self._process.is_alive()
        self.close()
        assert not hangs, f"it hangs: {self.output[-3000:]}"
        assert self._process.exitcode is not None
        return self._process.exitcode

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.join()
        self.close_terminal()

    def _read(self) -> None:
        if not self._ends:
            self._process.join(0.02)
        elif select.select(self._ends[:1], [], [], 0.02)[0]:
            with self.out.open("ab") as file:
                file.write(os.read(self._ends[0], 1 << 16))
