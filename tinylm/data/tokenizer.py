"""Tokenizers: byte-level BPE trained on the text, single characters, or raw bytes.

BPE is trained by rustbpe and run by tiktoken. The saved form is our own JSON (`Tokenizer.to_json`), without pickle or
downloads. The one special token, `<|endoftext|>`, always has the last id; text that contains its name is plain text.
"""

import base64
import codecs
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import rustbpe
import tiktoken

from tinylm import files
from tinylm.config.schema import MOST_TOKENS, TokenizerConfig
from tinylm.errors import DataError, RunError
from tinylm.words import is_visible

END_OF_TEXT = "<|endoftext|>"

GPT4_SPLIT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
"""How text is split before merging: the pattern of GPT-4, `tiktoken`'s cl100k_base."""

SPLIT = (
    r"(?:'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n])|\s+(?!\S)|\s+"
)
"""An equivalent of GPT4_SPLIT that is faster (assets/results/notes.md).

All alternatives without lookahead are in one group, which the regex engine runs by its fast path. The possessive `?+`
and `++` are plain: nothing after them could match what they give back.
"""

PARAGRAPH_ENDS = {"\n\n": "paragraph", "\n": "line"}
"""What a new text may begin behind instead of the end of another, and what begins there."""

_FORMAT = 1

MOST_BYTES = 1 << 25
"""Largest tokenizer.json: one with every Unicode character has 20 MB, one of BPE rarely 5."""

_MOST_CHARACTERS = 0x110000
BLOCK_CHARS = 1 << 17
_BLOCKS = 64  # counted at a time, by all processors

LONGEST_TOKEN = 64
"""Most bytes of a BPE token. Longer ones come from runs such as `aaaa`, and leave hardly a token to train on."""

_LONG_SPACE = re.compile(r"(\s{400000})")
"""White space is one piece of the split pattern, and beyond a million characters its engine gives up."""

Ids = npt.NDArray[np.uint32]


