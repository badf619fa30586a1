"""Writes files atomically, and reads files that nobody vouches for: regular files only, never more than a limit.

Run folders may come from strangers, with links, pipes or endless files in them.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from tinylm.errors import RoomError, RunError


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and flush it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, data: bytes) -> None:
    """Replace a file atomically: a reader, or a machine that lost power, finds the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write_durably(temporary, data)
        give_usual_rights(temporary, 0o666)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's list of names to the disk, where the system and the file system can."""
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no fsync for folders
            raise
    finally:
        os.close(handle)


def give_usual_rights(path: Path, mode: int) -> None:
    """Give what `tempfile` made for its owner alone the rights of other new files; `mode` is theirs before the umask.

    File systems without rights, such as FAT, refuse, and need none.
    """
    with suppress(OSError):
        path.chmod(mode & ~umask())


def existing_folder(path: Path) -> Path:
    """`path` where it is a folder, else the nearest folder above it."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def disk_size(path: Path) -> int:
    """The size in bytes of the disk that `path` is on, or will be on once it exists."""
    return shutil.disk_usage(existing_folder(path)).total


def free_path(folder: Path, name: str) -> Path:
    """A path in `folder` that does not exist yet: `name`, with a number behind it if need be."""
    numbered = (f"{name[: 63 - len(str(number))]}-{number}" for number in count(2))
    while (folder / name).exists():
        name = next(numbered)
    return folder / name


def umask() -> int:
    """The permissions that this process takes from new files."""
    try:  # os.umask can only ask by setting it, and meanwhile a thread could create a file that all may write to
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("\nUmask:")[2].split(maxsplit=1)[0], 8)
    except (OSError, ValueError, IndexError):
        mask = os.umask(0)
        os.umask(mask)
        return mask


LONGEST_LINE = 1 << 20
"""Longest line of a log in bytes; a longer one is read in pieces, which are no events."""


DEEPEST = 100
"""Deepest nesting of a JSON file; ours have five levels."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; OSError where it is none, such as a pipe, which would block."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return os.fdopen(handle, "rb")


def read(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes; OSError where it is none, or larger."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and {most:,} are the most that make sense", str(path))
        return file.read(size)


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file from its current position, with their line ends."""
    return iter(lambda: file.readline(LONGEST_LINE), b"")


def json_object(data: bytes | str) -> dict[str, Any]:
    """Parse a JSON object; ValueError where it is none, or nested deeper than DEEPEST."""
    try:
        table = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(table, dict):
        raise ValueError("it is no JSON object")
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
        if not level:
            return table
    raise ValueError("it is nested too deep")


def _children(node: dict[str, Any] | list[Any]) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node


def check_folder(folder: Path) -> None:
    """Check that a run folder holds only regular files and folders; RunError where there is a link, pipe or device."""
    try:
        for entry in walk(folder):
            if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
                what = "a link" if entry.is_symlink() else "a pipe or a device"
                raise RunError(
                    f"{entry.path} is {what}, and a run holds plain files only: what is written there could land "
                    "anywhere.",
                    "Delete it, or put the file in its place that it stands for.",
                )
    except OSError as error:
        raise RunError(f"The run folder {folder} cannot be read: {error.strerror}.", "Check its rights.") from None


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All files and folders in a folder, at any depth; those that disappear meanwhile are skipped."""
    waiting = [os.fspath(folder)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry


def disk_error(error: OSError, path: Path, *, resumable: bool = False) -> RunError:
    """The message for an OSError while writing to `path`; `resumable` where the run can be resumed."""
    way_out = "then resume the run: what was saved is kept." if resumable else "or choose another --home."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RoomError(f"There is no room left on the disk of {path}.", f"Free some, {way_out}")
    return RoomError(f"{error.filename or path} cannot be written: {error.strerror}.", f"Mend that, {way_out}")
