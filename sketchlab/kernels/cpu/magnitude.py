"""How large gradients are, in one pass: whether all are finite, and a bound on the largest."""

from numba import prange

from sketchlab.kernels.compile import kernel

__all__ = ["PARTS", "sum_squares"]

#: A fixed number, so that the sums do not depend on the number of threads.
PARTS = 32


# Sums in any order are vectorised; an infinity or NaN among the values reaches the sum in each.
@kernel(fastmath={"reassoc"})
def sum_squares(values, sums):
    """Sums of the squares of `values` (size,), in as many parts as `sums` has entries."""
    size, parts = values.size, sums.size
    for p in prange(parts):
        part = values[size * p // parts : size * (p + 1) // parts]
        total = sums.dtype.type(0)
        for i in range(part.size):
            total += part[i] * part[i]
        sums[p] = total
