"""The transformer, leaf to root: RMSNorm, rotary positions, attention, gated feed-forward, block, model.

Pre- and post-norm around each sublayer (x = x + norm(f(norm(x)))), no biases, no parameters in the norms: the
architecture of Gemma 2 without its soft caps, so that trained models can be carried over exactly.

Letters in shapes: B windows, T tokens, C n_embd, H n_head, K n_kv_head, D head_size, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinylm.config.schema import ModelConfig
from tinylm.model import dropout
from tinylm.model.kv_cache import KVCache

IGNORED = -1
"""The target that no loss is counted for: it pads windows that are shorter than a block."""


def rotary_table(head_size: int, positions: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE (Su et al. 2021, arXiv 2104.09864), each (positions, head_size), halves repeated."""
    pairs = torch.arange(0, head_size, 2, dtype=torch.float32, device="cpu")
    frequencies = theta ** (-pairs / head_size)  # (D/2,)
    angles = torch.outer(torch.arange(positions, dtype=torch.float32, device="cpu"), frequencies)  # (T, D/2)
    return angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of x (B, heads, T, D) by its position's angle: the half-split layout."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def logit_scale(config: ModelConfig) -> float:
    """What the head's input is multiplied with: a tied matrix is large where tokens are read; scores are not."""
    return config.n_embd**-0.5 / config.embedding_std if config.tie_embeddings else 1.0


class Attention(nn.Module):
    """Causal self-attention in which groups of query heads share keys and values (Ainslie et al., arXiv 2305.13245)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.n_head, self.n_kv_head, self.head_size = config.n_head, config.n_kv_head, config.head_size
        self.attention_dropout = config.attention_dropout
        self.qk_norm_eps = config.norm_eps if config.qk_norm else None
        self.scale = config.attention_scale * config.head_size**-0.5
        width = (config.n_head + 2 * config.n_kv_head) * config.head_size
        self.qkv = nn.Linear(config.n_embd, width, bias=False)  # one product for all three
        self.out = nn.Linear(config.n_head * config.head_size, config.n_embd, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None) -> Tensor:
        """x (B, T, C) to (B, T, C); with a cache, T new tokens behind those it holds."""
        B, T, _ = x.shape  # noqa: N806
        heads = self.qkv(x).view(B, T, -1, self.head_size).transpose(1, 2)  # (B, H + 2K, T, D)
        q, k, v = heads.split((self.n_head, self.n_kv_head, self.n_kv_head), dim=1)
        if self.qk_norm_eps is not None:
            q = F.rms_norm(q, (self.head_size,), eps=self.qk_norm_eps)
            k = F.rms_norm(k, (self.head_size,), eps=self.qk_norm_eps)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mask = None
        if cache is not None:
            k, v, mask = cache.extend(self.layer, k, v)
        # On CPUs bf16 is slower here than fp32: 32 ms to 20 for 8 windows of the reference model, both ways (AMX).
        with torch.autocast("cpu", enabled=False):
            if v.dtype == torch.bfloat16 and v.device.type == "cpu":
                q, k, v = q.float(), k.float(), v.float()
            y = F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=mask,
                is_causal=mask is None and T > 1,
                dropout_p=self.attention_dropout if self.training else 0.0,
                scale=self.scale,
                enable_gqa=self.n_kv_head != self.n_head,
            )  # (B, H, T, D)
        out: Tensor = self.out(y.transpose(1, 2).reshape(B, T, -1))
        return out


class FeedForward(nn.Module):
    """GeGLU: down(gelu(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202), GELU by its tanh approximation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inside = config.mlp_ratio * config.n_embd
        self.gate_up = nn.Linear(config.n_embd, 2 * inside, bias=False)  # one product for both
        self.down = nn.Linear(inside, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) to (B, T, C)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.gelu(gate, approximate="tanh") * up)
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each between two norms and added to what came in."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)
        self.layer = layer
        self.width, self.eps, self.dropout = (config.n_embd,), config.norm_eps, config.dropout

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None, noise: dropout.Key | None = None
    ) -> Tensor:
        """x (B, T, C) to (B, T, C); with `noise`, parts of both sublayers' outputs are dropped."""
        y = self.attention(self._norm(x), cos, sin, cache)
        x = x + self._norm(self._drop(y, noise, 2 * self.layer))
        y = self.feed_forward(self._norm(x))
        return x + self._norm(self._drop(y, noise, 2 * self.layer + 1))

    def _norm(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.width, eps=self.eps)

    def _drop(self, x: Tensor, noise: dropout.Key | None, place: int) -> Tensor:
        return x if noise is None or not self.dropout else dropout.drop(x, self.dropout, noise, place)


