"""A trained model out of a run folder, ready to write."""

import torch

from tinylm import checkpoint, device
from tinylm.errors import RunError
from tinylm.model import Transformer
from tinylm.runs import RunFolder
from tinylm.tokenizer import Tokenizer

SMALL = 20_000_000
"""Parameters below which one thread writes fastest: waking a second one takes longer than a token's share of work."""


def load_tokenizer(run: RunFolder) -> Tokenizer:
    """The run's tokenizer; RunError where its file is missing or damaged."""
    try:
        return Tokenizer.from_json(run.tokenizer_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"The tokenizer of {run.name} cannot be read: {error}.", "Restore tokenizer.json.") from None


def load_model(run: RunFolder, which: str = "best", wanted_device: str = "cpu") -> tuple[Transformer, Tokenizer]:
    """The model of a checkpoint (`latest`, `best` or a step) and the run's tokenizer; threads are left as they are."""
    place = device.choose_device(wanted_device)
    config, tokenizer = run.config(), load_tokenizer(run)
    found = checkpoint.load(checkpoint.find(run, which))
    with torch.device("meta"):  # shapes only: nothing is allocated before the checkpoint has shown its own
        model = Transformer(config.model, tokenizer.vocab_size)
    try:
        model.load_state_dict(found.model(), assign=True)
    except RuntimeError as error:
        raise RunError(
            f"The checkpoint {found.path.name} does not fit the config.toml of {run.name}.", "Restore that file."
        ) from error
    model.reset_rotary()
    return model.to(place).eval(), tokenizer


def settle_threads(model: Transformer) -> None:
    """Let this thread, and those that begin later, compute on one core where `model` writes fastest that way.

    A thread that has computed already keeps the number that it had: a training beside this one is not slowed down.
    """
    if model.n_parameters() < SMALL:
        torch.set_num_threads(1)
