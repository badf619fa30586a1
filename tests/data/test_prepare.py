"""Preparing texts: what is held out, what is cached, errors."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.texts import made_up_text, span
from tinylm import paths
from tinylm.config import resolve
from tinylm.config.schema import RunConfig, TokenizerConfig
from tinylm.corpus import baselines, split
from tinylm.corpus.split import N_SPANS
from tinylm.corpus.spool import Spool
from tinylm.corpus.stories import STORIES_VERSION, Story
from tinylm.data import encode, prepare
from tinylm.data.batches import Batches, Corpus
from tinylm.data.dataset import Layout, Prepared, Segment
from tinylm.data.tokenizer import Tokenizer
from tinylm.errors import ConfigError, DataError, RunError
from tinylm.events import Event, StepDone
from tinylm.runs.folder import open_run
from tinylm.training.loop import resume, train

Configured = Callable[..., RunConfig]


def open_prepared(folder: Path) -> tuple[Layout, Tokenizer, np.ndarray]:
    layout = Layout.from_json((folder / "data" / "data.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_json((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return layout, tokenizer, np.fromfile(folder / "data" / "tokens.bin", dtype=layout.dtype)


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8", newline="")
    return str(path)


# --- what is written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bpe", "char", "byte"])
def test_all_of_the_text_is_there_and_nothing_else(
    kind: str, home: Path, tiny_config: Configured, tiny_text: str
) -> None:
    config = tiny_config(tokenizer={"kind": kind}, data={"val_placement": "tail"})
    layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
    [parts] = layout.groups.values()
    [part], [(start, end)] = parts, layout.held_out
    assert part == Segment(0, start, before=False, after=True)
    assert end == len(ids)
    assert ids[0] == ids[start] == ids[end - 1] == tokenizer.end_of_text
    assert (ids == tokenizer.end_of_text).sum() == 3
    cut = int(len(tiny_text) * 0.9)
    assert tokenizer.decode(ids[:start].tolist()) == tiny_text[:cut]
    assert tokenizer.decode(ids[start:].tolist()) == tiny_text[cut:]
    assert layout.bytes == len(tiny_text.encode())
    assert layout.val_bytes == len(tiny_text[cut:].encode())
    assert set(layout.baselines) == {"blind", "counts", "pairs", "triples", "gzip", "xz"}


def test_short_files_are_held_out_whole(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    texts = [chr(ord("a") + i) * 300 for i in range(20)]
    sources = [written(tmp_path / f"{i}.txt", text) for i, text in enumerate(texts)]
    config = tiny_config(tokenizer={"kind": "byte"}, data={"sources": sources})
    layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
    [[segment]], held_out = layout.groups.values(), layout.held_out
    held = [tokenizer.decode(ids[start:end].tolist()) for start, end in held_out]
    assert len(held) == 2
    assert tokenizer.decode(ids[segment.start : segment.end].tolist()) == "".join(t for t in texts if t not in held)
    assert (segment.before, segment.after) == (False, False)


def test_files_of_the_first_split_are_divided_each_for_itself(
    home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    texts = ["one " * 500, "TWO " * 700]
    sources = [written(tmp_path / f"{i}.txt", text) for i, text in enumerate(texts)]
    config = tiny_config(tokenizer={"kind": "byte"}, data={"sources": sources, "split": 1})
    layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
    [segments] = layout.groups.values()
    assert layout.split == 1
    assert [tokenizer.decode(ids[part.start : part.end].tolist()) for part in segments] == [
        text[: int(len(text) * 0.9)] for text in texts
    ]
    assert [tokenizer.decode(ids[start:end].tolist()) for start, end in layout.held_out] == [
        text[int(len(text) * 0.9) :] for text in texts
    ]
    assert [(part.before, part.after) for part in segments] == [(False, True), (False, True)]


def shares_read(corpus: Corpus, group: str) -> tuple[float, float]:
    """The share of the training ids that two epochs read, and the share that they say they do not."""
    batches = Batches(corpus.stream(group, 128), "chunked", 8, 1)
    ids = corpus.layout.end
    seen = torch.zeros(ids, dtype=torch.bool)
    read = Corpus.read

    def noting(self: Corpus, positions: torch.Tensor) -> torch.Tensor:
        seen[positions] = True
        return read(self, positions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Corpus, "read", noting)
        for step in range(-(-2 * batches.sequences_per_epoch // 8)):
            batches.draw(step)
    return int(seen.sum()) / corpus.train_tokens, batches.unread() / corpus.train_tokens


@pytest.mark.parametrize("kind", ["byte", "bpe"])
@pytest.mark.parametrize("placement", ["tail", "spans"])
@pytest.mark.parametrize(
    "sizes",
    [
        [600] * 80,
        [2000] * 60,
        [300] * 300,
        [150_000],
        [6000, 5000],
        [9000],
        [25_000] * 8,
        [120_000, *[700] * 30, 22_000],
        [40, 19_000, 1, 300] * 4,
    ],
    ids=lambda sizes: f"{len(sizes)} of {sizes[0]}",
)
def test_two_epochs_read_what_is_not_held_out(
    sizes: list[int], placement: str, kind: str, home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    novel, at = made_up_text(3, sum(sizes)), 0
    for i, size in enumerate(sizes):
        written(folder / f"{i:03}.txt", novel[at : at + size].strip() or "x")
        at += size
    written(folder / "empty.txt", "")
    data = {"sources": [str(folder)], "val_fraction": 0.05, "val_placement": placement}
    corpus = Corpus(prepare.prepare(tiny_config(tokenizer={"kind": kind}, data=data), home), torch.device("cpu"))
    read, unread = shares_read(corpus, str(folder))
    assert read >= 0.99
    assert unread == pytest.approx(1 - read, abs=1e-9)
    assert corpus.layout.val_bytes == pytest.approx(0.05 * sum(sizes), rel=0.3, abs=max(sizes) / 2)


def test_a_text_of_few_beginnings_begins_new_ones_as_paragraphs_begin(
    home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    paragraphs = made_up_text(4, 9000)
    lines = paragraphs.replace("\n\n", "\n")
    texts = {"\n\n": paragraphs, "\n": lines, "": lines.replace("\n", " "), "one blank": "Title\n\n" + lines[:400]}
    for expected, text in texts.items():
        config = tiny_config(data={"sources": [written(tmp_path / "a.txt", text)]})
        layout, tokenizer, _ = open_prepared(prepare.prepare(config, home))
        assert tokenizer.new_text == ("" if expected == "one blank" else expected)
        assert any("new text" in note for note in layout.notes) == bool(tokenizer.new_text)


def test_a_text_of_many_beginnings_begins_new_ones_behind_an_end(
    home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    sources = [written(tmp_path / f"{i}.txt", made_up_text(i, 900)) for i in range(30)]
    few, many = (prepare.prepare(tiny_config(data={"sources": some}), home) for some in (sources[:15], sources))
    assert open_prepared(few)[1].new_text == "\n\n"
    tokenizer = open_prepared(many)[1]
    assert tokenizer.new_text == ""
    assert tokenizer.beginning == [tokenizer.end_of_text]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"weights": [1, 3, 2]},
        {"val_fraction": 0.0},
        {"val_fraction": 0.5, "val_placement": "tail"},
        {"val_placement": "tail", "split": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("files", [1, 3, 40])
def test_one_end_of_text_stands_between_two_texts(
    data: dict[str, object], files: int, home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    """Also where the stream begins again, between copies, and where what lay between is held out."""
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        for i in range(files):
            written(folder / f"{i}.txt", f"{folder.name}{i} " * (60 + i))
    sources = [str(folder) for folder in folders]
    phase = {"schedule": "constant", "steps": 2}
    config = tiny_config(
        tokenizer={"kind": "byte"},
        data={"sources": sources, **data},
        train={"phases": [phase, {**phase, "sources": sources[:1]}]},
    )
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    for group in corpus.layout.groups:
        stream = corpus.stream(group, 16)
        ids = stream.sequences(torch.arange(stream.tokens))[0][
            :, :2
        ]  # each id, with the one that follows in the circle
        ends = ids == corpus.tokenizer.end_of_text
        assert not ends.all(1).any()
        assert ends[:, 0].any()


def test_nothing_held_out(home: Path, tiny_config: Configured, tiny_text: str) -> None:
    for placement in ("tail", "spans"):
        config = tiny_config(data={"val_fraction": 0.0, "val_placement": placement})
        layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
        [[part]] = layout.groups.values()
        assert layout.held_out == []
        assert layout.val_bytes == 0
        assert layout.baselines == {}
        assert (part.start, part.end, part.before, part.after) == (0, len(ids), False, False)
        assert tokenizer.decode(ids.tolist()) == tiny_text


def test_spans_without_a_held_out_part_leave_one_whole_text(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "MIN_SPANS_CHARS", 100)
    config = tiny_config(tokenizer={"kind": "byte"}, data={"val_fraction": 0.0, "val_placement": "spans"})
    layout, _, ids = open_prepared(prepare.prepare(config, home))
    assert layout.groups == {prepare.group_name(config.data.sources): [Segment(0, len(ids), False, False)]}


def test_phases_with_their_own_texts_are_groups(
    home: Path, tiny_config: Configured, tmp_path: Path, tiny_file: Path
) -> None:
    other = written(tmp_path / "other.txt", "Another text altogether. " * 200)
    phase = {"schedule": "constant", "steps": 2}
    config = tiny_config(
        tokenizer={"kind": "byte"}, train={"phases": [phase, {**phase, "sources": [other]}, {**phase, "name": "c"}]}
    )
    layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
    assert list(layout.groups) == [str(tiny_file), other]
    [part] = layout.groups[other]
    assert tokenizer.decode(ids[part.start : part.end].tolist()) == ("Another text altogether. " * 200)[:4500]
    assert len(layout.held_out) == 2


def test_a_text_of_two_phases_is_held_out_in_both(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    texts = {name: "".join(f"{name} {i:04}\n" for i in range(400)) for name in ("a", "b")}
    a, b = (written(tmp_path / f"{name}.txt", text) for name, text in texts.items())
    phase = {"schedule": "constant", "steps": 2}
    config = tiny_config(
        tokenizer={"kind": "byte"},
        data={"sources": [a]},
        train={"phases": [phase, {**phase, "name": "b", "sources": [b, a]}]},
    )
    layout, tokenizer, ids = open_prepared(prepare.prepare(config, home))
    trained = "".join(
        tokenizer.decode(ids[part.start : part.end].tolist()) for parts in layout.groups.values() for part in parts
    )
    for start, end in layout.held_out:
        for line in tokenizer.decode(ids[start:end].tolist()).splitlines()[1:]:
            assert line not in trained


def test_a_vocabulary_up_to_65536_takes_two_bytes_an_id(home: Path, tiny_config: Configured) -> None:
    layout, _, _ = open_prepared(prepare.prepare(tiny_config(), home))
    assert layout.dtype == "uint16"


def test_a_smaller_vocabulary_than_asked_is_noted(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    config = tiny_config(
        data={"sources": [written(tmp_path / "a.txt", "ab" * 400)]}, tokenizer={"kind": "bpe", "vocab_size": 5000}
    )
    layout, tokenizer, _ = open_prepared(prepare.prepare(config, home))
    assert any(str(tokenizer.vocab_size) in note and "5,000" in note for note in layout.notes)


def test_twice_the_text_is_twice_the_work(
    home: Path, tiny_config: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is read a fixed number of times, and each character is encoded once."""
    read, encoded = Counter[str](), Counter[str]()
    whole_read, whole_encode = Spool.read, Tokenizer.encode_each

    def counted_read(self: Spool, start: int, end: int) -> bytes:
        read[name] += end - start
        return whole_read(self, start, end)

    def counted_encode(self: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
        encoded[name] += sum(map(len, texts))
        return whole_encode(self, texts)

    monkeypatch.setattr(Spool, "read", counted_read)
    monkeypatch.setattr(Tokenizer, "encode_each", counted_encode)
    sizes = {"small": 60_000, "large": 240_000}
    for name, size in sizes.items():
        text = made_up_text(1, size)[:size]
        source = written(tmp_path / name, text)
        prepare.prepare(tiny_config(data={"sources": [source], "val_placement": "tail"}), home)
        assert encoded[name] == size
    assert read["large"] < 1.1 * 4 * read["small"]
    assert read["large"] < 6 * sizes["large"]


def test_a_large_text_teaches_the_tokenizer_a_share_of_it(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []
    train_tokenizer = prepare.train_tokenizer

    def noted(settings: TokenizerConfig, train: Any, alphabet: Any, share: float) -> Tokenizer:
        shares.append(share)
        return train_tokenizer(settings, train, alphabet, share)

    monkeypatch.setattr(prepare, "train_tokenizer", noted)
    monkeypatch.setattr(prepare, "MOST_TOKENIZER_BYTES", 9000)
    layout, _, _ = open_prepared(prepare.prepare(tiny_config(), home))
    assert shares == [9000 / (layout.bytes - layout.val_bytes)]
    assert any("tokenizer was trained on 9.0 kB spread evenly" in note for note in layout.notes)


MANY_WORDS = " ".join(f"{a}{b}{c}" for a in "bdfgklm" for b in ("ara", "elo", "iu") for c in "nprstvwxyz ")[:3000] * 3


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (MANY_WORDS, "only 3"),
        ("All work and no play makes this a dull line.\n" * 4000, "repeats"),
        ("a" * 180_000, "repeats"),
        (made_up_text(3, 3_000) * 60, "repeats"),
        ("3141592653" * 9_000, "repeats"),
    ],
    ids=["small", "one line", "one letter", "copies", "digits"],
)
def test_why_there_are_fewer_tokens_than_wanted(text: str, word: str) -> None:
    tokenizer, [note] = prepare.make_tokenizer(TokenizerConfig(), [span(text)], [])
    assert word in note
    assert f"{tokenizer.vocab_size:,} different tokens" in note


