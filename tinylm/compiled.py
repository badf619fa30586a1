"""Passes as machine code: one call from weights and windows to loss and gradients, without Python in between.

`compiling.py` makes the library with torch's AOTInductor. It is called here through that library's own C interface
(torch/csrc/inductor/aoti_runtime/interface.h) by ctypes, which lets go of Python's lock meanwhile; torch's own loader
holds it, and an app whose training thread calls that stands still for each pass. Nothing of torch's compiler is
imported, so a training goes over within milliseconds.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch._C import _aoti

from tinylm import dropout, known, paths, wary
from tinylm.config import ModelConfig
from tinylm.device import Precision, machine_name

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

_SOURCES = ("model.py", "dropout.py", "compiling.py")
"""What the code is made from: where one of these has changed, it is made anew."""


def library(home: Path, model: ModelConfig, vocab_size: int, precision: Precision, rows: int, threads: int) -> Path:
    """Where the code for such passes lies, once it is made: it fits this machine, this torch and this program only."""
    made_from = hashlib.sha256(b"".join((Path(__file__).parent / name).read_bytes() for name in _SOURCES)).hexdigest()
    machine = machine_name(torch.device("cpu")), torch.backends.cpu.get_cpu_capability(), str(torch.__version__)
    name = known.key(*machine, made_from, model.model_dump(), vocab_size, precision, rows, threads)
    return paths.cache(home) / "compiled" / f"{name}.so"


def seal(path: Path) -> Path:
    """Write down the SHA-256 of a library that was just made, in a file beside it: returns that."""
    sum_ = path.with_suffix(".sha256")
    sum_.write_text(hashlib.sha256(path.read_bytes()).hexdigest(), encoding="ascii")
    return sum_


def opened(path: Path) -> ctypes.CDLL:
    """A sealed library; OSError where it cannot be loaded, or is not what was sealed: damaged code would crash."""
    if hashlib.sha256(path.read_bytes()).hexdigest().encode() != wary.read(path.with_suffix(".sha256"), 100):
        raise OSError(f"{path} is not what was made")
    return ctypes.CDLL(str(path))


class CompiledPass:
    """A loaded library: loss and gradients of one pass."""

    def __init__(self, path: Path) -> None:
        """OSError where it cannot be loaded."""
        code = opened(path)
        self._run = code.AOTInductorModelContainerRun
        self._container = ctypes.c_void_p()
        made = code.AOTInductorModelContainerCreateWithDevice(
            ctypes.byref(self._container), ctypes.c_size_t(1), b"cpu", None
        )
        if made:
            raise OSError(f"{path} holds no code that this torch can run")

    def __call__(
        self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor, noise: dropout.Key | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The mean loss, a scalar, and its gradient for each of the model's weights, in their order.

        ids and targets (rows, T), as many as the library was made for. RuntimeError where it fails.
        """
        given = [*weights, ids.contiguous(), targets.contiguous()] + ([noise] if noise is not None else [])
        # Handles of inputs are taken over by the callee, those of outputs by us.
        inputs = [_pointer(each, None) for each in _aoti.unsafe_alloc_void_ptrs_from_tensors(given)]
        outputs = (ctypes.c_void_p * (1 + len(weights)))()
        failed = self._run(
            self._container,
            (ctypes.c_void_p * len(inputs))(*inputs),
            ctypes.c_size_t(len(inputs)),
            outputs,
            ctypes.c_size_t(len(outputs)),
            None,
            None,
        )
        if failed:  # it says why on stderr itself
            raise RuntimeError("compiled code failed; memory may have run out: can't allocate memory")
        loss, *grads = _aoti.alloc_tensors_by_stealing_from_void_ptrs([_capsule(each, None, None) for each in outputs])
        return loss, grads
