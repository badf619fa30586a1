"""Checkpoints: written whole or not at all, verified when read, pruned.

`checkpoints/step-00000500/` holds `model.safetensors`, `optimizer.safetensors` and `state.json`, which has the size
and SHA-256 of each. `model.safetensors` are the weights to use. Where a run averages its weights, `average.safetensors`
holds the average; where that is what is to be used (`averaged` in `state.json`), the weights that go on training lie in
`optimizer.safetensors`, their names ending in `.trained`. The folder is made under another name, brought on the disk
and renamed; `latest` and `best` are small files that name a folder and are replaced likewise. No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import ConfigDict, TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from tinylm import files as disk
from tinylm import files as files_
from tinylm.config.schema import FORMAT, ModelConfig
from tinylm.errors import CheckpointError, RunError
from tinylm.hardware import memory
from tinylm.model import size as counting
from tinylm.runs.folder import RunFolder

_ASIDE = ".old-"
"""What stands before the name of a checkpoint while its step is saved a second time."""

MODEL, AVERAGE, OPTIMIZER = "model.safetensors", "average.safetensors", "optimizer.safetensors"
STATE = "state.json"

_TRAINED = ".trained"
"""What the names of trained weights end with among the optimizer's."""

_MOST_STATE_BYTES, _MOST_COUNT = 1 << 20, 2**53