def test_only_the_first_part_is_compressed() -> None:
    text = made_up_text(2, 40_000).replace("é", "e")
    whole = baselines.baselines([], [span(text)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "MOST_COMPRESSED", 10_000)
        some = baselines.baselines([], [span(text[:6000]), span(text[6000:])])
    first = baselines.baselines([], [span(text[:10_000])])
    assert (some["gzip"], some["xz"]) == (first["gzip"], first["xz"])
    assert some["gzip"] > whole["gzip"]


# --- texts read several times ------------------------------------------------------------------------------


def trained(folder: Path, group: str) -> list[str]:
    layout, tokenizer, ids = open_prepared(folder)
    assert layout.end == len(ids)
    return [tokenizer.decode(ids[part.start : part.end].tolist()) for part in layout.groups[group]]


def test_a_weight_is_how_often_a_pass_reads_a_text(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    texts = ["one " * 500, "TWO " * 700]
    sources = [written(tmp_path / f"{i}.txt", text) for i, text in enumerate(texts)]
    plain = tiny_config(tokenizer={"kind": "byte"}, data={"sources": sources})
    weighted = tiny_config(tokenizer={"kind": "byte"}, data={"sources": sources, "weights": [1, 3]})
    once, thrice = prepare.prepare(plain, home), prepare.prepare(weighted, home)
    one, two = texts[0], texts[1][: -int(0.1 * len("".join(texts)))]
    assert trained(once, prepare.group_name(sources)) == [one + two]
    assert trained(thrice, prepare.group_name(sources)) == [one, two, two, two]
    # Written once, held out once, and measured as ever.
    assert (once / "data" / "tokens.bin").read_bytes() == (thrice / "data" / "tokens.bin").read_bytes()
    before, after = open_prepared(once)[0], open_prepared(thrice)[0]
    assert replace(after, groups=before.groups) == before
    assert Corpus(thrice, torch.device("cpu")).train_tokens == len(one) + 1 + 3 * (len(two) + 1)


def test_each_copy_of_a_text_is_trained_on(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    """An epoch gives three times as many targets of the text that weighs three times as much."""
    sources = [written(tmp_path / f"{i}.txt", text) for i, text in enumerate(["a" * 3000, "b" * 3000])]
    data = {"sources": sources, "weights": [1, 3], "val_fraction": 0.0}
    config = tiny_config(tokenizer={"kind": "char"}, data=data)
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    batches = Batches(corpus.stream(prepare.group_name(sources), 8), "chunked", 1, 1)
    _, targets = batches.stream.sequences(batches.starts(0))
    counts = torch.zeros(3)
    for step in range(batches.sequences_per_epoch):
        _, targets = batches.draw(step)
        counts += torch.bincount(targets.flatten(), minlength=3)
    a, b = (int(counts[int(corpus.tokenizer.encode(letter)[0])]) for letter in "ab")
    assert a == pytest.approx(3000, abs=8)
    assert b == pytest.approx(9000, abs=8)
    # Copies follow each other as texts do: one end-of-text token between them.
    first, second = batches.stream.sequences(torch.arange(0, batches.stream.tokens - 8))
    ends = (first[:, 0] == corpus.tokenizer.end_of_text) & (second[:, 0] == corpus.tokenizer.end_of_text)
    assert not ends.any()


def test_neighbours_of_one_weight_are_one_stretch(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    sources = [written(tmp_path / f"{name}.txt", name * 300) for name in "abcd"]
    data = {"sources": sources, "weights": [1, 2, 2, 1], "val_fraction": 0.0}
    folder = prepare.prepare(tiny_config(tokenizer={"kind": "byte"}, data=data), home)
    a, b, c, d = (name * 300 for name in "abcd")
    assert trained(folder, prepare.group_name(sources)) == [a, b + c, b + c, d]


def test_held_out_text_stays_at_the_sides_of_each_copy(
    home: Path, tiny_config: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "MIN_SPANS_CHARS", 1000)
    monkeypatch.setattr(split, "SHORT_CHARS", 1000)
    source = written(tmp_path / "a.txt", "".join(f"line {i:04}\n" for i in range(500)))
    data = {"sources": [source], "val_placement": "spans"}
    once = open_prepared(prepare.prepare(tiny_config(data=data), home))[0].groups[source]
    twice = open_prepared(prepare.prepare(tiny_config(data={**data, "weights": [2]}), home))[0].groups[source]
    assert len(once) == N_SPANS + 1
    assert [(part.start, part.before, part.after) for part in twice] == [
        (part.start, part.before, part.after) for part in once * 2
    ]


def test_a_weight_holds_for_all_of_a_folder_and_for_the_first_of_repeats(
    home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    written(tmp_path / "d" / "1.txt", "a" * 300)
    written(tmp_path / "d" / "2.txt", "b" * 300)
    repeat = written(tmp_path / "repeat.txt", "b" * 300)
    last = written(tmp_path / "last.txt", "c" * 300)
    sources = [str(tmp_path / "d"), repeat, last]
    data = {"sources": sources, "weights": [2, 5, 1], "val_fraction": 0.0}
    folder = prepare.prepare(tiny_config(tokenizer={"kind": "byte"}, data=data), home)
    ab = "a" * 300 + "b" * 300
    assert trained(folder, prepare.group_name(sources)) == [ab, ab, "c" * 300]


def test_the_built_in_stories_have_the_weight_of_their_position(
    home: Path, tiny_config: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinylm.corpus.sources.stories", lambda: [Story(f"story {i}.", 9.0) for i in range(3)])
    sources = [written(tmp_path / "a.txt", "a" * 100), "stories", written(tmp_path / "b.txt", "b" * 100)]
    data = {"sources": sources, "weights": [1, 2, 3], "val_fraction": 0.0}
    folder = prepare.prepare(tiny_config(tokenizer={"kind": "byte"}, data=data), home)
    story_text = "story 0.story 1.story 2."
    assert trained(folder, prepare.group_name(sources)) == [story_text, story_text, "a" * 100, *["b" * 100] * 3]


def test_a_layout_says_which_grammar_wrote_its_stories(
    home: Path, tiny_config: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinylm.corpus.sources.stories", lambda: [Story(f"story {i}.", 9.0) for i in range(3)])
    text = written(tmp_path / "a.txt", "a" * 100)
    for sources, version in (([text], None), ([text, "stories"], STORIES_VERSION)):
        config = tiny_config(tokenizer={"kind": "byte"}, data={"sources": sources, "val_fraction": 0.0})
        assert Prepared.open(prepare.prepare(config, home)).layout.stories_version == version


def test_a_layout_from_before_grammars_had_versions_opens() -> None:
    old = json.loads(LAYOUT.to_json())
    del old["stories_version"]
    assert Layout.from_json(json.dumps(old)) == LAYOUT


def test_a_phase_with_its_own_texts_knows_no_weights(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    a, b = (written(tmp_path / f"{name}.txt", name * 300) for name in "ab")
    phase = {"schedule": "constant", "steps": 2}
    config = tiny_config(
        tokenizer={"kind": "byte"},
        data={"sources": [a], "weights": [2], "val_fraction": 0.0},
        train={"phases": [phase, {**phase, "sources": [b, a]}]},
    )
    folder = prepare.prepare(config, home)
    assert trained(folder, a) == ["a" * 300] * 2
    assert trained(folder, prepare.group_name([b, a])) == ["b" * 300 + "a" * 300]


def test_weights_are_in_the_key_where_they_are_given(home: Path, tiny_config: Configured) -> None:
    folders = [prepare.prepare(tiny_config(data={"weights": weights}), home) for weights in (None, [1], [2], [3])]
    assert len(set(folders)) == 4


def test_a_wrong_number_of_weights_is_refused(tiny_config: Configured) -> None:
    with pytest.raises(ConfigError, match=r"data\.weights has 2 .* 1 text"):
        tiny_config(data={"weights": [1, 2]})
    with pytest.raises(ConfigError, match=r"data\.weights"):
        tiny_config(data={"weights": [0]})


def test_a_run_with_weights_resumes_to_the_bit(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    sources = [written(tmp_path / f"{i}.txt", "".join(f"{i} and {n}, then\n" for n in range(200))) for i in range(2)]
    groups: dict[str, dict[str, object]] = {"data": {"sources": sources, "weights": [1, 3]}}

    def losses(events: Iterable[Event]) -> list[float]:
        return [event.loss for event in events if isinstance(event, StepDone)]

    whole = losses(train(tiny_config(**groups), home, "whole"))
    first = losses(train(tiny_config(**groups, train={"stop_at": 9}), home, "parts"))
    run = open_run(home, "parts")
    own, _ = resolve.from_run_folder(run.config_file)
    assert own.data.weights == [1, 3]
    rest = losses(resume(resolve.resumed(own, tiny_config(**groups)), run))
    assert first == whole[:9]
    assert rest == whole[-len(rest) :]
    assert len(rest) >= 11


# --- the cache ---------------------------------------------------------------------------------------------


def test_the_same_text_is_prepared_once(home: Path, tiny_config: Configured) -> None:
    first = prepare.prepare(tiny_config(), home)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}

    # Settings of the model and the training do not change the prepared text.
    assert prepare.prepare(tiny_config(model={"n_layer": 2}, train={"seed": 7}), home) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before


def test_all_that_changes_the_ids_is_in_the_cache_key(home: Path, tiny_config: Configured, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    source = written(path, "some words, over and over\n" * 100)
    folders = [
        prepare.prepare(tiny_config(**groups), home)
        for groups in (
            {"data": {"sources": [source]}},
            {"data": {"sources": [source], "val_fraction": 0.2}},
            {"data": {"sources": [source], "encoding": "windows-1250"}},
            {"data": {"sources": [source], "split": 1}},
            {"data": {"sources": [source]}, "tokenizer": {"kind": "char"}},
            {"data": {"sources": [source]}, "tokenizer": {"vocab_size": 290}},
        )
    ]
    written(path, "some words, over and over\n" * 99 + "Some words, over and over\n")
    folders.append(prepare.prepare(tiny_config(data={"sources": [source]}), home))
    assert len(set(folders)) == 7
    assert all((folder / "data" / "data.json").exists() for folder in folders)


def test_a_failed_preparation_leaves_nothing(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encode, "write", full)
    with pytest.raises(OSError, match="No space"):
        prepare.prepare(tiny_config(), home)
    assert list((paths.cache(home) / "texts").iterdir()) == []


def test_a_second_process_that_was_faster_wins(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = encode.write
    others: list[Path] = []

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(encode, "write", write)
        others.append(prepare.prepare(tiny_config(), home))  # another process comes in between, from beginning to end
        return write(*arguments)

    monkeypatch.setattr(encode, "write", overtaken)
    assert [prepare.prepare(tiny_config(), home)] == others
    assert list((paths.cache(home) / "texts").iterdir()) == others
    open_prepared(others[0])


def test_threads_that_prepare_the_same_text_share_one_folder(home: Path, tiny_config: Configured) -> None:
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(prepare.prepare(tiny_config(), home))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 3
    assert set(folders) == set((paths.cache(home) / "texts").iterdir())
    open_prepared(folders[0])


@pytest.mark.parametrize("lost", ["data/data.json", "data/tokens.bin", "tokenizer.json", "data"])
def test_a_cache_that_was_deleted_in_part_is_made_anew(home: Path, tiny_config: Configured, lost: str) -> None:
    folder = prepare.prepare(tiny_config(), home)
    whole = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in [folder / lost, *(folder / lost).glob("*")][::-1]:
        path.rmdir() if path.is_dir() else path.unlink()
    assert prepare.prepare(tiny_config(), home) == folder
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_of_the_shortest_text_something_is_left_to_train_on(
    fraction: float, home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    config = tiny_config(data={"sources": [written(tmp_path / "a.txt", "a")], "val_fraction": fraction})
    corpus = Corpus(prepare.prepare(config, home), torch.device("cpu"))
    with pytest.raises(DataError, match="too short") as caught:
        corpus.stream(prepare.group_name(config.data.sources), 32)
    assert "more text" in caught.value.hint
    assert "block_size" not in caught.value.hint


LAYOUT = Layout("uint16", {"a": [Segment(0, 9, False, True)]}, [(9, 12)], 30, 6, {"xz": 1.5}, ["café"])


def test_a_layout_survives_json() -> None:
    assert Layout.from_json(LAYOUT.to_json()) == LAYOUT


def changed(**changes: object) -> str:
    return json.dumps({**json.loads(LAYOUT.to_json()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{}",
        "[" * 100_000,
        LAYOUT.to_json()[:-9],
        changed(more=1),
        changed(groups=[]),
        changed(groups={"a": [{}]}),
        changed(groups={"a": [{"start": 0, "end": 9, "before": False, "after": True, "more": 1}]}),
        changed(groups={"a": None}),
        changed(held_out=[[1]]),
        changed(held_out=[["x", "y"]]),
        changed(held_out=None),
    ],
    ids=range(14),
)
def test_a_damaged_layout_is_refused(text: str) -> None:
    with pytest.raises(RunError) as caught:
        Layout.from_json(text)
    assert caught.value.hint


def test_held_out_pieces_and_segments_never_overlap(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "MIN_SPANS_CHARS", 1000)
    layout, tokenizer, ids = open_prepared(prepare.prepare(tiny_config(data={"val_placement": "spans"}), home))
    assert len(layout.held_out) == N_SPANS
    spans = sorted([(part.start, part.end) for [*parts] in layout.groups.values() for part in parts])
    spans = sorted(spans + layout.held_out)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(ids)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert all(ids[start] == tokenizer.end_of_text for start, _ in layout.held_out)
