"""What a stranger could plant: nothing of it runs, nothing is written outside, nothing steers the terminal."""

import ast
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from tests.command_line import Result, call, one_message
from tests.run_files import contents, reforge
from tinylm import events, files
from tinylm.cli import console
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.data.batches import Corpus
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import RunError, TinyLMError
from tinylm.hardware import memory
from tinylm.inference import load
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint, listing, organise
from tinylm.runs.folder import RunFolder
from tinylm.training.loop import train
from tui.terminal.preferences import Preferences

resource = pytest.importorskip("resource")  # which Windows does not have

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\x90q\x9c\r\x08\x7f\u202etxt\u202c\u2066"
"""A title, a cleared screen, both kinds of CSI, a device string, what overwrites a line, and what turns text round."""

BIDIRECTIONAL = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
CONTROL = {chr(number) for number in (*range(32), *range(127, 160))} - {"\n", "\t"} | BIDIRECTIONAL

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., RunConfig]) -> Path:
    """A home with a run that was stopped, so that it can be resumed; not to be changed."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    home.mkdir()
    list(train(tiny_config(train={"stop_at": 10, "budget": "20 steps"}), home, "evil"))
    return home


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with what is precious to somebody."""
    folder = tmp_path / "outside"
    (folder / "step-00000001").mkdir(parents=True)
    (folder / ".making-x").mkdir()
    (folder / "precious.txt").write_text("years of work\n" * 9)
    (folder / "step-00000001" / "precious.txt").write_text("more of it\n")
    (folder / ".making-x" / "precious.txt").write_text("and the rest\n")
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy of the home, as if the run in it had come from a stranger."""
    return Path(shutil.copytree(made, tmp_path / "home"))


@pytest.fixture
def run(home: Path) -> RunFolder:
    return RunFolder(home / "runs" / "evil")


def resumed(home: Path, *more: str) -> Result:
    return call("--train", "--resume", "--run", "evil", "--home", home, "--steps", "30", *more)


def grown(work: Callable[[], object]) -> float:
    """By how many megabytes the process has never been as large before, and it may not compute for long."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    work()
    assert time.process_time() - start < 10
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


# ---- links, pipes and devices -------------------------------------------------------------------------------------

FILES = [
    "config.toml", "tokenizer.json", "events.jsonl", "samples.jsonl", "data/data.json", "data/tokens.bin", "card.md",
    ".lock", "checkpoints/latest", "checkpoints/best", "checkpoints/step-00000010/state.json",
    "checkpoints/step-00000010/model.safetensors", "checkpoints/step-00000010/optimizer.safetensors",
]  # fmt: skip


def replaced(run: RunFolder, file: str) -> Path:
    """The path of a file, free for something else."""
    path = run.path / file
    path.unlink(missing_ok=True)
    return path


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("trick", ["a link to a file", "a link to nothing", "a link to a device", "a pipe"])
def test_no_file_of_a_run_leads_elsewhere(file: str, trick: str, run: RunFolder, home: Path, outside: Path) -> None:
    path = replaced(run, file)
    if trick == "a pipe":
        os.mkfifo(path)
    else:
        targets = {"a link to a file": outside / "precious.txt", "a link to nothing": outside / "new"}
        path.symlink_to(targets.get(trick, Path("/dev/zero")))
    before = contents(outside)
    assert resumed(home).code == 2
    result = call("--generate", "hi", "--run", "evil", "--home", home)
    assert result.code == 2
    one_message(result.err)
    listed = call("--runs", "--json", "--home", home)
    assert listed.code == 0
    assert json.loads(listed.out)["run"] == "evil" or file == "config.toml"
    assert contents(outside) == before


@pytest.mark.parametrize("folder", ["checkpoints", "checkpoints/step-00000010", "data"])
def test_no_folder_of_a_run_leads_elsewhere(folder: str, run: RunFolder, home: Path, outside: Path) -> None:
    shutil.rmtree(run.path / folder)
    (run.path / folder).symlink_to(outside)
    before = contents(outside)
    result = resumed(home)
    assert result.code == 2
    assert "link" in one_message(result.err)
    assert call("--generate", "hi", "--run", "evil", "--home", home).code == 2
    assert call("--runs", "--home", home).code == 0
    assert contents(outside) == before


