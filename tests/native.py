"""Our own passes as machine code, made once by all processes of the tests together."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tinylm import cpp, passes, tuning

needs_compiler = pytest.mark.skipif(tuning.compiler() is None, reason="there is no C++ compiler")


def code_in(folders: pytest.TempPathFactory) -> Path:
    """The library."""
    place = folders.getbasetemp().parent / "tinylm-native"
    place.mkdir(exist_ok=True)
    library = cpp.library(place, passes.SOURCE)
    with FileLock(place / "lock"):
        if not library.exists():
            cpp.Making(library, passes.SOURCE).finish(passes.check)
    return library


def give(library: Path, home: Path) -> Path:
    """A copy for a home, with its sum."""
    there = cpp.library(home, passes.SOURCE)
    there.parent.mkdir(parents=True, exist_ok=True)
    copy(library, there)
    return there


def copy(library: Path, to: Path) -> None:
    """A library and its sum under another name."""
    for suffix in (".so", ".sha256"):
        shutil.copy(library.with_suffix(suffix), to.with_suffix(suffix))
