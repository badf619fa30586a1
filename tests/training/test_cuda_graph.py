"""Steps as CUDA graphs: what a captured step computes, when it is captured again, and what happens if it cannot be.

A stand-in replaces CUDA graphs: it keeps the captured work and runs it on the same tensors at each replay.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainings import Configured, of
from tinylm.config.schema import RunConfig
from tinylm.events import Finished, Warned
from tinylm.hardware import capture, memory
from tinylm.model.transformer import Transformer
from tinylm.training import calibrate, cuda_graph
from tinylm.training.cuda_graph import WARM_UP_STEPS, GraphedStep, LaunchLimiter
from tinylm.training.ema import WeightEMA
from tinylm.training.loop import train
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

VOCAB = 61
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def stepper(config: RunConfig, device: str = "cpu") -> Stepper:
    model = Transformer(config.model, VOCAB, torch.Generator().manual_seed(0)).to(device)
    average = WeightEMA(model, config.train.average) if config.train.average else None
    return Stepper(config, model, Optimizer(model, config.train), "fp32", average=average)


def steps(device: str = "cpu") -> Iterator[tuple[int, float, float, Tensor, Tensor]]:
    """Ten steps with a rate that changes, and a weight decay that changes once.

    On CUDA they have over 3,072 tokens, above which the embedding's backward pass takes another path.
    """
    generator = torch.Generator().manual_seed(1)
    for step in range(1, 11):
        windows = torch.randint(VOCAB, (6 if device == "cpu" else 104, 33), generator=generator).to(device)
        yield step, step * 1e-3, 0.1 if step < 7 else 0.2, windows[:, :-1], windows[:, 1:]


class Recorder:
    """Counts captures, and replays them by running the work again."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.count += 1
        return work


class WarmStep(GraphedStep):
    """Needs no warm-up."""

    is_warm = True


def capturing(config: RunConfig, capture: Callable[..., Callable[[], Tensor]]) -> Stepper:
    made = stepper(config)
    made.capture(partial(WarmStep, capture=capture))
    return made


