"""Writing text: a prompt is read once, then each token costs one step of the model and one draw.

**Past the block.** The model was trained on positions below `block_size`. When the cache is full, the last half block
of tokens is read anew as positions 0 and up, and writing goes on from there: every score comes from positions the
model knows, with at least half a block of context, at the price of one prefill per half block. (A rolling cache would
be cheaper and a different function: keys would keep positions from before.)

**Luck.** Each text has a generator of its own, which gives one number in [0, 1) a token; the token is the one at which
the sum of probabilities passes that number. So a text's luck depends on its seed and nothing else: not on how many
texts are written beside it, who looks on, or the vocabulary's size. (`torch.multinomial` draws a number for every token
of the vocabulary instead: 0.08 ms a token for 5,000, a quarter of the reference model's step.)
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tinylm.config.schema import SampleConfig
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import RunError
from tinylm.inference import decode
from tinylm.inference.sampling import Choices, choices
from tinylm.kernels.decode import NativeStep, NativeSteps
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer

_ANOTHER = "Use another checkpoint, or train again with a lower train.phases.N.max_lr."


class Writer:
    """Texts of equal length that a model goes on with: scores for what may come next, token after token.

    All begin with the same prompt, which is read once for all.
    """

    def __init__(self, model: Transformer, prompt: list[int], texts: int = 1) -> None:
        """`prompt` is not empty: a new text begins with the end-of-text token."""
        assert prompt
        self._model, self._block_size = model, model.config.block_size
        self._cache = KVCache(model.config, 1, self._block_size, model.embedding.weight)
        self._steps: Callable[[KVCache], decode.Step] | None = None
        self._step: decode.Step | None = None
        self.ids = [list(prompt) for _ in range(texts)]
        self._unread = min(len(prompt), self._block_size)
        """So many tokens at the end of each text are not in the cache yet."""

    @torch.inference_mode()
    def logits(self) -> Tensor:
        """Scores (B, V) of each text's next token, fp32 on the CPU, which the next call may overwrite."""
        if self._cache.length + self._unread > self._block_size:
            self._cache.length, self._unread = 0, self._block_size // 2
        self._steps = self._steps or decode.steps_for(self._model, len(self.ids))
        if self._cache.length and self._unread == 1:
            self._step = self._step or self._steps(self._cache)
            logits = self._step([ids[-1] for ids in self.ids])
        else:
            logits = self._read()
        self._unread = 0
        return logits.cpu()

    def _read(self) -> Tensor:
        """Scores (B, V) from all unread tokens at once; of texts that are still alike, one is read."""
        ids = [ids[-self._unread :] for ids in self.ids[: len(self._cache)]]
        if isinstance(self._steps, NativeSteps):
            self._step = step = self._step if isinstance(self._step, NativeStep) else self._steps(self._cache)
            logits = step.read(ids)
        else:
            logits = self._model.next_logits(torch.tensor(ids, device=self._cache.keys.device), self._cache)
        if len(ids) < len(self.ids):
            self._cache.select([0] * len(self.ids))
            self._step = None
            logits = logits.expand(len(self.ids), -1)
        return logits

    def push(self, tokens: list[int]) -> None:
        """Put a token behind each text."""
        for ids, token in zip(self.ids, tokens, strict=True):
            ids.append(token)
        self._unread += 1

    @torch.inference_mode()
    def take(self, rows: list[int]) -> None:
        """Go on with these texts only."""
        self.ids = [self.ids[row] for row in rows]
        self._cache.select(rows)
        self._step = None


@dataclass(frozen=True)
class Candidate:
    """A token that may come next, and how likely it is."""

    token: int
    probability: float
    """The model's own, at temperature 1 and before any filter."""
    drawn: float
    """After penalty, temperature and filters: what the token is drawn with."""


@dataclass(frozen=True)
class Chosen:
    """A token that was written, and what the model thought of it."""

    token: int
    probability: float
    """The model's own probability of it; NaN where no candidates were asked for."""
    bits: float
    """Entropy of the model's own distribution, in bits: how unsure it was. NaN where no candidates were asked for."""
    candidates: tuple[Candidate, ...]
    """The likeliest by the model's own probability, likeliest first; the chosen one stands last if not among them."""


