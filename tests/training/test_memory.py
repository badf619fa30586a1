"""Memory that runs out: foreseen where it can be, and otherwise got over, with the same steps."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainings import Configured, go_on, of
from tinylm.config.schema import ModelConfig
from tinylm.errors import ConfigError, RunError
from tinylm.events import Failed, StepDone, Warned
from tinylm.hardware import memory
from tinylm.model import dropout, transformer
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint, folder
from tinylm.training import memory_check
from tinylm.training.cuda_graph import GraphedStep
from tinylm.training.loop import train
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

out_of_memory = pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError,
        lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
    ],
)


def run_out(monkeypatch: pytest.MonkeyPatch, most: int, error: Callable[[], Exception]) -> list[int]:
    """Let forward passes of more than `most` windows fail; returns the sizes that were tried."""
    forward, tried = Transformer.forward, []

    def limited(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        if self.training and torch.is_grad_enabled():
            tried.append(len(ids))
            if len(ids) > most:
                raise error()
        loss: Tensor = forward(self, ids, targets, noise)
        return loss

    monkeypatch.setattr(Transformer, "forward", limited)
    return tried


@out_of_memory
def test_a_step_that_does_not_fit_is_done_in_smaller_passes(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    config = tiny_config(train={"threads": 1, "batch_size": 5})
    whole = of(train(config, home, "whole"), StepDone)
    with pytest.MonkeyPatch.context() as patch:
        tried = run_out(patch, 2, error)
        events = list(train(config, home, "parts"))
    assert tried[:3] == [5, 3, 2], "set-up halves the pass that it times"
    assert tried[3:10] == [5, 3, 2, 2, 1, 2, 2], "a step halves its passes, and keeps to what fits"
    warnings = [event.message for event in of(events, Warned)]
    assert [message.split(" windows")[0] for message in warnings] == ["5", "3"]
    steps = of(events, StepDone)
    assert [event.step for event in steps] == list(range(1, 21))
    assert [event.tokens for event in steps] == [event.tokens for event in whole]
    for one, other in zip(steps, whole, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4), "smaller passes must add up to the same step"
    run = folder.open_run(home, "parts")
    assert checkpoint.load(checkpoint.find(run)).state.micro_batch == 2


def test_a_resumed_run_keeps_to_what_fits(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(train={"threads": 1, "batch_size": 4})
    tried = run_out(monkeypatch, 2, MemoryError)
    list(train(config, home, "run"))
    tried.clear()
    events = go_on(folder.open_run(home, "run"), budget="24 steps")
    assert set(tried) <= {1, 2}
    assert not of(events, Warned)


@out_of_memory
def test_where_not_even_one_window_fits_the_run_fails_and_keeps_what_was_saved(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    def late(self: Transformer, ids: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        if (home / "runs" / "run" / "checkpoints" / "latest").exists():
            raise error()
        loss: Tensor = forward(self, ids, targets, noise)
        return loss

    forward = Transformer.forward
    monkeypatch.setattr(Transformer, "forward", late)
    with pytest.raises(RunError, match="memory of the machine") as caught:
        list(train(tiny_config(train={"threads": 1, "checkpoint_interval": 3}), home, "run"))
    assert "model.block_size" in caught.value.hint, "a smaller batch is no help"
    run = folder.open_run(home, "run")
    [failed] = of(run.events(), Failed)
    assert (failed.message, failed.hint) == (caught.value.message, caught.value.hint)
    assert checkpoint.find(run).name == "step-00000003"


def test_what_cannot_fit_is_refused_before_anything_is_made(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda _: 3e6)
    with pytest.raises(ConfigError, match="single window") as caught:
        list(train(tiny_config(train={"threads": 1}, model={"block_size": 2048}), home, "run"))
    assert "block_size" in caught.value.hint
    with pytest.raises(ConfigError, match="million parameters"):
        list(train(tiny_config(model={"n_embd": 1024}), home, "run"))
    assert not folder.list_runs(home)
    assert not list((home / "runs").iterdir())


def test_a_pass_is_planned_as_large_as_fits(tiny_config: Configured) -> None:
    config = tiny_config(train={"batch_size": 96, "precision": "bf16"})
    one = memory_check.sequence_bytes(config.model, 300, half=True)
    state = 16 * Transformer(config.model, 300).n_parameters()
    assert memory_check.fitting_sequences(config, 300, 96, None) == 96
    for free, fitting in ((96 * one, 96), (95 * one, 48), (25 * one, 24), (one, 1), (0.81 * one, 1)):
        assert memory_check.fitting_sequences(config, 300, 96, state + free) == fitting
    with pytest.raises(ConfigError):
        memory_check.fitting_sequences(config, 300, 96, state + 0.79 * one)


SHAPES: dict[str, dict[str, object]] = {
    "qk_norm": {"n_layer": 4, "n_embd": 64, "n_head": 4, "n_kv_head": 4, "block_size": 64, "qk_norm": True},
    "gqa, dropout": {"n_layer": 3, "n_embd": 64, "n_head": 4, "n_kv_head": 2, "block_size": 64, "dropout": 0.2},
    "wide": {"n_layer": 2, "n_embd": 128, "n_head": 4, "n_kv_head": 4, "block_size": 32, "mlp_ratio": 4},
}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_estimate_is_within_a_fifth_of_what_is_counted(
    shape: dict[str, object], half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted are the tensors that a pass keeps. In bf16 attention takes bf16, as it does on a GPU."""
    model = Transformer(ModelConfig.model_validate(shape), 500, torch.Generator().manual_seed(0))
    attend = transformer.attend
    if half:
        monkeypatch.setattr(
            transformer,
            "attend",
            lambda q, k, v, *rest: attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), *rest),
        )
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    shapes = {weight.shape for weight in model.parameters()} | {weight.mT.shape for weight in model.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.shape not in shapes:  # autocast's copies of weights
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    ids = torch.zeros(3, model.config.block_size, dtype=torch.long)
    key = dropout.key(0, 0, ids.device)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=half),
    ):
        model(ids, ids, key)
    counted = sum(kept.values()) + 2 * ids.numel() * 500 * 4
    assert 3 * memory_check.sequence_bytes(model.config, 500, half=half) == pytest.approx(counted, rel=0.2)


