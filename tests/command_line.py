"""The command line, called in this process or in one of its own, and what it answers."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from tinylm.cli import main

TINY = [
    argument
    for setting in (
        "model.n_layer=1", "model.n_embd=16", "model.n_head=2", "model.n_kv_head=1", "model.head_size=8",
        "model.block_size=16", "tokenizer.vocab_size=280", "train.batch_size=2", "train.eval_iters=1",
        "train.threads=1", "train.precision=fp32", "train.compile=off", "sample.max_new_tokens=12",
    )
    for argument in ("--set", setting)
]  # fmt: skip
"""The smallest model that trains."""

ENDLESS = ["--steps", 10**6, "--set", "train.eval_interval=100000", "--set", "train.sample_interval=100000"]
"""A training that ends only where it is stopped."""

OFTEN = ["--steps", 12, "--set", "train.checkpoint_interval=4", "--set", "train.eval_interval=4", "--run", "one"]
"""A short training that saves often."""

ODD = """it's a "home" – café 漢字 🦊 $HOME `x`; & \\ *"""
"""A name for a folder."""


def begin(home: Path, text: Path, *more: object) -> list[object]:
    """The arguments that train a tiny model."""
    return ["--train", "--home", home, "--data", text, *TINY, *more]


@dataclass(frozen=True)
class Result:
    """What a call answered."""

    code: int
    out: str
    err: str


def call(*arguments: object, stdin: str | None = "") -> Result:
    """Run the program in this process; with None for `stdin` it is left as it is."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    if stdin is not None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8")), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main.main([str(argument) for argument in arguments])
    finally:
        sys.stdin = before
    return Result(code, out.getvalue(), err.getvalue())


def spawn(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "tui", *(str(argument) for argument in arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **more})  # type: ignore[call-overload,no-any-return]


def one_message(err: str) -> str:
    """The one message that a person got, after the sign of life; it says what is wrong and how to mend it."""
    lines = [line for line in err.splitlines() if not line.startswith("Reading ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert len(re.findall(r"[.!?](?= |$)", lines[0])) >= 2, err
    assert lines[0].endswith((".", "?"))
    return lines[0]


def left_behind(home: Path) -> list[str]:
    """What a refused training left of a run, besides the cache that may be deleted at any time."""
    runs_left = [str(path.relative_to(home)) for path in home.glob("runs/*")]
    return runs_left + [str(path.relative_to(home)) for path in home.glob("cache/texts/making-*")]


def pasted(command: str) -> list[str]:
    """The arguments that a shell passes on, where a person pastes a command."""
    program, _, rest = command.partition(" ")
    assert program == "tinylm-studio"
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {rest}"], capture_output=True, check=True)
    return [os.fsdecode(part) for part in done.stdout.split(b"\0")[:-1]]
