"""Compiling a training's passes beside it: in a process of its own, into a cache that lasts.

Compiling takes 15 to 90 s on two cores, and nobody should wait for that. A child process does it while the training
takes its first steps as they are; then the training loads the library (`compiled.py`) and goes over. It computes the
same within rounding, which the child checks; from which step on is in the run's state.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from tinylm import compiled, device, dropout, tuning
from tinylm.config import Budget, ModelConfig, TrainConfig
from tinylm.device import Precision
from tinylm.model import Transformer

BESIDE_SECONDS = 60.0
"""A run pays for compiling where it has at least so long to go."""

FAILED = ".failed"
"""What a library's name ends with where making it failed: a file that says why."""

_LOOK_SECONDS = 1.0

AGAIN = "--again"
"""The flag of a second try, with what the first took on trust: that the compiler knows all that the processor can."""

_TRUST = "TORCHINDUCTOR_VEC_ISA_OK"
"""torch tries each instruction set by compiling something with it: 9 s of 31 (4 layers of 128, 2 cores)."""

_QUICKER = {"AOT_INDUCTOR_COMPILE_WRAPPER_OPT_LEVEL": "O0", "AOT_INDUCTOR_ENABLE_LINE_TABLES": "0"}
"""What calls the kernels need not be fast, nor is anything debugged: 2 s of 24."""

CLOSE = {"fp32": 1e-3, "bf16": 0.1}
"""The precisions that are compiled, and how far a compiled pass may be from the eager one: the norm of what differs in
a gradient, over its norm."""


GAIN = {"fp32": 1.4, "bf16": 2.0}
"""What a compiled pass was measured to make of an eager one's speed (4 layers of 128, 2 cores with AMX)."""

LOST, LOST_EAGER = 25.0, 4.0
"""Seconds of a run that go by before it goes at its speed, where its passes are compiled beside it and where they are
not: what the first steps are slower, the measuring, and setting up."""

When = Literal["never", "before", "beside"]


def when(train: TrainConfig, begun: bool, went_over: bool, seconds_left: float, library: Path) -> When:
    """When to compile: before the first step, beside the first ones, or never.

    `begun` and `went_over`: the run is resumed, and was compiled when its checkpoint was made.
    """
    if train.compile == "off":
        return "never"
    if went_over or (train.compile == "on" and not begun):
        return "before"
    if train.compile == "on":  # auto, when the run began
        return "beside"
    if library.with_suffix(FAILED).exists():
        return "never"
    if library.exists():  # which takes no time
        return "before"
    return "beside" if seconds_left >= BESIDE_SECONDS else "never"


def gain(train: TrainConfig, place: torch.device, precision: Precision) -> tuple[float, float]:
    """What is planned with before it is known: how much faster than eager ones a run's passes are about to be, and the
    seconds lost until then."""
    budget = Budget.parse(train.budget) if train.budget else None
    short = budget is not None and budget.kind == "time" and budget.amount < BESIDE_SECONDS
    compiled = place.type == "cpu" and precision in GAIN and tuning.compiler() is not None
    return (GAIN[precision], LOST) if compiled and train.compile != "off" and not short else (1.0, LOST_EAGER)


