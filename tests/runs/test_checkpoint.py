"""Checkpoints: whole or not at all, verified, pruned; no crash and no damage costs more than the newest."""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.run_files import reforge
from tinylm import files
from tinylm.errors import CheckpointError
from tinylm.runs import checkpoint, folder
from tinylm.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, STATE, TrainState
from tinylm.runs.folder import RunFolder


@pytest.fixture
def run(home: Path) -> RunFolder:
    return folder.create(home, "a-run")


def weights(step: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {"a.weight": torch.randn(5, 3, generator=generator), "b.weight": torch.randn(4, generator=generator)}


def memory(step: int) -> dict[str, Tensor]:
    return {"a.weight.exp_avg": torch.full((5, 3), float(step)), "a.weight.step": torch.tensor(float(step))}


def put(run: RunFolder, step: int, best: bool = False, **values: object) -> Path:
    state = TrainState(step=step, tokens=step * 100, seconds=step / 3, plan_steps=99, **values)  # type: ignore[arg-type]
    return checkpoint.save(run, weights(step), memory(step), state, best)


def names(run: RunFolder) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def steps(run: RunFolder) -> list[int]:
    return [int(name[5:]) for name in names(run) if name.startswith("step-")]


def is_whole(path: Path, step: int) -> bool:
    loaded = checkpoint.load(path)
    model, optimizer = loaded.model(), loaded.optimizer()
    return (
        loaded.state.step == step
        and model.keys() == weights(step).keys()
        and all(torch.equal(model[name], value) for name, value in weights(step).items())
        and all(torch.equal(optimizer[name], value) for name, value in memory(step).items())
    )


# --- saving and loading --------------------------------------------------------------------------------------


def test_files_and_sums(run: RunFolder) -> None:
    path = put(run, 500)
    assert path == run.checkpoints / "step-00000500"
    assert sorted(file.name for file in path.iterdir()) == [MODEL, OPTIMIZER, STATE]
    assert names(run) == ["latest", "step-00000500"]
    table = json.loads((path / STATE).read_text(encoding="utf-8"))
    assert table["format"] == 1
    for name in (MODEL, OPTIMIZER):
        data = (path / name).read_bytes()
        assert table["files"][name] == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert (run.checkpoints / "latest").read_text(encoding="utf-8") == "step-00000500\n"


@pytest.mark.parametrize("averaged", [False, True])
def test_where_weights_are_averaged_both_are_kept(averaged: bool, run: RunFolder) -> None:
    state = TrainState(step=500, averaged=averaged)
    path = checkpoint.save(run, weights(1), memory(500), state, best=False, average=weights(2))
    assert sorted(file.name for file in path.iterdir()) == [AVERAGE, MODEL, OPTIMIZER, STATE]
    table = json.loads((path / STATE).read_text(encoding="utf-8"))
    assert table["averaged"] == averaged
    for name in (AVERAGE, MODEL, OPTIMIZER):
        data = (path / name).read_bytes()
        assert table["files"][name] == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    loaded = checkpoint.load(path)
    average = loaded.average()
    assert average is not None
    for tensors, expected in (
        (loaded.model(), weights(2 if averaged else 1)),
        (loaded.trained(), weights(1)),
        (average, weights(2)),
        (loaded.optimizer(), memory(500)),
    ):
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[name], value) for name, value in expected.items())
    assert (path / MODEL).read_bytes() == (put(run, 2 if averaged else 1) / MODEL).read_bytes()


def test_a_damaged_average_is_seen(run: RunFolder) -> None:
    path = checkpoint.save(run, weights(1), memory(5), TrainState(step=5), best=False, average=weights(2))
    flip(path / AVERAGE, 200)
    with pytest.raises(CheckpointError, match=f"{AVERAGE} is not what was saved"):
        checkpoint.load(path)
    (path / AVERAGE).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(path)


def test_everything_comes_back(run: RunFolder) -> None:
    state = TrainState(
        step=7,
        tokens=12345678901234,
        seconds=0.1 + 0.2,
        plan_steps=100,
        budget="2m",
        events_bytes=5,
        samples_bytes=6,
        best_val_bpb=1 / 3,
        best_val_loss=2 / 3,
        best_step=4,
        machine="a “machine”",
        bad_steps=2,
        loss_scale=65536.0,
    )
    loaded = checkpoint.load(checkpoint.save(run, weights(7), memory(7), state, best=False))
    assert loaded.state == state
    assert is_whole(loaded.path, 7)


def test_the_weights_file_depends_on_the_weights_alone(run: RunFolder) -> None:
    first = (put(run, 3) / MODEL).read_bytes()
    state = TrainState(step=4, seconds=99.0, machine="elsewhere")
    second = (checkpoint.save(run, weights(3), memory(9), state, best=True) / MODEL).read_bytes()
    assert first == second


