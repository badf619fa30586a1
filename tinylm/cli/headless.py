"""The modes without a screen: --train, --generate, --runs, --bench, --doctor."""

import argparse
import errno
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinylm import words
from tinylm.cli import console
from tinylm.config import resolve
from tinylm.config.flags import configuration
from tinylm.config.schema import Budget, RunConfig, SampleConfig
from tinylm.errors import ConfigError, RunError
from tinylm.runs import folder as runs
from tinylm.runs import listing
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control

MOST_TEXTS = 1000
"""Continuations that are written at once."""


def run(options: argparse.Namespace, home: Path) -> int:
    """Dispatch to the mode that the flags name; returns the exit code, TinyLMError is for people."""
    if home.exists() and not home.is_dir():
        raise RunError(f"{home} is a file, and runs need a folder.", "Choose another --home.")
    if options.resume and not options.train:
        raise ConfigError("--resume belongs to --train.", "Write tinylm-studio --train --resume.")
    if options.checkpoint and options.generate is None:
        raise ConfigError("--checkpoint belongs to --generate.", 'Write tinylm-studio --generate "PROMPT".')
    if options.count is not None and options.generate is None:
        raise ConfigError("--count belongs to --generate.", 'Write tinylm-studio --generate "PROMPT" --count N.')
    if options.train:
        return train(options, home)
    if options.generate is not None:
        return generate(options, home)
    if options.runs:
        return list_runs(options, home)
    if options.doctor:
        return doctor(options, home)
    if options.bench is not None:
        from tinylm import bench

        return bench.run(options, home)
    raise ConfigError("Nothing is asked for.", "Write tinylm-studio --train, or open the app with tinylm-studio alone.")


# ---- --train ------------------------------------------------------------------------------------------------------


def train(options: argparse.Namespace, home: Path) -> int:
    """Train, or go on training; events to stdout as JSON, or progress to stderr and a summary to stdout."""
    show = console.Json() if options.json else console.Plain() if _plain(options) else console.Live()
    folder = runs.open_run(home, options.run) if options.resume else None
    config = configuration(options, home, folder.config() if folder is not None else None)
    if folder is None:
        if options.run is not None:
            runs.check_free(home, options.run)
        show.preparing(config)
    elif _nothing_left(folder, config):
        print(
            f"The run {folder.name} is finished. Give it a larger --time, --steps or --epochs to go on.",
            file=sys.stderr,
        )
        return 0

    # torch is first imported here; until then the person has seen a sign of life.
    from tinylm.training import loop

    control = Control()
    if folder is not None:
        stream = loop.resume(config, folder, control)
    else:
        stream = loop.train(config, home, options.run, control)
    unheard: OSError | None = None
    with _signals(control) as received, show:
        for event in stream:
            received.begun = True
            try:
                show.event(event)
            except OSError as error:
                mute()
                if error.errno != errno.EIO:  # a terminal that is gone says so by a signal, where it matters
                    unheard = error
                    control.stop.set()
    if received.number:
        return 128 + received.number
    if unheard is not None and not isinstance(unheard, BrokenPipeError):  # else the reader has left, which is no fault
        raise RunError(
            f"What the training tells cannot be written: {unheard.strerror}.",
            "The run is saved; mend that, then go on with tinylm-studio --train --resume.",
        )
    return 0


