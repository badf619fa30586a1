"""The command line: flags, dispatch, exit codes. Nothing heavy is imported before the flags are read."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tinylm import __version__, paths
from tinylm.errors import ConfigError, DivergedError, TinyLMError
from tinylm.words import did_you_mean, first_line, one_line, printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

CRASHED, USER_ERROR, DIVERGED, INTERRUPTED = 1, 2, 3, 130
"""Exit codes."""

MODES = ("train", "generate", "runs", "bench", "doctor", "version", "help", "resume")
"""Flags that people write without their hyphens, as other programs want it."""

OUTPUT_ERRORS = (errno.EPIPE, errno.ECONNRESET, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors of writing our output: no reader, no space, no terminal any more, or a stream that was opened for reading."""

SYSTEM_ERRORS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE,
    errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE,
)  # fmt: skip
"""Refusals of the system that a person can do something about, wherever they occur."""

OUT_OF_MEMORY = ("allocate memory", "failed to map segment")
"""What torch and the loader of libraries say where memory is short or limited."""

EXAMPLES = """examples:
  tinylm-studio                                           the app
  tinylm-studio books/ notes.txt                          the app, with these texts chosen
  tinylm-studio --train                                   two minutes on the built-in stories
  tinylm-studio --train --data books/ --time 10m          your own texts, ten minutes
  tinylm-studio --train --resume                          go on with the newest run
  tinylm-studio --generate "Once upon a time"             talk to the newest run
  tinylm-studio --generate "Once" --count 5 --json        five continuations, a line of JSON each
  tinylm-studio --train --set model.n_layer=6             one setting; run folders' config.toml lists them all
"""


