"""Checkpoints: written atomically, verified when read, pruned.

`checkpoints/step-00000500/` holds `model.safetensors`, `optimizer.safetensors` and `state.json`, which has the size
and SHA-256 of each. `model.safetensors` holds the weights to use. Where a run averages its weights,
`average.safetensors` holds the average; where the average is to be used (`averaged` in `state.json`), the trained
weights are stored in `optimizer.safetensors`, under names that end in `.trained`. The folder is written under a
temporary name, flushed to the disk and renamed; `latest` and `best` are small files that name a folder and are replaced
atomically too. There is no pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import ConfigDict, TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from tinylm import files
from tinylm.config.schema import FORMAT, ModelConfig, Repeat
from tinylm.errors import CheckpointError, RunError
from tinylm.hardware import memory
from tinylm.model.size import parameters
from tinylm.runs.folder import RunFolder
from tinylm.words import gigabytes

_REPLACED = ".old-"
"""Prefix of a checkpoint's name while its step is saved a second time."""

MODEL, AVERAGE, OPTIMIZER = "model.safetensors", "average.safetensors", "optimizer.safetensors"
STATE = "state.json"

_TRAINED = ".trained"
"""Suffix of the names of trained weights in the optimizer's file."""

_MOST_STATE_BYTES, _MOST_COUNT = 1 << 20, 2**53


@dataclass
class TrainState:
    """The state of a training besides weights and optimizer; the names are those of `state.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    plan_steps: int = 0
    """The length of the run that the learning-rate schedule is laid out for."""
    budget: str | None = None
    """The budget that `plan_steps` was made for."""
    events_bytes: int = 0
    """The length of the event log at this checkpoint; resuming cuts the log back to it."""
    samples_bytes: int = 0
    evaluated_step: int | None = None
    sampled_step: int | None = None
    best_val_bpb: float | None = None
    best_val_loss: float | None = None
    best_step: int | None = None
    machine: str = ""
    """The machine it ran on; on another one, what was measured is measured again."""
    bad_steps: int = 0
    """Steps in a row that were skipped because loss or gradient were not finite."""
    calm_loss: float = 0.0
    """Running mean of the loss without spikes, in nats per token; with its variance, and the steps it is over."""
    calm_variance: float = 0.0
    calm_steps: int = 0
    high_steps: int = 0
    """Steps in a row whose loss was far above `calm_loss`."""
    micro_batch: int = 0
    """Sequences in one forward pass after memory ran out with `train.batch_size` of them; 0 where it never did."""
    averaged: bool = False
    """The averaged weights are the ones to use: they were better at the last evaluation."""
    backend: str = ""
    """How passes are computed on a CPU, once decided: `eager` or `kernels`; empty on other devices."""
    compiled_from: int | None = None
    """The last step before the kernels took over, reached or planned; None where they never did."""
    loss_scale: float = 1.0
    """Factor of the loss before the backward pass, in fp16."""
    rescues: int = 0
    """How often the run was rolled back because it had diverged."""
    lr_scale: float = 1.0
    """Factor of the planned learning rate since the last rollback."""
    best_train_loss: float | None = None
    """The loss on training text at the evaluation with the lowest loss on held-out text."""
    since_best: int = 0
    """Evaluations in a row without a new best."""
    rising: int = 0
    """Evaluations in a row that were clearly worse than the best."""
    rise_told: bool = False
    """A warning about that was given since the last best."""
    repeat: Repeat | None = None
    """What the run measured and decided so far; None in runs of earlier versions."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: its folder, its state and the bytes of its tensor files."""

    path: Path
    state: TrainState
    _files: Mapping[str, bytes]

    def model(self) -> dict[str, Tensor]:
        """The weights to use, by name."""
        return self._tensors(MODEL)

    def trained(self) -> dict[str, Tensor]:
        """The weights that training continues with, which may differ from those to use."""
        if not self.state.averaged:
            return self.model()
        stored = self._tensors(OPTIMIZER)
        return {name.removesuffix(_TRAINED): stored[name] for name in stored if name.endswith(_TRAINED)}

    def average(self) -> dict[str, Tensor] | None:
        """The averaged weights; None where the run keeps no average."""
        return self._tensors(AVERAGE) if AVERAGE in self._files else None

    def check_fits(self, weights: dict[str, Tensor], config: ModelConfig, vocab_size: int) -> dict[str, Tensor]:
        """`weights`, if they are float32 and as many as a model of this shape has; else RunError.

        The check comes before such a model is built, which may be larger than memory.
        """
        float32 = all(weight.dtype == torch.float32 for weight in weights.values())
        if not float32 or sum(weight.numel() for weight in weights.values()) != parameters(config, vocab_size):
            raise self.misfit()
        return weights

    def misfit(self) -> RunError:
        """The error for weights or an optimizer that belong to another model than the run's."""
        return RunError(
            f"The checkpoint {self.path} does not fit the run's config.toml.", "Restore that file as it was."
        )

    def optimizer(self) -> dict[str, Tensor]:
        """The optimizer's state by name."""
        return {name: value for name, value in self._tensors(OPTIMIZER).items() if not name.endswith(_TRAINED)}

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return load_tensors(self._files[name])
        except (SafetensorError, ValueError, KeyError) as error:
            problem = f"{self.path / name} is no safetensors file: {error}."
            raise CheckpointError(problem, "Use another checkpoint.") from None


