"""The transformer against a plain one, and its promises: causal, relative, the published size and first loss."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import models
from tests.models import build
from tinylm.config.resolve import read_preset, validate
from tinylm.config.schema import RunConfig
from tinylm.model import dropout, transformer
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import IGNORE_INDEX, Transformer, rotary_table, rotate

VARIANTS = [*models.VARIANTS, {"rope_theta": 1e5, "norm_eps": 2e-4}]


def some_ids(rows: int = 2, length: int = 16, vocab_size: int = 50, seed: int = 0) -> Tensor:
    return torch.randint(vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


def seed_preset() -> RunConfig:
    return validate(read_preset("seed", Path("nowhere")))


# --- the reference recipe ------------------------------------------------------------------------------------


def test_the_seed_preset_has_the_published_size() -> None:
    with torch.device("meta"):
        model = Transformer(seed_preset().model, 5000)
    assert model.n_parameters() == 5_509_120
    # 3 layers of q, k, v, out and gate, up, down; embedding and head; nothing else: no biases, no norms.
    layer = 256 * (8 + 2 * 4) * 32 + 8 * 32 * 256 + 3 * 256 * 1024
    assert 3 * layer + 2 * 5000 * 256 == 5_509_120


def test_the_first_loss_of_the_seed_preset_is_that_of_guessing() -> None:
    model = Transformer(seed_preset().model, 5000, torch.Generator().manual_seed(1)).eval()
    ids = some_ids(2, 257, 5000)
    with torch.no_grad():
        assert model(ids[:, :-1], ids[:, 1:]).item() == pytest.approx(math.log(5000), abs=0.15)


@pytest.mark.parametrize(
    ("vocab_size", "tied"),
    [(2, False), (50, False), (300, False), (3000, False), (50, True), (300, True), (3000, True)],
)
def test_the_first_loss_is_about_that_of_guessing_for_any_vocabulary(vocab_size: int, tied: bool) -> None:
    model = build(vocab_size, n_embd=64, tie_embeddings=tied).eval()
    ids = some_ids(8, 17, vocab_size)
    with torch.no_grad():
        assert model(ids[:, :-1], ids[:, 1:]).item() == pytest.approx(math.log(vocab_size), abs=1.0 if tied else 0.15)


def test_a_zero_head_gives_every_token_the_same_logit_and_learns() -> None:
    model = build(300, zero_head=True)
    ids = some_ids(4, 17, 300)
    loss = model(ids[:, :-1], ids[:, 1:])
    assert loss.item() == pytest.approx(math.log(300), abs=1e-5)
    assert model.head is not None
    (gradient,) = torch.autograd.grad(loss, [model.head.weight])
    assert gradient.abs().max() > 0


# --- a plain implementation ----------------------------------------------------------------------------------


def plain_norm(x: Tensor, eps: float) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt()


def plain_rope(x: Tensor, position: int, theta: float) -> Tensor:
    """One head's vector (D,) rotated pair by pair, dimension i with i + D/2, as complex numbers."""
    half = x.numel() // 2
    rotated = [
        complex(x[i], x[i + half])
        * complex(
            math.cos(position * theta ** (-2 * i / x.numel())), math.sin(position * theta ** (-2 * i / (2 * half)))
        )
        for i in range(half)
    ]
    return torch.tensor([z.real for z in rotated] + [z.imag for z in rotated], dtype=x.dtype)


def plain_logits(model: Transformer, ids: Tensor) -> Tensor:
    """Logits (T, V) of one window (T,), head by head and position by position, from the model's weights."""
    config, D = model.config, model.config.head_size  # noqa: N806
    H, K = config.n_head, config.n_kv_head  # noqa: N806
    x = model.embedding.weight[ids]
    for block in model.blocks:
        q_weight, k_weight, v_weight = block.attention.qkv.weight.split((H * D, K * D, K * D))
        gate_weight, up_weight = block.feed_forward.gate_up.weight.split(4 * config.n_embd)
        h = plain_norm(x, config.norm_eps)
        heads = []
        for head in range(H):
            shared = head // (H // K)  # consecutive query heads share a key/value head
            rows = slice(head * D, (head + 1) * D), slice(shared * D, (shared + 1) * D)
            q, k, v = h @ q_weight[rows[0]].T, h @ k_weight[rows[1]].T, h @ v_weight[rows[1]].T
            if config.qk_norm:
                q, k = plain_norm(q, config.norm_eps), plain_norm(k, config.norm_eps)
            q = torch.stack([plain_rope(q[t], t, config.rope_theta) for t in range(len(ids))])
            k = torch.stack([plain_rope(k[t], t, config.rope_theta) for t in range(len(ids))])
            out = [
                (q[t] @ k[: t + 1].T * config.attention_scale / math.sqrt(D)).softmax(-1) @ v[: t + 1]
                for t in range(len(ids))
            ]
            heads.append(torch.stack(out))
        x = x + plain_norm(torch.cat(heads, -1) @ block.attention.out.weight.T, config.norm_eps)
        h = plain_norm(x, config.norm_eps)
        gate = h @ gate_weight.T
        gelu = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
        x = x + plain_norm((gelu * (h @ up_weight.T)) @ block.feed_forward.down.weight.T, config.norm_eps)
    if config.tie_embeddings:
        return plain_norm(x, config.norm_eps) @ model.embedding.weight.T / math.sqrt(config.n_embd)
    return plain_norm(x, config.norm_eps) @ model.head.weight.T


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.no_grad()
def test_equals_a_plain_implementation(changes: dict[str, object]) -> None:
    model = build(**changes).double().eval()
    ids = some_ids(2, 16)
    expected = torch.stack([plain_logits(model, row) for row in ids])
    torch.testing.assert_close(model.logits(ids).double(), expected, rtol=1e-5, atol=1e-5)


