"""The rows of a step made distinct and ascending: gradients of equal rows are summed."""

from numba import prange

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.sorting import group_starts, sort_stably

__all__ = ["sort_rows", "sum_groups"]


@kernel
def sort_rows(rows, bits, distinct, order, starts, counts):
    """Distinct rows in ascending order, and where each one's entries start in `order`."""
    sort_stably(rows, bits, order, starts, counts)
    groups = group_starts(rows, order, starts)
    for u in prange(groups):
        distinct[u] = rows[order[starts[u]]]
    return groups


@kernel
def sum_groups(values, order, starts, summed):
    """Row u of `summed` is the sum of group u's values, added in the order given."""
    for u in prange(summed.shape[0]):
        total, first = summed[u], values[order[starts[u]]]
        for c in range(total.size):
            total[c] = first[c]
        for e in range(starts[u] + 1, starts[u + 1]):
            more = values[order[e]]
            for c in range(total.size):
                total[c] += more[c]
