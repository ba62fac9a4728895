"""Bucket and sign hashes: strongly universal multiply-shift, seeded through splitmix64.

The only place where a row becomes a bucket, a cell or a sign. The scalar functions are plain
Python on ``uint64`` operands, so the same lines run on NumPy arrays, under ``numba.njit`` and in a
CUDA kernel. Nothing here depends on a language: `test_vectors` publishes answers by which another
implementation can prove that it agrees.

References
----------
Dietzfelbinger (1996), multiply-shift with an added constant is strongly universal.
Steele, Lea, Flood (2014), splitmix64.
"""

import json
from pathlib import Path

import numpy as np
from numba.extending import register_jitable

from sketchlab.errors import ConfigurationError

__all__ = [
    "MAX_ROWS",
    "bucket",
    "buckets",
    "cell",
    "cells",
    "hash_constants",
    "sign",
    "sign_bit",
    "signs",
    "splitmix64",
    "test_vectors",
    "write_test_vectors",
]

#: Rows are hashed as 32-bit numbers, and a bucket number fits in 32 bits.
MAX_ROWS = 2**32

_WORD = 2**64 - 1
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15

# uint64 operands throughout: a Python integer would turn the arithmetic signed or floating.
_HALF = np.uint64(32)
_TOP = np.uint64(63)


def splitmix64(seed, count):
    """The first `count` outputs of the splitmix64 generator.

    Parameters
    ----------
    seed : int
        Start of the state, 0 <= seed < 2**64.
    count : int
        How many outputs.

    Returns
    -------
    list of int
        Each in [0, 2**64).

    Raises
    ------
    ConfigurationError
        If the seed is not an integer in [0, 2**64).

    Examples
    --------
    >>> splitmix64(1234567, 2)
    [6457827717110365317, 3203168211198807973]
    """
    seed = checked_seed(seed)
    outputs = []
    for j in range(1, count + 1):
        z = (seed + j * _GOLDEN_GAMMA) & _WORD
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        outputs.append(z ^ (z >> 31))
    return outputs


def checked_seed(seed):
    """The seed as a Python int, or a `ConfigurationError` that says what is wrong with it."""
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= _WORD:
        raise ConfigurationError(f"seed={seed!r}: give an integer from 0 to 2**64 - 1")
    return int(seed)


def hash_constants(seed, depth):
    """Constants of `depth` independent pairs of hash functions.

    Parameters
    ----------
    seed : int
        0 <= seed < 2**64.
    depth : int
        Number of independent bucket hashes (and of sign hashes).

    Returns
    -------
    ndarray of uint64, (depth, 4)
        Columns: multiplier and addend of the bucket hash, multiplier and addend of the sign hash.
        Count-min sketches ignore the last two, so that equal seeds mean equal buckets.

    Examples
    --------
    >>> hash_constants(0, depth=3).shape
    (3, 4)
    """
    return np.array(splitmix64(seed, 4 * depth), np.uint64).reshape(depth, 4)


@register_jitable
def bucket(row, multiplier, addend, width):
    """Bucket of one row: the upper half of ``multiplier * row + addend``, scaled to [0, width).

    All operands and the result are uint64 (scalars or arrays). Scaling by multiplication keeps
    the order of the hash values, so buckets 2b and 2b + 1 of a sketch of even width become
    bucket b when it is folded.
    """
    return (((multiplier * row + addend) >> _HALF) * width) >> _HALF


@register_jitable
def sign_bit(row, multiplier, addend):
    """0 where the sign of a row is +1 and 1 where it is -1 (uint64 operands and result)."""
    return (multiplier * row + addend) >> _TOP


@register_jitable
def sign(row, multiplier, addend):
    """+1 or -1, the sign of a row (uint64 operands, int64 result)."""
    return np.int64(1) - np.int64(2) * np.int64(sign_bit(row, multiplier, addend))


