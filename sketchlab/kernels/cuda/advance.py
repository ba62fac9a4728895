"""What a step does to the cells of sketches: x ← keep·x + gain·u, all reads before all writes.

What is added (or what cells are raised to) comes from a *source*, whose type says how: straight
from the gradient, or through the store's own answer. Answers must be those of before the step, so
either they are read from a snapshot of the cells, or the changes are written down before any cell
moves; the backend takes what is smaller.

What is done for every active row and column is a *part* of a step; one kernel runs the parts of all
moments that can go together.
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
    bits_of,
    has_cell,
    read,
    sign_of,
    slot_of,
)
from sketchlab.kernels.numba_private import by_type, in_turn
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import (
    conservative_target,
    contribution,
    lazy_change,
)

__all__ = [
    "Added",
    "Known",
    "Lazy",
    "Noted",
    "Plain",
    "Target",
    "Touch",
    "change_at",
    "changed",
    "take_parts",
    "touch_rows",
]


class Plain(NamedTuple):
    """gain·u."""

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
    """What was written down, (k, dim)."""

    change: object


class Touch(NamedTuple):
    """gain alone: what a touch weighs."""

    gain: np.floating


def _touch(source, squared, row, i, c, gradient):
    return source.gain


def _plain(source, squared, row, i, c, gradient):
    return contribution(squared, source.gain, gradient)


def _lazy(source, squared, row, i, c, gradient):
    added = contribution(squared, source.gain, gradient)
    return lazy_change(read(source.before, row, c), added, source.keep_less_one)


def _target(source, squared, row, i, c, gradient):
    added = contribution(squared, source.gain, gradient)
    return conservative_target(read(source.before, row, c), added)


def _known(source, squared, row, i, c, gradient):
    return source.change[i, c]


@by_type({Plain: _plain, Touch: _touch, Lazy: _lazy, Target: _target, Known: _known})
def change_at(source, squared, row, i, c, gradient):
    """What item i, which is `row`, does to column c of its cells."""


def _add(view, slot, c, value):
    cuda.atomic.add(view.cells, (slot, c), value)


def _raise(view, slot, c, value):
    # numbers that are not negative compare as their bits do, for which there is one instruction
    cuda.atomic.max(view.bits, (slot, c), bits_of(value))


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


# -- parts of a step ---------------------------------------------------------------------------


class Noted(NamedTuple):
    """The change of every row is written down, before any cell moves."""

    source: NamedTuple
    squared: bool
    change: object  # (k, dim)


class Added(NamedTuple):
    """The change of every row is brought into its cells, by atomics."""

    source: NamedTuple
    view: NamedTuple


def _note(part, previous, row, i, c, gradient):
    part.change[i, c] = change_at(part.source, part.squared, row, i, c, gradient)
    return previous


def _bring(part, previous, row, i, c, gradient):
    view = part.view
    if c < view.cells.shape[1]:  # the weights of buckets have one column
        change = change_at(part.source, view.squared, row, i, c, gradient)
        for j in range(len(view.constants) // 4):
            if not has_cell(view, row, j):
                break
            put(view, slot_of(view, row, j), c, sign_of(view, row, j, change))
    return previous


@by_type({Noted: _note, Added: _bring})
def take_part(part, previous, row, i, c, gradient):
    """Do for one column of one row what a part says; gives back `previous`."""


_take_parts = in_turn(take_part)


def take_parts(parts, active, items, grads):
    """Do what all parts say, for every column of every active row."""
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for c in range(first_column(), grads.shape[1], column_step()):
                _take_parts(parts, 0, row, i, c, gradient_at(active, grads, i, c))


def touch_rows(weights, active, items, gain):
    """Add the gain to the weight of every active row."""
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            weights[row] += gain
