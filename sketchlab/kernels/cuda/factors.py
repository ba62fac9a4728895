"""Kernels of the rank-one store: sums in a fixed order, hence reproducible.

Sums end at `most`, the largest number, as those of `Rank1Store` do.
"""

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.advance import change_at
from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    THREADS,
    column_step,
    first_column,
    first_row,
    items_of_part,
    row_step,
    sum_of_column,
    sum_of_row,
)
from sketchlab.rules.arithmetic import lower

__all__ = ["add_column_sums", "sum_columns", "sum_rows", "total_of"]


def total_of(right, total, most):
    """The sum of a vector; one block."""
    shared = cuda.shared.array(THREADS, right.dtype)
    subtotal = right.dtype.type(0)
    for c in range(first_column(), right.size, column_step()):
        subtotal += right[c]
    subtotal = sum_of_row(shared, subtotal)
    if first_column() == 0:
        total[0] = lower(subtotal, most)


def sum_columns(source, view, active, items, grads, parts):
    """Sums of the changes' columns into `parts`, each part of as many items side by side."""
    count, dim = parts.shape
    for part in range(first_row(), count, row_step()):
        begin, end = items_of_part(items, part, count)
        for c in range(first_column(), dim, column_step()):
            subtotal = parts.dtype.type(0)
            for i in range(begin, end):
                row = row_at(active, i)
                if row >= 0:
                    gradient = gradient_at(active, grads, i, c)
                    subtotal += change_at(source, view.squared, row, i, c, gradient)
            parts[part, c] = subtotal


def sum_rows(source, view, active, items, grads, most):
    """Add the sum of each row's changes to its row sum."""
    left = view.left
    shared = cuda.shared.array(THREADS, left.dtype)
    for start in range(cuda.blockIdx.x * cuda.blockDim.y, items, row_step()):
        i, row, subtotal = start + cuda.threadIdx.y, -1, left.dtype.type(0)
        if i < items:
            row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), grads.shape[1], column_step()):
                gradient = gradient_at(active, grads, i, c)
                subtotal += change_at(source, view.squared, row, i, c, gradient)
        subtotal = sum_of_row(shared, subtotal)
        if row >= 0 and first_column() == 0:
            left[row] = lower(left[row] + subtotal, most)


def add_column_sums(right, parts, most):
    """Add the column sums of all parts."""
    shared = cuda.shared.array(THREADS, right.dtype)
    across = cuda.blockDim.x
    for start in range(cuda.blockIdx.x * across, right.size, cuda.gridDim.x * across):
        c, subtotal = start + cuda.threadIdx.x, right.dtype.type(0)
        if c < right.size:
            for part in range(cuda.threadIdx.y, parts.shape[0], cuda.blockDim.y):
                subtotal += parts[part, c]
        subtotal = sum_of_column(shared, subtotal)
        if c < right.size and cuda.threadIdx.y == 0:
            right[c] = lower(right[c] + subtotal, most)
