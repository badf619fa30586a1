"""Memory that runs out: foreseen where it can be, and otherwise got over, with the same steps."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainings import Configured, go_on, of
from tinylm.errors import ConfigError, RunError
from tinylm.events import Failed, StepDone, Warned
from tinylm.hardware import memory
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint, folder
from tinylm.training import memory_check
from tinylm.training.loop import train

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
    config = tiny_config(train={"threads": 1, "batch_size": 5})  # the rehearsal is smaller than a step and fits
    whole = of(train(config, home, "whole"), StepDone)
    monkeypatch.setattr("tinylm.training.calibrate.CALIBRATION_TOKENS", 32)
    with pytest.MonkeyPatch.context() as patch:
        tried = run_out(patch, 2, error)
        events = list(train(config, home, "parts"))
    assert tried[:8] == [1, 5, 3, 2, 2, 1, 2, 2], "it should halve the passes, and keep to what fits"
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
    monkeypatch.setattr("tinylm.training.calibrate.CALIBRATION_TOKENS", 32)
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
    with pytest.raises(ConfigError, match=r"64 windows .* free") as caught:
        list(train(tiny_config(train={"threads": 1, "batch_size": 512}), home, "run"))
    assert "train.batch_size=32 and train.accumulation_steps=16 " in caught.value.hint
    with pytest.raises(ConfigError, match="million parameters"):
        list(train(tiny_config(model={"n_embd": 1024}), home, "run"))
    assert not folder.list_runs(home)
    assert not list((home / "runs").iterdir())


def test_the_estimate_is_rather_too_low(tiny_config: Configured) -> None:
    """It may refuse only what really cannot be: the tensors that a real pass keeps are more."""
    config = tiny_config()
    model = Transformer(config.model, 300, torch.Generator().manual_seed(0))
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.zeros(4, config.model.block_size, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(ids, ids)
    assert 0.2 < 4 * memory_check.sequence_bytes(config.model, 300) / sum(kept.values()) < 1.2
    assert math.isfinite(memory_check.sequence_bytes(config.model, 300))
