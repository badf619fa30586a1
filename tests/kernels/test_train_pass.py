"""Passes in C++ against eager ones: losses, gradients, dropout, precision, threads."""

from __future__ import annotations

import ctypes
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests import models
from tests.native import install, needs_compiler, train_pass_library
from tinylm.config import resolve
from tinylm.hardware.device import Precision
from tinylm.kernels import train_pass
from tinylm.kernels.train_pass import NativePass
from tinylm.model import dropout, gradients
from tinylm.model.transformer import IGNORE_INDEX, Transformer

pytestmark = needs_compiler

VOCABULARY = 43
SHAPES: list[dict[str, object]] = [
    {},
    {"qk_norm": True, "attention_scale": 3.0},
    {"dropout": 0.3},
    {"tie_embeddings": True, "embedding_std": 2.0},
    {"n_kv_head": 1, "mlp_ratio": 2},
    {"n_kv_head": 4, "n_layer": 1},
    {"n_embd": 25, "head_size": 10, "block_size": 37, "qk_norm": True},  # no size is a multiple of the SIMD width
    {"n_head": 2, "n_kv_head": 1, "head_size": 40, "block_size": 70},
    {"n_embd": 96, "n_head": 3, "n_kv_head": 3, "head_size": 32, "block_size": 128, "mlp_ratio": 7},
]


def build(**changes: object) -> Transformer:
    return models.build(VOCABULARY, **{"block_size": 12, **changes})


def native(code: ctypes.CDLL, model: Transformer, precision: Precision = "fp32", threads: int = 2) -> NativePass:
    return NativePass(code, model.config, model.vocab_size, precision, threads)


def windows(model: Transformer, count: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, some of which do not count; neither is contiguous."""
    drawn = torch.randint(
        VOCABULARY, (count, model.config.block_size + 1), generator=torch.Generator().manual_seed(count)
    )
    drawn[0, 3:5] = 0
    targets = drawn.clone()
    targets[0, 3:5] = IGNORE_INDEX
    return drawn[:, :-1], targets[:, 1:]


def pass_inputs(model: Transformer, count: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Ids, targets and dropout key of a pass."""
    return *windows(model, count), dropout.key(5, 7, torch.device("cpu")) if model.config.dropout else None


def eager(model: Transformer, precision: Precision, *inputs: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    return gradients.eager_pass(model, list(model.parameters()), precision, 1.0, *inputs)


def weights(model: Transformer) -> list[Tensor]:
    return [weight.detach() for weight in model.parameters()]


def flat(loss: Tensor, grads: list[Tensor]) -> Tensor:
    return torch.cat([loss.view(1), *(grad.flatten() for grad in grads)])


def relative_error(result: Tensor, expected: Tensor) -> float:
    return float(torch.linalg.vector_norm(result - expected) / torch.linalg.vector_norm(expected))


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (1, 3), (5, 2)])
@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_loss_and_gradients_are_the_eager_ones(
    changes: dict[str, object], count: int, threads: int, code: ctypes.CDLL
) -> None:
    model = build(**changes)
    inputs = pass_inputs(model, count)
    expected, expected_grads = eager(model, "fp32", *inputs)
    loss, grads = native(code, model, threads=threads)(weights(model), *inputs)
    torch.testing.assert_close(loss, expected)
    for (name, _), grad, goal in zip(model.named_parameters(), grads, expected_grads, strict=True):
        assert relative_error(grad, goal) < 1e-5, name


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_in_bf16_they_are_as_close_as_the_eager_ones(changes: dict[str, object], code: ctypes.CDLL) -> None:
    if not train_pass.supports(code, "bf16"):
        pytest.skip("this processor has no bf16 instructions")
    model = build(**changes)
    inputs = pass_inputs(model, 5)
    exact = flat(*eager(model, "fp32", *inputs))
    rounded = flat(*eager(model, "bf16", *inputs))
    result = flat(*native(code, model, "bf16")(weights(model), *inputs))
    assert relative_error(result, exact) < 1.05 * relative_error(rounded, exact)


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_losses_are_the_models_own_and_nothing_is_dropped(changes: dict[str, object], code: ctypes.CDLL) -> None:
    model = build(**changes).eval()
    ids, targets = windows(model, 5)
    with torch.no_grad():
        expected = model.losses(ids, targets)
    result = native(code, model).losses(weights(model), ids, targets)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert not result[targets == IGNORE_INDEX].any()