# --- promises ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.no_grad()
def test_a_later_token_never_changes_what_came_before(changes: dict[str, object]) -> None:
    model = build(**changes).eval()
    ids = some_ids(1, 16)
    before = model.logits(ids)
    for position in (1, 7, 15):
        other = ids.clone()
        other[0, position] = (other[0, position] + 1) % 50
        after = model.logits(other)
        torch.testing.assert_close(after[:, :position], before[:, :position], rtol=0, atol=1e-6)
        assert not torch.allclose(after[:, position], before[:, position], atol=1e-3)


def test_gradients_reach_only_the_past() -> None:
    model = build().eval()
    seen: list[Tensor] = []
    model.embedding.register_forward_hook(lambda *io: seen.append(io[2]))
    logits = model.logits(some_ids(1, 16))
    (gradient,) = torch.autograd.grad(logits[0, 9].square().sum(), seen[0])
    lengths = gradient[0].norm(dim=-1)
    assert (lengths[:10] > 0).all()
    assert (lengths[10:] == 0).all()


def test_every_weight_learns_from_every_loss() -> None:
    for changes in VARIANTS:
        model = build(**changes)
        ids = some_ids(4, 17)
        torch.autograd.backward(model(ids[:, :-1], ids[:, 1:]))
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.norm() > 0, name


@torch.no_grad()
def test_positions_are_relative() -> None:
    model = build().eval()
    ids = some_ids(2, 16)
    before = model.logits(ids)
    model.cos, model.sin = (
        table[1000:1016] for table in rotary_table(model.config.head_size, 1016, model.config.rope_theta)
    )
    torch.testing.assert_close(model.logits(ids), before, rtol=1e-3, atol=1e-3)


def test_rotation_keeps_lengths_and_depends_on_distance() -> None:
    cos, sin = rotary_table(8, 64, 1e4)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 8, generator=generator)
    rotated = [rotate(x.expand(64, 8), cos, sin) for x in (q, k)]
    torch.testing.assert_close(rotated[0].norm(dim=-1), q.norm().expand(64))
    scores = rotated[0] @ rotated[1].T  # (64, 64)
    for distance in (0, 1, 5, 30):
        along = scores.diagonal(distance)
        torch.testing.assert_close(along, along[0].expand_as(along), rtol=1e-4, atol=1e-4)
    assert scores[0].std() > 0.1
    torch.testing.assert_close(rotated[0][0], q)


@torch.no_grad()
def test_loss_is_the_mean_over_counted_targets() -> None:
    model = build().eval()
    ids = some_ids(3, 17)
    inputs, targets = ids[:, :-1], ids[:, 1:].clone()
    losses = model.losses(inputs, targets)
    assert losses.shape == targets.shape
    assert (losses > 0).all()
    torch.testing.assert_close(losses.mean(), model(inputs, targets))
    expected = -model.logits(inputs).log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    torch.testing.assert_close(losses, expected)
    targets[0, 3:] = IGNORE_INDEX
    targets[2] = IGNORE_INDEX
    losses = model.losses(inputs, targets)
    assert (losses[targets == IGNORE_INDEX] == 0).all()
    torch.testing.assert_close(losses[targets != IGNORE_INDEX].mean(), model(inputs, targets))


def test_tied_embeddings_are_one_matrix() -> None:
    tied, free = build(tie_embeddings=True), build()
    assert sum(weight.shape == (50, 24) for weight in tied.parameters()) == 1
    assert sum(weight.shape == (50, 24) for weight in free.parameters()) == 2
    assert free.n_parameters() - tied.n_parameters() == 50 * 24


def test_no_bias_and_no_norm_has_weights() -> None:
    assert {name.rpartition(".")[2] for name, _ in build().named_parameters()} == {"weight"}
    assert all(weight.ndim == 2 for weight in build().parameters())


def test_positions_are_in_no_checkpoint() -> None:
    assert not {"cos", "sin"} & set(build().state_dict())


def test_attention_dropout_is_for_training_only() -> None:
    model, ids = build(attention_dropout=0.5), some_ids(1, 16)
    with torch.no_grad():
        model.train()
        torch.manual_seed(0)
        first = model.logits(ids)
        torch.manual_seed(0)
        assert torch.equal(model.logits(ids), first)
        torch.manual_seed(1)
        assert not torch.allclose(model.logits(ids), first, atol=1e-3)
        model.eval()
        torch.testing.assert_close(model.logits(ids), model.logits(ids), rtol=0, atol=0)
        torch.testing.assert_close(model.logits(ids), build().eval().logits(ids))


