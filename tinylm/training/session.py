"""Everything that a training needs, set up once: texts, device, model, optimizer, run folder, logs.

Setting up fails before anything is left behind, or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import BaseFileLock

from tinylm import __version__, events, files, rivals
from tinylm.config import resolve
from tinylm.config.schema import FORMAT, RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus, mix
from tinylm.errors import CheckpointError, DeviceError, RoomError, RunError
from tinylm.hardware import autotune, device, malloc, memory
from tinylm.hardware.device import Precision
from tinylm.kernels import decode, train_pass
from tinylm.model import dropout
from tinylm.model.transformer import Transformer
from tinylm.planning import sizing, time_budget
from tinylm.runs import checkpoint, report
from tinylm.runs import folder as runs
from tinylm.runs.checkpoint import Checkpoint, TrainState
from tinylm.runs.folder import Log, RunFolder
from tinylm.training import backend, device_check, weight_decay
from tinylm.training.clock import Clock
from tinylm.training.ema import Average
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper, windows_in_a_pass

REHEARSAL_TOKENS = 1024
"""Tokens in the forward and backward pass by which thread counts are compared and the first plan is made."""


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
    def tokens_per_step(self) -> int:
        """Training tokens that one optimizer step reads."""
        config = self.config
        return config.train.batch_size * config.train.accumulation_steps * config.model.block_size

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


def start(config: RunConfig, home: Path, name: str | None) -> Session:
    """Set a new run up; TinyLMError says what has to be mended, and then no folder is left."""
    began = time.perf_counter()
    device.choose_device(config.train.device)
    try:
        run = runs.create(home, name if name is not None else runs.fresh_name(home, config.data.sources))
        try:
            lock = run.lock()
        except OSError:  # not a RunError: where somebody else was faster, the folder is theirs
            runs.remove(run)
            raise
        try:
            _take(prepare.prepare(config, home), run)
            return _session(config, run, lock, None, began, [], fresh=True)
        except BaseException:
            runs.remove(run)
            raise
    except OSError as error:
        raise refused(error, home) from error


def resume(config: RunConfig, run: RunFolder) -> Session:
    """Set a run up to go on from its newest whole checkpoint, or from nothing where it has none.

    `config` is what `settings.resumed` gave.
    """
    began = time.perf_counter()
    try:
        lock = run.lock()
    except OSError as error:
        raise refused(error, run.path, begun=True) from error
    try:
        found, faults = checkpoint.newest_whole(run)
        notes = _set_aside(faults)
        _finish_saving(config, run, found)
        if found and found.state.machine != device.machine_name(torch.device("cpu")):
            notes.append("This is another machine than before: what was measured there is measured again.")
            config = resolve.with_values(config, train={"threads": "auto"})
        try:
            device.choose_device(config.train.device)
        except DeviceError as error:
            notes.append(f"{error.message} The run goes on with the best device there is.")
            config = resolve.with_values(config, train={"device": "auto", "precision": "auto"})
        return _session(config, run, lock, found, began, notes, fresh=False)
    except OSError as error:
        lock.release()
        raise refused(error, run.path, begun=True) from error
    except BaseException:
        lock.release()
        raise


def _session(
    config: RunConfig,
    run: RunFolder,
    lock: BaseFileLock,
    found: Checkpoint | None,
    began: float,
    notes: list[str],
    *,
    fresh: bool,
) -> Session:
    """Build all parts in a folder that has its texts, and take back what `found` holds."""
    malloc.keep(one_heap=True)
    place = device.choose_device(config.train.device)
    device.choose_precision(config.train.precision, place)  # what it cannot do is said before the texts are opened
    corpus = Corpus(run.path, place)
    corpus.tokenizer.encode(config.sample.prompt)  # what cannot be spelt is said now, not at the first sample
    home = run.path.parent.parent
    if not found:
        config, told = settled(config, corpus, place, home)
        notes += told
    train = config.train
    memory.refuse_too_large(config, corpus.tokenizer.vocab_size, windows_in_a_pass(config, place), memory.free(place))
    weights = found.trained_of(config.model, corpus.tokenizer.vocab_size) if found else None
    model = first_model(config, corpus).to(place)
    optimizer = Optimizer(model, train)
    average = Average(model, train.average) if train.average else None
    batches = batches_of(config, corpus)
    decays = weight_decay.weight_decays(config, batches)
    state = found.state if found else first_state(train.precision)
    if found and weights:
        try:
            model.load_state_dict(weights)
            optimizer.load(found.optimizer())
            if average:
                average.load(found.average() or {})
            elif state.averaged:
                raise found.misfit()
        except (RuntimeError, ValueError) as error:
            raise found.misfit() from error
    else:
        notes += corpus.layout.notes
        if train.decay_epochs is not None:
            notes.append(weight_decay.told(config, decays))

    device_check.check(model, batches[0])
    measured = _measured(config, model, batches[0], home)
    chosen = measured.choice
    if measured.native and rivals.torch_won(home, config, model.vocab_size, chosen.precision, chosen.threads):
        notes.append("torch's own operations were faster here than our passes before, so nothing is compiled.")
        config = resolve.with_values(config, train={"compile": "off"})
        train, measured = config.train, _measured(config, model, batches[0], home)
    choice = measured.choice
    if choice.note:
        notes.append(choice.note)
    precision = choice.precision
    step_tokens = train.batch_size * train.accumulation_steps * config.model.block_size
    step_seconds = autotune.timed(measured.rehearse, precision) * step_tokens / measured.tokens
    if not found:
        most = time_budget.affordable(train, time_budget.window_seconds(train, step_seconds))
        if most < train.eval_iters:
            notes.append(f"An evaluation looks at {most:,} batches: {train.eval_iters:,} would take too much time.")
            config = resolve.with_values(config, train={"eval_iters": most})
    decode.keep_in(home, model, make=not time_budget.is_short(train))
    stepper = Stepper(config, model, optimizer, precision, state.loss_scale, average)
    stepper.rows = state.micro_batch or stepper.rows
    resolved = {
        "threads": choice.threads,
        "device": place.type,
        "precision": precision,
    }
    config = resolve.with_values(config, train=resolved)
    state.machine = device.machine_name(torch.device("cpu"))
    return Session(
        config=config,
        run=run,
        lock=lock,
        corpus=corpus,
        batches=batches,
        weight_decays=decays,
        model=model,
        stepper=stepper,
        device=place,
        threads=choice.threads,
        precision=precision,
        state=state,
        resumed_from=state.step if found else None,
        fresh=fresh,
        events_log=Log(run.events_file, state.events_bytes),
        samples_log=Log(run.samples_file, state.samples_bytes),
        step_seconds=step_seconds,
        clock=Clock(began, state.seconds),
        notes=notes,
    )


def settled(config: RunConfig, corpus: Corpus, place: torch.device, home: Path) -> tuple[RunConfig, list[str]]:
    """The configuration with the numbers that `train.fit` chooses, and what there is to tell of it; else as it was.

    The preset's own model is timed for that, and the precision that suits it is kept.
    """
    if not sizing.wanted(config):
        return (resolve.with_values(config, train={"fit": False}) if config.train.fit else config), []
    vocab_size = corpus.tokenizer.vocab_size
    memory.refuse_giants(config, vocab_size, memory.free(place))
    model, (batches, *_) = first_model(config, corpus).to(place), batches_of(config, corpus)
    measured = _measured(config, model, batches, home)
    choice = measured.choice
    # The first may be cold.
    seconds = min(autotune.timed(measured.rehearse, choice.precision) for _ in range(2))
    gain, lost = backend.gain(config.train, place, choice.precision, measured.native)
    stream = batches.stream
    text = sizing.Text(stream.tokens, stream.document())
    chosen = sizing.fitted(config, vocab_size, text, seconds / measured.tokens / gain, lost)
    # Of another size, threads are measured again: the least ones want one.
    same = all(getattr(chosen.config.model, name) == getattr(config.model, name) for name in ("n_layer", "n_embd"))
    known = {"precision": choice.precision} | ({"threads": choice.threads} if same else {})
    told = [chosen.in_words(), *([choice.note] if same and choice.note else [])]
    return resolve.with_values(chosen.config, train=known), told


class _Measured(NamedTuple):
    """What was chosen for a model by timing small passes, and these."""

    choice: autotune.Choice
    rehearse: autotune.Rehearse
    tokens: int
    """Of a small pass."""
    native: bool
    """Whether it is one of our own code."""


def _measured(config: RunConfig, model: Transformer, batches: Batches, home: Path) -> _Measured:
    rehearse, tokens, native_ = _small_pass(config, model, batches, home)
    shape, place = autotune.shape(config, model.vocab_size, native_), model.embedding.weight.device
    to_compile = config.train.compile != "off" and not native_
    return _Measured(autotune.choose(config.train, place, rehearse, home, shape, to_compile), rehearse, tokens, native_)


def _small_pass(
    config: RunConfig, model: Transformer, batches: Batches, home: Path
) -> tuple[autotune.Rehearse, int, bool]:
    """A forward and backward pass of the first of a run's windows, how many tokens it has, and whether it is native.

    That is where the code is there; each core has a window then. On a CUDA device it has the whole batch.
    """
    code = train_pass.ready(config, model.embedding.weight.device, home)
    rows = max(1, min(config.train.batch_size, REHEARSAL_TOKENS // config.model.block_size))
    if code:
        rows = max(rows, min(config.train.batch_size, device.cores()))
    elif model.embedding.weight.device.type == "cuda":  # where a small pass is as long as its launches take
        rows = config.train.batch_size
    ids, targets = (part[:rows] for part in batches.draw(0))
    noise = dropout.key(0, 0, ids.device) if config.model.dropout else None
    return train_pass.rehearsal(code, model, ids, targets, noise), ids.numel(), code is not None


def batches_of(config: RunConfig, corpus: Corpus) -> list[Batches]:
    """The batches of each phase; DataError where its texts are too short for the model's context."""
    train = config.train
    return [
        Batches(
            corpus.stream(prepare.group_name(phase.sources or config.data.sources), config.model.block_size),
            config.data.windows,
            train.batch_size * train.accumulation_steps,
            mix(train.seed, number),
        )
        for number, phase in enumerate(train.phases)
    ]