def mute() -> None:
    """Send to nowhere what cannot be written, and what would follow it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _nothing_left(folder: RunFolder, config: RunConfig) -> bool:
    """Whether the run came to its end, and `config` does not give it more."""
    finished, own = folder.state().finished, folder.config().train
    if finished is None or finished.reason == "stopped":
        return False
    if finished.reason == "early_stop":
        if config.train.patience == 0 or config.train.patience > own.patience:
            return False
    elif config.train.stop_at != own.stop_at:
        return config.train.stop_at is not None and config.train.stop_at <= finished.step
    if config.train.budget is None or own.budget is None:
        return config.train.budget == own.budget
    new, old = Budget.parse(config.train.budget), Budget.parse(own.budget)
    return new.kind == old.kind and new.amount <= old.amount


@dataclass
class _Received:
    """What signals came."""

    number: int = 0
    begun: bool = False
    """Whether there is a run that could be saved; before that, a signal just ends the program."""


@contextmanager
def _signals(control: Control) -> Iterator[_Received]:
    """Let SIGINT, SIGTERM and SIGHUP stop the training with a checkpoint; a second SIGINT leaves at once."""
    received = _Received()

    def ask(number: int, _frame: FrameType | None) -> None:
        if received.number and number == signal.SIGINT:
            os._exit(128 + number)
        received.number = number
        control.stop.set()
        if not received.begun:
            raise KeyboardInterrupt
        with suppress(OSError):  # the terminal may be what is gone
            os.write(2, b"\nSaving, then measuring once more. Press Ctrl-C again to leave at once.\n")

    watched = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup asks for
        watched.append(signal.SIGHUP)
    before = [signal.signal(number, ask) for number in watched]
    try:
        yield received
    except KeyboardInterrupt:
        if not received.number:
            raise
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)


# ---- --generate ---------------------------------------------------------------------------------------------------


def generate(options: argparse.Namespace, home: Path) -> int:
    """Continue a prompt with a run's checkpoint: one text to stdout as it comes, or --count texts in one batch."""
    for flag in ("data", "preset", "config", "time", "steps", "epochs"):
        if getattr(options, flag) is not None:
            raise ConfigError(f"--{flag} belongs to --train.", "Leave it out: the run knows how it was made.")
    if options.count is not None and not 1 <= options.count <= MOST_TEXTS:
        raise ConfigError(
            f"--count {options.count} is not possible.", f"Ask for 1 to {MOST_TEXTS:,} continuations at once."
        )
    folder = runs.open_run(home, options.run)
    settings = _sampling(options, folder.config())
    prompt = _stdin() if options.generate == "-" else options.generate
    # What the shell passed that is no text (lone surrogates) becomes a question mark.
    prompt = prompt.encode("utf-8", "replace").decode("utf-8")

    from tinylm.inference.generate import generate_text, generate_texts
    from tinylm.inference.load import load_model, refuse_too_many_texts, settle_threads

    model, tokenizer = load_model(folder, options.checkpoint or "best", options.device or "cpu")
    settle_threads(model)
    clean = words.printable if sys.stdout.isatty() else str
    if options.count is None and not options.json:
        pieces = generate_text(model, tokenizer, prompt, settings)
        print(clean(prompt), end="", flush=True)
        for piece in pieces:
            print(clean(piece), end="", flush=True)
        print(flush=True)
        return 0
    count = options.count or 1
    refuse_too_many_texts(model, count, settings.max_new_tokens)
    seeds = [(settings.seed + index) % 2**63 for index in range(count)]  # each of them is one that --seed takes
    continuations = generate_texts(model, tokenizer, prompt, settings, seeds)
    if options.json:
        for index, continuation in enumerate(continuations):
            print(json.dumps({"index": index, "prompt": prompt, **asdict(continuation)}))
    else:
        for continuation in continuations:
            text = clean(prompt + continuation.text).rstrip("\n")
            print(f"\n{text}")
        print()
    return 0


def _sampling(options: argparse.Namespace, config: RunConfig) -> SampleConfig:
    """The run's settings for sampling, with those of --set and --seed in their place."""
    table = {"sample": config.sample.model_dump()}
    for assignment in options.set:
        if not assignment.startswith("sample."):
            raise ConfigError(
                f"--set {assignment} does not change how text is written.", "With --generate, set sample.… only."
            )
        table = resolve.assign(table, assignment)
    if options.seed is not None:
        table["sample"]["seed"] = options.seed
    settings: SampleConfig = resolve.validate({**config.model_dump(), **table}).sample
    return settings


def _stdin() -> str:
    if sys.stdin is None:
        raise ConfigError("There is nothing on stdin to read a prompt from.", 'Give it: --generate "PROMPT".')
    return sys.stdin.buffer.read().decode("utf-8", "replace")


# ---- --runs and --doctor ------------------------------------------------------------------------------------------


def list_runs(options: argparse.Namespace, home: Path) -> int:
    """List all runs, the newest first."""
    rows = [entry.as_row() for entry in listing.entries(home)]
    if options.json:
        for row in rows:
            print(json.dumps(row))
        return 0
    if not rows:
        print("There is no run yet. Make one: tinylm-studio --train.")
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("run", "state", "data", "parameters", "steps", "bits per byte", "tokens/s", "when"):
        table.add_column(
            title, justify="right" if title in ("parameters", "steps", "bits per byte", "tokens/s") else "left"
        )
    for row in rows:
        numbers = [
            "" if row[name] is None else format(row[name], form)
            for name, form in (("parameters", ",d"), ("step", ",d"), ("val_bpb", ".3f"), ("tokens_per_second", ",.0f"))
        ]
        when = datetime.fromisoformat(str(row["utc"])).astimezone().strftime("%Y-%m-%d %H:%M") if row["utc"] else ""
        table.add_row(*(Text(words.printable(str(row[name]))) for name in ("run", "state", "data")), *numbers, when)
    # Drawn first and then printed, so that a reader that goes away is our own business and not the library's.
    canvas = Console(file=io.StringIO(), width=None if sys.stdout.isatty() else 160, force_terminal=sys.stdout.isatty())
    with canvas.capture() as drawn:
        canvas.print(table)
    print(drawn.get(), end="")
    return 0


def doctor(options: argparse.Namespace, home: Path) -> int:
    """Say what this machine has, what would be chosen, and why."""
    from tinylm.cli import doctor as examine

    findings = examine.examine(home)
    if options.json:
        print(json.dumps(findings.values))
    else:
        print("\n".join(findings.sentences))
    return 0


def _plain(options: argparse.Namespace) -> bool:
    return bool(options.plain) or not sys.stderr.isatty()