class Transformer(nn.Module):
    """A decoder-only language model."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, vocab_size: int, generator: torch.Generator | None = None) -> None:
        """Weights are drawn from `generator` (default: torch's global one), on the CPU."""
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.embedding = nn.Embedding(vocab_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.head = None if config.tie_embeddings else nn.Linear(config.n_embd, vocab_size, bias=False)
        self.logit_scale = logit_scale(config)
        cos, sin = rotary_table(config.head_size, config.block_size, config.rope_theta)
        self.register_buffer("cos", cos, persistent=False)  # no weight, and in no checkpoint
        self.register_buffer("sin", sin, persistent=False)
        self._draw_weights(generator)

    @torch.no_grad()
    def _draw_weights(self, generator: torch.Generator | None) -> None:
        """The reference recipe's initialisation: Kaiming normal (He et al. 2015, arXiv 1502.01852).

        Fan-in, but fan-out for the up projection and the head: with fan-in there the first loss lies a nat above
        ln(V). A small vocabulary counts as 16 n_embd, or its head would begin with loud opinions. With `zero_head` it
        begins with none. No output projection starts at zero: the norm behind it would divide by nothing.
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

    def hidden(self, ids: Tensor, cache: KVCache | None = None, noise: dropout.Key | None = None) -> Tensor:
        """What the head reads: ids (B, T) to (B, T, C). With a cache, ids follow the tokens that it holds."""
        T = ids.size(1)  # noqa: N806
        places = cache.places(T) if cache is not None else slice(T)
        cos, sin = self.cos[places], self.sin[places]  # (T, D)
        x = self.embedding(ids)  # (B, T, C)
        for block in self.blocks:
            x = block(x, cos, sin, cache, noise)
        if cache is not None:
            cache.length += T
        return F.rms_norm(x, (self.config.n_embd,), eps=self.config.norm_eps)

    def scores(self, hidden: Tensor) -> Tensor:
        """Scores of the next token (..., V) from what `hidden` gave (..., C)."""
        if self.head is None:
            return F.linear(hidden * self.logit_scale, self.embedding.weight)
        return F.linear(hidden, self.head.weight)

    def logits(self, ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """Scores of the next token behind each of ids (B, T): (B, T, V), fp32."""
        return self.scores(self.hidden(ids, cache)).float()

    def next_logits(self, ids: Tensor, cache: KVCache) -> Tensor:
        """Scores of the token behind the last of ids (B, T): (B, V), fp32; the cache is filled."""
        return self.scores(self.hidden(ids, cache)[:, -1]).float()

    def forward(self, ids: Tensor, targets: Tensor, noise: dropout.Key | None = None) -> Tensor:
        """Mean loss in nats over the targets (B, T) that are not IGNORED, a scalar in fp32; with dropout by `noise`."""
        scores = self.scores(self.hidden(ids, noise=noise))  # (B, T, V)
        return F.cross_entropy(scores.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED)

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Nats of each target, (B, T); 0 where it is IGNORED."""
        scores = self.logits(ids).flatten(0, 1)
        return F.cross_entropy(scores, targets.flatten(), ignore_index=IGNORED, reduction="none").view_as(targets)

    def n_parameters(self) -> int:
        """Weights in all, shared ones once."""
        return sum(weight.numel() for weight in self.parameters())
