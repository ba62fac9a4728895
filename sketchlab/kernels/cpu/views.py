"""A store made of cells, as the kernels see it in one step; which cells its rows have."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab import hashing

__all__ = ["ADD", "BUCKET", "CONSERVATIVE", "GIVEN", "LAZY", "OWN", "View", "locate", "unkept"]

# How a step advances the cells of a store. OWN: every row has a cell to itself. GIVEN: the cells
# are answers already.
GIVEN, OWN, ADD, LAZY, BUCKET, CONSERVATIVE = range(6)


class View(NamedTuple):
    """A store in one step on k rows; of depth 0 for a moment that the rule does not keep."""

    cells: np.ndarray  # (cells, dim)
    slots: np.ndarray  # (depth, k): the rows' cells
    signs: np.ndarray  # (depth, k)
    constants: np.ndarray  # (depth, 4), of the hash functions
    places: np.ndarray  # (k,): rows' cells in the head or -1; (0,) without a head
    scales: (
        np.ndarray
    )  # (k,), or (1,) for all rows: from the divided table's answers to the store's
    mode: int
    median: bool  # answers are medians, else minima
    squared: bool
    heads: int  # cells below this number belong to one row each, and are its only one
    width: int
    keep_less_one: np.floating
    gain: np.floating


_NO_SLOTS, _NO_SIGNS = np.empty((0, 0), np.int64), np.empty((0, 0), np.int8)
_NO_CONSTANTS, _NO_PLACES = np.empty((0, 4), np.uint64), np.empty(0, np.int64)
_ONES = {dtype: np.ones(1, dtype) for dtype in map(np.dtype, ("float32", "float64"))}


def unkept(cells):
    """The view of a moment that is not kept: no cells for any row."""
    zero = cells.dtype.type(0)
    return View(
        cells=cells,
        slots=_NO_SLOTS,
        signs=_NO_SIGNS,
        constants=_NO_CONSTANTS,
        places=_NO_PLACES,
        scales=_ONES[cells.dtype],
        mode=OWN,
        median=False,
        squared=False,
        heads=0,
        width=0,
        keep_less_one=zero,
        gain=zero,
    )


@register_jitable
def locate(view, rows, start, stop):
    """Fill in the slots and signs of rows number `start` to `stop`."""
    constants, heads = view.constants, view.heads
    width = np.uint64(view.width)
    for j in range(view.slots.shape[0]):
        slots, signs = view.slots[j], view.signs[j]
        first = heads + j * view.width
        for i in range(start, stop):
            row = np.uint64(rows[i])
            found = hashing.bucket(row, constants[j, 0], constants[j, 1], width)
            slots[i] = first + np.int64(found)
            signs[i] = 1
            if view.median and hashing.sign_bit(row, constants[j, 2], constants[j, 3]) != 0:
                signs[i] = -1
        if view.places.size > 0:
            for i in range(start, stop):
                if view.places[i] >= 0:
                    slots[i] = view.places[i]
                    signs[i] = 1
