"""The modes without a screen: --train, --generate, --runs, --bench, --doctor."""

import argparse
import errno
import io
import json
import os
import shutil
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

from tinylm.cli import console
from tinylm.config import resolve
from tinylm.config.flags import configuration, note_on_fit
from tinylm.config.schema import Budget, RunConfig, SampleConfig
from tinylm.errors import ConfigError, RunError
from tinylm.runs import listing
from tinylm.runs.folder import RunFolder, check_free, open_run
from tinylm.training.control import Control
from tinylm.words import counted, duration_with_units, is_visible, one_line, printable

MOST_TEXTS = 1000
"""Continuations that are written at once."""


def run(options: argparse.Namespace, home: Path) -> int:
    """Run the mode that the flags name and return its exit code; TinyLMError where the user can fix something."""
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
        from tinylm.bench import benchmarks

        return benchmarks.run(options, home)
    raise ConfigError("Nothing is asked for.", "Write tinylm-studio --train, or open the app with tinylm-studio alone.")


# ---- --train ------------------------------------------------------------------------------------------------------


def train(options: argparse.Namespace, home: Path) -> int:
    """Train, or resume a training: events to stdout as JSON, or progress to stderr and a summary to stdout."""
    # A dumb terminal, such as an editor's, moves no cursor.
    plain = options.plain or not sys.stderr.isatty() or os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    output: console.Json | console.Plain
    output = console.Json() if options.json else console.Plain() if plain else console.Live()
    resumed = open_run(home, options.run) if options.resume else None
    config = configuration(options, home, resumed.config() if resumed else None)
    if resumed is None:
        if options.run is not None:
            check_free(home, options.run)
        if (note := note_on_fit(options, home, config)) and not options.json:
            print(note, file=sys.stderr)
        output.preparing(config)
    elif _nothing_left(resumed, config):
        print(_finished(resumed, config), file=sys.stderr)
        return 0

    # The first import of torch, which takes seconds: something has been printed by now.
    from tinylm.training import loop

    control = Control()
    events = loop.resume(config, resumed, control) if resumed else loop.train(config, home, options.run, control)
    output_error: OSError | None = None
    with _signals(control) as received, output:
        for event in events:
            received.can_save = True
            try:
                output.event(event)
            except OSError as error:
                mute()
                if error.errno != errno.EIO:  # a terminal that is gone sends a signal, where it matters
                    output_error = error
                    control.stop.set()
    if received.number:
        return 128 + received.number
    if output_error and not isinstance(output_error, BrokenPipeError):  # a reader that closed the pipe is no error
        raise RunError(
            f"What the training tells cannot be written: {output_error.strerror}.",
            "The run is saved; mend that, then go on with tinylm-studio --train --resume.",
        )
    return 0


