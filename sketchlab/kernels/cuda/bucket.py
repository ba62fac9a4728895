"""Kernels of ``bucket`` decay: the cells of active rows decay once by each of these rows.

All rows read a cell before any is added, so the rows of each cell are counted first. Only the cells
of active rows are touched, whatever the size of the sketch.
"""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.active import row_at
from sketchlab.kernels.cuda.driver import cuda, device
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
    row_step,
)
from sketchlab.kernels.cuda.views import has_cell, slot_of
from sketchlab.kernels.numba_private import in_turn
from sketchlab.stores.arithmetic import active_cell

__all__ = ["Decayed", "count_rows", "decay_cells", "forget_counts"]


class Decayed(NamedTuple):
    """What a step of ``bucket`` decay needs: the active rows of every cell.

    `counts` is 0 between steps. Of the rows in a cell the one that counted first owns it: it decays
    the cell, and sets its count back.
    """

    view: NamedTuple
    counts: object  # int32 (cells,)
    owned: object  # bool (depth, k): whether item i owns its cell j
    keep_less_one: np.floating


def _count(part, previous, row, i):
    view = part.view
    for j in range(len(view.constants) // 4):
        owns = False
        if has_cell(view, row, j):
            owns = cuda.atomic.add(part.counts, slot_of(view, row, j), 1) == 0
        part.owned[j, i] = owns
    return previous


_count_in_turn = in_turn(device(_count))


def count_rows(parts, active, items):
    """Count the active rows of the cells of all moments; see `Decayed`."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            _count_in_turn(parts, 0, row, i)


def _decay(part, previous, row, i, c):
    view = part.view
    for j in range(len(view.constants) // 4):
        if part.owned[j, i]:
            slot = slot_of(view, row, j)
            value, active_rows = view.cells[slot, c], view.cells.dtype.type(part.counts[slot])
            view.cells[slot, c] = active_cell(value, active_rows, part.keep_less_one)
    return previous


_decay_in_turn = in_turn(device(_decay))


def decay_cells(parts, active, items, dim):
    """Decay every cell once by each of its active rows: ``bucket`` decay."""
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), dim, column_step()):
                _decay_in_turn(parts, 0, row, i, c)


def _forget(part, previous, row, i):
    view = part.view
    for j in range(len(view.constants) // 4):
        if part.owned[j, i]:
            part.counts[slot_of(view, row, j)] = 0
    return previous


_forget_in_turn = in_turn(device(_forget))


def forget_counts(parts, active, items):
    """Set the counts of all cells that `count_rows` counted back to 0."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            _forget_in_turn(parts, 0, row, i)