def folder_name(step: int) -> str:
    """The name of the checkpoint folder of a step."""
    return f"step-{step:08d}"


def save(
    run: RunFolder,
    model: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    state: TrainState,
    best: bool,
    average: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write a checkpoint of `state.step` and point `latest` (and `best`) to it; OSError where that fails.

    `model` holds the trained weights, `average` their average where one is kept; `state.averaged` says which to use.
    If the process is killed at any moment, earlier checkpoints and only complete ones are left. A step that is saved
    twice is replaced.
    """
    run.checkpoints.mkdir(exist_ok=True)
    final = run.checkpoints / folder_name(state.step)
    temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=run.checkpoints))
    try:
        used, stored = model, dict(optimizer)
        if average is not None and state.averaged:
            used, stored = average, {**optimizer, **{f"{name}{_TRAINED}": weight for name, weight in model.items()}}
        contents = {MODEL: _serialized(used, {"format": "pt"}), OPTIMIZER: _serialized(stored)}
        if average is not None:
            contents[AVERAGE] = _serialized(average, {"format": "pt"})
        table = {"format": FORMAT, **TypeAdapter(TrainState).dump_python(state), "files": {}}
        for name, data in contents.items():
            table["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        table["sha256"] = _checksum(table)
        for name, data in {**contents, STATE: json.dumps(table, indent=1).encode()}.items():
            files.write_durably(temporary / name, data)
        files.give_usual_rights(temporary, 0o777)
        files.sync_folder(temporary)
        replaced = run.checkpoints / f"{_REPLACED}{final.name}"
        if final.exists():  # the step is saved a second time
            shutil.rmtree(replaced, ignore_errors=True)  # left by a second save that was killed
            final.rename(replaced)
        try:
            temporary.rename(final)
        except BaseException:
            _restore_replaced(run)
            raise
        shutil.rmtree(replaced, ignore_errors=True)
        files.sync_folder(run.checkpoints)
        for pointer in ("latest", "best") if best else ("latest",):
            files.replace_durably(run.checkpoints / pointer, f"{final.name}\n".encode())
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def point_best(run: RunFolder, step: int) -> None:
    """Make the checkpoint of `step` the best."""
    files.replace_durably(run.checkpoints / "best", f"{folder_name(step)}\n".encode())


def prune(run: RunFolder, keep: int) -> None:
    """Delete all but the last `keep` checkpoints and the best, and what interrupted saves left behind."""
    _restore_replaced(run)
    best = _read_pointer(run, "best")
    for path in _folders(run)[:-keep]:
        if path.name != best:
            shutil.rmtree(path, ignore_errors=True)
    for path in run.checkpoints.glob(".*-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def exists(run: RunFolder) -> bool:
    """Whether the run has a checkpoint."""
    return bool(_folders(run))


def may_exist(run: RunFolder) -> bool:
    """Whether the run has a checkpoint, or may have one because its folder cannot be read."""
    try:  # where reading is forbidden, glob finds nothing and raises nothing
        return any(path.name.startswith("step-") for path in run.checkpoints.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def find(run: RunFolder, which: str = "latest") -> Path:
    """The folder of a checkpoint: `latest`, `best` (the latest while there is no best) or the number of a step."""
    if not exists(run):
        raise CheckpointError(f"The run {run.name} has no checkpoint yet.", "Wait for the first, or train it again.")
    if which in ("latest", "best"):
        name = _read_pointer(run, which)
        path = run.checkpoints / name if name else None
        return path if path is not None and path.is_dir() else _folders(run)[-1]
    path = run.checkpoints / folder_name(int(which)) if which.isdecimal() and len(which) < 9 else None
    if path is None or not path.is_dir():
        steps = ", ".join(str(int(path.name[5:])) for path in _folders(run))
        raise CheckpointError(
            f"The run {run.name} has no checkpoint {which!r}.", f"There are latest, best and {steps}."
        )
    return path


def load(path: Path) -> Checkpoint:
    """Read and verify a checkpoint; CheckpointError where it is damaged, RunError where free memory cannot hold it."""
    hint = "Use another one (--checkpoint STEP), or delete this folder and go on from the one before."
    try:
        table = files.json_object(files.read(path / STATE, _MOST_STATE_BYTES))
        if table.pop("sha256") != _checksum(table):
            raise CheckpointError(f"{path / STATE} is not what was saved.", hint)
        expected = table["files"]
        state = TypeAdapter(TrainState).validate_json(json.dumps(table))  # keys that it does not know are ignored
        if not all(0 <= value < _MOST_COUNT for value in vars(state).values() if isinstance(value, int)):
            raise CheckpointError(f"{path / STATE} counts what cannot be counted.", hint)
        if folder_name(state.step) != path.name:
            raise CheckpointError(f"{path / STATE} belongs to step {state.step}.", hint)
        names = (MODEL, AVERAGE, OPTIMIZER) if AVERAGE in expected else (MODEL, OPTIMIZER)
        sizes = {name: (path / name).stat().st_size for name in names}
        for name, size in sizes.items():
            if size != expected[name]["size"]:
                raise CheckpointError(f"{path / name} has {size} bytes and should have {expected[name]['size']}.", hint)
        free = memory.free(torch.device("cpu"))
        if free is not None and sum(sizes.values()) > free:  # the checkpoint is not damaged, so it is not set aside
            raise RunError(
                f"The checkpoint {path} has {gigabytes(sum(sizes.values()))}, and {gigabytes(free)} are free.",
                "Close other programs, or use a machine with more memory.",
            )
        contents = {}
        for name, size in sizes.items():
            contents[name] = files.read(path / name, size)
            if hashlib.sha256(contents[name]).hexdigest() != expected[name]["sha256"]:
                raise CheckpointError(f"{path / name} is not what was saved.", hint)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{error}".splitlines()[0] if f"{error}" else repr(error)
        raise CheckpointError(f"The checkpoint {path} cannot be read: {reason}.", hint) from None
    return Checkpoint(path, state, contents)


def newest_whole(run: RunFolder) -> tuple[Checkpoint | None, list[CheckpointError]]:
    """The newest checkpoint that verifies, and the faults of newer ones, which are renamed to `damaged-…`.

    The caller is about to write to the run, so RunError where it holds links or devices (`files.check_folder`).
    """
    files.check_folder(run.path)
    faults: list[CheckpointError] = []
    _restore_replaced(run)
    for path in reversed(_folders(run)):
        try:
            return load(path), faults
        except CheckpointError as fault:
            faults.append(fault)
            names = (path.with_name(f"damaged-{path.name}-{number}") for number in count(1))
            path.rename(next(name for name in names if not name.exists()))
    return None, faults


def _restore_replaced(run: RunFolder) -> None:
    """Bring back the checkpoint of a step whose second save was interrupted between its two renames."""
    for replaced in run.checkpoints.glob(f"{_REPLACED}step-*"):
        final = run.checkpoints / replaced.name.removeprefix(_REPLACED)
        if not final.exists():
            replaced.rename(final)


def _serialized(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    return save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)


def _checksum(table: Mapping[str, Any]) -> str:
    """The SHA-256 of a table, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _folders(run: RunFolder) -> list[Path]:
    return sorted(run.checkpoints.glob("step-" + "[0-9]" * 8))


def _read_pointer(run: RunFolder, pointer: str) -> str | None:
    """The folder that `latest` or `best` names; None also for a name that would lead out of the run folder."""
    try:
        name = files.read(run.checkpoints / pointer, 100).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if re.fullmatch(r"step-\d{8}", name) else None
