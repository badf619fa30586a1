"""Small files written whole or not at all: a reader, or a machine that loses power, finds the old one or the new."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tinylm.errors import RoomError, RunError


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and bring it on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, data: bytes) -> None:
    """Replace a file whole: a reader, or a machine that loses power, finds the old one or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    making = Path(name)
    try:
        write_durably(making, data)
        making.chmod(0o666 & ~umask())
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size(folder: Path) -> int:
    """Bytes that the disk has, full or free, where a folder lies or will lie."""
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir())).total


def umask() -> int:
    """What this process takes away from the rights of new files."""
    try:  # asking means setting it for an instant, in which another thread could make a file that all may write to
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("\nUmask:")[2].split(maxsplit=1)[0], 8)
    except (OSError, ValueError, IndexError):
        mask = os.umask(0)
        os.umask(mask)
        return mask


LONGEST_LINE = 1 << 20
"""Bytes of a line of a log at most; a longer one falls to pieces, none of which can be read."""


DEEPEST = 100
"""Levels of lists and tables in a JSON file at most; ours have five."""


def opened(path: Path) -> BinaryIO:
    """A plain file, open for reading; OSError where it is none."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return os.fdopen(handle, "rb")


def read(path: Path, most: int) -> bytes:
    """All of a plain file that has at most so many bytes; OSError where it is none, or larger."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and {most:,} are the most that make sense", str(path))
        return file.read(size)


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file from where it stands, with their ends."""
    return iter(lambda: file.readline(LONGEST_LINE), b"")


def table(data: bytes | str) -> dict[str, Any]:
    """The JSON object that `data` spells; ValueError where it is none, or nested beyond all reason."""
    try:
        found = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        level = [part for one in level if isinstance(one, dict | list) for part in _parts(one)]
        if not level:
            return found
    raise ValueError("it is nested too deep")


def _parts(node: dict[str, Any] | list[Any]) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node


def check_folder(folder: Path) -> None:
    """RunError where a run folder holds anything but plain files and folders of its own."""
    try:
        for entry in inside(folder):
            if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
                what = "a link" if entry.is_symlink() else "a pipe or a device"
                raise RunError(
                    f"{entry.path} is {what}, and a run holds plain files only: what is written there could land "
                    "anywhere.",
                    "Delete it, or put the file in its place that it stands for.",
                )
    except OSError as error:
        raise RunError(f"The run folder {folder} cannot be read: {error.strerror}.", "Check its rights.") from None


def inside(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All that lies in a folder and in its folders, however deep; what vanishes meanwhile is passed over."""
    waiting = [os.fspath(folder)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry


def refused(error: OSError, place: Path, *, begun: bool = False) -> RunError:
    """What an operating system's refusal means for a person; `begun`: for a run that can be resumed."""
    way_out = "then resume the run: what was saved is kept." if begun else "or choose another --home."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RoomError(f"There is no room left on the disk of {place}.", f"Free some, {way_out}")
    return RoomError(f"{error.filename or place} cannot be written: {error.strerror}.", f"Mend that, {way_out}")
