"""Rename, annotate, trash and restore runs."""

from __future__ import annotations

from pathlib import Path

from tinylm import files, paths
from tinylm.errors import RunError
from tinylm.runs.folder import RunFolder, check_name
from tinylm.runs.notes import TRASH, Notes, disk_errors, edit_notes


def rename(home: Path, run: RunFolder, name: str) -> RunFolder:
    """Rename a run's folder; RunError where the name cannot be used or is taken.

    While a run is being trained its folder keeps its name, and the new one is only shown.
    """
    name = check_name(name)
    with edit_notes(home) as notes:
        shown = {note.get("name") for folder, note in notes.part("runs").items() if folder != run.name}
        if (name != run.name and (paths.runs(home) / name).exists()) or name in shown:
            raise RunError(f"There is already a run named {name}.", "Choose another name.")
        note = notes.part("runs").pop(run.name, {})
        note.pop("name", None)
        target = run
        if name != run.name:
            if run.is_locked():
                note["name"] = name
            else:
                target = RunFolder(_move(run.path, paths.runs(home) / name))
        notes.put("runs", target.name, note)
    return target


def set_note(home: Path, run: RunFolder, text: str) -> None:
    """Keep a person's note on a run; an empty one deletes it."""
    with edit_notes(home) as notes:
        note = notes.part("runs").pop(run.name, {})
        note.pop("note", None)
        notes.put("runs", run.name, note | ({"note": text} if text else {}))


def trash(home: Path, run: RunFolder) -> Path:
    """Move a run into the trash, under a new name where its own is taken there; RunError while it is being trained."""
    folder = paths.trash(home)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    trashed = _move(run.path, files.free_path(folder, run.name))
    _move_note(home, ("runs", run.name), (TRASH, trashed.name))
    return trashed


def restore(home: Path, trashed: Path) -> RunFolder:
    """Bring a run back from the trash, under another name where its own has been taken since."""
    if trashed.parent != paths.trash(home) or not trashed.is_dir():
        raise RunError(
            f"There is no {trashed.name} in the trash.", "Look into it: it may have been brought back already."
        )
    with disk_errors(paths.runs(home)):
        paths.runs(home).mkdir(parents=True, exist_ok=True)
    run = RunFolder(_move(trashed, files.free_path(paths.runs(home), trashed.name)))
    _move_note(home, (TRASH, trashed.name), ("runs", run.name))
    return run


def _move(path: Path, target: Path) -> Path:
    """Move a run's folder; RunError while it is being trained, or where the disk refuses."""
    run = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"There is no run named {run.name}.", "It may have been renamed or thrown away elsewhere.")
    with disk_errors(path):
        lock = run.lock()
        try:
            path.rename(target)
        finally:
            lock.release()
    return target


def _move_note(home: Path, old: tuple[str, str], new: tuple[str, str]) -> None:
    """Let the note on a run follow it into the trash and back, so that no later run of the same name inherits it."""
    notes = Notes(home)
    if old[1] not in notes.part(old[0]) and new[1] not in notes.part(new[0]):
        return
    with edit_notes(home) as notes:
        note = notes.part(old[0]).pop(old[1], {})
        notes.put(*new, {key: value for key, value in note.items() if key != "name"})