def test_the_same_twice_and_other_masks_for_another_key(code: ctypes.CDLL) -> None:
    model = build(dropout=0.2)
    run, inputs = native(code, model), windows(model, 3)
    keys = [dropout.key(seed, first, torch.device("cpu")) for seed, first in ((1, 0), (1, 0), (2, 0), (1, 3))]
    losses, grads = zip(*(run(weights(model), *inputs, key) for key in keys), strict=True)
    assert losses[0] == losses[1]
    assert all(torch.equal(one, other) for one, other in zip(grads[0], grads[1], strict=True))
    assert len({float(loss) for loss in losses}) == 3


def test_passes_do_not_remember_each_other(code: ctypes.CDLL) -> None:
    """Not even NaN: what a diverged step leaves behind would poison the run after its rollback."""
    model = build(n_embd=25, head_size=10, block_size=37)
    run, inputs = native(code, model), windows(model, 3)
    first, _ = run(weights(model), *inputs, None)
    broken = [torch.full_like(weight, torch.nan) for weight in weights(model)]
    assert run(broken, *inputs, None)[0].isnan()
    again, grads = run(weights(model), *inputs, None)
    assert first == again
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("index", range(6))
def test_nan_and_infinity_are_noticed(bad: float, index: int, code: ctypes.CDLL) -> None:
    model = build(n_layer=1)
    broken = weights(model)
    broken[index].view(-1)[: broken[index].size(-1) * 3] = bad
    for precision in ("fp32", "bf16"):
        if train_pass.supports(code, precision):
            loss, grads = native(code, model, precision)(broken, *windows(model, 3), None)
            assert not all(part.isfinite().all() for part in (loss, *grads))


def test_where_no_target_counts_the_loss_is_nan(code: ctypes.CDLL) -> None:
    model = build()
    ids, targets = windows(model, 2)
    loss, _ = native(code, model)(weights(model), ids, torch.full_like(targets, IGNORE_INDEX), None)
    assert loss.isnan()


def test_python_is_free_meanwhile(code: ctypes.CDLL) -> None:
    model = build(block_size=64)
    run, inputs = native(code, model), windows(model, 8)
    thread = threading.Thread(target=lambda: [run(weights(model), *inputs, None) for _ in range(100)])
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0)
        turns += 1
    assert turns > 100, "Python's lock was held"


def test_code_that_computes_something_else_fails_its_check(code: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    train_pass.check(code)
    monkeypatch.setattr(train_pass, "TOLERANCE", {"fp32": 1e-12})
    with pytest.raises(RuntimeError, match="something else"):
        train_pass.check(code)


def test_a_precision_that_it_does_not_know_is_refused(code: ctypes.CDLL) -> None:
    with pytest.raises(RuntimeError, match="fp16"):
        native(code, build(), "fp16")


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({}, True),
        ({"train": {"compile": "off"}}, False),
        ({"model": {"attention_dropout": 0.1}}, False),
        ({"model": {"block_size": 8192}}, False),
    ],
    ids=str,
)
def test_a_library_is_loaded_only_if_it_is_built_and_right_for_the_run(
    changes: dict[str, dict[str, object]], there: bool, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config, cpu = resolve.validate(changes), torch.device("cpu")
    assert train_pass.load_if_built(config, cpu, home) is None
    assert not (home / "cache").exists(), "nothing is built"
    install(train_pass_library(tmp_path_factory), home)
    assert (train_pass.load_if_built(config, cpu, home) is not None) == there
