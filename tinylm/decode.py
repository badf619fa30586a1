"""One step of decoding, a new token for each text: the model's own function, in as few operations as it can be said.

What bounds it: a step reads every weight once, 17 MB of them for the reference model, at whatever one core reads in a
second; on a CPU that is three quarters of its time. The rest is what stands between the products, some microseconds an
operation however small, since the weights that stream by push everything else out of the core's cache. So on a CPU

- what a step writes into, and the views that it needs of it, are made once;
- a norm before a product is one number behind it, norm(x) W = (x W) / rms(x), and the product multiplies by it anyway;
- all heads are turned by one small matrix;
- attention is two products and a softmax: one query needs no machinery for many.

On a GPU starting an operation costs more than the operation, so the model's own step is recorded once and replayed.

Letters in shapes: B texts, C n_embd, H n_head, K n_kv_head, D head_size, T tokens so far, V vocabulary.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tinylm.model import Block, KVCache, Transformer

Step = Callable[[list[int]], Tensor]
"""From the newest token of each text to the scores (B, V) of what comes next, fp32; the next call overwrites them."""


def step_for(model: Transformer, cache: KVCache, kind: str | None = None) -> Step:
    """The fastest way to go on, token by token, from what `cache` holds; each call puts its tokens into the cache.

    Make and call it under `torch.inference_mode`. It is of no use any more once the cache has taken other rows or the
    weights have changed. `kind` is that of the device that the cache is on, unless a test says otherwise.
    """
    kind = kind or cache.keys.device.type
    if kind == "cpu":
        return CpuStep(model, cache)
    if kind == "cuda":
        try:
            return CapturedStep(model, cache)
        except RuntimeError:  # something that this driver cannot record: the same scores come slower
            pass
    return lambda tokens: model.next_logits(torch.tensor(tokens, device=cache.keys.device)[:, None], cache)


class CpuStep:
    """The step on a CPU."""

    def __init__(self, model: Transformer, cache: KVCache) -> None:
        config, self._cache = model.config, cache
        H, K, D = config.n_head, config.n_kv_head, config.head_size  # noqa: N806
        B = len(cache)  # noqa: N806
        self._width, self._eps, self._qk_norm = config.n_embd, config.norm_eps, config.qk_norm
        self._q_scale = D**-0.5  # of attention's scores
        self._logit_scale = model.logit_scale

        self._embedding = model.embedding.weight
        self._blocks = [tuple(_for_products(weight, B) for weight in _weights(block)) for block in model.blocks]
        self._head = _for_products(self._embedding if model.head is None else model.head.weight, B)
        self._keys, self._values = cache.keys.flatten(1, 2), cache.values.flatten(1, 2)  # (n_layer, B K, ...)

        # x times the matrix of a position's cosines and sines is `model.rotate(x)`.
        half, cells = D // 2, torch.arange(D * D).view(D, D)
        self._angles = torch.cat((model.cos, model.sin[:, :half], -model.sin[:, :half]), dim=-1)  # (positions, 2 D)
        self._cells = torch.cat((cells.diagonal(), cells.diagonal(half), cells.diagonal(-half)))
        new = self._embedding.new_empty
        self._turn = new(D, D).zero_()

        self._x, self._y = new(B, config.n_embd), new(B, config.n_embd)
        self._q, self._k, self._v = new(B, H * D), new(B, K * D), new(B, K * D)
        self._queries, self._mixed = new(B * K, H // K, D), new(B * K, H // K, D)  # by the keys that they share
        self._gate_up = new(B, self._blocks[0][4].size(1))
        self._gate, self._up = self._gate_up.chunk(2, dim=-1)
        self._logits = new(B, model.vocab_size)

        rows = (-1, D)
        self._q_rows, self._k_rows, self._v_rows = self._q.view(rows), self._k.view(rows), self._v.view(rows)
        self._query_rows, self._mixed_row = self._queries.view(rows), self._mixed.view(B, H * D)

    def __call__(self, tokens: list[int]) -> Tensor:
        """Scores (B, V)."""
        x, y, place = self._x, self._y, self._cache.length
        torch.index_select(self._embedding, 0, torch.tensor(tokens), out=x)  # (B, C)
        self._turn.view(-1).index_copy_(0, self._cells, self._angles[place])
        layers = zip(
            self._blocks,
            self._keys[..., place].unbind(),  # (B K, D): the place of the new keys
            self._values[:, :, place].unbind(),
            self._keys[..., : place + 1].unbind(),  # (B K, D, T)
            self._values[:, :, : place + 1].unbind(),  # (B K, T, D)
            strict=True,
        )
        for (to_q, to_k, to_v, out, gate_up, down), new_keys, new_values, keys, values in layers:
            normed, scale = self._norm(x)
            _product(normed, to_k, scale, self._k)
            _product(normed, to_v, scale, self._v)
            if self._qk_norm:
                _product(normed, to_q, scale, self._q)
                self._norm_heads()
            else:
                _product(normed, to_q, scale * self._q_scale, self._q)
            torch.mm(self._q_rows, self._turn, out=self._query_rows)
            new_keys.copy_(self._k_rows @ self._turn)
            new_values.copy_(self._v_rows)
            attention = torch.bmm(self._queries, keys).softmax(-1)  # (B K, H / K, T)
            torch.bmm(attention, values, out=self._mixed)
            torch.mm(self._mixed_row, out, out=y)
            normed, scale = self._norm(y)
            x.add_(normed, alpha=scale)

            normed, scale = self._norm(x)
            _product(normed, gate_up, scale, self._gate_up)
            torch.mm(F.gelu(self._gate, approximate="tanh").mul_(self._up), down, out=y)
            normed, scale = self._norm(y)
            x.add_(normed, alpha=scale)
        self._cache.length += 1
        normed, scale = self._norm(x)
        _product(normed, self._head, scale * self._logit_scale, self._logits)
        return self._logits.float()

    def _norm(self, x: Tensor) -> tuple[Tensor, float]:
        """norm(x) as a matrix (B, C) and a number that it is still to be multiplied by: for one text x itself."""
        if len(x) > 1:
            return F.rms_norm(x, (self._width,), eps=self._eps), 1.0
        row = x.view(-1)
        return x, (float(torch.dot(row, row)) / self._width + self._eps) ** -0.5

    def _norm_heads(self) -> None:
        head = self._q_rows.shape[1:]
        self._q_rows.copy_(F.rms_norm(self._q_rows, head, eps=self._eps)).mul_(self._q_scale)
        self._k_rows.copy_(F.rms_norm(self._k_rows, head, eps=self._eps))


def _weights(block: torch.nn.Module) -> tuple[Tensor, ...]:
    """A block's matrices, each (out, in): queries, keys, values, the way out of attention, gate and up, down."""
    assert isinstance(block, Block)
    attention, feed_forward = block.attention, block.feed_forward
    heads = (attention.n_head, attention.n_kv_head, attention.n_kv_head)
    q, k, v = torch.split(attention.qkv.weight, [n * attention.head_size for n in heads])
    return q, k, v, attention.out.weight, feed_forward.gate_up.weight, feed_forward.down.weight


def _for_products(weight: Tensor, texts: int) -> Tensor:
    """The weight (in, out) as x (texts, in) is multiplied by it fastest.

    One row reads it as it lies. Several take up to twice as long for that as for a copy that is turned: 8 rows of the
    reference model 1.4 ms against 0.8.
    """
    return weight.t() if texts == 1 else weight.t().contiguous()


def _product(x: Tensor, weight: Tensor, scale: float, out: Tensor) -> None:
    """Put scale x W into `out`."""
    torch.addmm(out, x, weight, beta=0, alpha=scale, out=out)


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
        self._places = torch.arange(room, device=self.keys.device)

    def places(self, count: int) -> Tensor:
        """Where the next token goes: `position`, whatever `length` is."""
        assert count == 1
        return self.position

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Put k and v (B, K, 1, D) at `position`; returns the whole room, and a mask (1, room) of what is written."""
        self.keys[layer].index_copy_(-1, self.position, k.mT)
        self.values[layer].index_copy_(-2, self.position, v)
        return self.keys[layer].mT, self.values[layer], (self._places <= self.position)[None]
