"""Switches a run from eager passes to the kernels, at the start or beside its first steps, and keeps the decision."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

from tinylm.config.schema import Decision
from tinylm.hardware import autotune
from tinylm.kernels import compiler, train_pass
from tinylm.kernels.compiler import Build
from tinylm.planning import time_budget
from tinylm.training import backend
from tinylm.training.backend import FAILED, CPUKind, Kind
from tinylm.training.session import Session
from tinylm.words import first_line

FIRST_STEPS = 3
"""Steps that a run takes before it switches: the first ones must not wait for a compiler."""

COMPILE_SECONDS = 6.0
"""Expected seconds of compiling on two cores beside a training."""


class BackendSwitch:
    """Switches once or never. `close` it when the training ends.

    A run with a time budget switches as soon as the kernels are compiled. A run of counted steps switches at a step
    that is planned at the start, kept in its state, and waited for, so that a resumed run equals the uninterrupted one
    to the bit.
    """

    def __init__(self, session: Session, seconds_left: float, step_seconds: float) -> None:
        """Decide for a run that has `seconds_left` to go at `step_seconds`; the decision goes into its state.

        Waits for the compiler where the run uses the kernels from its first step on.
        """
        self._session, train, state = session, session.config.train, session.state
        self._build: Build | None = None
        self._build_error: str | None = None
        """Why the system could not start a compiler."""
        self._pending = False
        self._timed = time_budget.seconds_of(train) is not None
        decisions = session.decisions
        repeats = decisions.repeated is not None
        self._first_step = state.step
        self._library = compiler.library_path(session.run.home, train_pass.SOURCE)
        if session.device.type == "cuda":
            self._set_up_cuda()
            return
        self._switched = state.compiled_from is not None and state.step >= state.compiled_from
        """The run had switched already when its checkpoint was made."""
        if repeats:  # it switches when the repeated run did, perhaps before its first step
            self._switched = any(decision.kind == "kernels" for decision in decisions.made)
        self._compares = not repeats and not self._switched and not (state.backend == "" and train.compile == "on")
        when: backend.When = "never"
        if session.precision in train_pass.TOLERANCE and train_pass.is_supported(session.config, session.device):
            when = backend.when_to_compile(
                train, state.backend, switched=self._switched, seconds_left=seconds_left, library=self._library
            )
        self._use("eager")
        if when == "before":
            session.notes.append(self.perform())
            return
        self._pending = when == "concurrent"
        if self._pending and not self._timed and state.compiled_from is None:
            state.compiled_from = state.step + max(FIRST_STEPS, math.ceil(COMPILE_SECONDS / step_seconds))
        self._decide("kernels" if self._pending else "eager")

    def is_due(self) -> bool:
        """Whether to switch before the next step. Starts the compiler once the first steps are done."""
        step = self._session.state.step
        planned = None if self._timed else self._session.state.compiled_from
        reached = planned is not None and step >= planned  # a resumed run may reach it within its first steps
        if not self._pending or (step - self._first_step < FIRST_STEPS and not reached):
            return False
        self._start_build()
        return reached if planned is not None else self._build is None or self._build.is_done()

    def perform(self) -> str:
        """Use the kernels from the next step on, if they work and are faster; returns a sentence about the outcome."""
        self._pending, session, state = False, self._session, self._session.state
        self._start_build()
        threads = session.backend.threads
        problem = self._build_error
        if problem is None:
            try:
                if self._build:
                    self._build.finish(train_pass.check)
                code = compiler.load(self._library)
            except (OSError, RuntimeError) as error:
                problem = str(error)
                with suppress(OSError):  # if the disk refuses, the next run tries again
                    self._library.unlink(missing_ok=True)
                    self._library.with_suffix(FAILED).write_text(problem, encoding="utf-8")
        if problem is None:
            try:
                session.stepper.use(code, threads)
                if self._compares and self._fastest() == "eager":
                    session.stepper.use(None, threads)
                    self._stay_eager()
                    return "torch's own operations are faster here than our passes, so the run stays with them."
            except (MemoryError, RuntimeError) as error:  # a problem of this run alone
                session.stepper.use(None, threads)
                problem = first_line(error)
        if problem is not None:
            self._stay_eager()
            return f"Compiling does not work on this machine ({problem}); the run goes on without it."
        state.compiled_from = state.step if state.compiled_from is None else state.compiled_from
        if not self._switched:
            session.decisions.record(Decision(step=state.step, kind="kernels"))
        self._use("kernels")
        self._decide("kernels")
        return f"From step {state.step + 1:,} on its passes run compiled."

    def close(self) -> None:
        """Stop a compiler that is still running."""
        if self._build:
            self._build.stop()

    def _use(self, kind: Kind) -> None:
        self._session.backend = replace(self._session.backend, kind=kind)

    def _decide(self, kind: CPUKind) -> None:
        """Keep the decision for when the run is resumed; other devices have none to keep."""
        if self._session.device.type == "cpu":
            self._session.state.backend = kind

    def _stay_eager(self) -> None:
        if self._switched or self._session.decisions.repeated:  # it had begun, or was to go on, with the kernels
            self._session.decisions.give_up()
        self._session.state.compiled_from = None
        self._decide("eager")

    def _start_build(self) -> None:
        """Start the compiler, unless it runs or has run already."""
        if self._build is None and self._build_error is None and not self._library.exists():
            try:
                self._build = Build(self._library, train_pass.SOURCE)
            except OSError as error:  # no compiler, no disk space, no permission, no process: train without
                self._build_error = str(error)

    def _fastest(self) -> CPUKind:
        """The faster backend, measured here once; RuntimeError where the kernels cannot be measured."""
        session, stepper = self._session, self._session.stepper
        size, threads = stepper.micro_batch_size, session.backend.threads
        sequences = -(-max(size, threads) // threads) * threads  # as many for each thread as in a whole step
        ids, targets = (part[:sequences] for part in session.batches[0].draw(0))
        kernels = stepper.kernels

        def seconds(kind: CPUKind) -> float:
            stepper.kernels = kernels if kind == "kernels" else None
            taken = autotune.timed(lambda _: stepper.gradients(1, ids, targets), session.precision)
            if stepper.micro_batch_size != size:  # memory ran out, and smaller passes went on with a warning
                stepper.warnings.pop()
                raise RuntimeError("can't allocate memory")
            return taken

        try:
            home = session.run.home
            key = backend.speed_key(home, session.config.model, session.model.vocab_size, session.precision, threads)
            return backend.fastest(home, key, seconds)
        finally:
            stepper.kernels, stepper.micro_batch_size = kernels, size

    def _set_up_cuda(self) -> None:
        """Compile by torch.compile where `train.compile` is `on`, and capture whole steps unless it is `off`."""
        session, train = self._session, self._session.config.train
        self._use("eager")
        if train.compile == "on" and session.precision != "fp16":
            session.notes.append(self._torch_compile())
        if backend.captures_steps(session.config, session.device):
            session.stepper.capture()

    def _torch_compile(self) -> str:
        """Compile in this process; returns a sentence about the outcome."""
        session, stepper = self._session, self._session.stepper
        stepper.compiled = backend.torch_compile(session.model, session.precision)
        try:
            ids, targets = session.batches[0].draw(0)
            stepper.gradients(1, ids, targets)
        except Exception as error:  # compilers fail in many ways, and eager passes always work
            stepper.compiled = None
            return f"Compiling does not work on this machine ({first_line(error)}); the run goes on without it."
        self._use("compiled")
        return "Its passes run compiled."
