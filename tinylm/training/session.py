"""A session: all parts of a training that is set up. `setup.py` makes it, `loop.py` drives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from filelock import BaseFileLock

from tinylm import __version__, events
from tinylm.config.schema import FORMAT, RunConfig
from tinylm.data.batches import Batches, Corpus
from tinylm.errors import CheckpointError
from tinylm.hardware.device import Precision, machine_name
from tinylm.kernels.decode import DecodeLibrary
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training.backend import Backend
from tinylm.training.build import initial_loss_scale, initial_model
from tinylm.training.clock import Clock
from tinylm.training.optimizer import Optimizer
from tinylm.training.repeat import Decisions
from tinylm.training.step import Stepper


@dataclass
class Session:
    """The parts of a training."""

    config: RunConfig
    """The only copy in use, with what `auto` chose; replaced whole where a plan changes it."""
    run: RunFolder
    lock: BaseFileLock
    corpus: Corpus
    batches: list[Batches]
    """One for each phase."""
    weight_decays: list[float]
    """One for each phase."""
    model: Transformer
    stepper: Stepper
    decode_library: Future[DecodeLibrary | None]
    """What samples are generated with."""
    device: torch.device
    backend: Backend
    state: TrainState
    decisions: Decisions
    resumed_from: int | None
    """The step of the checkpoint that the run continues from."""
    fresh: bool
    """A new run: its folder is removed if it fails before its first step."""
    events_log: LogWriter
    samples_log: LogWriter
    clock: Clock
    """Seconds of the run, over all its starts."""
    notes: list[str]
    """What was chosen during set-up, for people."""

    @property
    def precision(self) -> Precision:
        """The precision of matrix products."""
        return self.backend.precision

    @property
    def step_seconds(self) -> float:
        """Seconds of an optimizer step, estimated during set-up."""
        return self.backend.token_seconds * self.config.tokens_per_step

    @property
    def better_model(self) -> Transformer:
        """The model with the weights that were better at the last evaluation: the trained ones or their EMA."""
        average = self.stepper.average
        return average.model if average and self.state.averaged else self.model

    def opening_events(self) -> Iterator[events.Event]:
        """The events that open a run, also when it is resumed: what it is, and what it learns from."""
        corpus = self.corpus
        yield events.RunStarted(
            run=self.run.name,
            dir=str(self.run.path),
            format=FORMAT,
            version=__version__,
            utc=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=self.model.n_parameters(),
            device=self.device.type,
            machine=machine_name(self.device),
            torch=str(torch.__version__),
            threads=self.backend.threads,
            precision=self.precision,
            compiled=self.backend.kind != "eager",
            resumed_from=self.resumed_from,
        )
        yield events.DataPrepared(
            bytes=corpus.layout.bytes,
            tokens=corpus.train_tokens + corpus.val_tokens,
            vocab_size=corpus.tokenizer.vocab_size,
            train_tokens=corpus.train_tokens,
            val_tokens=corpus.val_tokens,
            val_bytes=corpus.layout.val_bytes,
            baselines=corpus.layout.baselines,
            unread=self._unread(),
        )

    def _unread(self) -> float:
        """The share of the training tokens that two epochs do not read."""
        by_text = {batches.stream.group: batches for batches in self.batches}
        given = sum(batches.stream.tokens + batches.stream.gap_tokens for batches in by_text.values())
        return round(sum(batches.unread() for batches in by_text.values()) / given, 6)

    def rewind(self) -> list[str]:
        """Restore weights, optimizer, state and logs from the newest whole checkpoint, or else from the beginning.

        The clock keeps running. Returns notes on checkpoints that did not verify.
        """
        found, damaged = checkpoint.newest_whole(self.run)
        if found:
            state, weights = found.state, found.trained()
        else:
            state = TrainState(loss_scale=initial_loss_scale(self.precision))
            state.events_bytes = self.run.opening_bytes()
            weights = initial_model(self.config, self.corpus).state_dict()
        self.model.load_state_dict(weights)
        self.stepper.reset(Optimizer(self.model, self.config.train), state.loss_scale)
        if found:
            self.stepper.optimizer.load(found.optimizer())
        if self.stepper.average:
            averaged = found.average() if found else None
            self.stepper.average.load(averaged or weights)
        self.events_log.cut(state.events_bytes)
        self.samples_log.cut(state.samples_bytes)
        kept = {
            name: getattr(self.state, name) for name in ("machine", "micro_batch", "backend", "compiled_from", "repeat")
        }
        vars(self.state).update({**vars(state), **kept})
        if self.stepper.kernels and self.state.compiled_from is not None:  # they stay in use
            self.state.compiled_from = min(self.state.compiled_from, self.state.step)
        return notes_on_damaged(damaged)

    def close(self) -> None:
        """Close the logs and release the lock of the run."""
        self.events_log.close()
        self.samples_log.close()
        self.lock.release()


def notes_on_damaged(damaged: Sequence[CheckpointError]) -> list[str]:
    """A sentence for each checkpoint that did not verify."""
    return [f"{error.message} It was set aside, and the one before is used." for error in damaged]
