"""Text to token ids and back: byte-level BPE trained on your text, single characters, or raw bytes.

BPE is trained by rustbpe and run by tiktoken. The saved form is JSON of our own (`Tokenizer.to_json`): no pickle,
nothing downloaded. There is one special token, `<|endoftext|>`, always the last id; it stands before and after each
document, and text that happens to contain its name is just text.
"""

import base64
import codecs
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import rustbpe
import tiktoken

from tinylm import files
from tinylm.config.schema import MOST_TOKENS, TokenizerConfig
from tinylm.errors import DataError, RunError

END_OF_TEXT = "<|endoftext|>"

GPT4_SPLIT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
"""How text is cut before merging: the pattern of GPT-4, `tiktoken`'s cl100k_base."""

_SPLIT = (
    r"(?:'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n])|\s+(?!\S)|\s+"
)
"""The same pieces sooner: all that looks at nothing behind it in one group, which the engine takes in one go.

GPT-4's possessive `?+` and `++` are plain here: what they hold, nothing behind them could take. On three novels
training took 0.29 s instead of 0.47, encoding 0.66 s of one processor instead of 0.83; without the group 0.35 and 0.74.
"""

_FORMAT = 1

MOST_BYTES = 1 << 25
"""Of a tokenizer.json: one with every character that there is has 20 MB, one of BPE rarely 5."""

_MOST_CHARACTERS = 0x110000
_BLOCK_CHARS = 1 << 17
_BLOCKS = 64  # are counted at a time, by all processors

_ENDLESS = re.compile(r"(\s{400000})")
"""White space that the split pattern takes as one piece; beyond a million characters its engine gives up."""

Ids = npt.NDArray[np.uint32]


