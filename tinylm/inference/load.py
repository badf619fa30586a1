"""Loads the model of a run folder, ready to generate."""

import torch

from tinylm import files
from tinylm.config.schema import ModelConfig
from tinylm.data.tokenizer import MOST_BYTES, Tokenizer
from tinylm.errors import ConfigError, RunError
from tinylm.hardware import malloc, memory
from tinylm.hardware.device import choose_device
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder
from tinylm.words import counted, gigabytes

SMALL = 20_000_000
"""Parameters below which one thread is fastest: waking a second one takes longer than its share of a token."""

TOKEN_BYTES = 50
"""What a generated token takes as a Python number in two lists."""


def load_tokenizer(run: RunFolder) -> Tokenizer:
    """The run's tokenizer; RunError where its file is missing or damaged."""
    try:
        return Tokenizer.from_json(files.read(run.tokenizer_file, MOST_BYTES).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"The tokenizer of {run.name} cannot be read: {error}.", "Restore tokenizer.json.") from None


def load_model(run: RunFolder, which: str = "best", wanted_device: str = "cpu") -> tuple[Transformer, Tokenizer]:
    """The model of a checkpoint (`latest`, `best` or a step) and the run's tokenizer; leaves torch's threads alone."""
    device = choose_device(wanted_device)
    config, tokenizer = run.config(), load_tokenizer(run)
    saved = checkpoint.load(checkpoint.find(run, which))
    weights = saved.check_fits(saved.model(), config.model, tokenizer.vocab_size)
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise RunError(f"The checkpoint {saved.path.name} of {run.name} holds no numbers.", "Use another --checkpoint.")
    _refuse_long_context(config.model)
    model = Transformer(config.model, tokenizer.vocab_size)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise saved.misfit() from error
    malloc.keep()
    return model.to(device).eval(), tokenizer


def _refuse_long_context(config: ModelConfig) -> None:
    """ConfigError where the rotary table and the KV cache of one text are larger than the free memory."""
    rotary_table = 2 * config.head_size * config.block_size * torch.float32.itemsize
    needed, free = rotary_table + _cache_bytes(config), memory.free(torch.device("cpu"))
    if free is not None and needed > free:
        raise ConfigError(
            f"A context of {config.block_size:,} tokens needs {gigabytes(needed)}, and {gigabytes(free)} are free.",
            "Use another run, or a machine with more memory.",
        )


def refuse_too_many_texts(model: Transformer, count: int, max_new_tokens: int) -> None:
    """ConfigError where so many texts in one batch do not fit in the free memory; the estimate is rather too high."""
    config = model.config
    prefill = config.block_size // 2 * (4 + 3 * config.mlp_ratio) * config.n_embd * torch.float32.itemsize
    # Dropping the texts that have ended copies the cache. The draw holds some eight numbers per vocabulary entry.
    each = 2 * _cache_bytes(config) + prefill + 8 * model.vocab_size * torch.float32.itemsize
    needed = count * (each + max_new_tokens * TOKEN_BYTES)
    free = memory.free(model.embedding.weight.device)
    if free is not None and needed > free:
        raise ConfigError(
            f"{counted(count, 'text')} at once would take {gigabytes(needed)}, and {gigabytes(free)} are free.",
            f"Use {'a smaller --count, or ' * (count > 1)}a smaller sample.max_new_tokens.",
        )


def _cache_bytes(config: ModelConfig) -> int:
    """The KV cache of one text, twice: as torch has it, and as our own steps pack it."""
    numbers = 2 * config.n_layer * config.n_kv_head * config.head_size * config.block_size
    return 2 * numbers * torch.float32.itemsize


def settle_threads(model: Transformer) -> None:
    """Let this thread, and those that start later, compute on one core where that is fastest for `model`.

    A thread that has computed already keeps its number: a training beside this one is not slowed down.
    """
    if model.n_parameters() < SMALL:
        torch.set_num_threads(1)
