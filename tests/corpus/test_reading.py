"""Reading files and folders: order, what is left out, notices, errors."""

import hashlib
import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.texts import SPOOL
from tinylm.corpus.cleaning import Unwrap
from tinylm.corpus.reading import Reading, fingerprint, read_paths
from tinylm.errors import DataError

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(paths: Sequence[str | Path], unwrap: Unwrap = "auto") -> Reading:
    return read_paths(paths, unwrap, SPOOL)


def prints(paths: Sequence[str | Path]) -> object:
    return fingerprint(paths, math.inf)


def whole(reading: Reading) -> list[str]:
    """The texts of files, each one document."""
    return [str(document) for text in reading.texts for document in text.documents]


def names(reading: Reading) -> list[str]:
    return [text.name for text in reading.texts]


def test_one_file(tmp_path: Path) -> None:
    put(tmp_path, {"a.txt": "one\r\ntwo"})
    reading = read([tmp_path / "a.txt"])
    assert (names(reading), whole(reading), reading.notes) == (["a.txt"], ["one\ntwo"], ())
    assert read([str(tmp_path / "a.txt")]).texts[0].bits is None


def test_order_is_as_given_then_by_path(tmp_path: Path) -> None:
    put(tmp_path, {"z.txt": "z", "d/b.txt": "b", "d/a/z.md": "az", "d/a/a": "aa", "d/a.txt": "a", "d/B": "B"})
    reading = read([tmp_path / "z.txt", tmp_path / "d"])
    assert names(reading) == ["z.txt", "B", "a/a", "a/z.md", "a.txt", "b.txt"]
    prints = fingerprint([tmp_path / "z.txt", tmp_path / "d"], math.inf)
    assert [digest for _, digest in prints] == [hashlib.sha256(text.encode()).hexdigest() for text in whole(reading)]
    assert prints[2][0].endswith("d/a/a")


def test_what_a_folder_leaves_out_is_counted(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "photos",
        {
            "a.txt": "text",
            "1.png": PNG,
            "2.png": PNG + b"2",
            "noise": bytes(500),
            "empty": "",
            "blank.txt": " \n\t\n",
            ".hidden": "x",
            ".git/config": "x",
        },
    )
    reading = read([folder])
    assert names(reading) == ["a.txt"]
    (note,) = reading.notes
    parts = ("2 pictures", "2 empty files", "1 binary file", "1 hidden file", "1 hidden folder", "photos/")
    assert [part for part in parts if part not in note] == []


def test_a_hidden_file_named_outright_is_read(tmp_path: Path) -> None:
    put(tmp_path, {".notes": "text"})
    assert names(read([tmp_path / ".notes"])) == [".notes"]


