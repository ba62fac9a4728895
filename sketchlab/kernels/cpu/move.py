"""The last part of a step: variables read, the rule applied, parameters moved."""

from numba import prange

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import advance_own, raise_scaled
from sketchlab.kernels.cpu.prefetch import prefetch_cells, prefetch_row, rows_ahead
from sketchlab.kernels.cpu.shrunken import read_shrunken
from sketchlab.kernels.cpu.tiles import gather, multiply_rows, read_tile, scatter
from sketchlab.kernels.cpu.views import ADD, BUCKET, GIVEN, LARGEST, OWN, SHRUNKEN, grouped
from sketchlab.kernels.numba_private import in_turn, inlined
from sketchlab.kernels.rule import update

__all__ = ["move"]


@inlined
def prefetch_moment(view, previous, rows, i):
    """Ask for the cells of row number i."""
    if view.mode == OWN or view.mode == LARGEST:
        prefetch_row(view.cells, rows[i])
    elif view.mode >= ADD:
        prefetch_cells(view.cells, view.slots, view.constants.shape[0], i)


@inlined
def read_moment(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """Read the answers of a tile, own cells advancing first.

    `previous` is what the moment before gave: the number of the next buffer, its answers, and what
    they are yet to be multiplied by. Returns the same of this moment.
    """
    number, cells, scales = previous[0], view.cells, view.scales
    one, answer = cells.dtype.type(1), buffer[number, : gradient.size]
    if view.mode == OWN or view.mode == LARGEST:
        if tile_rows > 1:
            gather(cells, rows, start, stop, answer)
        else:  # a long row is worked on where it lies
            answer = cells[rows[start]]
        if view.mode == LARGEST:
            raise_scaled(answer, previous[1], previous[2])
        else:
            advance_own(answer, gradient, view.squared, view.keep_less_one, view.gain)
        if tile_rows > 1:
            scatter(answer, cells, rows, start, stop)
    elif view.mode == GIVEN:
        answers, first = cells.reshape(-1), start * cells.shape[1]
        for c in range(answer.size):
            answer[c] = answers[first + c]
    else:
        ordered = buffer[buffer.shape[0] - view.constants.shape[0] :]
        if view.mode == SHRUNKEN:
            scale = read_shrunken(view, start, stop, tile_rows, gradient, ordered, answer)
            return number + 1, answer, scale
        read_tile(view, view.slots, view.signs, start, stop, tile_rows, ordered, answer)
        if view.mode == BUCKET:
            advance_own(answer, gradient, view.squared, view.keep_less_one, view.gain)
    if scales.size == 1:
        return number + 1, answer, scales[0]
    if tile_rows == 1:
        return number + 1, answer, scales[start]
    multiply_rows(answer, scales, start, stop)
    return number + 1, answer, one


@inlined
def value_of(read, previous, c):
    """The moment of number c of a tile."""
    return read[2] * read[1][c]


prefetch_moments, read_moments, values_of = map(in_turn, (prefetch_moment, read_moment, value_of))


@kernel
def move(h, table, rows, grads, source, buffers, parts, tile_rows, *fields):
    """Read the moments of every row and move its parameters by the rule that `h` names.

    `fields` are those of the views of all moments, one behind the other, `grads[source[i]]` the
    gradient of row number i. The number of parts only splits the work.
    """
    k, dim, ahead = rows.size, table.shape[1], rows_ahead(table)
    for p in prange(parts):
        views, buffer = grouped(fields), buffers[p]
        part_stop = k * (p + 1) // parts
        for start in range(k * p // parts, part_stop, tile_rows):
            stop = min(start + tile_rows, part_stop)
            size = (stop - start) * dim
            if tile_rows == 1:  # a long row is worked on where it lies
                later = start + ahead
                if later < k:
                    prefetch_moments(views, None, rows, later)
                    prefetch_row(table, rows[later])
                x, g = table[rows[start]], grads[source[start]]
            else:
                x, g = buffer[0, :size], buffer[1, :size]
                gather(table, rows, start, stop, x)
                gather(grads, source, start, stop, g)
            read = read_moments(views, (2, x, h[0]), buffer, rows, start, stop, tile_rows, g)
            for c in range(size):
                x[c] = update(h, x[c], g[c], *values_of(read, None, c))
            if tile_rows > 1:
                scatter(x, table, rows, start, stop)
