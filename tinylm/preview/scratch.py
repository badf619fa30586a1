"""The parts of a run without the run: what the rehearsal and the learning-rate finder try things on.

They are built as a training builds them, but nothing is compiled for them, and nothing is left behind but the prepared
text in the cache, which the run will use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tinylm import files
from tinylm.config.schema import RunConfig
from tinylm.data.batches import Batches, Corpus
from tinylm.hardware import autotune, device, memory
from tinylm.kernels import train_pass
from tinylm.training import backend, build, calibrate, memory_check
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper


class Cancelled(Exception):  # noqa: N818  # no fault: somebody asked for it
    """What was tried was called off."""


@contextmanager
def undisturbed(config: RunConfig, home: Path) -> Iterator[torch.device]:
    """The device that a run would take, while torch's threads and random numbers are lent and given back after.

    Whatever `train.threads` says where it is a number holds meanwhile; `auto` leaves torch's threads as they are.
    DeviceError where there is no such device; what the disk refuses becomes a RunError.
    """
    threads = torch.get_num_threads()
    try:
        if isinstance(config.train.threads, int):
            torch.set_num_threads(config.train.threads)
        place = device.choose_device(config.train.device)
        # Making layers and dropping out draw from torch's global generators.
        with torch.random.fork_rng([torch.cuda.current_device()] if place.type == "cuda" else []):
            yield place
    except OSError as error:
        raise files.refused(error, home) from error
    finally:
        torch.set_num_threads(threads)


def texts(config: RunConfig, folder: Path, place: torch.device, home: Path) -> tuple[RunConfig, Corpus, list[Batches]]:
    """What a run settles on, the texts in a prepared folder and each phase's batches.

    TinyLMError where the run would not start either.
    """
    corpus = Corpus(folder, place)
    corpus.tokenizer.encode(config.sample.prompt)
    config, _ = calibrate.settled(config, corpus, place, home)
    return config, corpus, build.batches_of(config, corpus)


def stepper(config: RunConfig, home: Path, place: torch.device, corpus: Corpus) -> Stepper:
    """The model as the run's seed makes it, its optimizer, and the precision that a run took here before."""
    vocab_size = corpus.tokenizer.vocab_size
    memory_check.refuse_giants(config, vocab_size, memory.free(place))
    model = build.first_model(config, corpus).to(place)
    code = train_pass.load_if_built(config, place, home)
    shape = autotune.shape(config, vocab_size, code is not None)
    precision = autotune.recalled_precision(config.train, place, home, shape)
    if code and backend.torch_won(home, config, vocab_size, precision, torch.get_num_threads()):
        code = None
    average = WeightEMA(model, config.train.average) if config.train.average else None
    scale = build.first_state(precision).loss_scale
    made = Stepper(config, model, Optimizer(model, config.train), precision, scale, average)
    if code:
        made.use(code, torch.get_num_threads())
    return made
