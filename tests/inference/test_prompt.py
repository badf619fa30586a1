"""What a model reads of a prompt, and that what it writes joins what a person sees."""

import unicodedata

import pytest
import torch

from tests.models import build
from tests.texts import made_up_text
from tinylm.config.schema import SampleConfig, TokenizerConfig
from tinylm.data.tokenizer import END_OF_TEXT, Tokenizer, train_tokenizer
from tinylm.errors import DataError
from tinylm.inference.generate import continue_texts, generate_text, generate_texts
from tinylm.inference.prompt import fit_prompt
from tinylm.kernels.decode import DecodeLibrary

TEXT = made_up_text(seed=1, size=20_000)
BPE = train_tokenizer(TokenizerConfig(vocab_size=400), [[TEXT]], [])
BYTES = train_tokenizer(TokenizerConfig(kind="byte"), [], [])
CHARACTERS = train_tokenizer(TokenizerConfig(kind="char"), [], [[TEXT, "é"]])
MODEL = build(BPE.vocab_size)


def read(tokenizer: Tokenizer, text: str) -> str:
    """The text that a model reads of a prompt."""
    return tokenizer.decode(fit_prompt(tokenizer, text).ids)


# ---- the form of the text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\ufeffOnce", "Once"),
        (unicodedata.normalize("NFD", "é"), "é"),
        ("Once\n", "Once\n"),
        ("a\x00b\x1b", "a\x00b\x1b"),
        (END_OF_TEXT, END_OF_TEXT),
        ("", ""),
    ],
)
def test_a_prompt_is_read_as_training_texts_are(given: str, cleaned: str) -> None:
    for tokenizer in (BPE, BYTES):
        fitted = fit_prompt(tokenizer, given)
        assert fitted.text == cleaned
        assert tokenizer.decode(fitted.ids) == cleaned
        assert tokenizer.end_of_text not in fitted.ids
        assert fitted.notes == []


def test_a_character_tokenizer_reads_what_it_knows() -> None:
    assert read(CHARACTERS, "e\u0301") == "é"
    with pytest.raises(DataError):
        fit_prompt(CHARACTERS, "漢")


# ---- a space at the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ids_of"),
    [("Once upon ", "Once upon"), ("Once  ", "Once "), (" ", ""), ("   ", "  "), ("Once\n ", "Once\n")],
)
def test_a_space_at_the_end_belongs_to_the_next_token(text: str, ids_of: str) -> None:
    fitted = fit_prompt(BPE, text)
    assert fitted.text == text
    assert fitted.ids == BPE.encode(ids_of).tolist()
    assert len(fitted.notes) == 1
    for seed in range(20):
        settings = SampleConfig(max_new_tokens=1, temperature=2.0)
        [(_, first)] = continue_texts(MODEL, BPE, fitted.ids, settings, [seed], n_candidates=400, first=fitted.first)
        assert BPE.pieces[first.token].startswith(b" ")
        assert all(BPE.pieces[candidate.token].startswith(b" ") for candidate in first.candidates)


@pytest.mark.parametrize("text", ["Once upon ", "Once  ", " ", "Once", "Once\n", "One\t", "One\u00a0", "One\u3000"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_written_joins_the_prompt(text: str, temperature: float, either_library: DecodeLibrary | None) -> None:
    settings = SampleConfig(max_new_tokens=8, temperature=temperature)
    fitted = fit_prompt(BPE, text)
    [continuation] = generate_texts(MODEL, BPE, text, settings, [settings.seed], either_library)
    assert "".join(generate_text(MODEL, BPE, text, settings, either_library)) == continuation.text
    written = continue_texts(
        MODEL, BPE, fitted.ids, settings, [settings.seed], library=either_library, first=fitted.first
    )
    assert text + continuation.text == BPE.decode([*fitted.ids, *(token.token for _, token in written)])


def test_only_what_words_begin_with_is_taken_off() -> None:
    for tokenizer, text in [(BYTES, "Once "), (CHARACTERS, "Once "), (BPE, "Once\n"), (BPE, "Once\u3000"), (BPE, "")]:
        fitted = fit_prompt(tokenizer, text)
        assert (fitted.begun, fitted.first, fitted.notes) == ("", None, [])
        assert tokenizer.decode(fitted.ids) == text


def test_a_tab_before_words_belongs_to_them() -> None:
    tabs = train_tokenizer(TokenizerConfig(vocab_size=300), [["\tpainted\tpainted" * 50]], [])
    fitted = fit_prompt(tabs, "and\t")
    assert tabs.decode(fitted.ids) == "and"
    assert fitted.first is not None
    assert {bytes(tabs.pieces[i][:1]) for i in fitted.first.nonzero()[0]} == {b"\t"}


# ---- a long prompt ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "fits"), [(15, True), (16, True), (17, False), (500, False)])
def test_a_prompt_longer_than_the_context_is_told(tokens: int, fits: bool) -> None:
    fitted = fit_prompt(BYTES, "x" * tokens, block_size=16)
    assert len(fitted.ids) == tokens
    assert (fitted.notes == []) == fits
    if not fits:
        assert f"16 of {tokens}" in fitted.notes[0]


def test_only_the_end_of_a_long_prompt_is_read() -> None:
    model = build(257)
    settings = SampleConfig(max_new_tokens=1, temperature=0)
    end = "".join(map(chr, torch.randint(97, 123, (16,), generator=torch.Generator().manual_seed(2)).tolist()))
    texts = [generate_texts(model, BYTES, beginning + end, settings, [0]) for beginning in ("one", "another ")]
    assert texts[0] == texts[1]
