"""From the command line to the open app, and out of it again: nothing but the app writes on the terminal."""

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
"""Lines that libraries wrote past Python, kept for the log."""


def launch(options: argparse.Namespace, home: Path) -> int:
    """Open the app; returns the exit code once the person has left it."""
    if home.exists() and not home.is_dir():
        raise RunError(f"{home} is a file, and runs need a folder.", "Choose another --home.")
    for flag in ("resume", "checkpoint", "count", "json", "plain"):
        value = getattr(options, flag)
        if value is not None and value is not False:
            raise ConfigError(f"--{flag} belongs to the modes without the app.", "Add --train, --generate or --runs.")
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise ConfigError("The app needs a terminal.", "Without one, train with: tinylm-studio --train.")
    if options.paths:
        options.data = [*(options.data or []), *options.paths]
    config = resolve.absolute_sources(flags.configuration(options, home, None))
    run = open_run(home, options.run) if options.run else None

    app = StudioApp(Studio(home, config), "data" if options.data else None, show=run)
    app.last_resort, app.deserted = os._exit, _deserted
    with _terminal_for_the_app_alone(app.studio.noise):
        app.run()
    code = app.return_code or 0
    if app.crash is not None:
        raise app.crash
    try:
        if app.farewell:
            print(app.farewell)
        sys.stdout.flush()
    except OSError:  # the terminal is what has gone
        headless.mute()
    if threading.active_count() > 1:
        # Threads of ours are inside torch (loading it, or in what a training does after its save). All that matters is
        # on the disk, and Python would abort them noisily, so nobody waits.
        os._exit(code)
    return code


def _deserted() -> bool:
    """Whether nobody is behind the terminal any more."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(0, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


@contextmanager
def _terminal_for_the_app_alone(noise: deque[str]) -> Iterator[None]:
    """Let whatever else writes to the terminal (C libraries, warnings) write into `noise` instead.

    Textual draws on `sys.__stderr__` and asks `sys.__stdout__` for the size: both get the terminal under a number of
    its own, and 1 and 2 become a pipe.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    real = sys.__stdout__, sys.__stderr__
    reading, writing = os.pipe()
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="")
    sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
    for number in kept:
        os.dup2(writing, number)
    os.close(writing)
    listener = threading.Thread(target=_listen, args=(reading, noise), daemon=True)
    listener.start()
    try:
        yield
    finally:
        for number, before in kept.items():
            os.dup2(before, number)
            os.close(before)
        sys.__stdout__, sys.__stderr__ = real  # type: ignore[misc]
        with suppress(OSError):  # it may be what has gone
            terminal.close()


def _listen(reading: int, noise: deque[str]) -> None:
    with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            noise.append(line.rstrip())
            while len(noise) > NOISE_LINES:
                noise.popleft()
