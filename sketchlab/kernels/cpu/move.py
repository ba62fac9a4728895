"""The last part of a step: variables read, the rule applied, parameters moved."""

from numba import prange

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import advance_own
from sketchlab.kernels.cpu.prefetch import prefetch_cells, prefetch_row, rows_ahead
from sketchlab.kernels.cpu.shrunken import read_shrunken
from sketchlab.kernels.cpu.tiles import gather, multiply_rows, read_tile, scatter
from sketchlab.kernels.cpu.views import BUCKET, GIVEN, OWN, SHRUNKEN, UNKEPT
from sketchlab.kernels.numba_private import inlined
from sketchlab.kernels.rule import update
from sketchlab.rules import usable

__all__ = ["move"]


@inlined
def prefetch_moment(view, work, rows, i):
    """Ask for the cells of row number i."""
    if view.mode == OWN:
        prefetch_row(view.cells, rows[i])
    elif view.mode > OWN:
        prefetch_cells(view.cells, work.slots[view.place], view.constants.shape[0], i)


@inlined
def read_moment(view, now, work, rows, start, stop, tile_rows, gradient, ordered, answer):
    """The answers of a tile, own cells advancing first; what they are yet to be multiplied by.

    Where the tile is one long row with a cell of its own, `answer` is that cell.
    """
    cells, one, scales = view.cells, view.cells.dtype.type(1), now.scales
    if view.mode == UNKEPT:
        return one
    if view.mode == OWN:
        if tile_rows > 1:
            gather(cells, rows, start, stop, answer)
        advance_own(answer, gradient, view.squared, now.keep_less_one, now.gain)
        if tile_rows > 1:
            scatter(answer, cells, rows, start, stop)
    elif view.mode == GIVEN:
        answers, first = cells.reshape(-1), start * cells.shape[1]
        for c in range(answer.size):
            answer[c] = answers[first + c]
    else:
        slots, signs = work.slots[view.place], work.signs[view.place]
        if view.mode == SHRUNKEN:
            return read_shrunken(
                view, now, slots, signs, start, stop, tile_rows, gradient, ordered, answer
            )
        read_tile(view, slots, signs, start, stop, tile_rows, ordered, answer)
        if view.mode == BUCKET:
            advance_own(answer, gradient, view.squared, now.keep_less_one, now.gain)
    if scales.size == 1:
        return scales[0]
    if tile_rows == 1:
        return scales[start]
    multiply_rows(answer, scales, start, stop)
    return one


@kernel
def move(
    h, table, rows, grads, source, first, first_now, second, second_now, work, parts, tile_rows
):
    """Read the moments of every row and move its parameters by the rule that `h` names.

    `first` and `second` are the views of m and v, `grads[source[i]]` the gradient of row number i.
    The number of parts only splits the work.
    """
    k, dim, zero = rows.size, table.shape[1], table.dtype.type(0)
    ahead = rows_ahead(table)
    for p in prange(parts):
        buffer = work.buffers[p]
        ordered = buffer[4:]
        part_stop = k * (p + 1) // parts
        for start in range(k * p // parts, part_stop, tile_rows):
            stop = min(start + tile_rows, part_stop)
            size = (stop - start) * dim
            m, v = buffer[2, :size], buffer[3, :size]
            if tile_rows == 1:  # a long row is worked on where it lies
                later = start + ahead
                if later < k:
                    prefetch_moment(first, work, rows, later)
                    prefetch_moment(second, work, rows, later)
                    prefetch_row(table, rows[later])
                x, g = table[rows[start]], grads[source[start]]
                if first.mode == OWN:
                    m = first.cells[rows[start]]
                if second.mode == OWN:
                    v = second.cells[rows[start]]
            else:
                x, g = buffer[0, :size], buffer[1, :size]
                gather(table, rows, start, stop, x)
                gather(grads, source, start, stop, g)
            m_scale = read_moment(
                first, first_now, work, rows, start, stop, tile_rows, g, ordered, m
            )
            v_scale = read_moment(
                second, second_now, work, rows, start, stop, tile_rows, g, ordered, v
            )
            for c in range(size):
                x[c] = update(h, x[c], g[c], m_scale * m[c], usable(True, v_scale * v[c], zero))
            if tile_rows > 1:
                scatter(x, table, rows, start, stop)
