"""Sums of the gradients of equal rows: each once, before anything reads them.

The sorted items are cut into chunks of about √k. Threads that have a chunk add up the groups in it;
a group that reaches beyond its chunk leaves a part in each of the next, and when all chunks are
done its parts are added. So a row that is given very often is summed by many threads, always in
the same order.
"""

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


def chunk_for(items):
    """Items of a chunk: a power of two, near half the root of their number."""
    chunk = _SMALLEST
    while 16 * chunk * chunk < items:
        chunk *= 2
    return chunk


def sum_groups(active, grads, chunk, parts, arrived):
    """Sum the gradients of all groups of several rows into ``active.sums``.

    Parameters
    ----------
    active : SortedRows
    grads : array, (k, dim)
    chunk : int
    parts : array, (⌈k / chunk⌉, dim)
        Of the group that was begun in an earlier chunk.
    arrived : array of uint32, (1,)
        See `wait_for_grid`.
    """
    rows = active.rows
    for p in range(first_row(), parts.shape[0], row_step()):
        begin, end = p * chunk, min((p + 1) * chunk, rows.size)
        for c in range(first_column(), parts.shape[1], column_step()):
            sum_chunk(active, grads, parts, p, begin, end, c)
    wait_for_grid(arrived)
    for p in range(first_row(), parts.shape[0] - 1, row_step()):
        start = last_start(active, p * chunk, (p + 1) * chunk)
        if start >= 0:
            for c in range(first_column(), parts.shape[1], column_step()):
                total, q = active.sums[start >> 1, c], p + 1
                while q < parts.shape[0] and rows[q * chunk] == rows[start]:
                    total += parts[q, c]
                    q += 1
                active.sums[start >> 1, c] = total


@device
def sum_chunk(active, grads, parts, p, begin, end, c):
    """Sum column c of the groups between two items, as far as they lie there."""
    rows, sums = active.rows, active.sums
    e = begin
    while e < end:
        row, start = rows[e], e
        alone = (e == 0 or rows[e - 1] != row) and (e + 1 == rows.size or rows[e + 1] != row)
        if alone or row >= active.n:
            e += 1
        else:
            total = grads[active.order[e], c]
            e += 1
            while e < end and rows[e] == row:
                total += grads[active.order[e], c]
                e += 1
            if start > 0 and rows[start - 1] == row:
                parts[p, c] = total
            else:
                sums[start >> 1, c] = total


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
