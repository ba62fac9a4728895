"""The rows of a step made distinct and ascending: gradients of equal rows are summed.

A row and its place in the step are one number of 64 bits, sorted by the row's bits alone. Every
thread sorts a part of them and puts it where it belongs among the others'.
"""

import numpy as np
from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.prefetch import prefetch_row, rows_ahead
from sketchlab.kernels.cpu.sorting import (
    DIGIT_BITS,
    bits_of,
    count_digits,
    first_places,
    move_digits,
)

__all__ = ["sort_rows", "sum_groups"]

_ROW = 32  # the bit from which on a key is the row, below it is the place
_FEW_COLUMNS = 16  # below this a loop over columns is not worth a view of the row


@register_jitable
def row_of(key):
    """The row in a key."""
    return np.int64(key >> np.uint64(_ROW))


@register_jitable
def starts_group(keys, e):
    """Whether another row begins at place `e` of the sorted keys."""
    return e == 0 or row_of(keys[e]) != row_of(keys[e - 1])


@kernel
def sort_rows(rows, n, parts, keys, counts, distinct, order, starts):
    """Distinct rows in ascending order, and where each one's entries start in `order`.

    Returns their number m; `starts` ends with k at place m. `order` has equal rows in the order
    given. Scratch: `keys` (2, k), `counts` (parts, RADIX). The number of parts only splits the
    work.
    """
    k, now = rows.size, 0
    for p in prange(parts):
        for i in range(k * p // parts, k * (p + 1) // parts):
            keys[0, i] = (np.uint64(rows[i]) << np.uint64(_ROW)) | np.uint64(i)
    for shift in range(_ROW, _ROW + bits_of(n), DIGIT_BITS):
        source, target = keys[now], keys[1 - now]
        for p in prange(parts):
            count_digits(source, shift, k * p // parts, k * (p + 1) // parts, counts[p])
        first_places(counts, parts)
        for p in prange(parts):
            move_digits(source, target, shift, k * p // parts, k * (p + 1) // parts, counts[p])
        now = 1 - now

    final = keys[now]
    for p in prange(parts):
        counts[p, 0] = 0
        for e in range(k * p // parts, k * (p + 1) // parts):
            counts[p, 0] += starts_group(final, e)
    groups = 0
    for p in range(parts):
        counts[p, 1] = groups
        groups += counts[p, 0]
    for p in prange(parts):
        group = counts[p, 1]
        for e in range(k * p // parts, k * (p + 1) // parts):
            order[e] = np.int64(final[e] & np.uint64((1 << _ROW) - 1))
            if starts_group(final, e):
                distinct[group] = row_of(final[e])
                starts[group] = e
                group += 1
    starts[groups] = k
    return groups


@register_jitable
def first_group(starts, groups, e):
    """The first group that starts at place `e` or later."""
    low, high = 0, groups
    while low < high:
        middle = (low + high) // 2
        if starts[middle] < e:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def sum_groups(values, order, starts, groups, parts, summed):
    """Row u of `summed` is the sum of group u's values, added in the order given."""
    k, dim = order.size, summed.shape[1]
    for p in prange(parts):
        # a part has as many entries as any other, whatever the sizes of groups
        first = first_group(starts, groups, k * p // parts)
        for u in range(first, first_group(starts, groups, k * (p + 1) // parts)):
            if dim < _FEW_COLUMNS:
                sum_short(values, order, starts[u], starts[u + 1], summed, u)
            else:
                sum_long(values, order, starts[u], starts[u + 1], summed[u])


@register_jitable
def sum_short(values, order, start, stop, summed, u):
    """The sum of entries `start` to `stop` of few columns."""
    for c in range(summed.shape[1]):
        total = values[order[start], c]
        for e in range(start + 1, stop):
            total += values[order[e], c]
        summed[u, c] = total


@register_jitable
def sum_long(values, order, start, stop, total):
    """The sum of entries `start` to `stop` of many columns."""
    first, ahead = values[order[start]], rows_ahead(values)
    for c in range(total.size):
        total[c] = first[c]
    for e in range(start + 1, stop):
        if e + ahead < order.size:
            prefetch_row(values, order[e + ahead])
        more = values[order[e]]
        for c in range(total.size):
            total[c] += more[c]
