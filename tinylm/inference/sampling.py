"""From logits to the next token: each filter is a small pure function over the last dimension; then the draw.

The vocabulary is large and few tokens survive. So top-k and top-p mostly return a short list of candidates, in
descending order of their logits, with their ids.

Shapes: B texts, V vocabulary, n candidate tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tinylm.config.schema import SampleConfig
from tinylm.kernels.decode import DecodeLibrary

TOP_P_CANDIDATES = 128
"""Number of highest logits that top-p tries before it sorts all; usually enough (assets/results/notes.md)."""


@dataclass(frozen=True)
class Probs:
    """Probabilities of the next token of each of B texts."""

    values: Tensor
    """(B, n); 0 where a filter rules the token out."""
    tokens: Tensor | None
    """Ids of the tokens, (B, n); None: the whole vocabulary, in order."""
    max_logits: list[float]
    """The highest logit of each text (B), after the repetition penalty; not finite if any is NaN or +inf."""

    def dense(self, vocab_size: int) -> Tensor:
        """The probabilities of the whole vocabulary (B, V)."""
        if self.tokens is None:
            return self.values
        return self.values.new_zeros(len(self.tokens), vocab_size).scatter_(-1, self.tokens, self.values)

    def sample(self, uniforms: list[float], library: DecodeLibrary | None = None) -> list[int]:
        """One token per text (B): where the cumulative probability passes the text's uniform number in [0, 1)."""
        if self.values.size(-1) == 1:
            columns = [0] * len(uniforms)
        elif library is not None:
            columns = library.sample(self.values, uniforms)
        else:
            sums = self.values.cumsum(-1, dtype=torch.float64).numpy()  # (B, n)
            columns = [int(row.searchsorted(u * row[-1], "right")) for row, u in zip(sums, uniforms, strict=True)]
        if self.tokens is None:
            return columns
        return [row[column] for row, column in zip(self.tokens.tolist(), columns, strict=True)]


def logits_to_probs(
    logits: Tensor, ids: list[list[int]], settings: SampleConfig, library: DecodeLibrary | None = None
) -> Probs:
    """From logits (B, V) to the probabilities that the next tokens are drawn with; `ids` are the texts so far.

    In this order: repetition penalty, temperature, top-k, top-p, min-p. Temperature 0 keeps only the most probable.
    """
    if settings.repetition_penalty != 1.0:
        logits = penalize(logits, tokens_in(ids, logits.size(-1)), settings.repetition_penalty)
    if settings.temperature == 0.0:
        max_logits, argmax = logits.max(-1, keepdim=True)
        return Probs(torch.ones_like(max_logits), argmax, max_logits[:, 0].tolist())
    temperature = max(settings.temperature, 1e-6)  # a smaller one leaves only the most probable token anyway
    is_filtered = settings.top_k > 0 or settings.top_p < 1.0 or settings.min_p > 0.0
    if library is not None and not is_filtered:
        values, highest = library.softmax(logits, temperature)
        return Probs(values, None, highest)
    max_logits = logits.amax(-1, keepdim=True)
    logits = (logits - max_logits).div_(temperature)  # at most 0, so that a tiny temperature cannot overflow
    tokens: Tensor | None = None
    if 0 < settings.top_k < logits.size(-1):
        logits, tokens = keep_top_k(logits, settings.top_k)
    if settings.top_p < 1.0:
        if tokens is None:
            log_probs, tokens = top_p_candidates(logits, settings.top_p)
        else:
            log_probs = logits.log_softmax(-1)
        logits = keep_top_p(log_probs, settings.top_p)
    return Probs(keep_min_p(logits, settings.min_p).softmax(-1), tokens, max_logits[:, 0].tolist())


def tokens_in(ids: list[list[int]], vocab_size: int) -> Tensor:
    """Which tokens occur in each of B texts: flags (B, V)."""
    flags = torch.zeros(len(ids), vocab_size, dtype=torch.bool)
    return flags.scatter_(-1, torch.tensor(ids, dtype=torch.int64), True)


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make `seen` tokens (..., V) less probable: the penalty of CTRL (Keskar et al. 2019, arXiv 1909.05858).

    Divides positive logits (..., V) by `penalty` and multiplies negative ones; 1 changes nothing.
    """
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def keep_top_k(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest of logits (B, V), 0 < k < V, in descending order, and their tokens: (B, k) each.

    Tokens tied with the k-th are kept: if any row has such a tie, both results are (B, V), -inf below the k-th.
    """
    descending, tokens = logits.topk(k + 1)
    if any(last == following for last, following in descending[:, k - 1 :].tolist()):
        kth = descending[:, k - 1 : k]
        descending, tokens = logits.sort(descending=True)
        return descending.masked_fill(descending < kth, -torch.inf), tokens
    return descending[:, :k], tokens[:, :k]


def top_p_candidates(logits: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """Log-probabilities of enough most probable tokens to reach p, in descending order, and the tokens: (B, n).

    n is TOP_P_CANDIDATES if that is enough for every row of logits (B, V), else V.
    """
    log_probs = logits.log_softmax(-1)
    descending, tokens = log_probs.topk(min(TOP_P_CANDIDATES, log_probs.size(-1)))
    if min(descending.exp().sum(-1).tolist()) < p:
        descending, tokens = log_probs.sort(descending=True)
    return descending, tokens


def keep_top_p(log_probs: Tensor, p: float) -> Tensor:
    """Keep the smallest set of most probable tokens whose sum reaches p > 0; at least one is kept.

    `log_probs` (B, n) in descending order. Nucleus sampling, Holtzman et al. 2020, arXiv 1904.09751.
    """
    probs = log_probs.exp()
    before = probs.cumsum(-1) - probs
    return log_probs.masked_fill(before >= p, -torch.inf)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """Rule out tokens less probable than p times the most probable one (Nguyen et al. 2024, arXiv 2407.01082)."""
    if p <= 0.0:
        return logits
    probs = logits.softmax(-1)
    return logits.masked_fill(probs < p * probs.amax(-1, keepdim=True), -torch.inf)
