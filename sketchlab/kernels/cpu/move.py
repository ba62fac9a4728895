"""The last part of a step: variables read, the rule applied, parameters moved."""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.prefetch import AHEAD, prefetch_cells, prefetch_row
from sketchlab.kernels.cpu.tiles import gather, multiply_rows, read_tile, scatter, take_own
from sketchlab.kernels.cpu.views import GIVEN, OWN
from sketchlab.kernels.rule import update
from sketchlab.stores.arithmetic import higher

__all__ = ["move"]


@register_jitable
def read_moment(view, start, stop, tile_rows, gradient, ordered, answer):
    """The answers of a tile, own cells advancing first; what they are yet to be multiplied by."""
    one = view.cells.dtype.type(1)
    if view.slots.shape[0] == 0:
        return one
    if view.mode == OWN:
        take_own(view, start, stop, tile_rows, gradient, answer)
    elif view.mode == GIVEN:
        gather(view.cells, view.slots[0], start, stop, answer)
    else:
        read_tile(view, start, stop, tile_rows, ordered, answer)
    scales = view.scales
    if scales.size == 1:
        return scales[0]
    if tile_rows == 1:
        return scales[start]
    multiply_rows(answer, scales, start, stop)
    return one


@kernel
def move(h, table, rows, grads, source, first, second, tile_rows, buffers):
    """Read the moments of every row and move its parameters by the rule that `h` names.

    `first` and `second` are the views of m and v, `grads[source[i]]` the gradient of row number i.
    `buffers` (parts, 4 + depth, columns) is scratch; the number of parts only splits the work.
    """
    parts, k, dim = buffers.shape[0], rows.size, table.shape[1]
    zero = table.dtype.type(0)
    for p in prange(parts):
        buffer = buffers[p]
        ordered = buffer[4:]
        stop_part = k * (p + 1) // parts
        for start in range(k * p // parts, stop_part, tile_rows):
            stop = min(start + tile_rows, stop_part)
            if tile_rows == 1 and start + AHEAD < k:
                prefetch_cells(first.cells, first.slots, start + AHEAD)
                prefetch_cells(second.cells, second.slots, start + AHEAD)
                prefetch_row(table, rows[start + AHEAD])
            size = (stop - start) * dim
            m, v = buffer[2, :size], buffer[3, :size]
            if tile_rows == 1:  # a long row is worked on where it lies
                x, g = table[rows[start]], grads[source[start]]
                if first.mode == OWN and first.slots.shape[0] > 0:
                    m = first.cells[first.slots[0, start]]
                if second.mode == OWN and second.slots.shape[0] > 0:
                    v = second.cells[second.slots[0, start]]
            else:
                x, g = buffer[0, :size], buffer[1, :size]
                gather(table, rows, start, stop, x)
                gather(grads, source, start, stop, g)
            m_scale = read_moment(first, start, stop, tile_rows, g, ordered, m)
            v_scale = read_moment(second, start, stop, tile_rows, g, ordered, v)
            for c in range(size):
                # a second moment is used as no less than zero, see `rules.usable`
                x[c] = update(h, x[c], g[c], m_scale * m[c], higher(v_scale * v[c], zero))
            if tile_rows > 1:
                scatter(x, table, rows, start, stop)
