"""Every file that the program reads, broken in some ways; in thousands of ways: tests/torture."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import call, one_message
from tests.fuzzing import MOST_SECONDS, READERS, TrainedHome, full_home, fuzz, within
from tests.run_files import contents
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.inference import load

ROUNDS = 22
"""Inputs for each reader."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., RunConfig]) -> Path:
    """A home with all files that a home may have; not to be changed."""
    return full_home(tmp_path_factory.mktemp("fuzz"), tiny_config())


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> TrainedHome:
    """A copy of it to break."""
    return TrainedHome(Path(shutil.copytree(trained, tmp_path / "home")))


@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_an_error_with_a_hint(
    name: str, home: TrainedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = fuzz(home, *READERS[name], ROUNDS, fixed=True)
    assert tally.inputs >= ROUNDS
    assert tally.slowest < MOST_SECONDS


COMMANDS = {
    "generate from a broken config": ("runs/one/config.toml", b"[model]\nn_embd = 1e6\n", ["--generate", "hi"], 2),
    "generate with a broken tokenizer": ("runs/one/tokenizer.json", b"{}", ["--generate", "hi"], 2),
    "generate with no weights": (READERS["model.safetensors"][0], b"\xff" * 4096, ["--generate", "hi"], 2),
    "generate with a broken state": (READERS["state.json"][0], b"\x00\xffdamaged", ["--generate", "hi"], 2),
    "resume with a broken layout": (
        "runs/one/data/data.json", b'{"dtype": "uint16"}', ["--train", "--resume", "--steps", "30"], 2,
    ),
    "resume with ids that nobody knows": (
        "runs/one/data/tokens.bin", b"\xff" * 30_000, ["--train", "--resume", "--steps", "30"], 2,
    ),
    "a preset out of many names": ("presets/mine.toml", b"a." * 200_000 + b"b = 1", ["--train", "--preset", "mine"], 2),
    "a giant preset": ("presets/mine.toml", b"#" * (2 << 20), ["--train", "--preset", "mine"], 2),
    "runs with a broken log": ("runs/one/events.jsonl", b'{"event": "step"' * 1000, ["--runs"], 0),
    "runs with broken notes": ("notes.json", b"[" * 100_000, ["--runs"], 0),
}  # fmt: skip


@pytest.mark.parametrize(("file", "data", "arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_commands_on_broken_files_end_with_one_sentence(
    file: str, data: bytes, arguments: list[str], code: int, home: TrainedHome
) -> None:
    (home.path / file).write_bytes(data)
    before = {name: data for name, data in contents(home.path).items() if not name.startswith("cache/")}
    with within(30):
        result = call(*arguments, "--home", home.path)
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    if code:
        one_message(result.err)
    after = {name: data for name, data in contents(home.path).items() if not name.startswith("cache/")}
    assert after == before


def test_pieces_that_are_no_base64_and_ids_beyond_all_reason(home: TrainedHome) -> None:
    table = json.loads(home.run.tokenizer_file.read_text(encoding="utf-8"))
    for tokens in (
        ["AA=="] * 300_000,
        [base64.b64encode(bytes([i % 256, i // 256])).decode() for i in range(65536)] * 4,
    ):
        home.run.tokenizer_file.write_text(json.dumps(table | {"tokens": tokens}), encoding="utf-8")
        with pytest.raises(TinyLMError, match=r"tokenizer\.json"):
            load.load_tokenizer(home.run)
