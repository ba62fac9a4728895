"""The rows of a step made distinct and ascending: gradients of equal rows are summed.

In every pass of the sort each thread moves a part of the rows to where it belongs among the others.
"""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.prefetch import prefetch_row, rows_ahead
from sketchlab.kernels.cpu.sorting import (
    DIGIT_BITS,
    VALUE,
    bits_of,
    count_digits,
    first_places,
    key_of,
    move_digits,
    place_of,
    starts_group,
    value_of,
)
from sketchlab.kernels.cpu.tiles import rows_in_tile

__all__ = ["sort_rows", "sum_groups"]


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
            keys[0, i] = key_of(rows[i], i)
    for shift in range(VALUE, VALUE + bits_of(n), DIGIT_BITS):
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
            order[e] = place_of(final[e])
            if starts_group(final, e):
                distinct[group] = value_of(final[e])
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
    k, tile_rows = order.size, rows_in_tile(summed.shape[1])
    for p in prange(parts):
        # a part has as many entries as any other, whatever the sizes of groups
        first = first_group(starts, groups, k * p // parts)
        for u in range(first, first_group(starts, groups, k * (p + 1) // parts)):
            if tile_rows > 1:
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
