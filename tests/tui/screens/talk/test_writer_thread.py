"""The thread that writes, without a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.tui.scripts import ScriptedWriter, training, write_run
from tests.tui.talk_script import PacedEngine
from tests.waiting import until
from tinylm.config.schema import SampleConfig
from tinylm.errors import CheckpointError, DataError
from tinylm.inference.prompt import Prompt
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tui.engine import TokenCandidate, Writer, WrittenToken
from tui.screens.talk.writer_thread import CheckpointRef, Completion, WriterThread, newest_run, saved_steps

FIVE = SampleConfig(max_new_tokens=5)


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A run with checkpoints at 60, 120 and 180."""
    return write_run(home, "stories-test", training(200))


@pytest.fixture
def engine() -> PacedEngine:
    return PacedEngine()


@pytest.fixture
def writer_thread(engine: PacedEngine) -> Iterator[WriterThread]:
    thread = WriterThread(engine)
    yield thread
    engine.let(1000)
    thread.close()


def write(thread: WriterThread, *completions: Completion) -> Completion:
    """Let the thread write these, and wait; gives the first."""
    thread.ask(*completions)
    until(lambda: over(completions))
    return completions[0]


def over(completions: Sequence[Completion]) -> bool:
    return not any(completion.busy for completion in completions)


def save(run: RunFolder, step: int) -> None:
    """A checkpoint as a training leaves it."""
    (run.checkpoints / f"step-{step:08d}").mkdir(parents=True)
    (run.checkpoints / "latest").write_text(f"step-{step:08d}\n")


def test_source_reads_pointers_and_names(run: RunFolder) -> None:
    assert saved_steps(run) == [60, 120, 180]
    assert CheckpointRef(run).step() == 180
    (run.checkpoints / "best").write_text("step-00000120\n")
    assert CheckpointRef(run, "best").step() == 120
    (run.checkpoints / "best").write_text("step-00000999\n")  # points to what was deleted
    assert CheckpointRef(run, "best").step() == 180
    assert CheckpointRef(run, "60").step() == 60


def test_newest_run_prefers_one_that_can_write(home: Path) -> None:
    assert newest_run(home) is None
    empty = write_run(home, "new", training(10))
    assert newest_run(home) == empty
    old = write_run(home, "old", training(200))
    empty.events_file.touch()
    assert newest_run(home) == old


def test_a_text_is_written_to_its_length(writer_thread: WriterThread, run: RunFolder) -> None:
    completion = write(writer_thread, Completion(CheckpointRef(run), "A fox", FIVE))
    assert (completion.state, completion.step, len(completion.tokens)) == ("full", 180, 5)
    assert completion.text.startswith("A fox ")
    assert completion.speed
    assert not writer_thread.busy


