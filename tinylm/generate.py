"""Writing text: prefill, cached decoding, and sampling as small pure functions over scores.

**Past the block.** The model was trained on positions below `block_size`. When the cache is full, the last half block
of tokens is read anew as positions 0 and up, and writing goes on from there: every score comes from positions the
model knows, with at least half a block of context, at the price of one prefill per half block. (A rolling cache would
be cheaper and a different function: keys would keep positions from before.)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tinylm.config import SampleConfig
from tinylm.errors import RunError
from tinylm.model import KVCache, Transformer
from tinylm.tokenizer import Tokenizer

_ANOTHER = "Use another checkpoint, or train again with a lower train.phases.N.max_lr."


def penalize(logits: Tensor, written: Tensor, penalty: float) -> Tensor:
    """Make tokens that stand in `written` (n,) less likely: CTRL's penalty (Keskar et al. 2019, arXiv 1909.05858).

    Positive scores (V,) are divided by `penalty`, negative ones multiplied; 1 changes nothing.
    """
    if penalty == 1.0 or not len(written):
        return logits
    seen = logits[written]
    return logits.index_copy(0, written, torch.where(seen > 0, seen / penalty, seen * penalty))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Rule out all but the k highest scores (V,); 0 keeps all. Equal scores at the border stay."""
    if not 0 < k < len(logits):
        return logits
    return logits.masked_fill(logits < logits.topk(k).values[-1], -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Rule out all but the likeliest tokens that together reach probability p; the likeliest always stays.

    Nucleus sampling, Holtzman et al. 2020, arXiv 1904.09751.
    """
    if p >= 1.0:
        return logits
    ordered, places = logits.sort(descending=True)
    probabilities = ordered.softmax(-1)
    beyond = probabilities.cumsum(-1) - probabilities >= p
    beyond[0] = False
    return logits.masked_fill(torch.zeros_like(beyond).index_copy(0, places, beyond), -torch.inf)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """Rule out tokens less likely than p times the likeliest one (Nguyen et al. 2024, arXiv 2407.01082)."""
    if p <= 0.0:
        return logits
    probabilities = logits.softmax(-1)
    return logits.masked_fill(probabilities < p * probabilities.max(), -torch.inf)


def next_probabilities(logits: Tensor, written: Tensor, settings: SampleConfig) -> Tensor:
    """From scores (V,) to the distribution (V,) that the next token is drawn from.

    In this order: repetition penalty, temperature, top-k, top-p, min-p. Temperature 0 puts all on the likeliest.
    """
    logits = penalize(logits, written, settings.repetition_penalty)
    if settings.temperature == 0.0:
        return torch.zeros_like(logits).index_fill(0, logits.argmax(), 1.0)
    # The highest score first made 0, so that a tiny temperature cannot overflow; below 1e-6 all are alike.
    logits = (logits - logits.max()) / max(settings.temperature, 1e-6)
    logits = keep_min_p(keep_top_p(keep_top_k(logits, settings.top_k), settings.top_p), settings.min_p)
    return logits.softmax(-1)


class Writer:
    """A text that a model goes on with: scores for what may come next, token after token."""

    def __init__(self, model: Transformer, prompt: list[int]) -> None:
        """`prompt` is not empty: a new text begins with the end-of-text token."""
        assert prompt
        self._model = model
        self._block_size = model.config.block_size
        self._cache = KVCache(model.config, 1, self._block_size, model.embedding.weight)
        self.ids = list(prompt)
        self._unread = self.ids[-self._block_size :]

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Scores (V,) of the next token, fp32 on the CPU."""
        if self._cache.length + len(self._unread) > self._block_size:
            self._cache.length = 0
            self._unread = self.ids[-(self._block_size // 2) :]
        ids = torch.tensor([self._unread], device=self._model.embedding.weight.device)
        self._unread = []
        return self._model.next_logits(ids, self._cache)[0].cpu()

    def push(self, token: int) -> None:
        """Put a token behind the text."""
        self.ids.append(token)
        self._unread.append(token)


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


def choose_tokens(
    model: Transformer, prompt: list[int], settings: SampleConfig, stop: int, n_candidates: int = 0
) -> Iterator[Chosen]:
    """Continue the ids of `prompt` token by token, until `stop` (given out, as the last) or `settings.max_new_tokens`.

    Draws from a generator of its own, seeded by `settings.seed`: the same tokens whatever `n_candidates`. The model is
    put into evaluation mode.
    """
    model.eval()
    writer = Writer(model, prompt)
    generator = torch.Generator().manual_seed(settings.seed)
    for _ in range(settings.max_new_tokens):
        logits = writer.logits()
        if not math.isfinite(float(logits.max())):  # NaN anywhere is their highest
            raise RunError("The model knows no number for what comes next: its weights are too large.", _ANOTHER)
        drawn = next_probabilities(logits, torch.tensor(sorted(set(writer.ids))), settings)
        token = int(torch.multinomial(drawn, 1, generator=generator))
        yield _told(token, logits, drawn, n_candidates) if n_candidates else Chosen(token, math.nan, math.nan, ())
        if token == stop:
            return
        writer.push(token)


def _told(token: int, logits: Tensor, drawn: Tensor, n_candidates: int) -> Chosen:
    """What there is to see of a choice made from scores (V,) by the distribution `drawn` (V,)."""
    own = logits.softmax(-1)
    shown: list[int] = own.topk(min(n_candidates, len(own))).indices.tolist()
    if token not in shown:
        shown.append(token)
    numbers = zip(shown, own[shown].tolist(), drawn[shown].tolist(), strict=True)
    bits = float(torch.special.entr(own).sum()) / math.log(2)
    return Chosen(token, float(own[token]), bits, tuple(Candidate(*each) for each in numbers))


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
