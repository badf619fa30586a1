"""Upper limits of a CPU's training speed: the time of a step's matrix products, and the peak of its cores.

The limit is the time of the matrix products of a step, forward and backward, at their own shapes, by torch: for each
the best over layouts and micro-batch sizes, all with the best number of threads. Attention, norms, rotary positions,
GELU, dropout, loss and optimizer count nothing. The peak is the faster of one large product by torch and, if there is a
compiler, of our micro-kernel with its operands in the nearest cache (`kernels/peak.cpp`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from tinylm.bench.pairs import seconds
from tinylm.config.schema import ModelConfig
from tinylm.hardware import device
from tinylm.hardware.device import Precision
from tinylm.kernels import compiler

ROUNDS = 4
"""How often a product is timed; the fastest counts, since a limit is what an idle machine can do."""

PASS_TOKENS = (1024, 2048, 4096, 14336)
"""Tokens of a micro-batch at which products are timed."""

PEAK_SIZE = 2048
"""Size of the square matrices whose product measures the peak."""

PEAK_SOURCE = "peak.cpp"
TILE_SECONDS = 0.2

Result = TypeVar("Result")


def products(model: ModelConfig, vocab_size: int, precision: Precision) -> float:
    """Seconds a token of the matrix products of a training step."""
    counts = {1, max(1, device.cores() // 2), device.cores()}
    return min(on_threads(count, lambda: _products(model, vocab_size, precision))() for count in sorted(counts))


def peak_flops(precision: Precision, home: Path) -> float:
    """Floating-point operations per second of all cores; the code that measures it is compiled into `home`."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, dtype=_type(precision)) for _ in range(2))
    counts = sorted({1, device.cores()})
    best = min(on_threads(count, lambda: _best(lambda: torch.matmul(a, b)))() for count in counts)
    return max(2 * PEAK_SIZE**3 / best, tile_flops(precision, home))


def tile_flops(precision: Precision, home: Path) -> float:
    """The same by our micro-kernel; 0 if it cannot be compiled or does not have the precision."""
    try:
        speed = _speed(compiler.load_or_build(home, PEAK_SOURCE, _speed))
    except (OSError, RuntimeError):
        return 0.0
    return max(speed(precision == "bf16", device.cores(), TILE_SECONDS) for _ in range(ROUNDS))


def _speed(code: ctypes.CDLL) -> Callable[[bool, int, float], float]:
    function = code.tinylm_peak_flops
    function.restype = ctypes.c_double
    function.argtypes = (ctypes.c_int64, ctypes.c_int64, ctypes.c_double)
    return function


def on_threads(threads: int, work: Callable[[], Result]) -> Callable[[], Result]:
    """The same work with so many threads of torch; the number before it is restored."""

    def wrapped() -> Result:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return work()
        finally:
            torch.set_num_threads(before)

    return wrapped


def _type(precision: Precision) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of ROUNDS calls, after one to warm up."""
    work()
    return min(seconds(work) for _ in range(ROUNDS))


def _products(model: ModelConfig, vocab_size: int, precision: Precision) -> float:
    heads = model.n_head * model.head_size
    both = heads + 2 * model.n_kv_head * model.head_size
    hidden = model.mlp_ratio * model.n_embd
    block = [(model.n_embd, both), (heads, model.n_embd), (model.n_embd, 2 * hidden), (hidden, model.n_embd)]
    shapes = block * model.n_layer + [(model.n_embd, vocab_size)]
    times = {shape: product_seconds(*shape, _type(precision)) for shape in set(shapes)}
    return sum(times[shape] for shape in shapes)


def product_seconds(k: int, n: int, kind: torch.dtype) -> float:
    """Seconds a token of y = x W and of the gradients of x and W, each the best way: x (m, k), W (k, n), y (m, n)."""
    best = [float("inf")] * 3
    for m in PASS_TOKENS:
        x, w, y = torch.randn(m, k, dtype=kind), torch.randn(k, n, dtype=kind), torch.randn(m, n, dtype=kind)
        transposed = w.t().contiguous()  # the other memory layout
        ways: list[tuple[Callable[[], Tensor], ...]] = [
            (lambda: x @ w, lambda: x @ transposed.t()),  # noqa: B023  # called in the same iteration
            (lambda: y @ w.t(), lambda: y @ transposed),  # noqa: B023
            (lambda: x.t() @ y, lambda: y.t() @ x),  # noqa: B023
        ]
        for i, both in enumerate(ways):
            best[i] = min(best[i], *(_best(way) / m for way in both))
    return sum(best)
