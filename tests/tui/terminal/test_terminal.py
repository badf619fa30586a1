"""The real program on a real terminal (a pty): a training that is left, and what the terminal looks like after it."""

import subprocess
import sys
from contextlib import closing

from tests.tui.real_terminal import Terminal
from tinylm.config import resolve
from tinylm.runs import checkpoint, folder

ALTERNATE_SCREEN_OFF = b"\x1b[?1049l"


def test_leaving_a_training_saves_it_and_the_checkpoint_loads(endless, home, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(resolve.to_toml(endless), encoding="utf-8")
    with closing(Terminal("--home", str(home), "--config", str(plan))) as terminal:
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
    assert newest.state.step > 5
    assert set(newest.model())
    assert run.state().finished is not None, "its log is closed"


def test_without_a_terminal_it_says_what_to_do(home):
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--home", str(home)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "tinylm-studio --train" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(home.iterdir())
