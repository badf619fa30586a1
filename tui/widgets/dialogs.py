"""Dialogs that ask a question."""

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
    """An answer of a dialog."""

    key: str
    """The letter that chooses it, and what the dialog returns."""
    label: str
    detail: str = ""


class Ask(ModalScreen[str | None]):
    """A question with a few answers; returns the key of the chosen one, or None after Esc."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Back", id="ask.back")]

    def __init__(self, title: str, text: str, choices: Sequence[Choice], back: str = "go back") -> None:
        """The first of `choices` is the default; `back` describes what Esc does."""
        super().__init__()
        self._title, self._text, self._choices, self._back = title, text, choices, back

    def compose(self) -> ComposeResult:
        """A box with question, answers, and a hint."""
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
        """Mark the default."""
        answers = self.query_one(OptionList)
        answers.highlighted = 0
        answers.focus()

    def on_key(self, event: object) -> None:
        """Choose the answer of a letter."""
        key = getattr(event, "character", None)
        if key is not None and any(choice.key == key for choice in self._choices):
            event.stop()  # type: ignore[attr-defined]
            self.dismiss(key)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose by Enter or a click."""
        self.dismiss(event.option.id)


class Leave(Ask):
    """Asks whether to leave a training, and keeps up with its status."""

    def __init__(self, watch: ObservedRun) -> None:
        self._watch = watch
        self._shown_state = self._state
        super().__init__(*self._question())

    @property
    def _state(self) -> tuple[str, bool]:
        status = self._watch.status
        return status, self._watch.running and status not in ("finished", "stopped", "failed")

    def _question(self) -> tuple[str, str, list[Choice], str]:
        status, running = self._shown_state
        if running:
            text = f"{self._watch.name} is {status}. It is saved first and can go on any day."
            choices = [Choice("s", "Save and leave"), Choice("k", "Keep training, stay here")]
            return "Leave while it trains?", text, choices, "keep training"
        text = f"{self._watch.name} is over: {status}. Its run is kept."
        return "Leave?", text, [Choice("s", "Leave"), Choice("k", "Stay here")], "stay here"

    def on_mount(self) -> None:
        """Follow the status."""
        self.set_interval(0.25, self._update)

    def _update(self) -> None:
        """Ask anew if the status has changed; the mark stays."""
        if self._state == self._shown_state:
            return
        self._shown_state = self._state
        self._title, self._text, self._choices, self._back = self._question()
        self.query_one(".dialog").border_title = self._title
        self.query_one(".dialog-text", Static).update(self._text)
        self.query_one(".dialog-hint", Static).update(self._hint())
        answers = self.query_one(OptionList)
        marked = answers.highlighted
        answers.set_options(self._answers())
        answers.highlighted = marked


class AskText(ModalScreen[str | None]):
    """A question that is answered by typing; returns the text, or None after Esc."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Back", id="asktext.back")]

    def __init__(
        self, title: str, label: str, value: str = "", check: Callable[[str], str | None] = lambda _: None
    ) -> None:
        """`check` returns why a text cannot be taken, or None."""
        super().__init__()
        self._title, self._label, self._value, self._check = title, label, value, check

    def compose(self) -> ComposeResult:
        """A box with an input."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Static(self._label, classes="dialog-text", markup=False)
            yield Input(self._value)
            yield Static("", classes="dialog-fault", markup=False)
            yield Static("Enter takes it, Esc: go back", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Focus the input."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the text, or show why it cannot be taken."""
        fault = self._check(event.value)
        if fault is None:
            self.dismiss(event.value)
        else:
            self.query_one(".dialog-fault", Static).update(fault)
