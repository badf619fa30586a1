"""Where things are: the home for runs and caches, and our own assets. No other module knows these folders."""

import os
import re
import shlex
import unicodedata
from pathlib import Path

import platformdirs

from tinylm.errors import ConfigError

APP_NAME = "tinylm-studio"


def home(override: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds runs, cache, presets and logs: `override`, else TINYLM_HOME, else the user data folder.

    It is not created here. ConfigError where it begins with the home of a user whom this machine does not know, or
    where nothing is chosen and this user has no home folder.
    """
    chosen = os.fspath(override or os.environ.get("TINYLM_HOME", ""))
    if expanded(chosen).startswith("~"):
        raise ConfigError(
            f"The home {chosen} cannot be used: this machine knows no user folder called {chosen.partition('/')[0]}.",
            f"Choose another --home, or write ./{chosen} for a folder that has this name.",
        )
    if chosen:
        return absolute(chosen)
    default = _user_data_folder()
    if default is None:
        raise ConfigError(
            "This user has no home folder, so there is no place for runs.", "Name one: --home DIR, or TINYLM_HOME=DIR."
        )
    return default


def home_flag(home: Path) -> str:
    """The option that a command needs to find this home: " --home DIR", or nothing for the user data folder."""
    return "" if home == _user_data_folder() else f" --home {shlex.quote(str(home))}"


def _user_data_folder() -> Path | None:
    """The user data folder; None for a user without a home folder, as some containers run programs."""
    try:
        path = platformdirs.user_data_path(APP_NAME, appauthor=False)
    except RuntimeError:
        return None
    return path if path.is_absolute() else None  # "~/…", from older versions of platformdirs


def absolute(path: str | os.PathLike[str]) -> Path:
    """`path` from the root, with `~` expanded; ConfigError where it is relative to a folder that was deleted."""
    try:
        return Path(expanded(path)).absolute()
    except FileNotFoundError:
        raise ConfigError("The current folder has been deleted.", "Go to another one, with cd.") from None


def shortened(path: Path) -> str:
    """`path` with `~` for this user's home folder."""
    user_folder = Path(expanded("~"))
    return str("~" / path.relative_to(user_folder) if path.is_relative_to(user_folder) else path)


def expanded(path: str | os.PathLike[str]) -> str:
    """`path` with `~` and `~user` expanded as shells do: where there is no such user, it is a name like any other."""
    return os.path.expanduser(path)  # noqa: PTH111  # Path.expanduser raises where there is no such user


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


MOST_NAME_CHARACTERS, MOST_NAME_BYTES = 64, 200
"""Longest name of a run or preset; file systems take 255 bytes, and some of our files put something around it."""

_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows after a dot."""

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that show nothing."""


def name_fault(name: str) -> str | None:
    """Why a run or preset cannot have this name, as a sentence that says which it can have; None if it can.

    What it can have leads out of no folder, controls no terminal, and shows in the order in which it is written.
    """
    if _RESERVED.fullmatch(name):
        return "Windows keeps that name for a device; add something to it."
    if len(name) > MOST_NAME_CHARACTERS or len(name.encode("utf-8", "replace")) > MOST_NAME_BYTES:
        return f"Use up to {MOST_NAME_CHARACTERS} characters, and {MOST_NAME_BYTES} bytes in UTF-8."
    if not name or name[0] == "." or unicodedata.category(name[0])[0] == "M" or not all(map(_in_names, name)):
        return "Use letters, digits, dots, underscores and hyphens, and no dot in front."
    return None


def name_from(text: str) -> str:
    """A short name made of the letters and digits of `text`, in lower case and joined by hyphens; "" if it has none."""
    composed = unicodedata.normalize("NFC", text.lower())
    name = "".join(" " if character in "._-" or not _in_names(character) else character for character in composed)
    name = "-".join(name.split())[:24].strip("-")
    return "" if name_fault(name) else name


def _in_names(character: str) -> bool:
    """Whether it is a letter, a digit, a mark that belongs to one, of any script, or one of `._-`."""
    return character in "._-" or (unicodedata.category(character)[0] in "LNM" and not _INVISIBLE.match(character))
