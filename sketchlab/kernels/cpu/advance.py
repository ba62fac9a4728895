"""The first part of a step: the cells that rows share are advanced, all reads before all writes.

The additions to a cell are made by one thread in ascending order of rows; therefore the result
depends neither on the number of threads nor on the order in which the caller listed the rows.
Which thread owns a cell follows from its number. Nothing has to be sorted for that: every owner
looks at all slots and picks its own, which costs little beside a change of a cell.
"""

from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import (
    add_gradient,
    add_signed,
    advance_own,
    raise_cell,
    to_change,
    to_target,
)
from sketchlab.kernels.cpu.prefetch import prefetch_cells, prefetch_row, rows_ahead
from sketchlab.kernels.cpu.tiles import gather, read_tile
from sketchlab.kernels.cpu.views import (
    BUCKET,
    CONSERVATIVE,
    LAZY,
    answers_first,
    is_written,
    locate,
)
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import contribution, own_cell

__all__ = ["CHUNK", "advance", "owners_of_cells"]

CHUNK = 1024  # rows of which an owner picks its own at a time
_NEIGHBOURS = 6  # 2**6 cells in a row have one owner, so that few lines of memory have two


@register_jitable
def owners_of_cells(depth, threads):
    """Into how many owners, a power of two, the cells of each of `depth` tables are divided."""
    owners = 1
    while depth > 0 and owners < threads and depth * owners % threads != 0:
        owners *= 2
    return owners


@register_jitable
def write_changes(view, now, work, change, grads, source, part, parts, tile_rows):
    """What the rows of a part add to their cells, or raise them to."""
    k, dim, depth = source.size, view.cells.shape[1], view.constants.shape[0]
    start, stop = k * part // parts, k * (part + 1) // parts
    buffer = work.buffers[part]
    ordered = buffer[4:]
    slots, signs = work.slots[view.place], work.signs[view.place]
    ahead = rows_ahead(view.cells)
    for first in range(start, stop, tile_rows):
        last = min(first + tile_rows, stop)
        if tile_rows == 1:
            if first + ahead < stop:
                prefetch_cells(view.cells, slots, depth, first + ahead)
            gradient = grads[source[first]]
        else:
            gradient = buffer[1]
            gather(grads, source, first, last, gradient)
        answer = change[first * dim : last * dim]
        read_tile(view, slots, signs, first, last, tile_rows, ordered, answer)
        if view.mode == LAZY:
            to_change(answer, gradient, view.squared, now.keep_less_one, now.gain)
        else:
            to_target(answer, gradient, view.squared, now.gain)


@register_jitable
def change_cells(view, now, work, unit, owners, tile_rows, active, change, grads, source):
    """Make the changes of one owner's cells under one hash function, in the order of the rows."""
    j, owner = unit // owners, unit % owners
    k, dim, picked = source.size, view.cells.shape[1], work.picked[unit, view.place]
    slots, signs = work.slots[view.place, j], work.signs[view.place, j]
    changes = change[: k * dim if is_written(view) else 0].reshape((-1, dim))
    if view.mode == BUCKET:
        count_rows(slots[:k], view.heads, j, owner, owners, active)
    for start in range(0, k, CHUNK):
        stop = min(start + CHUNK, k)
        mine = picked[: pick(slots, view.heads, j, owner, owners, start, stop, picked)]
        if tile_rows > 1:
            change_short(view, now, slots, signs, mine, active, grads, source, changes)
        else:
            change_long(view, now, slots, signs, mine, active, grads, source, changes)


@register_jitable
def owns(owner, owners, slot, heads, j):
    """Whether a cell is the owner's to change under hash function j."""
    mine = (slot >> _NEIGHBOURS) & (owners - 1) == owner
    # a row of the head has one cell, which the first hash function changes
    return mine and (j == 0 or slot >= heads)


