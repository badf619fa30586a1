"""Small files written whole or not at all: a reader, or a machine that loses power, finds the old one or the new."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


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
