"""The real program on a real terminal (a pty): a training that is left, and what the terminal looks like after it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.real_terminal import Terminal
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.runs import checkpoint, folder

ALTERNATE_SCREEN_OFF = b"\x1b[?1049l"


@pytest.fixture
def open_terminal():
    opened: list[Terminal] = []

    def start(*arguments: str, **size: int) -> Terminal:
        opened.append(Terminal(*arguments, **size))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.fixture
def long_training(tiny_config: Callable[..., RunConfig], tmp_path: Path) -> Path:
    """A configuration that trains far longer than a test waits."""
    phases = [{"name": "train", "schedule": "constant", "steps": 1_000_000, "max_lr": 1e-3}]
    path = tmp_path / "plan.toml"
    path.write_text(resolve.to_toml(tiny_config(train={"phases": phases, "eval_interval": 100_000})), encoding="utf-8")
    return path


def test_leaving_a_training_saves_it_and_the_checkpoint_loads(open_terminal, long_training, home):
    terminal = open_terminal("--home", str(home), "--config", str(long_training))
    terminal.until(lambda: b"Enter" in terminal.seen)
    terminal.type(b"\r")
    terminal.until(lambda: folder.list_runs(home) and len(folder.list_runs(home)[0].state().steps) > 5)
    terminal.type(b"\x11")  # ctrl+q
    terminal.until(lambda: b"Save and leave" in terminal.seen)
    terminal.type(b"s")
    assert terminal.ended() == 0
    assert ALTERNATE_SCREEN_OFF in terminal.seen, "the terminal is as it was"
    assert b"is saved at step" in terminal.seen

    (run,) = folder.list_runs(home)
    newest, faults = checkpoint.newest_whole(run)
    assert not faults
    assert newest is not None
    assert newest.state.step > 5
    assert set(newest.model())
    assert run.state().finished is not None, "its log is closed"


def test_a_hangup_saves_too(open_terminal, long_training, home):
    terminal = open_terminal("--home", str(home), "--config", str(long_training))
    terminal.until(lambda: b"Enter" in terminal.seen)
    terminal.type(b"\r")
    terminal.until(lambda: folder.list_runs(home) and len(folder.list_runs(home)[0].state().steps) > 5)
    terminal.child.send_signal(signal.SIGHUP)
    assert terminal.ended() == 129
    newest, faults = checkpoint.newest_whole(folder.list_runs(home)[0])
    assert newest is not None
    assert not faults


def test_without_a_terminal_it_says_what_to_do(home):
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--home", str(home)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "The app needs a terminal. Without one, train with: tinylm-studio --train."
    assert not list(home.iterdir())
