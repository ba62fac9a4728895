"""The last part of a step with exact variables: one loop advances them and applies the rule.

`move` does the same for all stores, with a loop for each variable, which reads rows once more.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.move import prefetch_own
from sketchlab.kernels.cpu.prefetch import prefetch_row, rows_ahead
from sketchlab.kernels.cpu.tiles import gather, scatter, tile_of
from sketchlab.kernels.cpu.views import OWN, grouped
from sketchlab.kernels.numba_private import in_turn, inlined
from sketchlab.kernels.rule import update
from sketchlab.stores.arithmetic import contribution, own_cell

__all__ = ["are_own", "move_own"]

#: Arrays that one loop may write, beside the gradients that it reads: whether any two of them
#: overlap is asked before a vectorised loop, and LLVM asks at most eight such questions.
_MOST = 3


class OwnCells(NamedTuple):
    """The cells of a tile's rows, and how they advance; see `views.View`."""

    values: np.ndarray
    squared: bool
    keep_less_one: np.floating
    gain: np.floating
    multiplier: np.floating


def are_own(views):
    """Whether `move_own` can take the place of `move`."""
    return 1 + len(views) <= _MOST and all(
        view.mode == OWN and view.randoms is None and not view.weights.size for view in views
    )


@inlined
def read_own(view, previous, buffer, rows, start, stop, tile_rows, size):
    """The cells of a tile's rows: long rows where they lie, others in a buffer."""
    values = buffer[previous[0], :size]
    if tile_rows > 1:
        gather(view.cells, rows, start, stop, values)
    else:
        values = view.cells[rows[start]]
    numbers = view.squared, view.keep_less_one, view.gain, view.multiplier
    return previous[0] + 1, OwnCells(values, *numbers)


@inlined
def advance(read, previous, c, gradient):
    """Advance number c of a tile; the variable after it."""
    cells = read[1]
    u = contribution(cells.squared, cells.gain, gradient)
    cells.values[c] = own_cell(cells.values[c], u, cells.keep_less_one)
    return cells.multiplier * cells.values[c]


@inlined
def write_own(view, previous, buffer, rows, start, stop):
    """Copy a tile of short rows back; `previous` is the number of its buffer."""
    scatter(buffer[previous], view.cells, rows, start, stop)
    return previous + 1


prefetch_all, read_all = map(in_turn, (prefetch_own, read_own))
advance_all, write_all = map(in_turn, (advance, write_own))


@kernel
def move_own(h, table, rows, grads, source, buffers, parts, tile_rows, *fields):
    """Advance the exact variables of every row and move its parameters, as `move` does."""
    k, ahead = rows.size, rows_ahead(table)
    for p in prange(parts):
        views, buffer = grouped(fields), buffers[p]
        part_stop = k * (p + 1) // parts
        for start in range(k * p // parts, part_stop, tile_rows):
            stop = min(start + tile_rows, part_stop)
            later = start + ahead
            if tile_rows == 1 and later < k:
                prefetch_all(views, None, rows, later)
                prefetch_row(table, rows[later])
            x, g = tile_of(table, grads, rows, source, start, stop, tile_rows, buffer)
            read = read_all(views, (2,), buffer, rows, start, stop, tile_rows, x.size)
            for c in range(x.size):
                x[c] = update(h, x[c], g[c], *advance_all(read, None, c, g[c]))
            if tile_rows > 1:
                scatter(x, table, rows, start, stop)
                write_all(views, 2, buffer, rows, start, stop)
