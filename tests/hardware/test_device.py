"""Which device is taken, on stand-ins for GPUs."""

from collections.abc import Iterator

import pytest
import torch

from tinylm.errors import DeviceError
from tinylm.hardware import device


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    device._cuda_works.cache_clear()
    yield
    device._cuda_works.cache_clear()


def cuda_that(monkeypatch: pytest.MonkeyPatch, *, computes: bool) -> None:
    """A CUDA device, for which this torch has kernels or not."""
    ones = torch.ones

    def on_cuda(*size: int, device: str) -> torch.Tensor:
        assert device == "cuda"
        if not computes:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return ones(*size)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", on_cuda)


def test_a_card_that_torch_has_no_kernels_for_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    cuda_that(monkeypatch, computes=False)
    assert device.choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="CUDA"):
        device.choose_device("cuda")


def test_a_card_that_computes_is_taken_without_cudnns_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    switched: list[bool] = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", switched.append)
    cuda_that(monkeypatch, computes=True)
    assert device.choose_device("auto").type == "cuda"
    assert switched == [False]
