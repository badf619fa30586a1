"""What the tests share: a home of their own, a small made-up text, and a configuration that trains in a second."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings as hypothesis_settings

from tests.command_line import OFTEN, begin, call
from tests.fake_time import FakeTime, install
from tests.kills import Forkserver, Uninterrupted, phased, train_uninterrupted
from tests.native import EITHER_WAY, decode_library
from tests.run_files import mounted
from tests.texts import made_up_text
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.kernels import decode

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; nothing here is large enough for two

if hasattr(signal, "SIGHUP"):  # under nohup it is ignored, and programs inherit what is ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis_settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60)
hypothesis_settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("torture", "how long the tests in tests/torture go on (pytest -n0 -s tests/torture/FILE)")
    group.addoption("--rounds", type=int, help="runs to kill (200), broken files of each kind (150), keys (10,000)")
    group.addoption("--minutes", type=float, help="how long test_soak.py trains (1)")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Nothing here outlives a power cut, and a busy disk would take longer than all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def _matmul_precision() -> Iterator[None]:
    """TF32 is a switch of the whole process, which each test leaves as it was."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test finds or touches the homes of the person who runs it."""
    monkeypatch.delenv("TINYLM_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "user-data"))


@pytest.fixture(autouse=True)
def _no_decode_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a home of its own, and compiling decode.cpp in each would take longer than all tests."""
    none: Future[decode.DecodeLibrary | None] = Future()
    none.set_result(None)
    monkeypatch.setattr(decode, "load_in_background", lambda *_, **__: none)


@pytest.fixture(scope="session", params=EITHER_WAY)
def either_library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> decode.DecodeLibrary | None:
    """What text is generated with: None for torch's operations, then our own code."""
    return decode_library(request.param, tmp_path_factory)


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The time of the trainings in this process: 10 ms a step, and what the test lets pass."""
    return install(monkeypatch.setattr)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """About 30 KB of made-up text."""
    return made_up_text(seed=1, size=30_000)


@pytest.fixture(scope="session")
def tiny_file(tiny_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with `tiny_text`; not to be changed."""
    path = tmp_path_factory.mktemp("texts") / "tiny.txt"
    path.write_text(tiny_text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_config(tiny_file: Path) -> Callable[..., RunConfig]:
    """A validated configuration that trains 20 steps on `tiny_file` in well under a second on one thread.

    `tiny_config(train={"seed": 3})` lays groups of settings on it; saving by the clock is off.
    """
    base: dict[str, Any] = {
        "model": {"n_layer": 1, "n_head": 2, "n_kv_head": 1, "n_embd": 32, "head_size": 16, "block_size": 32},
        "tokenizer": {"kind": "bpe", "vocab_size": 300},
        "data": {"sources": [str(tiny_file)], "val_fraction": 0.1, "unwrap": "off"},
        "train": {
            "batch_size": 4,
            "threads": 1,
            "device": "cpu",
            "precision": "fp32",
            "compile": "off",
            "seed": 1,
            "eval_interval": 10,
            "eval_iters": 2,
            "sample_interval": 10,
            "checkpoint_seconds": 1e6,
            "phases": [
                {"name": "train", "schedule": "wsd", "steps": 20, "max_lr": 1e-2, "warmup_steps": 2, "steps_down": 10}
            ],
        },
        "sample": {"max_new_tokens": 8},
    }

    def make(**groups: Mapping[str, object]) -> RunConfig:
        return resolve.validate(resolve.merge(base, groups))

    return make


@pytest.fixture(scope="session")
def forkserver() -> Forkserver:
    """A process that has loaded torch; trainings that are to be killed are forked from it."""
    return Forkserver()


@pytest.fixture(scope="session")
def uninterrupted(
    forkserver: Forkserver, tiny_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Uninterrupted:
    """A training in two phases that nothing interrupted."""
    return train_uninterrupted(forkserver, phased(tiny_config), tmp_path_factory)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Path:
    """A home with a finished run, `one`, of 12 steps; not to be changed."""
    home = tmp_path_factory.mktemp("trained")
    assert call(*begin(home, tiny_file, *OFTEN)).code == 0
    return home


@pytest.fixture
def finished_home(trained_home: Path, tmp_path: Path) -> Path:
    """A copy of `trained_home`, to do with as one likes."""
    return Path(shutil.copytree(trained_home, tmp_path / "home"))


@pytest.fixture(params=["no right to write", "a read-only file system"])
def sealed_home(request: pytest.FixtureRequest, finished_home: Path) -> Iterator[Path]:
    """A home with a run, which can be read only."""
    home = finished_home
    if request.param == "no right to write":
        folders = [Path(folder) for folder, _, _ in os.walk(home)]
        for folder in folders:
            folder.chmod(0o500)
        yield home
        for folder in folders:
            folder.chmod(0o700)
        return
    mounted("--bind", home, home)
    subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
    yield home
    subprocess.run(["umount", "-l", home], check=True)
