"""Sets up a training, new or resumed, in five steps: texts, size, model, backend, session.

A set-up that fails leaves no new run folder behind.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from filelock import BaseFileLock

from tinylm import files
from tinylm.config import resolve
from tinylm.config.schema import Repeat, RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Corpus
from tinylm.errors import DeviceError
from tinylm.files import disk_error
from tinylm.hardware import malloc
from tinylm.hardware.device import choose_device, choose_precision, machine_name
from tinylm.inference.prompt import fit_prompt
from tinylm.kernels import decode
from tinylm.model.transformer import Transformer
from tinylm.planning import time_budget
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import Checkpoint, TrainState
from tinylm.runs.folder import RunFolder
from tinylm.runs.log import LogWriter
from tinylm.training import clock, device_check, repeat, run_length, weight_decay
from tinylm.training.backend import Backend
from tinylm.training.build import batches_of, initial_loss_scale, initial_model
from tinylm.training.calibrate import calibrate, fit_size
from tinylm.training.clock import Clock
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.repeat import Decisions
from tinylm.training.session import Session, notes_on_damaged
from tinylm.training.step import Stepper, fitting_micro_batch
from tinylm.words import counted


def start(config: RunConfig, home: Path, name: str | None) -> Session:
    """Set up a new run; TinyLMError where something has to be mended first, and then no folder is left."""
    began = clock.now()
    choose_device(config.train.device)
    try:
        run = folder.create(home, name if name is not None else folder.fresh_name(home, config.data.sources))
        try:
            lock = run.lock()
        except OSError:  # not a RunError: where another process was faster, the folder is its own
            folder.remove(run)
            raise
        try:
            prepared = prepare.prepare(config, home)
            _link_texts(prepared, run)
            return _set_up(config, run, lock, None, prepared.name, began, [], fresh=True)
        except BaseException:
            folder.remove(run)
            raise
    except OSError as error:
        raise disk_error(error, home) from error


def resume(config: RunConfig, run: RunFolder) -> Session:
    """Set up a run to continue from its newest whole checkpoint, or from the beginning where it has none.

    `config` comes from `config.resolve.resumed`.
    """
    began = clock.now()
    try:
        lock = run.lock()
    except OSError as error:
        raise disk_error(error, run.path, resumable=True) from error
    try:
        found, damaged = checkpoint.newest_whole(run)
        notes = notes_on_damaged(damaged)
        _finish_saving(config, run, found)
        if found and found.state.machine != machine_name(torch.device("cpu")):
            notes.append("This is another machine than before: what was measured there is measured again.")
            config = resolve.with_values(config, train={"threads": "auto"})
        try:
            choose_device(config.train.device)
        except DeviceError as error:
            notes.append(f"{error.message} The run goes on with the best device there is.")
            config = resolve.with_values(config, train={"device": "auto", "precision": "auto"})
        text = config.repeat.text if config.repeat else ""
        return _set_up(config, run, lock, found, text, began, notes, fresh=False)
    except OSError as error:
        lock.release()
        raise disk_error(error, run.path, resumable=True) from error
    except BaseException:
        lock.release()
        raise


def _set_up(
    config: RunConfig,
    run: RunFolder,
    lock: BaseFileLock,
    found: Checkpoint | None,
    text: str,
    began: float,
    notes: list[str],
    *,
    fresh: bool,
) -> Session:
    """Build the parts of a training in a run folder that has its texts, from the checkpoint `found` or from new.

    `text` is the key of the prepared texts.
    """
    malloc.keep(one_arena=True)
    home = run.home
    device = choose_device(config.train.device)
    choose_precision(config.train.precision, device)  # fails before texts are opened, if the device cannot do it

    # Texts.
    corpus = Corpus(run.path, device)
    fit_prompt(corpus.tokenizer, config.sample.prompt)  # fails now, not at the first sample, if it cannot be encoded

    # What is repeated.
    here = repeat.begun(config, device, text)
    repeated = _repeated(config, here, found.state.step if found else 0, notes, fresh=fresh)
    if config.repeat and (repeated or not fresh):  # in `config.train` they are no longer `auto`
        wished = {name: getattr(config.repeat, name) for name in ("eval_interval", "sample_interval")}
        here = here.model_copy(update=wished)

    # Size.
    if not found:
        config, fit_notes = fit_size(config, corpus, device, home)
        notes += fit_notes
    vocab_size = corpus.tokenizer.vocab_size
    micro_batch = (found and found.state.micro_batch) or fitting_micro_batch(config, vocab_size, device)

    # Model.
    weights = found.check_fits(found.trained(), config.model, vocab_size) if found else None
    model = initial_model(config, corpus).to(device)
    optimizer = Optimizer(model, config.train)
    average = WeightEMA(model, config.train.average) if config.train.average else None
    batches = batches_of(config, corpus)
    weight_decays = weight_decay.weight_decays(config, batches)
    state = found.state if found else TrainState()
    if found and weights is not None:
        run_length.refuse_what_is_done(config.train, state, batches[0].stream.tokens / config.tokens_per_step)
        _restore(found, weights, model, optimizer, average)
        state.backend = state.backend or _legacy_backend(config)
    else:
        if repeated and device.type == "cpu":
            state.compiled_from = repeated.compiled_from
            state.backend = "eager" if state.compiled_from is None else "kernels"
        notes += corpus.layout.notes
        if config.train.decay_epochs is not None:
            notes.append(weight_decay.in_words(config, weight_decays))
    state.machine = machine_name(torch.device("cpu"))

    # Backend.
    device_check.check(model, batches[0])
    backend = calibrate(config, model, batches[0], home, micro_batch, state.backend)
    notes += backend.notes
    if not found:
        state.loss_scale = initial_loss_scale(backend.precision)
    config = _affordable_evaluations(config, backend, notes) if not found and not repeated else config
    chosen = {"threads": backend.threads, "device": device.type, "precision": backend.precision}
    config = resolve.with_values(config, train=chosen)
    here = here.model_copy(update={"threads": backend.threads, "precision": backend.precision})
    state.repeat = repeat.gone_on(state.repeat, here) if found else here
    may_build = not time_budget.is_short(config.train)
    decode_library = decode.load_in_background(home, model, may_build=may_build)

    # Session.
    stepper = Stepper(config, model, optimizer, backend.precision, state.loss_scale, average)
    if micro_batch != stepper.micro_batch_size:
        stepper.micro_batch_size = state.micro_batch = micro_batch
    return Session(
        config=config,
        run=run,
        lock=lock,
        corpus=corpus,
        batches=batches,
        weight_decays=weight_decays,
        model=model,
        stepper=stepper,
        decode_library=decode_library,
        device=device,
        backend=backend,
        state=state,
        decisions=Decisions(state, repeated),
        resumed_from=state.step if found else None,
        fresh=fresh,
        events_log=LogWriter(run.events_file, state.events_bytes),
        samples_log=LogWriter(run.samples_file, state.samples_bytes),
        clock=Clock(began, state.seconds),
        notes=notes,
    )


def _repeated(config: RunConfig, here: Repeat, step: int, notes: list[str], *, fresh: bool) -> Repeat | None:
    """The recording in `config` that the run repeats; None where there is none or it cannot be repeated.

    `here` is what the run's own recording begins with, and `step` the step that it goes on from.
    """
    if config.repeat is None or (config.repeat.ended is None and not fresh):  # as of a run that decides for itself
        return None
    obstacle = repeat.obstacle(config.repeat, config, here)
    if obstacle is None:
        if fresh:
            notes.append(
                f"Repeats the run of this configuration: {config.repeat.ended:,} steps, however long they take."
            )
        return config.repeat
    if fresh or step < (config.repeat.ended or 0):
        notes.append(f"The run of this configuration cannot be repeated: {obstacle}. So this one is planned anew.")
    return None


def _restore(
    found: Checkpoint,
    weights: dict[str, torch.Tensor],
    model: Transformer,
    optimizer: Optimizer,
    average: WeightEMA | None,
) -> None:
    """Load a checkpoint into the parts; RunError where it is that of another model."""
    try:
        model.load_state_dict(weights)
        optimizer.load(found.optimizer())
        if average:
            average.load(found.average() or {})
        elif found.state.averaged:
            raise found.misfit()
    except (RuntimeError, ValueError) as error:
        raise found.misfit() from error


def _legacy_backend(config: RunConfig) -> str:
    """The backend of a run whose state has none: earlier versions wrote the choice into `train.compile`."""
    return {"on": "kernels", "off": "eager"}.get(config.train.compile, "") if config.train.device == "cpu" else ""


def _affordable_evaluations(config: RunConfig, backend: Backend, notes: list[str]) -> RunConfig:
    """The configuration with as many evaluation batches as the time budget can pay for."""
    step_seconds = backend.token_seconds * config.tokens_per_step
    most = time_budget.affordable(config.train, time_budget.sequence_seconds(config.train, step_seconds))
    if most >= config.train.eval_iters:
        return config
    batches = counted(most, "batch", "batches")
    notes.append(f"An evaluation looks at {batches}: {config.train.eval_iters:,} would take too much time.")
    return resolve.with_values(config, train={"eval_iters": most})


def _finish_saving(config: RunConfig, run: RunFolder, found: Checkpoint | None) -> None:
    """Finish what a process that was killed while saving left undone: pointers, pruning, temporary files."""
    for name in (run.config_file.name, run.card_file.name):
        for temporary in run.path.glob(f".{name}-*"):
            temporary.unlink()
    if found:
        for pointer, step in (("latest", found.state.step), ("best", found.state.best_step)):
            if step is not None and (run.checkpoints / checkpoint.folder_name(step)).is_dir():
                files.replace_durably(run.checkpoints / pointer, f"{checkpoint.folder_name(step)}\n".encode())
        if found.state.best_step is None:  # the evaluation at the end of a stopped run is not part of it
            (run.checkpoints / "best").unlink(missing_ok=True)
        checkpoint.prune(run, config.train.keep_checkpoints)


def _link_texts(prepared: Path, run: RunFolder) -> None:
    """Give a run its own copy of the prepared texts: hard links, or copies where the file system has none.

    The run stays whole when the cache is deleted, and links cost no space.
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
    for path in (run.path / "data", run.path, run.path.parent):  # a checkpoint is worth nothing without them
        files.sync_folder(path)
