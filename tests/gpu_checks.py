"""What the test suite cannot show without a GPU: `python tests/gpu_checks.py PART`, in the root of the repository.

`tests/gpu.sh` runs all parts. Each prints its figures, and fails by an exception.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.hardware import device
from tinylm.hardware.device import Precision
from tinylm.inference.generate import Decoder
from tinylm.model.transformer import Transformer, attention_kernel
from tinylm.training.ema import WeightEMA
from tinylm.training.optimizer import Optimizer
from tinylm.training.step import Stepper

GB = 2.0**30
QUICK = {"n_layer": 4, "n_head": 4, "n_kv_head": 4, "n_embd": 128, "block_size": 192, "mlp_ratio": 2, "qk_norm": True}
SEED = {"n_layer": 3, "n_head": 8, "n_kv_head": 4, "n_embd": 256, "block_size": 256, "dropout": 0.2}
HOUR = {"n_layer": 8, "n_head": 16, "n_kv_head": 16, "n_embd": 512, "block_size": 192, "mlp_ratio": 2, "qk_norm": True}
SHAPES: dict[str, tuple[dict[str, object], int, int, Precision]] = {
    "quick bf16": (QUICK, 6, 2048, "bf16"),
    "quick tf32": (QUICK, 6, 2048, "tf32"),
    "seed fp32": (SEED, 56, 5000, "fp32"),
    "seed bf16": (SEED, 56, 5000, "bf16"),
    "hour bf16": (HOUR, 64, 2048, "bf16"),
    "hour tf32": (HOUR, 64, 2048, "tf32"),
}
"""Model, batch size, vocabulary and precision by name."""


def stepper(name: str, *, average: float = 0.0, captured: bool = True) -> tuple[Stepper, Tensor, Tensor]:
    """A stepper with seeded weights, and a batch of random ids and targets (B, T)."""
    model_settings, batch_size, vocab_size, precision = SHAPES[name]
    train = {"batch_size": batch_size, "optimizer": "muon", "average": average}
    config = resolve.with_values(RunConfig(), model=model_settings, train=train)
    model = Transformer(config.model, vocab_size, torch.Generator().manual_seed(0)).cuda()
    ema = WeightEMA(model, average) if average else None
    made = Stepper(config, model, Optimizer(model, config.train), precision, average=ema)
    if captured:
        made.capture()
    generator = torch.Generator().manual_seed(1)
    windows = torch.randint(vocab_size, (batch_size, config.model.block_size + 1), generator=generator).cuda()
    return made, windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def steps(made: tuple[Stepper, Tensor, Tensor], count: int, first: int = 1) -> Tensor:
    """The metrics (count, 4) of so many steps."""
    taker, ids, targets = made
    return torch.stack([taker.take(first + i, 1e-3, 0.1, ids, targets) for i in range(count)])


def versions() -> None:
    """What this machine has."""
    name, memory = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory / GB
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    print(f"{name}, {memory:.0f} GB, capability {torch.cuda.get_device_capability()}")


def same() -> None:
    """Captured steps compute what plain ones do."""
    for name in SHAPES:
        captured, plain = (stepper(name, average=0.1, captured=each) for each in (True, False))
        x, y = steps(captured, 25), steps(plain, 25)
        loss, norm = float((x[:, 0] - y[:, 0]).abs().max()), float((x[:, 1] / y[:, 1] - 1).abs().max())
        print(f"{name:10} captured {captured[0].graphed is not None}, losses apart by {loss:.1e}, norms by {norm:.1e}")
        assert captured[0].graphed is not None, [warning.message for warning in captured[0].warnings]
        assert loss < 1e-2, "captured steps learn something else"


def samples() -> None:
    """Generation beside a captured step: more graphs than there are streams in torch's pool (32)."""
    captured, plain = (stepper("quick bf16", captured=each) for each in (True, False))
    held: list[Tensor] = []
    for number in range(40):
        x, y = (steps(made, 3, first=1 + 3 * number)[-1] for made in (captured, plain))
        for taker, *_ in (captured, plain):
            decoder = Decoder(taker.model.eval(), [1, 2, 3])
            for token in range(6):
                decoder.next_logits()
                decoder.append([token])
            taker.model.train()
        held.append(torch.full((1 << 22,), float(number), device="cuda"))  # shows if a graph writes where it must not
        assert abs(float(x[0] - y[0])) < 2e-2 * abs(float(y[0])), (number, x.tolist(), y.tolist())
    assert all(bool((tensor == number).all()) for number, tensor in enumerate(held)), "a graph wrote into other memory"
    print(f"ok, {torch.cuda.memory_reserved() / GB:.2f} GB reserved")


def failed() -> None:
    """A capture that fails leaves stream, allocator and numbers as they were."""
    made = stepper("quick bf16")
    taker = made[0]
    assert taker.graphed
    whole = taker.graphed._step

    def reads(*inputs: object) -> Tensor:
        metrics: Tensor = whole(*inputs)  # type: ignore[arg-type]
        float(metrics[0])  # cannot be captured
        return metrics

    taker.graphed._step = reads
    before = torch.cuda.current_stream()
    losses, expected = steps(made, 8)[:, 0], steps(stepper("quick bf16", captured=False), 8)[:, 0]
    assert torch.cuda.current_stream() == before, "the thread is still on the capture stream"
    assert taker.graphed is None
    print([warning.message for warning in taker.warnings], "losses apart by", float((losses - expected).abs().max()))
    assert float((losses - expected).abs().max()) < 1e-2


