"""Stores of one number a row and one a column, advanced by the rows of a step.

What rows give to columns is gathered in parts, as many for each number of rows whatever the number
of threads, and joined in one order: the bits do not depend on the threads.
"""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.rules.arithmetic import higher, lower
from sketchlab.stores.arithmetic import (
    conservative_target,
    contribution,
    lazy_change,
    outer_estimate,
    smaller_bound,
)

__all__ = ["PARTS", "add_changes", "raise_bounds", "read_factors"]

#: Of the rows of a large step.
PARTS = 32

# Sums in any order are vectorised. A row is summed by one thread, in one order on one machine.
_SUMS = {"reassoc"}


@kernel
def add_changes(rows, grads, source, left, right, ratios, parts, squared, less, gain, most):
    """One step of row sums (n, 1) and column sums (dim,), by the changes of rows.

    Parameters
    ----------
    ratios : ndarray, (dim,)
        Column sums over their total: an answer is a row's sum times these. Filled in.
    parts : ndarray, (PARTS, dim)
        Scratch.
    less, gain, most : number
        keep − 1 of the rows' estimates; gain; the largest number, at which sums end.
    """
    k, count = rows.size, min(rows.size, parts.shape[0])
    find_ratios(right, most, ratios)
    for p in prange(count):
        part = parts[p]
        part[:] = 0
        for i in range(k * p // count, k * (p + 1) // count):
            row = rows[i]
            total = add_change(left[row, 0], ratios, grads[source[i]], squared, less, gain, part)
            left[row, 0] = lower(left[row, 0] + total, most)
    if count > 0:
        for p in range(1, count):
            for c in range(right.size):
                parts[0, c] += parts[p, c]
        for c in range(right.size):
            right[c] = lower(right[c] + parts[0, c], most)
        find_ratios(right, most, ratios)


@register_jitable(fastmath=_SUMS)
def find_ratios(right, most, ratios):
    """Column sums over their total."""
    total = right.dtype.type(0)
    for c in range(right.size):
        total += right[c]
    total = lower(total, most)
    for c in range(right.size):
        ratios[c] = outer_estimate(right.dtype.type(1), right[c], total)


@register_jitable(fastmath=_SUMS)
def add_change(row_sum, ratios, gradient, squared, less, gain, part):
    """Add a row's change to a part of the column sums; its sum."""
    total = row_sum - row_sum
    for c in range(ratios.size):
        added = contribution(squared, gain, gradient[c])
        change = lazy_change(row_sum * ratios[c], added, less)
        total += change
        part[c] += change
    return total


@kernel
def raise_bounds(rows, grads, source, bounds, columns, parts, squared, gain):
    """One step of row bounds (n, 1) and column bounds (dim,), to the largest targets of rows.

    `parts` (PARTS, dim) is scratch.
    """
    k, count = rows.size, min(rows.size, parts.shape[0])
    for p in prange(count):
        part = parts[p]
        part[:] = 0
        for i in range(k * p // count, k * (p + 1) // count):
            row = rows[i]
            bounds[row, 0] = raise_part(
                bounds[row, 0], columns, grads[source[i]], squared, gain, part
            )
    for p in range(count):
        for c in range(columns.size):
            columns[c] = higher(columns[c], parts[p, c])


@register_jitable
def raise_part(bound, columns, gradient, squared, gain, part):
    """Raise a part of the column bounds to a row's targets; the largest of these."""
    for c in range(columns.size):
        added = contribution(squared, gain, gradient[c])
        part[c] = higher(part[c], conservative_target(smaller_bound(bound, columns[c]), added))
    largest = bound - bound
    for c in range(columns.size):
        added = contribution(squared, gain, gradient[c])
        largest = higher(largest, conservative_target(smaller_bound(bound, columns[c]), added))
    return largest


@register_jitable
def read_factors(by_row, by_column, outer, rows, start, stop, answer):
    """The answers of a tile: row's number times column's, or the smaller of both."""
    dim = by_column.size
    for i in range(start, stop):
        of_row, first = by_row[rows[i], 0], (i - start) * dim
        if outer:
            for c in range(dim):
                answer[first + c] = of_row * by_column[c]
        else:
            for c in range(dim):
                answer[first + c] = smaller_bound(of_row, by_column[c])
