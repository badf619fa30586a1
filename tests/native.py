"""The compiled C++ for tests, built once by all test processes together."""

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tinylm.kernels import compiler, decode, train_pass

needs_compiler = pytest.mark.skipif(compiler.find() is None, reason="there is no C++ compiler")


EITHER_WAY = ["torch", pytest.param("compiled", marks=needs_compiler)]
"""With torch's operations, and with our C++."""


def train_pass_library(folders: pytest.TempPathFactory) -> Path:
    """The library of train_pass.cpp."""
    return _built(folders, train_pass.SOURCE, train_pass.check)


def decode_library(way: object, folders: pytest.TempPathFactory) -> decode.DecodeLibrary | None:
    """What text is generated with, for each of EITHER_WAY."""
    if way != "compiled":
        return None
    return decode.DecodeLibrary(compiler.load(_built(folders, decode.SOURCE, decode.check)))


def _built(folders: pytest.TempPathFactory, source: str, check: Callable[[ctypes.CDLL], object]) -> Path:
    home = folders.getbasetemp().parent / "tinylm-native"  # shared by all test processes
    home.mkdir(exist_ok=True)
    library = compiler.library_path(home, source)
    with FileLock(home / "lock"):
        if not library.exists():
            compiler.Build(library, source).finish(check)
    return library


def install(library: Path, home: Path) -> Path:
    """Put a library of train_pass.cpp, with its checksum, into the cache of a home."""
    cached = compiler.library_path(home, train_pass.SOURCE)
    cached.parent.mkdir(parents=True, exist_ok=True)
    copy_library(library, cached)
    return cached


def copy_library(library: Path, to: Path) -> None:
    """Copy a library and its checksum."""
    for suffix in (".so", ".sha256"):
        shutil.copy(library.with_suffix(suffix), to.with_suffix(suffix))
