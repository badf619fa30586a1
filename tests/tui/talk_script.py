"""An engine for the tests of Talk, whose writers wait for the test, end early, or cannot be loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from tests.tui.scripts import ScriptedEngine, ScriptedWriter
from tinylm.config.schema import SampleConfig
from tinylm.errors import CheckpointError, DataError
from tinylm.inference.prompt import Prompt
from tinylm.runs.folder import RunFolder
from tui.engine import WrittenToken


class PacedWriter(ScriptedWriter):
    """Writes a token whenever the test allows one; records the requests."""

    def __init__(self, run: RunFolder, which: str, engine: PacedEngine) -> None:
        super().__init__(run, which)
        self._engine = engine

    def fit(self, text: str) -> Prompt:
        if "é" in text:
            raise DataError("This model never met these characters: 'é'.", "Leave them out.")
        return super().fit(text)

    def write_one(self, prompt: list[int], sampling: SampleConfig, n_candidates: int = 10) -> Iterator[WrittenToken]:
        self._engine.asked.append((self.step, list(prompt), sampling))
        for i, token in enumerate(super().write_one(prompt, sampling, n_candidates)):
            if self._engine.end_after == i:
                yield replace(token, text="", end=True)
                return
            if not self._engine.free:
                self._engine.permits.acquire()
            self._engine.order.append(self.step)
            yield token


class PacedEngine(ScriptedEngine):
    """Its writers go on when `permits` lets them, or at once where it is `free`."""

    def __init__(self, free: bool = True, end_after: int | None = None, broken: int | None = None) -> None:
        super().__init__(endless=True)
        self.free, self.end_after, self.broken = free, end_after, broken
        self.permits = threading.Semaphore(0)
        self.asked: list[tuple[int, list[int], SampleConfig]] = []
        self.order: list[int] = []
        self.loaded: list[str] = []

    def writer(self, run: RunFolder, which: str) -> ScriptedWriter:
        self.loaded.append(which)
        if which == str(self.broken):
            raise CheckpointError(f"The checkpoint {which} is not what was saved.", "Use another one.")
        return PacedWriter(run, which, self)

    def let(self, tokens: int) -> None:
        """Allow so many tokens."""
        self.permits.release(tokens)