@pytest.mark.parametrize("name", ["..", ".", "../x", "/etc/x", "a/b", "a\\b", "x\n", "x\0", "-" * 65, "\x1b[2J", "~"])
def test_names_cannot_leave_the_home(name: str, home: Path, tiny_file: Path) -> None:
    before = set(home.parent.rglob("*"))
    for mode in (["--train", "--data", str(tiny_file), "--steps", "1"], ["--train", "--resume"], ["--generate", "hi"]):
        result = call(*mode, f"--run={name}", "--home", home)
        assert result.code == 2
        assert not CONTROL & set(result.err)
    with pytest.raises(TinyLMError):
        organise.rename(home, RunFolder(home / "runs" / "evil"), name)
    for which in ("../../../outside", f"step-{name}", "../latest"):
        with pytest.raises(TinyLMError):
            checkpoint.find(RunFolder(home / "runs" / "evil"), which)
    assert set(home.parent.rglob("*")) == before


def test_a_folder_deeper_than_any_path_can_be_listed(run: RunFolder, home: Path) -> None:
    before = Path.cwd()
    os.chdir(run.path)
    try:
        for _ in range(1500):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    finally:
        os.chdir(before)
    result = call("--runs", "--home", home)
    subprocess.run(["rm", "-rf", run.path / "d"], check=True)  # which pytest could not
    assert result.code == 0


# ---- sizes and shapes ---------------------------------------------------------------------------------------------