@register_jitable
def count_rows(slots, heads, j, owner, owners, active):
    """Count the rows of each of the owner's cells: all of them decay it, when it is met first."""
    for slot in slots:
        if owns(owner, owners, slot, heads, j):
            active[slot] = 0
    for slot in slots:
        if owns(owner, owners, slot, heads, j):
            active[slot] += 1


@register_jitable
def pick(slots, heads, j, owner, owners, start, stop, picked):
    """The numbers of the rows from `start` to `stop` whose cell is the owner's; how many."""
    count = 0
    for i in range(start, stop):
        picked[count] = i
        count += owns(owner, owners, slots[i], heads, j)
    return count


@register_jitable
def change_long(view, now, slots, signs, picked, active, grads, source, change):
    """Change the cells of the picked rows, of many columns each."""
    cells, ahead = view.cells, rows_ahead(view.cells)
    written = is_written(view)
    for e in range(picked.size):
        if e + ahead < picked.size:
            later = picked[e + ahead]
            prefetch_row(cells, slots[later])
            if written:
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
            gain, gradient = sign * now.gain, grads[source[i]]
            if view.mode == BUCKET and active[slots[i]] > 0:
                less = cell.dtype.type(active[slots[i]]) * now.keep_less_one
                advance_own(cell, gradient, view.squared, less, gain)
                active[slots[i]] = 0
            else:
                add_gradient(cell, gain, gradient, view.squared)


@register_jitable
def change_short(view, now, slots, signs, picked, active, grads, source, change):
    """Change the cells of the picked rows, of few columns each."""
    cells, squared, dim = view.cells, view.squared, view.cells.shape[1]
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
            gain, given = sign * now.gain, source[i]
            if view.mode == BUCKET and active[slot] > 0:
                less = cells.dtype.type(active[slot]) * now.keep_less_one
                for c in range(dim):
                    u = contribution(squared, gain, grads[given, c])
                    cells[slot, c] = own_cell(cells[slot, c], u, less)
                active[slot] = 0
            else:
                for c in range(dim):
                    cells[slot, c] += contribution(squared, gain, grads[given, c])


@kernel
def advance(
    late, first, first_now, second, second_now, work, rows, grads, source, parts, tile_rows
):
    """One step x ← keep·x + gain·u of two stores whose rows share cells.

    A store of depth 0 takes no part. `grads[source[i]]` is the gradient of row number i. The number
    of parts only splits the work. A first call finds the cells of all rows, and advances the stores
    that answer afterwards; a `late` one advances those that had to answer before.
    """
    k = rows.size
    first_depth = first.constants.shape[0] if answers_first(first) == late else 0
    second_depth = second.constants.shape[0] if answers_first(second) == late else 0
    first_slots, second_slots = work.slots[first.place], work.slots[second.place]
    first_active = work.active
    second_active = work.active[first.cells.shape[0] if first.mode == BUCKET else 0 :]
    first_change = work.change
    second_change = work.change[k * first.cells.shape[1] if is_written(first) else 0 :]

    if not late:
        for p in prange(parts):
            start, stop = k * p // parts, k * (p + 1) // parts
            locate(first, first_now, rows, start, stop, first_slots, work.signs[first.place])
            locate(second, second_now, rows, start, stop, second_slots, work.signs[second.place])

    if not late and (is_written(first) or is_written(second)):
        for p in prange(parts):
            if is_written(first):
                write_changes(
                    first, first_now, work, first_change, grads, source, p, parts, tile_rows
                )
            if is_written(second):
                write_changes(
                    second, second_now, work, second_change, grads, source, p, parts, tile_rows
                )

    owners = owners_of_cells(first_depth + second_depth, parts)
    first_units = first_depth * owners
    for q in prange(first_units + second_depth * owners):
        unit = q - first_units
        if unit < 0:
            active, change = first_active, first_change
            change_cells(
                first, first_now, work, q, owners, tile_rows, active, change, grads, source
            )
        else:
            active, change = second_active, second_change
            change_cells(
                second, second_now, work, unit, owners, tile_rows, active, change, grads, source
            )