@register_jitable
def cell(row, multiplier, addend, j, width, heads):
    """Number of the row's cell under hash function j, in the flattened table of a sketch.

    The table holds `heads` cells that are not hashed, then `width` buckets for each function
    (uint64 operands, int64 result).
    """
    return np.int64(heads + j * width + bucket(row, multiplier, addend, width))


def buckets(rows, constants, width):
    """Buckets of many rows under every hash function.

    Parameters
    ----------
    rows : array_like of int, (k,)
        Row numbers, 0 <= row < 2**32.
    constants : ndarray of uint64, (depth, 4)
        From `hash_constants`.
    width : int
        Number of buckets.

    Returns
    -------
    ndarray of int64, (depth, k)

    Examples
    --------
    >>> buckets([0, 1, 2], hash_constants(seed=0, depth=2), width=100)
    array([[43, 31, 19],
           [32, 43, 54]])
    """
    rows = np.asarray(rows).astype(np.uint64)
    found = bucket(rows[None, :], constants[:, :1], constants[:, 1:2], np.uint64(width))
    return found.astype(np.int64)


def signs(rows, constants):
    """Signs of many rows under every hash function.

    Parameters
    ----------
    rows : array_like of int, (k,)
    constants : ndarray of uint64, (depth, 4)

    Returns
    -------
    ndarray of int8, (depth, k)
        +1 or -1.

    Examples
    --------
    >>> signs([0, 1, 2], hash_constants(seed=0, depth=2))
    array([[-1, -1,  1],
           [-1, -1,  1]], dtype=int8)
    """
    rows = np.asarray(rows).astype(np.uint64)
    return sign(rows[None, :], constants[:, 2:3], constants[:, 3:4]).astype(np.int8)


def cells(rows, constants, width, heads=0):
    """Numbers of many rows' cells in the flattened table of a sketch.

    Parameters
    ----------
    rows : array_like of int, (k,)
    constants : ndarray of uint64, (depth, 4)
    width : int
    heads : int
        Cells before those of the first hash function.

    Returns
    -------
    ndarray of int64, (depth, k)

    Examples
    --------
    >>> cells([0, 1, 2], hash_constants(seed=0, depth=2), width=100)
    array([[ 43,  31,  19],
           [132, 143, 154]])
    """
    rows = np.asarray(rows).astype(np.uint64)
    j = np.arange(len(constants), dtype=np.uint64)[:, None]
    width, heads = np.uint64(width), np.uint64(heads)
    return cell(rows[None, :], constants[:, :1], constants[:, 1:2], j, width, heads)


def test_vectors():
    """Answers by which another implementation can prove that it hashes alike.

    Returns
    -------
    dict
        Plain numbers and lists: for several seeds the first outputs of splitmix64, and for
        several widths the buckets and signs of a list of rows. 64-bit numbers are decimal
        strings, since JSON readers may round them.

    Examples
    --------
    >>> test_vectors()["rows"][:3]
    [0, 1, 2]
    """
    rows = [0, 1, 2, 3, 41, 255, 256, 65_535, 793_470, 2**31 - 1, 2**31, 2**32 - 1]
    depth = 3
    cases = []
    for seed in (0, 1, 7, 1234567, 2**63, 2**64 - 1):
        constants = hash_constants(seed, depth)
        cases.append(
            {
                "seed": str(seed),
                "splitmix64": [str(z) for z in splitmix64(seed, 4 * depth)],
                "signs": signs(rows, constants).tolist(),
                "buckets": {
                    str(width): buckets(rows, constants, width).tolist()
                    for width in (1, 2, 16, 1000, 52_898, 2**32 - 1)
                },
            }
        )
    return {"rows": rows, "depth": depth, "cases": cases}


# pytest must not take the public name for a test
test_vectors.__test__ = False  # type: ignore[attr-defined]


def write_test_vectors(path):
    """Write `test_vectors` to a JSON file.

    Parameters
    ----------
    path : str or Path
    """
    Path(path).write_text(json.dumps(test_vectors(), indent=1) + "\n", encoding="utf8")
