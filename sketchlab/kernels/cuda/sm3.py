"""SM3 on the device: bounds of rows and of columns, raised to the largest targets of a step.

A maximum does not depend on an order: the bits are the same at every run.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
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


def find_column_targets(view, active, items, grads, gain, partial):
    """The largest target of each column over rows p, p + parts, …: (parts, dim)."""
    parts, dim = partial.shape
    for part in range(first_row(), parts, row_step()):
        for c in range(first_column(), dim, column_step()):
            largest = partial.dtype.type(0)
            for i in range(part, items, parts):
                row = row_at(active, i)
                if row >= 0:
                    largest = higher(largest, target_at(view, active, grads, gain, row, i, c))
            partial[part, c] = largest


def raise_row_bounds(view, active, items, grads, gain):
    """Set each active row's bound to its largest target, one thread a row."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            largest = view.rows.dtype.type(0)
            for c in range(view.columns.size):
                largest = higher(largest, target_at(view, active, grads, gain, row, i, c))
            view.rows[row] = largest


def raise_column_bounds(columns, partial):
    """Raise the columns' bounds to the largest targets of all parts, one thread a column."""
    for c in range(first_item(), columns.size, item_step()):
        for part in range(partial.shape[0]):
            columns[c] = higher(columns[c], partial[part, c])


def _of_bounds(view, i, row, c, gradient):
    return view.multiplier * smaller_bound(view.rows[row], view.columns[c])


MOMENTS[Bounds] = _of_bounds
