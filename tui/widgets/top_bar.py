"""The bar at the top of every screen, and the sentence near its foot."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widgets import Static

TABS = (("data", "1 Data"), ("plan", "2 Plan"), ("train", "3 Train"), ("talk", "4 Talk"), ("runs", "5 Runs"))


class TopBar(Static):
    """The screens' names, to click on, and the pulse of the training."""

    def __init__(self, mode: str) -> None:
        super().__init__(id="top")
        self.mode = mode
        self.pulse = ""

    def show(self, pulse_in: Callable[[int], str]) -> None:
        """Bring the pulse up to date; `pulse_in` gives it in as many cells as there is room for."""
        tabs = self._tabs()
        room = self.size.width - tabs.cell_length - 2
        pulse = pulse_in(room)
        if (pulse, self.size.width) != self._drawn:
            self.pulse, self._drawn = pulse, (pulse, self.size.width)
            self.update(tabs + Content(" " * max(1, room + 1 - len(pulse)) + pulse), layout=False)

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
    """One line: what is going on, and whether somebody has to do something."""

    def __init__(self) -> None:
        super().__init__(id="sentence", markup=False)
        self._said = ""

    def say(self, sentence: str) -> None:
        """Say it; the same again costs nothing, and a new one moves nothing else."""
        if sentence != self._said:
            self._said = sentence
            self.update(sentence, layout=False)
