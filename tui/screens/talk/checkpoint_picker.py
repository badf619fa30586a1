"""A dialog to pick a run and one of its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tinylm.runs import listing
from tinylm.words import one_line
from tui.screens.talk.writer_thread import CheckpointRef, saved_steps
from tui.studio import Studio
from tui.terminal.fit_text import ellipsize_middle
from tui.terminal.glyphs import glyphs_of
from tui.terminal.keys import hidden

FOLLOW: Literal["follow"] = "follow"
"""The answer "no certain checkpoint": that of the run on Train, else of the newest run."""

Picked = CheckpointRef | Literal["follow"]

NAME, STATE = 14, 11
"""Least width of a run's name in cells, and the width of its state."""


class CheckpointPicker(ModalScreen[Picked | None]):
    """Runs on the left, the checkpoints of the highlighted one on the right; returns what was picked, or None."""

    DEFAULT_CSS = """
    CheckpointPicker #pick { width: 92; max-width: 96%; height: 20; max-height: 96%; padding: 0 1; }
    CheckpointPicker #pick { background: $surface; border: round $accent; }
    CheckpointPicker #lists { height: 1fr; }
    CheckpointPicker OptionList { height: 1fr; border: none; background: $surface; padding: 0; }
    CheckpointPicker OptionList { scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
    CheckpointPicker OptionList:focus { border: none; }
    CheckpointPicker #pick-runs { width: 1fr; margin-right: 1; }
    CheckpointPicker #pick-steps { width: 18; }
    CheckpointPicker #pick-keys { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="pick.back", tooltip="Back to the runs, then away"),
        hidden("left", "runs", "Runs", id="pick.runs", tooltip="To the runs"),
        hidden("right", "steps", "Checkpoints", id="pick.steps", tooltip="To the checkpoints"),
    ]

    def __init__(self, studio: Studio, title: str, now: CheckpointRef | None, may_follow: bool = True) -> None:
        """`now` is the current checkpoint; `may_follow` offers `FOLLOW` too."""
        super().__init__()
        self._studio = studio
        self._title, self._now, self._may_follow = title, now, may_follow
        self._entries: Sequence[listing.RunListing] = ()

    def compose(self) -> ComposeResult:
        """Two lists, and what the keys do."""
        with Vertical(id="pick") as box:
            box.border_title = self._title
            with Horizontal(id="lists"):
                yield OptionList(id="pick-runs", markup=False)
                yield OptionList(id="pick-steps", markup=False)
            yield Static("Enter chooses run, then checkpoint; Esc goes back", id="pick-keys", markup=False)

    def on_mount(self) -> None:
        """Read the runs in a thread."""
        self.query_one("#pick-runs").loading = True
        self.query_one("#pick-runs").focus()
        self.run_worker(self._read, thread=True, exit_on_error=False)

    def _read(self) -> None:
        try:
            entries = listing.read_listings(self._studio.home)
        except Exception as error:  # the outer edge of this thread: the app shows it
            self.app.call_from_thread(self._studio.fault, error)
            entries = []
        self.app.call_from_thread(self._show, entries)

    def _show(self, entries: Sequence[listing.RunListing]) -> None:
        if not self.is_attached:
            return
        self._entries = entries
        runs = self.query_one("#pick-runs", OptionList)
        runs.loading = False
        if self._may_follow:
            runs.add_option(Option("the run on Train, else the newest", id=FOLLOW))
        runs.add_options(Option(line, id=f"run-{i}") for i, line in enumerate(self._lines()))
        if not entries:
            runs.add_option(Option("No run yet: train one first.", disabled=True))
        current = [i for i, entry in enumerate(entries) if self._now and entry.run == self._now.run]
        runs.highlighted = current[0] + self._may_follow if current else 0
        runs.focus()

    def _lines(self) -> list[str]:
        """A line for each run: name, state and bits per byte, fitted to the room."""
        glyphs = glyphs_of(self)
        names = [one_line(entry.name) for entry in self._entries]
        wide = max(map(cell_len, names), default=0)
        runs = self.query_one("#pick-runs")
        room = runs.scrollable_content_region.width - STATE - 4  # with a gap on both sides of the state
        unit = " bits/byte" if wide + len("0.00 bits/byte") <= room else ""
        scores = ["" if entry.val_bpb is None else f"{entry.val_bpb:.2f}{unit}" for entry in self._entries]
        wide = min(wide, max(NAME, room - max(map(len, scores), default=0)))
        return [
            f"{set_cell_size(ellipsize_middle(name, wide, glyphs), wide)}  {entry.status:<{STATE}}  {score}".rstrip()
            for name, entry, score in zip(names, self._entries, scores, strict=True)
        ]

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        runs = self.query_one("#pick-runs", OptionList)
        for i, line in enumerate(self._lines()):
            runs.replace_option_prompt(f"run-{i}", line)

    @property
    def _highlighted(self) -> listing.RunListing | None:
        runs = self.query_one("#pick-runs", OptionList)
        option = runs.highlighted_option
        return self._entries[int(option.id[4:])] if option and option.id and option.id.startswith("run-") else None

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the checkpoints of the highlighted run."""
        if event.option_list.id != "pick-runs":
            return
        steps = self.query_one("#pick-steps", OptionList)
        steps.clear_options()
        entry = self._highlighted
        if entry is None:
            steps.add_option(Option("latest", disabled=True))
            return
        saved = saved_steps(entry.run)
        for which in ("latest", "best"):
            step = CheckpointRef(entry.run, which).step()
            steps.add_option(Option(f"{which:<7}{'none yet' if step is None else step}", id=which))
        steps.add_options(Option(f"step   {step}", id=str(step)) for step in reversed(saved))
        offered = [option.id for option in steps.options]
        now = self._now.which if self._now and self._now.run == entry.run else entry.run.selected
        steps.highlighted = offered.index(now) if now in offered else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """After a run its checkpoints are focused; a checkpoint is the answer."""
        if event.option.id == FOLLOW:
            self.dismiss(FOLLOW)
        elif event.option_list.id == "pick-runs":
            self.action_steps()
        elif (entry := self._highlighted) is not None and event.option.id:
            self.dismiss(CheckpointRef(entry.run, event.option.id))

    def action_runs(self) -> None:
        """Focus the runs."""
        self.query_one("#pick-runs").focus()

    def action_steps(self) -> None:
        """Focus the checkpoints."""
        if self._highlighted is not None:
            self.query_one("#pick-steps").focus()

    def action_back(self) -> None:
        """Focus the runs; from there, close the dialog."""
        if self.query_one("#pick-steps").has_focus:
            self.action_runs()
        else:
            self.dismiss(None)
