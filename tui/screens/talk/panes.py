"""The panes of text, A alone or A and B side by side, and the completions that are requested for them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from tinylm.config.schema import SampleConfig
from tui.engine import TokenCandidate
from tui.screens.talk.pane_checkpoints import PaneCheckpoints
from tui.screens.talk.sampling import changed
from tui.screens.talk.transcript import SEEDS, Transcript
from tui.screens.talk.writer_thread import CheckpointRef, Completion


class Panes(Horizontal):
    """Panes A and B. Methods that add versions return them: the writer thread is then asked to write them."""

    DEFAULT_CSS = """
    Panes { height: 1fr; }
    Panes #text-b { display: none; }
    Panes.-comparing #text-b { display: block; }
    """

    def __init__(self, checkpoints: PaneCheckpoints) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self.a, self.b = Transcript("A"), Transcript("B")
        self._current = self.a

    def compose(self) -> ComposeResult:
        """Both; B is hidden until it is used."""
        yield self.a
        yield self.b

    @property
    def comparing(self) -> bool:
        """Whether both are shown."""
        return self.has_class("-comparing")

    @property
    def current(self) -> Transcript:
        """The pane that keys act on: the one that was focused last."""
        return self._current if self.comparing else self.a

    @current.setter
    def current(self, pane: Transcript) -> None:
        self._current = pane

    @property
    def shown(self) -> list[Transcript]:
        """The visible panes."""
        return [self.a, self.b] if self.comparing else [self.a]

    def letter(self, pane: Transcript) -> str:
        """Its letter as the beginning of a title, where both are shown."""
        return f"{pane.name}  " if self.comparing else ""

    # ---- requests -------------------------------------------------------------------------------------------------

    def _add(
        self, pane: Transcript, checkpoint: CheckpointRef, prompt: str, sampling: SampleConfig, under: str | None
    ) -> Completion:
        """Add a version, of the prompt `under` or by default of the one that is shown."""
        completion = Completion(checkpoint, prompt, sampling)
        pane.add(completion, prompt=under)
        return completion

    def begin(self, prompt: str, sampling: SampleConfig) -> list[Completion]:
        """Continue a prompt; with the next seed where the same checkpoint has written exactly this already."""
        checkpoint = self._checkpoints.of("A")
        before = self.a.shown
        if checkpoint and before and (before.prompt, before.step) == (prompt, checkpoint.step()):
            versions = self.a.versions
            if sampling in [version.sampling for version in versions.all if not version.error]:
                sampling = changed(sampling, "seed", versions.next_seed())
        return self._in_all(prompt, sampling, prompt)

    def edited(self, text: str, sampling: SampleConfig) -> list[Completion]:
        """Continue a text that the person edited, as another version of it."""
        return self._in_all(text, sampling, None if self.a.shown else text)

    def _in_all(self, prompt: str, sampling: SampleConfig, under: str | None) -> list[Completion]:
        checkpoints = [(pane, self._checkpoints.of(pane.name or "")) for pane in self.shown]
        return [self._add(pane, checkpoint, prompt, sampling, under) for pane, checkpoint in checkpoints if checkpoint]

    def redo(self, sampling: SampleConfig) -> list[Completion]:
        """Another version of each text with the next seed; a token that the person forced stays."""
        sampling = changed(sampling, "seed", max(pane.versions.next_seed() for pane in self.shown))
        added = []
        for pane in self.shown:
            if pane.shown:
                again = pane.shown.again(sampling)
                checkpoint = self._checkpoints.of(pane.name or "")
                if checkpoint and not again.kept:  # nothing ties it to the checkpoint that wrote the last version
                    again = Completion(checkpoint, again.prompt, sampling)
                pane.add(again)
                added.append(again)
        return added

    def several(self, count: int, prompt: str | None, sampling: SampleConfig) -> list[Completion]:
        """`count` versions, with the next seeds, of `prompt` or (None) of the text in the current pane."""
        pane = self.current
        shown = pane.shown if prompt is None else None
        checkpoint = self._checkpoints.of(pane.name or "") or (shown.checkpoint if shown else None)
        if checkpoint is None:
            return []
        first = pane.versions.next_seed() if prompt is None else max(sampling.seed, pane.versions.next_seed(prompt))
        samplings = [changed(sampling, "seed", (first + i) % SEEDS) for i in range(count)]
        if shown and shown.kept:
            added = [shown.again(each) for each in samplings]
        else:
            added = [Completion(checkpoint, shown.prompt if shown else prompt or "", each) for each in samplings]
        pane.add(*added, prompt=prompt)
        return added

    def branch(self, candidate: TokenCandidate, sampling: SampleConfig) -> list[Completion]:
        """Replace the token under the cursor by a candidate; nothing where it is that token already."""
        pane = self.current
        completion, index = pane.shown, pane.token_index
        if completion is None or index is None or candidate.token == completion.tokens[index].token:
            return []
        branch = completion.branched(index, candidate, sampling)
        pane.add(branch)
        return [branch]

    def compare(self, checkpoint: CheckpointRef) -> list[Completion]:
        """Show B, with the prompt, settings and seed of A."""
        self.add_class("-comparing")
        a = self.a.shown
        if a is None or a.error:
            return []
        added = [self._add(self.b, checkpoint, a.prompt, a.sampling, a.prompt)]
        if a.busy:  # both from the start, so that they advance together
            added.insert(0, self._add(self.a, a.checkpoint, a.prompt, a.sampling, None))
        return added

    def alone(self) -> None:
        """Hide B."""
        if self.b.shown:
            self.b.shown.stop.set()
        if self.b.has_focus:
            self.a.focus()
        self.current = self.a
        self.remove_class("-comparing")
