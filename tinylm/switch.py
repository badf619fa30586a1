"""From eager passes to compiled ones: whether and when a run goes over, and what there is to tell of it."""

from __future__ import annotations

import sys

from tinylm import compiled, compiling, settings
from tinylm.compiled import CompiledPass
from tinylm.compiling import FAILED, Compilation
from tinylm.session import Session

FIRST_STEPS = 3
"""A run has taken so many steps before it goes over: the first ones are there at once."""


class Switch:
    """Goes over once, at the beginning or as soon as the library is there; `close` it when the training ends."""

    def __init__(self, parts: Session, seconds_left: float) -> None:
        """Decide for a run that has so long to go at its speed of now, and write it into `parts.config`.

        Where the run is to be compiled from its first step on, this waits for it.
        """
        self._parts, train, model = parts, parts.config.train, parts.config.model
        self._compilation: Compilation | None = None
        self._pending = False
        # What is traced must be the same each time: no draws inside, and no scale that changes.
        possible = parts.device.type == "cpu" and parts.precision in compiling.CLOSE and not model.attention_dropout
        possible = possible and sys.platform != "win32"  # where a process that is stopped cannot take others with it
        self._shape = (model, parts.corpus.tokenizer.vocab_size, parts.precision, parts.stepper.rows, parts.threads)
        self._library = compiled.library(parts.run.path.parent.parent, *self._shape)
        went_over = parts.state.compiled_from is not None
        how = compiling.when(train, not parts.fresh, went_over, seconds_left, self._library) if possible else "never"
        if how != "never" and not self._library.exists():
            self._begin()
        if how == "before":
            if self._compilation:
                self._compilation.wait()
            parts.notes.append(self.go_over())
            how = "before" if parts.stepper.compiled else "never"
        self._pending = how == "beside"
        parts.config = settings.with_values(parts.config, train={"compile": "off" if how == "never" else "on"})

    def is_due(self) -> bool:
        """Whether the library is there, or will not come; nothing waits."""
        if not self._pending or self._parts.state.step < FIRST_STEPS:
            return False
        return self._compilation is None or self._compilation.is_over()

    def go_over(self) -> str:
        """Take the next steps by compiled passes, where that works; a sentence that says what came of it."""
        self._pending, state = False, self._parts.state
        problem = self._compilation.problem if self._compilation else None
        if problem is None:
            try:
                self._parts.stepper.compiled = CompiledPass(self._library)
            except OSError as error:
                problem = str(error)
        if problem is not None:
            self._library.unlink(missing_ok=True)
            self._library.with_suffix(FAILED).write_text(problem, encoding="utf-8")
            return f"Compiling does not work on this machine ({problem}); the run goes on without it."
        state.compiled_from = state.step if state.compiled_from is None else state.compiled_from
        return f"From step {state.step + 1:,} on its passes run compiled."

    def close(self) -> None:
        """End what is still at work."""
        if self._compilation and not self._compilation.is_over():
            self._compilation.stop()

    def _begin(self) -> None:
        self._library.parent.mkdir(parents=True, exist_ok=True)
        self._compilation = Compilation(self._library, *self._shape)