def planted_model(run: RunFolder, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Other weights in the checkpoint, with sums that are right."""
    folder = run.checkpoints / "step-00000010"
    tensors = load_tensors((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").write_bytes(save_tensors(change(tensors)))
    reforge(folder)


def planted_bytes(run: RunFolder, data: bytes) -> None:
    folder = run.checkpoints / "step-00000010"
    (folder / "model.safetensors").write_bytes(data)
    reforge(folder)


def header(table: object, data: bytes = b"") -> bytes:
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def configured(run: RunFolder, **model: object) -> None:
    table = resolve.read_toml(run.config_file)
    table["model"] |= model
    run.config_file.write_text(resolve.to_toml(resolve.validate(table)), encoding="utf-8")


WEIGHTS: dict[str, Callable[[RunFolder], object]] = {
    "a wide model": lambda run: configured(run, n_embd=8192, n_layer=96, n_head=128, n_kv_head=128, head_size=512),
    "a long context": lambda run: configured(run, block_size=65536, head_size=512),
    "one more layer": lambda run: configured(run, n_layer=2),
    "a header of 8 GB": lambda run: planted_bytes(run, struct.pack("<Q", 8 << 30) + b"{}"),
    "a header without an end": lambda run: planted_bytes(run, struct.pack("<Q", 2**64 - 1)),
    "no header": lambda run: planted_bytes(run, b""),
    "shapes beyond the file": lambda run: planted_bytes(
        run, header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, b"\0" * 8)
    ),
    "negative shapes": lambda run: planted_bytes(
        run, header({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, b"\0" * 8)
    ),
    "offsets beyond the file": lambda run: planted_bytes(
        run, header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [2**50, 2**50 + 8]}})
    ),
    "types that are none": lambda run: planted_bytes(
        run, header({"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4)
    ),
    "a header nested deep": lambda run: planted_bytes(run, struct.pack("<Q", 100_000) + b"[" * 100_000),
    "double precision": lambda run: planted_model(run, lambda t: {k: v.double() for k, v in t.items()}),
    "whole numbers": lambda run: planted_model(run, lambda t: {k: v.int() for k, v in t.items()}),
    "no numbers": lambda run: planted_model(run, lambda t: {k: torch.full_like(v, torch.nan) for k, v in t.items()}),
    "endless numbers": lambda run: planted_model(
        run, lambda t: {k: torch.full_like(v, torch.inf) for k, v in t.items()}
    ),
    "other names": lambda run: planted_model(run, lambda t: {f"x.{k}": v for k, v in t.items()}),
    "a pickle": lambda run: planted_bytes(run, pickle.dumps(Bomb(run.path / "ran"))),
    "a pickle for a state": lambda run: (run.checkpoints / "step-00000010" / "state.json").write_bytes(
        pickle.dumps(Bomb(run.path / "ran"))
    ),
}


def test_weights_too_large_to_write_with(run: RunFolder, home: Path) -> None:
    planted_model(run, lambda tensors: tensors | {"head.weight": torch.full_like(tensors["head.weight"], 3e38)})
    result = call("--generate", "hi", "--run", "evil", "--home", home, "--checkpoint", "latest")
    assert result.code == 2
    one_message(result.err)


class Bomb:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("plant", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_are_checked_before_memory_is_allocated(plant: Callable[[RunFolder], object], run: RunFolder) -> None:
    plant(run)

    def read() -> None:
        with pytest.raises(TinyLMError) as caught:
            load.load_model(run, "latest")
        assert caught.value.hint

    assert grown(read) < 100
    assert not (run.path / "ran").exists()


def test_a_context_that_no_memory_holds(run: RunFolder, tiny_config: Callable[..., RunConfig]) -> None:
    """Its weights fit into 13 MB; keys and values of one text would take 51 GB."""
    shape = {"n_layer": 96, "n_head": 16, "n_kv_head": 16, "n_embd": 8, "head_size": 64, "block_size": 65536}
    configured(run, **shape)
    short = Transformer(run.config().model.model_copy(update={"block_size": 8}), load.load_tokenizer(run).vocab_size)
    planted_model(run, lambda _: short.state_dict())

    def read() -> None:
        with pytest.raises(TinyLMError, match="context"):
            load.load_model(run, "latest")

    assert grown(read) < 200


@pytest.mark.parametrize("file", [*FILES[:2], "data/data.json", "checkpoints/latest", *FILES[-3:]])
def test_a_giant_without_content_is_not_read(file: str, run: RunFolder, home: Path) -> None:
    size = 1 << 40
    with (run.path / file).open("ab") as giant:
        giant.truncate(size)
    state = run.checkpoints / "step-00000010" / "state.json"
    if file.endswith(".safetensors"):
        table = json.loads(state.read_bytes())
        table["files"][Path(file).name]["size"] = size
        del table["sha256"]
        table["sha256"] = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
        state.write_text(json.dumps(table))

    def read() -> None:
        for work in (
            lambda: load.load_model(run, "10"),
            lambda: Corpus(run.path, CPU),
            lambda: listing.read_listings(home),
        ):
            try:
                work()
            except TinyLMError as error:
                assert error.hint  # noqa: PT017

    assert grown(read) < 100


def test_a_checkpoint_larger_than_the_memory_is_not_set_aside(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(run.path)
    monkeypatch.setattr(memory, "free", lambda _: 1000.0)
    with pytest.raises(RunError, match="are free"):
        checkpoint.newest_whole(run)
    assert contents(run.path) == before


def test_a_text_larger_than_the_disk(home: Path, tmp_path: Path) -> None:
    giant = tmp_path / "giant.txt"
    giant.write_text("Once upon a time")
    os.truncate(giant, 1 << 42)

    def read() -> None:
        result = call("--train", "--home", home, "--data", giant)
        assert result.code == 2
        assert "the disk" in one_message(result.err)

    assert grown(read) < 100


def changed(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | values), encoding="utf-8")


LAYOUTS: dict[str, Callable[[dict[str, list[dict[str, object]]]], dict[str, object]]] = {
    "places beyond the file": lambda _: {"held_out": [[2**62, 2**62 + 1]]},
    "places beyond counting": lambda _: {"held_out": [[0, 10**30]]},
    "the same over and over": lambda _: {"held_out": [[0, 9000]] * 100_000},
    "signs that are texts": lambda groups: {
        "groups": {name: [{**part, "before": "x" * 999} for part in parts] for name, parts in groups.items()}
    },
    "groups of other texts": lambda groups: {"groups": {"others": next(iter(groups.values()))}},
    "baselines that are texts": lambda _: {"baselines": {"floor": STEERING}},
    "wide ids": lambda _: {"dtype": "object"},
}


@pytest.mark.parametrize("change", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layout_is_checked_before_a_training_follows_it(
    change: Callable[[dict[str, list[dict[str, object]]]], dict[str, object]], run: RunFolder, home: Path
) -> None:
    file = run.path / "data" / "data.json"
    changed(file, **change(json.loads(file.read_text(encoding="utf-8"))["groups"]))
    result = resumed(home)
    assert result.code == 2
    assert not CONTROL & set(result.err)


@pytest.mark.parametrize("special", [10**9, -1, 0, None, "1", {}])
def test_a_special_token_is_the_last(special: object, run: RunFolder) -> None:
    changed(run.tokenizer_file, special={"<|endoftext|>": special})
    with pytest.raises(TinyLMError, match=r"tokenizer\.json"):
        load.load_tokenizer(run)


NUMBERS = {
    "a batch beyond the memory": ["train.batch_size=65536", "train.accumulation_steps=4096"],
    "steps beyond counting": [f"train.phases.0.steps={10**400}"],
    "a text without an end": [f"sample.max_new_tokens={10**18}"],
    "evaluations without an end": [f"train.eval_iters={10**18}"],
    "a warm-up beyond counting": ["train.phases.0.warmup_steps=1e308"],
}


@pytest.mark.parametrize("assignments", NUMBERS.values(), ids=NUMBERS)
def test_numbers_have_an_end(assignments: list[str], home: Path, tiny_file: Path) -> None:
    more = [part for assignment in assignments for part in ("--set", assignment)]
    assert grown(lambda: one_message(call("--train", "--data", tiny_file, "--home", home, *more).err)) < 100
    assert [path.name for path in (home / "runs").iterdir()] == ["evil"]


# ---- what could steer a terminal ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """What counts as a terminal."""

    def isatty(self) -> bool:
        return True


def steering(event: events.Event) -> events.Event:
    """The event with every text in it made hostile."""
    table = json.loads(events.to_json(event))
    for name, value in table.items():
        if name not in ("event", "utc", "reason") and isinstance(value, str):
            table[name] = f"{value}{STEERING}"
    hostile = events.from_json(json.dumps(table))
    assert hostile is not None
    return hostile


def test_no_event_steers_the_terminal(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    sequence = [*map(steering, run.events()), events.Note(STEERING), events.Warned(*[STEERING] * 3)]
    sequence.append(events.Rescued(9, 5, 1, 0.5, STEERING))
    for renderer in (console.Plain(), console.Live(), console.Json()):
        with renderer:
            for event in sequence:
                renderer.event(event)
        result = capsys.readouterr()
        assert "owned" in result.out + result.err
        unwanted = CONTROL - BIDIRECTIONAL if isinstance(renderer, console.Json) else CONTROL
        assert not unwanted & set(result.out + result.err)


def test_nothing_of_a_run_steers_the_terminal(
    home: Path, run: RunFolder, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run.config()
    config = resolve.with_values(config, data={"sources": [f"/x/{STEERING}.txt"]}, sample={"prompt": "The"})
    run.config_file.write_text(resolve.to_toml(config), encoding="utf-8")
    run.events_file.write_text("".join(events.to_json(steering(event)) + "\n" for event in run.events()))
    organise.set_note(home, run, STEERING)
    shutil.copytree(run.path, run.path.with_name(f"a{STEERING}"))
    (home / "notes.json").write_text(json.dumps({"runs": {"evil": {"name": STEERING, "note": f"\ud800{STEERING}"}}}))
    for arguments in (["--runs"], ["--runs", "--json"], ["--generate", STEERING, "--run", "evil"], ["--generate", "x"]):
        out, err = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        from tinylm.cli import main

        main.main([*arguments, "--home", str(home)])
        # Rich styles the table's head: its own sequences set colours and weights, and nothing else.
        result = out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "") + err.getvalue()
        assert not CONTROL & set(result), arguments


def test_a_model_cannot_write_what_steers_the_terminal(
    run: RunFolder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every token that it knows is a sequence of its own."""
    tokenizer = load.load_tokenizer(run)
    pieces = [bytes([i]) for i in range(256)]
    pieces += [f"\x1b]0;{i}\x07\x9b2J".encode() for i in range(tokenizer.vocab_size - 257)]
    run.tokenizer_file.write_text(Tokenizer("bpe", pieces).to_json(), encoding="utf-8")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    from tinylm.cli import main

    assert main.main(["--generate", "x", "--run", "evil", "--home", str(home), "--set", "sample.temperature=5"]) == 0
    assert "\ufffd" in out.getvalue()
    assert not CONTROL & set(out.getvalue())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--train", "--data", STEERING],
        ["--train", "--config", STEERING],
        ["--train", "--preset", STEERING],
        ["--train", "--set", f"model.{STEERING}=1"],
        ["--train", "--set", f"train.device={STEERING}"],
        ["--train", "--run", STEERING],
        ["--train", "--time", STEERING],
        ["--generate", "x", "--checkpoint", STEERING],
        ["--generate", "x", "--set", f"sample.{STEERING}=1"],
        [f"--{STEERING}"],
        [STEERING, "--train"],
    ],
)
def test_no_fault_steers_the_terminal(arguments: list[str], home: Path) -> None:
    result = call(*arguments, "--home", home)
    assert result.code == 2
    assert not CONTROL & set(result.err + result.out)


