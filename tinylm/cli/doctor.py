"""`--doctor`: what this machine has, what would be chosen on it, and why."""

import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from tinylm import __version__, files
from tinylm.config.schema import RunConfig
from tinylm.hardware import autotune, device, malloc
from tinylm.hardware.device import Precision
from tinylm.kernels import compiler, train_pass
from tinylm.model.transformer import attention_kernel
from tinylm.runs.folder import list_runs
from tinylm.training.calibrate import cpu_speeds
from tinylm.words import counted, gigabytes


@dataclass(frozen=True)
class Findings:
    """The same facts as values and as sentences."""

    values: dict[str, object]
    sentences: list[str]


def examine(home: Path) -> Findings:
    """Examine this machine; this takes a few seconds, since thread counts are timed."""
    chosen = device.choose_device("auto")
    malloc.keep(one_arena=True)
    precisions: list[Precision] = ["fp32", "bf16"] if device.has_fast_bf16() else ["fp32"]
    config = RunConfig()
    code = train_pass.load_if_built(config, torch.device("cpu"), home)
    speeds = cpu_speeds(config.model, precisions, device.MEASURE_SECONDS, code)
    found_compiler, runs = compiler.find(), list_runs(home)
    seconds = {setting: 1 / speed for setting, speed in speeds.items()}
    on_cpu, best = autotune.fastest(seconds, before_kernels=code is None and found_compiler is not None)
    precision = on_cpu if chosen.type == "cpu" else device.choose_precision("auto", chosen)
    free = shutil.disk_usage(files.existing_folder(home)).free
    app = all(find_spec(name) for name in ("textual", "plotext"))
    values: dict[str, object] = {
        "version": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": device.machine_name(torch.device("cpu")),
        "device": chosen.type,
        "device_name": device.machine_name(chosen),
        "precision": precision,
        "threads": best,
        "compiled": code is not None,
        "tokens_per_second": {f"{count} {kind}": speed for (kind, count), speed in speeds.items()},
        "compiler": found_compiler,
        "home": str(home),
        "free_bytes": free,
        "runs": len(runs),
        "app": app,
    }
    timings = ", ".join(f"{counted(count, 'thread')} in {kind} {speed:,}" for (kind, count), speed in speeds.items())
    reasons = {
        "cuda": "A CUDA GPU is there, so trainings run on it. This program has never run on one: tell us how it does.",
        "mps": "There is no CUDA GPU; Apple's MPS is taken. It is written for and untested.",
        "cpu": "There is no CUDA GPU and no MPS, so trainings run on the CPU.",
    }
    sentences = [
        f"tinylm-studio {__version__}, Python {platform.python_version()}, torch {torch.__version__}.",
        f"{reasons[chosen.type]} Device: {device.machine_name(chosen)}.",
        f"Precision: {precision}, {_why(precision, chosen.type, precisions)}.",
        *_attention(config, precision, chosen),
        f"Threads: {counted(best, 'thread')} in {on_cpu} on the CPU (training tokens per second of the "
        f"default model, {'by our own compiled passes' if code else 'not compiled'}: {timings}). Each run measures "
        "this for its own model, or remembers it.",
        f"Compiler: {found_compiler} is there, so runs that are long enough go over to our own passes, unless "
        "torch's operations turn out to be faster with their model."
        if found_compiler
        else "Compiler: there is no C++ compiler, so train.compile stays off; nothing else needs one.",
        f"Home: {home}, {counted(len(runs), 'run')}, {gigabytes(free)} free.",
        "App: its libraries are installed."
        if app
        else "App: textual and plotext are not installed; --train needs neither.",
    ]
    return Findings(values, sentences)


def _attention(config: RunConfig, precision: Precision, chosen: torch.device) -> list[str]:
    """Which attention a GPU takes, and that it is slow where it is; nothing on other devices."""
    if chosen.type != "cuda":
        return []
    dtypes: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
    kernel = attention_kernel(config.model, dtypes.get(precision, torch.float32), chosen)
    return [f"Attention: torch's {kernel} kernel{', which is slow' if kernel == 'math' else ''}."]


def _why(precision: Precision, kind: str, measured: list[Precision]) -> str:
    if kind != "cpu":
        return "which this GPU multiplies fastest" if precision == "bf16" else "which this device is sure to have"
    if len(measured) < 2:
        return "since this processor does not multiply bf16 by itself"
    return "which is faster here as measured" if precision == "bf16" else "since bf16 is not faster here as measured"
