"""Steps, batches and generation on a stand-in for a GPU: torch's device `meta`, whose tensors hold no numbers.

Whatever reads a number back from the device raises there by itself. A dispatch mode refuses operations that mix
devices, which on a GPU would fail, or copy a number to it and wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.trainings import Configured
from tinylm.config.schema import RunConfig
from tinylm.data import batches
from tinylm.data.batches import Batches, HeldOut, Stream
from tinylm.data.dataset import Segment
from tinylm.hardware import device
from tinylm.inference.decode import StaticCache
from tinylm.model import dropout
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer
from tinylm.training.cuda_graph import GraphedStep
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

META, VOCAB = torch.device("meta"), 61

# torch has no fused AdamW for meta.
FUSED = torch.library.Library("aten", "IMPL")  # kept for as long as the module
FUSED.impl("_fused_adamw_.tensor_lr", lambda *_, **__: None, "Meta")
FUSED.impl("_fused_adamw_", lambda *_, **__: None, "Meta")


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of several devices, except within `copying`."""

    _copying = False

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = op(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        types_ = {tensor.device.type for tensor in tensors}
        assert len(types_) < 2 or self._copying, f"{op} mixes {sorted(types_)}"
        return result

    @contextmanager
    def copying(self) -> Iterator[None]:
        self._copying = True
        try:
            yield
        finally:
            self._copying = False


@pytest.fixture
def one_device(monkeypatch: pytest.MonkeyPatch) -> OneDevice:
    mode = OneDevice()

    def copy_async(tensor: Tensor, to: torch.device) -> Tensor:
        with mode.copying():
            return tensor.to(to)

    for module in (device, dropout, batches):
        monkeypatch.setattr(module, "copy_async", copy_async)
    monkeypatch.setattr(device, "autocast", lambda *_: nullcontext())  # meta has none
    return mode


class WarmStep(GraphedStep):
    is_warm = True


VARIANTS: dict[str, dict[str, dict[str, object]]] = {
    "muon, average": {"train": {"optimizer": "muon", "average": 0.1, "grad_clip": 1.0}},
    "adamw": {"train": {"optimizer": "adamw"}},
    "dropout, passes": {
        "train": {"optimizer": "muon", "accumulation_steps": 2},
        "model": {"dropout": 0.2, "qk_norm": True},
    },
}


def meta_stepper(config: RunConfig, precision: device.Precision) -> Stepper:
    model = Transformer(config.model, VOCAB).to(META)
    average = WeightEMA(model, config.train.average) if config.train.average else None
    stepper = Stepper(config, model, Optimizer(model, config.train), precision, 2.0**16, average)
    stepper._graph_is_checked = True  # the comparison of the first captured step reads once, on purpose
    return stepper


def take_steps(stepper: Stepper) -> None:
    train, block_size = stepper.config.train, stepper.config.model.block_size
    ids = torch.zeros(train.sequences_per_step, block_size, dtype=torch.int64, device=META)
    for step in range(1, 4):
        assert stepper.take(step, 1e-3, 0.1, ids, ids).shape == (4,)
    assert not stepper.warnings


@pytest.mark.parametrize("captured", [True, False], ids=["captured", "plain"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_step_reads_nothing_back(
    tiny_config: Configured,
    changes: dict[str, dict[str, object]],
    precision: device.Precision,
    captured: bool,
    one_device: OneDevice,
) -> None:
    stepper = meta_stepper(tiny_config(**changes), precision)
    if captured:
        stepper.capture(partial(WarmStep, capture=lambda work: work))
    with one_device:
        take_steps(stepper)
    assert (stepper.graphed is not None) == captured


def planted_read(stepper: Stepper) -> None:
    take = stepper._apply
    stepper._apply = lambda lr, factor, decay, loss, grads: take(lr, factor, decay, loss, grads) * float(loss)  # type: ignore[method-assign]


def planted_scalar(stepper: Stepper) -> None:
    stepper.loss_scale = torch.ones(())  # on the CPU


def planted_mix(stepper: Stepper) -> None:
    stepper.detached[0] = torch.zeros(stepper.detached[0].shape)


@pytest.mark.parametrize("plant", [planted_read, planted_scalar, planted_mix])
def test_a_fault_planted_in_a_step_is_found(tiny_config: Configured, plant: Any, one_device: OneDevice) -> None:
    stepper = meta_stepper(tiny_config(), "fp16")
    with one_device:
        take_steps(stepper)  # healthy before
    plant(stepper)
    with one_device, pytest.raises((AssertionError, RuntimeError, NotImplementedError)):
        take_steps(stepper)


class MetaCorpus:
    """Token ids on meta, as far as batches ask for them."""

    device = META
    layout = SimpleNamespace(split=2, groups={"text": [Segment(0, 500, False, True), Segment(600, 900, True, False)]})

    def read(self, positions: Tensor) -> Tensor:
        assert positions.device == META
        return torch.zeros_like(positions)


def test_drawing_batches_reads_nothing_back(one_device: OneDevice) -> None:
    stream = Stream(MetaCorpus(), "text", 16)  # type: ignore[arg-type]
    drawn = Batches(stream, "chunked", 4, seed=1)
    for step in range(40):
        with one_device:
            ids, targets = drawn.draw(step)
        assert ids.device == targets.device == META
        assert ids.shape == targets.shape == (4, 16)
        assert ids.is_contiguous()
        assert targets.is_contiguous(), "torch.compile compiles a pass for each layout"


def test_held_out_batches_read_nothing_back(one_device: OneDevice) -> None:
    held_out = HeldOut.cut([(0, 100), (200, 250)], 16)
    with one_device:
        drawn = list(held_out.batches(MetaCorpus(), 3, 16))  # type: ignore[arg-type]
    for ids, targets in drawn:
        assert ids.device == targets.device == META


def test_a_decoding_step_reads_nothing_back(tiny_config: Configured, one_device: OneDevice) -> None:
    config = tiny_config().model
    model = Transformer(config, VOCAB).to(META)
    ids = torch.zeros(3, 5, dtype=torch.int64, device=META)
    with torch.inference_mode(), one_device:
        cache = KVCache(config, 3, config.block_size, model.embedding.weight)
        model.next_logits(ids, cache)
        assert model.next_logits(ids[:, :1], StaticCache(cache)).shape == (3, VOCAB)