class Tokenizer:
    """Encodes text as ids and decodes ids as text; `vocab_size` counts the special token."""

    def __init__(self, kind: str, pieces: Sequence[bytes]) -> None:
        """`pieces` are the bytes of each ordinary token in the order of their ids; ValueError where two are equal."""
        if len(set(pieces)) != len(pieces) or not all(pieces) or not pieces:
            raise ValueError("two tokens of a tokenizer are the same, or one is empty, or there is none")
        self.kind = kind
        self.pieces = list(pieces)
        self.end_of_text = len(pieces)
        self.vocab_size = len(pieces) + 1
        self.token_bytes = np.array([len(piece) for piece in pieces] + [0], dtype=np.int64)
        """Raw bytes of each token, shape (vocab_size,); the special token has none."""
        if kind == "bpe":
            ranks = {piece: rank for rank, piece in enumerate(pieces)}
            if any(bytes([byte]) not in ranks for byte in range(256)):
                raise ValueError("a BPE tokenizer without all 256 bytes")
            # A special token that tiktoken is never allowed to use: where it knows none it looks for one everywhere.
            special = {END_OF_TEXT: self.end_of_text}
            self._bpe = tiktoken.Encoding("tinylm", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens=special)
        elif kind == "char":
            points = [ord(piece.decode("utf-8")) for piece in pieces]
            self._points = np.array(points, dtype=np.uint32)
            if np.any(np.diff(self._points.astype(np.int64)) <= 0):
                raise ValueError("the characters of a tokenizer out of order")
        elif kind != "byte" or list(pieces) != [bytes([byte]) for byte in range(256)]:
            raise ValueError(f"no tokenizer of the kind {kind!r}")

    def encode(self, text: str) -> Ids:
        """The ids of `text`, shape (n_tokens,); DataError where a character tokenizer never met a character."""
        if self.kind == "bpe":
            parts = _ENDLESS.split(text) if _ENDLESS.search(text) else [text]
            return np.concatenate([self._merged(part) for part in parts])
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
        """The ids of each text; many short ones at the price of a long one."""
        joined = END_OF_TEXT.join(texts)
        plain = joined.count(END_OF_TEXT) == len(texts) - 1 and not _ENDLESS.search(joined)
        if self.kind != "bpe" or len(texts) < 2 or not plain:
            return [self.encode(text) for text in texts]
        ids = self._bpe.encode_to_numpy(joined, allowed_special={END_OF_TEXT})
        ends = np.flatnonzero(ids == self.end_of_text)
        return [part[number > 0 :] for number, part in enumerate(np.split(ids, ends))]

    def _merged(self, text: str) -> Ids:
        """The ids of BPE; other threads run meanwhile."""
        try:
            return self._bpe.encode_to_numpy(text, disallowed_special=())
        except UnicodeEncodeError:  # half a character, which only this way of calling replaces
            return np.array(self._bpe.encode_ordinary(text), dtype=np.uint32)

    def portions(self, blocks: Iterable[str]) -> Iterator[str]:
        """A text, given in blocks of any size, in others of which each can be encoded alone: the ids are the whole's.

        The split pattern of BPE takes what it takes either up to the last line end of some white space, or from one
        letter to the next space. Where a text has no such place it is not cut; its memory is that of the longest
        stretch without one.
        """
        begun: list[str] = []
        for block in blocks:
            if begun:
                text = "".join(begun[-2:])  # what begun[:-2] ends with was looked at before
                at = len(text) if self.kind != "bpe" else _last_cut(text)
                if at:
                    yield "".join([*begun[:-2], text[:at]])
                    begun = [text[at:]] if at < len(text) else []
            begun.append(block)
        if begun:
            yield "".join(begun)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The raw bytes of ids; special tokens give none."""
        return b"".join(self.pieces[i] for i in ids if i != self.end_of_text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; bytes that are no whole character become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def stream(self) -> "TextStream":
        """A decoder for ids that come one by one."""
        return TextStream(self)

    def to_json(self) -> str:
        """The saved form: `format`, `kind`, `special`, and `tokens`, each token's bytes in base64, in order of id."""
        tokens = [base64.b64encode(piece).decode("ascii") for piece in self.pieces]
        table = {"format": _FORMAT, "kind": self.kind, "special": {END_OF_TEXT: self.end_of_text}, "tokens": tokens}
        return json.dumps(table, indent=0)

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """The tokenizer that `to_json` saved; RunError where the text is not one."""
        try:
            table = files.json_object(text)
            kind, tokens = table["kind"], table["tokens"]
            most = _MOST_CHARACTERS if kind == "char" else MOST_TOKENS
            if not isinstance(tokens, list) or len(tokens) >= most:
                raise ValueError("it has no list of tokens, or one without an end")
            if table["special"] != {END_OF_TEXT: len(tokens)}:
                raise ValueError("its special token does not come after all others")
            return cls(kind, [base64.b64decode(token, validate=True) for token in tokens])
        except (ValueError, TypeError, KeyError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else error
            raise RunError(
                f"The tokenizer.json of this run is damaged: {what}.", "Restore the file, or train again."
            ) from None


class TextStream:
    """Text from ids that come one by one, never half a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """The characters that are whole now that `token` has come; often all of its own."""
        return self._decoder.decode(self._tokenizer.decode_bytes([token]))

    def close(self) -> str:
        """What is left at the end: U+FFFD where a character was begun and never finished, else nothing."""
        return self._decoder.decode(b"", final=True)


def train_tokenizer(
    config: TokenizerConfig, train: Iterable[Iterable[str]], alphabet: Iterable[Iterable[str]], share: float = 1.0
) -> Tokenizer:
    """Make a tokenizer for `train`, the training texts, each in blocks of any size.

    `alphabet` is all text there is, held-out text too: a character tokenizer takes its characters (and nothing else)
    from there, as nanoGPT's does, so that it can spell what it is measured on. A small text yields fewer than
    `config.vocab_size` BPE tokens. With a `share` below 1, BPE learns from that part of the text, in stretches of
    about 130 kB that are spread evenly over it.
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
        training_blocks(train, share), vocab_size=config.vocab_size - 1, buffer_size=_BLOCKS, pattern=_SPLIT
    )
    ranked = sorted((rank, bytes(piece)) for piece, rank in trainer.get_mergeable_ranks())
    return Tokenizer("bpe", [piece for _, piece in ranked])


def training_blocks(texts: Iterable[Iterable[str]], share: float = 1.0) -> Iterator[str]:
    """What BPE learns from: blocks that have about this share of the characters, spread evenly over the texts."""
    seen = kept = 0
    for block in _blocks(texts):
        if kept <= share * seen:
            kept += len(block)
            yield block
        seen += len(block)


def _blocks(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """The texts in blocks that end after a line, so that the split pattern finds the same pieces as in the whole."""
    for text in texts:
        begun = ""
        for block in text:
            begun += block
            while len(begun) > _BLOCK_CHARS:
                cut = begun.rfind("\n", 0, _BLOCK_CHARS) + 1 or _BLOCK_CHARS
                yield begun[:cut]
                begun = begun[cut:]
        if begun:
            yield begun


_LINE_END = re.compile(r"\n(?=\S)")
_WORD_END = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")
_NEAR = 1 << 14


def _last_cut(text: str) -> int:
    """The last place in a text at which the split pattern, in the whole of it, cuts whatever stands around; or 0.

    Behind the last line end in some white space: pieces with a line end in them end there. Between a letter and a
    space before a letter: a piece goes on behind the letter with letters only, and one with the space begins there.
    """
    for start in (max(0, len(text) - _NEAR), 0):
        for edge in (_LINE_END, _WORD_END):
            found = deque(edge.finditer(text, start), maxlen=1)
            if found:
                return found[0].end()
    return 0
