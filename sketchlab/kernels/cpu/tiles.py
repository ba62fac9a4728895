"""Tiles: the rows that a kernel works on at once, as runs of contiguous numbers.

A row of many columns is a tile by itself and is worked on where it lies. Rows of few columns, down
to single numbers, would spend their time on entering and leaving short loops: a tile gathers as
many of them as fill a buffer in the nearest cache.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cpu.columns import (
    combine,
    copy_to,
    put_all,
)
from sketchlab.kernels.cpu.numbers import number, randoms_of
from sketchlab.kernels.numba_private import inlined
from sketchlab.rules.arithmetic import lower
from sketchlab.stores.arithmetic import median_of_three

__all__ = [
    "Readings",
    "combined",
    "gather",
    "gather_rounded",
    "has_readings",
    "read_tile",
    "readings_of",
    "rows_in_tile",
    "scatter",
    "scatter_rounded",
    "tile_of",
]

_LONG_ROW = 16  # columns: from here on a row is a tile
_NUMBERS = 512  # of a tile of several rows, about


@register_jitable
def rows_in_tile(dim):
    """How many rows of `dim` columns make a tile."""
    return 1 if dim >= _LONG_ROW else _NUMBERS // dim


@register_jitable
def gather(table, rows, start, stop, tile):
    """Copy rows number `start` to `stop` of a table into a tile."""
    dim = table.shape[1]
    place = 0
    for i in range(start, stop):
        row = rows[i]
        for c in range(dim):
            tile[place] = table[row, c]
            place += 1


@register_jitable
def scatter(tile, table, rows, start, stop):
    """Copy a tile back into the table."""
    dim = table.shape[1]
    place = 0
    for i in range(start, stop):
        row = rows[i]
        for c in range(dim):
            table[row, c] = tile[place]
            place += 1


@inlined
def tile_of(table, grads, rows, source, start, stop, tile_rows, buffer):
    """Parameters and gradients of a tile: a long row where it lies, short ones in a buffer."""
    size = (stop - start) * table.shape[1]
    x, g = buffer[0, :size], buffer[1, :size]
    if tile_rows == 1:
        x, g = table[rows[start]], grads[source[start]]
    else:
        gather(table, rows, start, stop, x)
        gather(grads, source, start, stop, g)
    return x, g


@register_jitable
def gather_rounded(cells, rows, start, stop, tile):
    """Copy rows number `start` to `stop`, of cells of two bytes, into a tile."""
    dim = cells.shape[1]
    for i in range(start, stop):
        first = (i - start) * dim
        copy_to(cells[rows[i]], tile[first : first + dim])


@register_jitable
def scatter_rounded(tile, view, rows, start, stop):
    """Copy a tile back into cells of two bytes, one for each row; it then is what they hold."""
    cells, dim = view.cells, view.cells.shape[1]
    for i in range(start, stop):
        row, first = rows[i], (i - start) * dim
        put_all(cells[row], tile[first : first + dim], randoms_of(view, row, row))


class Readings(NamedTuple):
    """The readings of one row under three hash functions, where they lie, with their signs."""

    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    sign1: np.floating
    sign2: np.floating
    sign3: np.floating
    signed: bool  # the answer is the median; else the minimum


@inlined
def has_readings(view, tile_rows):
    """Whether the rows of a sketch are answered from `Readings`."""
    return view.constants.shape[0] == 3 and tile_rows == 1


@inlined
def readings_of(view, slots, signs, i):
    """Those of row number i."""
    cells, to = view.cells, view.weights.dtype.type
    return Readings(
        cells[slots[0, i]],
        cells[slots[1, i]],
        cells[slots[2, i]],
        to(signs[0, i]),
        to(signs[1, i]),
        to(signs[2, i]),
        view.signed,
    )


@inlined
def combined(readings, c):
    """The answer in column c, as the divided table gives it."""
    a = readings.sign1 * number(readings.first[c])
    b = readings.sign2 * number(readings.second[c])
    d = readings.sign3 * number(readings.third[c])
    if readings.signed:
        return median_of_three(a, b, d)
    return lower(d, lower(b, a))


@register_jitable
def read_tile(view, slots, signs, start, stop, tile_rows, ordered, answer):
    """The answers of rows number `start` to `stop`, as the divided table gives them.

    `ordered` (depth, columns) is scratch, one run of it for each hash function.
    """
    cells = view.cells
    depth, dim = view.constants.shape[0], cells.shape[1]
    if has_readings(view, tile_rows):
        readings = readings_of(view, slots, signs, start)
        for c in range(answer.size):
            answer[c] = combined(readings, c)
        return
    for j in range(depth):
        place = 0
        for i in range(start, stop):
            slot, sign = slots[j, i], answer.dtype.type(signs[j, i])
            for c in range(dim):
                ordered[j, place] = sign * number(cells[slot, c])
                place += 1
    combine(view.signed, depth, ordered, answer)
