"""Small kernels over whole arrays: filling, scaling, gathering, and checks of what came in."""

import math

import numpy as np

from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
    row_step,
)

__all__ = ["fill", "find_bad_row", "find_not_finite", "gather", "multiply", "scatter"]


def fill(array, value):
    """Set every entry of a flat array."""
    for e in range(first_item(), array.size, item_step()):
        array[e] = value


def multiply(array, factor):
    """Multiply every entry of a flat array."""
    for e in range(first_item(), array.size, item_step()):
        array[e] *= factor


def gather(cells, slots, values):
    """values[e] = cells[slots[e]], both (·, dim)."""
    for e in range(first_row(), slots.size, row_step()):
        for c in range(first_column(), cells.shape[1], column_step()):
            values[e, c] = cells[slots[e], c]


def scatter(cells, slots, values):
    """cells[slots[e]] = values[e], for distinct slots."""
    for e in range(first_row(), slots.size, row_step()):
        for c in range(first_column(), cells.shape[1], column_step()):
            cells[slots[e], c] = values[e, c]


def find_bad_row(rows, n, first):
    """The first place of a row outside [0, n), into first[0]."""
    for i in range(first_item(), rows.size, item_step()):
        row = np.int64(rows[i])
        if row < 0 or row >= n:
            cuda.atomic.min(first, 0, i)


def find_not_finite(array, first):
    """The first place of an infinity or NaN in a flat array, into first[0]."""
    for e in range(first_item(), array.size, item_step()):
        if not math.isfinite(array[e]):
            cuda.atomic.min(first, 0, e)
