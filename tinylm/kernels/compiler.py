"""Compiles our C++ into shared libraries on the machine that runs them, checks them, and caches them in HOME/cache.

It needs a C++ compiler and no headers of torch's. The cache key is everything that a library depends on (source, flags,
compiler, processor), so a change of any of them compiles anew. A new library is first checked by its caller against
the Python reference. Beside it lies a file with its SHA-256, since damaged machine code would crash instead of failing.
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

from tinylm import files, paths
from tinylm.hardware import device, measured

FLAGS = (
    "-O2",  # -O3 compiles twice as long, and its code is no faster
    "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native",
    "-std=c++17", "-shared", "-fPIC", "-pthread",
    # Sums may be reordered, or no loop over them is vectorized. No -ffast-math: NaN and infinity must stay visible.
    "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-freciprocal-math", "-fno-math-errno",
)  # fmt: skip

_GCC_FLAGS = ("-ftree-vectorize", "-fvect-cost-model=dynamic")
"""GCC does not vectorize at -O2 without these; Clang does, and rejects the cost model."""

_COMPILE_TIMEOUT = 120
"""Seconds."""

_STALE_SECONDS = 3600.0
"""Age at which an unfinished library must be one that a killed process left behind."""

_FOLDER = Path(__file__).parent


def find() -> str | None:
    """The name of a C++ compiler that is installed; None without one."""
    return next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)


def _is_clang() -> bool:
    """Whether the compiler is Clang under whatever name, as `c++` is on a Mac."""
    with suppress(OSError, subprocess.SubprocessError):
        return b"clang" in subprocess.check_output([find() or "c++", "--version"], timeout=10).lower()  # noqa: S603
    return False


def flags() -> tuple[str, ...]:
    """The compiler's flags."""
    return FLAGS if _is_clang() else (*_GCC_FLAGS, *FLAGS)


def library_path(home: Path, name: str) -> Path:
    """Where a source's compiled library lies in a home, whether or not it has been built."""
    sources = [_FOLDER / name, *sorted(_FOLDER.glob("*.h"))]
    source_hash = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    machine = device.machine_name(torch.device("cpu")), torch.backends.cpu.get_cpu_capability(), platform.machine()
    key = measured.key(*machine, source_hash, find(), FLAGS, _GCC_FLAGS)
    return paths.cache(home) / "compiled" / f"{key}.so"


def load(path: Path) -> ctypes.CDLL:
    """Load a cached library; OSError if it is missing, cannot be loaded or does not match its SHA-256."""
    if hashlib.sha256(path.read_bytes()).hexdigest().encode() != files.read(path.with_suffix(".sha256"), 100):
        raise OSError(f"{path} is not what was made")
    return ctypes.CDLL(str(path))


def load_or_build(home: Path, name: str, check: Callable[[ctypes.CDLL], object]) -> ctypes.CDLL:
    """Load a source's library; compile it first (for seconds) where it is missing or damaged.

    OSError or RuntimeError if that fails.
    """
    library = library_path(home, name)
    with suppress(OSError):
        return load(library)
    Build(library, name).finish(check)
    return load(library)


class Build:
    """A compiler running in a process of its own. `finish` it, or `stop` it when nobody needs the library any more."""

    def __init__(self, library: Path, name: str) -> None:
        """Start compiling a source into `library`. OSError without a compiler, a process or disk space."""
        compiler = find()
        if compiler is None:
            raise FileNotFoundError("there is no C++ compiler")
        library.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(library.parent)
        handle, unfinished = tempfile.mkstemp(prefix=".making-", suffix=".so", dir=library.parent)
        os.close(handle)
        self._library, self._unfinished = library, Path(unfinished)
        self._output = tempfile.TemporaryFile(dir=library.parent)  # noqa: SIM115  # open as long as the compiler runs
        try:
            # In a session of its own, so that Ctrl-C in the terminal reaches only the training.
            self._process = subprocess.Popen(  # noqa: S603
                [compiler, *flags(), str(_FOLDER / name), "-o", unfinished],
                stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output, start_new_session=True,
            )  # fmt: skip
        except OSError:
            self._unfinished.unlink()
            raise

    def is_done(self) -> bool:
        """Whether the compiler has ended, successfully or not. Does not wait."""
        return self._process.poll() is not None

    def finish(self, check: Callable[[ctypes.CDLL], object]) -> None:
        """Wait for the compiler, run `check` on the library, and move it into the cache.

        OSError or RuntimeError if compiling fails or `check` raises; the cache then stays as it was.
        """
        try:
            if self._process.wait(_COMPILE_TIMEOUT):
                raise RuntimeError(self._last_line())
            checksum = self._unfinished.with_suffix(".sha256")
            checksum.write_text(hashlib.sha256(self._unfinished.read_bytes()).hexdigest(), encoding="ascii")
            check(load(self._unfinished))
            checksum.replace(self._library.with_suffix(".sha256"))
            self._unfinished.replace(self._library)
        except subprocess.TimeoutExpired:
            raise RuntimeError("the compiler does not come to an end") from None
        finally:
            self.stop()

    def stop(self) -> None:
        """Kill the compiler and its children, and remove its unfinished files."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        _remove(self._unfinished)

    def _last_line(self) -> str:
        """The last line of the compiler's output, where its error mostly is."""
        self._output.seek(0)
        lines = self._output.read()[-10_000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"the compiler ended with {self._process.returncode}"


def _remove_stale(folder: Path) -> None:
    """Remove unfinished libraries that killed processes left behind."""
    for unfinished in folder.glob(".making-*.so"):
        with suppress(OSError):
            if time.time() - unfinished.stat().st_mtime > _STALE_SECONDS:
                _remove(unfinished)


def _remove(library: Path) -> None:
    """Remove a library and its checksum."""
    for path in (library, library.with_suffix(".sha256")):
        with suppress(OSError):
            path.unlink(missing_ok=True)
