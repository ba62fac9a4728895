"""The active rows of a step as kernels see them, and the sums of gradients of equal rows."""

from typing import NamedTuple

from sketchlab.kernels.numba_private import by_type

__all__ = ["EveryRow", "SortedRows", "gradient_at", "row_at"]


class EveryRow(NamedTuple):
    """A dense step: item i is row i."""

    n: int


class SortedRows(NamedTuple):
    """A sparse step: rows ascending, equal ones side by side, invalid ones as n at the end.

    The first of a group of equal rows stands for all of them. `order` says which gradient belongs
    to which item.
    """

    n: int
    rows: object  # int64 (k,)
    order: object  # int64 (k,)


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


def _gradient_sum(active, grads, i, c):
    rows = active.rows
    total, row, e = grads[active.order[i], c], rows[i], i + 1
    while e < rows.size and rows[e] == row:
        total += grads[active.order[e], c]
        e += 1
    return total


@by_type({EveryRow: _gradient_itself, SortedRows: _gradient_sum})
def gradient_at(active, grads, i, c):
    """Column c of the gradient of item i; those of equal rows are summed in the given order."""