def test_tensors_that_are_views_are_saved_as_seen(run: RunFolder) -> None:
    base = torch.arange(12.0).view(3, 4)
    views = {"turned": base.T, "part": base[1:, ::2]}
    loaded = checkpoint.load(checkpoint.save(run, views, {}, TrainState(step=1), best=False))
    assert loaded.optimizer() == {}
    for name, value in views.items():
        assert torch.equal(loaded.model()[name], value)


@pytest.mark.skipif(os.name == "nt", reason="no umask there")
def test_a_checkpoint_is_as_open_as_other_files(run: RunFolder) -> None:
    before = os.umask(0o022)
    try:
        path = put(run, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert stat.S_IMODE((run.checkpoints / "latest").stat().st_mode) == 0o644


def test_a_step_saved_twice_is_the_second_one(run: RunFolder) -> None:
    put(run, 5, events_bytes=1)
    path = put(run, 5, events_bytes=2)
    assert checkpoint.load(path).state.events_bytes == 2
    assert is_whole(path, 5)
    assert names(run) == ["latest", "step-00000005"]


# --- which one -----------------------------------------------------------------------------------------------


def test_find(run: RunFolder) -> None:
    assert not checkpoint.exists(run)
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        checkpoint.find(run)
    put(run, 5, best=True)
    put(run, 10)
    assert checkpoint.exists(run)
    assert checkpoint.find(run).name == "step-00000010"
    assert checkpoint.find(run, "best").name == "step-00000005"
    assert checkpoint.find(run, "5").name == "step-00000005"
    for which in ("6", "", "-5", "5.0", "worst", "../a", "\u00b2", "9" * 30):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.find(run, which)
        assert "5" in caught.value.hint
        assert "10" in caught.value.hint


def test_without_a_best_the_latest_is_the_best(run: RunFolder) -> None:
    put(run, 5)
    assert checkpoint.find(run, "best").name == "step-00000005"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"step-00000004",
        b"../checkpoints",
        b"../../outside",
        b"/etc",
        b"/etc/passwd00",
        b"step-0000000\n",
        b"." * 90_000,
        b"step-../../..",
        b"step-0000000\x005",
        b"step-00000005/..",
        b"\xff\xfe",
        b"damaged-step-00000005",
        "step-\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0665".encode(),
    ],
)
def test_a_pointer_never_leads_elsewhere(run: RunFolder, text: bytes) -> None:
    put(run, 5)
    put(run, 10)
    for pointer in ("latest", "best"):
        (run.checkpoints / pointer).write_bytes(text)
        assert checkpoint.find(run, pointer) == run.checkpoints / "step-00000010"
    checkpoint.prune(run, 1)
    assert steps(run) == [10]


def test_pointers_that_are_folders_or_gone_do_not_matter(run: RunFolder) -> None:
    put(run, 5)
    (run.checkpoints / "latest").unlink()
    (run.checkpoints / "best").mkdir()
    assert checkpoint.find(run, "latest") == checkpoint.find(run, "best") == run.checkpoints / "step-00000005"


# --- damage --------------------------------------------------------------------------------------------------


def flip(path: Path, position: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit at the start of the model": lambda path: flip(path / MODEL, 0),
    "a bit in the model": lambda path: flip(path / MODEL, 150),
    "a bit at the end of the optimizer": lambda path: flip(path / OPTIMIZER, -1),
    "a shorter model": lambda path: truncate(path / MODEL),
    "a longer model": lambda path: (path / MODEL).write_bytes((path / MODEL).read_bytes() + b"x"),
    "an empty optimizer": lambda path: (path / OPTIMIZER).write_bytes(b""),
    "no model": lambda path: (path / MODEL).unlink(),
    "no optimizer": lambda path: (path / OPTIMIZER).unlink(),
    "no state": lambda path: (path / STATE).unlink(),
    "nothing": lambda path: [file.unlink() for file in path.iterdir()],
    "a model that is a folder": lambda path: ((path / MODEL).unlink(), (path / MODEL).mkdir()),
    "a shorter state": lambda path: truncate(path / STATE),
    "an empty state": lambda path: (path / STATE).write_bytes(b""),
    "a state of zeros": lambda path: (path / STATE).write_bytes(bytes(500)),
    "a deep state": lambda path: (path / STATE).write_bytes(b"[" * 200_000),
    "a deep table": lambda path: (path / STATE).write_bytes(b'{"files":' * 200_000),
    "a list": lambda path: (path / STATE).write_bytes(b"[1]"),
    "a number": lambda path: (path / STATE).write_bytes(b"7"),
    "null": lambda path: (path / STATE).write_bytes(b"null"),
    "a text": lambda path: (path / STATE).write_bytes(b'"files"'),
    "an empty table": lambda path: (path / STATE).write_bytes(b"{}"),
    "no UTF-8": lambda path: (path / STATE).write_bytes(b"\xff{}"),
}


