"""What this machine has, what would be chosen on it, and why: `--doctor`."""

import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from tinylm import __version__
from tinylm.config.schema import RunConfig
from tinylm.hardware import autotune, device, malloc
from tinylm.hardware.device import Precision
from tinylm.kernels import train_pass
from tinylm.runs import folder
from tinylm.training.calibrate import _speeds


@dataclass(frozen=True)
class Findings:
    """The same facts as one table of values and as sentences."""

    values: dict[str, object]
    sentences: list[str]


def examine(home: Path) -> Findings:
    """Look at this machine; takes a few seconds, since threads are measured."""
    chosen = device.choose_device("auto")
    malloc.keep(one_heap=True)
    precisions: list[Precision] = ["fp32", "bf16"] if device.has_fast_bf16() else ["fp32"]
    config = RunConfig()
    code = train_pass.load_if_built(config, torch.device("cpu"), home)
    speeds = _speeds(config.model, precisions, device.MEASURE_SECONDS, code)
    on_cpu, best = autotune.fastest({which: 1 / speed for which, speed in speeds.items()}, to_compile=code is None)
    precision = on_cpu if chosen.type == "cpu" else device.choose_precision("auto", chosen)
    compiler = autotune.compiler()
    there = home
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
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
        "compiler": compiler,
        "home": str(home),
        "free_bytes": free,
        "runs": len(folder.list_runs(home)),
        "app": app,
    }
    told = ", ".join(f"{autotune.threads(count)} in {kind} {speed:,}" for (kind, count), speed in speeds.items())
    why = {
        "cuda": "A CUDA GPU is there, so trainings run on it.",
        "mps": "There is no CUDA GPU; Apple's MPS is taken. It is written for and untested.",
        "cpu": "There is no CUDA GPU and no MPS, so trainings run on the CPU.",
    }
    sentences = [
        f"tinylm-studio {__version__}, Python {platform.python_version()}, torch {torch.__version__}.",
        f"{why[chosen.type]} Device: {device.machine_name(chosen)}.",
        f"Precision: {precision}, {_why(precision, chosen.type, precisions)}.",
        f"Threads: {autotune.threads(best)} in {on_cpu} on the CPU (training tokens per second of the default model, "
        f"{'by our own compiled passes' if code else 'not compiled'}: {told}). Each run measures this for its own "
        "model, or remembers it.",
        f"Compiler: {compiler} is there, so runs that are long enough go over to our own passes, unless "
        "torch's operations turn out to be faster with their model."
        if compiler
        else "Compiler: there is no C++ compiler, so train.compile stays off; nothing else needs one.",
        f"Home: {home}, {values['runs']} runs, {free / 1e9:.1f} GB free.",
        "App: its libraries are installed."
        if app
        else "App: textual and plotext are not installed; --train needs neither.",
    ]
    return Findings(values, sentences)


def _why(precision: Precision, kind: str, measured: list[Precision]) -> str:
    if kind != "cpu":
        return "which this GPU multiplies fastest" if precision == "bf16" else "which this device is sure to have"
    if len(measured) < 2:
        return "since this processor does not multiply bf16 by itself"
    return "which is faster here as measured" if precision == "bf16" else "since bf16 is not faster here as measured"
