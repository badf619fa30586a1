"""The transformer, from the smallest part to the whole: rotary positions, attention, feed-forward, block, model.

Each sublayer f is applied as x + norm(f(norm(x))). RMSNorms have no weights, linear layers no biases. With `qk_norm`
off, the architecture is Gemma 2 without soft-capping, sliding windows and norm weights; `bench/gemma.py` builds the
equivalent Hugging Face model.

Letters in shapes: B sequences, T tokens, C n_embd, H n_head, K n_kv_head, D head_size, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinylm.config.schema import ModelConfig
from tinylm.model import dropout
from tinylm.model.kv_cache import KVCache

IGNORE_INDEX = -1
"""Target id that the loss ignores; pads sequences shorter than block_size."""


def rotary_table(head_size: int, positions: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE (Su et al. 2021, arXiv 2104.09864), (positions, D); columns from D/2 on are a copy."""
    even_dims = torch.arange(0, head_size, 2, dtype=torch.float32, device="cpu")
    frequencies = theta ** (-even_dims / head_size)  # (D/2,)
    angles = torch.outer(torch.arange(positions, dtype=torch.float32, device="cpu"), frequencies)  # (positions, D/2)
    return angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (i, i + D/2) of x (B, heads, T, D) by its position's angle; `cos` and `sin` are (T, D)."""
    x1, x2 = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-x2, x1), dim=-1) * sin


def rms_norm(x: Tensor, eps: float) -> Tensor:
    """x divided by the root mean square of its last dimension (Zhang and Sennrich 2019, arXiv 1910.07467).

    In the dtype of x on every device: since 2.12, CUDA's autocast would copy x to fp32 first.
    """
    if x.is_cuda:
        with torch.autocast("cuda", enabled=False):
            return F.rms_norm(x, x.shape[-1:], eps=eps)
    return F.rms_norm(x, x.shape[-1:], eps=eps)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, dropout: float = 0.0) -> Tensor:
    """Attention of q (B, H, T, D) to k and v (B, K, S, D): (B, H, T, D); causal without a `mask` (T, S)."""
    k, v = _ungrouped(q, k, v)
    return F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        is_causal=mask is None and q.size(2) > 1,
        dropout_p=dropout,
        scale=scale,
        enable_gqa=k.size(1) != q.size(1),
    )


def _ungrouped(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """k and v, repeated for each head of q where torch has no fast attention for groups: on CUDA in fp32.

    It would silently take a slow one (pytorch issue 181528).
    """
    if k.size(1) != q.size(1) and v.is_cuda and v.dtype == torch.float32:
        repeats = q.size(1) // k.size(1)
        return k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
    return k, v


def attention_kernel(config: ModelConfig, dtype: torch.dtype, device: torch.device) -> str:
    """Which attention of torch a training of this shape takes: flash, efficient, cudnn or math (the slow one)."""
    q, k, v = (
        torch.zeros(1, heads, config.block_size, config.head_size, dtype=dtype, device=device)
        for heads in (config.n_head, config.n_kv_head, config.n_kv_head)
    )
    k, v = _ungrouped(q, k, v)
    choice = torch._fused_sdp_choice(q, k, v, is_causal=True, enable_gqa=k.size(1) != q.size(1))
    return {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}.get(choice, "another")


def logit_scale(config: ModelConfig) -> float:
    """Factor of the head's input. Tied embeddings then act as a head with std n_embd^-0.5; untied ones: 1."""
    return config.n_embd**-0.5 / config.embedding_std if config.tie_embeddings else 1.0


class Attention(nn.Module):
    """Causal self-attention with grouped key/value heads (GQA, Ainslie et al. 2023, arXiv 2305.13245)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.n_head, self.n_kv_head, self.head_size = config.n_head, config.n_kv_head, config.head_size
        self.attention_dropout = config.attention_dropout
        self.qk_norm_eps = config.norm_eps if config.qk_norm else None
        self.scale = config.attention_scale * config.head_size**-0.5
        qkv_width = (config.n_head + 2 * config.n_kv_head) * config.head_size
        self.qkv = nn.Linear(config.n_embd, qkv_width, bias=False)  # fused projection of queries, keys and values
        self.out = nn.Linear(config.n_head * config.head_size, config.n_embd, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None) -> Tensor:
        """x (B, T, C) to (B, T, C); `cos` and `sin` are (T, D). With a cache, x continues the cached tokens."""
        B, T, _ = x.shape  # noqa: N806
        heads = self.qkv(x).view(B, T, -1, self.head_size).transpose(1, 2)  # (B, H + 2K, T, D)
        q, k, v = heads.split((self.n_head, self.n_kv_head, self.n_kv_head), dim=1)
        if self.qk_norm_eps is not None:
            q, k = rms_norm(q, self.qk_norm_eps), rms_norm(k, self.qk_norm_eps)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mask = None
        if cache is not None:
            k, v, mask = cache.extend(self.layer, k, v)  # keys and values to attend to; mask: None or (T, their number)
        # On CPUs torch's attention is slower in bf16 than in fp32 (assets/results/notes.md).
        with torch.autocast("cpu", enabled=False):
            if v.dtype == torch.bfloat16 and v.device.type == "cpu":
                q, k, v = q.float(), k.float(), v.float()
            y = attend(q, k, v, mask, self.scale, self.attention_dropout if self.training else 0.0)  # (B, H, T, D)
        out: Tensor = self.out(y.transpose(1, 2).reshape(B, T, -1))
        return out


class FeedForward(nn.Module):
    """GeGLU: down(gelu(gate(x)) * up(x)) with GELU's tanh approximation (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner_size = config.mlp_ratio * config.n_embd
        self.gate_up = nn.Linear(config.n_embd, 2 * inner_size, bias=False)  # fused projection of gate and up
        self.down = nn.Linear(inner_size, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) to (B, T, C)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.gelu(gate, approximate="tanh") * up)
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each with a norm before and after it and a residual connection around it."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)
        self.layer, self.eps = layer, config.norm_eps

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None, masks: dropout.Masks | None = None
    ) -> Tensor:
        """x (B, T, C) to (B, T, C); `cos` and `sin` are (T, D). `masks` turn dropout on."""
        y = self.attention(rms_norm(x, self.eps), cos, sin, cache)
        y = masks.drop(y, sublayer=2 * self.layer) if masks else y
        x = x + rms_norm(y, self.eps)
        y = self.feed_forward(rms_norm(x, self.eps))
        y = masks.drop(y, sublayer=2 * self.layer + 1) if masks else y
        return x + rms_norm(y, self.eps)


