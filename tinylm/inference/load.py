"""A trained model out of a run folder, ready to write."""

import torch

from tinylm import files
from tinylm.config.schema import ModelConfig
from tinylm.data.tokenizer import MOST_BYTES, Tokenizer
from tinylm.errors import ConfigError, RunError
from tinylm.hardware import device, malloc, memory
from tinylm.kernels import decode
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder
from tinylm.words import gigabytes

SMALL = 20_000_000
"""Parameters below which one thread writes fastest: waking a second one takes longer than a token's share of work."""


def load_tokenizer(run: RunFolder) -> Tokenizer:
    """The run's tokenizer; RunError where its file is missing or damaged."""
    try:
        return Tokenizer.from_json(files.read(run.tokenizer_file, MOST_BYTES).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"The tokenizer of {run.name} cannot be read: {error}.", "Restore tokenizer.json.") from None


def load_model(run: RunFolder, which: str = "best", wanted_device: str = "cpu") -> tuple[Transformer, Tokenizer]:
    """The model of a checkpoint (`latest`, `best` or a step) and the run's tokenizer; threads are left as they are."""
    place = device.choose_device(wanted_device)
    config, tokenizer = run.config(), load_tokenizer(run)
    found = checkpoint.load(checkpoint.find(run, which))
    weights = found.model_of(config.model, tokenizer.vocab_size)
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise RunError(f"The checkpoint {found.path.name} of {run.name} holds no numbers.", "Use another --checkpoint.")
    _refuse_long(config.model)
    model = Transformer(config.model, tokenizer.vocab_size)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise found.misfit() from error
    decode.keep_in(run.path.parent.parent, model)
    malloc.keep()
    return model.to(place).eval(), tokenizer


def _refuse_long(config: ModelConfig) -> None:
    """ConfigError where positions, keys and values of a whole context are larger than the memory."""
    # Of each position cosines and sines once, keys and values twice: as torch has them, and as our own steps read them.
    columns = config.head_size * (1 + 2 * config.n_layer * config.n_kv_head)
    needed, free = 2 * columns * config.block_size * torch.float32.itemsize, memory.free(torch.device("cpu"))
    if free is not None and needed > free:
        raise ConfigError(
            f"A context of {config.block_size:,} tokens needs {gigabytes(needed)}, and {gigabytes(free)} are free.",
            "Use another run, or a machine with more memory.",
        )


def settle_threads(model: Transformer) -> None:
    """Let this thread, and those that begin later, compute on one core where `model` writes fastest that way.

    A thread that has computed already keeps the number that it had: a training beside this one is not slowed down.
    """
    if model.n_parameters() < SMALL:
        torch.set_num_threads(1)