def with_state(change: Callable[[dict], object]) -> Callable[[Path], object]:
    """A change of state.json whose own sum is right."""

    def damage(path: Path) -> None:
        table = json.loads((path / STATE).read_bytes())
        change(table)
        del table["sha256"]
        table["sha256"] = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
        (path / STATE).write_text(json.dumps(table), encoding="utf-8")

    return damage


DAMAGES |= {
    "no sums": with_state(lambda table: table.pop("files")),
    "sums that are a list": with_state(lambda table: table.update(files=[])),
    "sums that are null": with_state(lambda table: table.update(files=None)),
    "a sum that is null": with_state(lambda table: table["files"].update({MODEL: None})),
    "one sum only": with_state(lambda table: table["files"].pop(OPTIMIZER)),
    "no step": with_state(lambda table: table.pop("step")),
    "a step that is a text": with_state(lambda table: table.update(step="5")),
    "a step that is null": with_state(lambda table: table.update(step=None)),
    "tokens that are a list": with_state(lambda table: table.update(tokens=[1])),
    "seconds that are a text": with_state(lambda table: table.update(seconds="x")),
    "half a byte": with_state(lambda table: table.update(events_bytes=1.5)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_seen_and_the_one_before_is_taken(run: RunFolder, damage: Callable[[Path], object]) -> None:
    put(run, 5)
    path = put(run, 10)
    damage(path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert caught.value.message
    assert caught.value.hint
    newest, faults = checkpoint.newest_whole(run)
    assert newest is not None
    assert newest.path.name == "step-00000005"
    assert len(faults) == 1
    assert steps(run) == [5]
    assert [name for name in names(run) if name.startswith("damaged-step-00000010")]
    assert checkpoint.find(run, "latest").name == "step-00000005"
    assert is_whole(put(run, 10), 10)


def test_no_flipped_bit_of_the_state_goes_unnoticed(run: RunFolder) -> None:
    path = put(run, 5, best_val_bpb=1.5, budget="2m")
    good = (path / STATE).read_bytes()
    before = checkpoint.load(path).state
    wrong = []
    for position in range(0, len(good), 3):
        (path / STATE).write_bytes(good)
        flip(path / STATE, position, bit=position % 5)
        try:
            loaded = checkpoint.load(path)
        except CheckpointError:
            continue
        if loaded.state != before:
            wrong.append(position)
    assert not wrong, f"{len(wrong)} single flipped bits change the state and go unnoticed"


def test_a_state_of_a_newer_version_loads_with_what_is_known(run: RunFolder) -> None:
    path = put(run, 5)
    table = json.loads((path / STATE).read_bytes())
    (path / STATE).write_text(json.dumps({**table, "future": {"a": [1]}}))
    reforge(path)
    assert is_whole(path, 5)


def test_files_that_verify_but_are_no_tensors_are_refused(run: RunFolder) -> None:
    path = put(run, 5)
    for data in (b"", b"not tensors", b"\xff" * 64, (10**9).to_bytes(8, "little") + b"{}"):
        loaded = checkpoint.Checkpoint(path, TrainState(step=5), {MODEL: data, OPTIMIZER: data})
        with pytest.raises(CheckpointError):
            loaded.model()
        with pytest.raises(CheckpointError):
            loaded.optimizer()


def test_when_all_are_damaged_there_is_none(run: RunFolder) -> None:
    for step in (5, 10):
        truncate(put(run, step) / MODEL)
    newest, faults = checkpoint.newest_whole(run)
    assert newest is None
    assert len(faults) == 2
    assert not checkpoint.exists(run)
    assert checkpoint.newest_whole(run) == (None, [])


def test_a_step_can_be_damaged_twice(run: RunFolder) -> None:
    put(run, 5)
    for _ in range(2):
        truncate(put(run, 10) / MODEL)
        newest, faults = checkpoint.newest_whole(run)
        assert newest is not None
        assert newest.path.name == "step-00000005"
        assert len(faults) == 1


# --- crashes in the middle of a save -------------------------------------------------------------------------

CALLS = [
    (files, "write_durably"),
    (files, "sync_folder"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "mkdir"),
    (os, "fsync"),
]


class Killed(BaseException):
    """Stands for a process that ends here: nothing after it may be counted on."""


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, at: int, error: BaseException) -> Iterator[list]:
    """Let the call number `at` of a function raise; yields a list of the calls that were made."""
    real = getattr(owner, name)
    calls: list[object] = []

    def sometimes(*arguments: object, **named: object) -> object:
        calls.append(arguments)
        if len(calls) == at:
            raise error
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, sometimes)
        yield calls


def check_after_a_crash(run: RunFolder, before: int, saving: int) -> None:
    latest = checkpoint.find(run, "latest")
    assert latest.name in (checkpoint.folder_name(before), checkpoint.folder_name(saving))
    for path in run.checkpoints.glob("step-*"):
        assert is_whole(path, int(path.name[5:]))
    newest, faults = checkpoint.newest_whole(run)
    assert newest is not None, "the checkpoint that was there is lost"
    assert faults == []
    assert newest.state.step in (before, saving)
    # The next save mends everything.
    put(run, saving + 1, best=True)
    checkpoint.prune(run, 1)
    assert names(run) == ["best", "latest", checkpoint.folder_name(saving + 1)]
    assert is_whole(checkpoint.find(run), saving + 1)


@pytest.mark.parametrize("again", [False, True], ids=["a new step", "the same step"])
@pytest.mark.parametrize("cleanup", [True, False], ids=["raised", "killed"])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[name for _, name in CALLS])
def test_a_crash_at_any_call_leaves_the_checkpoint_that_was_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, cleanup: bool, again: bool
) -> None:
    before, saving = 5, 5 if again else 10
    for at in range(1, 20):
        run = folder.create(home, f"run-{at}")
        put(run, before, best=True)
        with failing(monkeypatch, owner, name, at, Killed()) as calls, monkeypatch.context() as patch:
            if not cleanup:  # a killed process tidies nothing up
                patch.setattr(shutil, "rmtree", lambda *_, **__: None)
                patch.setattr(Path, "unlink", lambda *_, **__: None)
            try:
                put(run, saving, best=True)
                done = True
            except Killed:
                done = False
        if done:
            assert len(calls) < at
            break
        check_after_a_crash(run, before, saving)
    else:
        pytest.fail("more calls than were looked at")


