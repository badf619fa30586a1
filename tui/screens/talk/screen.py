"""Talk: a checkpoint continues a prompt token by token, and shows how probable each token was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, TextArea

from tinylm.config.schema import SampleConfig
from tinylm.errors import DataError
from tinylm.runs.folder import RunFolder
from tinylm.words import counted
from tui.screens.base import StudioScreen
from tui.screens.talk import wording
from tui.screens.talk.candidates import Candidates
from tui.screens.talk.checkpoint_picker import CheckpointPicker, Picked
from tui.screens.talk.pane_checkpoints import PaneCheckpoints
from tui.screens.talk.panes import Panes
from tui.screens.talk.prompt import Editor, Entry, Prompt
from tui.screens.talk.sampling import Sampling
from tui.screens.talk.transcript import DRAWS_A_SECOND, Transcript, sign
from tui.screens.talk.version_picker import COUNT, VersionPicker
from tui.screens.talk.writer_thread import CheckpointRef, Completion, WriterThread, newest_run
from tui.studio import Studio
from tui.terminal.keys import hidden

POLL_TICKS = 4
"""Ticks of the app between two checks for a newer checkpoint."""

DEBOUNCE_SECONDS = 0.25
"""How long after the last change of a setting it is used: the text so far has to be prefilled again for it."""


class TalkScreen(StudioScreen):
    """The prompt, the texts, and the settings."""

    MODE = "talk"
    HELP = wording.HELP
    AUTO_FOCUS = "#prompt"
    DEFAULT_CSS = """
    TalkScreen #editor { height: 1fr; display: none; }
    TalkScreen.-editing #editor { display: block; }
    TalkScreen.-editing Panes { display: none; }
    TalkScreen #lower { height: auto; }
    TalkScreen Candidates { height: 6; }
    TalkScreen Sampling { height: 1; padding: 0 2; }
    TalkScreen.-no-candidates Candidates { display: none; }
    TalkScreen.-short Candidates { height: 1; padding: 0 2; }
    TalkScreen.-short Sampling { display: none; }
    TalkScreen.-short.-setting Sampling { display: block; }
    TalkScreen.-short.-setting Candidates { display: none; }
    TalkScreen.-high Candidates { height: 13; }
    TalkScreen.-wide.-high #lower { layout: grid; grid-size: 2; grid-rows: 13 3; grid-columns: 2fr 1fr; height: 16; }
    TalkScreen.-wide.-high Sampling { height: 13; padding: 1 2; }
    TalkScreen.-wide.-high Entry { column-span: 2; }
    TalkScreen.-wide.-high.-no-candidates Sampling { column-span: 2; height: 9; padding: 0 1; }
    TalkScreen.-wide.-high.-no-candidates #lower { grid-rows: 9 3; height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("escape", "back", "Stop or back", id="talk.back", tooltip="Stop writing; else a step back"),
        Binding("r", "redo", "Redo", id="talk.redo", tooltip="Another version, with the next seed"),
        Binding("v", "several", "Four", id="talk.several", tooltip="Four versions side by side, to choose one of"),
        Binding("ctrl+e", "edit", "Edit", id="talk.edit", tooltip="Change the text and let the model go on from it"),
        hidden("w", "why", "Why", id="talk.why", tooltip="Show or hide why this token"),
        Binding("equals_sign", "compare", "Compare", id="talk.compare", tooltip="A second checkpoint beside it"),
        Binding("k", "pick", "Checkpoint", id="talk.pick", tooltip="Choose run and checkpoint"),
        Binding("y", "copy", "Copy", id="talk.copy", tooltip="Copy prompt and text"),
        hidden(
            "comma,<",
            "version(False)",
            "Version before",
            id="talk.before",
            tooltip="What it wrote before this",
        ),
        hidden(
            ".,>",
            "version(True)",
            "Next version",
            id="talk.next",
            tooltip="What it wrote after this",
        ),
        hidden("slash,i", "prompt", "Prompt", id="talk.prompt", tooltip="Back to the prompt"),
        hidden("s", "settings", "Settings", id="talk.settings", tooltip="To temperature, length, seed"),
    ]

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._writes_next: dict[str, tuple[CheckpointRef | None, int | None]] = {}
        """The checkpoint that each pane would write with now, and its step."""
        self._pending: str | None = None
        """A prompt that waits for a training to get its run folder."""
        self._no_run = False
        """There is no run at all."""
        self._message = ""
        self._ticks = 0
        self._timer: Timer | None = None
        self._debounce: Timer | None = None
        """Runs after a change of a setting, until it is used."""
        self._states: list[str] = []
        """Of the texts, when the sentence was written last."""

    # ---- parts ----------------------------------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        """Texts, candidates, settings, prompt."""
        sampling = self.studio.plan.sample
        self.writer_thread = WriterThread(self.studio.engine)
        self.checkpoints = PaneCheckpoints(self.studio)
        self.panes = Panes(self.checkpoints)
        yield self.panes
        yield Editor()
        with Container(id="lower"):
            yield Candidates()
            yield Sampling(sampling)
            yield Entry("" if "\n" in sampling.prompt else sampling.prompt)

    def on_mount(self) -> None:
        """Draw often while a text is being written, and only then; show a planned prompt of several lines."""
        if "\n" in (planned := self.studio.plan.sample.prompt):
            self._edit(planned)
        self._timer = self.set_interval(1 / DRAWS_A_SECOND, self._stream, pause=True)

    def on_unmount(self) -> None:
        """End the thread."""
        self.writer_thread.close()

    def on_screen_resume(self) -> None:
        """Look which run is the newest now."""
        self.run_worker(self._find_newest, thread=True, exclusive=True, group="newest", exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        """Draw frames where there is room for them."""
        self.query_one(Candidates).set_class(event.size.height >= 24, "pane")
        self.query_one(Sampling).set_class(event.size.height >= 40 and event.size.width >= 120, "pane")
        self.call_after_refresh(self.refresh_all)  # titles depend on the width

    @property
    def pane(self) -> Transcript:
        """The pane that keys act on."""
        return self.panes.current

    @property
    def sampling(self) -> SampleConfig:
        """The settings as the controls show them."""
        return self.query_one(Sampling).sampling

    @property
    def _typing(self) -> bool:
        return isinstance(self.focused, Input | TextArea)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys, the most obvious first; letters are not offered in the footer where they would be typed."""
        active = super().active_bindings
        first = [key for key in ("enter", "up") if key in active]
        return {
            key: bound._replace(
                binding=replace(bound.binding, show=bound.binding.show and not (self._typing and bound.node is self))
            )
            for key, bound in ((key, active[key]) for key in dict.fromkeys([*first, *active]))
        }

    # ---- checkpoints ---------------------------------------------------------------------------------------------

    def _find_newest(self) -> None:
        """Runs in a thread."""
        newest = newest_run(self.studio.home)
        self.app.call_from_thread(self._set_newest, newest)

    def _set_newest(self, newest: RunFolder | None) -> None:
        self.checkpoints.set_newest(newest)
        self._prepare("A")

    def _prepare(self, pane: str) -> None:
        """Load the checkpoint that will probably be asked for, so that the first token comes at once."""
        checkpoint = self.checkpoints.of(pane)
        if checkpoint and checkpoint.step() is not None:
            self.writer_thread.prepare(checkpoint)
        self._ticks = 0
        self.refresh_all()

    def action_pick(self) -> None:
        """Pick run and checkpoint of the pane."""
        pane = self.pane.name or "A"

        def take(picked: Picked | None) -> None:
            if picked is not None:
                self.checkpoints.pick(pane, picked if isinstance(picked, CheckpointRef) else None)
                self._prepare(pane)

        title = f"Which checkpoint writes in {pane}" if self.panes.comparing else "Which checkpoint writes"
        self.app.push_screen(
            CheckpointPicker(self.studio, title, self.checkpoints.of(pane), may_follow=pane == "A"), take
        )

    def action_compare(self) -> None:
        """Show a second pane with another checkpoint, or hide it."""
        if self.panes.comparing:
            self.panes.alone()
            self.refresh_all()
            return

        def take(picked: Picked | None) -> None:
            if isinstance(picked, CheckpointRef):
                self.checkpoints.pick("B", picked)
                self._ticks = 0
                self._ask(self.panes.compare(picked))

        self.app.push_screen(
            CheckpointPicker(self.studio, "Compare with", self.checkpoints.other, may_follow=False), take
        )

    # ---- writing --------------------------------------------------------------------------------------------------

    def _ask(self, completions: Sequence[Completion]) -> None:
        self._message = ""
        if completions:
            self.writer_thread.ask(*completions)
        if self._timer:
            self._timer.resume()
        self.refresh_all()

    @on(Input.Submitted, "#prompt")
    def _prompted(self, event: Input.Submitted) -> None:
        prompt = self.query_one(Prompt)
        prompt.remember()
        self._write(event.value)
        prompt.select_all()

    def _write(self, text: str) -> None:
        """Continue a prompt in all panes."""
        checkpoint = self.checkpoints.of("A")
        if checkpoint is not None:
            self._ask(self.panes.begin(text, self.sampling))
            if checkpoint.step() is None:
                self.studio.save_first(checkpoint.run)
        elif self.checkpoints.beginning:
            self._pending = text
        elif self.checkpoints.searched:
            self.studio.go("home")

    def action_redo(self) -> None:
        """Another version with the next seed; a token that the person forced stays."""
        if any(pane.shown for pane in self.panes.shown):
            self._ask(self.panes.redo(self.sampling))
        else:
            self.action_write()

    def action_several(self) -> None:
        """Four versions, written side by side, to choose one of: of the text, or of a prompt that was just typed."""
        pane, prompt = self.pane, self.query_one(Prompt)
        before = pane.shown
        typed = before is None or (self._typing and prompt.value != before.prompt)
        versions = self.panes.several(COUNT, prompt.value if typed else None, self.sampling)
        if not versions:
            self.action_write()
            return
        if typed:
            prompt.remember()
        self.writer_thread.ask_batch(versions)
        self._ask([])
        if versions[0].checkpoint.step() is None:
            self.studio.save_first(versions[0].checkpoint.run)

        def take(version: Completion | None) -> None:
            chosen = version or before
            if chosen is not None:
                pane.versions.show(chosen)
            pane.follow()
            pane.focus()
            self._ask([])

        self.app.push_screen(VersionPicker(versions, self.writer_thread.stop), take)

    def action_go_on(self) -> None:
        """Continue the text at its end."""
        completion = self.pane.shown
        if completion is None:
            self.action_write()
        elif not completion.busy:
            completion.reopen(self.sampling)
            self.pane.follow()
            self._ask([completion])

    @on(Candidates.Forced)
    def _forced(self, event: Candidates.Forced) -> None:
        branch = self.panes.branch(event.candidate, self.sampling)
        if branch:
            self.pane.focus()
            self._ask(branch)
        else:
            self._show_message("That is the one that stands there.")

    def action_version(self, later: bool) -> None:
        """Show the next version of this text, or the one before."""
        if self.pane.versions.move(1 if later else -1):
            self.pane.follow()
            self.refresh_all()

    # ---- editing and copying --------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Edit the text, for the model to continue it."""
        self.writer_thread.stop()
        completion = self.pane.shown
        self._edit(completion.text if completion and completion.text else self.query_one(Prompt).value)

    @on(Prompt.Lines)
    def _pasted(self, event: Prompt.Lines) -> None:
        self._edit(event.text)

    def _edit(self, text: str) -> None:
        editor = self.query_one(Editor)
        editor.load_text(text)
        editor.move_cursor(editor.document.end)
        self.add_class("-editing")
        editor.focus()
        self.refresh_all()

    @on(Editor.Submitted)
    def _edited(self, event: Editor.Submitted) -> None:
        self._close_editor()
        if self.checkpoints.of("A") is None:
            self._write(event.text)
        else:
            self._ask(self.panes.edited(event.text, self.sampling))

    def _close_editor(self) -> None:
        self.remove_class("-editing")
        self.pane.focus()
        self.refresh_all()

    def action_copy(self) -> None:
        """Copy prompt and text of the pane."""
        text = self.pane.shown.text if self.pane.shown else ""
        if text:
            self.app.copy_to_clipboard(text)
            self._show_message(f"Copied {counted(len(text), 'character')}.")

    # ---- focus ----------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Close the editor; else stop the writing; else leave the prompt, then the cursor."""
        if self.has_class("-editing"):
            self._close_editor()
        elif self.writer_thread.busy or self._pending is not None:
            self._pending = None
            self.writer_thread.stop()
            self._show_message("")
        elif not isinstance(self.focused, Transcript):
            self.pane.focus()
        elif self.pane.cursor is not None:
            self.pane.action_last()

    def action_prompt(self) -> None:
        """Focus the prompt."""
        self.query_one(Prompt).focus()

    def action_settings(self) -> None:
        """Focus the settings."""
        self.add_class("-setting")
        self.query_one(Sampling).focus()

    def action_why(self) -> None:
        """Show or hide the candidates."""
        self.toggle_class("-no-candidates")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Let keys act on the pane that was focused last."""
        if isinstance(event.widget, Transcript):
            self.panes.current = event.widget
        self.set_class(isinstance(event.widget, Sampling), "-setting")
        self.refresh_all()

    @on(Transcript.Moved)
    def _moved(self) -> None:
        self._message = ""
        self.refresh_all()

    def action_walk(self, by: int) -> None:
        """Move the cursor in the text by a number of tokens."""
        self.pane.action_step(by)

    @on(Sampling.Changed)
    def _settings_changed(self) -> None:
        self._message = ""
        if self._debounce:
            self._debounce.stop()
        self._debounce = self.set_timer(DEBOUNCE_SECONDS, lambda: self.writer_thread.tune(self.sampling))

    def _show_message(self, sentence: str) -> None:
        self._message = sentence
        self.refresh_all()

    # ---- showing --------------------------------------------------------------------------------------------------

    def _stream(self) -> None:
        """Draw new text; update the sentence where a text has changed its state; pause when all are over."""
        if not self.is_current:
            return
        for pane in self.panes.shown:
            pane.refresh_text(self._empty())
        before, self._states = self._states, [pane.shown.state for pane in self.panes.shown if pane.shown]
        if not self.writer_thread.busy and self._timer:
            self._timer.pause()
            self.refresh_all()
        elif self._states != before:
            self.refresh_all()

    def tick(self) -> None:
        """Look for newer checkpoints now and then, and redraw."""
        if self.studio.talk_choice is not None:  # set by another screen or the palette
            run, which = self.studio.talk_choice
            self.checkpoints.pick("A", CheckpointRef(run, which) if which else run)
            self.studio.talk_choice = None
            self._prepare("A")
        if self._ticks % POLL_TICKS == 0:
            self._writes_next = {pane: (c := self.checkpoints.of(pane), c.step() if c else None) for pane in "AB"}
            self._no_run = self.checkpoints.none
            if self._pending is not None and self.checkpoints.of("A"):
                text, self._pending = self._pending, None
                self._write(text)
        self._ticks += 1
        room = self.panes.size.width // len(self.panes.shown) - 6  # for corners and gaps
        for pane in self.panes.shown:
            pane.refresh_text(self._empty())
            checkpoint, step = self._writes_next[pane.name or "A"]
            letter, position, glyphs = self.panes.letter(pane), pane.versions.position, self.studio.glyphs
            pane.border_title = wording.title(letter, checkpoint, step, position, glyphs, room)
            pane.border_subtitle = wording.status(pane.shown, checkpoint, glyphs, room)
        self._show_candidates()
        shown = self.panes.a.shown
        error = shown.error if shown else None
        notes = shown.fitted.notes if shown and shown.fitted else ()
        self.query_one(Entry).show(self.writer_thread.busy, error if isinstance(error, DataError) else None, notes)

    def _show_candidates(self) -> None:
        pane = self.pane
        completion, index = pane.shown, pane.token_index
        if completion is None or index is None:
            self.query_one(Candidates).show(None, "", "")
            return
        plain = self.studio.glyphs.name == "ascii"
        before = (completion.prompt + "".join(sign(token, plain) for token in completion.tokens[:index]))[-60:]
        letter = f"in {pane.name}, " if self.panes.comparing else ""
        self.query_one(Candidates).show(
            completion.tokens[index], before, f"{letter}{index + 1} of {len(completion.tokens)}"
        )

    def action_write(self) -> None:
        """Let the model continue the prompt."""
        prompt = self.query_one(Prompt)
        prompt.remember()
        self._write(prompt.value)

    def _empty(self) -> Content:
        """The text of an empty pane."""
        return wording.NO_MODEL if self._no_run else wording.WELCOME

    @property
    def _focus(self) -> wording.Focus:
        return "prompt" if self._typing else "candidates" if isinstance(self.focused, Candidates) else "text"

    def sentence(self) -> str:
        """What is going on, and what the person can do."""
        if self.has_class("-editing"):
            return "Enter lets the model go on from the changed text, Esc leaves it as it was."
        if isinstance(self.focused, Sampling):
            return self.focused.description
        if self._message:
            return self._message
        checkpoint, step = self._writes_next.get(self.pane.name or "A", (None, None))
        if checkpoint is not None:
            return wording.sentence(self.pane.shown, step, self.checkpoints.trains(checkpoint.run), self._focus)
        if self.checkpoints.beginning:
            return wording.beginning(self._pending is not None)
        return wording.NO_RUN if self.checkpoints.searched else "Looking for runs."
