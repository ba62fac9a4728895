"""Stores of one number a row and one a column, advanced by the rows of a step.

What rows give to columns is gathered in parts, as many for each number of rows whatever the number
of threads, and joined in one order: the bits do not depend on the threads.
"""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import largest_of, sum_of, to_change, to_target
from sketchlab.rules.arithmetic import higher, lower
from sketchlab.stores.arithmetic import outer_estimate, smaller_bound

__all__ = ["add_changes", "raise_bounds", "read_factors"]


@kernel
def add_changes(rows, grads, source, left, right, ratios, parts, squared, less, gain, most):
    """One step of row sums (n, 1) and column sums (dim,), by the changes of rows.

    Parameters
    ----------
    ratios : ndarray, (dim,)
        Column sums over their total: an answer is a row's sum times these. Filled in.
    parts : ndarray, (parts, 2, dim)
        Scratch.
    less, gain, most : number
        keep − 1 of the rows' estimates; gain; the largest number, at which sums end.
    """
    k, count = rows.size, min(rows.size, parts.shape[0])
    find_ratios(right, most, ratios)
    for p in prange(count):
        part, change = parts[p, 0], parts[p, 1]
        part[:] = 0
        for i in range(k * p // count, k * (p + 1) // count):
            row = rows[i]
            read_factors(left, ratios, True, rows, i, i + 1, change)
            to_change(change, grads[source[i]], squared, less, gain)
            for c in range(change.size):
                part[c] += change[c]
            left[row, 0] = saturated(left[row, 0] + sum_of(change), most)
    if count > 0:
        for p in range(1, count):
            for c in range(right.size):
                parts[0, 0, c] += parts[p, 0, c]
        for c in range(right.size):
            right[c] = saturated(right[c] + parts[0, 0, c], most)
        find_ratios(right, most, ratios)


@register_jitable
def saturated(total, most):
    """A sum that ends at the largest number; a NaN stays one."""
    return lower(most, total)


@register_jitable
def find_ratios(right, most, ratios):
    """Column sums over their total."""
    total = saturated(sum_of(right), most)
    for c in range(right.size):
        ratios[c] = outer_estimate(right.dtype.type(1), right[c], total)


@kernel
def raise_bounds(rows, grads, source, bounds, columns, parts, squared, gain):
    """One step of row bounds (n, 1) and column bounds (dim,), to the largest targets of rows.

    `parts` (parts, 2, dim) is scratch.
    """
    k, count = rows.size, min(rows.size, parts.shape[0])
    for p in prange(count):
        part, targets = parts[p, 0], parts[p, 1]
        part[:] = 0
        for i in range(k * p // count, k * (p + 1) // count):
            read_factors(bounds, columns, False, rows, i, i + 1, targets)
            to_target(targets, grads[source[i]], squared, gain)
            raise_to(part, targets)
            bounds[rows[i], 0] = largest_of(targets)
    for p in range(count):
        raise_to(columns, parts[p, 0])


@register_jitable
def raise_to(bounds, targets):
    """Raise bounds to targets; where a target is NaN, the bound is."""
    for c in range(bounds.size):
        raised = higher(bounds[c], targets[c])
        bounds[c] = raised if targets[c] == targets[c] else targets[c]


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
