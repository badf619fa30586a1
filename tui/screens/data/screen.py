"""Data: choose texts, tokenizer and held-out part, with a preview and statistics."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from tinylm import paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import ConfigError, TinyLMError
from tinylm.words import counted, text_size
from tui.screens.base import StudioScreen
from tui.screens.data import texts
from tui.screens.data.chooser import NOTHING_CHOSEN, Chooser
from tui.screens.data.encoding_picker import EncodingPicker
from tui.screens.data.facts import KINDS, ChartLines, Facts, TextsState, describe_error
from tui.screens.data.path_input import PathInput
from tui.screens.data.preview import Preview
from tui.screens.data.source_list import SourceTree
from tui.screens.data.texts import PreparedTexts
from tui.screens.plan import fields
from tui.studio import Studio
from tui.terminal.fit_text import first_fitting
from tui.terminal.glyphs import Glyphs
from tui.terminal.keys import hidden

if TYPE_CHECKING:
    from tinylm.corpus.profile import Profile

DEBOUNCE = 0.4
"""Seconds without another change of the plan before its texts are read."""


class DataScreen(StudioScreen):
    """Sources, preview, facts."""

    MODE = "data"
    HELP = """\
# Data

Choose what the model learns from. **Space** ticks a text, **+** and **-** say how many times it is read in a pass,
**a** adds a file or folder by its path (Tab completes; a pasted path will do), **f** shows your folders. The first
text that you add takes the place of the built-in stories; Space takes them in again.

The preview shows the text as it is read, and cut into tokens as the model sees it; **left** and **right** turn its
pages. **t** changes the kind of tokens, **[** and **]** their number, **x** how much is held out for measuring.
Where letters are wrong, **e** shows the text in other encodings to choose from.