class Transformer(nn.Module):
    """A decoder-only language model."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, vocab_size: int, generator: torch.Generator | None = None) -> None:
        """Draw the weights from `generator` (by default torch's global one), on the CPU."""
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.embedding = nn.Embedding(vocab_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.head = None if config.tie_embeddings else nn.Linear(config.n_embd, vocab_size, bias=False)
        self.logit_scale = logit_scale(config)
        cos, sin = rotary_table(config.head_size, config.block_size, config.rope_theta)
        self.register_buffer("cos", cos, persistent=False)  # (block_size, D); computed, hence not saved
        self.register_buffer("sin", sin, persistent=False)
        self._init_weights(generator)

    @torch.no_grad()
    def _init_weights(self, generator: torch.Generator | None) -> None:
        """Kaiming normal for all linear layers (He et al. 2015, arXiv 1502.01852), normal for the embedding.

        The mode is fan-in, but fan-out for the up projection and the head, where fan-in would start the loss 1 nat
        above ln(V). The head's fan is at least 16 n_embd, because a small vocabulary would make the initial logits too
        large; `zero_head` makes them 0. Output projections are never zero-initialized: the norm after them would
        multiply their gradient by eps^-0.5.
        """
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.kaiming_normal_(block.attention.qkv.weight, generator=generator)
            nn.init.kaiming_normal_(block.attention.out.weight, generator=generator)
            gate, up = block.feed_forward.gate_up.weight.chunk(2)
            nn.init.kaiming_normal_(gate, generator=generator)
            nn.init.kaiming_normal_(up, mode="fan_out", generator=generator)
            nn.init.kaiming_normal_(block.feed_forward.down.weight, generator=generator)
        nn.init.normal_(self.embedding.weight, std=self.config.embedding_std, generator=generator)
        if self.head is not None:
            fan = max(self.vocab_size, 16 * self.config.n_embd)
            std = 0.0 if self.config.zero_head else (2 / fan) ** 0.5
            nn.init.normal_(self.head.weight, std=std, generator=generator)

    def hidden(self, ids: Tensor, cache: KVCache | None = None, dropout_key: dropout.Key | None = None) -> Tensor:
        """The head's input (B, T, C) for ids (B, T). With a cache, ids continue the cached tokens."""
        T = ids.size(1)  # noqa: N806
        positions = cache.positions(T) if cache is not None else slice(T)
        cos, sin = self.cos[positions], self.sin[positions]  # (T, D)
        x = self.embedding(ids)  # (B, T, C)
        masks = None
        if dropout_key is not None and self.config.dropout:
            masks = dropout.Masks(dropout_key, x.shape, self.config.dropout, sublayers=2 * len(self.blocks))
        for block in self.blocks:
            x = block(x, cos, sin, cache, masks)
        if cache is not None:
            cache.length += T
        return rms_norm(x, self.config.norm_eps)

    def unembed(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) from the head's input (..., C)."""
        if self.head is None:
            return F.linear(hidden * self.logit_scale, self.embedding.weight)
        return F.linear(hidden, self.head.weight)

    def logits(self, ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """Next-token logits (B, T, V), fp32, at every position of `ids` (B, T)."""
        return self.unembed(self.hidden(ids, cache)).float()

    def next_logits(self, ids: Tensor, cache: KVCache) -> Tensor:
        """Next-token logits (B, V), fp32, after `ids` (B, T), whose keys and values are added to the cache."""
        return self.unembed(self.hidden(ids, cache)[:, -1]).float()

    def forward(self, ids: Tensor, targets: Tensor, dropout_key: dropout.Key | None = None) -> Tensor:
        """Mean cross-entropy (fp32 scalar, nats) of `targets` given `ids`, both (B, T), without IGNORE_INDEX targets.

        `dropout_key` (2,) turns on the dropout of the sublayers' outputs.
        """
        logits = self.unembed(self.hidden(ids, dropout_key=dropout_key))  # (B, T, V)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORE_INDEX)

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Each target's loss in nats, (B, T), from `ids` (B, T); 0 where a target is IGNORE_INDEX."""
        logits = self.logits(ids).flatten(0, 1)  # (B * T, V)
        losses = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
        return losses.view_as(targets)

    def n_parameters(self) -> int:
        """Number of weights, shared ones counted once."""
        return sum(weight.numel() for weight in self.parameters())
