"""The C++ compiler: which one is found, its flags, and what a build leaves behind."""

import os
import shutil
from pathlib import Path

import pytest

from tests.native import needs_compiler
from tinylm.kernels import compiler, train_pass
from tinylm.kernels.compiler import Build


def test_a_compiler_is_found_by_its_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/clang++" if name == "clang++" else None)
    assert compiler.find() == "clang++"
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert compiler.find() is None


@pytest.mark.skipif(os.name != "posix", reason="the compiler here is a script")
@pytest.mark.parametrize(
    ("says", "clang"), [("Apple clang version 17.0.0", True), ("g++ (Debian 12.2.0) 12.2.0", False)]
)
def test_clang_is_not_given_what_it_refuses(
    says: str, clang: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "c++"
    script.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    script.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert any("cost-model" in flag for flag in compiler.flags()) != clang


@needs_compiler
def test_a_compiler_that_is_stopped_leaves_nothing(home: Path) -> None:
    library = compiler.library_path(home, train_pass.SOURCE)
    build = Build(library, train_pass.SOURCE)
    assert not build.is_done()
    assert list(library.parent.iterdir())
    build.stop()
    assert build.is_done()
    assert not list(library.parent.iterdir())


@needs_compiler
def test_what_a_killed_process_left_is_cleared_away_once_it_is_old(home: Path) -> None:
    library = compiler.library_path(home, train_pass.SOURCE)
    library.parent.mkdir(parents=True)
    old, new = (library.with_name(f".making-{name}.so") for name in ("old", "new"))
    for left in (old, new):
        left.touch()
    os.utime(old, (0, 0))
    Build(library, train_pass.SOURCE).stop()
    assert list(library.parent.iterdir()) == [new]
