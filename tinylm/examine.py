"""What this machine has, what would be chosen on it, and why: `--doctor`."""

import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from tinylm import __version__, device, runs
from tinylm.config import ModelConfig
from tinylm.model import Transformer

ROWS, VOCABULARY = 4, 2048
"""The forward and backward pass that is timed: so many windows."""


@dataclass(frozen=True)
class Findings:
    """The same facts as one table of values and as sentences."""

    values: dict[str, object]
    sentences: list[str]


def threads(config: ModelConfig, limit: float = device.MEASURE_SECONDS) -> tuple[int, dict[int, int]]:
    """The thread count at which a model of this shape trains fastest on the CPU, and tokens per second by count."""
    model = Transformer(config, VOCABULARY, torch.Generator().manual_seed(0))
    ids = torch.zeros(ROWS, config.block_size, dtype=torch.int64)

    def work() -> None:
        torch.autograd.backward(model(ids, ids))
        model.zero_grad(set_to_none=True)

    best, seconds = device.measure_threads(work, limit)
    return best, {count: round(ids.numel() / took) for count, took in sorted(seconds.items())}


def examine(home: Path) -> Findings:
    """Look at this machine; takes a few seconds, since threads are measured."""
    chosen = device.choose_device("auto")
    precision = device.choose_precision("auto", chosen)
    best, speeds = threads(ModelConfig())
    compiler = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
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
        "tokens_per_second_by_threads": speeds,
        "compiler": compiler,
        "home": str(home),
        "free_bytes": free,
        "runs": len(runs.list_runs(home)),
        "app": app,
    }
    told = ", ".join(f"{count}: {speed:,}" for count, speed in speeds.items())
    why = {
        "cuda": "A CUDA GPU is there, so trainings run on it.",
        "mps": "There is no CUDA GPU; Apple's MPS is taken. It is written for and untested.",
        "cpu": "There is no CUDA GPU and no MPS, so trainings run on the CPU.",
    }
    sentences = [
        f"tinylm-studio {__version__}, Python {platform.python_version()}, torch {torch.__version__}.",
        f"{why[chosen.type]} Device: {device.machine_name(chosen)}.",
        f"Precision: {precision}"
        + (", which this GPU multiplies fastest." if precision == "bf16" else ", since bf16 is slower on most CPUs.")
        if chosen.type != "mps"
        else f"Precision: {precision}.",
        f"Threads: {best} are the fastest on the CPU (training tokens per second of the default model: {told}).",
        f"Compiler: {compiler} is there, so --set train.compile=on can be tried."
        if compiler
        else "Compiler: there is no C++ compiler, so train.compile stays off; nothing else needs one.",
        f"Home: {home}, {values['runs']} runs, {free / 1e9:.1f} GB free.",
        "App: its libraries are installed."
        if app
        else "App: textual and plotext are not installed; --train needs neither.",
    ]
    return Findings(values, sentences)
