"""Every file that the program reads, broken in every way: a sentence with a way out, never a traceback, never a hang.

test_broken_files.py tries a few hundred inputs; the one in torture/ thousands, others every time.
"""

import json
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.run_files import contents, reforge
from tests.texts import SPOOL
from tests.waiting import PATIENCE
from tinylm import events
from tinylm.cli import console
from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig, SampleConfig
from tinylm.corpus.reading import read_paths
from tinylm.data.batches import Batches, Corpus
from tinylm.errors import TinyLMError
from tinylm.hardware import measured
from tinylm.hardware.measured import FastestSetting
from tinylm.inference import generate, load
from tinylm.runs import checkpoint, folder, listing, log_ends, organise, report
from tinylm.runs.folder import RunFolder
from tinylm.runs.notes import Notes
from tinylm.training.loop import train
from tui.terminal.preferences import Preferences

resource = pytest.importorskip("resource")  # which Windows does not have

MOST_SECONDS, MOST_MEGABYTES = 5.0, 400
"""What reading one file may take, and by how much the process may grow over all inputs of a reader."""


# ---- breaking a file ----------------------------------------------------------------------------------------------

HOSTILE_NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 1e-320, 0.5, True]
HOSTILE_TEXTS = [
    "", "\0", "\x1b]0;owned\x07", "\u009b2J", "\ud800", "../../../../etc/passwd", "/dev/zero", "a" * 100_000,
    "stories", "auto", "9" * 6000, "\u202e", "step-99999999", "{}", "NaN", "2m", "<|endoftext|>",
]  # fmt: skip
HOSTILE: list[Any] = [
    *HOSTILE_NUMBERS,
    *HOSTILE_TEXTS,
    None,
    [],
    {},
    [[]],
    {"": {}},
    [None] * 1000,
    float("nan"),
    float("inf"),
]


def nested(depth: int) -> Any:
    """A list in a list, and so on."""
    node: Any = []
    for _ in range(depth):
        node = [node]
    return node


