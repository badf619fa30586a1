"""Training batches, held-out sequences, and the gap between them."""

import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tinylm.config.schema import RunConfig
from tinylm.corpus import split
from tinylm.data import prepare
from tinylm.data.batches import GAP_SHARE, Batches, Corpus, HeldOut, Stream, without_gaps
from tinylm.data.dataset import Layout, Segment
from tinylm.data.shuffle import mix, permute
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import DataError, RunError
from tinylm.model.transformer import IGNORE_INDEX

CPU = torch.device("cpu")
BYTES = Tokenizer("byte", [bytes([byte]) for byte in range(256)])
ENDLESS = copy(BYTES)
ENDLESS.vocab_size = 1 << 32
Configured = Callable[..., RunConfig]


def corpus_of(folder: Path, ids: np.ndarray, layout: Layout | None = None) -> Corpus:
    """A corpus of given ids, all known to its tokenizer; one training segment unless `layout` says otherwise."""
    (folder / "data").mkdir(parents=True)
    ids.tofile(folder / "data" / "tokens.bin")
    layout = layout or Layout(str(ids.dtype), {"g": [Segment(0, len(ids), False, False)]}, [], 0, 0, {}, [])
    (folder / "data" / "data.json").write_text(layout.to_json(), encoding="utf-8")
    (folder / "tokenizer.json").write_text(BYTES.to_json(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tokenizer, "from_json", lambda _: ENDLESS)
        return Corpus(folder, CPU)


def counting(folder: Path, size: int, block_size: int, version: int = 1) -> Stream:
    """A stream whose ids are their own positions."""
    layout = Layout("uint32", {"g": [Segment(0, size, False, False)]}, [], 0, 0, {}, [], version)
    return corpus_of(folder, np.arange(size, dtype=np.uint32), layout).stream("g", block_size)


# --- the gap between training and held-out text -------------------------------------------------------------


@pytest.fixture
def prepared(
    home: Path, tmp_path: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Prepares a text in which every character stands once, so that an id is its position."""

    def make(placement: str, size: int = 5000, version: int = 1) -> Path:
        monkeypatch.setattr(split, "MIN_SPANS_CHARS", 1000)
        monkeypatch.setattr(split, "SHORT_CHARS", 1000)
        path = tmp_path / "positions.txt"
        path.write_text("".join(map(chr, range(0x4E00, 0x4E00 + size))), encoding="utf-8")
        config = tiny_config(
            tokenizer={"kind": "char"},
            data={"sources": [str(path)], "val_placement": placement, "val_fraction": 0.1, "split": version},
        )
        return prepare.prepare(config, home)

    return make


@pytest.mark.parametrize("windows", ["chunked", "every_offset"])
@pytest.mark.parametrize(("placement", "version", "gap"), [("tail", 1, 16), ("spans", 1, 16), ("spans", 2, 2)])
def test_no_sequence_comes_near_held_out_text(
    prepared: Callable[..., Path], placement: str, version: int, gap: int, windows: str
) -> None:
    size, block_size = 5000, 16
    corpus = Corpus(prepared(placement, size, version), CPU)
    end_of_text = corpus.tokenizer.end_of_text
    held = torch.cat([corpus.read(torch.arange(start, end)) for start, end in corpus.layout.held_out])
    held = held[held != end_of_text]  # a character's id is its position in the text
    assert len(held) == pytest.approx(0.1 * size, abs=8)
    forbidden = torch.zeros(size + 2 * gap, dtype=torch.bool)
    for shift in range(2 * gap + 1):  # held-out text and a gap on both sides of it
        forbidden[held + shift] = True

    [group] = corpus.layout.groups
    batches = Batches(corpus.stream(group, block_size), windows, 64, seed=5)
    seen = torch.zeros(size, dtype=torch.bool)
    for step in range(2 * batches.sequences_per_epoch // 64 + 1):  # two epochs and a bit
        ids, targets = batches.draw(step)
        for part in (ids, targets):
            inside = part[part != end_of_text]
            assert not forbidden[inside + gap].any()
            seen[inside] = True
    # The gap is no larger than it must be: all the rest was read.
    allowed = ~forbidden[gap : gap + size]
    assert torch.equal(seen, allowed)


def test_the_gap_follows_from_the_layout_for_any_block_size(prepared: Callable[..., Path]) -> None:
    corpus = Corpus(prepared("spans"), CPU)
    [group] = corpus.layout.groups
    segments = corpus.layout.groups[group]
    assert [(part.before, part.after) for part in segments] == [
        (False, True),
        (True, True),
        (True, True),
        (True, True),
        (True, False),
    ]
    for block_size in (8, 100):
        gaps = 8 * block_size
        stream = corpus.stream(group, block_size)
        assert (stream.tokens, stream.gap_tokens) == (corpus.train_tokens - gaps, gaps)


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.booleans(), st.booleans()), min_size=1, max_size=30),
    st.integers(8, 600),
)
def test_all_gaps_together_are_small(parts: list[tuple[int, bool, bool]], block_size: int) -> None:
    ends = np.cumsum([size for size, _, _ in parts]).tolist()
    segments = [Segment(end - size, end, *sides) for (size, *sides), end in zip(parts, ends, strict=True)]
    kept = sum(end - start for start, end in without_gaps(segments, 2, block_size))
    assert ends[-1] - kept <= GAP_SHARE * ends[-1]


# --- epochs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 33, 39, 40, 1000, 1023])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_chunked_epoch_reads_each_token_once(tmp_path: Path, size: int, batch_size: int) -> None:
    batches = Batches(counting(tmp_path, size, 8), "chunked", batch_size, seed=11)
    per_epoch = batches.sequences_per_epoch
    steps = -(-3 * per_epoch // batch_size)
    drawn = [batches.draw(step) for step in range(steps)]
    ids, targets = (torch.cat([pair[i] for pair in drawn]) for i in (0, 1))
    for epoch in range(3):
        here = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
        for part in (ids[here], targets[here]):
            counts = torch.bincount(part.flatten(), minlength=size)
            assert counts.max() == 1
            assert (counts == 0).sum() < 8
        assert torch.equal((ids[here] + 1) % size, targets[here])


@pytest.mark.parametrize("size", [32, 33, 39, 47, 1001, 1007])
def test_two_chunked_epochs_read_every_token(tmp_path: Path, size: int) -> None:
    for seed in range(20):
        batches = Batches(counting(tmp_path / str(seed), size, 8, version=2), "chunked", 1, seed)
        for first in (0, 2, 10):  # an even epoch and the one after it
            steps = range(first * batches.sequences_per_epoch, (first + 2) * batches.sequences_per_epoch)
            read = torch.cat([batches.draw(step)[1].flatten() for step in steps])
            assert len(read.unique()) == size
        assert batches.unread() == 0


@pytest.mark.parametrize("version", [1, 2])
def test_unread_is_what_two_epochs_leave_out(tmp_path: Path, version: int) -> None:
    found = set()
    for seed in range(20):
        layout = Layout("uint32", {"g": [Segment(0, 60, False, True), Segment(70, 140, True, False)]}, [], 0, 0, {}, [])
        layout = replace(layout, split=version)
        corpus = corpus_of(tmp_path / str(seed), np.arange(140, dtype=np.uint32), layout)
        batches = Batches(corpus.stream("g", 9), "chunked", 1, seed)
        read = torch.cat([batches.draw(step)[1].flatten() for step in range(2 * batches.sequences_per_epoch)])
        assert batches.unread() == 130 - len(read.unique())
        found.add(batches.unread())
    assert (len(found) > 1) == (version == 1)


def test_epochs_of_the_first_split_begin_where_they_always_did(tmp_path: Path) -> None:
    batches = Batches(counting(tmp_path, 1000, 8), "chunked", 5, seed=3)
    assert [batches.starts(step).tolist() for step in (0, 26, 51)] == [  # as version 0.1 drew them
        [314, 282, 618, 930, 514],
        [563, 491, 667, 379, 3],
        [17, 705, 473, 9, 305],
    ]


def test_chunked_epochs_differ_in_order_and_in_phase(tmp_path: Path) -> None:
    batches = Batches(counting(tmp_path, 1000, 8), "chunked", 125, seed=3)
    first, second = batches.starts(0), batches.starts(1)
    phases = [set((starts % 8).tolist()) for starts in (first, second)]
    assert phases[0] != phases[1]
    assert not torch.equal(first.argsort(), second.argsort())
    assert not torch.equal(first.sort().values, first)


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_every_offset_is_visited_once_an_epoch(tmp_path: Path, batch_size: int) -> None:
    size, block_size = 101, 8
    batches = Batches(counting(tmp_path, size, block_size), "every_offset", batch_size, seed=2)
    per_epoch = size - block_size
    starts = torch.cat([batches.starts(step) for step in range(2 * per_epoch // batch_size + 1)])
    for epoch in range(2):
        assert starts[epoch * per_epoch : (epoch + 1) * per_epoch].sort().values.tolist() == list(range(per_epoch))
    assert starts[:per_epoch].tolist() != starts[per_epoch : 2 * per_epoch].tolist()
    ids, targets = batches.draw(0)
    assert ids.shape == targets.shape == (batch_size, block_size)
    assert torch.equal(ids + 1, targets)  # no sequence runs over the end of the text


# --- documents -----------------------------------------------------------------------------------------------


def documents(folder: Path, lengths: list[int]) -> Stream:
    """A stream of documents with so many bytes each, an end-of-text token before each."""
    end = [BYTES.end_of_text]
    ids = np.concatenate([part for length in lengths for part in (end, np.arange(length))])
    return corpus_of(folder, ids.astype(np.uint16)).stream("g", 8)


@pytest.mark.parametrize(
    ("lengths", "most"),
    [
        ([20] * 30, 21),
        ([20] * 18 + [30, 200], 31),  # 19 of 20 are no longer than that
        ([100], 101),
        ([5, 0, 5, 0, 5, 5, 5, 5], 6),  # an empty document does not count
    ],
)
def test_document_length_is_the_95th_percentile(tmp_path: Path, lengths: list[int], most: int) -> None:
    assert documents(tmp_path, lengths).document_length() == most


@pytest.mark.parametrize("lengths", [[3, 0, 5, 7, 9, 6], [8, 40, 1, 15, 16], [100]])
def test_sequences_of_documents_begin_with_them_and_miss_nothing(tmp_path: Path, lengths: list[int]) -> None:
    stream = documents(tmp_path, lengths)
    batches = Batches(stream, "documents", 1, seed=7)
    begins = np.cumsum([0, *(length + 1 for length in lengths)])
    right = [part for begin, end in pairwise(begins) for part in range(begin, end, 8)]
    for epoch in range(2):
        steps = range(epoch * len(right), (epoch + 1) * len(right))
        starts = torch.cat([batches.starts(step) for step in steps])
        assert sorted(starts.tolist()) == right
    assert batches.unread() == 0


def test_a_text_without_documents_is_one(tmp_path: Path) -> None:
    assert counting(tmp_path, 100, 8).document_length() == 100


# --- a pure function of (seed, step) -------------------------------------------------------------------------


@pytest.mark.parametrize("windows", ["chunked", "every_offset", "documents"])
def test_a_batch_depends_on_seed_and_step_alone(tmp_path: Path, windows: str) -> None:
    stream = counting(tmp_path, 300, 8)
    batches = Batches(stream, windows, 6, seed=9)
    in_order = [batches.draw(step)[0] for step in range(30)]
    for step in [17, 3, 29, 0, 3]:
        torch.manual_seed(step)
        assert torch.equal(Batches(stream, windows, 6, seed=9).draw(step)[0], in_order[step])
        assert torch.equal(batches.draw(step)[0], in_order[step])
    assert not torch.equal(Batches(stream, windows, 6, seed=10).draw(0)[0], in_order[0])


@pytest.mark.parametrize("windows", ["chunked", "every_offset", "documents"])
def test_larger_batches_hold_the_same_windows_in_the_same_order(tmp_path: Path, windows: str) -> None:
    stream = counting(tmp_path, 300, 8)
    twos, sixes = (Batches(stream, windows, size, seed=9) for size in (2, 6))
    for step in range(20):
        assert torch.equal(sixes.starts(step), torch.cat([twos.starts(3 * step + i) for i in range(3)]))


def test_a_step_far_away_costs_nothing(tmp_path: Path) -> None:
    batches = Batches(counting(tmp_path, 300, 8), "chunked", 6, seed=9)
    ids, _ = batches.draw(10**12)
    assert ids.shape == (6, 8)


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097, 70_001])
def test_permute_is_a_shuffle(size: int) -> None:
    for key in (0, 1, 2**61):
        assert permute(torch.arange(size), size, key).sort().values.tolist() == list(range(size))


def test_permute_depends_on_its_key_and_leaves_its_input() -> None:
    indices = torch.arange(1000)
    shuffles = [tuple(permute(indices, 1000, key).tolist()) for key in range(20)]
    assert len(set(shuffles)) == 20
    assert torch.equal(indices, torch.arange(1000))
    one_by_one = [int(permute(torch.tensor([i]), 1000, 3)) for i in range(50)]
    assert one_by_one == list(shuffles[3][:50])


def test_permute_leaves_no_trace_of_the_order() -> None:
    size = 10_000
    for key in range(5):
        shuffled = permute(torch.arange(size), size, key).double()
        fixed = (shuffled == torch.arange(size)).sum()
        correlation = torch.corrcoef(torch.stack((shuffled[:-1], shuffled[1:])))[0, 1]
        drift = torch.corrcoef(torch.stack((shuffled, torch.arange(size).double())))[0, 1]
        assert fixed < 12
        assert abs(correlation) < 0.06
        assert abs(drift) < 0.06


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=4))
def test_mix_fits_a_seed(numbers: list[int]) -> None:
    assert 0 <= mix(*numbers) < 2**62
    assert mix(*numbers) == mix(*numbers)


def test_mix_differs_for_different_numbers() -> None:
    assert len({mix(a, b) for a in range(100) for b in range(100)}) == 10_000
    assert mix(1) != mix(1, 0) != mix(0, 1)


# --- held-out windows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block_size", [8, 9, 100])
@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_held_out_sequences_predict_each_id_once(tmp_path: Path, block_size: int, batch_size: int) -> None:
    pieces = [(50, 67), (67, 69), (69, 70), (70, 79), (90, 171)]
    corpus = corpus_of(tmp_path, np.arange(171, dtype=np.uint16))
    held_out = HeldOut.cut(pieces, block_size)
    seen = []
    for ids, targets in held_out.batches(corpus, batch_size, block_size):
        assert ids.shape == targets.shape == (batch_size, block_size)
        counted = targets != IGNORE_INDEX
        assert torch.equal(ids[counted] + 1, targets[counted])
        assert ((ids >= 50) & (ids < 171))[counted.any(1)].all()
        seen += targets[counted].tolist()
    assert seen == [position for start, end in pieces for position in range(start + 1, end)]
    assert int(held_out.lengths.sum()) == len(seen)


def test_nothing_held_out_gives_no_batches(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, np.arange(40, dtype=np.uint16))
    held_out = HeldOut.cut([], 8)
    assert list(held_out.batches(corpus, 4, 8)) == []
    assert len(held_out.subset(5, seed=1).starts) == 0
    assert corpus.val_tokens == 0


def test_a_subset_of_sequences_is_the_same_ones_for_the_same_seed() -> None:
    held_out = HeldOut.cut([(0, 1000)], 8)
    some = held_out.subset(20, seed=4)
    assert some.starts.tolist() == held_out.subset(20, seed=4).starts.tolist()
    assert some.starts.tolist() != held_out.subset(20, seed=5).starts.tolist()
    assert len(set(some.starts.tolist())) == 20
    whole = held_out.subset(10**6, seed=4)
    assert whole.starts.tolist() == held_out.starts.tolist()
    assert whole.lengths.tolist() == held_out.lengths.tolist()


# --- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "ids"),
    [("uint16", [0, 1, 32767, 32768, 65535] * 8), ("uint32", [0, 65536, 70_000, 2**31 - 1, 2**31, 2**32 - 1] * 7)],
)
def test_large_ids_keep_their_value(tmp_path: Path, dtype: str, ids: list[int]) -> None:
    corpus = corpus_of(tmp_path, np.array(ids, dtype=dtype))
    read = corpus.read(torch.arange(len(ids)).view(2, -1))
    assert read.dtype == torch.int64
    assert read.flatten().tolist() == ids
    inputs, _ = corpus.stream("g", 8).sequences(torch.tensor([0]))
    assert inputs[0].tolist() == ids[:8]


def test_reading_never_writes(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, np.arange(64, dtype=np.uint16))
    before = (tmp_path / "data" / "tokens.bin").read_bytes()
    corpus.read(torch.arange(64)).fill_(7)
    assert corpus.read(torch.arange(64)).tolist() == list(range(64))
    assert (tmp_path / "data" / "tokens.bin").read_bytes() == before


@pytest.mark.parametrize("tokens", [0, 1, 31])
def test_a_text_that_is_too_short_is_refused_with_lengths(tmp_path: Path, tokens: int) -> None:
    ids = np.zeros(100, dtype=np.uint16)
    layout = Layout("uint16", {"g": [Segment(0, tokens, False, False)]}, [], 0, 0, {}, [])
    corpus = corpus_of(tmp_path, ids, layout)
    with pytest.raises(DataError, match="too short") as caught:
        corpus.stream("g", 8)
    assert f"{tokens:,}" in caught.value.message
    assert "32" in caught.value.message
    assert "more text" in caught.value.hint
    assert "block_size" not in caught.value.hint  # there is no smaller one


def test_the_context_that_is_proposed_for_a_short_text_works(tmp_path: Path) -> None:
    for tokens in (0, 20, 31, 32, 70, 300, 1000):
        layout = Layout("uint16", {"g": [Segment(0, tokens, False, False)]}, [], 0, 0, {}, [])
        corpus = corpus_of(tmp_path / str(tokens), np.zeros(tokens + 1, dtype=np.uint16), layout)
        with pytest.raises(DataError) as caught:
            corpus.stream("g", 512)
        assert ("block_size=" in caught.value.hint) == (tokens >= 32), tokens
        assert f"{tokens:,} training tokens" in caught.value.message
        if "block_size=" in caught.value.hint:
            proposed = int(caught.value.hint.rstrip(".").rpartition("=")[2])
            assert corpus.stream("g", proposed).tokens >= 4 * proposed


@pytest.mark.parametrize("version", [1, 2])
def test_a_smaller_context_is_proposed_for_many_short_segments_too(tmp_path: Path, version: int) -> None:
    """A smaller context has smaller gaps."""
    parts = [Segment(100 * i, 100 * i + 90, True, True) for i in range(20)]
    layout = Layout("uint16", {"g": parts}, [], 0, 0, {}, [], version)
    corpus = corpus_of(tmp_path, np.zeros(2000, dtype=np.uint16), layout)
    with pytest.raises(DataError) as caught:
        corpus.stream("g", 2048)
    proposed = int(caught.value.hint.rstrip(".").rpartition("=")[2])
    assert corpus.stream("g", proposed).tokens >= 4 * proposed
    with pytest.raises(DataError):
        corpus.stream("g", 2 * proposed)


def test_segments_shorter_than_their_gaps_are_left_out(tmp_path: Path) -> None:
    parts = [Segment(0, 100, False, True), Segment(100, 110, True, True), Segment(110, 200, True, False)]
    layout = Layout("uint32", {"g": parts}, [], 0, 0, {}, [])
    stream = corpus_of(tmp_path, np.arange(200, dtype=np.uint32), layout).stream("g", 8)
    assert stream.tokens == 92 + 82
    ids, targets = stream.sequences(torch.tensor([88, 170]))
    assert ids.tolist() == [[88, 89, 90, 91, 118, 119, 120, 121], [196, 197, 198, 199, 0, 1, 2, 3]]
    assert targets[:, -1].tolist() == [122, 4]


GOOD = Layout("uint16", {"g": [Segment(0, 90, False, True)]}, [(90, 100)], 0, 0, {}, [])


@pytest.mark.parametrize(
    "layout",
    [
        replace(GOOD, dtype="int64"),
        replace(GOOD, dtype="float32"),
        replace(GOOD, dtype="nonsense"),
        replace(GOOD, held_out=[(90, 101)]),
        replace(GOOD, groups={"g": [Segment(0, 101, False, True)]}),
        replace(GOOD, dtype="uint32"),  # so that the file is half as long as it should be
    ],
    ids=range(6),
)
def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(RunError) as caught:
        corpus_of(tmp_path, np.zeros(100, dtype=np.uint16), layout)
    assert caught.value.hint


@pytest.mark.parametrize("lost", ["data/tokens.bin", "data/data.json", "tokenizer.json"])
def test_files_that_are_lost_or_empty_are_refused(tmp_path: Path, lost: str) -> None:
    corpus_of(tmp_path, np.zeros(100, dtype=np.uint16), GOOD)
    (tmp_path / lost).write_bytes(b"")
    with pytest.raises(RunError):
        Corpus(tmp_path, CPU)
    (tmp_path / lost).write_bytes(b"\xff\xfe")
    with pytest.raises(RunError):
        Corpus(tmp_path, CPU)
    (tmp_path / lost).unlink()
    with pytest.raises(RunError):
        Corpus(tmp_path, CPU)


@pytest.mark.parametrize("part", [["a", 9], [-5, 9], [None, 9], [9, 3]])
def test_segments_that_are_no_ranges_are_refused(tmp_path: Path, part: list[object]) -> None:
    corpus_of(tmp_path, np.zeros(100, dtype=np.uint16), GOOD)
    table = json.loads(GOOD.to_json())
    table["groups"]["g"][0] |= dict(zip(("start", "end"), part, strict=True))
    (tmp_path / "data" / "data.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(RunError):
        Corpus(tmp_path, CPU)


def test_counts_of_tokens(tmp_path: Path) -> None:
    layout = replace(GOOD, held_out=[(80, 90), (90, 100)], groups={"g": [Segment(0, 80, False, True)]})
    corpus = corpus_of(tmp_path, np.zeros(100, dtype=np.uint16), layout)
    assert corpus.train_tokens == 80
    assert corpus.val_tokens == 18


def test_a_batch_costs_the_same_whatever_the_size_of_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = Corpus.read

    def counted(self: Corpus, positions: torch.Tensor) -> torch.Tensor:
        asked.append(positions.numel())
        return read(self, positions)

    monkeypatch.setattr(Corpus, "read", counted)
    for size in (1000, 100_000):
        batches = Batches(counting(tmp_path / str(size), size, 8), "chunked", 4, 1)
        for step in (0, 7):
            batches.draw(step)
    assert asked == [4 * 9] * 4
