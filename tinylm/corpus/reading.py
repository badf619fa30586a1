"""Reads the files and folders that people name into cleaned texts.

A file that is named outright must be readable, or an error says what to do; in a named folder, what cannot be read is
left out and counted. A large file is read block by block, several times if need be, and its cleaned text goes to a
spool, so memory does not grow with the text.
"""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from tinylm.config.encodings import AUTO, codec_of
from tinylm.config.schema import STORIES
from tinylm.corpus.cleaning import Unwrap, clean
from tinylm.corpus.encoding import Encoding, Raw, decoded, encoding_of, looks_like
from tinylm.corpus.notices import Notices, abbreviated, shown, tally
from tinylm.corpus.spool import BLOCK, Spool, TextSpan
from tinylm.errors import DataError
from tinylm.paths import absolute, expanded
from tinylm.words import did_you_mean, gigabytes, with_article

_DISK_SHARE = 3  # disk space a text needs, in its sizes: the cleaned copy takes one, its tokens up to two
_HEAD = 512  # bytes by which a picture or a film is recognised before all of it is read
_BEYOND_ASCII = re.compile(r"[^\n\x80-\U0010ffff]*[\x80-\U0010ffff]")
_EXCERPT_FILES = 20
LARGE_FILE = 8 << 20
"""Larger files (bytes) are read in blocks; cleaning a whole one takes a dozen times its size in memory."""


@dataclass(frozen=True)
class Text:
    """A text: a file, which is one document, or the built-in stories."""

    name: str
    """The file's name, or its path relative to the folder given."""
    documents: tuple[TextSpan, ...]
    key: bytes
    """The hash of the raw file: a text that several phases read has the same one in each."""
    bits: tuple[float, ...] | None = None
    """The information in each document in bits, where it is known exactly: only for the built-in stories."""
    source: int = 0
    """Index of the path it was found under, among those given; of repeated files, the first one's."""


@dataclass(frozen=True)
class Reading:
    """All texts in reading order, and what was done to them in sentences."""

    texts: tuple[Text, ...]
    notes: tuple[str, ...]


def read_paths(paths: Sequence[str | Path], unwrap: Unwrap, spool: Spool, encoding: str = AUTO) -> Reading:
    """Read files, and folders with all that is in them, in the order given; inside a folder sorted by path.

    `encoding` is a value of `data.encoding`. The cleaned texts go to `spool`. Hidden files and folders, links to
    folders, binaries, empty and unreadable files inside a folder are left out and counted in the notes; identical files
    are read once. Raises DataError for a path that is missing, unreadable, a device, a binary or too large for the
    disk, for a folder without readable text, and if nothing is left; OSError if the disk of the spool is full.
    """
    files, folders = _walk(paths)
    notices = Notices()
    texts: list[Text] = []
    seen: dict[bytes, _File] = {}  # by the hash of the raw bytes
    for file in files:
        raw, small = _raw(file, spool.disk_size())
        if raw is None:
            continue
        digest = _digest(raw).digest()
        if first := seen.get(digest):
            notices.add_repeat(file.path, file.name, (first.path, first.name))
            file.keep()
            continue
        found = encoding_of(raw, encoding)
        if found is None:
            file.leave_out("binary file")
            continue
        text = partial(_text, file, raw, found)
        cleaned = clean("".join(text()) if small else text, unwrap)
        if not any(block.strip() for block in cleaned.blocks()):
            if file.folder is None:
                notices.empty.append(file.name)
            else:
                file.leave_out("empty file")
            continue
        seen[digest] = file
        file.keep()
        texts.append(Text(file.name, (spool.put(cleaned.blocks()),), digest, source=file.source))
        notices.add_text(file.name, found, cleaned.cut_gutenberg, cleaned.unwrapped)
    for folder in folders:
        if not folder.kept:
            instead = f", only {tally(folder.left_out)}" if folder.left_out else ": it is empty"
            raise DataError(
                f"{folder.name} holds no readable text{instead}.",
                "Give a folder that holds plain text files, best in UTF-8, or name a file.",
            )
    if not texts:
        raise DataError(
            f"{abbreviated(notices.empty)} {'is' if len(notices.empty) == 1 else 'are'} empty.",
            "Give a file with some text in it, or use the built-in text: stories.",
        )
    return Reading(tuple(texts), (*(f.note() for f in folders if f.left_out), *notices.sentences()))


def fingerprint(paths: Sequence[str | Path], disk: float) -> list[tuple[str, str]]:
    """(path, SHA-256 of the raw bytes) of the files that read_paths would open, in its order, undecoded.

    With the settings and CLEANING_VERSION this is the cache key of what read_paths returns. `disk` is the size in bytes
    of the disk that will hold the texts. Raises DataError as read_paths does for paths that are missing, too large or
    unreadable.
    """
    files, _ = _walk(paths)
    contents = ((file, _raw(file, disk)[0]) for file in files)
    return [(shown(file.path), _digest(raw).hexdigest()) for file, raw in contents if raw is not None]


def excerpt(paths: Sequence[str | Path], encoding: str, size: int = 1200) -> str:
    """About `size` characters of the first text with a line that is not ASCII, from that line on, else of the first.

    `encoding` is a value of `data.encoding`. Nothing is cleaned, and only the beginning of each file is looked at.
    Raises DataError for a path that is missing or unreadable.
    """
    files, _ = _walk(paths)
    first = ""
    for file in files[:_EXCERPT_FILES]:
        raw = partial(_blocks, file)
        found = encoding_of(raw) if encoding == AUTO else Encoding(codec_of(encoding), encoding, "replace")
        if found is None:
            continue
        text = "".join(islice(_text(file, raw, found), 2))
        if beyond := _BEYOND_ASCII.search(text):
            return text[beyond.start() : beyond.start() + size]
        first = first or text[:size]
    return first


