"""The first part of a step: the cells that rows share are advanced, all reads before all writes.

The additions to a cell are made by one thread in ascending order of rows; therefore the result
depends neither on the number of threads nor on the order in which the caller listed the rows.
Which thread owns a cell follows from its number. Nothing has to be sorted for that: every owner
looks at all slots and picks its own, which costs little beside a change of a cell.
"""

from math import gcd

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import (
    add_gradient,
    add_signed,
    decay_cell,
    raise_cell,
    to_change,
    to_target,
)
from sketchlab.kernels.cpu.prefetch import AHEAD, prefetch_cells, prefetch_row
from sketchlab.kernels.cpu.sorting import next_group, sort_stably
from sketchlab.kernels.cpu.tiles import gather, read_tile
from sketchlab.kernels.cpu.views import BUCKET, CONSERVATIVE, LAZY, locate
from sketchlab.rules import added
from sketchlab.stores.arithmetic import higher

__all__ = ["CHUNK", "advance", "owners"]

CHUNK = 1024  # rows of which an owner picks its own at a time
_NEIGHBOURS = 6  # 2**6 cells in a row have one owner, so that few lines of memory have two
_FEW_COLUMNS = 16  # below this a loop over columns is not worth a view of the row


def owners(depth, threads):
    """Into how many owners, a power of two, the cells of each hash function are divided."""
    needed = threads // gcd(depth, threads)
    return 1 << (needed - 1).bit_length()


@register_jitable
def write_changes(view, grads, source, start, stop, tile_rows, buffer, change):
    """What rows number `start` to `stop` add to their cells, or raise them to."""
    dim = view.cells.shape[1]
    flat, ordered = change.reshape(-1), buffer[4:]
    for first in range(start, stop, tile_rows):
        last = min(first + tile_rows, stop)
        if tile_rows == 1:
            prefetch_cells(view.cells, view.slots, first + AHEAD)
        answer = flat[first * dim : last * dim]
        read_tile(view, first, last, tile_rows, ordered, answer)
        if tile_rows == 1:
            gradient = grads[source[first]]
        else:
            gradient = buffer[1]
            gather(grads, source, first, last, gradient)
        if view.mode == LAZY:
            to_change(answer, gradient, view.squared, view.keep_less_one, view.gain)
        else:
            to_target(answer, gradient, view.squared, view.gain)


@register_jitable
def pick(view, j, owner, mask, start, stop, picked):
    """The numbers of the rows from `start` to `stop` whose cell is the owner's; how many."""
    slots = view.slots[j]
    count = 0
    for i in range(start, stop):
        picked[count] = i
        slot = slots[i]
        mine = (slot >> _NEIGHBOURS) & mask == owner
        # a row of the head has one cell, which the first hash function changes
        count += mine and (j == 0 or slot >= view.heads)
    return count


@register_jitable
def change_long(view, j, picked, grads, source, change):
    """Change the cells of the picked rows, of many columns each."""
    cells, slots, signs = view.cells, view.slots[j], view.signs[j]
    for e in range(picked.size):
        if e + AHEAD < picked.size:
            later = picked[e + AHEAD]
            prefetch_row(cells, slots[later])
            if change.shape[0] > 0:
                prefetch_row(change, later)
            else:
                prefetch_row(grads, source[later])
        i = picked[e]
        cell, sign = cells[slots[i]], cells.dtype.type(signs[i])
        if view.mode == LAZY:
            add_signed(cell, sign, change[i])
        elif view.mode == CONSERVATIVE:
            raise_cell(cell, change[i])
        else:
            add_gradient(cell, sign * view.gain, grads[source[i]], view.squared)


@register_jitable
def change_short(view, j, picked, grads, source, change):
    """Change the cells of the picked rows, of few columns each."""
    cells, slots, signs = view.cells, view.slots[j], view.signs[j]
    squared, dim = view.squared, view.cells.shape[1]
    for e in range(picked.size):
        i = picked[e]
        slot, sign = slots[i], cells.dtype.type(signs[i])
        if view.mode == LAZY:
            for c in range(dim):
                cells[slot, c] += sign * change[i, c]
        elif view.mode == CONSERVATIVE:
            for c in range(dim):
                cells[slot, c] = higher(cells[slot, c], change[i, c])
        else:
            gain, given = sign * view.gain, source[i]
            for c in range(dim):
                cells[slot, c] += gain * added(squared, grads[given, c])


@register_jitable
def decay_groups(view, j, order, start, stop):
    """Decay the cells of the groups that begin at places `start` to `stop` of the sorted rows."""
    cells, slots = view.cells, view.slots[j]
    e = next_group(slots, order, start)
    stop = next_group(slots, order, stop)
    while e < stop:
        end = next_group(slots, order, e + 1)
        slot = slots[order[e]]
        if j == 0 or slot >= view.heads:
            decay_cell(cells[slot], cells.dtype.type(end - e), view.keep_less_one)
        e = end


@kernel
def advance(
    view,
    rows,
    grads,
    source,
    tile_rows,
    owners,
    change,
    buffers,
    picked,
    bits,
    order,
    spare,
    counts,
):
    """One step of a store whose rows share cells: x ← keep·x + gain·u.

    `grads[source[i]]` is the gradient of row number i. Scratch: `change` (k, dim) for a lazy or
    conservative step, `buffers` (parts, 4 + depth, columns), `picked` (depth · owners, CHUNK); for
    a bucket step, `order` and `spare` (depth, k) and `counts` (depth, RADIX), with `bits` those of
    cell numbers. The number of parts only splits the work.
    """
    depth, k = view.slots.shape
    parts = buffers.shape[0]
    for p in prange(parts):
        locate(view, rows, k * p // parts, k * (p + 1) // parts)

    if view.mode in (LAZY, CONSERVATIVE):
        for p in prange(parts):
            start, stop = k * p // parts, k * (p + 1) // parts
            write_changes(view, grads, source, start, stop, tile_rows, buffers[p], change)

    if view.mode == BUCKET:
        for j in prange(depth):
            sort_stably(view.slots[j], bits, order[j], spare[j], counts[j])
        for q in prange(depth * parts):
            j, p = q // parts, q % parts
            decay_groups(view, j, order[j], k * p // parts, k * (p + 1) // parts)

    short = view.cells.shape[1] < _FEW_COLUMNS
    for q in prange(depth * owners):
        j, owner = q // owners, q % owners
        for start in range(0, k, CHUNK):
            stop = min(start + CHUNK, k)
            count = pick(view, j, owner, owners - 1, start, stop, picked[q])
            if short:
                change_short(view, j, picked[q, :count], grads, source, change)
            else:
                change_long(view, j, picked[q, :count], grads, source, change)