The *lines on your chart* say what the held-out text costs without a neural network: a model that falls below
*pairs* knows more than which letter follows which.
"""
    DEFAULT_CSS = """
    DataScreen #data-top { height: 1fr; }
    DataScreen Chooser { width: 40; }
    DataScreen Preview { width: 1fr; }
    DataScreen #data-foot { height: 10; }
    DataScreen Facts { width: 1fr; }
    DataScreen ChartLines { display: none; width: 1fr; height: 100%; }
    DataScreen PathInput { display: none; }
    DataScreen.-path PathInput { display: block; }
    DataScreen.-path #data-foot { display: none; }
    DataScreen.-short #data-foot, DataScreen.-short PathInput { height: 5; }
    DataScreen.-short #sources-hint { display: none; }
    DataScreen.-narrow Chooser { width: 1fr; }
    DataScreen.-narrow Preview { display: none; }
    DataScreen.-wide Chooser { width: 54; }
    DataScreen.-wide ChartLines { display: block; }
    DataScreen.-wide.-short ChartLines { display: none; }
    DataScreen.-high #data-foot { height: 14; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose", id="data.choose", tooltip="Learn from this text, or leave it out"),
        Binding("a", "add", "Add", id="data.add", tooltip="Add a file or folder by its path"),
        Binding("enter,n", "plan", "Plan", id="data.plan", tooltip="Go on to the plan"),
        Binding("f", "folders", "Folders", id="data.folders", tooltip="Choose in the folders of this machine"),
        Binding("t", "next_kind", "Tokenizer", id="data.tokenizer", tooltip="bpe, characters or bytes"),
        Binding("x", "next_held_out", "Held out", id="data.held_out", tooltip="How much is kept for measuring"),
        hidden("plus,equals_sign", "weight(True)", "Heavier", id="data.heavier", tooltip="Read it more often"),
        hidden("minus", "weight(False)", "Lighter", id="data.lighter", tooltip="Read it less often"),
        hidden("delete,backspace", "drop", "Off the list", id="data.drop", tooltip="Take it off"),
        hidden("right", "turn(True)", "Next page", id="data.next_page", tooltip="The next excerpt"),
        hidden("left", "turn(False)", "Page before", id="data.page_before", tooltip="The excerpt before"),
        hidden("b", "view", "View", id="data.view", tooltip="Preview as text, as tokens, or both"),
        hidden("[", "vocabulary(False)", "Fewer tokens", id="data.smaller", tooltip="A smaller vocabulary"),
        hidden("]", "vocabulary(True)", "More tokens", id="data.larger", tooltip="A larger vocabulary"),
        hidden("e", "encoding", "Encoding", id="data.encoding", tooltip="Say how bytes become letters"),
        hidden("X", "next_placement", "Held-out place", id="data.place", tooltip="At the end, or in spans"),
    ]

    @dataclass
    class Read(Message):
        """A stage of reading a plan's texts has ended."""

        config: RunConfig
        profile: Profile | None
        prepared: PreparedTexts | None
        fault: BaseException | None

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.state: TextsState | None = None
        """What is known about the plan's texts; None before the screen is mounted."""
        self.reader = texts.TextReader(self._post_read)
        self._message: tuple[str, ...] = ()
        """What the last key did or could not do, in several lengths, the longest first."""
        self._message_source: str | None = None
        """The text that was marked when the message was set."""
        self._timer: Timer | None = None
        self._glyphs: Glyphs | None = None

    def body(self) -> ComposeResult:
        """Sources and preview above, statistics and baselines below."""
        with Horizontal(id="data-top"):
            yield Chooser(self.studio.home)
            yield Preview()
        yield PathInput()
        with Horizontal(id="data-foot"):
            yield Facts()
            yield ChartLines()

    def on_mount(self) -> None:
        """Show the plan's sources at once, look up other texts, and read the plan's texts."""
        self.state = TextsState(self.studio.plan, doing="reading")
        self.chooser.follow(self.studio.plan.data)
        self.chooser.look_up()
        self.chooser.list.focus()
        self._read_soon(0)

    def on_screen_resume(self) -> None:
        """Look up texts of new runs, and read what was changed on other screens."""
        if self.state is not None:
            self.chooser.look_up()
            self.plan_changed(self.studio.plan)

    # ---- choosing -------------------------------------------------------------------------------------------------

    @property
    def chooser(self) -> Chooser:
        """The pane on the left."""
        return self.query_one(Chooser)

    def on_chooser_changed(self, message: Chooser.Changed) -> None:
        """Change the plan."""
        self._propose(data={"sources": message.sources, "weights": message.weights})
        if message.left_stories and not self._message:
            left = "The built-in stories are left out now"
            self._show_message(f"{left}; Space on them takes them in again.", f"{left}.")

    def on_chooser_refused(self, message: Chooser.Refused) -> None:
        """Show why."""
        self._show_message(*message.why)

    def _propose(self, **groups: Mapping[str, object]) -> None:
        """Change the plan, or show why the change is not valid."""
        self._message = ()
        try:
            self.studio.set_plan(resolve.with_values(self.studio.plan, **groups))
        except ConfigError as error:
            self._show_message(f"{error.message} {error.hint}", error.message)

    def _show_message(self, *ways: str) -> None:
        marked = self.chooser.list.marked
        self._message, self._message_source = ways, marked.path if marked else None
        self.refresh_all()

    def on_option_list_option_highlighted(self) -> None:
        """Clear a message about another text."""
        marked = self.chooser.list.marked
        if marked is not None and marked.path != self._message_source:
            self._message = ()

    def action_choose(self) -> None:
        """Learn from the marked text, or leave it out again."""
        self.chooser.toggle()

    def action_weight(self, heavier: bool) -> None:
        """Read the marked text once more, or once less, in an epoch."""
        self.chooser.weigh(1 if heavier else -1)

    def action_drop(self) -> None:
        """Take an added text off the list."""
        self.chooser.drop()

    def action_add(self) -> None:
        """Type a path."""
        self.add_class("-path")
        self.query_one(PathInput).open()

    def on_paste(self, event: events.Paste) -> None:
        """Take pasted text, or a file that is dropped onto the terminal, as a path to add."""
        event.stop()
        pasted = event.text.strip().partition("\n")[0].strip("'\"")
        if pasted:
            self.add_class("-path")
            self.query_one(PathInput).open(pasted)

    def on_path_input_given(self, message: PathInput.Given) -> None:
        """Choose the path."""
        self.chooser.take(message.path)
        self.on_path_input_left()

    def on_path_input_left(self) -> None:
        """Hide the input."""
        self.remove_class("-path")
        self.chooser.list.focus()

    async def action_give_path(self) -> None:
        """Submit the path that is typed."""
        await self.query_one(PathInput).query_one(Input).action_submit()

    async def action_folders(self) -> None:
        """Show the tree of folders in place of the list."""
        try:
            await self.chooser.open_tree(paths.absolute("."))
        except ConfigError as error:
            self.studio.fault(error)

    # ---- tokenizer, held-out part, preview ------------------------------------------------------------------------

    def action_next_kind(self) -> None:
        """Cycle through bpe, characters and bytes."""
        self.action_kind(KINDS[(KINDS.index(self.studio.plan.tokenizer.kind) + 1) % len(KINDS)])

    def action_kind(self, kind: str) -> None:
        """Use this kind of tokenizer."""
        # A preset may have left a vocabulary that is too small for the 256 bytes of bpe.
        size = max(self.studio.plan.tokenizer.vocab_size, texts.VOCABULARIES[0])
        self._propose(tokenizer={"kind": kind, "vocab_size": size})

    def action_vocabulary(self, up: bool) -> None:
        """A larger or smaller vocabulary."""
        tokenizer = self.studio.plan.tokenizer
        if tokenizer.kind != "bpe":
            self._show_message(f"{fields.unused_reason(self.studio.plan, 'tokenizer.vocab_size')} t changes the kind.")
            return
        self._propose(tokenizer={"vocab_size": texts.next_vocabulary(tokenizer.vocab_size, up)})

    def action_next_held_out(self) -> None:
        """The next of the usual shares."""
        self.action_hold_out(texts.next_held_out(self.studio.plan.data.val_fraction))

    def action_hold_out(self, fraction: float) -> None:
        """Hold this share out."""
        self._propose(data={"val_fraction": float(fraction)})

    def action_next_placement(self) -> None:
        """Switch between spans and tail."""
        self.action_placement("tail" if self.studio.plan.data.val_placement == "spans" else "spans")

    def action_placement(self, placement: str) -> None:
        """Hold out in spans, or at the end."""
        self._propose(data={"val_placement": placement})

    def action_encoding(self) -> None:
        """Choose the encoding of the texts by what they read like in it."""
        sources = self.studio.plan.data.sources
        picker = EncodingPicker(self.studio.plan.data.encoding, lambda name: texts.excerpt_in(sources, name))
        self.app.push_screen(picker, self._encoding_chosen)

    def _encoding_chosen(self, name: str | None) -> None:
        if name is not None:
            self._propose(data={"encoding": name})

    def action_turn(self, on: bool) -> None:
        """The next excerpt, or the one before."""
        self.query_one(Preview).turn(1 if on else -1)
        self._show_tokens()

    def action_view(self) -> None:
        """Preview as text, as tokens, or both."""
        self.query_one(Preview).next_view()

    def action_plan(self) -> None:
        """Go to Plan, unless these texts cannot be used."""
        if not self.chooser.list.chosen:
            self._show_message(*NOTHING_CHOSEN)
        elif self.state is not None and self.state.fault is not None:
            title, message = self._fault(self.state)
            self._show_message(f"No plan with this yet: {message}", f"No plan yet. {title}.")
            self.app.bell()
        else:
            self.studio.go("plan")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable keys that the path input and the tree use themselves."""
        focused = self.focused
        inside = [type(node) for node in focused.ancestors_with_self] if focused is not None else []
        if PathInput in inside and action in _LIST_ONLY | _EVERYWHERE:
            return False
        return not (SourceTree in inside and action in _LIST_ONLY)

    # ---- reading --------------------------------------------------------------------------------------------------

    def plan_changed(self, plan: RunConfig) -> None:
        """Keep what still holds for the new plan, and read the rest."""
        assert self.state is not None
        self.chooser.follow(plan.data)
        before, self.state = self.state, replace(self.state, config=plan)
        # A fault may have been repaired meanwhile: any change tries again.
        if _read_of(plan) != _read_of(before.config) or self.reader.wanted is None or before.fault is not None:
            same_text = _text_of(plan) == _text_of(before.config) and before.fault is None
            same_split = same_text and plan.data == before.config.data
            self.state = TextsState(
                plan,
                profile=before.profile if same_text else None,
                baselines=before.baselines if same_split else None,
                doing="learning the tokenizer" if same_text and before.profile else "reading",
            )
            if self.is_current:
                self._read_soon(DEBOUNCE)
            else:
                self.reader.wanted = None  # read when the screen is shown again
        self._draw()

    def _read_soon(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.stop()
        self.reader.wanted = self.studio.plan
        self._timer = self.set_timer(seconds, self._read) if seconds else None
        if not seconds:
            self._read()

    def _read(self) -> None:
        assert self.state is not None
        self.reader.start(self.studio.plan, self.studio.home, self.state.profile)

    def _post_read(
        self, config: RunConfig, profile: Profile | None, prepared: PreparedTexts | None, fault: BaseException | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the app has gone meanwhile
            self.post_message(self.Read(config, profile, prepared, fault))

    def on_data_screen_read(self, message: Read) -> None:
        """Show the result, unless the plan has changed since."""
        assert self.state is not None
        if message.config is not self.reader.wanted:
            return
        done = message.prepared is not None or message.fault is not None
        self.state = TextsState(
            self.state.config,
            message.profile,
            message.prepared,
            message.prepared.baselines if message.prepared else self.state.baselines,
            message.fault,
            "" if done else "learning the tokenizer",
        )
        if message.fault is not None and not isinstance(message.fault, TinyLMError | OSError):
            self.studio.fault(message.fault)
        self._draw()

    # ---- drawing --------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw preview, statistics and baselines, as far as they are known."""
        if self.state is None:
            return
        state, glyphs = self.state, self.studio.glyphs
        preview, facts = self.query_one(Preview), self.query_one(Facts)
        preview.glyphs = facts.glyphs = glyphs
        waiting = "No text to show." if state.fault else state.doing + glyphs.ellipsis
        preview.show(state.profile.excerpts if state.profile and state.fault is None else (), waiting)
        self._show_tokens()
        short, wide = self.has_class("-short"), self.has_class("-wide")
        facts.show(state, short, lines_too=not wide or short)
        self.query_one(ChartLines).show(state, glyphs)

    def _show_tokens(self) -> None:
        state, preview = self.state, self.query_one(Preview)
        if state is not None and state.prepared is not None and preview.excerpt:
            preview.show_tokens(texts.token_pieces(state.prepared.tokenizer, preview.excerpt))
        elif state is not None and state.doing and preview.excerpt:
            preview.show_tokens((), state.doing + self.studio.glyphs.ellipsis)
        else:
            preview.show_tokens(())

    def on_resize(self) -> None:
        """Draw after the layout, which gives the panes their sizes."""
        self.call_after_refresh(self._draw)

    def tick(self) -> None:
        """Draw anew if the glyphs have changed."""
        glyphs = self.studio.glyphs
        if glyphs is not self._glyphs:
            self._glyphs = glyphs
            self.chooser.draw_with(glyphs)
            self._draw()

    def sentence(self) -> str:
        """Whether the texts can be used, or the last message."""
        if self.state is None:
            return ""
        return first_fitting(self.size.width - 2, *(self._message or self._status(self.state)))

    def _status(self, state: TextsState) -> tuple[str, ...]:
        """The state of the texts, in several lengths, the longest first."""
        glyphs = self.studio.glyphs
        if not self.chooser.list.chosen:
            return NOTHING_CHOSEN
        if state.fault is not None:
            title, message = self._fault(state)
            return f"{message} Space chooses another text.", message, f"{title}."
        if state.doing:
            doing, sources = state.doing.capitalize(), state.config.data.sources
            names = ", ".join(texts.short_names(sources).values())
            return f"{doing}: {names} {glyphs.ellipsis}", f"{doing}: {counted(len(sources), 'text')} {glyphs.ellipsis}"
        if state.cautions:
            caution = f"{glyphs.warning} {state.cautions[0]}"
            return caution, caution.partition(":")[0] + "."
        assert state.profile is not None
        return (f"{text_size(state.profile.bytes)}: enough to begin with. Enter goes on to the plan.",)

    def _fault(self, state: TextsState) -> tuple[str, str]:
        """Title and message of the fault, with short names as on the list; the facts show whole paths."""
        assert state.fault is not None
        title, message, _ = describe_error(state.fault)
        for path, name in texts.short_names(state.config.data.sources).items():
            message = message.replace(path, name)
        return title, message


_LIST_ONLY = frozenset({"choose", "weight", "drop", "folders", "plan", "turn"})
_EVERYWHERE = frozenset({"add", "next_kind", "next_held_out", "next_placement", "vocabulary", "view", "encoding"})


def _text_of(config: RunConfig) -> tuple[object, ...]:
    """The settings that decide which text is read."""
    return config.data.sources, config.data.encoding, config.data.unwrap


def _read_of(config: RunConfig) -> tuple[object, ...]:
    """The settings that decide what `prepare_texts` returns."""
    data = config.data.model_dump(exclude={"windows"})
    return data, config.tokenizer, [phase.sources for phase in config.train.phases]
