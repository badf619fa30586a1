"""What a CPU could do at most with parts of a training step: each alone, at its own shapes, in its best way.

The limit is the matrix products, forward and backward: of each the best over layouts and pass sizes, all by the best
number of threads. The ceiling adds attention, by torch's own kernel as the model calls it, and what the loss takes at
least, a softmax over the scores, which is its gradient but for the targets' ones. Norms, rotary positions, GELU,
dropout and the optimizer are free in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tinylm import device
from tinylm.bench.pairs import seconds
from tinylm.config import ModelConfig
from tinylm.device import Precision

ROUNDS = 4
"""How often a part is timed; the fastest counts, since a limit is what the machine can do when it is let."""

PASS_TOKENS = (1024, 2048, 4096, 14336)
"""Sizes of passes at which parts are timed."""

PEAK_SIZE = 2048
"""Of the square matrices whose product tells the machine's peak."""


@dataclass(frozen=True)
class Alone:
    """Seconds a token of training."""

    products: float
    """The matrix products, attention's own left out."""
    attention: float
    """Scores, softmax and weighted sums of all layers, forward and backward."""
    loss: float
    """A softmax over the scores of the vocabulary."""

    @property
    def limit(self) -> float:
        """Tokens per second if a step were its matrix products alone."""
        return 1 / self.products

    @property
    def ceiling(self) -> float:
        """Tokens per second if a step were these parts alone."""
        return 1 / (self.products + self.attention + self.loss)


def alone(model: ModelConfig, vocab_size: int, precision: Precision) -> Alone:
    """Each part by the number of threads that suits it best."""
    parts = [
        Alone(
            products=_products(model, vocab_size, precision),
            attention=model.n_layer * _attention(model),
            loss=_softmax(vocab_size, precision),
        )
        for _ in _thread_counts({1, max(1, device.cores() // 2), device.cores()})
    ]
    return Alone(
        min(part.products for part in parts), min(part.attention for part in parts), min(part.loss for part in parts)
    )


def peak_flops(precision: Precision) -> float:
    """Operations per second of a large product, the best over thread counts."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, dtype=_type(precision)) for _ in range(2))
    best = min(_best(lambda: torch.matmul(a, b)) for _ in _thread_counts({1, device.cores()}))
    return 2 * PEAK_SIZE**3 / best


def _thread_counts(counts: set[int]) -> Iterator[int]:
    """Set torch's threads to each of them in turn, and back at the end."""
    before = torch.get_num_threads()
    try:
        for count in sorted(counts):
            torch.set_num_threads(count)
            yield count
    finally:
        torch.set_num_threads(before)


def _type(precision: Precision) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of a few goes, after one to warm up."""
    work()
    return min(seconds(work) for _ in range(ROUNDS))


def _products(model: ModelConfig, vocab_size: int, precision: Precision) -> float:
    heads = model.n_head * model.head_size
    both = heads + 2 * model.n_kv_head * model.head_size
    hidden = model.mlp_ratio * model.n_embd
    block = [(model.n_embd, both), (heads, model.n_embd), (model.n_embd, 2 * hidden), (hidden, model.n_embd)]
    shapes = block * model.n_layer + [(model.n_embd, vocab_size)]
    known = {shape: _product(*shape, _type(precision)) for shape in set(shapes)}
    return sum(known[shape] for shape in shapes)


def _product(k: int, n: int, kind: torch.dtype) -> float:
    """Seconds a token of y = x W, and of the gradients of x and W: x (m, k), W (k, n), each its best way."""
    best = [float("inf")] * 3
    for m in PASS_TOKENS:
        x, w, y = torch.randn(m, k, dtype=kind), torch.randn(k, n, dtype=kind), torch.randn(m, n, dtype=kind)
        turned = w.t().contiguous()  # the same matrix, its rows lying the other way
        ways: list[tuple[Callable[[], Tensor], ...]] = [
            (lambda: x @ w, lambda: x @ turned.t()),  # noqa: B023  # called within the same turn
            (lambda: y @ w.t(), lambda: y @ turned),  # noqa: B023
            (lambda: x.t() @ y, lambda: y.t() @ x),  # noqa: B023
        ]
        for i, both in enumerate(ways):
            best[i] = min(best[i], *(_best(way) / m for way in both))
    return sum(best)


def _attention(model: ModelConfig) -> float:
    """Seconds a token of one layer's attention, both ways; in fp32, as the model has it on CPUs."""
    best, sharing = float("inf"), model.n_head != model.n_kv_head
    for tokens in PASS_TOKENS:
        rows = max(1, tokens // model.block_size)

        def made(heads: int, rows: int = rows) -> Tensor:
            # Laid out as the one product for q, k and v leaves them: heads inside tokens.
            return torch.randn(rows, model.block_size, heads, model.head_size).transpose(1, 2).requires_grad_()

        q, k, v = made(model.n_head), made(model.n_kv_head), made(model.n_kv_head)
        grad = torch.randn(rows, model.block_size, model.n_head, model.head_size).transpose(1, 2)

        def both(q: Tensor = q, k: Tensor = k, v: Tensor = v, grad: Tensor = grad) -> tuple[Tensor, ...]:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=sharing)
            return torch.autograd.grad(y, (q, k, v), grad)

        best = min(best, _best(both) / (rows * model.block_size))
    return best


def _softmax(vocab_size: int, precision: Precision) -> float:
    best = float("inf")
    for tokens in PASS_TOKENS:
        scores = torch.randn(tokens, vocab_size, dtype=_type(precision))
        best = min(best, _best(lambda: torch.softmax(scores, -1)) / tokens)  # noqa: B023  # called within the turn
    return best