class Tokenizer:
    """Encodes text as token ids and decodes them; `vocab_size` includes the special token."""

    def __init__(self, kind: str, pieces: Sequence[bytes], new_text: str = "") -> None:
        """`pieces` are the bytes of the ordinary tokens in order of their ids; ValueError if they make no tokenizer."""
        if len(set(pieces)) != len(pieces) or not all(pieces) or not pieces:
            raise ValueError("two tokens of a tokenizer are the same, or one is empty, or there is none")
        self.kind = kind
        self.pieces = list(pieces)
        self.end_of_text = len(pieces)
        self.vocab_size = len(pieces) + 1
        self.token_bytes = np.array([len(piece) for piece in pieces] + [0], dtype=np.int64)
        """Number of bytes of each token, (vocab_size,); 0 for the special token."""
        if kind == "bpe":
            ranks = {piece: rank for rank, piece in enumerate(pieces)}
            if any(bytes([byte]) not in ranks for byte in range(256)):
                raise ValueError("a BPE tokenizer without all 256 bytes")
            # Never allowed by `encode`; but without a special token tiktoken would search every text for one.
            special = {END_OF_TEXT: self.end_of_text}
            self._bpe = tiktoken.Encoding("tinylm", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens=special)
        elif kind == "char":
            points = [ord(piece.decode("utf-8")) for piece in pieces]
            self._points = np.array(points, dtype=np.uint32)
            if np.any(np.diff(self._points.astype(np.int64)) <= 0):
                raise ValueError("the characters of a tokenizer out of order")
        elif kind != "byte" or list(pieces) != [bytes([byte]) for byte in range(256)]:
            raise ValueError(f"no tokenizer of the kind {kind!r}")
        self.new_text = new_text
        """What precedes a new text where the model has seen few texts begin, one of PARAGRAPH_ENDS. Empty: the
        end-of-text token."""

    @property
    def beginning(self) -> list[int]:
        """The ids that precede what a model writes."""
        return self.encode(self.new_text).tolist() if self.new_text else [self.end_of_text]

    @cached_property
    def invisible(self) -> npt.NDArray[np.bool_]:
        """Which tokens show nothing, (vocab_size,): white space, control characters, end-of-text; not the parts of a
        character, which may become one that shows."""
        texts = [piece.decode("utf-8", errors="replace") for piece in self.pieces]
        return np.array([*(not is_visible(text) for text in texts), True])

    def encode(self, text: str) -> Ids:
        """The ids of `text`, (n_tokens,); DataError if a character is not in a character tokenizer."""
        if self.kind == "bpe":
            parts = _LONG_SPACE.split(text) if _LONG_SPACE.search(text) else [text]
            return np.concatenate([self._encode_bpe(part) for part in parts])
        if self.kind == "byte":
            return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).astype(np.uint32)
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        ids = np.minimum(np.searchsorted(self._points, points), len(self._points) - 1)
        unknown = points[self._points[ids] != points]
        if unknown.size:
            shown = " ".join(repr(chr(point)) for point in dict.fromkeys(unknown[:1000].tolist()))[:80]
            raise DataError(
                f"This model never met these characters: {shown}.",
                "Leave them out, or train with --set tokenizer.kind=bpe, which can spell everything.",
            )
        return ids.astype(np.uint32)

    def encode_each(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, in one call of tiktoken where possible: many short texts cost as much as a long one."""
        joined = END_OF_TEXT.join(texts)
        plain = joined.count(END_OF_TEXT) == len(texts) - 1 and not _LONG_SPACE.search(joined)
        if self.kind != "bpe" or len(texts) < 2 or not plain:
            return [self.encode(text) for text in texts]
        ids = self._bpe.encode_to_numpy(joined, allowed_special={END_OF_TEXT})
        ends = np.flatnonzero(ids == self.end_of_text)
        return [part[number > 0 :] for number, part in enumerate(np.split(ids, ends))]

    def _encode_bpe(self, text: str) -> Ids:
        """The ids by BPE; releases the GIL."""
        try:
            return self._bpe.encode_to_numpy(text, disallowed_special=())
        except UnicodeEncodeError:  # a lone surrogate, which only encode_ordinary replaces
            return np.array(self._bpe.encode_ordinary(text), dtype=np.uint32)

    def safe_blocks(self, blocks: Iterable[str]) -> Iterator[str]:
        """The text in blocks that can be encoded one by one: together they have the ids of the whole.

        BPE needs a cut at which the split pattern ends a piece whatever stands around it (`_last_cut`). A text is not
        cut where there is none, so memory is that of the longest part without one.
        """
        begun: list[str] = []
        for block in blocks:
            if begun:
                text = "".join(begun[-2:])  # the end of begun[:-2] was searched before
                cut = len(text) if self.kind != "bpe" else _last_cut(text)
                if cut:
                    yield "".join([*begun[:-2], text[:cut]])
                    begun = [text[cut:]] if cut < len(text) else []
            begun.append(block)
        if begun:
            yield "".join(begun)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of the tokens; the special token has none."""
        return b"".join(self.pieces[i] for i in ids if i != self.end_of_text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the tokens, with U+FFFD for bytes that make no character."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def stream(self) -> "TextStream":
        """A decoder for ids that come one by one."""
        return TextStream(self)

    def to_json(self) -> str:
        """The saved form: `format`, `kind`, `special`, and `tokens`, each one's bytes in base64, in order of ids.

        Where a new text does not begin behind the end-of-text token, `new_text` says behind what it does.
        """
        tokens = [base64.b64encode(piece).decode("ascii") for piece in self.pieces]
        table = {"format": _FORMAT, "kind": self.kind, "special": {END_OF_TEXT: self.end_of_text}, "tokens": tokens}
        if self.new_text:
            table["new_text"] = self.new_text
        return json.dumps(table, indent=0)

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Read what `to_json` wrote; RunError if it is damaged."""
        try:
            table = files.json_object(text)
            kind, tokens = table["kind"], table["tokens"]
            most = _MOST_CHARACTERS if kind == "char" else MOST_TOKENS
            if not isinstance(tokens, list) or len(tokens) >= most:
                raise ValueError("it has no list of tokens, or one without an end")
            if table["special"] != {END_OF_TEXT: len(tokens)}:
                raise ValueError("its special token does not come after all others")
            if (new_text := table.get("new_text", "")) not in ("", *PARAGRAPH_ENDS):
                raise ValueError("it says something else than a paragraph's end before a new text")
            tokenizer = cls(kind, [base64.b64decode(token, validate=True) for token in tokens], new_text)
            tokenizer.encode(new_text)
            return tokenizer
        except (ValueError, TypeError, KeyError, DataError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else error
            raise RunError(
                f"The tokenizer.json of this run is damaged: {what}.", "Restore the file, or train again."
            ) from None


class TextStream:
    """Decodes tokens one by one, and yields whole characters only."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """The characters that `token` completes."""
        return self._decoder.decode(self._tokenizer.decode_bytes([token]))

    def close(self) -> str:
        """The rest at the end: U+FFFD if a character is incomplete, else nothing."""
        return self._decoder.decode(b"", final=True)


def train_tokenizer(
    config: TokenizerConfig, train: Iterable[Iterable[str]], alphabet: Iterable[Iterable[str]], share: float = 1.0
) -> Tokenizer:
    """Train a tokenizer on the texts of `train`, each in blocks of any size.

    A character tokenizer takes its characters from `alphabet`, which is all text including the held-out part, as
    nanoGPT's does, so that it can encode what it is evaluated on. A text that is small or repeats itself yields fewer
    than `config.vocab_size` BPE tokens. With a `share` below 1, BPE is trained on that share of the text, in blocks of
    about 130 kB spread evenly over it.
    """
    if config.kind == "byte":
        return Tokenizer("byte", [bytes([byte]) for byte in range(256)])
    if config.kind == "char":
        characters: set[str] = set()
        for text in alphabet:
            characters.update(*map(set, text))
        return Tokenizer("char", [character.encode("utf-8") for character in sorted(characters)])
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(
        training_blocks(train, share), vocab_size=config.vocab_size - 1, buffer_size=_BLOCKS, pattern=SPLIT
    )
    ranked = sorted((rank, bytes(piece)) for piece, rank in trainer.get_mergeable_ranks())
    # A longer token is only made of shorter ones, and all that are made of it are longer still: none is left without
    # its parts.
    return Tokenizer("bpe", [piece for _, piece in ranked if len(piece) <= LONGEST_TOKEN])


def training_blocks(texts: Iterable[Iterable[str]], share: float = 1.0) -> Iterator[str]:
    """The blocks that BPE is trained on: about `share` of the characters, spread evenly over the texts."""
    seen = kept = 0
    for block in _blocks(texts):
        if kept <= share * seen:
            kept += len(block)
            yield block
        seen += len(block)


def _blocks(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """The texts in blocks that end after a line where possible, so that the split pattern finds the same pieces."""
    for text in texts:
        begun = ""
        for block in text:
            begun += block
            while len(begun) > BLOCK_CHARS:
                cut = begun.rfind("\n", 0, BLOCK_CHARS) + 1 or BLOCK_CHARS
                yield begun[:cut]
                begun = begun[cut:]
        if begun:
            yield begun


_LINE_END = re.compile(r"\n(?=\S)")
_WORD_END = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")
_NEAR = 1 << 14


def _last_cut(text: str) -> int:
    """The last position at which the split pattern ends a piece whatever precedes or follows the text; 0 if none.

    It is after the last line end in some white space, where every piece with a line end ends; or between a letter and a
    space before a letter, where a piece could go on with letters only, and the next one begins with the space.
    """
    for start in (max(0, len(text) - _NEAR), 0):
        for edge in (_LINE_END, _WORD_END):
            last = deque(edge.finditer(text, start), maxlen=1)
            if last:
                return last[0].end()
    return 0
