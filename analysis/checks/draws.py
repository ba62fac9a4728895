"""Many independent sketches of one vector at once."""

import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from sketchlab import StoreSizeWarning
from sketchlab.hashing import MAX_ROWS

# Numbers held at a time while drawing; a few tens of megabytes.
_CHUNK = 2_000_000


def hash_seed(sequence):
    """A seed for hash functions."""
    return int(sequence.generate_state(1, np.uint64)[0])


@contextmanager
def any_size():
    """Inside, sketches may be larger than what they keep, as small problems' are, unwarned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreSizeWarning)
        yield


def allocate(description, n, dim=1):
    """A live float64 store of any size."""
    with any_size():
        return description.allocate(n, dim, np.float64)


def scattered(n, generator, below=MAX_ROWS):
    """Distinct row numbers, far apart.

    Multiply-shift spreads consecutive ones, as of a sorted vocabulary, better than chance: a claim
    whose bound is to be met needs others.
    """
    return generator.choice(below, size=n, replace=False)


def independent_answers(description, vectors, entries, draws, sequence, rows=None):
    """Answers of `draws` independent sketches to the same vectors.

    The rows of a sketch are independent, so one sketch of depth v·draws holds `draws` sketches of
    depth v; their rows are combined by the store's own rule.

    Parameters
    ----------
    description : CountSketch or CountMinSketch
    vectors : ndarray, (n, dim)
        Each column is sketched; all of a draw's columns share its hash functions.
    entries : ndarray of int, (k,)
        Which of the n to answer for.
    draws : int
    sequence : numpy.random.SeedSequence
    rows : ndarray of int, (n,), optional
        Row numbers of the n; 0 … n−1 by default.

    Returns
    -------
    ndarray, (draws, k, dim)
    """
    depth, (n, dim) = description.depth, vectors.shape
    width = description.width_for(n)
    at_once = max(1, _CHUNK // (depth * max(n, width) * dim))
    rows, parts = np.arange(n) if rows is None else rows, []
    for chunk in sequence.spawn(-(-draws // at_once)):
        count = min(at_once, draws - sum(map(len, parts)))
        deep = replace(description, depth=depth * count, seed=hash_seed(chunk))
        store = allocate(deep, MAX_ROWS, dim)
        store.update(rows, vectors)
        signs = store.signs(rows[entries])[..., None]
        cells = signs * store.table.reshape(-1, dim)[store.slots(rows[entries])]
        grouped = cells.reshape(count, depth, len(entries) * dim).swapaxes(0, 1)
        parts.append(store.combine(grouped).reshape(count, len(entries), dim))
    return np.concatenate(parts)


def errors_beside(description, values, draws, sequence, asked=64, rows=None):
    """Answers of independent sketches about zeros beside some values, all with ids far apart.

    Parameters
    ----------
    description : CountSketch or CountMinSketch
    values : ndarray, (n,)
    draws : int
    sequence : numpy.random.SeedSequence
    asked : int
        How many zeros; the answers of one draw depend on each other.
    rows : ndarray of int, (n,), optional
        The values' ids; far apart by default, as the zeros' always are.

    Returns
    -------
    ndarray, (draws, asked)
        Every answer is an error.
    """
    data, hashing = sequence.spawn(2)
    padded = np.r_[np.zeros(asked), values][:, None]
    ids = scattered(len(padded), np.random.default_rng(data))
    if rows is not None:
        ids[asked:] = rows
    zeros = np.arange(asked)
    return independent_answers(description, padded, zeros, draws, hashing, ids)[..., 0]