def first_model(config: RunConfig, corpus: Corpus) -> Transformer:
    """The model as its seed makes it."""
    return Transformer(config.model, corpus.tokenizer.vocab_size, torch.Generator().manual_seed(config.train.seed))


def first_state(precision: str) -> TrainState:
    """Where a run stands before its first step."""
    return TrainState(loss_scale=2.0**16 if precision == "fp16" else 1.0)


def _finish_saving(config: RunConfig, run: RunFolder, found: Checkpoint | None) -> None:
    """Do what a process that was killed while it saved has left undone: pointers, pruning, half-written files.

    The run may go on for long without another best one, or be at its end already.
    """
    for name in (run.config_file.name, report.NAME):
        for half_written in run.path.glob(f".{name}-*"):
            half_written.unlink()
    if found:
        for pointer, step in (("latest", found.state.step), ("best", found.state.best_step)):
            if step is not None and (run.checkpoints / checkpoint.folder_name(step)).is_dir():
                files.replace_durably(run.checkpoints / pointer, f"{checkpoint.folder_name(step)}\n".encode())
        checkpoint.prune(run, config.train.keep_checkpoints)


def _set_aside(faults: list[CheckpointError]) -> list[str]:
    """What there is to tell of checkpoints that did not verify."""
    return [f"{fault.message} It was set aside, and the one before is used." for fault in faults]


def _take(prepared: Path, run: RunFolder) -> None:
    """Give a run its own copy of prepared texts: the same files under a second name, where the disk can do that.

    Deleting the cache then leaves the run whole, and the copy costs no room.
    """
    for source in (path for path in prepared.rglob("*") if path.is_file()):
        target = run.path / source.relative_to(prepared)
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
    for folder in (run.path / "data", run.path, run.path.parent):  # a checkpoint is nothing without them
        files.sync_folder(folder)


def refused(error: OSError, place: Path, *, begun: bool = False) -> RunError:
    """What an operating system's refusal means for a person; `begun`: for a run that can be resumed."""
    way_out = "then resume the run: what was saved is kept." if begun else "or choose another --home."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RoomError(f"There is no room left on the disk of {place}.", f"Free some, {way_out}")
    return RoomError(f"{error.filename or place} cannot be written: {error.strerror}.", f"Mend that, {way_out}")
