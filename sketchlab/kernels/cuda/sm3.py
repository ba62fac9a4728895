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
    largest_of_column,
    largest_of_row,
    row_step,
)
from sketchlab.kernels.cuda.views import MOMENTS
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import conservative_target, contribution, smaller_bound

__all__ = ["Bounds", "raise_column_bounds", "raise_row_bounds"]


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


def raise_row_bounds(view, active, items, grads, gain, parts):
    """Set each row's bound to its largest target; the largest target of each column into `parts`.

    Part p of the columns' targets, (count, dim), is of the items p, p + count, …
    """
    rows, (count, dim) = view.rows, parts.shape
    shared = cuda.shared.array(THREADS, rows.dtype)
    for start in range(cuda.blockIdx.x * cuda.blockDim.y, count, row_step()):
        part = start + cuda.threadIdx.y
        if part < count:
            for c in range(first_column(), dim, column_step()):
                parts[part, c] = rows.dtype.type(0)
        for before in range(0, items, count):
            i, row, largest = before + part, -1, rows.dtype.type(0)
            if part < count and i < items:
                row = row_at(active, i)
            if row >= 0:
                for c in range(first_column(), dim, column_step()):
                    target = target_at(view, active, grads, gain, row, i, c)
                    largest = higher(largest, target)
                    parts[part, c] = higher(parts[part, c], target)
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
