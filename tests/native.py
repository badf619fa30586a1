"""Our own code as machine code, made once by all processes of the tests together."""

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tinylm.hardware import autotune
from tinylm.kernels import compiler, decode, train_pass

needs_compiler = pytest.mark.skipif(autotune.compiler() is None, reason="there is no C++ compiler")


EITHER_WAY = ["torch", pytest.param("compiled", marks=needs_compiler)]
"""By torch's operations, or by our own code."""


def code_in(folders: pytest.TempPathFactory) -> Path:
    """The library of passes."""
    return _made(folders, train_pass.SOURCE, train_pass.check)


def decoding(way: object, folders: pytest.TempPathFactory) -> decode.DecodeLibrary | None:
    """What texts are written with, one way or the other."""
    return (
        decode.DecodeLibrary(compiler.load(_made(folders, decode.SOURCE, decode.check))) if way == "compiled" else None
    )


def _made(folders: pytest.TempPathFactory, source: str, check: Callable[[ctypes.CDLL], object]) -> Path:
    place = folders.getbasetemp().parent / "tinylm-native"
    place.mkdir(exist_ok=True)
    library = compiler.library_path(place, source)
    with FileLock(place / "lock"):
        if not library.exists():
            compiler.Build(library, source).finish(check)
    return library


def give(library: Path, home: Path) -> Path:
    """A copy for a home, with its sum."""
    there = compiler.library_path(home, train_pass.SOURCE)
    there.parent.mkdir(parents=True, exist_ok=True)
    copy(library, there)
    return there


def copy(library: Path, to: Path) -> None:
    """A library and its sum under another name."""
    for suffix in (".so", ".sha256"):
        shutil.copy(library.with_suffix(suffix), to.with_suffix(suffix))
