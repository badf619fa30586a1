"""What a text costs without a neural network, in bits per byte: the lines that a training has to pass.

A chart of held-out bits per byte says little by itself. Beside the cost under plain counts of characters,
pairs and triples, and beside what gzip and xz make of the same text, it says what the model has learnt.
"""

import gzip
import lzma
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

_BOUNDARY = 0x110000  # ahead of each document: one more than the last code point, so that no text contains it
_BLOCK = 1 << 21  # positions counted at a time, which bounds the memory whatever the size of the text
_DENSE = 1 << 23  # more possible n-grams than this are counted by sorting instead of in a table (64 MB)

_Codes = npt.NDArray[np.unsignedinteger]
_Integers = npt.NDArray[np.int64]


def baselines(train: Sequence[str], held_out: Sequence[str]) -> dict[str, float]:
    """Bits per UTF-8 byte of the held-out documents under six models that need no training.

    With V the number of distinct characters in both parts, N the characters of the training part, n(h, c)
    how often it has c after h, n(h) the sum of that over all c, and h' the history h without its first
    character:

    - blind: every character costs log2 V;
    - counts: p(c) = (n(c) + 1) / (N + V);
    - pairs, triples: p(c | h) = (n(h, c) + p(c | h')) / (n(h) + 1), for h of one and of two characters: one
      imagined observation, spread as the next-shorter order spreads it;
    - gzip, xz: at level 9, on the held-out text alone, its documents joined without anything between them.

    The counts stay those of the training part. Each document starts afresh, after a boundary that is itself
    neither predicted nor paid for. Returns {} where there is no held-out text.
    """
    raw = "".join(held_out).encode()
    if not raw:
        return {}
    with ThreadPoolExecutor() as pool:  # both compressors release the interpreter lock
        gzipped = pool.submit(gzip.compress, raw, 9, mtime=0)
        xzipped = pool.submit(lzma.compress, raw, preset=9)
        bits = _ngram_bits(train, held_out)
        bits["gzip"] = 8.0 * len(gzipped.result())
        bits["xz"] = 8.0 * len(xzipped.result())
    return {name: cost / len(raw) for name, cost in bits.items()}


def _ngram_bits(train: Sequence[str], held_out: Sequence[str]) -> dict[str, float]:
    """Total bits of the held-out characters: blind, counts, pairs, triples."""
    learn, score, size = _codes(train, held_out)
    side = size + 1  # with the boundary, the last code
    keys, n = _triples(learn, side)
    n_hhc, n_hc, n_c = (_lookup(*_summed(part, n)) for part in (keys, keys % side**2, keys % side))
    n_hh, n_h = (_lookup(*_summed(part, n)) for part in (keys // side, keys % side**2 // side))

    keys, times = _triples(score, side)  # each distinct triple is priced once
    hc, c = keys % side**2, keys % side
    p1 = (n_c(c) + 1) / (n.sum() + size)
    p2 = (n_hc(hc) + p1) / (n_h(hc // side) + 1)
    p3 = (n_hhc(keys) + p2) / (n_hh(keys // side) + 1)
    counts, pairs, triples = (float(-times @ np.log2(p)) for p in (p1, p2, p3))
    return {"blind": int(times.sum()) * math.log2(size), "counts": counts, "pairs": pairs, "triples": triples}


def _codes(*parts: Sequence[str]) -> tuple[_Codes, _Codes, int]:
    """Each part as codes 0 ... V - 1, with two boundaries (code V) ahead of each document; and V."""
    points = [_points(documents) for documents in parts]
    code = np.zeros(_BOUNDARY + 1, dtype=bool)
    for part in points:
        code[part] = True
    code[_BOUNDARY] = True
    size = int(np.count_nonzero(code)) - 1
    table = (np.cumsum(code) - 1).astype(np.min_scalar_type(size))
    learn, score = (table[part] for part in points)
    return learn, score, size


def _points(documents: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Unicode code points of all documents, (characters + 2 * documents,), with two boundaries ahead of each."""
    flat = np.frombuffer("".join(documents).encode("utf-32-le"), dtype="<u4")
    out = np.full(len(flat) + 2 * len(documents), _BOUNDARY, dtype=np.uint32)
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
    starts = np.cumsum(lengths + 2) - lengths - 2
    inside = np.ones(len(out), dtype=bool)
    inside[starts] = inside[starts + 1] = False
    out[inside] = flat
    return out


def _triples(codes: _Codes, side: int) -> tuple[_Integers, _Integers]:
    """The distinct character triples of a text, ascending, and how often each occurs.

    A triple is one number in base `side`: the character before last, the last, the character itself, which
    is never a boundary.
    """
    found: list[tuple[_Integers, _Integers]] = []
    table = np.zeros(side**3 if side**3 <= _DENSE else 0, dtype=np.int64)
    for start in range(2, len(codes), _BLOCK):
        stop = min(start + _BLOCK, len(codes))
        key = np.zeros(stop - start, dtype=np.int64)
        for back in (2, 1, 0):
            key *= side
            key += codes[start - back : stop - back]
        key = key[codes[start:stop] != side - 1]
        if len(table):
            table += np.bincount(key, minlength=len(table))
        else:
            found.append(np.unique(key, return_counts=True))
    if len(table) or not found:
        return np.flatnonzero(table), table[np.flatnonzero(table)]
    return _summed(np.concatenate([key for key, _ in found]), np.concatenate([n for _, n in found]))


def _summed(keys: _Integers, counts: _Integers) -> tuple[_Integers, _Integers]:
    """The distinct keys, ascending, and the sum of the counts of each."""
    distinct, where = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, where, counts)
    return distinct, sums


def _lookup(distinct: _Integers, counts: _Integers) -> Callable[[_Integers], _Integers]:
    """The count of each key asked for, 0 where it never occurred."""
    keys, padded = np.append(distinct, np.iinfo(np.int64).max), np.append(counts, 0)

    def count(asked: _Integers) -> _Integers:
        at = np.searchsorted(keys, asked)
        return np.where(keys[at] == asked, padded[at], 0)

    return count
