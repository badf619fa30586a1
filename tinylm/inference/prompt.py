"""What a model reads of a prompt: its text in the form of the training text, as far as the context reaches.

**A space at the end.** BPE splits text before words together with the space in front of them, so that the token of a
single space is never followed by a word in training: after "Once upon " the model would go astray. The space is
therefore left out of the ids, and the first new token has to begin with it ("token healing"). What is written after the
prompt begins behind the space.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tinylm.corpus import cleaning
from tinylm.data.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """A prompt as a model reads it."""

    text: str
    """Cleaned as training texts are; what is written goes on behind its last character."""
    ids: list[int]
    """Of the text without `begun`, and without the end-of-text that precedes every text."""
    begun: str = ""
    """The last character of the text where the first new token has to begin with it, else nothing."""
    first: npt.NDArray[np.bool_] | None = None
    """Which tokens may come first, (vocab_size,); None: any."""
    block_size: int | None = None
    """The context of the model in tokens; None: without an end."""

    def after(self, written: str) -> str:
        """What stands behind the prompt where a model has written this, from its first token on."""
        return written.removeprefix(self.begun)

    @cached_property
    def notes(self) -> list[str]:
        """What a person may not expect, in sentences."""
        notes = []
        if self.block_size is not None and len(self.ids) > self.block_size:
            notes.append(
                f"Only the last {self.block_size:,} of {len(self.ids):,} tokens of the prompt fit into the context; "
                "what comes before is not read."
            )
        if self.begun:
            name = {" ": "space", "\t": "tab"}.get(self.begun, "white space")
            notes.append(f"The {name} at the end of the prompt is read as the beginning of the next word.")
        return notes


def fit_prompt(tokenizer: Tokenizer, text: str, block_size: int | None = None) -> Prompt:
    """The prompt `text` for a model with this tokenizer and context; DataError if a character cannot be encoded."""
    text = cleaning.normalized(text)
    begun = text[-1:]
    if tokenizer.kind == "bpe" and begun.isspace() and begun not in "\r\n":
        start = begun.encode()
        first = np.array([piece.startswith(start) for piece in [*tokenizer.pieces, b""]])
        if any(tokenizer.token_bytes[first] > len(start)):
            return Prompt(text, tokenizer.encode(text[:-1]).tolist(), begun, first, block_size)
    return Prompt(text, tokenizer.encode(text).tolist(), block_size=block_size)
