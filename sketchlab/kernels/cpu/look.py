"""What is looked at before a step, in one pass each: the order of rows, the largest gradient."""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel

__all__ = ["order_of", "sum_few_squares", "sum_squares"]


@kernel(parallel=False)
def order_of(rows):
    """The least and the largest of one row and more, and whether each is above the one before."""
    least = largest = rows[0]
    ascending = True
    for i in range(1, rows.size):
        least, largest = min(least, rows[i]), max(largest, rows[i])
        ascending &= rows[i - 1] < rows[i]
    return least, largest, ascending


# Sums in any order are vectorised; an infinity or NaN among the values reaches the sum in each.
@register_jitable(fastmath={"reassoc"})
def squares_of(values):
    """The sum of the squares of values (size,)."""
    total = values.dtype.type(0)
    for i in range(values.size):
        total += values[i] * values[i]
    return total


@kernel(parallel=False)
def sum_few_squares(values):
    """The sum of the squares of values (size,), so few that threads cost more than they bring."""
    return squares_of(values)


@kernel
def sum_squares(values, sums):
    """Sums of the squares of `values` (size,), in as many parts as `sums` has entries."""
    size, parts = values.size, sums.size
    for p in prange(parts):
        sums[p] = squares_of(values[size * p // parts : size * (p + 1) // parts])
