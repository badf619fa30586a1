"""One step of decoding, a new token for each text: the model's own function, in as few operations as it can be said.

What bounds it: a step reads every weight once, 17 MB of them for the reference model, at whatever one core reads in a
second; on a CPU that is some two thirds of it. The rest is what stands between the products, some microseconds an
operation however small, since the weights that stream by push everything else out of the core's cache. So on a CPU

- what a step writes into, and the views that it needs of it, are made once;
- a norm before a product is one number behind it, norm(x) W = (x W) / rms(x), and the product multiplies by it anyway;
- all heads are turned by one small matrix;
- attention is two products and a softmax: one query needs no machinery for many.

This is where there is no C++ compiler; with one, the whole step is one call (`decode.cpp`): for one text 0.26 ms where
this takes 0.8 to 1.8. Prompts are read by the same call then: 128 tokens in 5 ms, where torch on one thread takes 14.

On a GPU starting an operation costs more than the operation, so the model's own step is recorded once and replayed.

Letters in shapes: B texts, C n_embd, H n_head, K n_kv_head, D head_size, T tokens so far, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from tinylm.config.schema import ModelConfig
from tinylm.kernels import decode
from tinylm.kernels.decode import NativeSteps
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Block, Transformer

Step = Callable[[list[int]], Tensor]
"""From the newest token of each text to the scores (B, V) of what comes next, fp32; the next call overwrites them."""


def steps_for(model: Transformer, texts: int, kind: str | None = None) -> Callable[[KVCache], Step]:
    """The fastest way to go on, token by token, with so many texts or fewer: from what a cache holds to the step.

    Each call of the step puts its tokens into the cache; a cache that has taken other rows needs another step. All of
    it happens under `torch.inference_mode`, and while the weights stay as they are. Steps of `NativeSteps` can also
    `read` several tokens of each text. `kind` is that of the model's device, unless a test says otherwise.
    """
    kind = kind or model.embedding.weight.device.type
    if kind == "cpu":
        code = decode.library()
        return NativeSteps(code, model) if code else partial(CpuStep, Products.of(model, texts))
    if kind == "cuda":
        return partial(_captured, model)
    return partial(_plain, model)


def _captured(model: Transformer, cache: KVCache) -> Step:
    try:
        return CapturedStep(model, cache)
    except RuntimeError:  # something that this driver cannot record: the same scores come slower
        return _plain(model, cache)


def _plain(model: Transformer, cache: KVCache) -> Step:
    return lambda tokens: model.next_logits(torch.tensor(tokens, device=cache.keys.device)[:, None], cache)


# ---- on a CPU -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Products:
    """A model's matrices as rows are multiplied by them fastest, each (in, out), and what else a step reads."""

    config: ModelConfig
    embedding: Tensor  # (V, C)
    blocks: list[tuple[Tensor, ...]]
    """Of each block: to queries, keys, values, out of attention, gate and up, down."""
    head: Tensor
    logit_scale: float
    angles: Tensor
    """Of each position, what `turn` is filled with: cosines, sines, and negative sines, (positions, 2 D)."""

    @classmethod
    def of(cls, model: Transformer, texts: int) -> "Products":
        """For one text, views: one row reads a matrix as it lies. For several, copies that are turned.

        With those a product takes down to half the time: with 8 rows all of the reference model's 0.8 ms, not 1.4.
        """

        def ready(weight: Tensor) -> Tensor:
            return weight.t() if texts == 1 else weight.t().contiguous()

        half = model.config.head_size // 2
        return cls(
            model.config,
            model.embedding.weight,
            [tuple(ready(weight) for weight in _weights(block)) for block in model.blocks],
            ready(model.embedding.weight if model.head is None else model.head.weight),
            model.logit_scale,
            torch.cat((model.cos, model.sin[:, :half], -model.sin[:, :half]), dim=-1),
        )


def _weights(block: torch.nn.Module) -> tuple[Tensor, ...]:
    assert isinstance(block, Block)
    attention, feed_forward = block.attention, block.feed_forward
    heads = (attention.n_head, attention.n_kv_head, attention.n_kv_head)
    q, k, v = torch.split(attention.qkv.weight, [n * attention.head_size for n in heads])
    return q, k, v, attention.out.weight, feed_forward.gate_up.weight, feed_forward.down.weight


