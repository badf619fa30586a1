"""One text or two side by side, and what is to be written next in them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from tinylm.config.schema import SampleConfig
from tui.engine import TokenCandidate
from tui.screens.talk.pane_sources import PaneCheckpoints
from tui.screens.talk.sampling import changed
from tui.screens.talk.transcript import SEEDS, Transcript
from tui.screens.talk.writer_thread import CheckpointRef, Completion


class Panes(Horizontal):
    """The panes A and B. Its methods add versions and return those that the thread is to be asked for."""

    DEFAULT_CSS = """
    Panes { height: 1fr; }
    Panes #text-b { display: none; }
    Panes.-comparing #text-b { display: block; }
    """

    def __init__(self, sources: PaneCheckpoints) -> None:
        super().__init__()
        self._sources = sources
        self.a, self.b = Transcript("A"), Transcript("B")
        self._current = self.a

    def compose(self) -> ComposeResult:
        """Both; the second one is hidden until it is wanted."""
        yield self.a
        yield self.b

    @property
    def comparing(self) -> bool:
        """Whether there are two."""
        return self.has_class("-comparing")

    @property
    def current(self) -> Transcript:
        """The one that keys are about: that was looked at last."""
        return self._current if self.comparing else self.a

    @current.setter
    def current(self, pane: Transcript) -> None:
        self._current = pane

    @property
    def shown(self) -> list[Transcript]:
        """Those that are there to see."""
        return [self.a, self.b] if self.comparing else [self.a]

    def letter(self, pane: Transcript) -> str:
        """Its letter, where there are two."""
        return f"{pane.name}  " if self.comparing else ""

    # ---- what to write --------------------------------------------------------------------------------------------

    def _add(
        self, pane: Transcript, source: CheckpointRef, prompt: str, sampling: SampleConfig, under: str | None
    ) -> Completion:
        writing = Completion(source, prompt, sampling)
        pane.add(writing, prompt=under)
        return writing

    def begin(self, prompt: str, sampling: SampleConfig) -> list[Completion]:
        """Go on from a prompt; with the next seed where the same model has written just that already."""
        source = self._sources.of("A")
        before = self.a.shown
        if source and before and (before.prompt, before.step) == (prompt, source.step()):
            versions = self.a.versions
            if sampling in [writing.sampling for writing in versions.all if not writing.error]:
                sampling = changed(sampling, "seed", versions.next_seed)
        return self._in_all(prompt, sampling, prompt)

    def edited(self, text: str, sampling: SampleConfig) -> list[Completion]:
        """Go on from a text that a person changed: another version of it."""
        return self._in_all(text, sampling, None if self.a.shown else text)

    def _in_all(self, prompt: str, sampling: SampleConfig, under: str | None) -> list[Completion]:
        sources = [(pane, self._sources.of(pane.name or "")) for pane in self.shown]
        return [self._add(pane, source, prompt, sampling, under) for pane, source in sources if source]

    def redo(self, sampling: SampleConfig) -> list[Completion]:
        """Another version of each text with the next seed; what a person forced stays."""
        sampling = changed(sampling, "seed", max(pane.versions.next_seed for pane in self.shown))
        asked = []
        for pane in self.shown:
            if pane.shown:
                again = pane.shown.again(sampling)
                source = self._sources.of(pane.name or "")
                if source and not again.kept:  # nothing binds it to the old model: its prompt is read anew
                    again = Completion(source, again.prompt, sampling)
                pane.add(again)
                asked.append(again)
        return asked

    def several(self, count: int, prompt: str, sampling: SampleConfig) -> list[Completion]:
        """More versions of the current pane's text, or of `prompt` where it has none, alike but for their seeds."""
        pane = self.current
        shown, checkpoint = pane.shown, self._sources.of(pane.name or "")
        if shown is None and checkpoint is None:
            return []
        first = pane.versions.next_seed if shown else sampling.seed
        samplings = [changed(sampling, "seed", (first + i) % SEEDS) for i in range(count)]
        if shown and (shown.kept or checkpoint is None):
            added = [shown.again(each) for each in samplings]
        else:
            assert checkpoint is not None
            added = [Completion(checkpoint, shown.prompt if shown else prompt, each) for each in samplings]
        pane.add(*added, prompt=None if shown else prompt)
        return added

    def branch(self, candidate: TokenCandidate, sampling: SampleConfig) -> list[Completion]:
        """Put a candidate under the cursor of the current pane; nothing where it stands there already."""
        pane = self.current
        writing, at = pane.shown, pane.at
        if writing is None or at is None:
            return []
        if candidate.token == writing.tokens[at].token:
            return []
        branch = writing.branched(at, candidate, sampling)
        pane.add(branch)
        return [branch]

    def compare(self, source: CheckpointRef) -> list[Completion]:
        """Show B, with what A has: the same prompt, settings and seed."""
        self.add_class("-comparing")
        a = self.a.shown
        if a is None or a.error:
            return []
        beside = [self._add(self.b, source, a.prompt, a.sampling, a.prompt)]
        if a.busy:  # both from the start, so that they go in step
            beside.insert(0, self._add(self.a, a.checkpoint, a.prompt, a.sampling, None))
        return beside

    def alone(self) -> None:
        """Away with B."""
        if self.b.shown:
            self.b.shown.stop.set()
        if self.b.has_focus:
            self.a.focus()
        self.current = self.a
        self.remove_class("-comparing")
