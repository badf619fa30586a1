"""Questions: answered with one letter, the obvious one on Enter, Esc changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from tui.live.watch import ObservedRun


@dataclass(frozen=True)
class Choice:
    """One answer."""

    key: str
    """The letter that gives it, and what the dialog returns."""
    label: str
    detail: str = ""


class Ask(ModalScreen[str | None]):
    """A question with a few answers; returns the key of the one that was given, or None."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Back", id="ask.back")]

    def __init__(self, title: str, text: str, choices: Sequence[Choice], back: str = "go back") -> None:
        """The first of `choices` is the obvious one; `back` is what Esc does, in words."""
        super().__init__()
        self._title, self._text, self._choices, self._back = title, text, choices, back

    def compose(self) -> ComposeResult:
        """A box with the question, the answers, and what Esc does."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            if self._text:
                yield Static(self._text, classes="dialog-text", markup=False)
            yield OptionList(*self._answers(), markup=False)
            yield Static(self._hint(), classes="dialog-hint", markup=False)

    def _answers(self) -> Iterator[Option]:
        wide = max(len(choice.label) for choice in self._choices)
        for choice in self._choices:
            yield Option(f"{choice.key}  {choice.label:<{wide}}  {choice.detail}".rstrip(), id=choice.key)

    def _hint(self) -> str:
        return f"Enter takes the marked one, Esc: {self._back}"

    def on_mount(self) -> None:
        """Mark the obvious answer."""
        answers = self.query_one(OptionList)
        answers.highlighted = 0
        answers.focus()

    def on_key(self, event: object) -> None:
        """A letter gives its answer."""
        key = getattr(event, "character", None)
        if key is not None and any(choice.key == key for choice in self._choices):
            event.stop()  # type: ignore[attr-defined]
            self.dismiss(key)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click gives the marked one."""
        self.dismiss(event.option.id)


class Leave(Ask):
    """Whether to leave a training; where it pauses or ends while the question stands, the question says so."""

    def __init__(self, watch: ObservedRun) -> None:
        self._watch = watch
        self._told = self._state
        super().__init__(*self._question())

    @property
    def _state(self) -> tuple[str, bool]:
        status = self._watch.status
        return status, self._watch.running and status not in ("finished", "stopped", "failed")

    def _question(self) -> tuple[str, str, list[Choice], str]:
        status, running = self._told
        if running:
            text = f"{self._watch.name} is {status}. It is saved first and can go on any day."
            choices = [Choice("s", "Save and leave"), Choice("k", "Keep training, stay here")]
            return "Leave while it trains?", text, choices, "keep training"
        text = f"{self._watch.name} is over: {status}. Its run is kept."
        return "Leave?", text, [Choice("s", "Leave"), Choice("k", "Stay here")], "stay here"

    def on_mount(self) -> None:
        """Look again and again."""
        self.set_interval(0.25, self._look)

    def _look(self) -> None:
        """Ask what is to be asked now; the mark stays where it is."""
        if self._state == self._told:
            return
        self._told = self._state
        self._title, self._text, self._choices, self._back = self._question()
        self.query_one(".dialog").border_title = self._title
        self.query_one(".dialog-text", Static).update(self._text)
        self.query_one(".dialog-hint", Static).update(self._hint())
        answers = self.query_one(OptionList)
        marked = answers.highlighted
        answers.set_options(self._answers())
        answers.highlighted = marked


class AskText(ModalScreen[str | None]):
    """A question that is answered by typing; returns the text, or None."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Back", id="asktext.back")]

    def __init__(
        self, title: str, label: str, value: str = "", check: Callable[[str], str | None] = lambda _: None
    ) -> None:
        """`check` gives the sentence that says why a text cannot be taken, or None."""
        super().__init__()
        self._title, self._label, self._value, self._check = title, label, value, check

    def compose(self) -> ComposeResult:
        """A box with a line to type on."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Static(self._label, classes="dialog-text", markup=False)
            yield Input(self._value)
            yield Static("", classes="dialog-fault", markup=False)
            yield Static("Enter takes it, Esc: go back", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, or say why not."""
        fault = self._check(event.value)
        if fault is None:
            self.dismiss(event.value)
        else:
            self.query_one(".dialog-fault", Static).update(fault)
