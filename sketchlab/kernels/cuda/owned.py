"""Cells changed by threads that own them, without atomics: the same bits at every run."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.advance import change_at, changed
from sketchlab.kernels.cuda.loops import column_step, first_column, first_row, row_step
from sketchlab.kernels.cuda.sorting import KEYS
from sketchlab.kernels.cuda.views import (
    has_cell,
    number_of,
    rounded_at,
    sign_of,
    slot_of,
    stored_of,
)
from sketchlab.stores.arithmetic import active_cell

__all__ = ["CellKeys", "change_owned_cells"]


class CellKeys(NamedTuple):
    """Keys are the cells of all active rows, one hash function after the other; none as `cells`.

    Sorted by cell they show each cell's rows in ascending order.
    """

    view: NamedTuple
    active: NamedTuple
    items: int
    cells: int


def _cell_key(source, e):
    i, j = item_and_function(e, source.items)
    row = row_at(source.active, i)
    if row >= 0 and has_cell(source.view, row, j):
        return slot_of(source.view, row, j)
    return np.int64(source.cells)


KEYS[CellKeys] = _cell_key


@register_jitable
def item_and_function(entry, items):
    """Which item a list of all cells has at a place, and under which hash function."""
    i, j = entry, 0
    while i >= items:  # a division of 64 bits takes longer than a few subtractions
        i -= items
        j += 1
    return i, j


def change_owned_cells(source, view, active, items, grads, slots, order, bucket, keep_less_one):
    """Bring all changes into the cells, each cell by its own threads in ascending order of rows.

    `slots` is sorted and `order` holds the places of `CellKeys` in that order. With `bucket` a cell
    first decays by its active rows.
    """
    cells = view.cells
    for e in range(first_row(), slots.size, row_step()):
        slot = slots[e]
        if slot < cells.shape[0] and (e == 0 or slots[e - 1] != slot):
            end = e + 1
            while end < slots.size and slots[end] == slot:
                end += 1
            active_rows = np.float32(end - e)
            for c in range(first_column(), cells.shape[1], column_step()):
                value = number_of(view.rounding, cells[slot, c])
                if bucket:
                    value = active_cell(value, active_rows, keep_less_one)
                for place in range(e, end):
                    i, j = item_and_function(order[place], items)
                    row = row_at(active, i)
                    gradient = gradient_at(active, grads, i, c)
                    change = change_at(source, view.squared, row, i, c, gradient)
                    value = changed(view, value, sign_of(view, row, j, change))
                    value = rounded_at(view.rounding, value, row, slot, c)
                cells[slot, c] = stored_of(view.rounding, value)
