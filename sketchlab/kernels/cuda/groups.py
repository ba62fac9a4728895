"""Sums of the gradients of equal rows: each once, before anything reads them.

The sorted items are cut into chunks of about √k. Threads that have a chunk add up the groups in it;
a group that reaches beyond its chunk leaves a part in each of the next, and when all chunks are
done its parts are added. So a row that is given very often is summed by many threads, always in
the same order.
"""

import numpy as np

from sketchlab.kernels.cuda.driver import device
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_row,
    row_step,
    wait_for_grid,
)

__all__ = ["chunk_for", "sum_groups"]

_SMALLEST = 16
_TOGETHER = 4  # gradients


def chunk_for(items):
    """Items of a chunk: a power of two, near half the root of their number."""
    chunk = _SMALLEST
    while 16 * chunk * chunk < items:
        chunk *= 2
    return chunk


def sum_groups(active, grads, repeated, turn, chunk, parts, arrived):
    """Sum the gradients of all groups of several rows into ``active.sums``.

    Parameters
    ----------
    active : SortedRows
    grads : array, (k, dim)
    repeated, turn : array of int64, (1,), and int
        Different where no row is given twice; see `sorting.sort`.
    chunk : int
    parts : array, (⌈k / chunk⌉, dim)
        Of the group that was begun in an earlier chunk.
    arrived : array of uint32, (1,)
        See `wait_for_grid`.
    """
    if repeated[0] != turn:
        return
    rows, (count, dim) = active.rows, parts.shape
    for p in range(first_row(), count, row_step()):
        sum_chunk(active, grads, parts, p, p * chunk, min((p + 1) * chunk, rows.size))
    wait_for_grid(arrived)
    for p in range(first_row(), count - 1, row_step()):
        start = last_start(active, p * chunk, (p + 1) * chunk)
        if start >= 0:
            end = end_of_parts(active, chunk, p + 1, count)
            for c in range(first_column(), dim, column_step()):
                total = active.sums[start >> 1, c]
                for q in range(p + 1, end):
                    total += parts[q, c]
                active.sums[start >> 1, c] = total


@device
def sum_chunk(active, grads, parts, p, begin, end):
    """Sum the groups between two items, as far as they lie there; a row that is alone is left."""
    rows, size = active.rows, active.rows.size
    e, row = begin, rows[begin]
    begun = begin > 0 and rows[begin - 1] == row
    while e < end:
        last, following = e + 1, np.int64(-1)
        if last < size:
            following = rows[last]
        while last < end and following == row:
            last += 1
            following = rows[last] if last < size else np.int64(-1)
        if (begun or last > e + 1 or following == row) and row < active.n:
            for c in range(first_column(), parts.shape[1], column_step()):
                total = sum_of_items(active, grads, e, last, c)
                if begun:
                    parts[p, c] = total
                else:
                    active.sums[e >> 1, c] = total
        e, row, begun = last, following, False


@device
def sum_of_items(active, grads, e, end, c):
    """Column c of the gradients of some items, one after the other; several are read at once."""
    order = active.order
    total = grads[order[e], c]
    e += 1
    while e + _TOGETHER <= end:
        first, second = grads[order[e], c], grads[order[e + 1], c]
        third, fourth = grads[order[e + 2], c], grads[order[e + 3], c]
        total = total + first + second + third + fourth
        e += _TOGETHER
    while e < end:
        total += grads[order[e], c]
        e += 1
    return total


@device
def end_of_parts(active, chunk, first, count):
    """The first chunk after `first` that begins with another row than it does; rows ascend."""
    rows = active.rows
    row, low, high = rows[first * chunk], first + 1, count
    while low < high:
        middle = (low + high) >> 1
        if rows[middle * chunk] == row:
            low = middle + 1
        else:
            high = middle
    return low


@device
def last_start(active, begin, end):
    """Where the group starts that goes on beyond `end`, if between the two items; else -1."""
    rows = active.rows
    row = rows[end]
    if rows[end - 1] != row or row >= active.n:
        return -1
    start = end - 1
    while start > begin and rows[start - 1] == row:
        start -= 1
    if start > 0 and rows[start - 1] == row:
        return -1
    return start
