"""The benchmarks of `--bench`, one file each; that of the app is in `tui`.

A benchmark is a function from the flags and the home to rows. Speeds of two runs are never compared: a peer is measured
in the same run in alternating pairs, since machines change their speed by the minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tinylm.bench.rows import Row, print_rows
from tinylm.errors import ConfigError
from tinylm.words import did_you_mean

BENCHMARKS: dict[str, str] = {
    "app": "training speed in the app against --train, and how late the app's keys are",
    "generate": "writing speed against this machine's own limit, and against Hugging Face transformers where installed",
    "lr": "the loss at learning rates from 1e-5 to 0.1, and the top rate that this suggests for a training",
    "recipes": "what presets learn from a text in a time: bits per byte of the held-out part, over seeds",
    "start": "how soon the program answers, the app is there, and a training does its first step",
    "tokenize": "from texts to tokens, stage by stage, and against Hugging Face tokenizers where installed",
    "train": "training speed against this machine's own limit, and against Hugging Face transformers where installed",
}
"""What each benchmark measures; all but the app's are the function `measure` of the file of that name."""

Measure = Callable[[argparse.Namespace, Path], Iterator[Row]]


def run(options: argparse.Namespace, home: Path) -> int:
    """Run the benchmark that `options.bench` names and print its rows, or list all; returns the exit code."""
    if not options.bench:
        for name, meaning in BENCHMARKS.items():
            print(f"{name:<10}{meaning}")
        return 0
    if options.bench not in BENCHMARKS:
        hint = did_you_mean(options.bench, BENCHMARKS) or f"There are: {', '.join(BENCHMARKS)}."
        raise ConfigError(f"There is no benchmark named {options.bench!r}.", hint)
    if options.bench == "app":  # tinylm does not import tui
        raise ConfigError("This benchmark belongs to the app.", "Call it by tinylm-studio --bench app.")
    measure: Measure = import_module(f"tinylm.bench.{options.bench}").measure
    print_rows(measure(options, home), as_json=options.json)
    return 0
