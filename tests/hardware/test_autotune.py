"""Which threads and precision a run takes, by what was measured."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tinylm.config.schema import TrainConfig
from tinylm.hardware import autotune, measured
from tinylm.hardware.device import Precision
from tinylm.hardware.measured import FastestSetting

Seconds = dict[tuple[Precision, int], float]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "eager", "compiled"),
    [
        ({("fp32", 1): 2.0, ("fp32", 2): 1.0}, ("fp32", 2), ("fp32", 2)),
        ({("fp32", 1): 1.0, ("fp32", 2): 2.0}, ("fp32", 1), ("fp32", 1)),
        ({("fp32", 1): 1.0, ("fp32", 2): 1.05}, ("fp32", 1), ("fp32", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 0.95}, ("fp32", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 1.05}, ("fp32", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 1.4}, ("fp32", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 1.6}, ("fp32", 2), ("fp32", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 0.8}, ("bf16", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 1): 0.95, ("bf16", 2): 0.96}, ("fp32", 2), ("bf16", 2)),
    ],
)
def test_passes_to_be_compiled_take_what_gains_by_it(
    seconds: Seconds, eager: tuple[Precision, int], compiled: tuple[Precision, int]
) -> None:
    assert autotune.fastest(seconds, before_kernels=False) == eager
    assert autotune.fastest(seconds, before_kernels=True) == compiled


@pytest.mark.parametrize(
    ("remembered", "seconds", "trusted"),
    [
        (4, {1: 1.0, 4: 0.5}, True),
        (4, {1: 1.0, 4: 1.4}, True),  # noise of a shared machine
        (4, {1: 1.0, 4: 1.6}, False),  # other programs have taken the cores
        (4, {1: 9.0}, False),  # one thread alone has used the time up
        (2, {1: 30.0, 2: 20.0}, True),  # all is slower than it was, which says nothing about the threads
        (1, {1: 1.0, 4: 9.0}, False),  # it may have been the best beside other work
        (8, {1: 1.0, 8: 0.5}, False),  # more than there are
    ],
)
def test_remembered_threads_are_believed_until_one_thread_is_clearly_faster(
    remembered: int, seconds: dict[int, float], trusted: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "cores", lambda: 4)
    plan, cpu = TrainConfig(precision="fp32"), torch.device("cpu")
    measured.store(home, autotune.cache_key(plan, cpu, "shape"), FastestSetting(remembered, "fp32"))
    monkeypatch.setattr(autotune, "measure_threads", lambda *_: (3, seconds))
    monkeypatch.setattr(autotune, "measure", lambda *_: {("fp32", 3): 1.0})
    choice = autotune.choose(plan, cpu, lambda _: None, home, "shape", before_kernels=True)
    assert choice.threads == (remembered if trusted else 3)
    assert torch.get_num_threads() == choice.threads, "it computes with them"


@pytest.mark.parametrize(
    ("fp32", "bf16", "remembered", "chosen"),
    [
        (10.0, 9.05, "fp32", "fp32"),
        (10.0, 9.05, "bf16", "bf16"),
        (10.0, 11.0, "bf16", "bf16"),
        (10.0, 7.0, "fp32", "bf16"),
        (10.0, 12.0, "bf16", "fp32"),
    ],
)
def test_a_close_choice_is_made_as_before_and_a_clear_one_anew(
    fp32: float, bf16: float, remembered: Precision, chosen: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eager passes were timed while the kernels were compiled, and now the kernels are, for the first time."""
    monkeypatch.setattr(autotune, "cores", lambda: 1)
    monkeypatch.setattr(autotune, "has_fast_bf16", lambda: True)
    plan, cpu = TrainConfig(), torch.device("cpu")
    guess = FastestSetting(1, remembered, by_eager_passes=True)
    measured.store(home, autotune.cache_key(plan, cpu, "shape"), guess)
    monkeypatch.setattr(autotune, "measure", lambda *_: {("fp32", 1): fp32, ("bf16", 1): bf16})
    assert autotune.choose(plan, cpu, lambda _: None, home, "shape", before_kernels=False).precision == chosen
    monkeypatch.setattr(autotune, "measure", lambda *_: pytest.fail("it was measured twice"))
    assert autotune.choose(plan, cpu, lambda _: None, home, "shape", before_kernels=False).precision == chosen


