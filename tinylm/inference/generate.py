"""Text generation: prefill the prompt, then one decoding step and one random draw for each token.

Top down: `generate_text` and `generate_texts` (strings), `continue_texts` (what precedes them, and what a new text may
begin with), `generate_batch` (the loop over tokens), `Decoder` (logits from the KV cache). From logits to a token:
`sampling.py`. How a step is computed on each device: `decode.py`.

**Beyond the context.** The model was trained on positions below `block_size`. When the cache is full, it is cleared,
and the last `block_size // 2` tokens are prefilled again from position 0. From then on every token has at least half a
block of context, at the cost of one prefill per half block. (A sliding-window cache would be cheaper but give different
logits: its entries depend on tokens that have left the window.)

**Seeds.** Each text has a random generator of its own and draws one uniform number per token (assets/results/notes.md).
Given model, prompt and settings, a text depends only on its seed, not on the rest of the batch or on whether candidates
are recorded (up to rounding in batched matrix products).

**New texts.** They are never empty: as long as a text shows nothing, tokens that show nothing (end-of-text, white
space) have probability 0.

Shapes: B texts, V vocabulary.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tinylm.config.schema import SampleConfig
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import RunError
from tinylm.inference.decode import Step, step_factory
from tinylm.inference.prompt import fit_prompt
from tinylm.inference.sampling import Probs, logits_to_probs
from tinylm.kernels.decode import DecodeLibrary, NativeStep, NativeSteps
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer
from tinylm.words import is_visible

# ---- strings --------------------------------------------------------------------------------------------------------


def generate_text(
    model: Transformer,
    tokenizer: Tokenizer,
    prompt: str,
    settings: SampleConfig,
    library: DecodeLibrary | None = None,
) -> Iterator[str]:
    """Yield the continuation of `prompt` in pieces that split no character; an empty prompt starts a new text."""
    stream, fitted, end = tokenizer.stream(), fit_prompt(tokenizer, prompt), tokenizer.end_of_text
    seeds = [settings.seed]
    written = continue_texts(model, tokenizer, fitted.ids, settings, seeds, library=library, first=fitted.first)
    for number, (_, sampled) in enumerate(written):
        piece = stream.feed(sampled.token) if sampled.token != end else ""
        if number == 0:
            piece = fitted.after(piece)
        if piece:
            yield piece
    rest = stream.close()
    if rest:
        yield rest


@dataclass(frozen=True)
class Continuation:
    """What a model generated after a prompt."""

    text: str
    tokens: int
    """Number of tokens in `text`, without end-of-text."""
    ended: bool
    """True if the model sampled end-of-text; False if `max_new_tokens` was reached."""
    seed: int


def generate_texts(
    model: Transformer,
    tokenizer: Tokenizer,
    prompt: str,
    settings: SampleConfig,
    seeds: Sequence[int],
    library: DecodeLibrary | None = None,
) -> list[Continuation]:
    """Continue `prompt` once for each seed, all in one batch."""
    end, fitted = tokenizer.end_of_text, fit_prompt(tokenizer, prompt)
    texts: list[list[int]] = [[] for _ in seeds]
    for index, sampled in continue_texts(
        model, tokenizer, fitted.ids, settings, seeds, library=library, first=fitted.first
    ):
        texts[index].append(sampled.token)
    continuations = []
    for seed, written in zip(seeds, texts, strict=True):
        ended = written[-1] == end
        if ended:
            written.pop()
        continuations.append(Continuation(fitted.after(tokenizer.decode(written)), len(written), ended, seed))
    return continuations


# ---- tokens ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A token that could come next, and its probability."""

    token: int
    probability: float
    """Softmax of the logits; 0 for what a new text may not begin with."""
    sampling_probability: float
    """The probability it is sampled with: after repetition penalty, temperature, top-k, top-p and min-p."""


@dataclass(frozen=True)
class SampledToken:
    """A sampled token, and the model's prediction at its position."""

    token: int
    probability: float
    """Softmax of the logits; NaN if no candidates were asked for."""
    bits: float
    """Entropy of the softmax in bits; NaN if no candidates were asked for."""
    candidates: tuple[Candidate, ...]
    """The most probable tokens, most probable first; the sampled one is appended if it is not among them."""


