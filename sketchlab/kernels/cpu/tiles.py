"""Tiles: the rows that a kernel works on at once, as runs of contiguous numbers.

A row of many columns is a tile by itself and is worked on where it lies. Rows of few columns, down
to single numbers, would spend their time on entering and leaving short loops: a tile gathers as
many of them as fill a buffer in the nearest cache.
"""

from numba.extending import register_jitable

from sketchlab.kernels.cpu.columns import (
    combine,
    copy_to,
    least_of_three,
    middle_of_three,
    put_all,
)
from sketchlab.kernels.cpu.numbers import number, randoms_of

__all__ = ["gather", "gather_rounded", "read_tile", "rows_in_tile", "scatter", "scatter_rounded"]

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


@register_jitable
def read_tile(view, slots, signs, start, stop, tile_rows, ordered, answer):
    """The answers of rows number `start` to `stop`, as the divided table gives them.

    `ordered` (depth, columns) is scratch, one run of it for each hash function.
    """
    cells = view.cells
    depth, dim = view.constants.shape[0], cells.shape[1]
    if depth == 3 and tile_rows == 1:
        first, second = cells[slots[0, start]], cells[slots[1, start]]
        third = cells[slots[2, start]]
        if view.signed:
            sign1, sign2, sign3 = signs[0, start], signs[1, start], signs[2, start]
            middle_of_three(first, sign1, second, sign2, third, sign3, answer)
        else:
            least_of_three(first, second, third, answer)
        return
    for j in range(depth):
        place = 0
        for i in range(start, stop):
            slot, sign = slots[j, i], answer.dtype.type(signs[j, i])
            for c in range(dim):
                ordered[j, place] = sign * number(cells[slot, c])
                place += 1
    combine(view.signed, depth, ordered, answer)
