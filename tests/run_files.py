"""All files of a home or a run, the steps in its log, and checkpoints that a stranger has changed."""

import hashlib
import json
import os
from pathlib import Path

from tinylm.events import StepDone
from tinylm.runs.folder import RunFolder


def contents(folder: Path) -> dict[str, bytes]:
    """All plain files of a folder but locks, and where links lead to."""
    found = {}
    for here, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(here, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = os.fsencode(path.readlink())
            elif path.is_file() and name != ".lock":
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


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
    """The steps that its log tells."""
    return [event.step for event in run.events() if isinstance(event, StepDone)]
