"""Notes, names and the trash of runs; folders are changed in threads, since a disk may be slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tinylm.errors import TinyLMError
from tinylm.runs import folder, organise
from tinylm.runs.folder import RunFolder
from tinylm.runs.listing import RunListing
from tinylm.words import one_line
from tui.screens.base import StudioScreen
from tui.studio import Studio
from tui.widgets.dialogs import AskText


class RunActionsScreen(StudioScreen):
    """A screen with a list of runs, one of which is chosen; the subclass has the list."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._entries: list[RunListing] | None = None
        self._message = ""
        """What was refused, until the person does something else."""
        self.marks: dict[Path, str] = {}
        """Letters of the marked runs, by folder."""
        self.seek: Path | None = None
        """The run that the cursor goes to once the list has it."""
        self.changing, self.changed_at = False, 0.0
        """Whether a thread is changing folders, and when one last did."""
        self._trashed: list[Path] = []

    @property
    def entry(self) -> RunListing | None:
        """The chosen run."""
        raise NotImplementedError

    @property
    def listed(self) -> list[RunListing]:
        """All runs; none before the first listing."""
        return self._entries or []

    def say(self, sentence: str) -> None:
        """Show a message until the person does something else."""
        self._message = sentence
        self.refresh_all()

    def reload(self) -> None:
        """List the runs again."""
        raise NotImplementedError

    def action_note(self) -> None:
        """Edit the note on the run."""
        entry = self.entry
        if entry is None:
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._change_folders(lambda: organise.set_note(self.studio.home, entry.run, text.strip()))

        self.app.push_screen(AskText(f"Note on {entry.name}", "What is worth remembering of it?", entry.note), take)

    def action_rename(self) -> None:
        """Rename the run."""
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
                self._change_folders(lambda: self._rename(entry.run, name))

        self.app.push_screen(AskText(f"Rename {entry.name}", "Its new name", entry.name, check), take)

    def _rename(self, run: RunFolder, name: str) -> None:
        renamed = organise.rename(self.studio.home, run, name)
        self.app.call_from_thread(self._renamed, run.path, renamed.path)

    def _renamed(self, old: Path, new: Path) -> None:
        if old in self.marks:
            self.marks[new] = self.marks.pop(old)
        self.studio.moved(RunFolder(old), RunFolder(new))
        self.seek = new

    def action_trash(self) -> None:
        """Move the run to the trash; without a question, since that can be undone."""
        entry = self.entry
        if entry is None:
            return
        if entry.status in ("training", "paused"):
            self.say(f"{entry.name} is being trained. Stop it first.")
        else:
            self._change_folders(lambda: self._trash(entry))

    def _trash(self, entry: RunListing) -> None:
        self._trashed.append(organise.trash(self.studio.home, entry.run))
        self.app.call_from_thread(self.remark, f"{one_line(entry.name)} is in the trash, u undoes.")

    def action_undo(self) -> None:
        """Restore what was moved to the trash last."""
        if self._trashed:
            self._change_folders(self._restore)
        else:
            self.say("Nothing was moved to the trash here since the studio was opened.")

    def _restore(self) -> None:
        restored = organise.restore(self.studio.home, self._trashed.pop())
        self.seek = restored.path

    def _change_folders(self, work: Callable[[], object]) -> None:
        """Change folders in a thread, then list the runs again."""

        def act() -> None:
            try:
                work()
            except Exception as error:  # the outer edge of the thread: reported, never a crash
                self.app.call_from_thread(self.studio.fault, error)
            self.app.call_from_thread(self._folders_changed)

        self.changing = True
        self.run_worker(act, thread=True, group="runs-folders", exit_on_error=False)

    def _folders_changed(self) -> None:
        self.changing, self.changed_at = False, time.monotonic()
        self.reload()
