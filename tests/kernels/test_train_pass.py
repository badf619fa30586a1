"""Our own passes against the eager ones: losses, gradients, dropout, precision, threads."""

from __future__ import annotations

import ctypes
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests import models
from tests.native import code_in, give, needs_compiler
from tinylm.config import resolve
from tinylm.hardware.device import Precision
from tinylm.kernels import train_pass
from tinylm.kernels.train_pass import NativePass
from tinylm.model import dropout, gradients
from tinylm.model.transformer import IGNORED, Transformer

pytestmark = needs_compiler

VOCABULARY = 43
SHAPES: list[dict[str, object]] = [
    {},
    {"qk_norm": True, "attention_scale": 3.0},
    {"dropout": 0.3},
    {"tie_embeddings": True, "embedding_std": 2.0},
    {"n_kv_head": 1, "mlp_ratio": 2},
    {"n_kv_head": 4, "n_layer": 1},
    {"n_embd": 25, "head_size": 10, "block_size": 37, "qk_norm": True},  # nothing fits into whole lanes
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
    targets[0, 3:5] = IGNORED
    return drawn[:, :-1], targets[:, 1:]


def some(model: Transformer, count: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """What a pass is given."""
    return *windows(model, count), dropout.key(5, 7, torch.device("cpu")) if model.config.dropout else None


def eager(model: Transformer, precision: Precision, *given: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    return gradients.eager_pass(model, list(model.parameters()), precision, 1.0, *given)


def weights(model: Transformer) -> list[Tensor]:
    return [weight.detach() for weight in model.parameters()]


def flat(loss: Tensor, grads: list[Tensor]) -> Tensor:
    return torch.cat([loss.view(1), *(grad.flatten() for grad in grads)])


def apart(found: Tensor, wanted: Tensor) -> float:
    return float(torch.linalg.vector_norm(found - wanted) / torch.linalg.vector_norm(wanted))


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (1, 3), (5, 2)])
@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_loss_and_gradients_are_the_eager_ones(
    changes: dict[str, object], count: int, threads: int, code: ctypes.CDLL
) -> None:
    model = build(**changes)
    given = some(model, count)
    wanted, wanted_grads = eager(model, "fp32", *given)
    loss, grads = native(code, model, threads=threads)(weights(model), *given)
    torch.testing.assert_close(loss, wanted)
    for (name, _), found, grad in zip(model.named_parameters(), grads, wanted_grads, strict=True):
        assert apart(found, grad) < 1e-5, name


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_in_bf16_they_are_as_close_as_the_eager_ones(changes: dict[str, object], code: ctypes.CDLL) -> None:
    if not train_pass.knows(code, "bf16"):
        pytest.skip("this processor has no products in bf16")
    model = build(**changes)
    given = some(model, 5)
    right = flat(*eager(model, "fp32", *given))
    rounded = flat(*eager(model, "bf16", *given))
    found = flat(*native(code, model, "bf16")(weights(model), *given))
    assert apart(found, right) < 1.05 * apart(rounded, right)


@pytest.mark.parametrize("changes", SHAPES, ids=str)
def test_losses_are_the_models_own_and_nothing_is_dropped(changes: dict[str, object], code: ctypes.CDLL) -> None:
    model = build(**changes).eval()
    ids, targets = windows(model, 5)
    with torch.no_grad():
        wanted = model.losses(ids, targets)
    found = native(code, model).losses(weights(model), ids, targets)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert not found[targets == IGNORED].any()


def test_the_same_twice_and_other_masks_for_another_key(code: ctypes.CDLL) -> None:
    model = build(dropout=0.2)
    own, given = native(code, model), windows(model, 3)
    keys = [dropout.key(seed, first, torch.device("cpu")) for seed, first in ((1, 0), (1, 0), (2, 0), (1, 3))]
    losses, grads = zip(*(own(weights(model), *given, key) for key in keys), strict=True)
    assert losses[0] == losses[1]
    assert all(torch.equal(one, other) for one, other in zip(grads[0], grads[1], strict=True))
    assert len({float(loss) for loss in losses}) == 3


def test_passes_do_not_remember_each_other(code: ctypes.CDLL) -> None:
    """Not even numbers that are none: what a diverged step leaves behind would poison the rescued run."""
    model = build(n_embd=25, head_size=10, block_size=37)
    own, given = native(code, model), windows(model, 3)
    first, _ = own(weights(model), *given, None)
    broken = [torch.full_like(weight, torch.nan) for weight in weights(model)]
    assert own(broken, *given, None)[0].isnan()
    again, grads = own(weights(model), *given, None)
    assert first == again
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", range(6))
def test_what_is_no_number_is_noticed(bad: float, place: int, code: ctypes.CDLL) -> None:
    model = build(n_layer=1)
    broken = weights(model)
    broken[place].view(-1)[: broken[place].size(-1) * 3] = bad
    for precision in ("fp32", "bf16"):
        if train_pass.knows(code, precision):
            loss, grads = native(code, model, precision)(broken, *windows(model, 3), None)
            assert not all(part.isfinite().all() for part in (loss, *grads))


def test_where_no_target_counts_the_loss_is_no_number(code: ctypes.CDLL) -> None:
    model = build()
    ids, targets = windows(model, 2)
    loss, _ = native(code, model)(weights(model), ids, torch.full_like(targets, IGNORED), None)
    assert loss.isnan()


def test_python_is_free_meanwhile(code: ctypes.CDLL) -> None:
    model = build(block_size=64)
    own, given = native(code, model), windows(model, 8)
    beside = threading.Thread(target=lambda: [own(weights(model), *given, None) for _ in range(100)])
    beside.start()
    turns = 0
    while beside.is_alive():
        time.sleep(0)
        turns += 1
    assert turns > 100, "Python's lock was held"


def test_code_that_computes_something_else_is_found_out(code: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    train_pass.check(code)
    monkeypatch.setattr(train_pass, "CLOSE", {"fp32": 1e-12})
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
def test_only_what_is_made_and_right_for_a_run_is_ready(
    changes: dict[str, dict[str, object]], there: bool, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config, cpu = resolve.validate(changes), torch.device("cpu")
    assert train_pass.ready(config, cpu, home) is None
    assert not (home / "cache").exists(), "nothing is made"
    give(code_in(tmp_path_factory), home)
    assert (train_pass.ready(config, cpu, home) is not None) == there
