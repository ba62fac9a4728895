"""Kernels that advance the cells of sketches: x ← keep·x + gain·u, all reads before all writes.

What is added (or what cells are raised to) comes from a *source*, whose type says how: straight
from the gradient, or through the store's own answer. Answers must be those of before the step,
so either they were taken from a snapshot of the cells, or the changes were written down by
`find_changes` before any cell moved; the backend takes what is smaller.
"""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
    row_step,
)
from sketchlab.kernels.cuda.views import (
    MaximumCells,
    MedianCells,
    MinimumCells,
    has_cell,
    read,
    sign_of,
    slot_of,
)
from sketchlab.kernels.numba_private import by_type
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import (
    active_cell,
    conservative_target,
    contribution,
    lazy_change,
)

__all__ = [
    "Known",
    "Lazy",
    "Plain",
    "Target",
    "Touch",
    "change_at",
    "change_cells",
    "change_owned_cells",
    "count_rows",
    "decay_cells",
    "find_changes",
    "list_cells",
    "touch_rows",
]


class Plain(NamedTuple):
    """gain·u."""

    gain: np.floating


class Touch(NamedTuple):
    """gain alone: what a touch weighs."""

    gain: np.floating


class Lazy(NamedTuple):
    """(keep − 1)·x̂ + gain·u, the answer x̂ read from `before`."""

    before: NamedTuple
    keep_less_one: np.floating
    gain: np.floating


class Target(NamedTuple):
    """x̂ + gain·u, what a conservative step raises cells to."""

    before: NamedTuple
    gain: np.floating


class Known(NamedTuple):
    """What `find_changes` wrote down, (k, dim)."""

    change: object


def _plain(source, view, active, grads, row, i, c):
    return contribution(view.squared, source.gain, gradient_at(active, grads, i, c))


def _touch(source, view, active, grads, row, i, c):
    return source.gain


def _lazy(source, view, active, grads, row, i, c):
    added = contribution(view.squared, source.gain, gradient_at(active, grads, i, c))
    return lazy_change(read(source.before, row, c), added, source.keep_less_one)


def _target(source, view, active, grads, row, i, c):
    added = contribution(view.squared, source.gain, gradient_at(active, grads, i, c))
    return conservative_target(read(source.before, row, c), added)


def _known(source, view, active, grads, row, i, c):
    return source.change[i, c]


@by_type({Plain: _plain, Touch: _touch, Lazy: _lazy, Target: _target, Known: _known})
def change_at(source, view, active, grads, row, i, c):
    """What item i, which is `row`, does to column c of its cells."""


def _add(view, slot, c, value):
    cuda.atomic.add(view.cells, (slot, c), value)


def _raise(view, slot, c, value):
    cuda.atomic.max(view.cells, (slot, c), value)


@by_type({MedianCells: _add, MinimumCells: _add, MaximumCells: _raise})
def put(view, slot, c, value):
    """Bring a change into a cell that other threads change too."""


def _sum(view, value, change):
    return value + change


def _maximum(view, value, change):
    return higher(value, change)


@by_type({MedianCells: _sum, MinimumCells: _sum, MaximumCells: _maximum})
def changed(view, value, change):
    """The same for a cell that this thread owns: its new value."""


# -- kernels -----------------------------------------------------------------------------------


def find_changes(source, view, active, items, grads, change):
    """Write down the change of every active row, before any cell moves."""
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), change.shape[1], column_step()):
                change[i, c] = change_at(source, view, active, grads, row, i, c)


def change_cells(source, view, active, items, grads):
    """Bring every active row's change into its cells, by atomics."""
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), view.cells.shape[1], column_step()):
                change = change_at(source, view, active, grads, row, i, c)
                for j in range(len(view.constants) // 4):
                    if not has_cell(view, row, j):
                        break
                    put(view, slot_of(view, row, j), c, sign_of(view, row, j, change))


def touch_rows(weights, active, items, gain):
    """Add the gain to the weight of every active row."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            weights[row] += gain


def count_rows(view, active, items, counts):
    """Count the active rows of every cell."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            for j in range(len(view.constants) // 4):
                if not has_cell(view, row, j):
                    break
                cuda.atomic.add(counts, slot_of(view, row, j), 1)


def decay_cells(cells, counts, keep_less_one):
    """Decay every cell once by each of its active rows: ``bucket`` decay."""
    for slot in range(first_row(), counts.size, row_step()):
        if counts[slot] > 0:
            active_rows = cells.dtype.type(counts[slot])
            for c in range(first_column(), cells.shape[1], column_step()):
                cells[slot, c] = active_cell(cells[slot, c], active_rows, keep_less_one)


def list_cells(view, active, items, slots, order):
    """The cells of all active rows, one hash function after the other; none as a number too large.

    Sorted by cell they show each cell's rows in ascending order.
    """
    depth = len(view.constants) // 4
    for entry in range(first_item(), items * depth, item_step()):
        row = row_at(active, entry % items)
        order[entry] = entry
        found = row >= 0 and has_cell(view, row, entry // items)
        slots[entry] = slot_of(view, row, entry // items) if found else view.cells.shape[0]


def change_owned_cells(source, view, active, items, grads, slots, order, bucket, keep_less_one):
    """Bring all changes into the cells, each cell by its own threads in ascending order of rows.

    `slots` is sorted and `order` holds the entries of `list_cells` in that order. With `bucket`
    a cell first decays by its active rows.
    """
    cells = view.cells
    for e in range(first_row(), slots.size, row_step()):
        slot = slots[e]
        if slot < cells.shape[0] and (e == 0 or slots[e - 1] != slot):
            end = e + 1
            while end < slots.size and slots[end] == slot:
                end += 1
            active_rows = cells.dtype.type(end - e)
            for c in range(first_column(), cells.shape[1], column_step()):
                value = cells[slot, c]
                if bucket:
                    value = active_cell(value, active_rows, keep_less_one)
                for place in range(e, end):
                    i, j = order[place] % items, order[place] // items
                    row = row_at(active, i)
                    change = change_at(source, view, active, grads, row, i, c)
                    value = changed(view, value, sign_of(view, row, j, change))
                cells[slot, c] = value
