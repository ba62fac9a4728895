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
)
from sketchlab.kernels.cpu.numbers import number, put, randoms_of
from sketchlab.kernels.cpu.prefetch import prefetch_cells, prefetch_row, rows_ahead
from sketchlab.kernels.cpu.tiles import combined, gather, has_readings, read_tile, readings_of
from sketchlab.kernels.cpu.views import (
    BUCKET,
    CONSERVATIVE,
    LAZY,
    MEANS,
    answers_first,
    grouped,
    is_written,
    locate,
)
from sketchlab.kernels.numba_private import in_turn, inlined
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import (
    conservative_target,
    contribution,
    lazy_change,
    own_cell,
)

__all__ = ["CHUNK", "advance", "owners_of_cells"]

CHUNK = 1024  # rows of which an owner picks its own at a time, at most
_BYTES_AT_ONCE = 1 << 18
_NEIGHBOURS = 6  # 2**6 cells in a row have one owner, so that few lines of memory have two


@register_jitable
def owners_of_cells(depth, threads):
    """Into how many owners, a power of two, the cells of each of `depth` tables are divided."""
    owners = 1
    while depth > 0 and owners < threads and depth * owners % threads != 0:
        owners *= 2
    return owners


@register_jitable
def locate_rows(view, previous, rows, part, parts):
    """Find the cells of the rows of a part."""
    locate(view, rows, rows.size * part // parts, rows.size * (part + 1) // parts)


@register_jitable
def write_changes(view, previous, buffer, grads, source, part, parts, tile_rows):
    """What the rows of a part add to their cells, or raise them to, where it is written down."""
    if not is_written(view):
        return
    k, dim, depth = source.size, view.cells.shape[1], view.constants.shape[0]
    start, stop = k * part // parts, k * (part + 1) // parts
    gradient_tile, ordered = buffer[1], buffer[2:]
    slots, signs = view.slots, view.signs
    ahead = rows_ahead(view.cells)
    for first in range(start, stop, tile_rows):
        last = min(first + tile_rows, stop)
        if tile_rows == 1:
            if first + ahead < stop:
                prefetch_cells(view.cells, slots, depth, first + ahead)
            gradient = grads[source[first]]
        else:
            gradient = gradient_tile
            gather(grads, source, first, last, gradient)
        change = view.change[first * dim : last * dim]
        if has_readings(view, tile_rows):
            readings = readings_of(view, slots, signs, first)
            for c in range(dim):
                change[c] = changed(view, combined(readings, c), gradient[c])
        else:
            read_tile(view, slots, signs, first, last, tile_rows, ordered, change)
            for c in range(change.size):
                change[c] = changed(view, change[c], gradient[c])


@inlined
def changed(view, answer, gradient):
    """What a row adds to its cells; or, conservatively, raises them to."""
    u = contribution(view.squared, view.gain, gradient)
    if view.mode == LAZY:
        return lazy_change(answer, u, view.keep_less_one)
    return conservative_target(answer, u)


@inlined
def count_depths(view, before, late):
    """How many hash functions the views up to this one have that take part."""
    return before + (view.constants.shape[0] if answers_first(view) == late else 0)


@inlined
def count_written(view, before):
    """How many of the views up to this one write changes down."""
    return before + is_written(view)


@register_jitable
def change_cells(view, unit, late, owners, tile_rows, rows, grads, source, start, stop):
    """Make the changes of rows from `start` to `stop` in unit number `unit`, if it is the view's.

    Returns its number for the next view. A unit are one owner's cells under one hash function,
    which change in the order of the rows.
    """
    units = count_depths(view, 0, late) * owners
    if unit < 0 or unit >= units:
        return unit - units
    j, owner = unit // owners, unit % owners
    k, dim, picked = source.size, view.cells.shape[1], view.picked[unit]
    slots, signs = view.slots[j], view.signs[j]
    changes = view.change[: k * dim if is_written(view) else 0].reshape((-1, dim))
    if view.mode == BUCKET and start == 0:
        count_rows(slots[:k], view.heads, j, owner, owners, view.active)
    mine = picked[: pick(slots, view.heads, j, owner, owners, start, stop, picked)]
    if tile_rows > 1:
        change_short(view, slots, signs, mine, rows, grads, source, changes)
    else:
        change_long(view, slots, signs, mine, rows, grads, source, changes)
    return unit - units


@register_jitable
def rows_at_once(grads):
    """Rows of which all owners make the changes before the next, their gradients in the cache."""
    return max(1, min(CHUNK, _BYTES_AT_ONCE // grads.strides[0]))


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
def change_long(view, slots, signs, picked, rows, grads, source, change):
    """Change the cells of the picked rows, of many columns each."""
    cells, active, ahead = view.cells, view.active, rows_ahead(view.cells)
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
        cell, sign = cells[slots[i]], grads.dtype.type(signs[i])
        randoms = randoms_of(view, rows[i], slots[i])
        if view.mode == LAZY:
            add_signed(cell, sign, change[i], randoms)
        elif view.mode == CONSERVATIVE:
            raise_cell(cell, change[i], randoms)
        else:
            gain, gradient = sign * view.gain, grads[source[i]]
            if view.mode == BUCKET and active[slots[i]] > 0:
                less = grads.dtype.type(active[slots[i]]) * view.keep_less_one
                advance_own(cell, gradient, view.squared, less, gain, randoms)
                active[slots[i]] = 0
            else:
                add_gradient(cell, gain, gradient, view.squared, randoms)
                if view.mode == MEANS:
                    view.common[slots[i]] += view.gain


@register_jitable
def change_short(view, slots, signs, picked, rows, grads, source, change):
    """Change the cells of the picked rows, of few columns each."""
    cells, squared, dim = view.cells, view.squared, view.cells.shape[1]
    active = view.active
    for e in range(picked.size):
        i = picked[e]
        slot, sign = slots[i], grads.dtype.type(signs[i])
        cell, randoms = cells[slot], randoms_of(view, rows[i], slot)
        if view.mode == LAZY:
            for c in range(dim):
                put(cell, c, number(cell[c]) + sign * change[i, c], randoms)
        elif view.mode == CONSERVATIVE:
            for c in range(dim):
                put(cell, c, higher(number(cell[c]), change[i, c]), randoms)
        else:
            gain, given = sign * view.gain, source[i]
            if view.mode == BUCKET and active[slot] > 0:
                less = grads.dtype.type(active[slot]) * view.keep_less_one
                for c in range(dim):
                    u = contribution(squared, gain, grads[given, c])
                    put(cell, c, own_cell(number(cell[c]), u, less), randoms)
                active[slot] = 0
            else:
                for c in range(dim):
                    u = contribution(squared, gain, grads[given, c])
                    put(cell, c, number(cell[c]) + u, randoms)
                if view.mode == MEANS:
                    view.common[slot] += view.gain


locate_all, write_all, change_all = map(in_turn, (locate_rows, write_changes, change_cells))
depths_of, written_of = map(in_turn, (count_depths, count_written))


@kernel
def advance(late, rows, grads, source, buffers, parts, tile_rows, *fields):
    """One step x ← keep·x + gain·u of stores whose rows share cells.

    `fields` are those of their views, one behind the other, `grads[source[i]]` is the gradient of
    row number i. The number of parts only splits the work. A first call finds the cells of all
    rows, and advances the stores that answer afterwards; a `late` one advances those that had to
    answer before.
    """
    if not late:
        for p in prange(parts):
            locate_all(grouped(fields), None, rows, p, parts)

    if not late and written_of(grouped(fields), 0)[-1] > 0:
        for p in prange(parts):
            write_all(grouped(fields), None, buffers[p], grads, source, p, parts, tile_rows)

    units = depths_of(grouped(fields), 0, late)[-1]
    owners = owners_of_cells(units, parts)
    units *= owners
    at_once = rows_at_once(grads)
    for p in prange(parts):
        for start in range(0, rows.size, at_once):
            stop = min(start + at_once, rows.size)
            for unit in range(p, units, parts):
                change_all(
                    grouped(fields),
                    unit,
                    late,
                    owners,
                    tile_rows,
                    rows,
                    grads,
                    source,
                    start,
                    stop,
                )