@dataclass
class TrainState:
    """Where a run stands, besides its weights and its optimizer's state."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    plan_steps: int = 0
    """The length of the run that the learning rate follows."""
    budget: str | None = None
    """The budget that `plan_steps` was made for."""
    events_bytes: int = 0
    """How long the event log was when the checkpoint was made; resuming cuts it back to this."""
    samples_bytes: int = 0
    evaluated_step: int | None = None
    sampled_step: int | None = None
    best_val_bpb: float | None = None
    best_val_loss: float | None = None
    best_step: int | None = None
    machine: str = ""
    """Where it ran; elsewhere, what was measured is measured again."""
    bad_steps: int = 0
    """How many steps in a row were not applied because loss or gradient were not finite."""
    calm_loss: float = 0.0
    """Mean loss of late, in nats per token, and its variance, over so many steps that were no spike."""
    calm_variance: float = 0.0
    calm_steps: int = 0
    high_steps: int = 0
    """How many steps in a row had a loss far above it."""
    micro_batch: int = 0
    """Windows in one pass, where memory had run out with `train.batch_size` of them; 0: it never has."""
    averaged: bool = False
    """The averaged weights are those to use: they were better at the last evaluation."""
    backend: str = ""
    """How passes are computed on a CPU, once decided: `eager` or `kernels`; empty on other devices."""
    compiled_from: int | None = None
    """The last step before the kernels took over, reached or planned; None where they never did."""
    loss_scale: float = 1.0
    """What the loss is multiplied with before the backward pass, in fp16."""
    rescues: int = 0
    """How often the run went back because it had diverged."""
    lr_scale: float = 1.0
    """What the plan's learning rate is multiplied with since then."""
    best_train_loss: float | None = None
    """The loss on training text where that on held-out text was lowest."""
    since_best: int = 0
    """Evaluations in a row without a new best."""
    rising: int = 0
    """Evaluations in a row that were clearly worse than the best."""
    rise_told: bool = False
    """A person was warned of that since the last best."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that verified: its folder, its state and the bytes of its tensors."""

    path: Path
    state: TrainState
    _files: Mapping[str, bytes]

    def model(self) -> dict[str, Tensor]:
        """The weights to use, by name."""
        return self._tensors(MODEL)

    def trained(self) -> dict[str, Tensor]:
        """The weights that training goes on with, which may be others."""
        if not self.state.averaged:
            return self.model()
        stored = self._tensors(OPTIMIZER)
        return {name.removesuffix(_TRAINED): stored[name] for name in stored if name.endswith(_TRAINED)}

    def average(self) -> dict[str, Tensor] | None:
        """The averaged weights; None where the run averages none."""
        return self._tensors(AVERAGE) if AVERAGE in self._files else None

    def model_of(self, config: ModelConfig, vocab_size: int) -> dict[str, Tensor]:
        """The same as `model`, where they are as many as such a model has: to be asked before one is built."""
        return self._fitting(self.model(), config, vocab_size)

    def trained_of(self, config: ModelConfig, vocab_size: int) -> dict[str, Tensor]:
        """The same as `trained`, where they are as many."""
        return self._fitting(self.trained(), config, vocab_size)

    def _fitting(self, weights: dict[str, Tensor], config: ModelConfig, vocab_size: int) -> dict[str, Tensor]:
        plain = all(weight.dtype == torch.float32 for weight in weights.values())
        if not plain or sum(weight.numel() for weight in weights.values()) != counting.parameters(config, vocab_size):
            raise self.misfit()
        return weights

    def misfit(self) -> RunError:
        """What there is to say where weights or optimizer belong to another model than the run's."""
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
    """Write a checkpoint of `state.step` and point `latest` (and `best`) to it; OSError where the disk refuses.

    `model` are the weights that are trained, `average` theirs where it is kept; `state.averaged` says which to use.
    Killed at any instant, it leaves the checkpoints that were there and whole ones only. A step that is saved twice
    is replaced.
    """
    run.checkpoints.mkdir(exist_ok=True)
    final = run.checkpoints / folder_name(state.step)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=run.checkpoints))
    try:
        used, beside = model, dict(optimizer)
        if average is not None and state.averaged:
            used, beside = average, {**optimizer, **{f"{name}{_TRAINED}": weight for name, weight in model.items()}}
        files = {MODEL: _packed(used, {"format": "pt"}), OPTIMIZER: _packed(beside)}
        if average is not None:
            files[AVERAGE] = _packed(average, {"format": "pt"})
        sums = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
        table = {"format": FORMAT, **asdict(state), "files": sums}
        table["sha256"] = _sum_of(table)
        for name, data in {**files, STATE: json.dumps(table, indent=1).encode()}.items():
            disk.write_durably(making / name, data)
        making.chmod(0o777 & ~disk.umask())  # mkdtemp makes private folders; a run is as open as the user's other files
        disk.sync_folder(making)
        aside = run.checkpoints / f"{_ASIDE}{final.name}"
        if final.exists():  # the step is saved a second time
            shutil.rmtree(aside, ignore_errors=True)  # of a second save that was killed
            final.rename(aside)
        try:
            making.rename(final)
        except BaseException:
            _put_back(run)
            raise
        shutil.rmtree(aside, ignore_errors=True)
        disk.sync_folder(run.checkpoints)
        for pointer in ("latest", "best") if best else ("latest",):
            disk.replace_durably(run.checkpoints / pointer, f"{final.name}\n".encode())
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return final