def choose_variants(
    model: Transformer,
    prompt: list[int],
    settings: SampleConfig,
    seeds: Sequence[int],
    stop: int,
    n_candidates: int = 0,
) -> Iterator[tuple[int, Chosen]]:
    """Continue the ids of `prompt` once for each seed, all at once, at nearly the price of one.

    Gives out which text it is (a place in `seeds`) and its next token, token by token in turn, until each has come to
    `stop` (given out, as its last) or `settings.max_new_tokens`. A text is the one that its seed gives alone, but where
    rounding decides: products with several rows add up in another order. The model is put into evaluation mode.
    """
    model.eval()
    writer = Writer(model, prompt, len(seeds))
    going = list(range(len(seeds)))
    luck = [random.Random(seed) for seed in seeds]
    penalized = settings.repetition_penalty != 1.0
    for _ in range(settings.max_new_tokens):
        with torch.inference_mode():
            logits = writer.logits()  # (B, V)
            written = _written(writer.ids, logits) if penalized else None
            drawn_from = choices(logits, written, settings)
            if not all(math.isfinite(score) for score in drawn_from.highest):
                raise RunError("The model knows no number for what comes next: its weights are too large.", _ANOTHER)
            # 32 bits, so that even the highest of these numbers times a sum of probabilities is below that sum.
            tokens = drawn_from.draw([luck[which].getrandbits(32) / 2**32 for which in going])
            told = _told(tokens, logits, drawn_from, n_candidates) if n_candidates else _untold(tokens)
        yield from zip(going, told, strict=True)
        rows = [row for row, token in enumerate(tokens) if token != stop]
        if not rows:
            return
        if len(rows) < len(going):
            writer.take(rows)
            going = [going[row] for row in rows]
        writer.push([tokens[row] for row in rows])


def _written(ids: list[list[int]], logits: Tensor) -> Tensor:
    """Which tokens stand in each text, as flags like the scores (B, V)."""
    written = torch.zeros_like(logits, dtype=torch.bool)
    return written.scatter_(-1, torch.tensor(ids), True)


def _untold(tokens: list[int]) -> list[Chosen]:
    return [Chosen(token, math.nan, math.nan, ()) for token in tokens]


def _told(tokens: list[int], logits: Tensor, drawn_from: Choices, n_candidates: int) -> list[Chosen]:
    """What there is to see of choices made from scores (B, V)."""
    own = logits.softmax(-1)
    drawn = drawn_from.spread(logits.size(-1))
    likeliest: list[list[int]] = own.topk(min(n_candidates, logits.size(-1))).indices.tolist()
    bits: list[float] = (torch.special.entr(own).sum(-1) / math.log(2)).tolist()
    told = []
    for row, (token, shown) in enumerate(zip(tokens, likeliest, strict=True)):
        if token not in shown:
            shown.append(token)
        numbers = zip(shown, own[row, shown].tolist(), drawn[row, shown].tolist(), strict=True)
        candidates = tuple(Candidate(*each) for each in numbers)
        told.append(Chosen(token, float(own[row, token]), bits[row], candidates))
    return told


def choose_tokens(
    model: Transformer, prompt: list[int], settings: SampleConfig, stop: int, n_candidates: int = 0
) -> Iterator[Chosen]:
    """Continue the ids of `prompt` token by token, until `stop` (given out, as the last) or `settings.max_new_tokens`.

    The same `settings.seed` gives the same tokens, whatever `n_candidates`. The model is put into evaluation mode.
    """
    for _, chosen in choose_variants(model, prompt, settings, [settings.seed], stop, n_candidates):
        yield chosen


def write_tokens(model: Transformer, prompt: list[int], settings: SampleConfig, stop: int) -> Iterator[int]:
    """The tokens that `choose_tokens` chooses, without `stop`."""
    for chosen in choose_tokens(model, prompt, settings, stop):
        if chosen.token != stop:
            yield chosen.token


def write(model: Transformer, tokenizer: Tokenizer, prompt: str, settings: SampleConfig) -> Iterator[str]:
    """Continue `prompt` as text, piece by piece, never half a character; an empty prompt begins a new text."""
    ids = [tokenizer.end_of_text, *tokenizer.encode(prompt).tolist()]
    stream = tokenizer.stream()
    for token in write_tokens(model, ids, settings, tokenizer.end_of_text):
        piece = stream.feed(token)
        if piece:
            yield piece
    rest = stream.close()
    if rest:
        yield rest
