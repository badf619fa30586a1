"""What the tests of faults share: mounts, rights, odd paths, and a run that must be as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import call
from tests.run_files import steps
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder

needs_rights = pytest.mark.skipif(
    os.name == "nt" or (os.geteuid() == 0 and sys.platform != "linux"),
    reason="rights do not concern root, who can give that up on Linux",
)

ODD = """it's a "home" – café 漢字 🦊 $HOME `x`; & \\ *"""


def check_resumable(run: RunFolder) -> None:
    """Nobody holds it, its newest checkpoint verifies, and from there it goes on, each step told once."""
    assert not run.is_locked()
    found, faults = checkpoint.newest_whole(run)
    assert found is not None
    assert not faults
    last = found.state.step + 2
    home = run.path.parent.parent
    said = call("--train", "--resume", "--home", home, "--run", run.name, "--steps", last)
    assert said.code == 0, said.err
    assert steps(run) == list(range(1, last + 1))
    assert call("--generate", "The", "--home", home, "--run", run.name).code == 0


def mounted(*arguments: str | Path) -> None:
    """Mount something, or skip the test where that is not allowed."""
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False) if sys.platform == "linux" else None
    if done is None or done.returncode:
        pytest.skip("nothing can be mounted here")


def pasted(command: str) -> list[str]:
    """The arguments that a shell passes on, where a person pastes a command."""
    program, _, rest = command.partition(" ")
    assert program == "tinylm-studio"
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {rest}"], capture_output=True, check=True)
    return [os.fsdecode(part) for part in done.stdout.split(b"\0")[:-1]]
