"""Everything that a training needs, set up once: texts, device, model, optimizer, run folder, logs.

Setting up fails before anything is left behind, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from filelock import BaseFileLock

from tinylm import __version__, events
from tinylm.config.schema import FORMAT, RunConfig
from tinylm.data.batches import Batches, Corpus
from tinylm.hardware import device
from tinylm.hardware.device import Precision
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint
from tinylm.runs.checkpoint import TrainState
from tinylm.runs.folder import Log, RunFolder
from tinylm.training.build import _set_aside, first_model, first_state
from tinylm.training.clock import Clock
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper


@dataclass
class Session:
    """The parts of a training; `train.py` makes them work together."""

    config: RunConfig
    """Resolved: what `auto` chose is written in."""
    run: RunFolder
    lock: BaseFileLock
    corpus: Corpus
    batches: list[Batches]
    """One for each phase."""
    weight_decays: list[float]
    """One for each phase."""
    model: Transformer
    stepper: Stepper
    device: torch.device
    threads: int
    precision: Precision
    state: TrainState
    resumed_from: int | None
    fresh: bool
    """A new run, of which nothing is kept where it fails before its first step."""
    events_log: Log
    samples_log: Log
    step_seconds: float
    """An estimate, from the rehearsal."""
    clock: Clock
    """Where a run is resumed, it goes on from what was used."""
    notes: list[str]
    """What was chosen and found while setting up."""

    @property
    def model_to_use(self) -> Transformer:
        """The model with the weights that measured better the last time: those that train, or their average."""
        average = self.stepper.average
        return average.model if average and self.state.averaged else self.model

    def introduction(self) -> Iterator[events.Event]:
        """What a run begins with, also where it goes on: what it is, and what it learns from."""
        corpus = self.corpus
        yield events.RunStarted(
            run=self.run.name,
            dir=str(self.run.path),
            format=FORMAT,
            version=__version__,
            utc=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=self.model.n_parameters(),
            device=self.device.type,
            machine=device.machine_name(self.device),
            torch=str(torch.__version__),
            threads=self.threads,
            precision=self.precision,
            compiled=self.stepper.native is not None or self.stepper.compiled is not None,
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
        )

    def rewind(self) -> list[str]:
        """Bring weights, optimizer, state and logs back to the newest whole checkpoint, or else to the beginning.

        The clock goes on. Returns what there is to tell of checkpoints that did not verify.
        """
        found, faults = checkpoint.newest_whole(self.run)
        if found:
            state, weights = found.state, found.trained()
        else:
            state = first_state(self.precision)
            state.events_bytes = self.run.opening_bytes()
            weights = first_model(self.config, self.corpus).state_dict()
        self.model.load_state_dict(weights)
        self.stepper.optimizer = Optimizer(self.model, self.config.train)
        if self.stepper.recorded:
            self.stepper.recorded.forget()
        self.stepper.loss_scale.fill_(state.loss_scale)
        if found:
            self.stepper.optimizer.load(found.optimizer())
        if self.stepper.average:
            averaged = found.average() if found else None
            self.stepper.average.load(averaged or weights)
        self.events_log.cut(state.events_bytes)
        self.samples_log.cut(state.samples_bytes)
        kept = {name: getattr(self.state, name) for name in ("machine", "micro_batch", "compiled_from")}
        vars(self.state).update({**vars(state), **kept})
        return _set_aside(faults)

    def close(self) -> None:
        """Close the logs and let go of the run."""
        self.events_log.close()
        self.samples_log.close()
        self.lock.release()
