"""The active rows of a step as kernels see them, and their gradients."""

from typing import NamedTuple

from sketchlab.kernels.numba_private import by_type

__all__ = ["EveryRow", "SortedRows", "gradient_at", "row_at"]


class EveryRow(NamedTuple):
    """A dense step: item i is row i."""

    n: int


class SortedRows(NamedTuple):
    """A sparse step: rows ascending, equal ones side by side, invalid ones as n at the end.

    The first of a group of equal rows stands for all of them. `order` says which gradient belongs
    to which item. The gradients of a group of several rows are summed before anything reads them:
    two such groups begin at least two items apart, so that the sum of one that begins with item i
    is number i // 2.
    """

    n: int
    rows: object  # int64 (k,)
    order: object  # int64 (k,)
    sums: object  # (⌈k / 2⌉, dim)


def _row_itself(active, i):
    return i


def _first_of_group(active, i):
    row = active.rows[i]
    if row >= active.n or (i > 0 and active.rows[i - 1] == row):
        return -1
    return row


@by_type({EveryRow: _row_itself, SortedRows: _first_of_group})
def row_at(active, i):
    """The row of item i, or -1 where the item has none of its own."""


def _gradient_itself(active, grads, i, c):
    return grads[i, c]


def _gradient_of_group(active, grads, i, c):
    rows = active.rows
    if i + 1 < rows.size and rows[i + 1] == rows[i]:
        return active.sums[i >> 1, c]
    return grads[active.order[i], c]


@by_type({EveryRow: _gradient_itself, SortedRows: _gradient_of_group})
def gradient_at(active, grads, i, c):
    """Column c of the gradient of item i; of several equal rows their sum."""