def mute() -> None:
    """Send stdout and stderr to /dev/null where they cannot be written to any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _finished(run: RunFolder, config: RunConfig) -> str:
    """That a run is finished, how long it was, and how it goes on."""
    finished, stop_at = run.state().finished, config.train.stop_at
    assert finished is not None
    whole = "--time, --steps and --epochs are the length of the whole run: give more than that to go on."
    return (
        f"The run {run.name} is finished, after {counted(finished.step, 'step')} in "
        f"{duration_with_units(finished.seconds)}. "
        f"{f'Give a larger train.stop_at than {stop_at} to go on.' if stop_at else whole}"
    )


def _nothing_left(run: RunFolder, config: RunConfig) -> bool:
    """Whether the run has finished, and `config` gives it no larger budget."""
    finished, own = run.state().finished, run.config().train
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
    """The signal that came, if any."""

    number: int = 0
    can_save: bool = False
    """There is a run to save; before that, a signal just ends the program."""


@contextmanager
def _signals(control: Control) -> Iterator[_Received]:
    """Make SIGINT, SIGTERM and SIGHUP stop the training with a checkpoint, and a second SIGINT exit at once."""
    received = _Received()

    def handle(number: int, _frame: FrameType | None) -> None:
        if received.number and number == signal.SIGINT:
            console.show_cursor()
            os._exit(128 + number)
        received.number = number
        control.stop.set()
        if not received.can_save:
            raise KeyboardInterrupt
        with suppress(OSError):  # the terminal itself may be gone
            os.write(2, b"\nSaving, then measuring once more. Press Ctrl-C again to leave at once.\n")

    watched = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        watched.append(signal.SIGHUP)
    before = [signal.signal(number, handle) for number in watched]
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
    run_folder = open_run(home, options.run)
    settings = _sampling(options, run_folder.config())
    prompt = _stdin() if options.generate == "-" else options.generate
    # What the shell passed that is no text (lone surrogates) becomes a question mark.
    prompt = prompt.encode("utf-8", "replace").decode("utf-8")

    from tinylm.data.tokenizer import PARAGRAPH_ENDS
    from tinylm.inference.generate import generate_text, generate_texts
    from tinylm.inference.load import load_model, refuse_too_many_texts, settle_threads
    from tinylm.inference.prompt import fit_prompt
    from tinylm.kernels import decode

    model, tokenizer = load_model(run_folder, options.checkpoint or "best", options.device or "cpu")
    fitted = fit_prompt(tokenizer, prompt, model.config.block_size)
    prompt = fitted.text
    for note in [*([] if options.checkpoint else _selection(run_folder)), *fitted.notes]:
        print(note, file=sys.stderr)
    settle_threads(model)
    library = decode.load_in_background(home, model)
    if tokenizer.new_text and not is_visible(prompt):
        like = PARAGRAPH_ENDS[tokenizer.new_text]
        print(f"It begins like a {like}: the run learnt from too few texts to know how one begins.", file=sys.stderr)
    clean = printable if sys.stdout.isatty() else str
    if options.count is None and not options.json:
        added = False
        try:
            print(clean(prompt), end="", flush=True)
            for piece in generate_text(model, tokenizer, prompt, settings, library.result()):
                print(clean(piece), end="", flush=True)
                added = True
        finally:
            print(flush=True)  # an error begins on a line of its own
        if not added:
            print("The model ended the text here: nothing was added.", file=sys.stderr)
        return 0
    count = options.count or 1
    refuse_too_many_texts(model, count, settings.max_new_tokens)
    seeds = [(settings.seed + index) % 2**63 for index in range(count)]  # each of them is one that --seed takes
    continuations = generate_texts(model, tokenizer, prompt, settings, seeds, library.result())
    if options.json:
        for index, continuation in enumerate(continuations):
            print(json.dumps({"index": index, "prompt": prompt, **asdict(continuation)}))
    else:
        for continuation in continuations:
            text = clean(prompt + continuation.text).rstrip("\n")
            print(f"\n{text}")
        print()
    if unchanged := sum(not continuation.text for continuation in continuations):
        print(f"The model ended {unchanged} of {count} at once: nothing was added to them.", file=sys.stderr)
    return 0


def _selection(run: RunFolder) -> list[str]:
    """Which checkpoint writes, where the best is not the latest."""
    from tinylm.runs import checkpoint

    best, latest = (int(checkpoint.find(run, which).name.removeprefix("step-")) for which in ("best", "latest"))
    if best == latest:
        return []
    return [f"Step {best:,} of {run.name} writes, the best; --checkpoint latest is step {latest:,}."]


def _sampling(options: argparse.Namespace, config: RunConfig) -> SampleConfig:
    """The run's settings for sampling, with those of --set and --seed in their place."""
    table = {"sample": config.sample.model_dump()}
    for assignment in options.set:
        if not assignment.startswith("sample."):
            meant = [ours for ours in resolve.meant_by(assignment.partition("=")[0]) if ours.startswith("sample.")]
            hint = f"Did you mean {' or '.join(meant)}?" if meant else "With --generate, set sample.… only."
            raise ConfigError(f"--set {assignment} does not change how text is written.", hint)
        table = resolve.assign(table, assignment)
    if options.seed is not None:
        table["sample"]["seed"] = options.seed
    settings: SampleConfig = resolve.validate({**config.model_dump(), **table}).sample
    return settings


def _stdin() -> str:
    if sys.stdin is None:
        raise ConfigError("There is nothing on stdin to read a prompt from.", 'Give it: --generate "PROMPT".')
    try:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f"stdin cannot be read: {error.strerror}.", 'Give the prompt: --generate "PROMPT".') from None


# ---- --runs and --doctor ------------------------------------------------------------------------------------------


def list_runs(options: argparse.Namespace, home: Path) -> int:
    """List all runs, the newest first."""
    rows = [run.as_row() for run in listing.read_listings(home)]
    if options.json:
        for row in rows:
            print(json.dumps(row))
        return 0
    if not rows:
        print("There is no run yet. Make one: tinylm-studio --train.")
        return 0
    table = Table(box=None, pad_edge=False)
    texts, numbers = ("run", "state", "data"), ("parameters", "steps", "bits per byte", "best step", "tokens/s")
    for title in (*texts, *numbers, "when"):
        table.add_column(title, justify="right" if title in numbers else "left")
    for row in rows:
        values = [
            "" if row[name] is None else format(row[name], form)
            for name, form in (
                ("parameters", ",d"), ("step", ",d"), ("val_bpb", ".3f"), ("best_step", ",d"),
                ("tokens_per_second", ",.0f"),
            )
        ]  # fmt: skip
        when = datetime.fromisoformat(str(row["utc"])).astimezone().strftime("%Y-%m-%d %H:%M") if row["utc"] else ""
        table.add_row(*(Text(one_line(str(row[name]))) for name in texts), *values, when)
    # Rendered first and then printed, so that a closed pipe raises here and not inside rich.
    # A terminal narrower than the table breaks its lines, which says more than columns of dots.
    width = max(80, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 160
    canvas = Console(file=io.StringIO(), width=width, force_terminal=sys.stdout.isatty())
    with canvas.capture() as rendered:
        canvas.print(table)
    print(rendered.get(), end="")
    return 0


def doctor(options: argparse.Namespace, home: Path) -> int:
    """Print what this machine has, what would be chosen, and why."""
    from tinylm.cli.doctor import examine

    findings = examine(home)
    if options.json:
        print(json.dumps(findings.values))
    else:
        print("\n".join(findings.sentences))
    return 0