def test_what_gets_its_name_is_on_the_disk_already(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    rename, replace = Path.rename, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: synced.add(os.fstat(handle).st_ino))

    def watched_rename(self: Path, target: Path) -> Path:
        if self.name.startswith(".making"):
            assert {path.stat().st_ino for path in (self, *self.iterdir())} <= synced
            synced.discard(run.checkpoints.stat().st_ino)
        return rename(self, target)

    def watched_replace(self: Path, target: Path) -> Path:
        assert self.stat().st_ino in synced
        assert run.checkpoints.stat().st_ino in synced, "the pointer is written before the folder's new name"
        return replace(self, target)

    monkeypatch.setattr(Path, "rename", watched_rename)
    monkeypatch.setattr(Path, "replace", watched_replace)
    for _ in range(2):
        put(run, 5, best=True)
    assert is_whole(checkpoint.find(run), 5)


def test_a_full_disk_passes_through_and_leaves_nothing_half(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(run, 5)
    for at in (1, 2, 3):
        error = OSError(errno.ENOSPC, "No space left on device")
        with (
            failing(monkeypatch, files, "write_durably", at, error),
            pytest.raises(OSError, match="No space") as caught,
        ):
            put(run, 10)
        assert caught.value is error
        assert names(run) == ["latest", "step-00000005"]
        assert is_whole(checkpoint.find(run), 5)


# --- pruning -------------------------------------------------------------------------------------------------


def test_the_last_ones_and_the_best_are_kept(run: RunFolder) -> None:
    for step in range(1, 8):
        put(run, step, best=step == 2)
        checkpoint.prune(run, 3)
        assert steps(run) == sorted({*range(max(1, step - 2), step + 1)} | ({2} if step > 2 else set()))
    assert steps(run) == [2, 5, 6, 7]
    assert is_whole(checkpoint.find(run, "best"), 2)
    checkpoint.prune(run, 1)
    assert steps(run) == [2, 7]


def test_pruning_sweeps_up_after_interrupted_saves_and_nothing_else(run: RunFolder) -> None:
    put(run, 5, best=True)
    (run.checkpoints / ".making-abc").mkdir()
    (run.checkpoints / ".making-abc" / MODEL).write_bytes(b"half")
    (run.checkpoints / ".latest-abc").write_bytes(b"half")
    (run.checkpoints / "notes").mkdir()
    checkpoint.prune(run, 3)
    assert names(run) == ["best", "latest", "notes", "step-00000005"]


# --- small files ---------------------------------------------------------------------------------------------


def test_replacing_a_file_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"old")
    with failing(monkeypatch, os, "fsync", 1, OSError(errno.ENOSPC, "full")), pytest.raises(OSError, match="full"):
        files.replace_durably(path, b"new")
    assert path.read_bytes() == b"old"
    files.replace_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]
