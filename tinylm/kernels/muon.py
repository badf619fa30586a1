"""Muon's step in C++ (`muon.h`, in train_pass.cpp's library); reference: `Optimizer` in training/optimizer.py."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tinylm.kernels.ctypes_args import checked


class _MuonArgs(ctypes.Structure):
    """`MuonArgs` of muon.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_matrices", "threads", "ns_steps")),
        *((name, ctypes.c_float) for name in ("momentum", "decay_factor", "a", "b", "c")),
    )


class _MuonMatrix(ctypes.Structure):
    """`MuonMatrix` of muon.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weight", "momentum", "grad")),
        *((name, ctypes.c_int64) for name in ("rows", "columns")),
        ("lr", ctypes.c_float),
    )


class NativeMuon:
    """Updates matrices in place. Each is a view of whole rows of a weight, and has a momentum of its own shape."""

    def __init__(
        self,
        code: ctypes.CDLL,
        matrices: Sequence[Tensor],
        momenta: Sequence[Tensor],
        momentum: float,
        ns_steps: int,
        polynomial: tuple[float, float, float],
        threads: int,
    ) -> None:
        """`ns_steps` Newton-Schulz iterations with the coefficients (a, b, c) of `polynomial`."""
        self._step = code.tinylm_muon_step
        self._step.restype = ctypes.c_int64
        self._step.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self._tensors = [*matrices, *momenta]  # keeps alive what the addresses below point to
        self._args = _MuonArgs(len(matrices), threads, ns_steps, momentum, 1.0, *polynomial)
        self._matrices = (_MuonMatrix * len(matrices))()
        self._lr_scales: list[float] = []
        for entry, matrix, matrix_momentum in zip(self._matrices, matrices, momenta, strict=True):
            assert matrix.is_contiguous()
            assert matrix_momentum.is_contiguous()
            entry.weight, entry.momentum = matrix.data_ptr(), matrix_momentum.data_ptr()
            entry.rows, entry.columns = matrix.shape
            self._lr_scales.append(math.sqrt(max(matrix.shape)))
        self._scratch: dict[bool, Tensor] = {}

    def step(self, grads: Sequence[Tensor], lr: float, decay: float, *, bf16: bool) -> None:
        """W = (1 - decay) W - lr sqrt(max(rows, columns)) orthogonalize(gradient with momentum), for each matrix.

        `grads` are in the order of the matrices. With `bf16`, products are taken in bf16.
        """
        self._args.decay_factor = 1 - decay
        for entry, grad, lr_scale in zip(self._matrices, grads, self._lr_scales, strict=True):
            assert grad.is_contiguous()
            entry.grad, entry.lr = grad.data_ptr(), lr * lr_scale
        if bf16 not in self._scratch:
            self._scratch[bf16] = torch.empty(self._call(bf16, None))
        self._call(bf16, self._scratch[bf16].data_ptr())

    def _call(self, bf16: bool, scratch: int | None) -> int:
        """How many floats scratch must hold; without scratch nothing else happens."""
        return checked(self._step(ctypes.byref(self._args), bf16, self._matrices, scratch))