class _Parser(argparse.ArgumentParser):
    """Reports errors in two sentences, as the rest of the program does, and not with argparse's usage block."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the flags and exit with 2."""
        sentences = f"The flags do not fit: {message}. See tinylm-studio --help."
        unknown = message.removeprefix("unrecognized arguments: ").partition(" ")[0].partition("=")[0]
        if message.startswith("unrecognized") and unknown.startswith("-"):
            sentences = f"There is no flag {unknown}. {self._suggestion(unknown)}"
        _print_error(sentences)
        raise SystemExit(USER_ERROR)

    def _suggestion(self, unknown: str) -> str:
        """What an unknown flag may stand for: another one, or a setting, of which most have no flag of their own."""
        if close := did_you_mean(unknown, self._option_string_actions):
            return close
        from tinylm.config import resolve

        meant = [ours.partition(", ")[0] for ours in resolve.meant_by(unknown.lstrip("-"))]
        meant = [ours for ours in meant if ours.startswith("--") or "." in ours]  # a group has no value
        if not meant:
            return "See tinylm-studio --help."
        if meant[0].endswith("."):
            return meant[0]
        return f"Did you mean {' or '.join(ours if ours.startswith('--') else f'--set {ours}=…' for ours in meant)}?"

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help or version; argparse would swallow the OSError of a full disk."""
        (file or sys.stderr).write(message)


def parser() -> argparse.ArgumentParser:
    """All flags with their help."""
    flags = _Parser(
        prog="tinylm-studio",
        description="Pick some text, train a language model on it from nothing, watch it learn, and talk to it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("paths", nargs="*", metavar="PATH", help="open the app with these texts chosen")
    modes = flags.add_argument_group("what to do; with none of these, the app opens").add_mutually_exclusive_group()
    modes.add_argument("--train", action="store_true", help="train a model (by default two minutes on `stories`)")
    modes.add_argument(
        "--generate", metavar="PROMPT", help="continue PROMPT with a trained model; - reads it from stdin"
    )
    modes.add_argument("--runs", action="store_true", help="list the runs")
    modes.add_argument(
        "--bench", nargs="?", const="", metavar="NAME", help="measure this machine; alone, list what can be measured"
    )
    modes.add_argument("--doctor", action="store_true", help="say what this machine has and what would be chosen")
    modes.add_argument("--version", action="version", version=f"tinylm-studio {__version__}")

    settings = flags.add_argument_group("settings")
    settings.add_argument(
        "--data", action="append", metavar="PATH", help="file or folder of text, or `stories`; repeatable"
    )
    settings.add_argument("--preset", metavar="NAME", help="quick (default), char, seed, or one of your own")
    settings.add_argument("--config", metavar="FILE", help="a TOML file with all or some settings")
    settings.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="one setting; repeatable")
    length = settings.add_mutually_exclusive_group()
    length.add_argument("--time", metavar="T", help="how long to train: 90s, 2m, 1h")
    length.add_argument("--steps", type=int, metavar="N", help="how many optimizer steps to train")
    length.add_argument("--epochs", type=float, metavar="X", help="how many passes over the text to train")
    settings.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps")
    settings.add_argument("--seed", type=int, metavar="N", help="of the training, or of the text with --generate")

    runs = flags.add_argument_group("runs")
    runs.add_argument(
        "--run", metavar="NAME", help="the run to make or to use (default: a new name, or the newest run)"
    )
    runs.add_argument("--resume", action="store_true", help="with --train: go on with a run instead of a new one")
    runs.add_argument("--checkpoint", metavar="WHICH", help="with --generate: best (default), latest or a step")
    runs.add_argument(
        "--count", type=int, metavar="N", help="with --generate: N continuations side by side, each with the next seed"
    )
    runs.add_argument("--home", metavar="DIR", help="where runs lie (default: TINYLM_HOME, or the user's data folder)")

    output = flags.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="machine-readable lines on stdout")
    output.add_argument("--plain", action="store_true", help="full sentences without cursor movement")
    return flags


Studio = Callable[[argparse.Namespace, Path], int]
"""Opens the app; the entry point passes it in, since this package does not know the app."""


def main(arguments: list[str], studio: Studio | None = None) -> int:
    """Run the program and return its exit code; without `studio` only the modes without a screen are available."""
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows a question mark
            stream.reconfigure(errors="replace")
    code = 0
    try:
        code = _dispatch(arguments, studio)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # a reader that closed the pipe is no error
            _print_error(f"The output cannot be written: {error.strerror}. Free some room, or send it elsewhere.")
            return code or USER_ERROR
        return 0
    return code


def _replace_closed_streams() -> None:
    """Send to /dev/null what would go to a closed stream (`>&-`).

    The descriptors are opened as well, even that of stdin: the next file to be opened, such as a checkpoint, would
    else become stdout.
    """
    for name in ("stdin", "stdout", "stderr"):  # in this order, so that each gets its own descriptor
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if name != "stdin":  # a prompt from a closed stdin is refused
                setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace"))


def _dispatch(arguments: list[str], studio: Studio | None) -> int:
    try:
        options = parser().parse_args(arguments)
    except SystemExit as leave:
        return int(leave.code or 0)
    # OpenMP threads that spin while they wait take cores from each other and from other programs. To be set before
    # torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    home: Path | None = None
    try:
        paths.absolute(".")  # torch cannot be loaded in a folder that was deleted
        home = paths.home(options.home)
        headless_mode = options.train or options.generate is not None or options.runs or options.doctor
        headless_mode = headless_mode or options.bench not in (None, "app")
        if options.paths and options.paths[0] in MODES and not Path(options.paths[0]).exists():
            raise ConfigError(f"There is no text {options.paths[0]}.", f"Did you mean --{options.paths[0]}?")
        if options.paths and (headless_mode or options.bench is not None):
            raise ConfigError(
                f"{options.paths[0]} stands alone, and only the app takes texts like that.", "Write --data before it."
            )
        if studio and not headless_mode:
            return studio(options, home)
        # Imported late: --help and --version answer before anything heavy is loaded.
        from tinylm.cli import headless

        return headless.run(options, home)
    except TinyLMError as error:
        _print_error(f"{error.message} {error.hint}")
        return DIVERGED if isinstance(error, DivergedError) else USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the outer edge: whatever gets here is the system's refusal or a bug of ours
        if isinstance(error, OSError) and error.filename is None and error.errno in OUTPUT_ERRORS:
            raise
        if refusal := _system_refusal(error):
            _print_error(refusal)
            return USER_ERROR
        _print_error(f"Something went wrong that is our fault. The details are in {_log_traceback(home)}.")
        return CRASHED


def _system_refusal(error: Exception) -> str | None:
    """What to tell a person if the system refused what every program needs; None if the error means something else."""
    if isinstance(error, MemoryError) or any(text in str(error) for text in OUT_OF_MEMORY):
        return "The memory ran out. Close other programs, or raise the limit on it (ulimit -v)."
    if "start new thread" in str(error):
        return "The system allows no more threads. Raise the limit on them (ulimit -u)."
    if isinstance(error, OSError) and error.errno in SYSTEM_ERRORS:
        return f"{error.filename or 'A file'} cannot be used: {error.strerror}. Mend that, or choose another --home."
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] not in ("tinylm", "tui"):
        return f"A library cannot be loaded: {first_line(error)}. Install tinylm-studio again, with pip."
    return None


def _print_error(sentences: str) -> None:
    """Print to stderr on one line, without control characters: messages contain names of files."""
    with suppress(OSError):  # the terminal itself may be gone
        print(one_line(sentences), file=sys.stderr)


def _log_traceback(home: Path | None) -> Path | str:
    """Write the traceback to a log file and return its path; where that fails, print it."""
    if home is None:
        print(printable(traceback.format_exc()), file=sys.stderr)
        return "the lines above"
    path = paths.logs(home) / f"crash-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        print(printable(traceback.format_exc()), file=sys.stderr)
        return "the lines above"
    return path
