"""Many independent sketches of one vector at once."""

import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from sketchlab import StoreSizeWarning

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


def independent_answers(description, vectors, entries, draws, sequence):
    """Answers of `draws` independent sketches to the same vectors.

    The rows of a sketch are independent, so one sketch of depth v·draws holds `draws` sketches of
    depth v; their rows are combined by the store's own rule.

    Parameters
    ----------
    description : CountSketch or CountMinSketch
    vectors : ndarray, (n, dim)
        Each column is sketched; all of a draw's columns share its hash functions.
    entries : ndarray of int, (k,)
    draws : int
    sequence : numpy.random.SeedSequence

    Returns
    -------
    ndarray, (draws, k, dim)
    """
    depth, (n, dim) = description.depth, vectors.shape
    at_once = max(1, _CHUNK // (depth * n * dim))
    rows, parts = np.arange(n), []
    for chunk in sequence.spawn(-(-draws // at_once)):
        count = min(at_once, draws - sum(map(len, parts)))
        deep = replace(description, depth=depth * count, seed=hash_seed(chunk))
        store = allocate(deep, n, dim)
        store.update(rows, vectors)
        signs = store.signs(entries)[..., None]
        cells = signs * store.table.reshape(-1, dim)[store.slots(entries)]
        grouped = cells.reshape(count, depth, len(entries) * dim).swapaxes(0, 1)
        parts.append(store.combine(grouped).reshape(count, len(entries), dim))
    return np.concatenate(parts)