# ---- on a GPU, by stand-ins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.AcceleratorError("CUDA error: out of memory") if hasattr(torch, "AcceleratorError") else MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
    ],
    ids=str,
)
def test_memory_of_a_gpu_that_ran_out_is_recognised(error: Exception) -> None:
    assert memory.out_of_memory(error, torch.device("cuda")) is not None
    assert memory.out_of_memory(ValueError(str(error)), torch.device("cuda")) is None
    assert memory.out_of_memory(RuntimeError("CUDA error: invalid argument"), torch.device("cuda")) is None


class Graph(GraphedStep):
    """A captured step that takes no warm-up, and whose memory is in the way until it is forgotten."""

    is_warm = True


def test_an_evaluation_beside_a_captured_step_gets_its_memory(tiny_config: Configured) -> None:
    config = tiny_config()
    model = Transformer(config.model, 300, torch.Generator().manual_seed(0))
    stepper = Stepper(config, model, Optimizer(model, config.train), "fp32")
    stepper.capture(partial(Graph, capture=lambda work: work))
    ids = torch.zeros(config.train.batch_size, config.model.block_size, dtype=torch.int64)
    captured_during: list[bool] = []

    def evaluate() -> str:
        assert stepper.graphed
        captured_during.append(stepper.graphed.is_captured)
        if stepper.graphed.is_captured:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return "evaluated"

    for step in (1, 2):
        stepper.take(step, 1e-3, 0.1, ids, ids)
        assert stepper.beside(evaluate) == "evaluated"
    assert captured_during == [True, False, False], "from then on the graph makes room beforehand"
    with pytest.raises(RuntimeError, match="a fault of ours"):
        stepper.beside(_fails)


def _fails() -> None:
    raise RuntimeError("a fault of ours")
