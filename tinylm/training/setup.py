"""Sets up a training, new or resumed: texts, size, model, backend, session."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from filelock import BaseFileLock

from tinylm import files
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Corpus
from tinylm.errors import DeviceError
from tinylm.files import refused
from tinylm.hardware import autotune, device, malloc, memory
from tinylm.kernels import decode
from tinylm.planning import time_budget
from tinylm.runs import checkpoint, report
from tinylm.runs import folder as runs
from tinylm.runs.checkpoint import Checkpoint
from tinylm.runs.folder import Log, RunFolder
from tinylm.training import backend, clock, device_check, memory_check, weight_decay
from tinylm.training.build import _set_aside, batches_of, first_model, first_state
from tinylm.training.calibrate import _measured, settled
from tinylm.training.clock import Clock
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.session import Session
from tinylm.training.step import Stepper, micro_batch_size


def start(config: RunConfig, home: Path, name: str | None) -> Session:
    """Set a new run up; TinyLMError says what has to be mended, and then no folder is left."""
    began = clock.now()
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
    began = clock.now()
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
    memory_check.refuse_too_large(
        config, corpus.tokenizer.vocab_size, micro_batch_size(config, place), memory.free(place)
    )
    weights = found.trained_of(config.model, corpus.tokenizer.vocab_size) if found else None
    model = first_model(config, corpus).to(place)
    optimizer = Optimizer(model, train)
    average = WeightEMA(model, train.average) if train.average else None
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
    if measured.native and backend.torch_won(home, config, model.vocab_size, chosen.precision, chosen.threads):
        notes.append("torch's own operations were faster here than our passes before, so nothing is compiled.")
        config = resolve.with_values(config, train={"compile": "off"})
        train, measured = config.train, _measured(config, model, batches[0], home)
    choice = measured.choice
    if choice.note:
        notes.append(choice.note)
    precision = choice.precision
    step_seconds = autotune.timed(measured.rehearse, precision) * config.tokens_per_step / measured.tokens
    if not found:
        most = time_budget.affordable(train, time_budget.window_seconds(train, step_seconds))
        if most < train.eval_iters:
            notes.append(f"An evaluation looks at {most:,} batches: {train.eval_iters:,} would take too much time.")
            config = resolve.with_values(config, train={"eval_iters": most})
    decode.prepare(home, model, may_build=not time_budget.is_short(train))
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