def test_no_crash_steers_the_terminal(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError(STEERING)

    monkeypatch.setattr(listing, "read_listings", crash)
    (home / "logs").write_text("no folder, so that the traceback is printed")
    result = call("--runs", "--home", home)
    assert result.code == 1
    assert "owned" in result.err
    assert not CONTROL & set(result.err)


# ---- code, rights and temporary files -----------------------------------------------------------------------------

RUNS_CODE = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "subprocess"}
UNSAFE_CALLS = {("torch", "load"), ("np", "load"), ("os", "system"), ("os", "popen"), ("builtins", "exec")}
SOURCES = sorted(path for folder in ("tinylm", "tui") for path in (Path(__file__).parent.parent / folder).rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_pickle_no_eval_no_shell(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            unsafe = {name.partition(".")[0] for name in named} & UNSAFE
            starts_processes = source.name in ("bench.py", "compiler.py") or source.parent.name == "bench"
            assert not unsafe or (starts_processes and unsafe == {"subprocess"})
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                assert function.id not in RUNS_CODE
            elif isinstance(function, ast.Attribute):
                assert (ast.unparse(function.value), function.attr) not in UNSAFE_CALLS
            for keyword in node.keywords:
                assert keyword.arg not in ("shell", "allow_pickle")


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_files_have_the_rights_of_the_umask(
    mask: int, tmp_path: Path, tiny_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    home = tmp_path / "home"
    before = os.umask(mask)
    try:
        list(train(tiny_config(train={"stop_at": 2}), home, "one"))
        organise.set_note(home, RunFolder(home / "runs" / "one"), "fine")
        Preferences("nord").save(home)
    finally:
        os.umask(before)
    for path in home.rglob("*"):
        open_to = (0o777 if path.is_dir() else 0o666) & ~mask
        assert path.stat().st_mode & 0o777 == open_to, path
    assert list(elsewhere.iterdir()) == []


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path, outside: Path) -> None:
    link = tmp_path / "studio.json"
    link.symlink_to(outside / "precious.txt")
    before = contents(outside)
    Preferences("nord").save(tmp_path)
    files.replace_durably(link, b"{}")
    assert contents(outside) == before
    assert not link.is_symlink()
