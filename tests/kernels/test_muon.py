"""Muon's step in C++ against torch's operations."""

import ctypes
import math

import pytest
import torch
from torch import Tensor

from tests import models
from tests.native import needs_compiler
from tinylm.config.schema import TrainConfig
from tinylm.kernels import train_pass
from tinylm.model.transformer import Transformer
from tinylm.training.optimizer import Optimizer

pytestmark = needs_compiler

SHAPES: list[dict[str, object]] = [
    {},
    {"n_embd": 25, "head_size": 10, "mlp_ratio": 1},  # no size is a multiple of the SIMD width
    {"n_embd": 96, "n_head": 3, "n_kv_head": 1, "head_size": 32},
]


def build(code: ctypes.CDLL | None, **changes: object) -> tuple[Transformer, Optimizer]:
    model = models.build(43, **{"block_size": 12, **changes})
    optimizer = Optimizer(model, TrainConfig(optimizer="muon"))
    if code:
        optimizer.use(code, 2)
    return model, optimizer


def gradients(model: Transformer, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(weight.shape, generator=generator) for weight in model.parameters()]


def steps(model: Transformer, optimizer: Optimizer, products: torch.dtype = torch.float32) -> list[Tensor]:
    """The weights after three steps, the second of which is skipped."""
    for step, skip in enumerate((False, True, False)):
        optimizer.step(gradients(model, step), 0.1, 0.3, torch.tensor(skip), products)
    return [weight.detach() for weight in model.parameters()]


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_it_moves_weights_where_torchs_operations_move_them(changes: dict[str, object], code: ctypes.CDLL) -> None:
    (ours, native), (plain, other) = build(code, **changes), build(None, **changes)
    results, expected = steps(ours, native), steps(plain, other)
    for (name, _), result, goal in zip(plain.named_parameters(), results, expected, strict=True):
        torch.testing.assert_close(result, goal, rtol=1e-3, atol=1e-4, msg=name)
    for name, state in native.state().items():
        torch.testing.assert_close(state, other.state()[name], msg=name)


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_in_bf16_it_comes_as_close_to_fp32_as_torchs_operations(changes: dict[str, object], code: ctypes.CDLL) -> None:
    if not train_pass.supports(code, "bf16"):
        pytest.skip("this processor has no bf16 instructions")
    exact = steps(*build(None, **changes))
    rounded = steps(*build(None, **changes), torch.bfloat16)
    results = steps(*build(code, **changes), torch.bfloat16)
    for result, other, goal in zip(results, rounded, exact, strict=True):
        assert torch.linalg.vector_norm(result - goal) <= 1.1 * torch.linalg.vector_norm(other - goal)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_skipped_step_leaves_everything_as_it_was(bad: float, code: ctypes.CDLL) -> None:
    model, optimizer = build(code)
    steps(model, optimizer)
    before = {name: part.clone() for name, part in (model.state_dict() | optimizer.state()).items()}
    optimizer.step([torch.full_like(weight, bad) for weight in model.parameters()], 0.1, 0.3, torch.tensor(True))
    after = model.state_dict() | optimizer.state()
    assert all(torch.equal(after[name], part) for name, part in before.items())


def test_the_same_twice(code: ctypes.CDLL) -> None:
    first, second = (steps(*build(code)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
