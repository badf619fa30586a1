"""A step of Muon as one call of our own code (`muon.h`, in the library of `passes.cpp`)."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import torch
from torch import Tensor


class _Muon(ctypes.Structure):
    """`Muon` of muon.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "threads", "rounds")),
        *((name, ctypes.c_float) for name in ("momentum", "kept", "a", "b", "c")),
    )


class _Trained(ctypes.Structure):
    """`Trained` of muon.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weight", "momentum", "grad")),
        *((name, ctypes.c_int64) for name in ("rows", "columns")),
        ("rate", ctypes.c_float),
    )


class NativeMuon:
    """Moves matrices, each a view of whole rows of a weight, with the momentum that belongs to it."""

    def __init__(
        self,
        code: ctypes.CDLL,
        matrices: Sequence[Tensor],
        momenta: Sequence[Tensor],
        momentum: float,
        rounds: int,
        polynomial: tuple[float, float, float],
        threads: int,
    ) -> None:
        self._run = code.tinylm_muon
        self._run.restype = ctypes.c_int64
        self._run.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self._kept = [*matrices, *momenta]  # what the addresses below belong to
        self._muon = _Muon(len(matrices), threads, rounds, momentum, 1.0, *polynomial)
        self._trained = (_Trained * len(matrices))()
        self._reach: list[float] = []
        for each, matrix, remembered in zip(self._trained, matrices, momenta, strict=True):
            assert matrix.is_contiguous()
            assert remembered.is_contiguous()
            each.weight, each.momentum = matrix.data_ptr(), remembered.data_ptr()
            each.rows, each.columns = matrix.shape
            self._reach.append(math.sqrt(max(matrix.shape)))
        self._scratch: dict[bool, Tensor] = {}

    def step(self, grads: Sequence[Tensor], rate: float, decay: float, *, half: bool) -> None:
        """Move each matrix by `rate` along its orthogonalised gradient, after it has lost a share of `decay`.

        grads in the order of the matrices; `rate` is for a matrix of one number. `half`: products in bf16.
        """
        self._muon.kept = 1 - decay
        for each, grad, reach in zip(self._trained, grads, self._reach, strict=True):
            assert grad.is_contiguous()
            each.grad, each.rate = grad.data_ptr(), rate * reach
        if half not in self._scratch:
            self._scratch[half] = torch.empty(self._called(half, None))
        self._called(half, self._scratch[half].data_ptr())

    def _called(self, half: bool, scratch: int | None) -> int:
        floats: int = self._run(ctypes.byref(self._muon), half, self._trained, scratch)
        if floats < 0:
            raise RuntimeError("no thread could be had: can't allocate memory")
        return floats
