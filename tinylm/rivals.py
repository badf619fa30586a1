"""Whose passes are faster with a model on this machine, our own code's or torch's: measured once, and remembered.

Torch's products may use what ours do not, as the AMX of some Xeons and Apple's. What is remembered holds for one shape
of model, precision and number of threads, and for the library as it is: other sources or another compiler are measured
anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.hardware import measured
from tinylm.hardware.device import Precision
from tinylm.hardware.measured import Passes
from tinylm.kernels import compiler, train_pass

SLOWER = 1.1
"""Our own passes are done without where they take longer by this factor."""

GOES = 3
"""How often each is timed, in turn; the fastest counts."""


def torch_won(home: Path, config: RunConfig, vocab_size: int, precision: Precision, threads: int) -> bool:
    """Whether it is remembered that torch's passes are faster, and nobody has asked for ours."""
    found = measured.recall(home, _name(home, config.model, vocab_size, precision, threads), Passes)
    return config.train.compile == "auto" and found is not None and found.by == "torch"


def torch_wins(
    home: Path,
    model: ModelConfig,
    vocab_size: int,
    precision: Precision,
    threads: int,
    seconds: Callable[[bool], float],
) -> bool:
    """The same, measured where it is not known. `seconds`: what a pass takes, by our own code or (False) by torch's."""
    name = _name(home, model, vocab_size, precision, threads)
    found = measured.recall(home, name, Passes)
    if found is None:
        taken = [(seconds(False), seconds(True)) for _ in range(GOES)]
        torchs, ours = (min(each) for each in zip(*taken, strict=True))
        found = Passes("us" if ours <= SLOWER * torchs else "torch")
        measured.remember(home, name, found)
    return found.by == "torch"


def _name(home: Path, *of: object) -> str:
    return measured.key("passes", compiler.library(home, train_pass.SOURCE).name, *of)
