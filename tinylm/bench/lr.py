"""`--bench lr`: the loss over the learning rate for a configuration (range test), and the suggested top rate.

It measures no speed. Preset, texts, settings, device and seed are given by the flags of `--train`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch

from tinylm.bench.rows import Row
from tinylm.config import flags
from tinylm.events import LrFound
from tinylm.preview import lr_finder
from tinylm.training import calibrate

MEASURE_SECONDS = 1.0
"""Time for measuring the best number of threads."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """A row for each rate with its smoothed loss (nats a token), then that of divergence and the suggestion, if any.

    Only prepared texts are written to `home`.
    """
    config = flags.configuration(options, home, None)
    if config.train.threads == "auto":  # torch's default can be ten times slower than the best number
        threads, _ = calibrate.fastest_threads(config.model, MEASURE_SECONDS)
        torch.set_num_threads(threads)
    for event in lr_finder.find(config, home, limit=math.inf):
        if not isinstance(event, LrFound):
            yield Row(f"lr.loss.{event.rate:.2e}", event.loss, "nats")
            continue
        if event.diverged_at is not None:
            yield Row("lr.diverged_at", event.diverged_at, "rate")
        if event.suggestion is not None:
            yield Row("lr.suggestion", event.suggestion, "rate")
