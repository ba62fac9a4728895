"""Handwritten digits, 1,797 of 8 × 8 pixels, which come with scikit-learn (extra ``data``)."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from analysis.lab.errors import UsageError

CLASSES = 10
SPLITS = {"train": 0.5, "validation": 0.2, "test": 0.3}


class Samples(NamedTuple):
    """Pixels (k, 64) from 0 to 1, float32, and labels (k,)."""

    pixels: np.ndarray
    labels: np.ndarray


@lru_cache(maxsize=1)
def load():
    """Return all digits as `Samples`.

    Raises
    ------
    UsageError
        scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UsageError(
            "scikit-learn, which brings the digits, is not installed: run "
            "`pip install sketchlab[data]`"
        ) from None
    pixels, labels = load_digits(return_X_y=True)
    return Samples((pixels / 16).astype(np.float32), labels.astype(np.int64))


def split(generator):
    """Deal all digits out at random; a dict from the names of `SPLITS` to `Samples`."""
    digits = load()
    order = generator.permutation(len(digits.labels))
    ends = np.cumsum([round(share * len(order)) for share in SPLITS.values()])[:-1]
    return {
        name: Samples(digits.pixels[places], digits.labels[places])
        for name, places in zip(SPLITS, np.split(order, ends), strict=True)
    }
