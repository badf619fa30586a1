"""From scores to the next token: each filter a small pure function over the last dimension, then the draw.

A list of all tokens is long and what a filter leaves is short, so top-k and top-p hand on only what they leave, in
falling order, and which tokens those are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tinylm.config.schema import SampleConfig
from tinylm.kernels import decode

HEAD = 128
"""How many of the highest scores top-p looks at first: mostly enough, at a twentieth of the price of sorting all."""


@dataclass(frozen=True)
class Choices:
    """The tokens that may come next in each of B texts, as far as they are looked at."""

    probabilities: Tensor
    """(B, n); 0 where a filter rules a token out."""
    tokens: Tensor | None
    """Which tokens they are, (B, n); None: all, in order."""
    highest: list[float]
    """The highest score of each text; no finite number where any is NaN or infinity."""

    def spread(self, vocab_size: int) -> Tensor:
        """The probabilities of all tokens (B, V)."""
        if self.tokens is None:
            return self.probabilities
        return self.probabilities.new_zeros(len(self.tokens), vocab_size).scatter_(-1, self.tokens, self.probabilities)

    def draw(self, luck: list[float]) -> list[int]:
        """The token of each text at which the sum of probabilities passes `luck`, a number in [0, 1) for each."""
        if self.probabilities.size(-1) == 1:
            places = [0] * len(luck)
        elif code := decode.library():
            places = code.sample(self.probabilities, luck)
        else:
            sums = self.probabilities.cumsum(-1, dtype=torch.float64).numpy()  # (B, n)
            places = [int(row.searchsorted(part * row[-1], "right")) for row, part in zip(sums, luck, strict=True)]
        if self.tokens is None:
            return places
        return [row[place] for row, place in zip(self.tokens.tolist(), places, strict=True)]


def penalize(logits: Tensor, written: Tensor, penalty: float) -> Tensor:
    """Make tokens less likely that were `written` (..., V): CTRL's penalty (Keskar et al. 2019, arXiv 1909.05858).

    Positive scores (..., V) are divided by `penalty`, negative ones multiplied; 1 changes nothing.
    """
    if penalty == 1.0:
        return logits
    return torch.where(written, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def keep_top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest of scores (B, V), 0 < k < V, in falling order, and their tokens.

    Equal scores at the border stay: where there are such, all tokens are handed on, those below the border at -inf.
    """
    falling, tokens = scores.topk(k + 1)
    if any(last == next_ for last, next_ in falling[:, k - 1 :].tolist()):
        border = falling[:, k - 1 : k]
        falling, tokens = scores.sort(descending=True)
        return falling.masked_fill(falling < border, -torch.inf), tokens
    return falling[:, :k], tokens[:, :k]


def enough_for_top_p(scores: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """The logarithms of the highest probabilities, by scores (B, V), that reach p, in falling order, and their tokens.

    Often that is what `HEAD` tokens do, else it is all of them.
    """
    logs = scores.log_softmax(-1)
    falling, tokens = logs.topk(min(HEAD, logs.size(-1)))
    if min(falling.exp().sum(-1).tolist()) < p:
        falling, tokens = logs.sort(descending=True)
    return falling, tokens


def keep_top_p(falling: Tensor, p: float) -> Tensor:
    """Rule out all but the likeliest tokens that together reach probability p > 0; the likeliest always stays.

    `falling` (B, n): logarithms of probabilities, falling. Nucleus sampling, Holtzman et al. 2020, arXiv 1904.09751.
    """
    probabilities = falling.exp()
    before = probabilities.cumsum(-1) - probabilities
    return falling.masked_fill(before >= p, -torch.inf)


def keep_min_p(scores: Tensor, p: float) -> Tensor:
    """Rule out tokens less likely than p times the likeliest one (Nguyen et al. 2024, arXiv 2407.01082)."""
    if p <= 0.0:
        return scores
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), -torch.inf)


def choices(logits: Tensor, written: Tensor | None, settings: SampleConfig) -> Choices:
    """From scores (B, V) to what the next tokens are drawn from.

    In this order: repetition penalty (where there is `written`, (B, V)), temperature, top-k, top-p, min-p. Temperature
    0 leaves the likeliest.
    """
    if written is not None:
        logits = penalize(logits, written, settings.repetition_penalty)
    if settings.temperature == 0.0:
        highest, likeliest = logits.max(-1, keepdim=True)
        return Choices(torch.ones_like(highest), likeliest, highest[:, 0].tolist())
    temperature = max(settings.temperature, 1e-6)  # below that all are alike
    if settings.top_k == 0 and settings.top_p == 1.0 and settings.min_p == 0.0 and (code := decode.library()):
        probabilities, most = code.softmax(logits, temperature)
        return Choices(probabilities, None, most)
    highest = logits.amax(-1, keepdim=True)
    scores = (logits - highest).div_(
        temperature
    )  # the highest first made 0, so that a tiny temperature cannot overflow
    tokens: Tensor | None = None
    if 0 < settings.top_k < scores.size(-1):
        scores, tokens = keep_top_k(scores, settings.top_k)
    if settings.top_p < 1.0:
        if tokens is None:
            scores, tokens = enough_for_top_p(scores, settings.top_p)
        else:
            scores = scores.log_softmax(-1)
        scores = keep_top_p(scores, settings.top_p)
    return Choices(keep_min_p(scores, settings.min_p).softmax(-1), tokens, highest[:, 0].tolist())