class Compilation:
    """A child process that compiles; `stop` it when the training ends before it does."""

    def __init__(
        self, library: Path, model: ModelConfig, vocab_size: int, precision: Precision, rows: int, threads: int
    ) -> None:
        """Begin to make `library` for passes of `rows` windows. OSError where no process can be had."""
        self._scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=library.parent))
        asked = {
            "library": str(library),
            "scratch": str(self._scratch),
            "model": model.model_dump(),
            "vocab_size": vocab_size,
            "precision": precision,
            "rows": rows,
            "threads": threads,
        }
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the child
        # A session of its own, so that Ctrl-C in the terminal is the training's alone.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tinylm.compiling"],
            stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, start_new_session=True,
        )  # fmt: skip
        assert self._child.stdin
        with suppress(BrokenPipeError), self._child.stdin as told:
            told.write(json.dumps(asked).encode())

    def is_over(self) -> bool:
        """Whether it is done, or has failed; nothing waits."""
        return self._child.poll() is not None

    def wait(self) -> None:
        """Until it is over."""
        self._child.wait()

    @property
    def problem(self) -> str | None:
        """Why there is no library, where it is over and there is none."""
        if self._child.returncode == 0:
            return None
        self._said.seek(0)
        lines = self._said.read()[-10_000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"the compiler ended with {self._child.returncode}"

    def stop(self) -> None:
        """End it where it is, and what it has called."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


def eager_pass(
    model: Callable[..., Tensor], weights: Sequence[Tensor], precision: Precision, scale: Tensor | float, *given: Any
) -> tuple[Tensor, list[Tensor]]:
    """The mean loss of a pass, and the gradients of `scale` times it for all weights; `given` as for a model."""
    with device.autocast(precision, weights[0].device):
        loss = model(*given)
    return loss.detach(), list(torch.autograd.grad(loss * scale, weights))


def for_gpu(model: Transformer, precision: Precision) -> Callable[..., tuple[Tensor, list[Tensor]]]:
    """Passes by torch.compile in this process, called as a `CompiledPass` is; the first call compiles, and may fail."""
    fast: Callable[..., Tensor] = torch.compile(model, dynamic=False)
    weights = list(model.parameters())
    return lambda _, ids, targets, noise: eager_pass(fast, weights, precision, 1.0, ids, targets, noise)


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """GELU by its tanh approximation as x times a sigmoid, the same function: an exponential is cheaper than a tanh."""
    assert approximate == "tanh"
    return x * torch.sigmoid(x * (_GELU_1 + _GELU_3 * x * x))


def _gelu_backward(grad: Tensor, x: Tensor, approximate: str = "none") -> Tensor:
    assert approximate == "tanh"
    share = torch.sigmoid(x * (_GELU_1 + _GELU_3 * x * x))
    return grad * share * (1 + x * (1 - share) * (_GELU_1 + 3 * _GELU_3 * x * x))


_GELU_1 = 2 * math.sqrt(2 / math.pi)
_GELU_3 = 0.044715 * _GELU_1
"""1 + tanh(u) is 2 sigmoid(2 u), with GELU's u = sqrt(2 / pi) (x + 0.044715 x^3)."""

_DECOMPOSED: dict[Any, Callable[..., Tensor]] = {
    torch.ops.aten.gelu.default: _gelu,
    torch.ops.aten.gelu_backward.default: _gelu_backward,
}
"""What is traced otherwise than torch has it; a quarter of the time between the matrix products went into tanh."""


def make(asked: dict[str, Any]) -> None:
    """Trace a pass with its gradients, compile it, check it, and put the library in its place.

    RuntimeError where the compiled pass is another one.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415  # the compiler: only where it is called

    torch.set_num_threads(asked["threads"])
    config = ModelConfig(**asked["model"])
    model = Transformer(config, asked["vocab_size"], torch.Generator().manual_seed(0))
    names = [name for name, _ in model.named_parameters()]
    weights = [weight.detach() for weight in model.parameters()]
    windows = torch.randint(
        asked["vocab_size"], (asked["rows"], config.block_size + 1), generator=torch.Generator().manual_seed(0)
    )
    given = [windows[:, :-1].contiguous(), windows[:, 1:].contiguous()]
    if config.dropout:
        given.append(dropout.key(0, 0, windows.device))

    def whole(*flat: Tensor) -> list[Tensor]:
        own, given = [weight.detach().requires_grad_() for weight in flat[: len(names)]], flat[len(names) :]

        def called(*given: Tensor) -> Tensor:
            return torch.func.functional_call(model, dict(zip(names, own, strict=True)), given)  # type: ignore[no-any-return]

        loss, grads = eager_pass(called, own, asked["precision"], 1.0, *given)
        return [loss, *grads]

    traced = make_fx(whole, _DECOMPOSED)(*weights, *given)
    for node in traced.graph.nodes:
        node.meta.pop("val", None)  # each in a world of its own; the compiler makes them again, all in one
    # Headers made ready for many calls of the compiler lie in a folder of all users, and here it is called twice: the
    # first time on a machine they took 27 s where it takes 21 without.
    torch._inductor.config.aot_inductor.precompile_headers = False
    library, scratch = Path(asked["library"]), Path(asked["scratch"])
    making = scratch / library.name
    # Not exported first, which would trace it a second time: 1.4 of 28 s of a core.
    torch._inductor.aot_compile(traced, (*weights, *given), options={"aot_inductor.output_path": str(making)})
    sealed = compiled.seal(making)
    _check(making, whole(*weights, *given), weights, given, CLOSE[asked["precision"]])
    sealed.replace(library.with_suffix(sealed.suffix))
    making.replace(library)


def _check(library: Path, expected: list[Tensor], weights: list[Tensor], given: list[Tensor], close: float) -> None:
    loss, grads = compiled.CompiledPass(library)(weights, given[0], given[1], given[2] if len(given) > 2 else None)
    for found, wanted in zip([loss, *grads], expected, strict=True):
        if not torch.linalg.vector_norm(found - wanted) <= close * torch.linalg.vector_norm(wanted):
            raise RuntimeError("the compiled pass computes something else than the eager one")


def _trust_the_processor() -> None:
    """Take it that the compiler knows all that the processor can: a library that does not load is made again."""
    os.environ[_TRUST] = "1"
    from torch._inductor.cpu_vec_isa import VecISA  # noqa: PLC0415  # the compiler: only where it is called

    VecISA.check_build = lambda *_: True  # type: ignore[method-assign]  # of parts that _TRUST leaves out


def _die_with(parent: int, scratch: Path) -> None:
    """End this process, and what it has called, when the training that it works for is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """What the child process does: read what is asked from stdin, and make it."""
    parent, text = os.getppid(), sys.stdin.read()
    asked = json.loads(text)
    scratch = Path(asked["scratch"])
    threading.Thread(target=_die_with, args=(parent, scratch), daemon=True).start()
    # All intermediate files in one place, and one compiler at a time: the training needs the other cores.
    os.environ |= {"TORCHINDUCTOR_CACHE_DIR": str(scratch), "TORCHINDUCTOR_COMPILE_THREADS": "1"} | _QUICKER
    if AGAIN in sys.argv:
        os.environ.pop(_TRUST, None)
    else:
        _trust_the_processor()
    try:
        make(asked)
    except Exception:
        if AGAIN in sys.argv:
            raise
        command = [sys.executable, "-m", "tinylm.compiling", AGAIN]
        again = subprocess.run(command, input=text.encode(), check=False)  # noqa: S603
        sys.exit(again.returncode)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
