"""The bar at the top of every screen, and the sentence above its key bar."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tinylm.words import one_line

TABS = (("data", "1 Data"), ("plan", "2 Plan"), ("train", "3 Train"), ("talk", "4 Talk"), ("runs", "5 Runs"))


class TopBar(Static):
    """The names of the screens, which can be clicked, and the pulse of the training."""

    def __init__(self, mode: str) -> None:
        super().__init__(id="top")
        self.mode = mode
        self.pulse = ""

    def show(self, pulse_in: Callable[[int], str]) -> None:
        """Update the pulse; `pulse_in(room)` returns it in at most `room` cells."""
        tabs = self._tabs()
        room = self.size.width - tabs.cell_length - 2
        pulse = one_line(pulse_in(room))
        if (pulse, self.size.width) != self._drawn:
            self.pulse, self._drawn = pulse, (pulse, self.size.width)
            self.update(tabs + Content(" " * max(1, room + 1 - cell_len(pulse)) + pulse), layout=False)

    _drawn = ("", 0)

    def _tabs(self) -> Content:
        narrow = self.size.width < 76
        tabs = Content.assemble(" " if narrow else " tinylm ")
        for mode, title in TABS:
            shown = title.partition(" ")[0] if narrow and mode != self.mode else title
            here = mode == self.mode
            tab = Content.from_markup(f"[@click=app.go('{mode}')]$tab[/]", tab=f"[{shown}]" if here else f" {shown} ")
            tabs += tab.stylize("bold") if here else tab
        return tabs


class Sentence(Static):
    """One line: what is going on, and what the person can do."""

    def __init__(self) -> None:
        super().__init__(id="sentence", markup=False)

    def say(self, sentence: str) -> None:
        """Show a sentence; cheap, and without a new layout."""
        sentence = one_line(sentence)
        if sentence != self.content:
            self.update(sentence, layout=False)
