"""SM3 on the device: bounds of rows and of columns, raised to the largest targets of a step.

A maximum does not depend on an order: the bits are the same at every run.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    THREADS,
    column_step,
    first_column,
    first_row,
    items_of_part,
    largest_of_column,
    largest_of_row,
    row_step,
)
from sketchlab.kernels.cuda.views import MOMENTS
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import conservative_target, contribution, smaller_bound

__all__ = ["Bounds", "find_column_targets", "raise_column_bounds", "raise_row_bounds"]


class Bounds(NamedTuple):
    """An SM3 store."""

    rows: object  # (n,), divided by the multiplier
    columns: object  # (dim,), likewise
    multiplier: np.floating
    squared: bool


@register_jitable
def target_at(view, active, grads, gain, row, i, c):
    """What both bounds of column c of item i, which is `row`, must at least be."""
    added = contribution(view.squared, gain, gradient_at(active, grads, i, c))
    return conservative_target(smaller_bound(view.rows[row], view.columns[c]), added)


def find_column_targets(view, active, items, grads, gain, parts):
    """The largest target of each column into `parts`, each part of as many items side by side."""
    count, dim = parts.shape
    for part in range(first_row(), count, row_step()):
        begin, end = items_of_part(items, part, count)
        for c in range(first_column(), dim, column_step()):
            largest = parts.dtype.type(0)
            for i in range(begin, end):
                row = row_at(active, i)
                if row >= 0:
                    largest = higher(largest, target_at(view, active, grads, gain, row, i, c))
            parts[part, c] = largest


def raise_row_bounds(view, active, items, grads, gain):
    """Set each row's bound to its largest target."""
    rows = view.rows
    shared = cuda.shared.array(THREADS, rows.dtype)
    for start in range(cuda.blockIdx.x * cuda.blockDim.y, items, row_step()):
        i, row, largest = start + cuda.threadIdx.y, -1, rows.dtype.type(0)
        if i < items:
            row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), grads.shape[1], column_step()):
                largest = higher(largest, target_at(view, active, grads, gain, row, i, c))
        largest = largest_of_row(shared, largest)
        if row >= 0 and first_column() == 0:
            rows[row] = largest


def raise_column_bounds(columns, parts):
    """Raise the columns' bounds to the largest targets of all parts."""
    shared = cuda.shared.array(THREADS, columns.dtype)
    across = cuda.blockDim.x
    for start in range(cuda.blockIdx.x * across, columns.size, cuda.gridDim.x * across):
        c, largest = start + cuda.threadIdx.x, columns.dtype.type(0)
        if c < columns.size:
            for part in range(cuda.threadIdx.y, parts.shape[0], cuda.blockDim.y):
                largest = higher(largest, parts[part, c])
        largest = largest_of_column(shared, largest)
        if c < columns.size and cuda.threadIdx.y == 0:
            columns[c] = higher(columns[c], largest)


def _of_bounds(view, before, i, row, c, gradient):
    return view.multiplier * smaller_bound(view.rows[row], view.columns[c])


MOMENTS[Bounds] = _of_bounds