def test_stopping_keeps_what_is_written(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    engine.free = False
    completion = Completion(CheckpointRef(run), "", FIVE)
    writer_thread.ask(completion)
    engine.let(2)
    until(lambda: len(completion.tokens) == 2)
    writer_thread.stop()
    engine.let(1)
    until(lambda: not completion.busy)
    assert completion.state == "stopped"
    assert 2 <= len(completion.tokens) <= 3


def test_end_of_text_ends_it(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    engine.end_after = 3
    completion = write(writer_thread, Completion(CheckpointRef(run), "", FIVE))
    assert completion.state == "ended"
    assert [token.end for token in completion.tokens] == [False, False, False, True]


def test_two_are_written_in_turn(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    a, b = (Completion(CheckpointRef(run, which), "x", FIVE) for which in ("180", "60"))
    write(writer_thread, a, b)
    assert engine.order == [180, 60] * 5


def test_latest_follows_and_the_old_one_stays_loaded(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    assert write(writer_thread, Completion(CheckpointRef(run), "", FIVE)).step == 180
    assert write(writer_thread, Completion(CheckpointRef(run), "", FIVE)).step == 180
    assert engine.loaded == ["180"]  # loaded once
    save(run, 240)
    assert write(writer_thread, Completion(CheckpointRef(run), "", FIVE)).step == 240
    assert engine.loaded == ["180", "240"]


def test_what_is_loaded_writes_on_where_its_checkpoint_was_pruned(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    assert write(writer_thread, Completion(CheckpointRef(run, "60"), "", FIVE)).state == "full"
    (run.checkpoints / "step-00000060").rmdir()
    again = write(writer_thread, Completion(CheckpointRef(run, "60"), "", FIVE))
    assert (again.state, again.step, engine.loaded) == ("full", 60, ["60"])


def test_it_waits_for_the_first_checkpoint(writer_thread: WriterThread, home: Path) -> None:
    run = folder.create(home, "young")
    completion = Completion(CheckpointRef(run), "", FIVE)
    writer_thread.ask(completion)
    until(lambda: completion.state == "waiting")
    save(run, 20)
    until(lambda: not completion.busy)
    assert (completion.state, completion.step) == ("full", 20)


def test_waiting_can_be_called_off_and_does_not_hold_up_the_other_pane(
    writer_thread: WriterThread, run: RunFolder, home: Path
) -> None:
    never = Completion(CheckpointRef(folder.create(home, "young")), "", FIVE)
    there = Completion(CheckpointRef(run), "", FIVE)
    writer_thread.ask(never, there)
    until(lambda: not there.busy)
    assert never.state == "waiting"
    writer_thread.stop()
    until(lambda: never.state == "stopped")


def test_a_damaged_checkpoint_fails_its_own_text_only(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    engine.broken = 60
    bad, good = Completion(CheckpointRef(run, "60"), "", FIVE), Completion(CheckpointRef(run), "", FIVE)
    write(writer_thread, bad, good)
    assert (bad.state, good.state) == ("failed", "full")
    assert isinstance(bad.error, CheckpointError)


def test_unknown_characters_are_a_fault_of_the_text(writer_thread: WriterThread, run: RunFolder) -> None:
    completion = write(writer_thread, Completion(CheckpointRef(run), "café", FIVE))
    assert isinstance(completion.error, DataError)
    assert completion.text == "café"


def test_branching_uses_the_very_ids(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    first = write(writer_thread, Completion(CheckpointRef(run), "ab", FIVE))
    candidate = first.tokens[2].candidates[1]
    branch = first.branched(2, candidate, FIVE)
    write(writer_thread, branch)
    before = [97, 98, *(token.token for token in first.tokens[:2]), candidate.token]
    assert engine.asked[-1][1] == before
    assert [token.token for token in branch.tokens[:3]] == before[2:]
    assert len(branch.tokens) == 3 + 5
    assert branch.tokens[2].candidates == first.tokens[2].candidates  # one can branch there again
    again = branch.again(SampleConfig(max_new_tokens=5, seed=1))
    write(writer_thread, again)
    assert engine.asked[-1][1] == before  # another seed keeps what was forced


def test_forcing_the_end_ends_it(writer_thread: WriterThread, run: RunFolder) -> None:
    first = write(writer_thread, Completion(CheckpointRef(run), "", FIVE))
    branch = first.branched(1, TokenCandidate(99, "<|endoftext|>", 0.1, 0.1, end=True), FIVE)
    write(writer_thread, branch)
    assert branch.state == "ended"
    assert (len(branch.tokens), branch.tokens[-1].end, branch.text) == (2, True, first.tokens[0].text)


def test_more_goes_on_behind_everything(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    completion = write(writer_thread, Completion(CheckpointRef(run), "ab", FIVE))
    ids = [97, 98, *(token.token for token in completion.tokens)]
    completion.reopen(FIVE)
    write(writer_thread, completion)
    assert engine.asked[-1][1] == ids
    assert len(completion.tokens) == 10


def test_other_settings_hold_from_the_next_token_on(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    engine.free = False
    completion = Completion(CheckpointRef(run), "ab", FIVE)
    writer_thread.ask(completion)
    engine.let(2)
    until(lambda: len(completion.tokens) == 2)
    writer_thread.tune(SampleConfig(max_new_tokens=5, seed=7))  # a seed is for the next text
    writer_thread.tune(SampleConfig(max_new_tokens=4, temperature=0.1, seed=7))
    engine.let(1000)
    until(lambda: not completion.busy)
    first, (step, ids, sampling) = engine.asked
    drawn = len(ids) - 2
    assert first == (180, [97, 98], FIVE)
    assert drawn in (2, 3), "a third may have been in the making"
    assert (step, ids) == (180, [97, 98, *(token.token for token in completion.tokens[:drawn])])
    assert sampling == SampleConfig(max_new_tokens=4 - drawn, temperature=0.1)
    assert (completion.state, len(completion.tokens)) == ("full", 4)
    writer_thread.tune(FIVE)  # what is written stays as it is known
    assert completion.sampling.temperature == 0.1


def four(run: RunFolder, which: str = "latest", prompt: str = "ab") -> list[Completion]:
    """Completions that differ in nothing but their seeds."""
    samplings = [SampleConfig(max_new_tokens=5, seed=seed) for seed in range(4)]
    return [Completion(CheckpointRef(run, which), prompt, sampling) for sampling in samplings]


def test_a_batch_is_what_its_seeds_give_alone(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    batch = four(run)
    writer_thread.ask_batch(batch)
    until(lambda: over(batch))
    assert [(each.state, each.step, each.drawn) for each in batch] == [("full", 180, 5)] * 4
    alone = four(run)
    write(writer_thread, *alone)
    assert [each.text for each in batch] == [each.text for each in alone]
    assert len({each.text for each in batch}) == 4
    assert all(each.speed for each in batch)


def test_stopping_a_batch_keeps_what_is_written(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    engine.free = False
    batch = four(run)
    writer_thread.ask_batch(batch)
    engine.let(9)
    until(lambda: sum(len(each.tokens) for each in batch) >= 8)
    writer_thread.stop()
    engine.let(100)
    until(lambda: over(batch))
    assert {each.state for each in batch} == {"stopped"}
    assert {len(each.tokens) for each in batch} <= {2, 3}


def test_a_damaged_checkpoint_fails_a_whole_batch(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    engine.broken = 60
    batch = four(run, "60")
    writer_thread.ask_batch(batch)
    until(lambda: over(batch))
    assert {each.state for each in batch} == {"failed"}
    assert all(isinstance(each.error, CheckpointError) for each in batch)


def test_a_batch_that_waits_can_be_called_off(writer_thread: WriterThread, home: Path) -> None:
    batch = four(folder.create(home, "young"))
    writer_thread.ask_batch(batch)
    writer_thread.stop()
    until(lambda: over(batch))
    assert {each.state for each in batch} == {"stopped"}


def test_other_settings_hold_for_each_text_of_a_batch(
    engine: PacedEngine, writer_thread: WriterThread, run: RunFolder
) -> None:
    engine.free = False
    batch = four(run)
    writer_thread.ask_batch(batch)
    engine.let(8)
    until(lambda: all(len(each.tokens) == 2 for each in batch))
    writer_thread.tune(SampleConfig(max_new_tokens=4, temperature=0.1))
    engine.let(1000)
    until(lambda: over(batch))
    assert [(each.state, len(each.tokens)) for each in batch] == [("full", 4)] * 4
    assert [each.sampling for each in batch] == [
        SampleConfig(max_new_tokens=4, temperature=0.1, seed=seed) for seed in range(4)
    ]


def test_split_characters_show_when_they_are_whole(run: RunFolder) -> None:
    whole = WrittenToken(2, "é", 0.5, 1.0, ())
    half = WrittenToken(1, "", 0.5, 1.0, ())
    completion = Completion(CheckpointRef(run), "caf", FIVE, tokens=[half, whole])
    assert completion.text == "café"


def test_a_step_saved_again_is_loaded_again(engine: PacedEngine, writer_thread: WriterThread, run: RunFolder) -> None:
    for _ in range(2):
        completion = Completion(CheckpointRef(run), "", FIVE)
        write(writer_thread, completion)
        (run.checkpoints / "step-00000180" / "model.safetensors").write_text("newer")
    assert engine.loaded == ["180", "180"]


def test_scripted_writer_has_what_the_real_one_has() -> None:
    mine = {name for name in dir(Writer) if not name.startswith("_")}
    assert mine <= set(dir(ScriptedWriter))


@pytest.fixture
def real_writer(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """A writer whose checkpoint has a small model of bytes that has learnt nothing."""
    import torch

    from tinylm.config.schema import ModelConfig
    from tinylm.data.tokenizer import Tokenizer
    from tinylm.model.transformer import Transformer

    shape = ModelConfig(n_layer=1, n_head=2, n_kv_head=1, n_embd=16, head_size=8, block_size=16)
    model = Transformer(shape, 257, torch.Generator().manual_seed(0))
    tokenizer = Tokenizer("byte", [bytes([byte]) for byte in range(256)])
    monkeypatch.setattr("tinylm.inference.load.load_model", lambda *_: (model, tokenizer))
    return Writer(run, "latest")


def test_real_writer_completes_split_characters(real_writer: Writer) -> None:
    first, second = "é".encode()
    assert real_writer.text_after([97], first) == ""
    assert real_writer.text_after([97, first], second) == "é"
    assert real_writer.text_after([], 97) == "a"


def test_a_space_that_ends_the_prompt_is_not_written_twice(
    run: RunFolder, writer_thread: WriterThread, engine: PacedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    healed = Prompt("A fox ", [65], begun=" ")
    monkeypatch.setattr("tests.tui.talk_script.PacedWriter.fit", lambda *_: healed)
    completion = Completion(CheckpointRef(run), "A fox ", FIVE)
    write(writer_thread, completion)
    assert "  " not in completion.text
    assert completion.text.startswith("A fox ")
    assert completion.tokens[1].text.startswith(" ")
    other = next(each for each in completion.tokens[0].candidates if each.token != completion.tokens[0].token)
    branch = completion.branched(0, other, FIVE)
    write(writer_thread, branch)
    assert branch.text.startswith(f"A fox {other.text.removeprefix(' ')}")


def test_real_writer_writes_several_as_it_writes_each(real_writer: Writer) -> None:
    import torch

    threads = torch.get_num_threads()
    sampling = SampleConfig(max_new_tokens=20, temperature=2.0)
    texts: dict[int, str] = {0: "", 1: "", 2: ""}
    for index, token in real_writer.write(Prompt("", [97, 0xC3]), [], sampling, [5, 0, 5], 2):
        texts[index] += token.text
    alone = "".join(token.text for _, token in real_writer.write(Prompt("", [97]), [0xC3], sampling, [0], 2))
    torch.set_num_threads(threads)
    assert texts[1] == alone
    assert texts[0] == texts[2] != texts[1]
