"""A model out of a run folder, beside whatever else the process does."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainings import Configured
from tests.waiting import PATIENCE
from tinylm.inference import load
from tinylm.model.transformer import Transformer
from tinylm.runs import folder
from tinylm.training.loop import train


@pytest.fixture
def two_threads() -> Iterator[None]:
    """torch computes with two threads here, and again with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_loading_leaves_threads_alone(home: Path, tiny_config: Configured) -> None:
    list(train(tiny_config(train={"stop_at": 1}), home, "run"))
    torch.set_num_threads(2)
    model, _ = load.load_model(folder.open_run(home, "run"))
    assert torch.get_num_threads() == 2
    assert not model.training
    load.settle_threads(model)
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_a_small_model_settles_and_a_large_one_does_not(
    tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Transformer(tiny_config().model, 300)
    monkeypatch.setattr(load, "SMALL", model.n_parameters())
    load.settle_threads(model)
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(load, "SMALL", model.n_parameters() + 1)
    load.settle_threads(model)
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_a_thread_that_has_computed_keeps_its_threads(tiny_config: Configured) -> None:
    """What the app relies on: a training goes on as fast while another thread of the process writes with a model."""
    model, thread_counts, turn = Transformer(tiny_config().model, 300), [], [threading.Event(), threading.Event()]

    def training() -> None:
        torch.set_num_threads(2)
        torch.ones(1000, 1000).exp()
        thread_counts.append(torch.get_num_threads())
        turn[0].set()
        turn[1].wait(PATIENCE)
        torch.ones(1000, 1000).exp()
        thread_counts.append(torch.get_num_threads())

    def writing() -> None:
        turn[0].wait(PATIENCE)
        load.settle_threads(model)
        thread_counts.append(torch.get_num_threads())
        turn[1].set()

    threads = [threading.Thread(target=training), threading.Thread(target=writing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert thread_counts == [2, 1, 2]
