"""The pane in which texts are chosen: the list of sources, or the tree of folders in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static

from tinylm.config.schema import STORIES, DataConfig
from tui.screens.data import texts
from tui.screens.data.source_list import MAX_WEIGHT, Source, SourceList, SourceTree, normalized, tick
from tui.screens.data.texts import PathSize
from tui.terminal.glyphs import ASCII, Glyphs

NOTHING_CHOSEN = (
    "Nothing is chosen: Space chooses a text. The plan keeps what it had.",
    "Nothing is chosen: Space chooses a text.",
)


class Chooser(Vertical):
    """Lets a person choose texts; posts what was chosen, or why something cannot be."""

    DEFAULT_CSS = """
    Chooser #sources-hint { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; link-style: none;
                            link-color: $text-muted; }
    Chooser.-tree SourceList, Chooser.-tree #sources-hint { display: none; }
    """

    @dataclass
    class Changed(Message):
        """Other texts or weights were chosen; at least one text is."""

        sources: list[str]
        weights: list[int] | None
        left_stories: bool
        """Whether the stories, which every plan begins with, gave way to the first text of one's own."""

    @dataclass
    class Refused(Message):
        """Something cannot be done."""

        why: tuple[str, ...]
        """The reason in several lengths, the longest first."""

    @dataclass
    class Listed(Message):
        """Sizes of paths, and the texts that earlier runs used, were looked up."""

        used: Sequence[str]
        sizes: dict[str, PathSize | None]

    def __init__(self, home: Path) -> None:
        """The texts of the runs of `home` are offered again."""
        super().__init__(id="chooser", classes="pane")
        self.border_title = "Sources"
        self.home = home
        self._shown: tuple[list[str], list[int] | None] | None = None
        """Sources and weights of the plan that the list shows."""
        self._chose = False
        """Whether the person has chosen anything here; until then the stories are only a default."""

    def compose(self) -> ComposeResult:
        """The list, and those keys for which the footer has no room."""
        yield SourceList()
        yield Static("", id="sources-hint", markup=False)

    @property
    def list(self) -> SourceList:
        """The sources."""
        return self.query_one(SourceList)

    def draw_with(self, glyphs: Glyphs) -> None:
        """Draw with these glyphs from now on."""
        left, right = ("<-", "->") if glyphs is ASCII else ("←", "→")
        hint = (
            "[@click=screen.weight(True)]+[/] [@click=screen.weight(False)]-[/] weight   [@click=screen.drop]Del off[/]"
            f"   [@click=screen.turn(False)]{left}[/] [@click=screen.turn(True)]{right}[/] pages"
        )
        self.query_one("#sources-hint", Static).update(Content.from_markup(hint))
        self.list.glyphs = glyphs
        self.list.redraw()

    # ---- showing plan and disk ------------------------------------------------------------------------------------

    def follow(self, data: DataConfig) -> None:
        """Tick the sources of the plan, unless the list shows them already."""
        if self._shown == (data.sources, data.weights):
            return
        self._shown = (data.sources, data.weights)
        listed = [replace(source, chosen=False, weight=1) for source in self.list.sources] or [Source(STORIES)]
        for path, weight in zip(data.sources, data.weights or [1] * len(data.sources), strict=True):
            listed = tick(listed, path, chosen=True, added=True)
            wanted = normalized(path)
            listed = [replace(s, weight=weight) if normalized(s.path) == wanted else s for s in listed]
        self._show(listed, data.sources[0] if self.list.highlighted is None else None)

    def look_up(self) -> None:
        """Look up, in a thread, which texts earlier runs used and how large the texts are."""
        paths, home = [source.path for source in self.list.sources], self.home

        def look() -> None:
            used = texts.used_before(home)
            on_disk = [path for path in dict.fromkeys([*paths, *used]) if path != STORIES]
            self.post_message(self.Listed(used, {path: texts.path_size(path) for path in on_disk}))

        self.run_worker(look, thread=True, exclusive=True, group="look-up", exit_on_error=False)

    def on_chooser_listed(self, message: Listed) -> None:
        """Append the texts of earlier runs, and dim the ones that are gone."""
        listed = list(self.list.sources)
        on_list = {normalized(source.path) for source in listed}
        listed += [Source(path) for path in message.used if normalized(path) not in on_list]
        for i, source in enumerate(listed):
            if source.path in message.sizes:
                size = message.sizes[source.path]
                listed[i] = replace(source, size=size, gone=size is None)
        self._show(listed)

    def _show(self, listed: Sequence[Source], mark: str | None = None) -> None:
        self.list.show(listed, mark)
        chosen = self.list.chosen
        self.border_subtitle = f"{len(chosen)} chosen" if chosen else "none chosen"
        for tree in self.query(SourceTree):
            tree.mark(source.path for source in chosen)

    # ---- choosing -------------------------------------------------------------------------------------------------

    def _choose(self, listed: Sequence[Source], mark: str | None = None, left_stories: bool = False) -> None:
        self._chose = True
        self._show(listed, mark)
        chosen = self.list.chosen
        if not chosen:
            self._refuse(*NOTHING_CHOSEN)
            return
        weights = [source.weight for source in chosen]
        self._shown = [source.path for source in chosen], None if set(weights) == {1} else weights
        self.post_message(self.Changed(*self._shown, left_stories))

    def _refuse(self, *why: str) -> None:
        self.post_message(self.Refused(why))

    def toggle(self) -> None:
        """Tick the marked text, or leave it out again."""
        source = self.list.marked
        if source is None:
            return
        if source.gone and not source.chosen:
            name = source.path.rstrip("/").rpartition("/")[2]
            self._refuse(f"{name} is gone: put it back, or choose another.", "It is gone: put it back.")
            return
        self._choose(tick(self.list.sources, source.path))

    @on(OptionList.OptionSelected, "#sources")
    def _clicked(self) -> None:
        self.toggle()

    def weigh(self, by: int) -> None:
        """Change by `by` how often the marked text is read in an epoch; choose it if it is not chosen."""
        source = self.list.marked
        if source is None:
            return
        if source.gone and not source.chosen:
            self.toggle()
            return
        weight = source.weight + by if source.chosen else 1
        if not 1 <= weight <= MAX_WEIGHT:
            self._refuse(f"A text is read 1 to {MAX_WEIGHT} times in a pass; Space leaves it out.")
            return
        changed = replace(source, chosen=True, weight=weight)
        self._choose([changed if other.path == source.path else other for other in self.list.sources])

    def drop(self) -> None:
        """Remove an added text from the list."""
        source = self.list.marked
        if source is None:
            return
        if not source.added:
            why = "is built in" if source.path == STORIES else "was used by an earlier run"
            self._refuse(f"It {why} and stays on the list; Space leaves it out.", "It stays; Space leaves it out.")
            return
        left = [other for other in self.list.sources if other.path != source.path]
        if source.chosen:
            self._choose(left)
        else:
            self._show(left)

    def take(self, path: str, chosen: bool | None = True) -> None:
        """Choose the text at a path, which may be new on the list; `chosen=None` toggles it.

        The first text of a person's own replaces the stories, if these were only the default.
        """
        listed = tick(self.list.sources, path, chosen, added=True)
        wanted = normalized(path)
        taken = next(source for source in listed if normalized(source.path) == wanted)
        only_stories = [source.path for source in self.list.chosen] == [STORIES]
        left_stories = only_stories and not self._chose and taken.chosen and taken.path != STORIES
        if left_stories:
            listed = tick(listed, STORIES, chosen=False)
        self._choose(listed, taken.path, left_stories)
        self.look_up()

    # ---- the tree -------------------------------------------------------------------------------------------------

    async def open_tree(self, folder: Path) -> None:
        """Show folders in place of the list."""
        if self.query(SourceTree):
            return
        tree = SourceTree(folder)
        await self.mount(tree, before="#sources-hint")
        self.add_class("-tree")
        self.border_title = "Folders"
        tree.mark(source.path for source in self.list.chosen)
        tree.focus()

    def on_source_tree_taken(self, message: SourceTree.Taken) -> None:
        """Choose what was taken, or leave it again."""
        self.take(message.path, chosen=None)

    async def on_source_tree_left(self) -> None:
        """Back to the list."""
        self.remove_class("-tree")
        self.border_title = "Sources"
        await self.query(SourceTree).remove()
        self.list.focus()