def continue_texts(
    model: Transformer,
    tokenizer: Tokenizer,
    prompt: list[int],
    settings: SampleConfig,
    seeds: Sequence[int],
    n_candidates: int = 0,
    library: DecodeLibrary | None = None,
    first: npt.NDArray[np.bool_] | None = None,
) -> Iterator[tuple[int, SampledToken]]:
    """`generate_batch` for the ids of a prompt, which may be empty, with what precedes every text.

    `first` (V,) says which tokens may come first, by default any. Where the prompt, or what follows its last
    end-of-text token, shows nothing, a text goes on until it shows something.
    """
    ids, end = tokenizer.beginning + prompt, tokenizer.end_of_text
    begun = prompt[len(prompt) - prompt[::-1].index(end) :] if end in prompt else prompt
    blank = None if is_visible(tokenizer.decode(begun)) else Blank(tokenizer, len(seeds))
    if first is not None and blank:
        first = first & ~tokenizer.invisible
    allowed = None if first is None or not first.any() else torch.from_numpy(first)
    return generate_batch(model, ids, settings, seeds, end, n_candidates, library, allowed, blank)


def generate(
    model: Transformer,
    prompt: list[int],
    settings: SampleConfig,
    stop: int,
    n_candidates: int = 0,
    library: DecodeLibrary | None = None,
) -> Iterator[SampledToken]:
    """Continue the ids of `prompt` with the seed of `settings`: `generate_batch` for one text."""
    for _, sampled in generate_batch(model, prompt, settings, [settings.seed], stop, n_candidates, library):
        yield sampled


class Blank:
    """The texts of a batch that show nothing yet: they may neither end nor go on with what shows nothing."""

    def __init__(self, tokenizer: Tokenizer, n_texts: int) -> None:
        self._streams = {index: tokenizer.stream() for index in range(n_texts)}
        self._invisible = torch.from_numpy(tokenizer.invisible)  # (V,)
        if self._invisible.all():  # no text can show anything
            self._streams = {}

    def masked(self, logits: Tensor, active: list[int]) -> Tensor:
        """Logits (B, V) of the texts `active` (B), with -inf for the tokens that a blank text may not have."""
        if not self._streams:
            return logits
        rows = torch.tensor([index in self._streams for index in active])
        return logits.masked_fill(rows[:, None] & self._invisible, -torch.inf)

    def append(self, index: int, token: int) -> None:
        """Take note of a token of a text, which may make it visible."""
        if index in self._streams and is_visible(self._streams[index].feed(token)):
            del self._streams[index]


def generate_batch(
    model: Transformer,
    prompt: list[int],
    settings: SampleConfig,
    seeds: Sequence[int],
    stop: int,
    n_candidates: int = 0,
    library: DecodeLibrary | None = None,
    first: Tensor | None = None,
    blank: Blank | None = None,
) -> Iterator[tuple[int, SampledToken]]:
    """Continue the ids of `prompt` once for each seed, all in one batch.

    Yields (index into `seeds`, token): in each step one token of every text that has not ended. A text ends with the
    token `stop`, which is yielded too, or after `settings.max_new_tokens`; those that `blank` names not before they
    show something. `first` (V,) says which tokens may come first, by default any. Puts the model into evaluation mode.
    Raises RunError if the logits are not finite.
    """
    model.eval()
    decoder = Decoder(model, prompt, len(seeds), library)
    active = list(range(len(seeds)))  # row of the batch -> index into seeds
    generators = [random.Random(seed) for seed in seeds]
    for step in range(settings.max_new_tokens):
        with torch.inference_mode():
            logits = decoder.next_logits()  # (B, V)
            if step == 0 and first is not None:
                logits = logits.masked_fill(~first, -math.inf)
            if blank:
                logits = blank.masked(logits, active)
            probs = logits_to_probs(logits, decoder.ids, settings, library)
            if not all(math.isfinite(logit) for logit in probs.max_logits):
                raise RunError(
                    "The model predicts NaN or infinity instead of probabilities: its training has diverged.",
                    "Use another checkpoint, or train again with a lower train.phases.N.max_lr.",
                )
            # 32 bits: u <= 1 - 2^-32, so that u * sum(probabilities) cannot be rounded up to the sum.
            tokens = probs.sample([generators[index].getrandbits(32) / 2**32 for index in active], library)
            sampled = _with_candidates(tokens, logits, probs, n_candidates)
        yield from zip(active, sampled, strict=True)
        if blank:
            for index, token in zip(active, tokens, strict=True):
                blank.append(index, token)
        rows = [row for row, token in enumerate(tokens) if token != stop]
        if not rows:
            return
        if len(rows) < len(active):
            decoder.keep(rows)
            active = [active[row] for row in rows]
        decoder.append([tokens[row] for row in rows])


