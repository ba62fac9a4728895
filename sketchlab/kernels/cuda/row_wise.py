"""One value a row on the device: its view, and the kernel that moves the rows' means."""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    THREADS,
    column_step,
    first_column,
    row_step,
    sum_of_row,
)
from sketchlab.kernels.cuda.views import MOMENTS
from sketchlab.stores.arithmetic import contribution, lazy_change

__all__ = ["RowValues", "move_row_values"]


class RowValues(NamedTuple):
    """A row-wise store."""

    values: object  # (n,), divided by the multiplier
    multiplier: np.floating
    squared: bool


def move_row_values(view, active, items, grads, keep_less_one, gain):
    """Move each active row's value by the mean over its columns."""
    values, dim = view.values, grads.shape[1]
    shared = cuda.shared.array(THREADS, values.dtype)
    share = gain / values.dtype.type(dim)
    for start in range(cuda.blockIdx.x * cuda.blockDim.y, items, row_step()):
        i, row, mean = start + cuda.threadIdx.y, -1, values.dtype.type(0)
        if i < items:
            row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), dim, column_step()):
                mean += contribution(view.squared, share, gradient_at(active, grads, i, c))
        mean = sum_of_row(shared, mean)
        if row >= 0 and first_column() == 0:
            values[row] += lazy_change(values[row], mean, keep_less_one)


def _of_row(view, before, i, row, c, gradient):
    return view.multiplier * view.values[row]


MOMENTS[RowValues] = _of_row