def speed() -> None:
    """Steps captured and plain: time, kernels, attention, memory. The first row of each shape is plain."""
    device.choose_device("cuda")
    for name, (model_settings, _, _, precision) in SHAPES.items():
        config = resolve.with_values(RunConfig(), model=model_settings)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        attention = attention_kernel(config.model, dtype, torch.device("cuda"))
        for captured in (False, True):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            made = stepper(name, captured=captured)
            steps(made, 6).tolist()
            start = time.perf_counter()
            loss = steps(made, 50, first=7).tolist()[-1][0]
            seconds = (time.perf_counter() - start) / 50
            with profile(activities=[ProfilerActivity.CUDA]) as profiled:
                steps(made, 1, first=57)
                torch.cuda.synchronize()
            kernels = sum(
                event.count for event in profiled.key_averages() if event.device_type == torch.autograd.DeviceType.CUDA
            )
            print(
                f"{name:10} {'captured' if captured else 'plain':8} {1000 * seconds:7.2f} ms a step "
                f"{made[1].numel() / seconds:12,.0f} tokens/s, {kernels} kernels, {attention} attention, "
                f"loss {loss:.3f}, peak {torch.cuda.max_memory_allocated() / GB:.2f} GB",
                flush=True,
            )


def program(*arguments: str, home: Path, timeout: float = 200) -> list[dict[str, object]]:
    """The events of the program's run."""
    command = [sys.executable, "-m", "tui", *arguments, "--json", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    events: list[dict[str, object]] = [json.loads(line) for line in done.stdout.splitlines()]
    for event in events:
        if event["event"] in ("note", "warned", "finished"):
            print({key: event[key] for key in event if key not in ("checkpoint", "utc")}, flush=True)
    return events


def whole() -> None:
    """A run with EMA, evaluations and samples often: no warning."""
    with tempfile.TemporaryDirectory() as home:
        often = ("train.eval_interval=20", "train.sample_interval=20", "train.average=0.1")
        settings = [part for each in often for part in ("--set", each)]
        events = program("--train", "--steps", "400", *settings, home=Path(home))
        assert not [event for event in events if event["event"] == "warned"]


def small() -> None:
    """A card of 6 GB: what does not fit at once is trained in smaller passes."""
    share = 6 * GB / torch.cuda.get_device_properties(0).total_memory
    code = (
        f"import torch, sys; torch.cuda.set_per_process_memory_fraction({share}); from tui.__main__ import main; main()"
    )
    settings = ["train.fit=false", "train.batch_size=96", *(f"model.{key}={json.dumps(HOUR[key])}" for key in HOUR)]
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", code, "--train", "--steps", "30", "--home", home]
        done = subprocess.run(
            [*command, *(part for each in settings for part in ("--set", each))],
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        print(done.stdout[-600:], done.stderr[-1200:])
        assert done.returncode == 0


def compiled() -> None:
    """torch.compile inside the capture."""
    with tempfile.TemporaryDirectory() as home:
        program("--train", "--steps", "60", "--set", "train.compile=on", home=Path(home))


def quick() -> None:
    """The first command as a newcomer types it."""
    with tempfile.TemporaryDirectory() as home:
        program("--train", "--time", "60s", home=Path(home))


def seed() -> None:
    """The reference recipe: its speed."""
    with tempfile.TemporaryDirectory() as home:
        program("--train", "--preset", "seed", "--time", "60s", home=Path(home))


def resume() -> None:
    """A run that is killed and resumed twice equals one that is not, to the bit."""
    often = ["--steps", "300", "--set", "train.checkpoint_interval=20", "--set", "train.fit=false"]

    def losses(home: Path) -> dict[object, object]:
        lines = (home / "runs" / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
        parsed = [json.loads(line) for line in lines]
        return {event["step"]: event["loss"] for event in parsed if event["event"] == "step"}

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        program("--train", "--run", "run", *often, home=Path(first))
        command = [sys.executable, "-m", "tui", "--train", "--run", "run", "--home", second]
        for arguments in ([*command, *often], [*command, "--resume"]):
            started = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            until = time.monotonic() + 60
            known = len(losses(Path(second))) if (Path(second) / "runs" / "run" / "events.jsonl").exists() else 0
            while time.monotonic() < until:
                time.sleep(0.2)
                log = Path(second) / "runs" / "run" / "events.jsonl"
                if log.exists() and len(log.read_bytes().splitlines()) > known + 100:
                    break
            os.kill(started.pid, signal.SIGKILL)
            started.wait()
        program("--train", "--resume", "--run", "run", home=Path(second))
        expected, found = losses(Path(first)), losses(Path(second))
        differ = [step for step in expected if expected[step] != found.get(step)]
        print(f"{len(expected)} steps, {len(differ)} with another loss{f', first {differ[0]}' if differ else ''}")
        assert not differ


PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part
    for part in (versions, same, samples, failed, whole, small, compiled, resume, speed, quick, seed)
}

if __name__ == "__main__":
    for part in sys.argv[1:]:
        PARTS[part]()