class CpuStep:
    """The step on a CPU."""

    def __init__(self, products: Products, cache: KVCache) -> None:
        config = products.config
        B, H, K, D = len(cache), config.n_head, config.n_kv_head, config.head_size  # noqa: N806
        self._products, self._cache, self._alone = products, cache, B == 1
        self._keys, self._values = cache.keys.flatten(1, 2), cache.values.flatten(1, 2)  # (n_layer, B K, ...)
        self._width, self._eps, self._qk_norm = config.n_embd, config.norm_eps, config.qk_norm
        self._attention_scale = config.attention_scale * D**-0.5

        new = products.embedding.new_empty
        self._x, self._y = new(B, config.n_embd), new(B, config.n_embd)
        self._x_row, self._y_row = self._x.view(-1), self._y.view(-1)
        self._q, self._k, self._v = new(B, H * D), new(B, K * D), new(B, K * D)
        self._queries, self._mixed = new(B * K, H // K, D), new(B * K, H // K, D)  # by the keys that they share
        self._gate_up = new(B, 2 * config.mlp_ratio * config.n_embd)
        self._gate, self._up = self._gate_up.chunk(2, dim=-1)
        self._logits = new(B, len(products.embedding))

        heads = (-1, D)
        self._q_heads, self._k_heads, self._v_heads = self._q.view(heads), self._k.view(heads), self._v.view(heads)
        self._query_heads, self._mixed_rows = self._queries.view(heads), self._mixed.view(B, H * D)

        # Heads times this matrix, once a position's angles are in its cells, are `model.rotate` of them.
        self._turn, places = new(D, D).zero_(), torch.arange(D * D).view(D, D)
        self._cells = self._turn.view(-1)
        self._turning = torch.cat([places.diagonal(offset) for offset in (0, D // 2, -D // 2)])

    def __call__(self, tokens: list[int]) -> Tensor:
        """Scores (B, V)."""
        x, y, place = self._x, self._y, self._cache.length
        torch.index_select(self._products.embedding, 0, torch.tensor(tokens), out=x)  # (B, C)
        self._cells.index_copy_(0, self._turning, self._products.angles[place])
        layers = zip(
            self._products.blocks,
            self._keys.select(2, place).unbind(),  # (B K, D): where the new keys go
            self._values.select(2, place).unbind(),
            self._keys.narrow(2, 0, place + 1).mT.unbind(),  # (B K, D, T)
            self._values.narrow(2, 0, place + 1).unbind(),  # (B K, T, D)
            strict=True,
        )
        for (to_q, to_k, to_v, out, gate_up, down), new_keys, new_values, keys, values in layers:
            normed, scale = self._norm(x, self._x_row)
            _product(normed, to_k, scale, self._k)
            _product(normed, to_v, scale, self._v)
            if self._qk_norm:
                _product(normed, to_q, scale, self._q)
                self._norm_heads()
            else:
                _product(normed, to_q, scale * self._attention_scale, self._q)
            torch.mm(self._q_heads, self._turn, out=self._query_heads)
            torch.mm(self._k_heads, self._turn, out=new_keys)
            new_values.copy_(self._v_heads)
            attention = torch.bmm(self._queries, keys).softmax(-1)  # (B K, H / K, T)
            torch.bmm(attention, values, out=self._mixed)
            torch.mm(self._mixed_rows, out, out=y)
            normed, scale = self._norm(y, self._y_row)
            x.add_(normed, alpha=scale)

            normed, scale = self._norm(x, self._x_row)
            _product(normed, gate_up, scale, self._gate_up)
            torch.mm(F.gelu(self._gate, approximate="tanh").mul_(self._up), down, out=y)
            normed, scale = self._norm(y, self._y_row)
            x.add_(normed, alpha=scale)
        self._cache.length += 1
        normed, scale = self._norm(x, self._x_row)
        _product(normed, self._products.head, scale * self._products.logit_scale, self._logits)
        return self._logits

    def _norm(self, x: Tensor, row: Tensor) -> tuple[Tensor, float]:
        """norm(x) as a matrix (B, C) and a number that it is still to be multiplied by.

        For one text that is x itself, whose only `row` (C,) is given too, and for several the number is 1.
        """
        if self._alone:
            return x, (float(torch.dot(row, row)) / self._width + self._eps) ** -0.5
        return F.rms_norm(x, (self._width,), eps=self._eps), 1.0

    def _norm_heads(self) -> None:
        head = self._q_heads.shape[1:]
        self._q_heads.copy_(F.rms_norm(self._q_heads, head, eps=self._eps)).mul_(self._attention_scale)
        self._k_heads.copy_(F.rms_norm(self._k_heads, head, eps=self._eps))


def _product(x: Tensor, weight: Tensor, scale: float, out: Tensor) -> None:
    """Put scale x W into `out`."""
    torch.addmm(out, x, weight, beta=0, alpha=scale, out=out)


# ---- on a GPU -------------------------------------------------------------------------------------------------------


class CapturedStep:
    """The step on a CUDA device: the model's own, recorded as a graph, one launch a token (torch.cuda.CUDAGraph).

    What is recorded has the shapes and addresses of the recording. So attention reads the whole room and masks what is
    not written yet, and the position is a number on the device.
    """

    def __init__(self, model: Transformer, cache: KVCache) -> None:
        """RuntimeError where it cannot be recorded."""
        self._cache, self._whole = cache, WholeRoom(cache)
        self._ids = torch.zeros(len(cache), 1, dtype=torch.int64, device=cache.keys.device)  # (B, 1)
        self._whole.position.fill_(cache.length)  # what warming up writes there is written over by the first token
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose and allocate on their first calls, which cannot be recorded
                model.next_logits(self._ids, self._whole)
        here.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # thread_local: a training in another thread may allocate meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._logits = model.next_logits(self._ids, self._whole)

    def __call__(self, tokens: list[int]) -> Tensor:
        """Scores (B, V)."""
        self._ids.copy_(torch.tensor(tokens)[:, None])
        self._whole.position.fill_(self._cache.length)
        self._graph.replay()
        self._cache.length += 1
        return self._logits


class WholeRoom(KVCache):
    """Another way to use a cache's tensors, for one new token a text: same shapes and addresses at every position."""

    def __init__(self, cache: KVCache) -> None:
        self.keys, self.values, self.length = cache.keys, cache.values, 0
        room = self.values.size(-2)
        self.position = torch.zeros(1, dtype=torch.int64, device=self.keys.device)
        self._positions = torch.arange(room, device=self.keys.device)

    def positions(self, count: int) -> Tensor:
        """Where the next token goes: `position`, whatever `length` is."""
        assert count == 1
        return self.position

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Put k and v (B, K, 1, D) at `position`; returns the whole room, and a mask (1, room) of what is written."""
        self.keys[layer].index_copy_(-2, self.position, k)
        self.values[layer].index_copy_(-2, self.position, v)
        return self.keys[layer], self.values[layer], (self._positions <= self.position)[None]
