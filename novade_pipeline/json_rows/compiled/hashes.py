"""128 bits of each of many texts: MurmurHash3 for 64-bit machines, of seed 0.

Austin Appleby's, in the public domain: https://github.com/aappleby/smhasher, `MurmurHash3.cpp`.
"""

import numpy as np

from novade_pipeline.json_rows.compiled.steps import (
    Bytes,
    Hashes,
    Smalls,
    compiled,
    part,
    word_at,
)

PARTS = "81152a952988f146"
"""Of the sources that are compiled with this file."""

_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_N1, _N2 = np.uint64(0x52DCE729), np.uint64(0x38495AB5)
_MIX1, _MIX2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_FIVE, _EIGHT, _33, _64 = np.uint64(5), np.uint64(8), np.uint64(33), np.uint64(64)
_27, _31 = np.uint64(27), np.uint64(31)


@compiled
def hash_texts(text: Bytes, offsets: Smalls, hashes: Hashes) -> None:
    """Hash texts that follow one another.

    Args:
        text: all of them.
        offsets: where each begins, and where the last ends.
        hashes: [2, n]: gets both halves of each.
    """
    for n in range(len(offsets) - 1):
        at, end = offsets[n], offsets[n + 1]
        size = np.uint64(end - at)
        h1 = h2 = np.uint64(0)
        while at + 16 <= end:
            h1 ^= _rotated(word_at(text, at) * _C1, _31) * _C2
            h1 = (_rotated(h1, _27) + h2) * _FIVE + _N1
            h2 ^= _rotated(word_at(text, at + 8) * _C2, _33) * _C1
            h2 = (_rotated(h2, _31) + h1) * _FIVE + _N2
            at += 16
        h2 ^= _rotated(_word(text, at + 8, end) * _C2, _33) * _C1
        h1 ^= _rotated(_word(text, at, min(at + 8, end)) * _C1, _31) * _C2
        h1 ^= size
        h2 ^= size
        h1 += h2
        h2 += h1
        h1, h2 = _mixed(h1), _mixed(h2)
        h1 += h2
        hashes[0, n], hashes[1, n] = h1, h2 + h1


@part
def _rotated(word: np.uint64, by: np.uint64) -> np.uint64:
    return (word << by) | (word >> (_64 - by))


@part
def _mixed(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> _33)) * _MIX1
    word = (word ^ (word >> _33)) * _MIX2
    return word ^ (word >> _33)


@part
def _word(text: Bytes, at: int, end: int) -> np.uint64:
    """The bytes up to the end, as a number, the first the lowest."""
    word = np.uint64(0)
    for place in range(end - 1, at - 1, -1):
        word = (word << _EIGHT) | np.uint64(text[place])
    return word