VARIANTS = {
    "muon": {"train": {"optimizer": "muon"}},
    "adamw": {"train": {"optimizer": "adamw", "grad_clip": 0.1}},
    "passes, dropout": {"train": {"optimizer": "muon", "accumulation_steps": 2}, "model": {"dropout": 0.2}},
    "average": {"train": {"optimizer": "muon", "average": 0.5}},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_graphed_steps_do_what_plain_ones_do(tiny_config: Configured, changes: dict[str, dict[str, object]]) -> None:
    config, record = tiny_config(**changes), Recorder()
    plain, mine = stepper(config), capturing(config, record)
    plain.micro_batch_size = mine.micro_batch_size = 3  # two passes, each with a key of its own
    for step in steps():
        torch.testing.assert_close(mine.take(*step), plain.take(*step), rtol=1e-5, atol=1e-6)
    for weight, other in zip(mine.weights, plain.weights, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-5, atol=1e-6)
    if plain.average and mine.average:
        for weight, other in zip(mine.average.model.parameters(), plain.average.model.parameters(), strict=True):
            torch.testing.assert_close(weight, other, rtol=1e-5, atol=1e-6)
    assert record.count == 2, "once, and once more where the weight decay changed"
    assert not mine.warnings


def test_its_metrics_are_not_overwritten_by_the_next_step(tiny_config: Configured) -> None:
    mine = capturing(tiny_config(), lambda work: work)
    metrics = [mine.take(*step) for step in steps()]
    assert len({float(each[0]) for each in metrics}) == 10


def test_it_is_captured_again_where_tensors_were_replaced_or_the_batch_size_changed(tiny_config: Configured) -> None:
    record = Recorder()
    mine = capturing(tiny_config(), record)
    (first, second, third, *_) = steps()
    mine.take(*first)
    assert mine.graphed
    mine.graphed.forget()
    mine.take(*second)
    assert record.count == 2
    mine.take(*third[:3], third[3][:4], third[4][:4])
    assert record.count == 3


def test_where_nothing_can_be_captured_the_step_is_taken_once_with_a_warning(tiny_config: Configured) -> None:
    def refused(_: Callable[[], Tensor]) -> Callable[[], Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing")

    config = tiny_config(train={"optimizer": "muon"})
    plain, mine = stepper(config), capturing(config, refused)
    for step in steps():
        torch.testing.assert_close(mine.take(*step), plain.take(*step), rtol=0, atol=0)
    assert mine.graphed is None
    [warning] = mine.warnings
    assert "not permitted" in warning.message


def wrong(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A capture whose replay does nothing but return metrics."""
    return lambda: torch.ones(4)


def test_a_captured_step_that_computes_something_else_is_found_at_once(tiny_config: Configured) -> None:
    config = tiny_config(train={"optimizer": "muon", "average": 0.3})
    plain, mine = stepper(config), capturing(config, wrong)
    for step in steps():
        torch.testing.assert_close(mine.take(*step), plain.take(*step), rtol=0, atol=0)
    for weight, other in zip(mine.weights, plain.weights, strict=True):
        assert torch.equal(weight, other)
    assert mine.graphed is None
    assert len(mine.warnings) == 1


def test_the_comparison_leaves_the_state_of_one_plain_step(tiny_config: Configured) -> None:
    config = tiny_config(train={"optimizer": "muon", "average": 0.3}, model={"dropout": 0.1})
    plain, compared = stepper(config), capturing(config, lambda work: work)
    first, *_ = steps()
    assert torch.equal(compared.take(*first), plain.take(*first))
    for name, value in compared.optimizer.state().items():
        assert torch.equal(value, plain.optimizer.state()[name]), name
    assert compared.average
    assert plain.average
    for name, value in compared.average.model.state_dict().items():
        assert torch.equal(value, plain.average.model.state_dict()[name]), name
    assert compared.graphed


def test_without_room_for_a_copy_of_the_state_nothing_is_compared(
    tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda _: 0.0)
    mine = capturing(tiny_config(), lambda work: work)
    first, *_ = steps()
    mine.take(*first)
    assert mine.graphed
    assert not mine.warnings


def test_a_step_of_very_many_passes_is_not_captured(tiny_config: Configured) -> None:
    record = Recorder()
    mine = capturing(tiny_config(), record)
    mine.micro_batch_size = 1
    for number, lr, decay, ids, targets in steps():
        mine.take(number, lr, decay, ids.repeat(4, 1), targets.repeat(4, 1))  # 24 passes
    assert record.count == 0


class FakeStream:
    def wait_stream(self, other: object) -> None:
        pass


class FakeCuda:
    """torch.cuda as far as captures use it: which stream is current, and a graph whose capture may fail to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends: bool = True) -> None:
        self.current: object = "default"
        self.streams: list[FakeStream] = []
        self.used: list[object] = []
        fake = self

        class Graph:
            def capture_begin(self, pool: object, capture_error_mode: str) -> None:
                assert capture_error_mode == "thread_local"
                fake.used.append(fake.current)

            def capture_end(self) -> None:
                if not ends:
                    raise RuntimeError("the capture was invalidated")

            def replay(self) -> None:
                pass

        def new_stream() -> FakeStream:
            self.streams.append(FakeStream())
            return self.streams[-1]

        @contextmanager
        def on(stream: object) -> Iterator[None]:
            before, self.current = self.current, stream
            try:
                yield
            finally:
                self.current = before

        for name, stand_in in {
            "CUDAGraph": Graph,
            "Stream": new_stream,
            "stream": on,
            "current_stream": FakeStream,
            "graph_pool_handle": lambda: (0, 1),
            "synchronize": lambda: None,
            "empty_cache": lambda: None,
            "current_device": lambda: 0,
        }.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)
        capture._stream.cache_clear()
        monkeypatch.setattr(capture, "_failed", set())


@pytest.mark.parametrize("ends", [True, False])
def test_a_failed_capture_leaves_the_thread_on_its_stream_and_names_the_first_error(
    monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    cuda = FakeCuda(monkeypatch, ends)

    def reads() -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        capture.capture("step", reads)
    assert cuda.current == "default"
    with pytest.raises(RuntimeError, match="before"):
        capture.capture("step", lambda: torch.ones(1))
    assert len(cuda.used) == 1, "it is not tried again"


def test_streams_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    for _ in range(20):
        capture.warm_up(lambda: torch.ones(1))
        assert torch.equal(capture.capture("step", lambda: torch.ones(2))(), torch.ones(2))
        capture.capture("decode", lambda: torch.ones(1))
    assert len(cuda.streams) == 3
    assert cuda.used[0] != cuda.used[1]
    assert len({id(stream) for stream in cuda.used}) == 2, "one for steps, one for generation"


def test_the_first_steps_are_taken_as_they_are(tiny_config: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Recorder()
    plain, mine = stepper(tiny_config()), stepper(tiny_config())
    mine.capture(partial(GraphedStep, capture=record))
    FakeCuda(monkeypatch)
    for number, step in enumerate(steps()):
        assert (record.count > 0) == (number > WARM_UP_STEPS)
        torch.testing.assert_close(mine.take(*step), plain.take(*step), rtol=1e-5, atol=1e-6)


def test_python_waits_for_the_step_before_the_last_ones_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Mark:
        made = 0

        def record(self) -> None:
            Mark.made += 1
            self.number = Mark.made
            done.append(f"launched {self.number}")

        def synchronize(self) -> None:
            done.append(f"waited for {self.number}")

    monkeypatch.setattr(cuda_graph.torch.cuda, "Event", Mark)
    limiter = LaunchLimiter(torch.device("cuda"))
    for _ in range(4):
        limiter.stepped()
    assert done == [
        "launched 1", "launched 2", "launched 3", "waited for 1", "launched 4", "waited for 2"
    ]  # fmt: skip
    LaunchLimiter(torch.device("cpu")).stepped()
    assert Mark.made == 4, "on a CPU there is nobody to wait for"


def test_the_pass_that_is_timed_is_captured_once_for_each_precision(
    tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, config = Recorder(), tiny_config()
    monkeypatch.setattr(calibrate, "warm_up", lambda work: work())
    monkeypatch.setattr(calibrate, "capture", lambda _, work: record(work))
    model = Transformer(config.model, VOCAB, torch.Generator().manual_seed(0))
    (_, _, _, ids, targets), *_ = steps()
    timed = calibrate._captured_pass(
        model, ids[:, : config.model.block_size], targets[:, : config.model.block_size], None
    )
    losses = [timed(precision) for precision in ("fp32", "bf16", "fp32", "bf16")]
    assert record.count == 2
    assert losses[0] == losses[2]
    assert losses[0] != losses[1]


# ---- where there is a CUDA device ---------------------------------------------------------------------------------


@needs_cuda
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_graphs_on_cuda_do_what_plain_steps_do(tiny_config: Configured, changes: dict[str, dict[str, object]]) -> None:
    config = tiny_config(**changes)
    plain, mine = stepper(config, "cuda"), stepper(config, "cuda")
    mine.capture()
    for step in steps("cuda"):
        torch.testing.assert_close(mine.take(*step), plain.take(*step), rtol=1e-3, atol=1e-4)
    assert mine.graphed is not None, [warning.message for warning in mine.warnings]
    assert mine.graphed.is_warm


@needs_cuda
def test_nothing_in_a_step_on_cuda_waits_for_it(tiny_config: Configured) -> None:
    config = tiny_config(train={"optimizer": "muon"}, model={"dropout": 0.2})
    plain, mine = stepper(config, "cuda"), stepper(config, "cuda")
    mine.capture()
    given = list(steps("cuda"))
    for step in given[:5]:
        plain.take(*step)
        mine.take(*step)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in given[:5]:
            plain.take(*step)
            mine.take(*step)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_a_training_on_cuda_learns_the_same_captured_or_not(
    home: Path, tiny_config: Configured, precision: str
) -> None:
    ended = {}
    for compile_ in ("off", "auto"):
        config = tiny_config(
            train={"device": "cuda", "precision": precision, "compile": compile_, "budget": "60 steps"}
        )
        events = list(train(config, home, compile_))
        assert not of(events, Warned)
        [finished] = of(events, Finished)
        ended[compile_] = finished.val_loss
    assert ended["auto"] == pytest.approx(ended["off"], rel=0.02)
