"""From torch's passes to our own: whether and when a run goes over, and what there is to tell of it."""

from __future__ import annotations

import math
from contextlib import suppress

from tinylm.config import resolve
from tinylm.hardware import autotune
from tinylm.kernels import compiler, train_pass
from tinylm.kernels.compiler import Build
from tinylm.planning import time_budget
from tinylm.training import backend
from tinylm.training.backend import FAILED
from tinylm.training.session import Session

FIRST_STEPS = 3
"""A run has taken so many steps before it goes over: the first ones are there at once."""

EXPECTED_SECONDS = 6.0
"""What compiling takes on two cores beside a training, or somewhat less."""


class BackendSwitch:
    """Goes over once, at the beginning or beside the first steps, or never; `close` it when the training ends.

    Where the time decides how long a run is, it goes over as soon as the code is there. Where steps are counted, the
    step is planned when the run begins, kept in its state, and waited for: a run that was resumed then equals the
    undisturbed one to the bit.
    """

    def __init__(self, parts: Session, seconds_left: float, step_seconds: float) -> None:
        """Decide for a run that has so long to go at its speed of now, and write it into `parts.config`.

        Where the run is to be compiled from its first step on, this waits for it.
        """
        self._parts, train, model, state = parts, parts.config.train, parts.config.model, parts.state
        self._making: Build | None = None
        self._pending = self._timed = False
        self._first = state.step
        self._refusal: str | None = None
        """Why the system let nothing be compiled."""
        possible = parts.precision in train_pass.TOLERANCE and train_pass.is_supported(parts.config, parts.device)
        self._library = compiler.library_path(parts.run.path.parent.parent, train_pass.SOURCE)
        if parts.device.type == "cuda":
            if train.compile == "on" and parts.precision != "fp16":
                parts.notes.append(self._compile_on_gpu())
            if train.compile != "off" and not model.attention_dropout:
                parts.stepper.record()
            return
        went_over = state.compiled_from is not None and state.step >= state.compiled_from
        how: backend.When = "never"
        if possible:
            how = backend.when(train, not parts.fresh, went_over, seconds_left, self._library)
        self._timed = time_budget.seconds_of(train) is not None
        self._compares = not went_over and not (parts.fresh and train.compile == "on")
        self._pending = how == "beside"
        if how == "before":
            self._begin()
            parts.notes.append(self.go_over())
            how = "before" if parts.stepper.native else "never"
        elif self._pending and not self._timed and state.compiled_from is None:
            state.compiled_from = state.step + max(FIRST_STEPS, math.ceil(EXPECTED_SECONDS / step_seconds))
        parts.config = resolve.with_values(parts.config, train={"compile": "off" if how == "never" else "on"})

    def is_due(self) -> bool:
        """Whether to go over before the next step. The compiler begins here, once the first steps are done."""
        step = self._parts.state.step
        planned = None if self._timed else self._parts.state.compiled_from
        reached = planned is not None and step >= planned  # by a resumed run maybe before it has taken its first steps
        if not self._pending or (step - self._first < FIRST_STEPS and not reached):
            return False
        self._begin()
        return reached if planned is not None else self._making is None or self._making.is_done()

    def _begin(self) -> None:
        """Begin to compile, where that is still to be done."""
        if self._making is None and self._refusal is None and not self._library.exists():
            try:
                self._making = Build(self._library, train_pass.SOURCE)
            except OSError as error:  # no compiler, no room, no rights, no process: a training goes on without
                self._refusal = str(error)

    def go_over(self) -> str:
        """Take the next steps by our own passes, where that works and is faster; a sentence says what came of it."""
        self._pending, parts, state = False, self._parts, self._parts.state
        problem = self._refusal
        if problem is None:
            try:
                if self._making:
                    self._making.finish(train_pass.check)
                code = compiler.load(self._library)
            except (OSError, RuntimeError) as error:
                problem = str(error)
                with suppress(OSError):  # what the disk refuses is tried again by the next run
                    self._library.unlink(missing_ok=True)
                    self._library.with_suffix(FAILED).write_text(problem, encoding="utf-8")
        if problem is None:
            try:
                parts.stepper.use(code, parts.threads)
                if self._compares and self._torch_wins():
                    parts.stepper.use(None, parts.threads)
                    state.compiled_from = None
                    parts.config = resolve.with_values(parts.config, train={"compile": "off"})
                    return "torch's own operations are faster here than our passes, so the run stays with them."
            except (MemoryError, RuntimeError) as error:  # which says nothing of other runs
                parts.stepper.use(None, parts.threads)
                problem = (str(error).strip() or repr(error)).splitlines()[0][:200]
        if problem is not None:
            state.compiled_from = None
            return f"Compiling does not work on this machine ({problem}); the run goes on without it."
        state.compiled_from = state.step if state.compiled_from is None else state.compiled_from
        return f"From step {state.step + 1:,} on its passes run compiled."

    def _torch_wins(self) -> bool:
        """Whether torch's passes are faster, as measured here once; RuntimeError where ours cannot be measured."""
        parts, stepper = self._parts, self._parts.stepper
        rows, threads = stepper.rows, parts.threads
        windows = -(-max(rows, threads) // threads) * threads  # as many for each thread, as in a whole step
        ids, targets = (part[:windows] for part in parts.batches[0].draw(0))

        def seconds(native: bool) -> float:
            stepper.native = ours if native else None
            taken = autotune.timed(lambda _: stepper.gradients(1, ids, targets), parts.precision)
            if stepper.rows != rows:  # it has gone on with smaller passes, and has a warning to tell
                stepper.warnings.pop()
                raise RuntimeError("can't allocate memory")
            return taken

        ours = stepper.native
        try:
            of = parts.config.model, parts.model.vocab_size, parts.precision, threads
            return backend.torch_wins(parts.run.path.parent.parent, *of, seconds)
        finally:
            stepper.native, stepper.rows = ours, rows

    def _compile_on_gpu(self) -> str:
        """Compile in this process, as code for GPUs is another; only where asked for, since it is unmeasured."""
        parts, stepper = self._parts, self._parts.stepper
        stepper.compiled = backend.for_gpu(parts.model, parts.precision)
        try:
            ids, targets = parts.batches[0].draw(0)
            stepper.gradients(1, ids, targets)
        except Exception as error:  # compilers fail in as many ways as there are machines, and eager code always works
            stepper.compiled = None
            reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
            return f"Compiling does not work on this machine ({reason}); the run goes on without it."
        return "Its passes run compiled."

    def close(self) -> None:
        """End what is still at work."""
        if self._making:
            self._making.stop()