def test_dropout_is_for_passes_with_a_key_only() -> None:
    model, ids = build(dropout=0.5), some_ids(1, 16)
    one, other = (dropout.key(number, 0, ids.device) for number in (1, 2))
    with torch.no_grad():
        losses = [model(ids, ids, key).item() for key in (one, one, other, None)]
        assert losses[0] == losses[1]
        assert len(set(losses)) == 3
        assert losses[3] == build()(ids, ids).item()


def test_the_same_seed_makes_the_same_weights() -> None:
    torch.manual_seed(5)
    first = build(seed=3).state_dict()
    torch.manual_seed(6)
    second, other = build(seed=3).state_dict(), build(seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": True}, {"qk_norm": True, "n_kv_head": 1}], ids=str)
def test_one_batch_is_learnt_by_heart(changes: dict[str, object]) -> None:
    model = build(**changes)
    ids = some_ids(2, 17)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(100):
        loss = model(ids[:, :-1], ids[:, 1:])
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1


def test_weights_are_drawn_as_documented() -> None:
    model = build(vocab_size=4000, n_embd=64, n_layer=1, head_size=32, embedding_std=0.5)
    attention, feed_forward = model.blocks[0].attention, model.blocks[0].feed_forward
    gate, up = feed_forward.gate_up.weight.chunk(2)

    def spread(weight: Tensor) -> float:
        return weight.detach().std().item()

    assert spread(model.embedding.weight) == pytest.approx(0.5, rel=0.02)
    assert spread(attention.qkv.weight) == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert spread(attention.out.weight) == pytest.approx((2 / 128) ** 0.5, rel=0.05)
    assert spread(gate) == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert spread(up) == pytest.approx((2 / 256) ** 0.5, rel=0.05)
    assert spread(feed_forward.down.weight) == pytest.approx((2 / 256) ** 0.5, rel=0.05)
    assert spread(model.head.weight) == pytest.approx((2 / 4000) ** 0.5, rel=0.02)


@pytest.mark.parametrize("cuts", [[16], [1] * 16, [5, 1, 7, 3], [15, 1], [1, 15]], ids=str)
@pytest.mark.parametrize("changes", [{}, {"n_kv_head": 4, "qk_norm": True}], ids=str)
@torch.no_grad()
def test_a_cache_filled_in_any_pieces_gives_the_same_logits(changes: dict[str, object], cuts: list[int]) -> None:
    model = build(**changes).eval()
    ids = some_ids(2, 16)
    cache = KVCache(model.config, 2, 16, model.embedding.weight)
    pieces = [model.logits(part, cache) for part in ids.split(cuts, dim=1)]
    assert cache.length == 16
    torch.testing.assert_close(torch.cat(pieces, 1), model.logits(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_next_logits_are_the_last_of_all() -> None:
    model = build().eval()
    ids = some_ids(2, 9)
    cache = KVCache(model.config, 2, 16, model.embedding.weight)
    torch.testing.assert_close(model.next_logits(ids, cache), model.logits(ids)[:, -1], rtol=1e-4, atol=1e-5)


# --- on CUDA, by a stand-in --------------------------------------------------------------------------------------


class OnCuda(Tensor):
    """A tensor on the CPU that says it is on CUDA."""

    is_cuda = True  # type: ignore[assignment]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_cuda_attention_in_fp32_is_not_asked_to_group(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's fast attention for fp32 knows no groups; for bf16 it does."""
    q, k, v = (torch.randn(2, heads, 5, 8).to(dtype) for heads in (4, 2, 2))
    expected = transformer.attend(q, k, v, None, 0.5)
    asked: list[tuple[int, bool]] = []
    attention = F.scaled_dot_product_attention

    def watched(q: Tensor, k: Tensor, v: Tensor, **options: bool) -> Tensor:
        asked.append((k.size(1), options["enable_gqa"]))
        return attention(q, k, v, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    result = transformer.attend(*(x.as_subclass(OnCuda) for x in (q, k, v)), None, 0.5)
    assert asked == [(4, False) if dtype == torch.float32 else (2, True)]
    torch.testing.assert_close(result.as_subclass(Tensor), expected)


def test_on_cuda_a_norm_keeps_the_dtype_of_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where autocast would change it, as on CUDA since torch 2.12."""
    x, seen = torch.randn(3, 8).bfloat16(), []
    norm = F.rms_norm

    def watched(x: Tensor, *rest: object, **options: float) -> Tensor:
        seen.append((x.dtype, torch.is_autocast_enabled("cuda")))
        return norm(x, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(F, "rms_norm", watched)
    torch.set_autocast_enabled("cuda", True)
    try:
        transformer.rms_norm(x.as_subclass(OnCuda), 1e-6)
    finally:
        torch.set_autocast_enabled("cuda", False)
    assert set(seen) == {(torch.bfloat16, False)}


def test_the_attention_kernel_that_is_taken_is_known() -> None:
    assert transformer.attention_kernel(seed_preset().model, torch.float32, torch.device("cpu")) == "flash"
