"""The program on a real terminal (a pty): it is suspended, left in a hurry, or cannot move the cursor."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command_line import ENDLESS, begin
from tests.programs import Program, measure_for_ever
from tests.run_files import steps
from tests.tui.real_terminal import Terminal
from tinylm.runs.folder import list_runs

JOB = """
import subprocess, sys
job = subprocess.Popen([sys.executable, "-m", "tui", *sys.argv[1:]], process_group=0)
print(f"job {job.pid}.", flush=True)
sys.exit(job.wait())
"""
"""A shell that starts a job of its own, without which the system suspends nothing."""

HIDE, SHOW, PANEL = b"\x1b[?25l", b"\x1b[?25h", b" of 1,000,000"


def cursor_is_shown(seen: bytes) -> bool:
    return seen.rfind(SHOW) > seen.rfind(HIDE)


class Job:
    """The program as a shell starts it."""

    def __init__(self, *arguments: object) -> None:
        self.terminal = Terminal(*map(str, arguments), program=("-c", JOB))
        self.terminal.until(lambda: re.search(rb"job \d+\.", self.terminal.seen))
        self._pid = int(re.findall(rb"job (\d+)\.", self.terminal.seen)[0])

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def until_suspended(self) -> None:
        """Wait for it to be stopped, and read what it has drawn."""

        def stopped() -> bool:
            shown = subprocess.run(["ps", "-o", "state=", "-p", str(self._pid)], capture_output=True, check=False)
            return shown.stdout.startswith(b"T")

        self.terminal.until(stopped)
        self.terminal.read(0.1)

    def close(self) -> None:
        if self.terminal.child.poll() is None:
            self.signal(signal.SIGKILL)
        self.terminal.close()


@pytest.fixture
def start_job() -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def start(*arguments: object) -> Job:
        jobs.append(Job(*arguments))
        return jobs[-1]

    yield start
    for job in jobs:
        job.close()


def test_a_suspended_training_leaves_the_terminal_as_it_was(
    start_job: Callable[..., Job], home: Path, tiny_file: Path
) -> None:
    job = start_job(*begin(home, tiny_file, *ENDLESS))
    terminal = job.terminal
    terminal.until(lambda: PANEL in terminal.seen)
    for _ in range(2):
        assert not cursor_is_shown(terminal.seen)
        job.signal(signal.SIGTSTP)
        job.until_suspended()
        assert cursor_is_shown(terminal.seen)
        before = len(terminal.seen)
        job.signal(signal.SIGCONT)
        terminal.until(lambda before=before: PANEL in terminal.seen[before:])
    job.signal(signal.SIGINT)
    assert terminal.ended() == 130
    assert cursor_is_shown(terminal.seen)


def test_a_suspended_app_leaves_the_terminal_as_it_was(start_job: Callable[..., Job], home: Path) -> None:
    job = start_job("--home", home)
    terminal = job.terminal
    terminal.until(lambda: b"Enter" in terminal.seen)
    for _ in range(2):
        before = len(terminal.seen)
        terminal.type(b"\x1a")  # ctrl+z
        job.until_suspended()
        assert b"\x1b[?1049l" in terminal.seen[before:], "the screen before the app"
        assert cursor_is_shown(terminal.seen)
        suspended = len(terminal.seen)
        job.signal(signal.SIGCONT)
        terminal.until(lambda suspended=suspended: b"Enter" in terminal.seen[suspended:])
    terminal.type(b"\x11")  # ctrl+q
    assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["a second Ctrl-C", "Ctrl-\\"])
def test_leaving_in_a_hurry_shows_the_cursor(number: int, home: Path, tiny_file: Path, tmp_path: Path) -> None:
    program = Program(
        tmp_path / "seen", *begin(home, tiny_file, *ENDLESS), terminal=True, prelude=measure_for_ever_without_core
    )
    program.until(lambda: PANEL.decode() in program.output)
    program.signal(signal.SIGINT)
    program.until(lambda: "Press Ctrl-C again" in program.output)
    program.signal(number)
    assert program.ended() in (130, -signal.SIGQUIT)
    assert cursor_is_shown(program.output.encode())


def measure_for_ever_without_core() -> None:
    """Never come to the end, and leave no core file behind."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    measure_for_ever()


@pytest.mark.parametrize("columns", ["0", "20", "wide"])
def test_runs_are_listed_on_any_terminal(columns: str, trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal("--runs", "--home", str(trained_home), columns=20)
    assert terminal.ended() == 0
    terminal.close()
    assert b"finished" in terminal.seen


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_moves_no_cursor_gets_lines(term: str, home: Path, tiny_file: Path) -> None:
    terminal = Terminal(*map(str, begin(home, tiny_file, "--steps", 3)), term=term)
    assert terminal.ended() == 0
    terminal.close()
    assert b"\x1b" not in terminal.seen
    assert b"Step 1 of 3" in terminal.seen
    assert steps(list_runs(home)[0]) == [1, 2, 3]