@pytest.mark.parametrize(("one", "two", "chosen"), [(1.0, 0.85, 1), (1.0, 0.6, 2)])
def test_one_thread_stays_until_more_are_clearly_faster(
    one: float, two: float, chosen: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "cores", lambda: 2)
    plan, cpu = TrainConfig(precision="fp32"), torch.device("cpu")
    measured.store(home, autotune.cache_key(plan, cpu, "shape"), FastestSetting(1, "fp32"))
    monkeypatch.setattr(autotune, "measure", lambda *_: {("fp32", 1): one, ("fp32", 2): two})
    assert autotune.choose(plan, cpu, lambda _: None, home, "shape", before_kernels=False).threads == chosen


@pytest.mark.parametrize(("wanted", "cores", "remembered"), [("auto", 1, 1), (1, 4, 1), (8, 4, 8)])
def test_where_no_other_number_is_open_nothing_is_measured_again(
    wanted: int | str, cores: int, remembered: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one core, and where a person has set the number: then only the precision had to be measured."""
    monkeypatch.setattr(autotune, "cores", lambda: cores)
    monkeypatch.setattr(autotune, "has_fast_bf16", lambda: True)
    plan, cpu = TrainConfig.model_validate({"threads": wanted}), torch.device("cpu")
    measured.store(home, autotune.cache_key(plan, cpu, "shape"), FastestSetting(remembered, "bf16"))
    monkeypatch.setattr(autotune, "measure", lambda *_: pytest.fail("it was measured"))
    choice = autotune.choose(plan, cpu, lambda _: None, home, "shape", before_kernels=True)
    assert (choice.threads, choice.precision) == (remembered, "bf16")
    assert torch.get_num_threads() == remembered


def test_what_was_remembered_is_recalled_as_it_was(home: Path) -> None:
    measured.store(home, "a shape", FastestSetting(2, "bf16"))
    assert measured.load(home, "a shape", FastestSetting) == FastestSetting(2, "bf16")
    assert measured.load(home, "another", FastestSetting) is None


TOO_LARGE = math.inf


def on_cuda(
    seconds: dict[str, float], home: Path, monkeypatch: pytest.MonkeyPatch, **train: object
) -> tuple[autotune.Setting, list[str]]:
    """What is chosen on a GPU that has bf16 and takes so long, and the passes that were timed for it."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: "fp32" not in seconds)
    monkeypatch.setattr(autotune, "machine_name", lambda _: "a GPU")
    timed: list[str] = []

    def time_pass(_: object, precision: str) -> float:
        timed.append(precision)
        if seconds[precision] == TOO_LARGE:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return seconds[precision]

    monkeypatch.setattr(autotune, "timed", time_pass)
    plan = TrainConfig.model_validate(train)
    choice = autotune.choose(plan, torch.device("cuda"), lambda _: None, home, "shape", before_kernels=False)
    return choice, timed


@pytest.mark.parametrize(
    ("seconds", "precision"),
    [
        ({"tf32": 2.0, "bf16": 1.0}, "bf16"),
        ({"tf32": 1.05, "bf16": 1.0}, "tf32"),  # it rounds, so it has to bring something
        ({"tf32": 1.0, "bf16": 2.0}, "tf32"),
        ({"tf32": TOO_LARGE, "bf16": 2.0}, "bf16"),
        ({"fp32": 2.0, "fp16": 1.0}, "fp16"),  # a card without bf16
        ({"fp32": 1.05, "fp16": 1.0}, "fp32"),
    ],
)
def test_on_a_gpu_the_precision_is_measured_once(
    seconds: dict[str, float], precision: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice, timed = on_cuda(seconds, home, monkeypatch)
    assert choice.precision == precision
    assert set(timed) == set(seconds)
    assert choice.note
    again, timed = on_cuda(seconds, home, monkeypatch)
    assert (again.precision, timed) == (precision, [])


def test_on_a_gpu_that_a_pass_does_not_fit_into_in_any_precision_memory_ran_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MemoryError):
        on_cuda({"tf32": TOO_LARGE, "bf16": TOO_LARGE}, home, monkeypatch)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_on_a_gpu_nothing_is_measured_where_the_precision_is_given(
    precision: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_cuda({}, home, monkeypatch, precision=precision) == (
        autotune.Setting(torch.get_num_threads(), precision, None),  # type: ignore[arg-type]
        [],
    )
