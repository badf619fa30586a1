"""The command line as a stranger uses it: what it says, what it leaves behind, and with which code it exits."""

import errno
import io
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.command_line import ENDLESS, TINY, call, left_behind, one_message, spawn
from tests.waiting import PATIENCE
from tinylm import __version__, events
from tinylm.cli import console, headless, main
from tinylm.config import resolve
from tinylm.errors import DivergedError, RunError
from tinylm.hardware import memory
from tinylm.inference import generate
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint
from tinylm.runs.folder import RunFolder, list_runs, open_run
from tinylm.words import is_visible

# ---- faults that a person can mend --------------------------------------------------------------------------------

EMPTY, BLANK, SHORT = "empty.txt", "blank.txt", "short.txt"

REFUSED = {
    "unknown flag": (["--foo"], "--foo"),
    "two modes": (["--train", "--runs"], "--runs"),
    "two budgets": (["--train", "--time", "2m", "--steps", "3"], "--steps"),
    "no time": (["--train", "--time", "0"], "'0'"),
    "zero seconds": (["--train", "--time", "0s"], "0s"),
    "time in words": (["--train", "--time", "abc"], "abc"),
    "no steps": (["--train", "--steps", "0"], "0"),
    "negative steps": (["--train", "--steps", "-3"], "-3"),
    "steps in words": (["--train", "--steps", "many"], "many"),
    "no epochs": (["--train", "--epochs", "0"], "0"),
    "epochs that are no number": (["--train", "--epochs", "nan"], "nan"),
    "endless epochs": (["--train", "--epochs", "inf"], "inf"),
    "negative seed": (["--train", "--seed", "-1"], "train.seed"),
    "empty file": (["--train", "--data", EMPTY], EMPTY),
    "blank file": (["--train", "--data", BLANK], BLANK),
    "pictures": (["--train", "--data", "pictures"], "picture"),
    "missing file": (["--train", "--data", "missing.txt"], "missing.txt"),
    "no path": (["--train", "--data", ""], "--data"),
    "short text": (["--train", "--data", SHORT], "too short"),
    "heads": (["--train", "--set", "model.n_head=7", "--set", "model.n_kv_head=4"], "model.n_head=7"),
    "huge batch": (["--train", "--set", "train.batch_size=huge"], "train.batch_size"),
    "set without value": (["--train", "--set", "model.n_layer"], "KEY=VALUE"),
    "set of an unknown key": (["--train", "--set", "model.n_layers=2"], "model.n_layer?"),
    "set without group": (["--train", "--set", "n_layer=2"], "model.n_layer?"),
    "unknown key in a file": (["--train", "--config", "unknown.toml"], "model.n_layers"),
    "missing config": (["--train", "--config", "none.toml"], "none.toml"),
    "broken config": (["--train", "--config", "broken.toml"], "broken.toml"),
    "binary config": (["--train", "--config", "binary.toml"], "binary.toml"),
    "folder as config": (["--train", "--config", "pictures"], "pictures"),
    "unknown preset": (["--train", "--preset", "nope"], "quick"),
    "device that is not there": (["--train", "--device", "mps" if sys.platform == "linux" else "cuda"], "device"),
    "device that is none": (["--train", "--device", "quantum"], "quantum"),
    "precision of a GPU": (["--train", "--device", "cpu", "--set", "train.precision=fp16"], "fp16"),
    "nothing to resume": (["--train", "--resume"], "no run"),
    "resume of a stranger": (["--train", "--resume", "--run", "x"], "x"),
    "resume without train": (["--resume"], "--train"),
    "checkpoint without generate": (["--train", "--checkpoint", "best"], "--generate"),
    "count without generate": (["--train", "--count", "3"], "--generate"),
    "count of nothing": (["--count", "3"], "--generate"),
    "no continuations": (["--generate", "hi", "--count", "0"], "1 to 1,000"),
    "fewer than none": (["--generate", "hi", "--count=-2"], "1 to 1,000"),
    "too many continuations": (["--generate", "hi", "--count", "1001"], "1 to 1,000"),
    "endlessly many": (["--generate", "hi", "--count", "9" * 400], "1 to 1,000"),
    "continuations in words": (["--generate", "hi", "--count", "many"], "many"),
    "path as a name": (["--train", "--run", "../x"], "../x"),
    "no name": (["--train", "--run", ""], "''"),
    "long name": (["--train", "--run", "x" * 65], "64"),
    "nothing to generate from": (["--generate", "hi"], "no run"),
    "generate from a stranger": (["--generate", "hi", "--run", "x"], "x"),
    "home that is a file": (["--train", "--home", EMPTY], EMPTY),
    "listing a home that is a file": (["--runs", "--home", EMPTY], EMPTY),
    "one step for two phases": (["--train", "--preset", "seed", "--steps", "1"], "2 phases"),
}


