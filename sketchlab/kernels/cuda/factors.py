"""Kernels of the rank-one store: sums in a fixed order, hence reproducible."""

from sketchlab.kernels.cuda.active import row_at
from sketchlab.kernels.cuda.advance import change_at
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
    row_step,
)
from sketchlab.rules.arithmetic import lower

__all__ = ["add_column_sums", "add_row_sums", "sum_columns", "total_of"]


def total_of(right, total, most):
    """The sum of a vector, by one thread: it has as many entries as the table has columns.

    Here and below sums end at `most`, the largest number, as those of `Rank1Store` do.
    """
    if first_item() == 0:
        subtotal = right[0]
        for c in range(1, right.size):
            subtotal += right[c]
        total[0] = lower(subtotal, most)


def sum_columns(source, view, active, items, grads, partial):
    """Column sums of the changes of rows p, p + parts, …: (parts, dim)."""
    parts, dim = partial.shape
    for part in range(first_row(), parts, row_step()):
        for c in range(first_column(), dim, column_step()):
            subtotal = partial.dtype.type(0)
            for i in range(part, items, parts):
                row = row_at(active, i)
                if row >= 0:
                    subtotal += change_at(source, view, active, grads, row, i, c)
            partial[part, c] = subtotal


def add_row_sums(source, view, active, items, grads, most):
    """Add the sum of each active row's change to its row sum, one thread a row."""
    left, dim = view.left, view.right.size
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            subtotal = left.dtype.type(0)
            for c in range(dim):
                subtotal += change_at(source, view, active, grads, row, i, c)
            left[row] = lower(left[row] + subtotal, most)


def add_column_sums(right, partial, most):
    """Add the column sums of all parts, one thread a column."""
    for c in range(first_item(), right.size, item_step()):
        subtotal = partial[0, c]
        for part in range(1, partial.shape[0]):
            subtotal += partial[part, c]
        right[c] = lower(right[c] + subtotal, most)