def prune(run: RunFolder, keep: int) -> None:
    """Delete all but the last `keep` checkpoints and the best, and what interrupted saves left."""
    _put_back(run)
    best = _pointed(run, "best")
    for path in _steps(run)[:-keep]:
        if path.name != best:
            shutil.rmtree(path, ignore_errors=True)
    for path in run.checkpoints.glob(".*-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def exists(run: RunFolder) -> bool:
    """Whether the run has a checkpoint at all."""
    return bool(_steps(run))


def may_exist(run: RunFolder) -> bool:
    """Whether the run has a checkpoint, or could have one where nobody may look."""
    try:  # glob would find nothing, and say nothing, where it may not look
        return any(path.name.startswith("step-") for path in run.checkpoints.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def find(run: RunFolder, which: str = "latest") -> Path:
    """The folder of a checkpoint: `latest`, `best` (where there is no best yet, the latest) or a step's number."""
    if not exists(run):
        raise CheckpointError(f"The run {run.name} has no checkpoint yet.", "Wait for the first, or train it again.")
    if which in ("latest", "best"):
        named = _pointed(run, which)
        path = run.checkpoints / named if named else None
        return path if path is not None and path.is_dir() else _steps(run)[-1]
    path = run.checkpoints / folder_name(int(which)) if which.isdecimal() and len(which) < 9 else None
    if path is None or not path.is_dir():
        steps = ", ".join(str(int(path.name[5:])) for path in _steps(run))
        raise CheckpointError(
            f"The run {run.name} has no checkpoint {which!r}.", f"There are latest, best and {steps}."
        )
    return path


def load(path: Path) -> Checkpoint:
    """Read and verify a checkpoint folder; CheckpointError says what is wrong, RunError that it is too large."""
    hint = "Use another one (--checkpoint STEP), or delete this folder and go on from the one before."
    try:
        table = files_.table(files_.read(path / STATE, _MOST_STATE_BYTES))
        if table.pop("sha256") != _sum_of(table):
            raise CheckpointError(f"{path / STATE} is not what was saved.", hint)
        sums = table["files"]
        names = set(TrainState.__dataclass_fields__)
        values = {name: value for name, value in table.items() if name in names}
        state = TypeAdapter(TrainState).validate_json(json.dumps(values))
        if not all(0 <= value < _MOST_COUNT for value in vars(state).values() if isinstance(value, int)):
            raise CheckpointError(f"{path / STATE} counts what cannot be counted.", hint)
        if folder_name(state.step) != path.name:
            raise CheckpointError(f"{path / STATE} belongs to step {state.step}.", hint)
        held = (MODEL, AVERAGE, OPTIMIZER) if AVERAGE in sums else (MODEL, OPTIMIZER)
        sizes = {name: (path / name).stat().st_size for name in held}
        for name, size in sizes.items():
            if size != sums[name]["size"]:
                raise CheckpointError(f"{path / name} has {size} bytes and should have {sums[name]['size']}.", hint)
        free = memory.free(torch.device("cpu"))
        if free is not None and sum(sizes.values()) > free:  # no fault of the checkpoint: it is not set aside
            raise RunError(
                f"The checkpoint {path} has {sum(sizes.values()) / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free.",
                "Close other programs, or use a machine with more memory.",
            )
        files = {}
        for name, size in sizes.items():
            files[name] = files_.read(path / name, size)
            if hashlib.sha256(files[name]).hexdigest() != sums[name]["sha256"]:
                raise CheckpointError(f"{path / name} is not what was saved.", hint)
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"{error}".splitlines()[0] if f"{error}" else repr(error)
        raise CheckpointError(f"The checkpoint {path} cannot be read: {what}.", hint) from None
    return Checkpoint(path, state, files)


def newest_whole(run: RunFolder) -> tuple[Checkpoint | None, list[CheckpointError]]:
    """The newest checkpoint that verifies, and the faults of newer ones, which are set aside as `damaged-…`.

    Whoever asks is about to write to the run: RunError where it holds links or devices (`wary.check_folder`).
    """
    files_.check_folder(run.path)
    faults: list[CheckpointError] = []
    _put_back(run)
    for path in reversed(_steps(run)):
        try:
            return load(path), faults
        except CheckpointError as fault:
            faults.append(fault)
            names = (path.with_name(f"damaged-{path.name}-{number}") for number in count(1))
            path.rename(next(name for name in names if not name.exists()))
    return None, faults


def _put_back(run: RunFolder) -> None:
    """Undo a second save of a step that was interrupted between its two renames."""
    for aside in run.checkpoints.glob(f"{_ASIDE}step-*"):
        final = run.checkpoints / aside.name.removeprefix(_ASIDE)
        if not final.exists():
            aside.rename(final)


def _packed(tensors: Mapping[str, Tensor], about: dict[str, str] | None = None) -> bytes:
    return save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, about)


def _sum_of(table: Mapping[str, Any]) -> str:
    """The SHA-256 of a table in one spelling."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _steps(run: RunFolder) -> list[Path]:
    return sorted(run.checkpoints.glob("step-" + "[0-9]" * 8))


def _pointed(run: RunFolder, pointer: str) -> str | None:
    """The folder that `latest` or `best` names; a name that could lead elsewhere counts as none."""
    try:
        name = files_.read(run.checkpoints / pointer, 100).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if re.fullmatch(r"step-\d{8}", name) else None
