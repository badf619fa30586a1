"""A dialog to name the encoding of the texts, beside the text as the marked one would read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tinylm.config.encodings import AUTO, NAMES
from tinylm.words import printable

_LANGUAGES = {
    "Windows-1252": "western",
    "Windows-1250": "central Europe",
    "Windows-1251": "Cyrillic",
    "Windows-1253": "Greek",
    "Windows-1254": "Turkish",
    "Windows-1255": "Hebrew",
    "Windows-1256": "Arabic",
    "Windows-1257": "Baltic",
    "Windows-1258": "Vietnamese",
    "Windows-874": "Thai",
    "Shift-JIS": "Japanese",
    "EUC-JP": "Japanese",
    "GB18030": "Chinese",
    "Big5": "Chinese",
    "EUC-KR": "Korean",
    "KOI8-R": "Russian",
    "DOS-866": "Russian",
}


class EncodingPicker(ModalScreen[str | None]):
    """Encodings on the left, the text on the right; returns the name of the chosen one, or None."""

    DEFAULT_CSS = """
    EncodingPicker #encoding { width: 110; max-width: 96%; height: 30; max-height: 96%; padding: 0 1; }
    EncodingPicker #encoding { background: $surface; border: round $accent; }
    EncodingPicker #encoding-panes { height: 1fr; }
    EncodingPicker OptionList { width: 30; height: 1fr; border: none; background: $surface; padding: 0; }
    EncodingPicker OptionList { margin-right: 1; scrollbar-size-vertical: 1; }
    EncodingPicker OptionList:focus { border: none; }
    EncodingPicker VerticalScroll { width: 1fr; scrollbar-size-vertical: 1; }
    EncodingPicker #encoding-keys { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", id="encoding.back")]

    def __init__(self, now: str, read: Callable[[str], str]) -> None:
        """`now` is the encoding of the plan; `read` gives a piece of the text in an encoding, or says why it cannot."""
        super().__init__()
        self._now, self._read = now, read

    def compose(self) -> ComposeResult:
        """The list and the text, and what the keys do."""
        names = list(dict.fromkeys([AUTO, *NAMES.values(), self._now]))
        with Vertical(id="encoding") as box:
            box.border_title = "Encoding of the texts"
            with Horizontal(id="encoding-panes"):
                yield OptionList(
                    *(Option(f"{name:<14}{_LANGUAGES.get(name, '')}".rstrip(), id=name) for name in names), markup=False
                )
                with VerticalScroll(can_focus=False):
                    yield Static("", id="encoding-text", markup=False)
            yield Static("Enter reads all texts so; Esc goes back", id="encoding-keys", markup=False)

    def on_mount(self) -> None:
        """Mark the encoding of the plan."""
        names = self.query_one(OptionList)
        names.highlighted = names.get_option_index(self._now)
        names.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Read the text in the marked encoding."""
        name = event.option.id or AUTO
        self.run_worker(lambda: self._look(name), thread=True, exclusive=True, exit_on_error=False)

    def _look(self, name: str) -> None:
        text = self._read(name)
        if self.is_attached:
            self.app.call_from_thread(self._show, name, text)

    def _show(self, name: str, text: str) -> None:
        marked = self.query_one(OptionList).highlighted_option
        if marked is not None and marked.id == name:
            self.query_one("#encoding-text", Static).update(printable(text))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose by Enter or a click."""
        self.dismiss(event.option.id)
