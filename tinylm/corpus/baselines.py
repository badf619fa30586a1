"""What a text costs without a neural network, in bits per byte: the lines that a training has to pass.

A chart of held-out bits per byte says little by itself. Beside the cost under plain counts of characters,
pairs and triples, and beside what gzip and xz make of the same text, it says what the model has learnt.
"""

import lzma
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinylm.corpus.spool import TextSpan

MOST_COMPRESSED = 1 << 24
"""Bytes of held-out text that gzip and xz are asked about: xz takes ten times as much memory, and a second for 2 MB."""

_LEAST_DICT = 1 << 12  # bytes, xz's own least
_POINTS = 0x110000
_BOUNDARY = "\ud800"  # ahead of each document: half a character, which no text contains
_BLOCK = 1 << 21  # characters counted at a time, which bounds the memory whatever the size of the text
_DENSE = 1 << 23  # more possible n-grams than this are counted by sorting instead of in a table (64 MB)

_Codes = npt.NDArray[np.unsignedinteger]
_Integers = npt.NDArray[np.int64]
Texts = Sequence[TextSpan]


def baselines(train: Texts, held_out: Texts) -> dict[str, float]:
    """Bits per UTF-8 byte of the held-out documents under six models that need no training.

    With V the number of distinct characters in both parts, N the characters of the training part, n(h, c)
    how often it has c after h, n(h) the sum of that over all c, and h' the history h without its first
    character:

    - blind: every character costs log2 V;
    - counts: p(c) = (n(c) + 1) / (N + V);
    - pairs, triples: p(c | h) = (n(h, c) + p(c | h')) / (n(h) + 1), for h of one and of two characters: one
      imagined observation, spread as the next-shorter order spreads it;
    - gzip, xz: at level 9, on the held-out text alone, its documents joined without anything between them; of more
      than MOST_COMPRESSED bytes the first so many, and bits per byte of those.

    The counts stay those of the training part. Each document starts afresh, after a boundary that is itself
    neither predicted nor paid for. Returns {} where there is no held-out text. Texts are read in blocks: the memory
    is that of the n-grams that the held-out part has.
    """
    size = sum(text.size for text in held_out)
    if not size:
        return {}
    with ThreadPoolExecutor() as pool:  # both compressors release the interpreter lock
        gzipped = pool.submit(_compressed, held_out, zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS))
        xzipped = pool.submit(_compressed, held_out, _xz(min(size, MOST_COMPRESSED)))
        bits = _ngram_bits(train, held_out)
        per_byte = {name: cost / size for name, cost in bits.items()}
        return per_byte | {"gzip": gzipped.result(), "xz": xzipped.result()}


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _xz(size: int) -> lzma.LZMACompressor:
    """xz at level 9 for so many bytes.

    A dictionary larger than the text finds nothing more and costs half as much time again: of 60 stretches of prose
    and code, 1 kB to 1 MB long, each had the same number of bytes with either.
    """
    return lzma.LZMACompressor(filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": max(_LEAST_DICT, size)}])


def _compressed(texts: Texts, compressor: _Compressor) -> float:
    """Bits that each of the first MOST_COMPRESSED bytes takes."""
    left, packed = MOST_COMPRESSED, 0
    for data in _raw(texts):
        packed += len(compressor.compress(data[:left]))
        left -= len(data[:left])
        if not left:
            break
    return 8 * (packed + len(compressor.flush())) / (MOST_COMPRESSED - left)


def _raw(texts: Texts) -> Iterator[bytes]:
    return (block.encode() for text in texts for block in text.blocks())


def _ngram_bits(train: Texts, held_out: Texts) -> dict[str, float]:
    """Total bits of the held-out characters: blind, counts, pairs, triples."""
    alphabet = _Alphabet(train, held_out)
    size, side = alphabet.size, alphabet.size + 1  # with the boundary, the last code
    keys, times = _triples(alphabet.codes(held_out), side)  # each distinct triple is priced once
    n_hhc, n_hh, n_hc, n_h, n_c, n = _counts(alphabet.codes(train), side, keys)
    p1 = (n_c + 1) / (n + size)
    p2 = (n_hc + p1) / (n_h + 1)
    p3 = (n_hhc + p2) / (n_hh + 1)
    counts, pairs, triples = (float(-times @ np.log2(p)) for p in (p1, p2, p3))
    return {"blind": int(times.sum()) * math.log2(size), "counts": counts, "pairs": pairs, "triples": triples}


class _Alphabet:
    """The characters of texts as codes 0 ... V - 1 in the order of Unicode, and the boundary as code V."""

    def __init__(self, *parts: Texts) -> None:
        known = np.zeros(_POINTS, dtype=bool)
        for texts in parts:
            for points in _points(texts):
                known[points] = True
        known[ord(_BOUNDARY)] = False
        self.size = int(np.count_nonzero(known))
        """V."""
        self._table = (np.cumsum(known) - 1).astype(np.min_scalar_type(self.size))
        self._table[ord(_BOUNDARY)] = self.size

    def codes(self, texts: Texts) -> Iterator[_Codes]:
        """The texts in blocks, two boundaries ahead of each text; a block begins with the last two codes before it."""
        last: _Codes = np.zeros(0, dtype=self._table.dtype)
        for points in _points(texts):
            codes = np.concatenate([last, self._table[points]])
            yield codes
            last = codes[-2:]


def _points(texts: Texts) -> Iterator[npt.NDArray[np.uint32]]:
    """Unicode code points of the texts in blocks, with two boundaries ahead of each text."""
    waiting, characters = [""], 0
    for text in texts:
        waiting.append(2 * _BOUNDARY)
        for block in text.blocks():
            waiting.append(block)
            characters += len(block)
            if characters >= _BLOCK:
                yield np.frombuffer("".join(waiting).encode("utf-32-le", "surrogatepass"), dtype="<u4")
                waiting, characters = [""], 0
    yield np.frombuffer("".join(waiting).encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _keys(codes: _Codes, side: int) -> _Integers:
    """The triples that end at each place but the first two: one number in base `side`.

    It has the character before last, the last, and the character itself.
    """
    key = codes[:-2].astype(np.int64)
    for later in (codes[1:-1], codes[2:]):
        key *= side
        key += later
    return key


def _triples(blocks: Iterable[_Codes], side: int) -> tuple[_Integers, _Integers]:
    """The distinct character triples of a text, ascending, and how often each occurs; none ends in a boundary."""
    if side**3 <= _DENSE:
        table = _tabled(blocks, side)
        found = np.flatnonzero(table)
        return found, table[found]
    keys, times = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    waiting: list[tuple[_Integers, _Integers]] = []
    for codes in blocks:
        waiting.append(_distinct(codes, side))
        if sum(len(key) for key, _ in waiting) > max(_BLOCK, len(keys)):
            keys, times = _summed([(keys, times), *waiting])
            waiting = []
    return _summed([(keys, times), *waiting])


def _counts(
    blocks: Iterable[_Codes], side: int, asked: _Integers
) -> tuple[_Integers, _Integers, _Integers, _Integers, _Integers, int]:
    """For each triple asked for how often a text has it, its first two, its last two, each of these two, and all."""
    hh, hc, h, c = asked // side, asked % side**2, asked % side**2 // side, asked % side
    if side**3 <= _DENSE:
        table = _tabled(blocks, side)
        cube = table.reshape(side, side, side)
        pairs = cube.sum(axis=0)
        n_hh, n_hc, n_h, n_c = cube.sum(axis=2).ravel(), pairs.ravel(), pairs.sum(axis=1), pairs.sum(axis=0)
        return table[asked], n_hh[hh], n_hc[hc], n_h[h], n_c[c], int(n_c.sum())
    one, two, three = _Asked(asked), _Asked(hh), _Asked(hc)
    n_h, n_c = np.zeros(side, dtype=np.int64), np.zeros(side, dtype=np.int64)
    for codes in blocks:
        keys, times = _distinct(codes, side)
        one.add(keys, times)
        two.add(keys // side, times)
        three.add(keys % side**2, times)
        np.add.at(n_h, keys % side**2 // side, times)
        np.add.at(n_c, keys % side, times)
    return one.counts(), two.counts(), three.counts(), n_h[h], n_c[c], int(n_c.sum())


def _tabled(blocks: Iterable[_Codes], side: int) -> _Integers:
    """How often each possible triple occurs, (side ** 3,)."""
    table = np.zeros(side**3, dtype=np.int64)
    for codes in blocks:
        table += np.bincount(_keys(codes, side), minlength=len(table))
    table[side - 1 :: side] = 0  # a boundary ends nothing
    return table


def _distinct(codes: _Codes, side: int) -> tuple[_Integers, _Integers]:
    """The distinct triples of a block, ascending, and how often each occurs."""
    keys, times = np.unique(_keys(codes, side), return_counts=True)
    kept = keys % side != side - 1
    return keys[kept], times[kept]


def _summed(found: Sequence[tuple[_Integers, _Integers]]) -> tuple[_Integers, _Integers]:
    """The distinct keys, ascending, and the sum of the counts of each."""
    distinct, where = np.unique(np.concatenate([keys for keys, _ in found]), return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, where, np.concatenate([times for _, times in found]))
    return distinct, sums


class _Asked:
    """Counts the keys that were asked for, and no others."""

    def __init__(self, asked: _Integers) -> None:
        self._keys, self._where = np.unique(asked, return_inverse=True)
        self._counts = np.zeros(len(self._keys), dtype=np.int64)

    def add(self, keys: _Integers, times: _Integers) -> None:
        """So many more of these."""
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[at] == keys
        np.add.at(self._counts, at[known], times[known])

    def counts(self) -> _Integers:
        """The count of each key asked for, 0 where it never occurred."""
        return self._counts[self._where]
