"""`--bench lr`: the learning-rate finder's valley for a configuration, and the top rate that it suggests.

No speed is measured here: it tells how a model of this shape takes its texts, with this optimizer, at which rate. The
preset, texts, settings, device and seed are those of the flags, as for `--train`.
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
"""How long threads are measured for."""


def measure(options: argparse.Namespace, home: Path) -> Iterator[Row]:
    """A row for each rate as it is swept, its smoothed loss in nats a token; then where it diverged, and what to take.

    Of the last two, a row that has nothing to say is left out. Texts are prepared in the cache of `home`, and nothing
    else is written there.
    """
    config = flags.configuration(options, home, None)
    if config.train.threads == "auto":  # torch's own number can be ten times slower than the best
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