def _with_candidates(tokens: list[int], logits: Tensor, probs: Probs, n_candidates: int) -> list[SampledToken]:
    """A SampledToken for each of `tokens` (B), which were drawn from `probs`; logits are (B, V)."""
    if not n_candidates:
        return [SampledToken(token, math.nan, math.nan, ()) for token in tokens]
    model_probs = logits.softmax(-1)  # (B, V)
    sampling_probs = probs.dense(logits.size(-1))  # (B, V)
    likeliest: list[list[int]] = model_probs.topk(min(n_candidates, logits.size(-1))).indices.tolist()
    bits: list[float] = (torch.special.entr(model_probs).sum(-1) / math.log(2)).tolist()
    sampled = []
    for row, (token, most_probable) in enumerate(zip(tokens, likeliest, strict=True)):
        shown = [each for each in most_probable if logits[row, each] > -math.inf]
        if token not in shown:
            shown.append(token)
        columns = zip(shown, model_probs[row, shown].tolist(), sampling_probs[row, shown].tolist(), strict=True)
        candidates = tuple(Candidate(*column) for column in columns)
        sampled.append(SampledToken(token, float(model_probs[row, token]), bits[row], candidates))
    return sampled


# ---- logits ---------------------------------------------------------------------------------------------------------


class Decoder:
    """B token sequences of equal length with a common prompt, and their KV cache."""

    @torch.inference_mode()
    def __init__(
        self, model: Transformer, prompt: list[int], n_texts: int = 1, library: DecodeLibrary | None = None
    ) -> None:
        """`prompt` must not be empty: a new text begins with `Tokenizer.beginning`."""
        assert prompt
        self.ids = [list(prompt) for _ in range(n_texts)]
        self._model, self._block_size = model, model.config.block_size
        self._cache = KVCache(model.config, 1, self._block_size, model.embedding.weight)
        """One row until the prompt is prefilled, then one per text."""
        self._make_step = step_factory(model, library)
        self._step: Step | None = None
        self._uncached = min(len(prompt), self._block_size)
        """Number of trailing tokens that the next call processes."""

    @torch.inference_mode()
    def next_logits(self) -> Tensor:
        """Logits (B, V) of each text's next token, fp32 on the CPU; the next call may reuse their memory."""
        if self._cache.length + self._uncached > self._block_size:
            self._cache.length, self._uncached = 0, self._block_size // 2
        one_each = self._cache.length > 0 and self._uncached == 1
        logits = self._decode_one_token() if one_each else self._prefill()
        self._uncached = 0
        return logits.cpu()

    def append(self, tokens: list[int]) -> None:
        """Append a token to each text."""
        for ids, token in zip(self.ids, tokens, strict=True):
            ids.append(token)
        self._uncached += 1

    @torch.inference_mode()
    def keep(self, rows: list[int]) -> None:
        """Continue with these texts only."""
        self.ids = [self.ids[row] for row in rows]
        self._cache.select(rows)
        self._step = None

    def _decode_one_token(self) -> Tensor:
        """Logits (B, V) after the newest token of each text."""
        self._step = self._step or self._make_step(self._cache)
        return self._step([ids[-1] for ids in self.ids])

    def _prefill(self) -> Tensor:
        """Logits (B, V) from one forward pass over the uncached tokens; a common prompt is processed as one row."""
        ids = [text[-self._uncached :] for text in self.ids[: len(self._cache)]]  # (1 or B, uncached)
        if isinstance(self._make_step, NativeSteps):
            self._step = step = self._step if isinstance(self._step, NativeStep) else self._make_step(self._cache)
            logits = step.prefill(ids)
        else:
            logits = self._model.next_logits(torch.tensor(ids, device=self._cache.keys.device), self._cache)
        if len(ids) < len(self.ids):
            self._cache.select([0] * len(self.ids))
            self._step = None
            logits = logits.expand(len(self.ids), -1)
        return logits
