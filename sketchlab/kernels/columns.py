"""The inner loops of compiled kernels: one row at a time, over its contiguous columns.

They call the scalar arithmetic of stores and rules; what runs in parallel is decided by the
kernels that call them.
"""

from numba.extending import register_jitable

from sketchlab.rules import added
from sketchlab.stores.arithmetic import (
    active_cell,
    conservative_target,
    higher,
    lazy_change,
    lower,
    median_of_three,
)

__all__ = [
    "add_gradient",
    "add_signed",
    "decay_cell",
    "raise_cell",
    "read_median",
    "read_minimum",
    "scale_positive",
    "to_change",
    "to_target",
]


@register_jitable
def read_minimum(cells, slots, i, answer):
    """Row i of a count-min sketch, or of an exact table: the smallest of its cells."""
    cell = cells[slots[0, i]]
    for c in range(answer.size):
        answer[c] = cell[c]
    for j in range(1, slots.shape[0]):
        cell = cells[slots[j, i]]
        for c in range(answer.size):
            answer[c] = lower(cell[c], answer[c])


@register_jitable
def read_median(cells, slots, signs, i, ordered, answer):
    """Row i of a count-sketch: the median of its signed cells.

    The cells are read one after the other, each a single stream of memory, into `ordered`
    (depth, columns), which stays in the cache.
    """
    depth = slots.shape[0]
    if depth == 3:
        copy_signed(cells[slots[0, i]], signs[0, i], ordered[0])
        copy_signed(cells[slots[1, i]], signs[1, i], ordered[1])
        middle_of_three(ordered[0], ordered[1], cells[slots[2, i]], signs[2, i], answer)
        return
    for j in range(depth):
        copy_signed(cells[slots[j, i]], signs[j, i], ordered[j])
        for p in range(j - 1, -1, -1):
            exchange(ordered[p], ordered[p + 1])
    # an odd depth has one middle value, an even one the mean of two
    middle_of_two(ordered[(depth - 1) // 2], ordered[depth // 2], answer)


@register_jitable
def copy_signed(cell, sign, target):
    """A cell times a sign."""
    sign = cell.dtype.type(sign)
    for c in range(target.size):
        target[c] = sign * cell[c]


@register_jitable
def middle_of_three(first, second, cell, sign, answer):
    """The median of two rows of values and a signed cell."""
    sign = cell.dtype.type(sign)
    for c in range(answer.size):
        answer[c] = median_of_three(first[c], second[c], sign * cell[c])


@register_jitable
def middle_of_two(low, high, answer):
    """The mean of two rows of values."""
    half = answer.dtype.type(0.5)
    for c in range(answer.size):
        answer[c] = half * low[c] + half * high[c]


@register_jitable
def exchange(low, high):
    """Put the smaller value of every column into `low`, the larger into `high`."""
    for c in range(low.size):
        a = low[c]
        b = high[c]
        low[c] = lower(a, b)
        high[c] = higher(a, b)


@register_jitable
def scale_positive(answer, multiplier, squared):
    """An answer times the store's multiplier, as a rule may use it (see ``rules.usable``)."""
    zero = answer.dtype.type(0)
    if squared:
        for c in range(answer.size):
            answer[c] = higher(multiplier * answer[c], zero)
    else:
        for c in range(answer.size):
            answer[c] = multiplier * answer[c]


@register_jitable
def to_change(answer, gradient, squared, keep_less_one, gain):
    """Turn an answer into what a lazy step adds to the row's cells."""
    for c in range(answer.size):
        answer[c] = lazy_change(answer[c], added(squared, gradient[c]), keep_less_one, gain)


@register_jitable
def to_target(answer, gradient, squared, gain):
    """Turn an answer into what a conservative step raises the row's cells to."""
    for c in range(answer.size):
        answer[c] = conservative_target(answer[c], added(squared, gradient[c]), gain)


@register_jitable
def add_signed(cell, sign, change):
    """Add a change, with the row's sign, to one of its cells."""
    for c in range(cell.size):
        cell[c] += sign * change[c]


@register_jitable
def add_gradient(cell, gain, gradient, squared):
    """Add a gradient's contribution to a cell; `gain` carries the sign."""
    if squared:
        for c in range(cell.size):
            cell[c] += gain * added(True, gradient[c])
    else:
        for c in range(cell.size):
            cell[c] += gain * added(False, gradient[c])


@register_jitable
def raise_cell(cell, target):
    """Raise a cell to at least a target."""
    for c in range(cell.size):
        cell[c] = higher(cell[c], target[c])


@register_jitable
def decay_cell(cell, active_rows, keep_less_one):
    """Decay a cell once by each of its active rows, all reading before any writes."""
    for c in range(cell.size):
        cell[c] = active_cell(cell[c], active_rows, keep_less_one)
