"""The parts of a run without a run folder: what rehearsal and learning-rate finder take their steps on.

They are built as a training builds them, but nothing is compiled or measured for them, and only the prepared text stays
in the cache, which the run will use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tinylm import files
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.hardware.device import choose_device
from tinylm.inference.prompt import fit_prompt
from tinylm.training import build, calibrate
from tinylm.training.backend import captures_steps
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper, fitting_micro_batch


class Cancelled(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The preview was cancelled."""


def checker(cancelled: Callable[[], bool]) -> Callable[[], None]:
    """A function that raises Cancelled once `cancelled()` is true."""

    def check() -> None:
        if cancelled():
            raise Cancelled

    return check


@contextmanager
def isolated(config: RunConfig, home: Path, check: Callable[[], None]) -> Iterator[tuple[torch.device, Path]]:
    """Yield the device that a run would use, and the folder of its prepared texts; `check` is called in between.

    Restores torch's thread count and random state afterwards. A number in `train.threads` applies meanwhile; `auto`
    leaves torch's thread count as it is. TinyLMError if there is no such device, a text cannot be used, or the disk
    refuses.
    """
    threads = torch.get_num_threads()
    try:
        if isinstance(config.train.threads, int):
            torch.set_num_threads(config.train.threads)
        device = choose_device(config.train.device)
        # Initialising layers and dropout draw from torch's global generators.
        with torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []):
            check()
            folder = prepare.prepare(config, home)
            check()
            yield device, folder
    except OSError as error:
        raise files.disk_error(error, home) from error
    finally:
        torch.set_num_threads(threads)


def texts(config: RunConfig, folder: Path, device: torch.device, home: Path) -> tuple[RunConfig, Corpus, list[Batches]]:
    """The configuration after `train.fit`, the texts in a prepared folder, and each phase's batches.

    TinyLMError where the run would not start either.
    """
    corpus = Corpus(folder, device)
    fit_prompt(corpus.tokenizer, config.sample.prompt)
    config, _ = calibrate.fit_size(config, corpus, device, home)
    return config, corpus, build.batches_of(config, corpus)


def stepper(config: RunConfig, home: Path, device: torch.device, corpus: Corpus) -> Stepper:
    """A stepper on the initial model, with the backend and precision that such runs used here before."""
    vocab_size = corpus.tokenizer.vocab_size
    micro_batch = fitting_micro_batch(config, vocab_size, device)
    model = build.initial_model(config, corpus).to(device)
    code, precision = calibrate.without_measuring(config, vocab_size, device, home)
    average = WeightEMA(model, config.train.average) if config.train.average else None
    loss_scale = build.initial_loss_scale(precision)
    stepper = Stepper(config, model, Optimizer(model, config.train), precision, loss_scale, average)
    stepper.micro_batch_size = micro_batch
    if captures_steps(config, device):
        stepper.capture()
    if code:
        stepper.use(code, torch.get_num_threads())
    return stepper
