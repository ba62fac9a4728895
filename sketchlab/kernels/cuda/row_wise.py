"""One value a row on the device: its view, and the kernel that moves the rows' means."""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.loops import first_item, item_step
from sketchlab.kernels.cuda.views import MOMENTS
from sketchlab.stores.arithmetic import contribution, lazy_change

__all__ = ["RowValues", "move_row_values"]


class RowValues(NamedTuple):
    """A row-wise store."""

    values: object  # (n,), divided by the multiplier
    multiplier: np.floating
    squared: bool


def move_row_values(view, active, items, grads, keep_less_one, gain):
    """Move each active row's value by the mean over its columns, one thread a row."""
    values, dim = view.values, grads.shape[1]
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            share, mean = gain / values.dtype.type(dim), values.dtype.type(0)
            for c in range(dim):
                mean += contribution(view.squared, share, gradient_at(active, grads, i, c))
            values[row] += lazy_change(values[row], mean, keep_less_one)


def _of_row(view, i, row, c, gradient):
    return view.multiplier * view.values[row]


MOMENTS[RowValues] = _of_row
