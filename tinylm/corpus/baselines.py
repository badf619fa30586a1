"""Bits per byte of the held-out text under n-gram counts and compressors: what a model has to beat.

They give the chart of held-out bits per byte its scale.
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
"""Bytes of held-out text that gzip and xz compress: xz needs ten times as much memory, and a second for 2 MB."""

_LEAST_DICT = 1 << 12  # bytes, the minimum of xz
_POINTS = 0x110000
_BOUNDARY = "\ud800"  # precedes each document: a lone surrogate, which no text contains
BLOCK = 1 << 21  # characters counted at a time, which bounds the memory
MOST_DENSE = 1 << 23  # more possible triples than this are counted by sorting instead of in a table (64 MB)

_Codes = npt.NDArray[np.unsignedinteger]
_Integers = npt.NDArray[np.int64]
Texts = Sequence[TextSpan]


def baselines(train: Texts, held_out: Texts) -> dict[str, float]:
    """Bits per UTF-8 byte of the held-out documents under six simple models.

    Let V be the number of distinct characters in both parts, N the number of characters of the training part, n(h, c)
    how often c follows the history h there, n(h) its sum over all c, and h' the history h without its first character:

    - blind: every character costs log2 V;
    - counts: p(c) = (n(c) + 1) / (N + V);
    - pairs, triples: p(c | h) = (n(h, c) + p(c | h')) / (n(h) + 1), for h of one and of two characters: one
      pseudo-count, distributed as the next lower order says;
    - gzip, xz: level 9, on the held-out documents alone, concatenated; only their first MOST_COMPRESSED bytes.

    Each document starts afresh after a boundary that is neither predicted nor counted. Returns {} if there is no
    held-out text. Texts are read in blocks: memory grows only with the distinct n-grams of the held-out part.
    """
    size = sum(text.size for text in held_out)
    if not size:
        return {}
    with ThreadPoolExecutor() as pool:  # both compressors release the interpreter lock
        gzipped = pool.submit(_compressed, held_out, zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS))
        xzipped = pool.submit(_compressed, held_out, _xz(min(size, MOST_COMPRESSED)))
        bits = ngram_bits(train, held_out)
        per_byte = {name: cost / size for name, cost in bits.items()}
        return per_byte | {"gzip": gzipped.result(), "xz": xzipped.result()}


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _xz(size: int) -> lzma.LZMACompressor:
    """xz at level 9 with a dictionary of the text's size.

    A larger one costs half as much time again and gains nothing (assets/results/notes.md).
    """
    return lzma.LZMACompressor(filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": max(_LEAST_DICT, size)}])


def _compressed(texts: Texts, compressor: _Compressor) -> float:
    """Bits per byte of the first MOST_COMPRESSED bytes."""
    left, packed = MOST_COMPRESSED, 0
    for data in _encoded(texts):
        packed += len(compressor.compress(data[:left]))
        left -= len(data[:left])
        if not left:
            break
    return 8 * (packed + len(compressor.flush())) / (MOST_COMPRESSED - left)


def _encoded(texts: Texts) -> Iterator[bytes]:
    return (block.encode() for text in texts for block in text.blocks())


def ngram_bits(train: Texts, held_out: Texts) -> dict[str, float]:
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
    """Numbers the characters of texts 0 ... V - 1 in Unicode order; the boundary is V."""

    def __init__(self, *parts: Texts) -> None:
        occurs = np.zeros(_POINTS, dtype=bool)
        for texts in parts:
            for points in _points(texts):
                occurs[points] = True
        occurs[ord(_BOUNDARY)] = False
        self.size = int(np.count_nonzero(occurs))
        """V."""
        self._table = (np.cumsum(occurs) - 1).astype(np.min_scalar_type(self.size))
        self._table[ord(_BOUNDARY)] = self.size

    def codes(self, texts: Texts) -> Iterator[_Codes]:
        """The codes of the texts in blocks, two boundaries before each text; blocks overlap by two codes."""
        last: _Codes = np.zeros(0, dtype=self._table.dtype)
        for points in _points(texts):
            codes = np.concatenate([last, self._table[points]])
            yield codes
            last = codes[-2:]


def _points(texts: Texts) -> Iterator[npt.NDArray[np.uint32]]:
    """Unicode code points of the texts in blocks, two boundaries before each text."""
    pending, characters = [""], 0
    for text in texts:
        pending.append(2 * _BOUNDARY)
        for block in text.blocks():
            pending.append(block)
            characters += len(block)
            if characters >= BLOCK:
                yield np.frombuffer("".join(pending).encode("utf-32-le", "surrogatepass"), dtype="<u4")
                pending, characters = [""], 0
    yield np.frombuffer("".join(pending).encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _keys(codes: _Codes, side: int) -> _Integers:
    """The triple that ends at each position but the first two, as a number of three digits in base `side`."""
    key = codes[:-2].astype(np.int64)
    for later in (codes[1:-1], codes[2:]):
        key *= side
        key += later
    return key


def _triples(blocks: Iterable[_Codes], side: int) -> tuple[_Integers, _Integers]:
    """The distinct character triples of a text, ascending, and how often each occurs; none ends in a boundary."""
    if side**3 <= MOST_DENSE:
        table = _dense_counts(blocks, side)
        present = np.flatnonzero(table)
        return present, table[present]
    keys, times = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    pending: list[tuple[_Integers, _Integers]] = []
    for codes in blocks:
        pending.append(_sparse_counts(codes, side))
        if sum(len(key) for key, _ in pending) > max(BLOCK, len(keys)):
            keys, times = _merged([(keys, times), *pending])
            pending = []
    return _merged([(keys, times), *pending])


def _counts(
    blocks: Iterable[_Codes], side: int, queried: _Integers
) -> tuple[_Integers, _Integers, _Integers, _Integers, _Integers, int]:
    """Counts in a text for each queried triple h1 h2 c: of h1 h2 c, of h1 h2, of h2 c, of h2, of c, and of all."""
    hh, hc, h, c = queried // side, queried % side**2, queried % side**2 // side, queried % side
    if side**3 <= MOST_DENSE:
        table = _dense_counts(blocks, side)
        cube = table.reshape(side, side, side)
        pairs = cube.sum(axis=0)
        n_hh, n_hc, n_h, n_c = cube.sum(axis=2).ravel(), pairs.ravel(), pairs.sum(axis=1), pairs.sum(axis=0)
        return table[queried], n_hh[hh], n_hc[hc], n_h[h], n_c[c], int(n_c.sum())
    one, two, three = _KeyCounter(queried), _KeyCounter(hh), _KeyCounter(hc)
    n_h, n_c = np.zeros(side, dtype=np.int64), np.zeros(side, dtype=np.int64)
    for codes in blocks:
        keys, times = _sparse_counts(codes, side)
        one.add(keys, times)
        two.add(keys // side, times)
        three.add(keys % side**2, times)
        np.add.at(n_h, keys % side**2 // side, times)
        np.add.at(n_c, keys % side, times)
    return one.counts(), two.counts(), three.counts(), n_h[h], n_c[c], int(n_c.sum())


def _dense_counts(blocks: Iterable[_Codes], side: int) -> _Integers:
    """Counts of all possible triples, (side ** 3,)."""
    table = np.zeros(side**3, dtype=np.int64)
    for codes in blocks:
        table += np.bincount(_keys(codes, side), minlength=len(table))
    table[side - 1 :: side] = 0  # a boundary is not predicted
    return table


def _sparse_counts(codes: _Codes, side: int) -> tuple[_Integers, _Integers]:
    """The distinct triples of a block, ascending, and how often each occurs."""
    keys, times = np.unique(_keys(codes, side), return_counts=True)
    kept = keys % side != side - 1
    return keys[kept], times[kept]


def _merged(counts: Sequence[tuple[_Integers, _Integers]]) -> tuple[_Integers, _Integers]:
    """The distinct keys of several counts, ascending, and the sum of the counts of each."""
    distinct, inverse = np.unique(np.concatenate([keys for keys, _ in counts]), return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, inverse, np.concatenate([times for _, times in counts]))
    return distinct, sums


class _KeyCounter:
    """Counts the occurrences of given keys."""

    def __init__(self, queried: _Integers) -> None:
        self._keys, self._inverse = np.unique(queried, return_inverse=True)
        self._counts = np.zeros(len(self._keys), dtype=np.int64)

    def add(self, keys: _Integers, times: _Integers) -> None:
        """Add `times` occurrences of each of `keys`; keys that were not queried are ignored."""
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        queried = self._keys[at] == keys
        np.add.at(self._counts, at[queried], times[queried])

    def counts(self) -> _Integers:
        """The count of each queried key."""
        return self._counts[self._inverse]
