"""A device that computes something else than the CPU is refused before anything is trained on it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tinylm.config.schema import RunConfig
from tinylm.errors import DeviceError
from tinylm.model.transformer import Transformer
from tinylm.training import device_check, setup

Configured = Callable[..., RunConfig]


@pytest.fixture(autouse=True)
def _the_cpu_is_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_check, "UNTESTED", ("cpu",))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_device_that_computes_the_same_passes(home: Path, tiny_config: Configured, dropout: float) -> None:
    setup.start(tiny_config(model={"dropout": dropout}), home, "run").close()


@pytest.mark.parametrize("wrong", [lambda loss: loss * 1.1, lambda loss: loss * float("nan"), lambda loss: loss * loss])
def test_a_device_that_does_not_is_refused_and_nothing_is_left(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Tensor], Tensor]
) -> None:
    forward, calls = Transformer.forward, []

    def only_the_first(self: Transformer, *given: Tensor) -> Tensor:
        calls.append(given)
        loss = forward(self, *given)
        return wrong(loss) if len(calls) == 1 else loss

    monkeypatch.setattr(Transformer, "forward", only_the_first)
    with pytest.raises(DeviceError, match="computes something else than the CPU") as caught:
        setup.start(tiny_config(), home, "run")
    assert "--device cpu" in caught.value.hint
    assert not list((home / "runs").iterdir())


def test_tested_devices_are_not_checked(home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_check, "UNTESTED", ("mps",))
    monkeypatch.setattr(device_check, "eager_pass", lambda *_: pytest.fail("it was checked"))
    setup.start(tiny_config(), home, "run").close()


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs Apple's MPS")
def test_mps_computes_what_the_cpu_does(home: Path, tiny_config: Configured) -> None:
    setup.start(tiny_config(train={"device": "mps"}), home, "run").close()
