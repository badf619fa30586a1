"""C++ of our own as machine code: compiled on the machine that runs it, and kept in HOME/cache.

It needs a C++ compiler and nothing of torch's. A library is sealed with its sum, so that damage is noticed before it
crashes, and named after all that it depends on: another processor, compiler or version makes another one.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from tinylm import files as files_
from tinylm import paths
from tinylm.hardware import device, measured

FLAGS = (
    "-O2",  # -O3 takes twice as long, for code that is no faster
    "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native",
    "-std=c++17", "-shared", "-fPIC", "-pthread",
    # Sums in any order, or nothing is vectorized; but numbers that are none stay what they are, and are noticed.
    "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-freciprocal-math", "-fno-math-errno",
)  # fmt: skip

_VECTORIZED = ("-ftree-vectorize", "-fvect-cost-model=dynamic")
"""What GCC needs besides; Clang vectorizes at -O2 by itself, and refuses a cost model."""

_PATIENCE = 120
"""Seconds that a compiler may take."""

_LEFT_SECONDS = 3600.0
"""So old, a half-made library is one that a killed process left."""


_HERE = Path(__file__).parent


def find() -> str | None:
    """The name of a C++ compiler that is installed; None without one."""
    return next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)


def _is_clang() -> bool:
    """Whether the compiler is Clang, as on a Mac, whatever its name."""
    with suppress(OSError, subprocess.SubprocessError):
        return b"clang" in subprocess.check_output([find() or "c++", "--version"], timeout=10).lower()  # noqa: S603
    return False


def flags() -> tuple[str, ...]:
    """What the compiler is called with."""
    return FLAGS if _is_clang() else (*_VECTORIZED, *FLAGS)


def source(name: str) -> Path:
    """The file of a source, by its path within the package."""
    return _HERE / name


def library(home: Path, name: str) -> Path:
    """Where the code of a source lies in a home, once it is made."""
    files = [source(name), *sorted(_HERE.glob("*.h"))]
    made_from = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    machine = device.machine_name(torch.device("cpu")), torch.backends.cpu.get_cpu_capability(), platform.machine()
    return paths.cache(home) / "compiled" / f"{measured.key(*machine, made_from, find(), FLAGS, _VECTORIZED)}.so"


def opened(path: Path) -> ctypes.CDLL:
    """A sealed library; OSError where it cannot be loaded, or is not what was sealed: damaged code would crash."""
    if hashlib.sha256(path.read_bytes()).hexdigest().encode() != files_.read(path.with_suffix(".sha256"), 100):
        raise OSError(f"{path} is not what was made")
    return ctypes.CDLL(str(path))


def built(home: Path, name: str, check: Callable[[ctypes.CDLL], object]) -> ctypes.CDLL:
    """The code of a source, out of a home or made now, for seconds; OSError or RuntimeError where it cannot be."""
    made = library(home, name)
    if not made.exists():
        Making(made, name).finish(check)
    return opened(made)


class Making:
    """A compiler at work in a process of its own; `stop` it when nobody waits for it any more."""

    def __init__(self, library: Path, name: str) -> None:
        """Begin to make `library` from a source. OSError where that cannot be had: no compiler, process or room."""
        compiler = find()
        if compiler is None:
            raise FileNotFoundError("there is no C++ compiler")
        library.parent.mkdir(parents=True, exist_ok=True)
        _clear(library.parent)
        handle, made = tempfile.mkstemp(prefix=".making-", suffix=".so", dir=library.parent)
        os.close(handle)
        self._library, self._made = library, Path(made)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the compiler
        try:
            # A session of its own, so that Ctrl-C in the terminal is the training's alone.
            self._process = subprocess.Popen(  # noqa: S603
                [compiler, *flags(), str(source(name)), "-o", made],
                stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said, start_new_session=True,
            )  # fmt: skip
        except OSError:
            self._made.unlink()
            raise

    def is_over(self) -> bool:
        """Whether the compiler is done, or has failed; nothing waits."""
        return self._process.poll() is not None

    def finish(self, check: Callable[[ctypes.CDLL], object]) -> None:
        """Wait, and put the library in its place once `check` has found nothing wrong.

        OSError or RuntimeError where there is none, or where `check` raises one.
        """
        try:
            if self._process.wait(_PATIENCE):
                raise RuntimeError(self._complaint())
            seal = self._made.with_suffix(".sha256")
            seal.write_text(hashlib.sha256(self._made.read_bytes()).hexdigest(), encoding="ascii")
            check(opened(self._made))
            seal.replace(self._library.with_suffix(".sha256"))
            self._made.replace(self._library)
        except subprocess.TimeoutExpired:
            raise RuntimeError("the compiler does not come to an end") from None
        finally:
            self.stop()

    def stop(self) -> None:
        """End it where it is, and what it has called; nothing half-made is left."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        _remove(self._made)

    def _complaint(self) -> str:
        self._said.seek(0)
        lines = self._said.read()[-10_000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"the compiler ended with {self._process.returncode}"


def _clear(folder: Path) -> None:
    """Remove what killed processes have left half-made."""
    for left in folder.glob(".making-*.so"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                _remove(left)


def _remove(made: Path) -> None:
    for left in (made, made.with_suffix(".sha256")):
        with suppress(OSError):
            left.unlink(missing_ok=True)