# --- finding the files -----------------------------------------------------------------------------------


@dataclass
class _Folder:
    name: str
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def note(self) -> str:
        return f"Left out {tally(self.left_out)} in {self.name}."


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    source: int  # index among the paths given, of the file or of its folder
    folder: _Folder | None = None  # None for a file that was named outright

    def keep(self) -> None:
        if self.folder is not None:
            self.folder.kept += 1

    def leave_out(self, kind: str) -> None:
        """Count it in its folder, or raise DataError if it was named outright."""
        if self.folder is not None:
            self.folder.left_out[kind] += 1
            return
        raise DataError(
            f"{self.name} looks like {with_article(kind)}, not like text.",
            "Save its text as a plain text file, best in UTF-8, and give that.",
        )


def _walk(paths: Sequence[str | Path]) -> tuple[list[_File], list[_Folder]]:
    """All regular files to look into, in reading order, and the folders given."""
    if not paths:
        raise DataError("No text was given.", "Give files or folders, or use the built-in text: stories.")
    files: list[_File] = []
    folders: list[_Folder] = []
    for source, given in enumerate(paths):
        path = Path(expanded(given))
        name = shown(given)
        try:
            mode = path.stat().st_mode if os.fspath(given) else 0
        except PermissionError as error:
            raise _unreadable(name) from error
        except (OSError, ValueError) as error:  # missing, too long, a loop of links, a NUL in the name
            raise DataError(
                f"{name or 'A path without a name'} does not exist.",
                did_you_mean(path.name, _beside(path))
                or f"Check the spelling (relative paths start at {shown(absolute('.'))}), or use stories.",
            ) from error
        if stat.S_ISDIR(mode):
            folder = _Folder(name if name.endswith("/") else f"{name}/")
            folders.append(folder)
            files += _inside(path, folder, source)
        elif stat.S_ISREG(mode):
            files.append(_File(path, shown(path.name), source))
        else:
            raise DataError(
                f"{name or 'A path without a name'} is neither a file nor a folder.",
                "Save what it holds to a file first, and give that file.",
            )
    return files, folders


def _beside(path: Path) -> list[str]:
    """What could be meant instead of a path that does not exist: its neighbours, and the built-in text."""
    try:
        return [STORIES, *sorted(shown(name) for name in os.listdir(path.parent))]  # noqa: PTH208  # names are enough
    except (OSError, ValueError):
        return [STORIES]


def _inside(root: Path, folder: _Folder, source: int) -> list[_File]:
    """The regular files under a folder, sorted by path; links to files are followed, links to folders are not."""

    def failed(error: OSError) -> None:
        if error.filename == os.fspath(root):
            raise _unreadable(folder.name) from error
        folder.left_out["unreadable folder"] += 1

    paths: list[tuple[tuple[str, ...], Path]] = []
    for parent, subfolders, names in os.walk(root, onerror=failed):
        for name in list(subfolders):
            sub = Path(parent, name)
            if _hidden(sub) or sub.is_symlink():
                folder.left_out["hidden folder" if _hidden(sub) else "linked folder"] += 1
                subfolders.remove(name)
        for name in names:
            path = Path(parent, name)
            if _hidden(path):
                folder.left_out["hidden file"] += 1
                continue
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except OSError:
                folder.left_out["unreadable file"] += 1  # a broken link, mostly
                continue
            if regular:
                paths.append((path.relative_to(root).parts, path))
            else:
                folder.left_out["special file"] += 1  # reading a pipe could block for ever
    return [_File(path, shown("/".join(parts)), source, folder) for parts, path in sorted(paths)]


def _hidden(path: Path) -> bool:
    if path.name.startswith("."):
        return True
    attributes = getattr(path.lstat(), "st_file_attributes", 0) if os.name == "nt" else 0
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _raw(file: _File, disk: float) -> tuple[Raw | None, bool]:
    """The bytes of a file, None if its first ones leave it out of its folder; and whether they are all in memory."""
    try:
        with file.path.open("rb") as stream:
            head = stream.read(_HEAD)
            kind = looks_like(head)
            size = os.fstat(stream.fileno()).st_size
            if kind is None and _DISK_SHARE * size > disk:
                if file.folder is None:
                    raise _too_large(file.name, size, disk)
                kind = "oversized file"
            if kind is None:
                if size > LARGE_FILE:
                    return partial(_blocks, file), False
                whole = head + stream.read()
                return lambda: iter([whole]), True
    except OSError as error:
        if file.folder is None:
            raise _unreadable(file.name) from error
        kind = "unreadable file"
    file.leave_out(kind)
    return None, False


def _blocks(file: _File) -> Iterator[bytes]:
    try:
        with file.path.open("rb") as stream:
            yield from iter(lambda: stream.read(BLOCK), b"")
    except OSError as error:
        raise _unreadable(file.name) from error


def _text(file: _File, raw: Raw, encoding: Encoding) -> Iterator[str]:
    try:
        yield from decoded(raw, encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} changed while it was read.", "Wait until it is whole, and try again.") from error


def _digest(raw: Raw) -> "hashlib._Hash":
    digest = hashlib.sha256()
    for block in raw():
        digest.update(block)
    return digest


def _too_large(name: str, size: int, disk: float) -> DataError:
    return DataError(
        f"{name} has {gigabytes(size)}, and the disk {gigabytes(disk)}: a text needs {_DISK_SHARE} times its size "
        "there.",
        "Give a part of it, or choose a --home on a larger disk.",
    )


def _unreadable(name: str) -> DataError:
    return DataError(f"{name} may not be read.", "Change its permissions, or copy it to where you may read it.")
