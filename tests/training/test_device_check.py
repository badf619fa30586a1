"""A device that computes something else than the CPU is refused before anything is trained on it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainings import Configured
from tinylm.errors import DeviceError
from tinylm.model.transformer import Transformer
from tinylm.training import device_check, setup


@pytest.fixture(autouse=True)
def _the_cpu_is_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_check, "UNTESTED", ("cpu",))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_device_that_computes_the_same_passes(home: Path, tiny_config: Configured, dropout: float) -> None:
    setup.start(tiny_config(model={"dropout": dropout}), home, "run").close()


WRONG: list[Callable[[Tensor], Tensor]] = [
    lambda loss: loss * 1.1,
    lambda loss: loss * float("nan"),
    lambda loss: loss * loss,
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("tested", [False, True])
def test_a_device_that_computes_something_else_is_refused_unless_it_is_a_tested_one(
    home: Path,
    tiny_config: Configured,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[Tensor], Tensor],
    tested: bool,
) -> None:
    forward, calls = Transformer.forward, []

    def only_the_first(self: Transformer, *given: Tensor) -> Tensor:
        calls.append(given)
        loss = forward(self, *given)
        return wrong(loss) if len(calls) == 1 else loss

    monkeypatch.setattr(Transformer, "forward", only_the_first)
    if tested:
        monkeypatch.setattr(device_check, "UNTESTED", ("mps",))
        setup.start(tiny_config(), home, "run").close()
        return
    with pytest.raises(DeviceError) as caught:
        setup.start(tiny_config(), home, "run")
    assert "--device cpu" in caught.value.hint
    assert not list((home / "runs").iterdir())


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs Apple's MPS")
def test_mps_computes_what_the_cpu_does(home: Path, tiny_config: Configured) -> None:
    setup.start(tiny_config(train={"device": "mps"}), home, "run").close()
