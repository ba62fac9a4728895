"""The fewest bytes that a step of an optimizer must move, whatever machine runs it.

A step is counted in passes over the arrays that it needs: each number that is read, and each that
is written, costs its bytes once a pass. Which passes there are follows from the order of a step
(docs/architecture.md): all reads of old values, all additions, and only then the first answer.

- Parameters are read and written. Gradients are read once; twice where rows share numbers, because
  all additions come before the first answer (under ``bucket`` decay after the last one).
- A store with a place of its own for each row (`Dense`, `RowWise`, `Quantized`) answers while the
  row is at hand: its numbers are read and written.
- A store whose rows share numbers (sketches, `Rank1`, `SM3`) cannot: its numbers are read and
  written by the additions, and read once more for the answers, after or (``bucket``) before.

Rows of a step are counted as if no two of them shared a cell. Where some do, the sketch moves less
than that: of 4,096 rows in 13,333 buckets by about an eighth.

So Adam with two sketches of depth 3 takes 2 + 2 + 2 · 3 · 3 = 22 numbers a column of an active row,
and exact Adam 2 + 1 + 2 · 2 = 7. Where more rows are active than a sketch has buckets, each pass is
over the whole sketch, once. What a step moves beyond that (row numbers, sorting, the changes that a
``lazy`` or conservative sketch writes down) is not counted: it is no part of the least. The decay
therefore makes no difference here.
"""

from functools import singledispatch

import sketchlab as sl

_SHARED = (sl.CountSketch, sl.CountMinSketch, sl.HeadTail, sl.BucketMean, sl.Rank1, sl.SM3)


def least_bytes(stores, n, dim, k=None, itemsize=4):
    """Fewest bytes of a step.

    Parameters
    ----------
    stores : iterable of Description
        How each of the optimizer's auxiliary variables is kept.
    n, dim : int
        Rows and columns of the table.
    k : int, optional
        Distinct active rows, drawn evenly from all; without it the step is dense.
    itemsize : int
        Bytes of a number.
    """
    stores, rows = list(stores), n if k is None else k
    readings = 2 if any(isinstance(store, _SHARED) for store in stores) else 1
    needed = itemsize * rows * dim * (2 + readings)
    for store in stores:
        size = itemsize if getattr(store, "cells", None) is None else 2
        needed += size * _numbers(store, n, dim, rows, itemsize)
    return round(needed)


def least_bytes_of_sums(entries, distinct, dim, itemsize=4):
    """Fewest bytes of summing the gradients of equal rows: entries read, distinct ones written.

    Row numbers, of eight bytes, are read and written with them.
    """
    return (entries + distinct) * (dim * itemsize + 8)


@singledispatch
def _numbers(store, n, dim, rows, itemsize):
    """Numbers of a store that are read or written: of `itemsize` bytes, or of its cells' two."""
    raise TypeError(f"the bytes of a step with {store!r} have not been counted")


@_numbers.register
def _(store: sl.Dense, n, dim, rows, itemsize):
    return 2 * rows * dim


@_numbers.register(sl.CountSketch)
@_numbers.register(sl.CountMinSketch)
def _(store, n, dim, rows, itemsize):
    return _cells(store.depth, store.width_for(n), rows) * dim


@_numbers.register
def _(store: sl.HeadTail, n, dim, rows, itemsize):
    heads, width = store.split(n)
    at_head = rows * heads / n
    return (2 * at_head + _cells(store.tail.depth, width, rows - at_head)) * dim


@_numbers.register
def _(store: sl.BucketMean, n, dim, rows, itemsize):
    return _cells(store.depth, store.width_for(n, dim), rows) * (dim + 1)


@_numbers.register(sl.Rank1)
@_numbers.register(sl.SM3)
def _(store, n, dim, rows, itemsize):
    return 3 * (rows + dim)


@_numbers.register
def _(store: sl.RowWise, n, dim, rows, itemsize):
    return 2 * rows


@_numbers.register
def _(store: sl.Quantized, n, dim, rows, itemsize):
    blocks = -(-dim // store.block)
    return 2 * rows * (dim / itemsize + blocks)  # a code is one byte


def _cells(depth, width, rows):
    """Cells read, written and read again, under each hash function."""
    return 3 * depth * min(rows, width)