def test_repeats_are_read_once_and_noted(tmp_path: Path) -> None:
    put(tmp_path, {"a.txt": "same", "b.txt": "same", "c.txt": "other", "d/a.txt": "same"})
    reading = read([tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"])
    assert names(reading) == ["a.txt", "c.txt"]
    (note,) = reading.notes
    assert "b.txt repeats a.txt" in note
    assert "a.txt was given twice" in read([tmp_path / "a.txt"] * 2).notes[0]
    assert "a.txt was given 3 times" in read([tmp_path / "a.txt"] * 3).notes[0]
    (note,) = read([tmp_path / "a.txt", tmp_path / "d"]).notes  # a folder of repeats is no error
    assert "d/a.txt repeats " in note


def test_other_encodings_are_noted(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "moby.txt": "“Call me Ishmaël”, he said…".encode("cp1252"),
            "u16.txt": "Hello there".encode("utf-16"),
            "bom.txt": "plain".encode("utf-8-sig"),
            "torn.txt": ("Всё смешалось" * 5).encode()[:-1],
        },
    )
    reading = read([tmp_path])
    named = (("moby.txt", "Windows-1252"), ("torn.txt", "damaged"))
    for note, (name, encoding) in zip(reading.notes, named, strict=True):
        assert note.startswith(name)
        assert encoding in note
    assert "Ishmaël" in reading.notes[0], "a guess shows words by which a person can judge it"
    assert "data.encoding=" in reading.notes[0]
    assert [text[:5] for text in whole(reading)] == ["plain", "“Call", "Всё с", "Hello"]


def test_cuts_and_joins_are_noted_and_unwrap_is_obeyed(tmp_path: Path) -> None:
    paragraph = "It rained in the village all day and nobody went out to the fields to look at the river. " * 8
    book = f"Title: Rain\n\n*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\n{textwrap.fill(paragraph, 70)}\n"
    put(tmp_path, {f"{i}.txt": f"{book}\nEnd {i}.\n" for i in range(6)})
    reading = read([tmp_path])
    cut, joined = reading.notes
    assert "Gutenberg" in cut
    assert "hard-wrapped" in joined
    assert all("0.txt, 1.txt, 2.txt and 3 more" in note for note in reading.notes)
    assert whole(reading)[0] == f"{paragraph.strip()}\n\nEnd 0.\n"
    assert textwrap.fill(paragraph, 70) in whole(read([tmp_path], unwrap="off"))[0]


@needs_pipes
def test_links_neither_loop_nor_vanish(tmp_path: Path) -> None:
    folder = put(tmp_path / "d", {"a.txt": "a", "sub/b.txt": "b"})
    put(tmp_path, {"outside.txt": "o"})
    (folder / "sub/loop").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "linked.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "itself").symlink_to(folder / "itself")
    os.mkfifo(folder / "pipe")
    reading = read([folder])
    assert names(reading) == ["a.txt", "linked.txt", "sub/b.txt"]
    for part in ("1 linked folder", "2 unreadable files", "1 special file"):
        assert part in reading.notes[0]
    (tmp_path / "door").symlink_to(folder)
    assert names(read([tmp_path / "door"])) == names(reading)  # a link that is named outright is followed


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, {"d/a.txt": "a", "d/locked.txt": "b"})
    real = Path.open

    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "locked.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert read([tmp_path / "d"]).notes[0].startswith("Left out 1 unreadable file in ")
    for function in (read, prints):
        with pytest.raises(DataError, match=r"locked\.txt may not be read"):
            function([tmp_path / "d/locked.txt"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.txt", None, r"missing\.txt does not exist"),
        ("nul\0name", None, "does not exist"),
        ("x" * 5000, None, "does not exist"),
        ("a.txt/b.txt", None, "does not exist"),
        ("empty.txt", b"", r"^empty\.txt is empty"),
        ("blank.txt", b" \r\n\t ", r"^blank\.txt is empty"),
        ("cat.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", r"cat\.jpg looks like a picture"),
        ("book.pdf", b"%PDF-1.7\n", r"book\.pdf looks like a PDF"),
        ("old.tgz", b"\x1f\x8b\x08\x00", r"old\.tgz looks like an archive"),
        ("noise", bytes(300), "noise looks like a binary file"),
    ],
)
def test_errors_name_the_file_and_have_a_hint(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    put(tmp_path, {"a.txt": "a"})
    if content is not None:
        put(tmp_path, {name: content})
    with pytest.raises(DataError, match=message) as caught:
        read([f"{tmp_path}/{name}"])
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")


def test_folders_without_text(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match=r"bare/ .* empty"):
        read([tmp_path / "bare"])
    put(tmp_path, {"album/1.png": PNG, "album/2.png": PNG, "album/.x": "x", "a.txt": "a"})
    with pytest.raises(DataError, match=r"album/ .* 2 pictures and 1 hidden file"):
        read([tmp_path / "a.txt", tmp_path / "album"])


@needs_pipes
def test_nothing_and_special_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for paths in ([], [""], [tmp_path / "pipe"], ["/dev/null"]):
        for function in (read, prints):
            with pytest.raises(DataError):
                function(paths)


def test_one_empty_file_of_two_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, {"a.txt": "a", "e.txt": ""})
    reading = read([tmp_path / "e.txt", tmp_path / "a.txt"])
    assert names(reading) == ["a.txt"]
    (note,) = reading.notes
    assert note.startswith("e.txt was empty")


def test_names_for_people_can_be_written_down(tmp_path: Path) -> None:
    try:
        put(tmp_path, {os.fsdecode(b"caf\xe9\x1b[31m.txt"): "text", "naïve 😀.txt": "more"})
    except OSError:
        pytest.skip("this file system only takes Unicode names")
    texts = read([tmp_path]).texts
    assert {text.name for text in texts} == {"caf\ufffd\ufffd[31m.txt", "naïve 😀.txt"}
    assert all(path.encode() for path, _ in fingerprint([tmp_path], math.inf))


def test_a_fingerprint_changes_with_the_content_of_texts_only(tmp_path: Path) -> None:
    put(tmp_path, {"a.txt": "a", "b.txt": "a", "p.png": PNG, ".h": "h"})
    before = fingerprint([tmp_path], math.inf)
    assert [Path(path).name for path, _ in before] == ["a.txt", "b.txt"]
    put(tmp_path, {"b.txt": "b"})
    after = fingerprint([tmp_path], math.inf)
    assert before[0] == after[0]
    assert before[1] != after[1]
