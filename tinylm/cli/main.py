"""The command line: flags, dispatch, exit codes. Nothing heavy is imported before the flags are read."""

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
from typing import NoReturn

from tinylm import __version__, paths
from tinylm.errors import ConfigError, DivergedError, TinyLMError

OUR_FAULT, USERS_TO_MEND, DIVERGED, INTERRUPTED = 1, 2, 3, 130

UNHEARD = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Our output finds no reader, no room, or no terminal any more."""

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
    """Faults in two sentences, as everywhere here, instead of argparse's usage block."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the flags and leave with 2."""
        _complain(f"The flags do not fit: {message}. See tinylm-studio --help.")
        raise SystemExit(USERS_TO_MEND)


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

    places = flags.add_argument_group("runs")
    places.add_argument(
        "--run", metavar="NAME", help="the run to make or to use (default: a new name, or the newest run)"
    )
    places.add_argument("--resume", action="store_true", help="with --train: go on with a run instead of a new one")
    places.add_argument("--checkpoint", metavar="WHICH", help="with --generate: best (default), latest or a step")
    places.add_argument(
        "--count", type=int, metavar="N", help="with --generate: N continuations side by side, each with the next seed"
    )
    places.add_argument(
        "--home", metavar="DIR", help="where runs lie (default: TINYLM_HOME, or the user's data folder)"
    )

    output = flags.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="machine-readable lines on stdout")
    output.add_argument("--plain", action="store_true", help="full sentences without cursor movement")
    return flags


Studio = Callable[[argparse.Namespace, Path], int]
"""What opens the app: given by the entry point, since nothing in this package knows screens."""


def main(arguments: list[str], studio: Studio | None = None) -> int:
    """Do what the flags say; returns the exit code. Without `studio` there are only the modes without a screen."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that does not know a character shows another one
            stream.reconfigure(errors="replace")
    code = 0
    try:
        code = _answer(arguments, studio)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # else the reader of our output has gone, which is no fault
            _complain(f"The output cannot be written: {error.strerror}. Free some room, or send it elsewhere.")
            return code or USERS_TO_MEND
        return 0
    return code


def _answer(arguments: list[str], studio: Studio | None) -> int:
    try:
        options = parser().parse_args(arguments)
    except SystemExit as leave:
        return int(leave.code or 0)
    home = paths.home(options.home)
    # Threads of OpenMP that spin while they wait take the cores from each other and from everybody else; this has to
    # be said before torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        headless_mode = options.train or options.generate is not None or options.runs or options.doctor
        headless_mode = headless_mode or options.bench not in (None, "app")
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
        _complain(f"{error.message} {error.hint}")
        return DIVERGED if isinstance(error, DivergedError) else USERS_TO_MEND
    except KeyboardInterrupt:
        return INTERRUPTED
    except PermissionError as error:
        _complain(
            f"{error.filename or home} cannot be used: {error.strerror}. Check its rights, or choose another --home."
        )
        return USERS_TO_MEND
    except Exception as error:  # the outer edge: what gets here is our own fault
        if isinstance(error, OSError) and error.filename is None and error.errno in UNHEARD:
            raise
        _complain(f"Something went wrong that is our fault. The details are in {_logged(home)}.")
        return OUR_FAULT


def _complain(sentences: str) -> None:
    """To stderr, on one line: names of files come from strangers too."""
    with suppress(OSError):  # the terminal may be what has gone
        print(_harmless(sentences.replace("\n", "\ufffd")), file=sys.stderr)


def _harmless(text: str) -> str:
    """`text` without what could steer a terminal; `console.printable` would load half of the program first."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def _logged(home: Path) -> Path | str:
    """Write the traceback into a log file; where that fails too, print it."""
    path = paths.logs(home) / f"crash-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        print(_harmless(traceback.format_exc()), file=sys.stderr)
        return "the lines above"
    return path
