"""What a person does with a run that is kept: note, name, bin and back; in threads, since a disk may be slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tinylm.errors import TinyLMError
from tinylm.runs import folder, organise
from tinylm.runs.folder import RunFolder
from tinylm.runs.listing import RunListing
from tinylm.words import printable
from tui.screens.base import StudioScreen
from tui.studio import Studio
from tui.widgets.dialogs import AskText


class Shelving(StudioScreen):
    """A screen with a list of runs, one of which is chosen; the list itself is the subclass's."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.marks: dict[Path, str] = {}
        """Letters of the marked runs, by folder."""
        self.seek: Path | None = None
        """Where the cursor goes once the list has it."""
        self.shelving, self.shelved_at = False, 0.0
        """A thread is at work on the folders."""
        self._binned: list[Path] = []

    @property
    def entry(self) -> RunListing | None:
        """The chosen run."""
        raise NotImplementedError

    @property
    def listed(self) -> Sequence[RunListing]:
        """All runs."""
        raise NotImplementedError

    def say(self, sentence: str) -> None:
        """Say something in the screen's sentence."""
        raise NotImplementedError

    def reload(self) -> None:
        """List the runs anew."""
        raise NotImplementedError

    def action_note(self) -> None:
        """Write on it."""
        entry = self.entry
        if entry is None:
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._shelve(lambda: organise.set_note(self.studio.home, entry.run, text.strip()))

        self.app.push_screen(AskText(f"Note on {entry.name}", "What is worth remembering of it?", entry.note), take)

    def action_rename(self) -> None:
        """Call it otherwise."""
        entry = self.entry
        if entry is None:
            return
        taken = {other.name for other in self.listed} - {entry.name}

        def check(name: str) -> str | None:
            try:
                folder.check_name(name)
            except TinyLMError as error:
                return f"{error.message} {error.hint}"
            return f"There is already a run named {name}." if name in taken else None

        def take(name: str | None) -> None:
            if name is not None and name != entry.name:
                self._shelve(lambda: self._rename(entry.run, name))

        self.app.push_screen(AskText(f"Rename {entry.name}", "Its new name", entry.name, check), take)

    def _rename(self, run: RunFolder, name: str) -> None:
        renamed = organise.rename(self.studio.home, run, name)
        self.app.call_from_thread(self._renamed, run.path, renamed.path)

    def _renamed(self, old: Path, new: Path) -> None:
        if old in self.marks:
            self.marks[new] = self.marks.pop(old)
        self.studio.moved(RunFolder(old), RunFolder(new))
        self.seek = new

    def action_bin(self) -> None:
        """Into the bin; nobody is asked, since it can be undone."""
        entry = self.entry
        if entry is None:
            return
        if entry.status in ("training", "paused"):
            self.say(f"{entry.name} is being trained. Stop it first.")
        else:
            self._shelve(lambda: self._bin(entry))

    def _bin(self, entry: RunListing) -> None:
        self._binned.append(organise.discard(self.studio.home, entry.run))
        self.app.call_from_thread(self.remark, f"{printable(entry.name)} is binned, u undoes.")

    def action_undo(self) -> None:
        """Bring back what was binned last."""
        if self._binned:
            self._shelve(self._restore)
        else:
            self.say("Nothing was binned here since the studio was opened.")

    def _restore(self) -> None:
        restored = organise.restore(self.studio.home, self._binned.pop())
        self.seek = restored.path

    def _shelve(self, work: Callable[[], object]) -> None:
        """Do something with the folders in a thread, and show what has come of it."""

        def act() -> None:
            try:
                work()
            except Exception as error:  # the edge of this thread: told, never a crash
                self.app.call_from_thread(self.studio.fault, error)
            self.app.call_from_thread(self._shelved)

        self.shelving = True
        self.run_worker(act, thread=True, group="runs-shelf", exit_on_error=False)

    def _shelved(self) -> None:
        self.shelving, self.shelved_at = False, time.monotonic()
        self.reload()
