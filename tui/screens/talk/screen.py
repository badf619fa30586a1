"""Talk: a checkpoint goes on with what a person begins, token by token, and shows why it chose each of them."""

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
from tui.screens.base import StudioScreen
from tui.screens.talk import wording
from tui.screens.talk.candidates import Why
from tui.screens.talk.checkpoint_picker import Pick, Picked
from tui.screens.talk.pane_sources import PaneCheckpoints
from tui.screens.talk.panes import Panes
from tui.screens.talk.prompt import Editor, Entry, Prompt
from tui.screens.talk.sampling import Sampling
from tui.screens.talk.transcript import Transcript, sign
from tui.screens.talk.version_picker import COUNT, VersionPicker
from tui.screens.talk.writer_thread import CheckpointRef, Completion, WriterThread, newest_run
from tui.studio import Studio

STREAMS_A_SECOND = 12
"""How often text is drawn while it comes; nothing is drawn more often than the app's own tick when none does."""

LOOK_TICKS = 4
"""The app's ticks between looks for a newer checkpoint."""

REST_SECONDS = 0.25
"""How long the settings rest before what is being written goes on by them: the text so far is read anew for it."""


class TalkScreen(StudioScreen):
    """The prompt, what the model makes of it, and how."""

    MODE = "talk"
    HELP = wording.HELP
    AUTO_FOCUS = "#prompt"
    DEFAULT_CSS = """
    TalkScreen #editor { height: 1fr; display: none; }
    TalkScreen.-editing #editor { display: block; }
    TalkScreen.-editing Panes { display: none; }
    TalkScreen #lower { height: auto; }
    TalkScreen.-no-why Why { display: none; }
    TalkScreen.-short Why { height: 1; padding: 0 2; }
    TalkScreen.-short Sampling { display: none; }
    TalkScreen.-short.-setting Sampling { display: block; }
    TalkScreen.-short.-setting Why { display: none; }
    TalkScreen.-high Why { height: 13; }
    TalkScreen.-wide.-high #lower { layout: grid; grid-size: 2; grid-rows: 13 3; grid-columns: 2fr 1fr; height: 16; }
    TalkScreen.-wide.-high Sampling { height: 13; padding: 1 2; }
    TalkScreen.-wide.-high Entry { column-span: 2; }
    TalkScreen.-wide.-high.-no-why Sampling { column-span: 2; height: 9; padding: 0 1; }
    TalkScreen.-wide.-high.-no-why #lower { grid-rows: 9 3; height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Stop or back", show=False, id="talk.back", tooltip="Stop writing; else a step back"),
        Binding("r", "redo", "Redo", id="talk.redo", tooltip="Another version, with the next seed"),
        Binding("v", "several", "Four", id="talk.several", tooltip="Four versions side by side, to choose one of"),
        Binding("ctrl+e", "edit", "Edit", id="talk.edit", tooltip="Change the text and let the model go on from it"),
        Binding("w", "why", "Why", show=False, id="talk.why", tooltip="Show or hide why this token"),
        Binding("equals_sign", "compare", "Compare", id="talk.compare", tooltip="A second checkpoint beside it"),
        Binding("k", "pick", "Checkpoint", id="talk.pick", tooltip="Choose run and checkpoint"),
        Binding("y", "copy", "Copy", id="talk.copy", tooltip="Copy prompt and text"),
        Binding(
            "comma,less_than_sign",
            "version(-1)",
            "Version before",
            show=False,
            id="talk.before",
            tooltip="What it wrote before this",
        ),
        Binding(
            "full_stop,greater_than_sign",
            "version(1)",
            "Next version",
            show=False,
            id="talk.next",
            tooltip="What it wrote after this",
        ),
        Binding("slash,i", "prompt", "Prompt", show=False, id="talk.prompt", tooltip="Back to the prompt"),
        Binding("s", "settings", "Settings", show=False, id="talk.settings", tooltip="To temperature, length, seed"),
    ]

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._now: dict[str, tuple[CheckpointRef | None, int | None]] = {}
        """What each pane would write with, and the step that this is."""
        self._pending: str | None = None
        """A prompt that waits for a run to begin."""
        self._nothing = False
        """There is no model at all."""
        self._said = ""
        self._ticks = 0
        self._timer: Timer | None = None
        self._rest: Timer | None = None
        """Runs while the settings have not come to rest."""
        self._states: list[str] = []
        """What the texts were doing when this was said last."""

    # ---- parts ----------------------------------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        """Texts, candidates, settings, prompt."""
        sampling = self.studio.plan.sample
        self.talker = WriterThread(self.studio.engine)
        self.sources = PaneCheckpoints(self.studio)
        self.panes = Panes(self.sources)
        yield self.panes
        yield Editor()
        with Container(id="lower"):
            yield Why()
            yield Sampling(sampling)
            yield Entry(sampling.prompt.replace("\n", " "))

    def on_mount(self) -> None:
        """Draw often while text comes, and only then."""
        self._timer = self.set_interval(1 / STREAMS_A_SECOND, self._stream, pause=True)

    def on_unmount(self) -> None:
        """End the thread."""
        self.talker.close()

    def on_screen_resume(self) -> None:
        """See which run is the newest now."""
        self.run_worker(self._look, thread=True, exclusive=True, group="newest", exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        """Frames where there is room for them."""
        self.query_one(Why).set_class(event.size.height >= 24, "pane")
        self.query_one(Sampling).set_class(event.size.height >= 40 and event.size.width >= 120, "pane")
        self.call_after_refresh(self.refresh_all)  # titles are made for their room

    @property
    def pane(self) -> Transcript:
        """The pane that keys are about."""
        return self.panes.current

    @property
    def sampling(self) -> SampleConfig:
        """As the controls stand."""
        return self.query_one(Sampling).sampling

    @property
    def _typing(self) -> bool:
        return isinstance(self.focused, Input | TextArea)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys; those on letters are not offered in the footer where somebody types."""
        active = super().active_bindings
        first = [key for key in ("enter", "up") if key in active]  # what is obvious stands in front
        return {
            key: told._replace(
                binding=replace(told.binding, show=told.binding.show and not (self._typing and told.node is self))
            )
            for key, told in ((key, active[key]) for key in dict.fromkeys([*first, *active]))
        }

    # ---- which checkpoint -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find the newest run; in a thread."""
        newest = newest_run(self.studio.home)
        self.app.call_from_thread(self._found, newest)

    def _found(self, newest: RunFolder | None) -> None:
        self.sources.found(newest)
        self._prepare("A")

    def _prepare(self, pane: str) -> None:
        """Load what will probably be asked for, so that the first token comes at once."""
        source = self.sources.of(pane)
        if source and source.step() is not None:
            self.talker.prepare(source)
        self._ticks = 0
        self.refresh_all()

    def action_pick(self) -> None:
        """Choose run and checkpoint of the pane."""
        pane = self.pane.name or "A"

        def take(picked: Picked | None) -> None:
            if picked is not None:
                self.sources.pick(pane, picked if isinstance(picked, CheckpointRef) else None)
                self._prepare(pane)

        title = f"Which checkpoint writes in {pane}" if self.panes.comparing else "Which checkpoint writes"
        self.app.push_screen(Pick(self.studio, title, self.sources.of(pane), may_follow=pane == "A"), take)

    def action_compare(self) -> None:
        """A second pane with another checkpoint, or away with it."""
        if self.panes.comparing:
            self.panes.alone()
            self.refresh_all()
            return

        def take(picked: Picked | None) -> None:
            if isinstance(picked, CheckpointRef):
                self.sources.pick("B", picked)
                self._ticks = 0
                self._ask(self.panes.compare(picked))

        self.app.push_screen(Pick(self.studio, "Compare with", self.sources.other, may_follow=False), take)

    # ---- writing --------------------------------------------------------------------------------------------------

    def _ask(self, writings: Sequence[Completion]) -> None:
        self._said = ""
        if writings:
            self.talker.ask(*writings)
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
        """Go on from a prompt in all panes."""
        source = self.sources.of("A")
        if source is not None:
            self._ask(self.panes.begin(text, self.sampling))
            if source.step() is None:
                self.studio.save_first(source.run)
        elif self.sources.beginning:
            self._pending = text
        elif self.sources.looked:
            self.studio.go("home")

    def action_redo(self) -> None:
        """Another version with the next seed; what was forced by hand stays."""
        if any(pane.shown for pane in self.panes.shown):
            self._ask(self.panes.redo(self.sampling))
        else:
            self.action_write()

    def action_several(self) -> None:
        """Four more versions, written side by side, to choose one of."""
        pane, prompt = self.pane, self.query_one(Prompt)
        before = pane.shown
        versions = self.panes.several(COUNT, prompt.value, self.sampling)
        if not versions:
            self.action_write()
            return
        if before is None:
            prompt.remember()
        self.talker.ask_batch(versions)
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

        self.app.push_screen(VersionPicker(versions, self.talker.stop), take)

    def _write_on(self, pane: Transcript) -> None:
        """Go on where the shown version stopped."""
        writing = pane.shown
        if writing is None:
            self.action_write()
        elif not writing.busy:
            writing.reopen(self.sampling)
            pane.follow()
            self._ask([writing])

    @on(Transcript.GoOn)
    def _go_on(self, event: Transcript.GoOn) -> None:
        self._write_on(event.transcript)

    def action_go_on(self) -> None:
        """Write on at the end of the text."""
        self._write_on(self.pane)

    @on(Why.Forced)
    def _forced(self, event: Why.Forced) -> None:
        branch = self.panes.branch(event.candidate, self.sampling)
        if branch:
            self.pane.focus()
            self._ask(branch)
        else:
            self._say("That is the one that stands there.")

    def action_version(self, by: int) -> None:
        """Another version of this text."""
        if self.pane.versions.move(by):
            self.pane.follow()
            self.refresh_all()

    def action_earlier_version(self) -> None:
        """The version before."""
        self.action_version(-1)

    def action_later_version(self) -> None:
        """The next version."""
        self.action_version(1)

    # ---- editing and copying --------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Change the text and let the model go on from it."""
        self.talker.stop()
        writing = self.pane.shown
        self._edit(writing.text if writing and writing.text else self.query_one(Prompt).value)

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
        if self.sources.of("A") is None:
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
            self._say(f"Copied {len(text):,} characters.")

    # ---- going about ----------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Stop what is being written; else leave the editor, the prompt, the cursor."""
        if self.has_class("-editing"):
            self._close_editor()
        elif self.talker.busy or self._pending is not None:
            self._pending = None
            self.talker.stop()
            self._say("")
        elif not isinstance(self.focused, Transcript):
            self.pane.focus()
        elif self.pane.cursor is not None:
            self.pane.action_last()

    def action_prompt(self) -> None:
        """Back to the prompt."""
        self.query_one(Prompt).focus()

    def action_settings(self) -> None:
        """To temperature, length and seed."""
        self.add_class("-setting")
        self.query_one(Sampling).focus()

    def action_why(self) -> None:
        """Show or hide why this token."""
        self.toggle_class("-no-why")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane that was looked at last is the one that keys are about."""
        if isinstance(event.widget, Transcript):
            self.panes.current = event.widget
        self.set_class(isinstance(event.widget, Sampling), "-setting")
        self.refresh_all()

    @on(Transcript.Moved)
    def _moved(self) -> None:
        self._said = ""
        self.refresh_all()

    @on(Why.Walked)
    def _walked(self, event: Why.Walked) -> None:
        self.pane.action_step(event.by)

    @on(Sampling.Changed)
    def _set(self) -> None:
        self._said = ""
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, lambda: self.talker.tune(self.sampling))

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self.refresh_all()

    # ---- showing --------------------------------------------------------------------------------------------------

    def _stream(self) -> None:
        """Draw what has come; say it at once where a text does something else now; rest when nothing comes."""
        if not self.is_current:
            return
        for pane in self.panes.shown:
            pane.refresh_text(self._empty())
        before, self._states = self._states, [pane.shown.state for pane in self.panes.shown if pane.shown]
        if not self.talker.busy and self._timer:
            self._timer.pause()
            self.refresh_all()
        elif self._states != before:
            self.refresh_all()

    def tick(self) -> None:
        """Look for newer checkpoints now and then, and bring everything up to date."""
        if self.studio.talk_choice is not None:  # another screen, or the palette, wants this one
            self.sources.pick("A", CheckpointRef(*self.studio.talk_choice))
            self.studio.talk_choice = None
            self._prepare("A")
        if self._ticks % LOOK_TICKS == 0:
            self._now = {name: (s := self.sources.of(name), s.step() if s else None) for name in "AB"}
            self._nothing = self.sources.none
            if self._pending is not None and self.sources.of("A"):
                text, self._pending = self._pending, None
                self._write(text)
        self._ticks += 1
        room = self.panes.size.width // len(self.panes.shown) - 6  # corners and blanks
        for pane in self.panes.shown:
            pane.refresh_text(self._empty())
            source, step = self._now[pane.name or "A"]
            letter = self.panes.letter(pane)
            pane.border_title = wording.title(letter, source, step, pane.versions.place, self.studio.glyphs, room)
            pane.border_subtitle = wording.status(pane.shown, source, self.studio.glyphs, room)
        self._show_why()
        error = self.panes.a.shown.error if self.panes.a.shown else None
        self.query_one(Entry).show(self.talker.busy, error if isinstance(error, DataError) else None)

    def _show_why(self) -> None:
        pane = self.pane
        writing, at = pane.shown, pane.at
        if writing is None or at is None:
            self.query_one(Why).show(None, "", "")
            return
        plain = self.studio.glyphs.name == "ascii"
        before = (writing.prompt + "".join(sign(token, plain) for token in writing.tokens[:at]))[-60:]
        letter = f"in {pane.name}, " if self.panes.comparing else ""
        self.query_one(Why).show(writing.tokens[at], before, f"{letter}{at + 1} of {len(writing.tokens)}")

    def action_write(self) -> None:
        """Let the model go on from the prompt."""
        prompt = self.query_one(Prompt)
        prompt.remember()
        self._write(prompt.value)

    def _empty(self) -> Content:
        """What an empty pane says."""
        return wording.no_run() if self._nothing else wording.welcome()

    @property
    def _focus(self) -> wording.Focus:
        return "prompt" if self._typing else "candidates" if isinstance(self.focused, Why) else "text"

    def sentence(self) -> str:
        """What is going on, and what to do."""
        if self.has_class("-editing"):
            return "Enter lets the model go on from the changed text, Esc leaves it as it was."
        if isinstance(self.focused, Sampling):
            return self.focused.told
        if self._said:
            return self._said
        source, step = self._now.get(self.pane.name or "A", (None, None))
        if source is not None:
            return wording.about(self.pane.shown, step, self.sources.trains(source), self._focus)
        if self.sources.beginning:
            return wording.beginning(self._pending is not None)
        return wording.NO_RUN if self.sources.looked else "Looking for runs."
