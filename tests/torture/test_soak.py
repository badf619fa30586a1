"""Long trainings, headless and in the app at once: memory and open files stay as they are, the log is complete."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.tui.real_terminal import Terminal
from tests.waiting import PATIENCE
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.events import Failed, Finished, StepDone
from tinylm.runs.folder import RunFolder, list_runs

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="memory and open files are read from /proc")

LOOKS = 240
"""How often memory and files are looked at."""

GROWTH = 1.05
"""The memory that a training may come to, as a multiple of what it had when it was warm."""


@dataclass(frozen=True)
class Look:
    """A process at some time."""

    seconds: float
    rss_mb: float
    files: int


@dataclass(frozen=True)
class Watched:
    """A process that trains, and what was seen of it."""

    name: str
    pid: int
    looks: list[Look]

    def look(self, seconds: float) -> None:
        """See how large it is now."""
        process = Path("/proc") / str(self.pid)
        [kilobytes] = [
            line.split()[1] for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS")
        ]
        self.looks.append(Look(seconds, int(kilobytes) / 1024, len(list((process / "fd").iterdir()))))

    def faults(self) -> list[str]:
        """What has grown since a sixth of the time was over."""
        warm = self.looks[LOOKS // 6 :]
        first, last = warm[: len(warm) // 10], warm[-len(warm) // 10 :]
        memory, files = (median(look.rss_mb for look in first), median(look.files for look in first))
        faults = []
        if (most := max(look.rss_mb for look in warm)) > GROWTH * memory:
            faults.append(f"{self.name}: memory went from {memory:.1f} to {most:.1f} MB")
        if (files_last := median(look.files for look in last)) != files:
            faults.append(f"{self.name}: open files went from {files:g} to {files_last:g}")
        return faults


def plan(config: RunConfig, path: Path) -> Path:
    """Write a configuration whose end nobody sees."""
    phases = [{"name": "train", "schedule": "constant", "share": 1.0, "max_lr": 1e-3}]
    often = {"budget": "100000000 steps", "eval_interval": 100, "sample_interval": 300, "checkpoint_seconds": 2.0}
    model = {"n_layer": 2, "n_embd": 64, "block_size": 64, "dropout": 0.1}
    large = resolve.with_values(config, model=model, train={"phases": phases, "batch_size": 32, **often})
    path.write_text(resolve.to_toml(large), encoding="utf-8")
    return path


@contextmanager
def headless(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`--train` in a process of its own."""
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "tui", "--train", *arguments], stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def on_terminal(*arguments: str) -> Iterator[Terminal]:
    """The app, as a person sees it."""
    terminal = Terminal(*arguments, columns=160, lines=45)
    try:
        yield terminal
    finally:
        terminal.close()


def trains(home: Path) -> bool:
    """Whether its run has some steps."""
    return any(len(run.state().steps) > 5 for run in list_runs(home))


def check_log(run: RunFolder) -> int:
    """How many steps it has: all of them, each once, and one end."""
    log = list(run.events())
    steps = [event.step for event in log if isinstance(event, StepDone)]
    assert len(log) == len(run.events_file.read_bytes().splitlines()), "lines that cannot be read"
    assert steps == list(range(1, len(steps) + 1))
    assert [event for event in log if isinstance(event, Finished | Failed)] == log[-1:]
    assert isinstance(log[-1], Finished)
    return len(steps)


def show(all_watched: list[Watched]) -> None:
    """A table of what was seen, of twenty times."""
    print("\n" + " " * 8 + "".join(f"{watched.name:>22}" for watched in all_watched))
    print(f"{'seconds':>8}" + f"{'MB':>14}{'files':>8}" * len(all_watched))
    for looks in list(zip(*(watched.looks for watched in all_watched), strict=True))[:: LOOKS // 20]:
        print(f"{looks[0].seconds:8.0f}" + "".join(f"{look.rss_mb:14.1f}{look.files:8}" for look in looks))


def test_long_trainings_stay_as_small_as_they_are(
    tmp_path: Path, tiny_config: Callable[..., RunConfig], request: pytest.FixtureRequest
) -> None:
    seconds = 60 * (request.config.getoption("minutes") or 1.0)
    config = str(plan(tiny_config(), tmp_path / "plan.toml"))
    without, within = tmp_path / "headless", tmp_path / "app"
    with (
        headless("--home", str(without), "--config", config, log=tmp_path / "output.txt") as process,
        on_terminal("--home", str(within), "--config", config) as terminal,
    ):
        terminal.until(lambda: b"Enter" in terminal.seen)
        terminal.type(b"\r")
        terminal.until(lambda: trains(without) and trains(within))
        watched = [Watched("headless", process.pid, []), Watched("app", terminal.child.pid, [])]
        began = time.monotonic()
        for number in range(LOOKS):
            terminal.seen = terminal.seen[-10_000:]
            terminal.read(max(0.0, began + number * seconds / LOOKS - time.monotonic()))
            for each in watched:
                each.look(time.monotonic() - began)
        process.send_signal(signal.SIGINT)
        terminal.type(b"\x11")  # ctrl+q
        terminal.until(lambda: b"Save and leave" in terminal.seen)
        terminal.type(b"s")
        assert terminal.ended() == 0
        assert process.wait(PATIENCE) == 130
    show(watched)
    for home in (without, within):
        [run] = list_runs(home)
        print(f"{home.name}: {check_log(run):,} steps, each once")
    faults = [fault for each in watched for fault in each.faults()]
    assert not faults, "\n".join(faults)
