"""Rename, annotate, trash and restore runs."""

from __future__ import annotations

from pathlib import Path

from tinylm import paths
from tinylm.errors import RunError
from tinylm.runs import folder as runs
from tinylm.runs.folder import RunFolder
from tinylm.runs.notes import Notes, changing, telling, unique


def rename(home: Path, run: RunFolder, name: str) -> RunFolder:
    """Rename a run's folder; RunError where the name cannot be used or is taken.

    The folder of a run that is being trained stays, and the name is only shown.
    """
    runs.check_name(name)
    with changing(home) as notes:
        shown = {value.get("name") for folder, value in notes.runs.items() if folder != run.name}
        if (name != run.name and (paths.runs(home) / name).exists()) or name in shown:
            raise RunError(f"There is already a run named {name}.", "Choose another name.")
        note = notes.runs.pop(run.name, {})
        note.pop("name", None)
        target = run
        if name != run.name:
            if run.is_locked():
                note["name"] = name
            else:
                target = RunFolder(_moved(run.path, paths.runs(home) / name))
        notes.put("runs", target.name, note)
    return target


def set_note(home: Path, run: RunFolder, note: str) -> None:
    """Keep a person's note on a run; an empty one takes it away."""
    with changing(home) as notes:
        kept = notes.runs.pop(run.name, {})
        kept.pop("note", None)
        notes.put("runs", run.name, kept | ({"note": note} if note else {}))


def trash_folder(home: Path) -> Path:
    """Where runs lie that were thrown away."""
    return home / "bin"


def discard(home: Path, run: RunFolder) -> Path:
    """Move a run into the bin, under another name where its own is taken there; RunError while it is being trained."""
    with telling(trash_folder(home)):
        trash_folder(home).mkdir(parents=True, exist_ok=True)
    binned = _moved(run.path, unique(trash_folder(home), run.name))
    _carry_note(home, ("runs", run.name), ("bin", binned.name))
    return binned


def restore(home: Path, binned: Path) -> RunFolder:
    """Bring a run back out of the bin, under another name where its own is taken by now."""
    if binned.parent != trash_folder(home) or not binned.is_dir():
        raise RunError(f"There is no {binned.name} in the bin.", "Look into it: it may have been brought back already.")
    with telling(paths.runs(home)):
        paths.runs(home).mkdir(parents=True, exist_ok=True)
    run = RunFolder(_moved(binned, unique(paths.runs(home), binned.name)))
    _carry_note(home, ("bin", binned.name), ("runs", run.name))
    return run


def _moved(path: Path, target: Path) -> Path:
    """Move a run's folder; RunError while it is being trained, or where the disk refuses."""
    run = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"There is no run named {run.name}.", "It may have been renamed or thrown away elsewhere.")
    with telling(path):
        lock = run.lock()
        try:
            path.rename(target)
        finally:
            lock.release()
    return target


def _carry_note(home: Path, old: tuple[str, str], new: tuple[str, str]) -> None:
    """What a person wrote on a run goes with it into the bin and back, and not to a later run of the same name."""
    known = Notes(home)
    if old[1] not in known.part(old[0]) and new[1] not in known.part(new[0]):
        return
    with changing(home) as notes:
        note = notes.part(old[0]).pop(old[1], {})
        notes.put(*new, {key: value for key, value in note.items() if key != "name"})