@pytest.fixture(scope="module")
def unhappy(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Path:
    """A folder with files of every unhappy kind."""
    folder = tmp_path_factory.mktemp("unhappy")
    (folder / EMPTY).touch()
    (folder / BLANK).write_text(" \n\n\t \u3000\n")
    (folder / SHORT).write_text("Once upon a time.")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "unknown.toml").write_text("[model]\nn_layers = 2\n")
    (folder / "broken.toml").write_text("[model\nn_layer = ")
    (folder / "binary.toml").write_bytes(bytes(range(256)))
    shutil.copy(tiny_file, folder / "book.txt")
    return folder


@pytest.mark.parametrize(("arguments", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(
    arguments: list[str], expected: str, unhappy: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(unhappy)
    before = sorted(path.name for path in unhappy.rglob("*"))
    if "--train" in arguments:
        own = [argument for argument in ("--home", str(home)) if "--home" not in arguments]
        text = [argument for argument in ("--data", "book.txt") if "--data" not in arguments]
        # Whatever is accepted by mistake is over soon.
        length = [] if {"--time", "--steps", "--epochs", "--resume"} & set(arguments) else ["--steps", "2"]
        tiny = [] if "--resume" in arguments else TINY
        arguments = ["--train", *own, *text, *tiny, *length, *(item for item in arguments if item != "--train")]
    elif "--home" not in arguments:
        arguments = [*arguments, "--home", str(home)]
    result = call(*arguments)
    assert result.code == 2, result.err
    assert result.out == ""
    assert expected in one_message(result.err)
    assert left_behind(home) == []
    assert sorted(path.name for path in unhappy.rglob("*")) == before


def test_a_hint_on_a_short_text_helps(unhappy: Path, home: Path) -> None:
    """The smaller context that is proposed must be small enough, or not be proposed."""
    (unhappy / "two.txt").write_text("The fox saw the mill. " * 12)
    for name in (SHORT, "two.txt"):
        preset = ("--preset", "seed", "--set", "train.threads=1")  # whose context is not fitted to the text
        result = call("--train", "--home", home, "--data", unhappy / name, "--steps", 1, *preset)
        assert result.code == 2
        for proposed in re.findall(r"--set (model\.block_size=\d+)", result.err):
            again = call(*("--train", "--home", home, "--data", unhappy / name, *TINY, "--steps", 1, "--set", proposed))
            assert again.code == 0, f"{result.err}{again.err}"


def test_a_name_that_is_taken(trained_home: Path, tiny_file: Path) -> None:
    before = sorted(path.name for path in (trained_home / "runs" / "one").rglob("*"))
    result = call("--train", "--home", trained_home, "--data", tiny_file, *TINY, "--steps", 2, "--run", "one")
    assert result.code == 2
    assert "--resume" in one_message(result.err)
    assert sorted(path.name for path in (trained_home / "runs" / "one").rglob("*")) == before


@pytest.mark.parametrize("which", ["99", "-1", "../x", "newest", "", "9" * 5000])
def test_a_checkpoint_that_is_not_there(which: str, trained_home: Path) -> None:
    result = call("--generate", "hi", "--home", trained_home, f"--checkpoint={which}")
    if which:
        assert result.code == 2
        assert "12" in one_message(result.err)
    else:  # nothing named: the default
        assert result.code == 0


@pytest.mark.parametrize(
    "assignment", ["model.n_layer=2", "sample.temperature=-1", "sample.seed", "sample.x=1", "temperature=1", "sample=3"]
)
def test_generate_refuses_what_does_not_change_how_it_writes(assignment: str, trained_home: Path) -> None:
    result = call("--generate", "hi", "--home", trained_home, "--set", assignment)
    assert result.code == 2
    assert result.out == ""
    assert one_message(result.err)


def test_a_disk_that_is_full_while_copying(tiny_file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(shutil, "copyfile", full)
    result = call("--train", "--home", home, "--data", tiny_file, *TINY, "--steps", 2)
    assert result.code == 2
    assert "room" in one_message(result.err)
    assert "None" not in result.err
    assert left_behind(home) == []


def test_a_cuda_device_where_there_is_none(tiny_file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for mode in (["--train", "--data", tiny_file, *TINY, "--steps", 2], ["--generate", "hi"]):
        result = call(*mode, "--home", home, "--device", "cuda")
        assert result.code == 2
        one_message(result.err)
    assert left_behind(home) == []


def test_a_text_whose_name_is_no_unicode(tiny_file: Path, home: Path, tmp_path: Path) -> None:
    """Latin-1 names come off old disks; such a text is trained on, or refused in words."""
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    shutil.copy(os.fsencode(tiny_file), name)
    result = call("--train", "--home", home, "--data", os.fsdecode(name), *TINY, "--steps", 2)
    assert result.code in (0, 2), result.err
    if result.code == 2:
        one_message(result.err)
        assert left_behind(home) == []


# ---- our own faults -----------------------------------------------------------------------------------------------


def test_an_internal_error_is_one_sentence_and_a_log_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> int:
        raise RuntimeError("boom")

    monkeypatch.setattr(headless, "run", crash)
    result = call("--runs", "--home", home)
    assert result.code == 1
    assert result.out == ""
    assert "Traceback" not in result.err
    assert "boom" not in result.err
    (log,) = (home / "logs").iterdir()
    assert str(log) in result.err
    assert "boom" in log.read_text()
    assert "Traceback" in log.read_text()


def test_a_training_that_diverges(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object) -> int:
        raise DivergedError("It went up.", "Go lower.")

    monkeypatch.setattr(headless, "run", diverge)
    result = call("--runs", "--home", home)
    assert (result.code, result.err) == (3, "It went up. Go lower.\n")


# ---- --version and --help -----------------------------------------------------------------------------------------


def test_version_and_help() -> None:
    result = call("--version")
    assert (result.code, result.out, result.err) == (0, f"tinylm-studio {__version__}\n", "")
    result = call("--help")
    assert (result.code, result.err) == (0, "")
    promised = (
        "--train --generate --runs --doctor --version --data --preset --config --set --time --steps --epochs --run "
        "--count"
    )
    for flag in [
        *promised.split(),
        "--resume",
        "--checkpoint",
        "--count",
        "--device",
        "--seed",
        "--home",
        "--json",
        "--plain",
    ]:
        assert re.search(rf"^  (-h, )?{flag}\b", result.out, re.MULTILINE), flag


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--epoch", "3"], "--epochs"),
        (["--stpes", "3"], "--steps"),
        (["--lr", "3e-4"], "--set train.phases.0.max_lr="),
        (["--learning-rate=3e-4"], "--set train.phases.0.max_lr="),
        (["--n-layer", "6"], "--set model.n_layer="),
        (["--max-steps", "5"], "--steps"),
        (["--gpu"], "--device"),
        (["--prompt", "Once"], "--generate"),
        (["train", "--data", "books"], "--train"),
        (["--train", "--set", "learning_rate=1e-3"], "train.phases.0.max_lr"),
        (["--train", "--preset", "quik"], "quick"),
        (["--bench", "trian"], "train"),
        (["--train", "--data", "storis"], "stories"),
        (["--train", "--device", "gpu"], "cuda"),
    ],
)
def test_what_was_meant(arguments: list[str], meant: str, home: Path) -> None:
    result = call(*arguments, "--home", home)
    assert result.code == 2
    assert f"Did you mean {meant}" in one_message(result.err)


@pytest.mark.parametrize("flag", ["--banana", "-v", "--model=x", "--verbose"])
def test_no_flag_is_guessed(flag: str) -> None:
    result = call(flag)
    assert result.code == 2
    assert "Did you mean" not in one_message(result.err)


def test_flags_are_not_abbreviated() -> None:
    assert call("--vers").code == 2


# ---- --train ------------------------------------------------------------------------------------------------------


def test_json_is_the_whole_of_stdout(home: Path, tiny_file: Path) -> None:
    result = call(
        *("--train", "--home", home, "--data", tiny_file, "--preset", "seed", *TINY, "--steps", 12, "--json"),
        *("--run", "json", "--seed", 5, "--device", "cpu"),
    )
    assert (result.code, result.err) == (0, "")
    written = [events.from_json(line) for line in result.out.splitlines()]
    started, last = written[0], written[-1]
    assert isinstance(started, events.RunStarted)
    assert (started.run, started.dir, started.resumed_from) == ("json", str(home / "runs" / "json"), None)
    assert isinstance(last, events.Finished)
    assert (last.reason, last.step) == ("budget", 12)
    steps = [event for event in written if isinstance(event, events.StepDone)]
    assert [event.step for event in steps] == list(range(1, 13))
    assert [event.phase for event in steps] == ["cyclic"] * 6 + ["cosine"] * 6
    (plan,) = (event for event in written if isinstance(event, events.Planned))
    assert [(span.name, span.first, span.last) for span in plan.phases] == [("cyclic", 1, 6), ("cosine", 7, 12)]
    assert sum(isinstance(event, events.Finished | events.Failed) for event in written) == 1
    log = (home / "runs" / "json" / "events.jsonl").read_text(encoding="utf-8")
    assert log == result.out
    config = open_run(home, "json").config()
    assert (config.train.seed, config.train.device, config.preset) == (5, "cpu", "seed")
    assert "auto" not in (config.train.precision, config.train.compile, config.train.eval_interval)


def test_plain_ends_with_a_summary_on_stdout(home: Path, tiny_file: Path) -> None:
    result = call("--train", "--home", home, "--data", tiny_file, *TINY, "--steps", 3, "--plain")
    assert result.code == 0
    (run,) = list_runs(home)
    assert re.match(r"tiny-\d{8}-\d{6}$", run.name)
    assert result.out.startswith("Trained 3 steps")
    assert "bits per byte" in result.out
    assert str(run.path) in result.out
    assert f"Run {run.name}" in result.err
    assert "Traceback" not in result.err
    assert (run.path / "card.md").exists()


def test_a_run_works_without_cache_in_another_folder(finished_home: Path, tiny_text: str) -> None:
    """Without cache, moved to another folder, it still goes on and writes."""
    shutil.rmtree(finished_home / "cache")
    moved = finished_home.rename(finished_home.parent / "elsewhere")
    assert call("--generate", "The", "--home", moved).code == 0
    result = call("--train", "--resume", "--home", moved, "--steps", 14)
    assert result.code == 0, result.err
    assert tiny_text


def test_epochs_are_passes_over_the_text(home: Path, tiny_file: Path) -> None:
    result = call("--train", "--home", home, "--data", tiny_file, *TINY, "--epochs", "0.01", "--json")
    assert result.code == 0
    written = [events.from_json(line) for line in result.out.splitlines()]
    (data,) = (event for event in written if isinstance(event, events.DataPrepared))
    last = written[-1]
    assert isinstance(last, events.Finished)
    assert last.tokens == pytest.approx(0.01 * data.train_tokens, abs=32 + 16)


# ---- --resume -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["--steps", "12"], ["--set", "model.n_layer=1"], ["--device", "cpu"], ["--json"]])
def test_resuming_a_finished_run_changes_nothing(more: list[str], finished_home: Path) -> None:
    before = (finished_home / "runs" / "one" / "events.jsonl").read_bytes()
    result = call("--train", "--resume", "--home", finished_home, *more)
    assert result.code == 0
    assert result.out == ""
    assert "finished" in result.err
    assert (finished_home / "runs" / "one" / "events.jsonl").read_bytes() == before


def test_a_smaller_budget_does_not_reopen_a_finished_run(finished_home: Path) -> None:
    before = (finished_home / "runs" / "one" / "events.jsonl").read_bytes()
    result = call("--train", "--resume", "--home", finished_home, "--steps", 5)
    assert result.code == 0
    assert "finished" in result.err
    assert (finished_home / "runs" / "one" / "events.jsonl").read_bytes() == before


def test_resuming_with_more_steps_goes_on(finished_home: Path) -> None:
    result = call("--train", "--resume", "--home", finished_home, "--run", "one", "--steps", 20, "--json")
    assert (result.code, result.err) == (0, "")
    written = [events.from_json(line) for line in result.out.splitlines()]
    (started,) = (event for event in written if isinstance(event, events.RunStarted))
    assert started.resumed_from == 12
    assert [event.step for event in written if isinstance(event, events.StepDone)] == list(range(13, 21))
    state = open_run(finished_home, "one").state()
    assert [step.step for step in state.steps] == list(range(1, 21))
    assert state.finished
    assert state.finished.step == 20


def test_the_summary_of_a_resumed_run_is_as_full_as_any(finished_home: Path) -> None:
    result = call("--train", "--resume", "--home", finished_home, "--run", "one", "--steps", 20)
    assert result.code == 0
    assert "Nothing was held out" not in result.out
    assert "bits per byte" in result.out
    assert "blind guessing" in result.out


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--set", "model.n_layer=2"], "model.n_layer"),
        (["--seed", "9"], "train.seed"),
        (["--preset", "seed"], "model."),
        (["--set", "train.phases.0.max_lr=0.0123"], "train.phases.0.max_lr"),
        (["--set", "train.decay_epochs=7"], "train.decay_epochs"),
        (["--set", "train.phases=[{steps=5},{steps=5}]"], "2"),
        (["--data", "other.txt"], "data.sources"),
    ],
)
@pytest.mark.parametrize("budget", [[], ["--steps", "20"]])
def test_resuming_with_another_setting_is_refused(
    more: list[str], named: str, budget: list[str], finished_home: Path
) -> None:
    before = (finished_home / "runs" / "one" / "events.jsonl").read_bytes()
    result = call("--train", "--resume", "--home", finished_home, "--run", "one", *more, *budget)
    assert result.code == 2
    assert named in one_message(result.err)
    assert not set("{}'") & set(one_message(result.err)), "Python is no language for people"
    assert (finished_home / "runs" / "one" / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("relative", [False, True])
def test_resuming_with_the_options_it_was_begun_with(
    relative: bool, finished_home: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_file.parent)
    text = tiny_file.name if relative else tiny_file
    result = call("--train", "--resume", "--home", finished_home, "--run", "one", "--data", text, *TINY, "--steps", 14)
    assert result.code == 0, result.err


def test_resuming_with_auto_where_auto_was_chosen(finished_home: Path) -> None:
    auto = ["--set", "train.precision=auto", "--set", "train.compile=auto", "--set", "train.sample_interval=auto"]
    result = call(
        "--train", "--resume", "--home", finished_home, "--run", "one", "--steps", 14, *auto, "--device", "auto"
    )
    assert result.code == 0, result.err


def test_resuming_without_a_checkpoint_starts_over(finished_home: Path) -> None:
    run = RunFolder(finished_home / "runs" / "one")
    shutil.rmtree(run.checkpoints)
    lines = run.events_file.read_text().splitlines()
    run.events_file.write_text("\n".join(lines[:-4]) + '\n{"event": "st')
    result = call("--train", "--resume", "--home", finished_home, "--json")
    assert result.code == 0, result.err
    assert [step.step for step in run.state().steps] == list(range(1, 13))
    written = [events.from_json(line) for line in run.events_file.read_text().splitlines()]
    assert isinstance(written[0], events.RunStarted)


def test_a_run_that_is_being_trained_is_left_alone(finished_home: Path) -> None:
    lock = RunFolder(finished_home / "runs" / "one").lock()
    try:
        result = call("--train", "--resume", "--home", finished_home, "--run", "one", "--steps", 20)
    finally:
        lock.release()
    assert result.code == 2
    assert "another process" in one_message(result.err)


# ---- --generate ---------------------------------------------------------------------------------------------------


def test_generate_streams_the_prompt_and_what_follows(trained_home: Path) -> None:
    result = call("--generate", "The fox", "--home", trained_home, "--run", "one")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("The fox")
    assert len(result.out) > len("The fox\n")
    assert result.out.endswith("\n")


def test_an_error_while_it_writes_begins_on_a_line_of_its_own(
    trained_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Iterator[str]:
        yield " ran"
        raise RunError("The memory ran out.", "Close something.")

    monkeypatch.setattr(generate, "generate_text", fails)
    result = call("--generate", "The fox", "--home", trained_home)
    assert (result.code, result.out) == (2, "The fox ran\n")


def test_the_same_seed_writes_the_same(trained_home: Path) -> None:
    texts = [call("--generate", "The", "--home", trained_home, "--seed", seed).out for seed in (4, 4, 5)]
    assert texts[0] == texts[1] != texts[2]
    assert call("--generate", "The", "--home", trained_home, "--set", "sample.seed=5").out == texts[2]


def test_generate_reads_its_prompt_from_stdin(trained_home: Path) -> None:
    result = call("--generate", "-", "--home", trained_home, stdin="The café owner\n")
    assert result.code == 0
    assert result.out.startswith("The café owner\n")


@pytest.mark.parametrize("prompt", ["", "漢字 🦊 \x00 \udce9", "a" * 3000, " "], ids=["empty", "odd", "long", "space"])
def test_generate_takes_any_prompt(prompt: str, trained_home: Path) -> None:
    result = call(f"--generate={prompt}", "--home", trained_home, "--set", "sample.max_new_tokens=2")
    assert result.code == 0
    assert result.out.startswith(prompt.replace("\udce9", "?"))
    expected = len(prompt) < 1000 and bool(prompt.strip())  # else a note: how much is read, what it begins like
    assert (result.err == "") == expected


@pytest.mark.parametrize("length", [1, 12])
def test_new_texts_are_not_empty(length: int, trained_home: Path) -> None:
    new = ("--generate", "", "--home", trained_home, "--set", f"sample.max_new_tokens={length}")
    rows = [json.loads(line) for line in call(*new, "--count", 40, "--json").out.splitlines()]
    assert len(rows) == 40
    assert [row["seed"] for row in rows if not is_visible(row["text"])] == []
    assert "begins like a paragraph" in call(*new).err


@pytest.mark.parametrize("more", [(), ("--count", 3), ("--json",)], ids=str)
def test_a_continuation_of_nothing_is_said_to_be_one(
    more: tuple[object, ...], trained_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(self: Transformer, ids: Tensor, cache: KVCache) -> Tensor:
        return torch.eye(self.vocab_size)[[-1] * len(ids)] * 100  # the end of the text, whatever came before

    monkeypatch.setattr(Transformer, "next_logits", ending)
    result = call("--generate", "The fox", "--home", trained_home, *more)
    assert result.code == 0
    assert "nothing was added" in result.err
    assert "The fox" in result.out


@pytest.mark.parametrize("which", ["latest", "best", "12"])
def test_generate_reads_the_checkpoint_that_is_named(which: str, trained_home: Path) -> None:
    assert call("--generate", "The", "--home", trained_home, "--checkpoint", which).code == 0


def test_generate_writes_several_side_by_side(trained_home: Path) -> None:
    result = call("--generate", "The fox", "--home", trained_home, "--count", 3, "--seed", 4)
    assert (result.code, result.err) == (0, "")
    alone = [call("--generate", "The fox", "--home", trained_home, "--seed", seed).out for seed in (4, 5, 6)]
    texts = [text.rstrip("\n") for text in alone]
    assert result.out == "\n" + "\n\n".join(texts) + "\n\n"  # each between blank lines
    assert len(set(alone)) == 3


def test_generate_gives_a_line_of_json_for_each_text(trained_home: Path) -> None:
    length = ("--set", "sample.max_new_tokens=5")
    result = call("--generate", "The", "--home", trained_home, "--count", 4, "--seed", 2**63 - 2, "--json", *length)
    assert (result.code, result.err) == (0, "")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [list(row) for row in rows] == [["index", "prompt", "text", "tokens", "ended", "seed"]] * 4
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert [row["seed"] for row in rows] == [2**63 - 2, 2**63 - 1, 0, 1]  # the seeds begin again where they end
    for row in rows:
        assert row["prompt"] == "The"
        assert row["ended"] == (row["tokens"] < 5)
        again = call("--generate", "The", "--home", trained_home, "--seed", row["seed"], *length)
        assert again.out == f"The{row['text']}\n"


def test_generate_gives_one_line_of_json_where_no_count_is_given(trained_home: Path) -> None:
    (line,) = call("--generate", "-", "--home", trained_home, "--json", stdin="The\ncafé").out.splitlines()
    assert json.loads(line)["prompt"] == "The\ncafé"


@pytest.mark.parametrize("more", [[], ["--json"], ["--count", "2"]])
def test_generate_says_how_much_of_a_long_prompt_is_read(more: list[str], trained_home: Path) -> None:
    prompt = "The fox ran home. " * 20 + "The"
    result = call("--generate", prompt, "--home", trained_home, *more)
    assert result.code == 0
    assert "Only the last 16 of " in result.err
    assert "Only" not in result.out
    assert call("--generate", "The", "--home", trained_home, *more).err == ""


@pytest.mark.parametrize("prompt", ["The ", "The  ", " "])
def test_generate_writes_a_word_behind_a_space(prompt: str, trained_home: Path) -> None:
    result = call("--generate", prompt, "--home", trained_home)
    assert "The space at the end of the prompt" in result.err
    assert re.match(f"{prompt}(?! )", result.out)
    [line] = call("--generate", prompt, "--home", trained_home, "--json").out.splitlines()
    table = json.loads(line)
    assert table["prompt"] == prompt
    assert table["prompt"] + table["text"] == result.out.removesuffix("\n")


def test_generate_reads_a_piped_prompt_as_training_texts_are_read(trained_home: Path) -> None:
    result = call("--generate", "-", "--home", trained_home, "--json", stdin="\ufeffThe fox\r\nran cafe\u0301\r\n")
    assert json.loads(result.out)["prompt"] == "The fox\nran caf\u00e9\n"


def test_generate_says_which_checkpoint_writes_where_the_best_is_not_the_latest(finished_home: Path) -> None:
    checkpoints = finished_home / "runs" / "one" / "checkpoints"
    (checkpoints / "best").write_text("step-00000004\n", encoding="utf-8")
    best = call("--generate", "The", "--home", finished_home)
    assert "Step 4 " in best.err
    assert "step 12" in best.err
    asked = call("--generate", "The", "--home", finished_home, "--checkpoint", "4")
    assert (asked.out, asked.err) == (best.out, "")


def test_more_texts_than_the_memory_holds_are_refused(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda _: 2e6)
    assert call("--generate", "The", "--home", trained_home, "--count", 2).code == 0
    result = call("--generate", "The", "--home", trained_home, "--count", 1000)
    assert (result.code, result.out) == (2, "")
    assert "--count" in one_message(result.err)


# ---- --runs -------------------------------------------------------------------------------------------------------


def test_runs_where_there_are_none(home: Path) -> None:
    result = call("--runs", "--home", home)
    assert result.code == 0
    assert "--train" in result.out
    assert call("--runs", "--home", home, "--json").out == ""
    assert list(home.iterdir()) == []


def test_runs_as_a_table_and_as_lines(trained_home: Path) -> None:
    result = call("--runs", "--home", trained_home)
    assert (result.code, result.err) == (0, "")
    assert "one" in result.out
    assert "finished" in result.out
    assert "tiny.txt" in result.out
    (row,) = (json.loads(line) for line in call("--runs", "--home", trained_home, "--json").out.splitlines())
    assert (row["run"], row["state"], row["step"]) == ("one", "finished", 12)
    assert row["val_bpb"] > 0
    assert row["dir"] == str(trained_home / "runs" / "one")


def test_runs_in_every_state(finished_home: Path) -> None:
    lines = (finished_home / "runs" / "one" / "events.jsonl").read_bytes().splitlines(keepends=True)
    endings = {
        "interrupted": lines[:-1],
        "failed": [*lines[:-1], events.to_json(events.Failed("a", "b", "c")).encode()],
        "stopped": [*lines[:-1], lines[-1].replace(b'"budget"', b'"stopped"')],
        "empty": [],
    }
    for name, kept in endings.items():
        shutil.copytree(finished_home / "runs" / "one", finished_home / "runs" / name)
        (finished_home / "runs" / name / "events.jsonl").write_bytes(b"".join(kept))
    (finished_home / "runs" / "empty" / "config.toml").write_text("format = 1\nwarp = 9\n")
    assert call("--runs", "--home", finished_home).code == 0
    rows = {
        row["run"]: row for row in map(json.loads, call("--runs", "--home", finished_home, "--json").out.splitlines())
    }
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {name: name for name in endings} | {"one": "finished", "empty": "damaged"}


def test_runs_shows_names_of_texts_as_they_are(finished_home: Path) -> None:
    """Square brackets are no markup, and nothing in another person's run steers the terminal."""
    run = RunFolder(finished_home / "runs" / "one")
    sources = ["my [draft] book.txt", "a\x1b[2Jb.txt"]
    run.config_file.write_bytes(resolve.to_toml(resolve.with_values(run.config(), data={"sources": sources})).encode())
    result = call("--runs", "--home", finished_home)
    assert result.code == 0
    assert "[draft]" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize(
    "name", ["two\nlines", "carriage\rreturn", "a\ttab", "\u202etxt.exe", "\u200fmark", "a\u2028b"]
)
def test_runs_shows_any_name_on_one_line(name: str, finished_home: Path) -> None:
    run = RunFolder(finished_home / "runs" / "one")
    renamed = resolve.with_values(run.config(), data={"sources": [f"/texts/{name}"]})
    run.config_file.write_bytes(resolve.to_toml(renamed).encode())
    result = call("--runs", "--home", finished_home)
    assert (result.code, len(result.out.splitlines())) == (0, 2)
    assert not set(name) & set("\r\t\u202e\u200f\u2028") & set(result.out)
    (row,) = call("--runs", "--home", finished_home, "--json").out.splitlines()
    assert json.loads(row)["data"] == name


# ---- processes of their own ---------------------------------------------------------------------------------------


def check_stopped(home: Path) -> None:
    """The run ended well: with a checkpoint of its last step that loads, and let go of."""
    run = RunFolder(home / "runs" / "one")
    state = run.state()
    assert state.finished
    assert state.finished.reason == "stopped"
    newest, faults = checkpoint.newest_whole(run)
    assert newest
    assert faults == []
    assert newest.state.step == state.finished.step == state.steps[-1].step
    assert not run.is_locked()
    assert call("--generate", "The", "--home", home).code == 0


def test_an_interrupt_stops_with_a_checkpoint(home: Path, tiny_file: Path) -> None:
    process = spawn("--train", "--home", home, "--data", tiny_file, *TINY, *ENDLESS, "--run", "one", "--json")
    assert process.stdout
    for line in process.stdout:
        if b'"step"' in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert b'"finished"' in out.splitlines()[-1]
    check_stopped(home)


STOPPING = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
SIGNALS = [(getattr(signal, name), code) for name, code in STOPPING.items() if hasattr(signal, name)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_stops_with_a_checkpoint(
    number: signal.Signals, code: int, home: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(_: console.Json, event: events.Event) -> None:
        if isinstance(event, events.StepDone) and event.step == 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(console.Json, "event", send)
    result = call("--train", "--home", home, "--data", tiny_file, *TINY, *ENDLESS, "--run", "one", "--json")
    assert result.code == code
    check_stopped(home)


@pytest.mark.parametrize("mode", ["generate", "train"])
def test_a_closed_pipe_is_quiet(mode: str, tiny_file: Path, finished_home: Path) -> None:
    """As with `| head -c 20`."""
    arguments = {
        "generate": ["--generate", "The fox saw the moon", "--set", "sample.max_new_tokens=300"],
        "train": ["--train", "--data", tiny_file, *TINY, "--steps", 1000, "--json"],
    }[mode]
    process = spawn("--home", finished_home, *arguments)
    assert process.stdout
    assert process.stderr
    assert len(process.stdout.read(20)) == 20
    process.stdout.close()
    err = process.stderr.read()
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err
    assert b"our fault" not in err
    assert process.wait(timeout=PATIENCE) in (0, 128 + signal.SIGPIPE), err


@pytest.mark.parametrize("arguments", [["--runs"], ["--runs", "--json"], ["--help"]], ids=" ".join)
def test_a_pipe_that_is_closed_before_the_first_word_is_quiet(arguments: list[str], trained_home: Path) -> None:
    """The pipe is closed before the first word."""
    reader, writer = os.pipe()
    os.close(reader)
    process = spawn("--home", trained_home, *arguments, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=PATIENCE)
    assert err == b""
    assert process.returncode in (0, 128 + signal.SIGPIPE)


@pytest.mark.parametrize("count", [0, 3])
def test_the_app_has_no_count(count: int, home: Path) -> None:
    process = spawn("--count", count, "--home", home)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--count" in one_message(err.decode())


def test_a_prompt_on_stdin_that_is_no_text(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a locale such as en_US.UTF-8, Python reads its stdin strictly."""
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9 \xff\n"), encoding="utf-8", errors="strict")
    )
    result = call("--generate", "-", "--home", trained_home, "--set", "sample.max_new_tokens=2", stdin=None)
    assert result.code in (0, 2), result.err
    assert result.code == 2 or result.out.startswith("caf")


def test_a_prompt_from_a_stdin_that_is_closed(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    result = call("--generate", "-", "--home", trained_home, "--set", "sample.max_new_tokens=2", stdin=None)
    assert result.code in (0, 2), result.err


def test_a_terminal_that_does_not_know_every_character(trained_home: Path) -> None:
    """An old locale is no reason to fail: what cannot be shown is replaced."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="latin-1")
    with redirect_stdout(out):
        code = main.main(["--generate", "漢字 café", "--home", str(trained_home), "--set", "sample.max_new_tokens=2"])
        out.flush()
    assert code == 0
    assert b"caf\xe9" in raw.getvalue()


@pytest.fixture(autouse=True)
def _signals_are_given_back() -> Iterator[None]:
    """Whatever a training in this process does with signals, it undoes."""
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    yield
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before
