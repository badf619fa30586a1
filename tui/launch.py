"""Opens the app from the command line, and keeps all other output off its terminal."""

from __future__ import annotations

import argparse
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinylm.cli import headless
from tinylm.config import flags, resolve
from tinylm.errors import ConfigError, RunError
from tinylm.runs.folder import open_run
from tui.app import StudioApp
from tui.studio import Studio

NOISE_LINES = 500
"""Lines of other output that are kept for the log."""


def launch(options: argparse.Namespace, home: Path) -> int:
    """Run the app; returns its exit code."""
    if home.exists() and not home.is_dir():
        raise RunError(f"{home} is a file, and runs need a folder.", "Choose another --home.")
    modes = {"resume": "--train", "checkpoint": "--generate", "count": "--generate"}
    for flag in (*modes, "json", "plain"):
        value = getattr(options, flag)
        if value is not None and value is not False:
            mode = modes.get(flag, "--train, --generate or --runs")
            raise ConfigError(f"--{flag} belongs to the modes without the app.", f"Add {mode}.")
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise ConfigError("The app needs a terminal.", "Without one, train with: tinylm-studio --train.")
    if options.paths:
        options.data = [*(options.data or []), *options.paths]
    config = resolve.absolute_sources(flags.configuration(options, home, None))
    run = open_run(home, options.run) if options.run else None

    app = StudioApp(Studio(home, config), "data" if options.data else None, show=run)
    app.last_resort, app.deserted = os._exit, _terminal_is_gone
    with _terminal_for_the_app_alone(app.studio.noise):
        app.run()
    code = app.return_code or 0
    if app.crash is not None:
        raise app.crash
    try:
        if app.farewell:
            print(app.farewell)
        sys.stdout.flush()
    except OSError:  # the terminal is gone
        headless.mute()
    if threading.active_count() > 1:
        # Threads of ours are inside torch: loading it, or after the save of a training. All data is on the disk, and
        # Python would abort them with messages, so the process exits without waiting for them.
        os._exit(code)
    return code


def _terminal_is_gone() -> bool:
    """Whether the terminal is gone."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(0, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


@contextmanager
def _terminal_for_the_app_alone(noise: deque[str]) -> Iterator[None]:
    """Collect in `noise` what C libraries and warnings write to stdout and stderr.

    Textual draws on `sys.__stderr__` and asks `sys.__stdout__` for the size: both get a new file descriptor of the
    terminal, and descriptors 1 and 2 become a pipe.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    real = sys.__stdout__, sys.__stderr__
    reading, writing = os.pipe()
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="")
    sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
    for number in saved:
        os.dup2(writing, number)
    os.close(writing)
    listener = threading.Thread(target=_listen, args=(reading, noise), daemon=True)
    listener.start()
    try:
        yield
    finally:
        for number, before in saved.items():
            os.dup2(before, number)
            os.close(before)
        sys.__stdout__, sys.__stderr__ = real  # type: ignore[misc]
        with suppress(OSError):  # the terminal may be gone
            terminal.close()


def _listen(reading: int, noise: deque[str]) -> None:
    with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            noise.append(line.rstrip())
            while len(noise) > NOISE_LINES:
                noise.popleft()
