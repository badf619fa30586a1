"""Where things are: the home for runs and caches, and our own assets. No other module knows these folders."""

import os
import shlex
from pathlib import Path

import platformdirs

APP_NAME = "tinylm-studio"


def home(override: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds runs, cache, presets and logs: `override`, else TINYLM_HOME, else the user data folder.

    It is not created here.
    """
    chosen = override or os.environ.get("TINYLM_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path(APP_NAME, appauthor=False)


def home_flag(home: Path) -> str:
    """The option that a command needs to find this home: " --home DIR", or nothing for the user data folder."""
    return "" if home == platformdirs.user_data_path(APP_NAME, appauthor=False) else f" --home {shlex.quote(str(home))}"


def runs(home: Path) -> Path:
    """Run folders."""
    return home / "runs"


def trash(home: Path) -> Path:
    """Run folders that were thrown away; on disk it is called `bin`."""
    return home / "bin"


def cache(home: Path) -> Path:
    """Token files and compiled code; it may be deleted at any time."""
    return home / "cache"


def logs(home: Path) -> Path:
    """Tracebacks of crashes."""
    return home / "logs"


def results(home: Path) -> Path:
    """What benchmarks of recipes measured."""
    return home / "results"


def user_presets(home: Path) -> Path:
    """The user's own presets."""
    return home / "presets"


def assets() -> Path:
    """Our presets and style sheet: inside the package when installed as a wheel, beside it in a checkout."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"
