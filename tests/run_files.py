"""Run folders in tests: all their files, a check that a run can be resumed, forged checkpoints, rights and mounts."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import call
from tinylm.events import StepDone
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder

needs_rights = pytest.mark.skipif(
    os.name == "nt" or (os.geteuid() == 0 and sys.platform != "linux"),
    reason="rights do not concern root, who can give that up on Linux",
)


def contents(folder: Path) -> dict[str, bytes]:
    """All plain files of a folder but locks, and where links lead to."""
    files = {}
    for here, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(here, name)
            if path.is_symlink():
                files[str(path.relative_to(folder))] = os.fsencode(path.readlink())
            elif path.is_file() and name != ".lock":
                files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def reforge(folder: Path) -> None:
    """Make all sums of a checkpoint right again, as a stranger would who changed it; what cannot be is left."""
    try:
        table = json.loads((folder / "state.json").read_bytes())
        for name in ("model.safetensors", "optimizer.safetensors"):
            data = (folder / name).read_bytes()
            table["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        table.pop("sha256", None)
        table["sha256"] = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
        (folder / "state.json").write_text(json.dumps(table))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return


def steps(run: RunFolder) -> list[int]:
    """The steps in its log."""
    return [event.step for event in run.events() if isinstance(event, StepDone)]


def check_resumable(run: RunFolder) -> None:
    """Nobody has its lock, its newest checkpoint is whole, and it can be resumed: each step is in the log once."""
    assert not run.is_locked()
    newest, faults = checkpoint.newest_whole(run)
    assert newest is not None
    assert not faults
    last = newest.state.step + 2
    home = run.home
    result = call("--train", "--resume", "--home", home, "--run", run.name, "--steps", last)
    assert result.code == 0, result.err
    assert steps(run) == list(range(1, last + 1))
    assert call("--generate", "The", "--home", home, "--run", run.name).code == 0


def mounted(*arguments: str | Path) -> None:
    """Mount something, or skip the test where that is not allowed."""
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False) if sys.platform == "linux" else None
    if done is None or done.returncode:
        pytest.skip("nothing can be mounted here")
