"""Which threads and precision a run takes, by what was measured."""

import shutil

import pytest

from tinylm import tuning
from tinylm.device import Precision

Seconds = dict[tuple[Precision, int], float]


@pytest.mark.parametrize(
    ("seconds", "eager", "compiled"),
    [
        ({("fp32", 1): 2.0, ("fp32", 2): 1.0}, ("fp32", 2), ("fp32", 2)),
        ({("fp32", 1): 1.0, ("fp32", 2): 2.0}, ("fp32", 1), ("fp32", 1)),
        ({("fp32", 1): 1.0, ("fp32", 2): 1.05}, ("fp32", 1), ("fp32", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 0.95}, ("fp32", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 1.05}, ("fp32", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 1.2}, ("fp32", 2), ("fp32", 2)),
        ({("fp32", 2): 1.0, ("bf16", 2): 0.8}, ("bf16", 2), ("bf16", 2)),
        ({("fp32", 2): 1.0, ("bf16", 1): 0.95, ("bf16", 2): 0.96}, ("fp32", 2), ("bf16", 2)),
    ],
)
def test_passes_to_be_compiled_take_what_gains_by_it(
    seconds: Seconds, eager: tuple[Precision, int], compiled: tuple[Precision, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "compiler", lambda: "c++")
    assert tuning.fastest(seconds, to_compile=False) == eager
    assert tuning.fastest(seconds, to_compile=True) == compiled
    monkeypatch.setattr(tuning, "compiler", lambda: None)
    assert tuning.fastest(seconds, to_compile=True) == eager, "there is nothing to compile with"


def test_a_compiler_is_looked_for_by_its_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/clang++" if name == "clang++" else None)
    assert tuning.compiler() == "clang++"
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert tuning.compiler() is None
