"""The real program on a real terminal (a pty), started as a person starts it."""

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from tests.waiting import PATIENCE

if os.name == "nt":
    pytest.skip("no such terminals there", allow_module_level=True)

import pty
import termios
from fcntl import ioctl


class Terminal:
    """The program on a pty, with the keys and the output of a person."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        program: Sequence[str] = ("-m", "tui"),
        term: str = "xterm-256color",
    ) -> None:
        """`program`: what Python is to run with the arguments."""
        self.seen = b""
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.child = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": term, "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def read(self, seconds: float) -> None:
        """Read what is drawn for so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.seen += os.read(self._ours, 1 << 16)
                except OSError:  # the program has gone
                    return

    def until(self, true: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for something that the program brings about."""
        end = time.monotonic() + seconds
        while not true():
            assert self.child.poll() is None, self.seen[-3000:].decode(errors="replace")
            assert time.monotonic() < end, self.seen[-3000:].decode(errors="replace")
            self.read(0.05)

    def ended(self, seconds: float = PATIENCE) -> int:
        """The exit code, within `seconds`."""
        end = time.monotonic() + seconds
        while self.child.poll() is None and time.monotonic() < end:
            self.read(0.05)
        assert self.child.poll() is not None, "it hangs"
        self.read(0.2)
        return self.child.returncode

    def close(self) -> None:
        """End the program and close the pty."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self._ours)
