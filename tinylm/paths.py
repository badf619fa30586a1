"""The only place that knows directories: the user's home for runs and caches, and our own assets."""

import os
import shlex
from pathlib import Path

import platformdirs

APP_NAME = "tinylm-studio"


def home(override: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds runs, cache, presets and logs: `override`, else TINYLM_HOME, else the user data folder.

    Nothing is created.
    """
    chosen = override or os.environ.get("TINYLM_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path(APP_NAME, appauthor=False)


def flag(home: Path) -> str:
    """What finds this home from a new shell: " --home DIR" behind a command, nothing where it is the usual one."""
    return "" if home == platformdirs.user_data_path(APP_NAME, appauthor=False) else f" --home {shlex.quote(str(home))}"


def runs(home: Path) -> Path:
    """Where run folders lie."""
    return home / "runs"


def cache(home: Path) -> Path:
    """Where token files and compiled code lie; it may be deleted at any time."""
    return home / "cache"


def logs(home: Path) -> Path:
    """Where the tracebacks of our own faults go."""
    return home / "logs"


def results(home: Path) -> Path:
    """Where benchmarks of recipes keep their runs' figures."""
    return home / "results"


def user_presets(home: Path) -> Path:
    """Where a person's own presets lie."""
    return home / "presets"


def assets() -> Path:
    """Presets and the style sheet: inside the package when installed as a wheel, beside it in a checkout."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"
