"""What Data computes beside the screen: places, tokens, prices, cautions."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.scripts import training, write_run
from tinylm.config import resolve
from tinylm.config.schema import ModelConfig, RunConfig, TokenizerConfig
from tinylm.data.tokenizer import train_tokenizer
from tinylm.errors import DataError
from tui.screens.data import texts
from tui.screens.data.path_input import completions, fault_of, whole_path

Configured = Callable[..., RunConfig]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_layer": 2, "n_head": 6, "n_kv_head": 2, "n_embd": 48, "head_size": 10},
        {"n_layer": 1, "tie_embeddings": True, "qk_norm": True, "n_embd": 64},
    ],
)
def test_the_price_is_what_the_model_has(changes: dict[str, object]) -> None:
    from tinylm.model.transformer import Transformer

    model = ModelConfig(**changes)
    cost = texts.weight_split(model, 321)
    built = Transformer(model, 321)
    assert cost.total == built.n_parameters()
    heads = 1 if model.tie_embeddings else 2
    assert cost.vocabulary == heads * built.embedding.weight.numel()
    assert cost.share == cost.vocabulary / cost.total


@pytest.mark.parametrize("kind", ["bpe", "char", "byte"])
def test_pieces_are_the_text_again(kind: str) -> None:
    text = "Naïve café, 東京!\n\n\tEnd 🦊 "
    tokenizer = train_tokenizer(TokenizerConfig(kind=kind, vocab_size=300), [text * 3], [text])
    pieces = texts.token_pieces(tokenizer, text)
    assert "".join(pieces) == text
    assert all(pieces)
    assert len(pieces) > 3


@given(st.text(max_size=80))
def test_pieces_of_anything_are_the_text_again(text: str) -> None:
    tokenizer = train_tokenizer(TokenizerConfig(kind="bpe", vocab_size=280), ["the fox saw the fox"], [])
    assert "".join(texts.token_pieces(tokenizer, text)) == text


def test_a_line_end_between_documents_that_have_none_breaks_nothing() -> None:
    tokenizer = train_tokenizer(TokenizerConfig(kind="char"), ["abc"], ["abc"])
    assert texts.token_pieces(tokenizer, "abc\n\ncab") == ["abc\n\ncab"]


def test_prepared_counts_tokens_once_and_a_pass_as_often_as_it_is_read(
    tiny_config: Configured, tiny_file: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    once = texts.prepare_texts(tiny_config(), home)
    assert once.tokens == once.train_tokens + once.val_tokens
    assert once.pass_tokens == once.train_tokens
    assert once.bytes == tiny_file.stat().st_size
    assert set(once.baselines) == {"blind", "counts", "pairs", "triples", "gzip", "xz"}
    thrice = texts.prepare_texts(tiny_config(data={"weights": [3]}), home)
    assert (thrice.tokens, thrice.pass_tokens) == (once.tokens, 3 * once.train_tokens)


def test_a_profile_of_what_is_missing_says_so() -> None:
    config = resolve.with_values(RunConfig(), data={"sources": ["/not/there.txt"]})
    with pytest.raises(DataError):
        texts.profile_texts(config.data)


def test_used_before_has_the_newest_first_and_each_once(home: Path) -> None:
    for age, (name, sources) in enumerate([("a", ["/x/old.txt", "stories"]), ("b", ["/x/new.txt", "/x/old.txt"])]):
        config = resolve.with_values(RunConfig(), data={"sources": sources})
        run = write_run(home, name, training(1), config)
        os.utime(run.config_file, (1000 + age, 1000 + age))
    broken = write_run(home, "c", [])
    broken.config_file.write_text("not toml", encoding="utf-8")
    assert texts.used_before(home) == ["/x/new.txt", "/x/old.txt"]


def test_look_counts_a_folder_and_misses_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "a.txt").write_text("12345")
    (tmp_path / "books" / ".hidden").write_text("12345")
    assert texts.path_size(str(tmp_path / "books")) == texts.PathSize(5, 1)
    assert texts.path_size(str(tmp_path / "books" / "a.txt")) == texts.PathSize(5)
    assert texts.path_size(str(tmp_path / "gone")) is None
    assert texts.path_size("a\0b") is None


def test_cautions_say_the_gravest_first(tiny_config: Configured, home: Path) -> None:
    prepared = texts.prepare_texts(tiny_config(), home)
    cautions = texts.cautions(tiny_config(), 9_000, None)
    assert "Far too little" in cautions[0]
    assert "memorise" in texts.cautions(tiny_config(), 15_000, None)[0]
    assert texts.cautions(tiny_config(), 30_000, None) == []
    chars = {"kind": "char"}
    narrow, wide = (tiny_config(model={"n_embd": width}, tokenizer=chars) for width in (16, 128))
    assert "vocabulary is 68%" in texts.cautions(narrow, 30_000, prepared)[0]
    assert texts.cautions(wide, 30_000, prepared) == []
    large = tiny_config(tokenizer={"vocab_size": 2000})
    grown = texts.prepare_texts(large, home)
    assert any("on average" in sentence for sentence in texts.cautions(large, 30_000, grown))
    for config, n_bytes in ((large, 9_000), (large, 15_000), (narrow, 30_000)):
        assert all(len(sentence) <= 76 for sentence in texts.cautions(config, n_bytes, grown)), "80 columns"


def test_notches_go_up_and_down_and_stay_at_the_ends() -> None:
    assert texts.next_vocabulary(2048, up=True) == 4096
    assert texts.next_vocabulary(3000, up=False) == 2048
    assert texts.next_vocabulary(texts.VOCABULARIES[-1], up=True) == texts.VOCABULARIES[-1]
    assert texts.next_vocabulary(257, up=False) == 257
    assert [texts.next_held_out(share) for share in (0.0, 0.05, 0.07, 0.1, 0.2)] == [0.05, 0.1, 0.1, 0.2, 0.0]


def test_names_are_as_short_as_they_can_be() -> None:
    paths = ["/a/one/book.txt", "/a/two/book.txt", "/b/poems.txt", "stories"]
    names = texts.short_names(paths)
    assert list(names.values()) == ["one/book.txt", "two/book.txt", "poems.txt", "stories"]


# ---- typing a path ------------------------------------------------------------------------------------------------


def test_completions_put_folders_first_and_hide_the_hidden(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    for name in ("best.txt", "apple.txt", ".secret"):
        (tmp_path / name).touch()
    front = f"{tmp_path}/"
    assert completions(front) == [f"{front}books/", f"{front}apple.txt", f"{front}best.txt"]
    assert completions(f"{front}b") == [f"{front}books/", f"{front}best.txt"]
    assert completions(f"{front}B") == [f"{front}books/", f"{front}best.txt"]
    assert completions(f"{front}.s") == [f"{front}.secret"]
    assert completions(f"{front}nothing/x") == []
    assert completions("a\0b/") == []


def test_the_home_folder_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "notes.txt").touch()
    assert completions("~") == ["~/"]
    assert completions("~/n") == ["~/notes.txt"]
    assert whole_path(" ~/notes.txt ") == str(tmp_path / "notes.txt")
    assert fault_of("~/notes.txt") is None
    assert fault_of("~/other.txt") == "There is nothing at this path."
    assert fault_of("  ") is not None
    assert fault_of("stories") is None
    assert fault_of("x\0") is not None
