"""AdamW and Muon against plain ones, steps that are left out, and state that comes back."""

import math

import pytest
import torch
from torch import Tensor

from tests.models import build
from tinylm.config.schema import TrainConfig
from tinylm.model.transformer import Transformer
from tinylm.training.optimizer import (
    MUON_MOMENTUM,
    MUON_RMS,
    NEWTON_SCHULZ,
    Optimizer,
    adamw_update,
    clip,
    global_norm,
    orthogonalize,
)

KINDS = ["adamw", "muon"]
GO, SKIP = torch.tensor(False), torch.tensor(True)
DECAY = 0.3


def optimizer_of(model: Transformer, kind: str, **changes: object) -> Optimizer:
    return Optimizer(model, TrainConfig(**{"optimizer": kind, **changes}))


def give_gradients(model: Transformer, seed: int, size: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = size * torch.randn(weight.shape, generator=generator)


def gradients(model: Transformer) -> list[Tensor]:
    return [weight.grad for weight in model.parameters() if weight.grad is not None]


def take(model: Transformer, optimizer: Optimizer, lr: float, skip: Tensor = GO, decay: float = DECAY) -> None:
    """A step along the gradients that the weights have."""
    optimizer.step(gradients(model), lr, decay, skip)


def stepped(kind: str, steps: int = 1, **changes: object) -> tuple[Transformer, Optimizer]:
    """A model and its optimizer after some steps."""
    model = build(**changes)
    optimizer = optimizer_of(model, kind)
    for step in range(steps):
        give_gradients(model, step)
        take(model, optimizer, 1e-2)
    return model, optimizer


def snapshot(model: Transformer, optimizer: Optimizer) -> dict[str, Tensor]:
    tensors = {**model.state_dict(), **{f"state {name}": value for name, value in optimizer.state().items()}}
    return {name: value.clone() for name, value in tensors.items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# --- AdamW ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "factors", [{}, {"embedding_lr": 0.3}, {"embedding_decay": 0.0}, {"embedding_lr": 2.0, "embedding_decay": 0.25}]
)
def test_adamw_is_torchs_with_embedding_and_head_as_a_group(tied: bool, factors: dict[str, float]) -> None:
    ours, theirs = build(tie_embeddings=tied), build(tie_embeddings=tied)
    optimizer = optimizer_of(ours, "adamw", betas=[0.8, 0.97], **factors)
    tables = [theirs.embedding.weight] + ([] if theirs.head is None else [theirs.head.weight])
    factor = {"embedding_lr": 1.0, "embedding_decay": 1.0} | factors
    groups = [
        {"params": list(theirs.blocks.parameters())},
        {"params": tables, "weight_decay": DECAY * factor["embedding_decay"]},
    ]
    plain = torch.optim.AdamW(groups, betas=(0.8, 0.97), weight_decay=DECAY, foreach=False, fused=False)
    for step, lr in enumerate([1e-3, 3e-2, 0.0, 1e-2, 1e-2]):
        for model in (ours, theirs):
            give_gradients(model, step)
        take(ours, optimizer, lr)
        plain.param_groups[0]["lr"], plain.param_groups[1]["lr"] = lr, lr * factor["embedding_lr"]
        plain.step()
    for (name, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, other, msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factors", [{"embedding_lr": 0.5}, {"embedding_decay": 0.5}])
def test_factors_change_embedding_and_head_and_nothing_else(kind: str, factors: dict[str, float]) -> None:
    plain, other = build(), build()
    for model, changes in ((plain, {}), (other, factors)):
        optimizer = optimizer_of(model, kind, **changes)
        give_gradients(model, 0)
        take(model, optimizer, 1e-2)
    changed = {name for name, weight in plain.named_parameters() if not torch.equal(weight, other.get_parameter(name))}
    assert changed == {"embedding.weight", "head.weight"}


# --- Muon ----------------------------------------------------------------------------------------------------


def matrix_of(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(32, 32), (16, 64), (64, 16), (8, 200), (200, 8), (2, 3), (1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("batch", [1, 3])
def test_orthogonalize_makes_singular_values_about_one(shape: tuple[int, int], batch: int) -> None:
    matrices = matrix_of((batch, *shape))
    result = orthogonalize(matrices)
    assert result.shape == matrices.shape
    for before, after in zip(matrices, result, strict=True):
        u, s, v = torch.linalg.svd(before, full_matrices=False)
        after_s = torch.linalg.svdvals(after)
        assert (after_s[s > 0.02 * s[0]] > 0.6).all()
        assert (after_s < 1.3).all()
        # The same singular vectors: in their coordinates the result is diagonal, so rows and columns span the same.
        inner = u.T @ after @ v.T
        assert (inner - inner.diag().diag()).abs().max() < 1e-3
        torch.testing.assert_close(u @ inner @ v, after, rtol=1e-3, atol=1e-3)
        assert (inner.diag()[s > 0.02 * s[0]] > 0).all()


@pytest.mark.parametrize("shape", [(16, 16), (16, 24), (16, 64), (64, 16)])
def test_orthogonalize_is_the_plain_iteration(shape: tuple[int, int]) -> None:
    matrices = matrix_of((3, *shape)) * torch.logspace(0, -4, shape[0])[:, None]  # singular values of all sizes
    a, b, c = NEWTON_SCHULZ
    for matrix, ours in zip(matrices, orthogonalize(matrices), strict=True):
        x = matrix.double() / matrix.double().norm()
        for _ in range(5):
            x = a * x + (b * x @ x.mT + c * x @ x.mT @ x @ x.mT) @ x
        torch.testing.assert_close(ours.double(), x, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 32), (64, 16), (16, 64)])
def test_orthogonalize_in_bf16_comes_close_to_fp32(shape: tuple[int, int]) -> None:
    """Also where singular values lie far apart, as those of gradients do."""
    generator = torch.Generator().manual_seed(4)
    matrices = torch.randn(3, *shape, generator=generator) * torch.logspace(0, -3, shape[1])
    exact, rough = orthogonalize(matrices), orthogonalize(matrices, torch.bfloat16)
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough), "bf16 was not used"
    assert float((exact - rough).norm() / exact.norm()) < 0.05


def test_orthogonalize_treats_each_matrix_alone() -> None:
    matrices = matrix_of((4, 6, 10)) * torch.tensor([1e-3, 1.0, 10.0, 1e3]).view(4, 1, 1)
    alone = torch.cat([orthogonalize(matrix[None]) for matrix in matrices])
    torch.testing.assert_close(orthogonalize(matrices), alone, rtol=1e-4, atol=1e-4)


def test_orthogonalize_does_not_depend_on_scale_and_leaves_its_input() -> None:
    matrices = matrix_of((1, 6, 10))
    before = matrices.clone()
    torch.testing.assert_close(orthogonalize(100 * matrices), orthogonalize(matrices), rtol=1e-3, atol=1e-3)
    assert torch.equal(matrices, before)
    assert torch.equal(orthogonalize(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def plain_muon(weight: Tensor, grads: list[Tensor], lrs: list[float], heights: list[int]) -> Tensor:
    """Muon matrix by matrix: each of the stacked ones for itself, from its definition."""
    moved = []
    for part, *part_grads in zip(weight.split(heights), *(grad.split(heights) for grad in grads), strict=True):
        moving, momentum = part.clone(), torch.zeros_like(part)
        for grad, lr in zip(part_grads, lrs, strict=True):
            momentum = MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * grad
            ahead = MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * grad
            change = orthogonalize(ahead[None])[0]
            moving = moving * (1 - lr * DECAY) - lr * MUON_RMS * math.sqrt(max(moving.shape)) * change
        moved.append(moving)
    return torch.cat(moved)


def test_muon_moves_each_stacked_matrix_for_itself() -> None:
    model = build()
    optimizer = optimizer_of(model, "muon")
    heights = {"qkv": [32, 16, 16], "out": [24], "gate_up": [96, 96], "down": [24]}
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    grads: dict[str, list[Tensor]] = {name: [] for name in before}
    lrs = [0.1, 0.02, 0.05]
    for step, lr in enumerate(lrs):
        give_gradients(model, step)
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            grads[name].append(weight.grad.clone())
        take(model, optimizer, lr)
    for name, weight in model.named_parameters():
        if name.startswith("blocks."):
            expected = plain_muon(before[name], grads[name], lrs, heights[name.split(".")[3]])
            torch.testing.assert_close(weight.detach(), expected, rtol=1e-3, atol=1e-4, msg=name)


def test_muon_is_torchs() -> None:
    """Torch's own orthogonalises in bf16 and does not know of matrices that are stacked, so: those that stand alone."""
    ours, theirs = build(), build()
    optimizer = optimizer_of(ours, "muon")
    alone = [name for name, _ in ours.named_parameters() if name.endswith(("out.weight", "down.weight"))]
    plain = torch.optim.Muon(
        [theirs.get_parameter(name) for name in alone], weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"
    )
    before = {name: theirs.get_parameter(name).detach().clone() for name in alone}
    for step, lr in enumerate([0.1, 0.02, 0.05]):
        for model in (ours, theirs):
            give_gradients(model, step)
        take(ours, optimizer, lr)
        plain.param_groups[0]["lr"] = lr
        plain.step()
    for name in alone:
        moved, other = (model.get_parameter(name).detach() - before[name] for model in (ours, theirs))
        assert torch.linalg.vector_norm(moved - other) < 0.02 * torch.linalg.vector_norm(other), name


def test_muon_leaves_embedding_and_head_to_adamw() -> None:
    (muon, optimizer), (adamw, _) = stepped("muon", 3), stepped("adamw", 3)
    torch.testing.assert_close(muon.head.weight, adamw.head.weight)
    torch.testing.assert_close(muon.embedding.weight, adamw.embedding.weight)
    assert not torch.allclose(muon.blocks[0].attention.qkv.weight, adamw.blocks[0].attention.qkv.weight)
    names = set(optimizer.state())
    assert {name for name in names if name.endswith(".momentum")} == {
        f"{name}.momentum" for name, _ in muon.named_parameters() if name.startswith("blocks.")
    }
    assert not any(name.startswith("blocks.") and "exp_avg" in name for name in names)


# --- steps that are left out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1.0])
def test_a_skipped_step_leaves_everything_as_it_was(kind: str, bad: float) -> None:
    model, optimizer = stepped(kind, 3)
    before = snapshot(model, optimizer)
    give_gradients(model, 9, bad)
    take(model, optimizer, 1e-2, SKIP)
    assert same(snapshot(model, optimizer), before)
    give_gradients(model, 10)
    take(model, optimizer, 1e-2)
    assert not same(snapshot(model, optimizer), before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_skipped_step_is_as_if_it_had_never_been(kind: str) -> None:
    ends = []
    for skipped in ([], [0], [2], [0, 2, 5]):
        model = build()
        optimizer = optimizer_of(model, kind)
        for step in range(4 + len(skipped)):
            if step in skipped:
                give_gradients(model, 99, math.nan)
                take(model, optimizer, 1e-2, SKIP)
            else:
                give_gradients(model, step - sum(other < step for other in skipped))
                take(model, optimizer, 1e-2)
        ends.append(snapshot(model, optimizer))
    assert all(same(ends[0], end) for end in ends[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_weight_decay_is_decoupled_and_follows_the_rate(kind: str) -> None:
    model = build()
    optimizer = optimizer_of(model, kind)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    take(model, optimizer, 0.1, decay=0.5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), before[name] * 0.95, msg=name)


# --- state ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("begun", [0, 3])
def test_state_comes_back_bit_for_bit(kind: str, begun: int) -> None:
    model, optimizer = stepped(kind, begun)
    saved = {name: value.clone() for name, value in optimizer.state().items()}
    assert all(torch.isfinite(value).all() for value in saved.values())

    other = build(seed=1)
    other.load_state_dict(model.state_dict())
    copy = optimizer_of(other, kind)
    copy.load(saved)
    assert same(copy.state(), saved)
    for step in range(10, 14):
        for each, steps in ((model, optimizer), (other, copy)):
            give_gradients(each, step)
            take(each, steps, 1e-2)
    assert same(snapshot(model, optimizer), snapshot(other, copy))


@pytest.mark.parametrize("kind", KINDS)
def test_loading_copies(kind: str) -> None:
    _, optimizer = stepped(kind)
    saved = {name: value.clone() for name, value in optimizer.state().items()}
    kept = {name: value.clone() for name, value in saved.items()}
    other = build()
    copy = optimizer_of(other, kind)
    copy.load(saved)
    give_gradients(other, 1)
    take(other, copy, 1e-2)
    assert same(saved, kept)
    assert not same(copy.state(), saved)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_another_model_is_refused(kind: str) -> None:
    good = stepped(kind)[1].state()
    first = next(iter(good))
    wrong: list[dict[str, Tensor]] = [
        {name: value for name, value in good.items() if name != first},
        {**good, "more": torch.zeros(1)},
        {**good, first: torch.zeros(2, 2)},
        {f"x{name}": value for name, value in good.items()},
        stepped("adamw" if kind == "muon" else "muon")[1].state(),
        *(stepped(kind, **changes)[1].state() for changes in ({"n_layer": 1}, {"n_embd": 32}, {"n_kv_head": 4})),
    ]
    for tensors in wrong:
        with pytest.raises(ValueError, match="not that of this model"):
            optimizer_of(build(), kind).load(tensors)


# --- gradients -----------------------------------------------------------------------------------------------


def test_global_norm_and_mean_of_norms() -> None:
    tensors = [torch.tensor([3.0, 4.0]), torch.tensor([[12.0]])]
    norm, mean = global_norm(tensors)
    assert (norm.item(), mean.item()) == (13.0, 8.5)


@pytest.mark.parametrize("longest", [0.5, 1e9])
def test_clipping_is_torchs(longest: float) -> None:
    ours, theirs = build(), build()
    for model in (ours, theirs):
        give_gradients(model, 0)
    norm, _ = global_norm(gradients(ours))
    clip(gradients(ours), norm, longest)
    expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), longest)
    torch.testing.assert_close(norm, expected)
    for weight, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad)


@pytest.mark.parametrize("skipped", [(), (1,), (2, 3)], ids=str)
def test_adamw_for_mps_is_torchs(skipped: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(4, 5, generator=generator) for _ in range(2)]
    mine, other = weights[0].clone(), weights[0].clone().requires_grad_()
    state = {"step": torch.zeros(()), "exp_avg": torch.zeros(4, 5), "exp_avg_sq": torch.zeros(4, 5)}
    reference = torch.optim.AdamW([other], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(1, 6):
        grad = torch.randn(4, 5, generator=generator)
        skip = step in skipped
        given = grad * math.nan if skip else grad
        adamw_update(mine, given, state, 0.01, 0.1, (0.9, 0.95), torch.tensor(skip))
        if not skip:
            other.grad = grad
            reference.step()
    torch.testing.assert_close(mine, other.detach())
    assert state["step"] == 5 - len(skipped)
