"""The inner loops of compiled kernels: runs of contiguous numbers, one loop each.

They call the scalar arithmetic of stores and rules; what runs in parallel is decided by the
kernels that call them. A run is one row of many columns, or several rows of few columns, one
behind the other.
"""

from numba.extending import register_jitable

from sketchlab.kernels.cpu.numbers import number, put
from sketchlab.rules.arithmetic import higher, lower
from sketchlab.stores.arithmetic import (
    conservative_target,
    contribution,
    lazy_change,
    median_of_three,
    own_cell,
)

__all__ = [
    "add_gradient",
    "add_signed",
    "advance_own",
    "combine",
    "copy_to",
    "largest_of",
    "put_all",
    "raise_cell",
    "sum_of",
    "to_change",
    "to_target",
]


@register_jitable
def combine(median, depth, ordered, answer):
    """One answer from the values under each of `depth` hash functions, which are reordered."""
    if not median:
        copy_to(ordered[0], answer)
        for j in range(1, depth):
            keep_lower(ordered[j], answer)
    elif depth == 3:
        first, second, third = ordered[0], ordered[1], ordered[2]
        for c in range(answer.size):
            answer[c] = median_of_three(first[c], second[c], third[c])
    else:
        for j in range(1, depth):
            for p in range(j - 1, -1, -1):
                exchange(ordered[p], ordered[p + 1], answer.size)
        # an odd depth has one middle value, an even one the mean of two
        middle_of_two(ordered[(depth - 1) // 2], ordered[depth // 2], answer)


# In any order, so that it is vectorised; made by one thread, in one order on one machine. Products
# have no place here: in another order they could overflow.
@register_jitable(fastmath={"reassoc"})
def sum_of(values):
    """The sum of some values."""
    total = values.dtype.type(0)
    for c in range(values.size):
        total += values[c]
    return total


@register_jitable
def largest_of(values):
    """The largest magnitude, NaN where a value is."""
    largest = values.dtype.type(0)
    for c in range(values.size):
        largest = higher(largest, abs(values[c]))
    total = sum_of(values)
    return largest if total == total else abs(total)


@register_jitable
def copy_to(values, target):
    """The values themselves; of a cell, what its numbers stand for."""
    for c in range(target.size):
        target[c] = number(values[c])


@register_jitable
def keep_lower(cell, answer):
    """The smaller of every pair of values."""
    for c in range(answer.size):
        answer[c] = lower(cell[c], answer[c])


@register_jitable
def middle_of_two(low, high, answer):
    """The mean of two values."""
    half = answer.dtype.type(0.5)
    for c in range(answer.size):
        answer[c] = half * low[c] + half * high[c]


@register_jitable
def exchange(low, high, size):
    """Put the smaller of two values into `low`, the larger into `high`."""
    for c in range(size):
        a = low[c]
        b = high[c]
        low[c] = lower(a, b)
        high[c] = higher(a, b)


@register_jitable
def to_change(answer, gradient, squared, keep_less_one, gain):
    """Turn answers into what a lazy step adds to the rows' cells."""
    for c in range(answer.size):
        answer[c] = lazy_change(answer[c], contribution(squared, gain, gradient[c]), keep_less_one)


@register_jitable
def to_target(answer, gradient, squared, gain):
    """Turn answers into what a conservative step raises the rows' cells to."""
    for c in range(answer.size):
        answer[c] = conservative_target(answer[c], contribution(squared, gain, gradient[c]))


@register_jitable
def add_signed(cell, sign, change, randoms):
    """Add a change, with the row's sign, to one of its cells."""
    for c in range(cell.size):
        put(cell, c, number(cell[c]) + sign * change[c], randoms)


@register_jitable
def add_gradient(cell, gain, gradient, squared, randoms):
    """Add a gradient's contribution to a cell; `gain` carries the sign."""
    if squared:
        for c in range(cell.size):
            put(cell, c, number(cell[c]) + contribution(True, gain, gradient[c]), randoms)
    else:
        for c in range(cell.size):
            put(cell, c, number(cell[c]) + contribution(False, gain, gradient[c]), randoms)


@register_jitable
def put_all(cell, values, randoms):
    """Put values into a cell; they then are what it holds."""
    for c in range(cell.size):
        put(cell, c, values[c], randoms)
        values[c] = number(cell[c])


@register_jitable
def raise_cell(cell, target, randoms):
    """Raise a cell to at least a target."""
    for c in range(cell.size):
        put(cell, c, higher(number(cell[c]), target[c]), randoms)


@register_jitable
def advance_own(cell, gradient, squared, keep_less_one, gain, randoms):
    """Decay a cell and add a gradient's contribution; `gain` carries the sign.

    Each of the rows that decay a cell takes its (keep - 1): `keep_less_one` times their number.
    """
    if squared:
        for c in range(cell.size):
            u = contribution(True, gain, gradient[c])
            put(cell, c, own_cell(number(cell[c]), u, keep_less_one), randoms)
    else:
        for c in range(cell.size):
            u = contribution(False, gain, gradient[c])
            put(cell, c, own_cell(number(cell[c]), u, keep_less_one), randoms)