def keys_of(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside a JSON value."""
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in parts:
        yield (*here, key)
        yield from keys_of(part, (*here, key))


def changed_json(rng: random.Random, text: str) -> str:
    """JSON with some of its values replaced, taken away or doubled; events line by line."""
    lines = text.splitlines() if text.count("\n{") and text.startswith('{"event"') else [text]
    chosen = rng.randrange(len(lines))
    table = json.loads(lines[chosen])
    for _ in range(rng.randrange(1, 4)):
        paths = list(keys_of(table))
        if not paths:
            break
        way = rng.choice(paths)
        node = table
        for key in way[:-1]:
            node = node[key]
        match rng.randrange(4):
            case 0 if isinstance(node, dict):
                del node[way[-1]]
            case 1:
                node[way[-1]] = [node[way[-1]]]
            case 2:
                node[way[-1]] = nested(rng.choice([5, 90, 200, 900]))
            case _:
                node[way[-1]] = rng.choice(HOSTILE)
    lines[chosen] = json.dumps(table)
    return "\n".join(lines) + "\n"


def changed_lines(rng: random.Random, text: str) -> str:
    """TOML (or any text of lines) with a value replaced, a line doubled, or a key that nobody knows."""
    lines = text.splitlines() or [""]
    at = rng.randrange(len(lines))
    key = lines[at].partition("=")[0].strip()
    value = rng.choice(HOSTILE)
    replacement = json.dumps(value) if value is not None else "1979-05-27"
    lines[at : at + 1] = rng.choice(
        [
            [f"{key} = {replacement}"],
            [lines[at], lines[at]],
            [lines[at], f"{rng.choice(['warp', 'a.b.c', 'model', '__class__'])} = {replacement}"],
            [f"{key} = {'[' * 3000}"],
            [f"{key}{'.a' * 20_000} = 1"],
            [f"[{'a.' * 20_000}b]", *(f"k{i} = 1" for i in range(200))],
            [f"{key} = {'9' * 5000}"],
            [],
        ]
    )
    return "\n".join(lines)


def broken(rng: random.Random, whole: bytes) -> bytes:
    """`whole` after one of the accidents and tricks."""
    size = len(whole)
    at, end = sorted((rng.randrange(size + 1), rng.randrange(size + 1)))
    text = whole.decode("utf-8", "replace")
    match rng.randrange(14):
        case 0:
            return whole[:at]
        case 1 | 2:
            spoilt = bytearray(whole)
            for _ in range(rng.choice([1, 1, 1, 3, 30])):
                if spoilt:
                    spoilt[rng.randrange(size)] ^= 1 << rng.randrange(8)
            return bytes(spoilt)
        case 3:
            return whole[:at] + rng.randbytes(rng.choice([1, 8, 1000])) + whole[at:]
        case 4:
            return whole[:at] + whole[end:]
        case 5:
            return whole[:end] + whole[at:]
        case 6:
            return whole[:at] + bytes(end - at) + whole[end:]
        case 7:
            return text.encode(rng.choice(["utf-16", "utf-32", "utf-16-be", "utf-8-sig", "cp500"]), "replace")
        case 8:
            return rng.choice(
                [b"", b"\0", b"null", b"[]", b"{}", b"3", b'"x"', b"\xff\xfe", b"PK\x03\x04", b"\x80\x04."]
            )
        case 9:
            return rng.choice([b"[", b'{"a":', b"[model]\na=", b"{"]) * rng.choice([500, 100_000])
        case 10:
            return rng.choice([b" ", b"\n", b"0", b"a.", b"\x1b", b"]", b"\\u0000"]) * 300_000
        case _:
            try:
                return changed_json(rng, text).encode("utf-8", "surrogatepass")
            except (ValueError, IndexError):
                return changed_lines(rng, text).encode("utf-8", "surrogatepass")


# ---- what reads ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainedHome:
    """A home with a trained run, to be broken."""

    path: Path

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.path / "runs" / "one")

    @property
    def checkpoint(self) -> Path:
        return self.run.checkpoints / "step-00000020"


def configured(home: TrainedHome) -> None:
    config, _ = resolve.from_run_folder(home.run.config_file)
    resolve.with_values(config, train={"threads": 1})
    resolve.to_toml(resolve.absolute_sources(config))


def given_config(home: TrainedHome) -> None:
    resolve.validate(resolve.merge(RunConfig().model_dump(), resolve.read_toml(home.run.config_file)))


def preset(home: TrainedHome) -> None:
    resolve.validate(resolve.merge(RunConfig().model_dump(), resolve.read_preset("mine", home.path)))


def tokenizer(home: TrainedHome) -> None:
    loaded = load.load_tokenizer(home.run)
    ids = loaded.encode("The fox saw 漢字 and <|endoftext|>.")
    assert int(ids.max(initial=0)) < loaded.vocab_size
    loaded.decode(ids.tolist())


def log(home: TrainedHome) -> None:
    log_ends.read_log_ends(home.run)
    state = home.run.state()
    assert 0 <= state.fraction <= 1
    for event in home.run.events():
        events.to_json(event)
    for renderer in (console.Plain(), console.Live()):
        with renderer:  # the panel is drawn where this ends
            for event in home.run.events():
                if not isinstance(event, events.Finished):  # it alone relies on the events of a whole run
                    renderer.event(event)
    if state.steps:
        report.progress(state)


def listed(home: TrainedHome) -> None:
    for entry in listing.read_listings(home.path):
        json.dumps(entry.as_row()).encode()


def state_file(home: TrainedHome) -> None:
    log_ends.read_checkpoint_state(home.run, "latest")
    checkpoint.load(home.checkpoint)


def forged_state(home: TrainedHome) -> None:
    reforge(home.checkpoint)
    checkpoint.load(home.checkpoint)


def pointer(home: TrainedHome) -> None:
    log_ends.read_checkpoint_state(home.run, "latest")
    assert checkpoint.find(home.run, "latest") == home.checkpoint


def written(home: TrainedHome) -> None:
    model, tokens = load.load_model(home.run, "latest")
    "".join(generate.generate_text(model, tokens, "The", SampleConfig(max_new_tokens=2)))


def forged_weights(home: TrainedHome) -> None:
    reforge(home.checkpoint)
    written(home)


def prepared(home: TrainedHome) -> None:
    corpus = Corpus(home.run.path, torch.device("cpu"))
    config = home.run.config()
    stream = corpus.stream(next(iter(corpus.layout.groups), ""), config.model.block_size)
    ids, _ = Batches(stream, config.data.windows, 4, 1).draw(0)
    assert 0 <= int(ids.min()) <= int(ids.max()) < corpus.tokenizer.vocab_size


def noted(home: TrainedHome) -> None:
    listed(home)
    Notes(home.path).part("bin")
    organise.set_note(home.path, home.run, "looks good")
    assert listing.read_listings(home.path)[0].note == "looks good"


def preferred(home: TrainedHome) -> None:
    Preferences.load(home.path)


def remembered(home: TrainedHome) -> None:
    measured.load(home.path, "a shape", FastestSetting)


def read_text(home: TrainedHome) -> None:
    read_paths([home.path / "text.txt"], "auto", SPOOL)


def pasted(home: TrainedHome) -> None:
    text = (home.path / "text.toml").read_bytes().decode("utf-8", "replace")
    for attempt in (
        lambda: resolve.validate(resolve.parse_toml(text)),
        lambda: resolve.assign(RunConfig().model_dump(), text),
        lambda: resolve.validate(resolve.assign(RunConfig().model_dump(), f"train.phases={text}")),
        lambda: resolve.validate(resolve.put(RunConfig().model_dump(), ["data", "sources"], [text])),
        lambda: Budget.parse(text),
        lambda: folder.check_name(text),
    ):
        with suppress(TinyLMError, ValueError):  # the app shows the message of a ValueError
            attempt()


READERS: dict[str, tuple[str, Callable[[TrainedHome], None]]] = {
    "a run's config.toml": ("runs/one/config.toml", configured),
    "--config": ("runs/one/config.toml", given_config),
    "a preset": ("presets/mine.toml", preset),
    "tokenizer.json": ("runs/one/tokenizer.json", tokenizer),
    "events.jsonl": ("runs/one/events.jsonl", log),
    "events.jsonl in the list": ("runs/one/events.jsonl", listed),
    "state.json": ("runs/one/checkpoints/step-00000020/state.json", state_file),
    "state.json with a sum": ("runs/one/checkpoints/step-00000020/state.json", forged_state),
    "latest": ("runs/one/checkpoints/latest", pointer),
    "model.safetensors": ("runs/one/checkpoints/step-00000020/model.safetensors", written),
    "model.safetensors with a sum": ("runs/one/checkpoints/step-00000020/model.safetensors", forged_weights),
    "a config.toml that lies": ("runs/one/config.toml", written),
    "a tokenizer.json that lies": ("runs/one/tokenizer.json", written),
    "data.json": ("runs/one/data/data.json", prepared),
    "tokens.bin": ("runs/one/data/tokens.bin", prepared),
    "notes.json": ("notes.json", noted),
    "studio.json": ("studio.json", preferred),
    "machine.json": ("cache/machine.json", remembered),
    "a text": ("text.txt", read_text),
    "what is pasted": ("text.toml", pasted),
}

WRITES: dict[Callable[[TrainedHome], None], str] = {
    forged_state: re.escape(READERS["state.json"][0]),
    forged_weights: re.escape(READERS["state.json"][0]),
    noted: r"notes\.json",
}
"""What a reader may change: forgers the sums, and who writes a note the notes, of which damaged ones are kept aside."""


# ---- trying it ----------------------------------------------------------------------------------------------------


class Hang(BaseException):
    """Reading took longer than it may."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise Hang in what computes for longer, or waits for much longer: a busy machine gives little of its time."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"longer than {seconds} s")

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, PATIENCE)}
    before = {number: signal.signal(number, ring) for number, _ in timers.values()}
    for timer, (_, limit) in timers.items():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Tally:
    """What came of so many inputs."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    """Seconds of computing."""


def is_readable(
    home: TrainedHome, whole: dict[str, bytes], file: str, read: Callable[[TrainedHome], None], data: bytes
) -> bool:
    """Read `data` in the place of a file: false where a sentence says what is wrong and how to mend it.

    Afterwards all is as it was, and the reader has not changed it.
    """
    (home.path / file).write_bytes(data)
    readable = True
    try:
        with within(MOST_SECONDS):
            read(home)
    except TinyLMError as error:
        readable = False
        assert error.message and error.hint and len(str(error)) < 2000  # noqa: PT017,PT018
    finally:
        after = contents(home.path)
        changed = {name for name in whole.keys() | after.keys() if whole.get(name) != after.get(name)}
        for name in changed:
            (home.path / name).unlink(missing_ok=True)
            if name in whole:
                (home.path / name).write_bytes(whole[name])
    writes = WRITES.get(read, "$")
    assert {name for name in changed if not re.match(writes, name)} <= {file}
    assert after[file] == data or re.match(writes, file)
    return readable


def fuzz(home: TrainedHome, file: str, read: Callable[[TrainedHome], None], rounds: int, fixed: bool) -> Tally:
    """Try so many broken versions of a file."""
    tally, whole = Tally(), contents(home.path)

    @hypothesis_settings(
        max_examples=rounds, deadline=None, derandomize=fixed, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(seed=st.integers(0, 2**32), junk=st.one_of(st.none(), st.none(), st.none(), st.binary(max_size=300)))
    def one(seed: int, junk: bytes | None) -> None:
        data = junk if junk is not None else broken(random.Random(seed), whole[file])
        start = time.process_time()
        tally.refused += not is_readable(home, whole, file, read, data)
        tally.inputs += 1
        tally.slowest = max(tally.slowest, time.process_time() - start)

    read(home)
    for name, data in whole.items():
        (home.path / name).write_bytes(data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    assert grown < MOST_MEGABYTES * 1024, f"the process grew by {grown / 1024:.0f} MB"
    return tally


def full_home(parent: Path, config: RunConfig) -> Path:
    """A home with a finished run and all files that a home may have."""
    home = parent / "home"
    home.mkdir()
    list(train(config, home, "one"))
    shutil.rmtree(home / "cache")
    (home / "presets").mkdir()
    shutil.copyfile(home / "runs" / "one" / "config.toml", home / "presets" / "mine.toml")
    shutil.copyfile(home / "runs" / "one" / "config.toml", home / "text.toml")
    (home / "text.txt").write_text("Once upon a time, the café was empty.\n" * 50, encoding="utf-8")
    organise.set_note(home, RunFolder(home / "runs" / "one"), "the first")
    Preferences("nord", "ascii").save(home)
    measured.store(home, "a shape", FastestSetting(2, "fp32"))
    return home
