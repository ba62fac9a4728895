"""Live stores as kernels see them: tuples of arrays and numbers, a type for each kind.

The type of a view says how a row is read, so each kernel is compiled for exactly the stores that
it is given. Hash constants are passed as a tuple of numbers: they lie in the GPU's constant memory,
and the depth of a sketch is known when its kernel is compiled. Cells are found by hashing on the
fly; no list of cells is ever stored.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba.extending import overload, register_jitable

from sketchlab import hashing
from sketchlab.kernels.cuda.driver import cuda, device
from sketchlab.kernels.numba_private import by_type, class_of
from sketchlab.rules.arithmetic import higher, lower
from sketchlab.stores.arithmetic import (
    contribution,
    median_of_three,
    outer_estimate,
    own_cell,
    weighted_scale,
)
from sketchlab.stores.two_bytes import random_place, rounded, widened

__all__ = [
    "MOMENTS",
    "Factors",
    "LargestCells",
    "MaximumCells",
    "MedianCells",
    "MinimumCells",
    "NoWeights",
    "Opened",
    "OwnAnswers",
    "PrivateCells",
    "RoundedToTwoBytes",
    "RowWeights",
    "Unrounded",
    "bits_of",
    "has_cell",
    "moment_at",
    "number_of",
    "opened_at",
    "read",
    "rounded_at",
    "sign_of",
    "signed_cell",
    "slot_of",
    "stored_of",
]

_SINGLE = 4  # bytes of a number, or fewer, that is computed in single precision


class NoWeights(NamedTuple):
    """Answers are times the multiplier alone; no tuple is empty."""

    one: np.floating


class RowWeights(NamedTuple):
    """Answers are divided by a row's own weight, times that of a row which every step touches."""

    full: np.floating
    values: object  # (n,)


class Unrounded(NamedTuple):
    """The numbers of cells are kept as they are computed; no tuple is empty."""

    one: np.floating


class RoundedToTwoBytes(NamedTuple):
    """They are kept in two bytes, rounded at random; see `sketchlab.stores.two_bytes`."""

    randoms: object
    key: np.uint64  # of the step


class MedianCells(NamedTuple):
    """A count-sketch; all fields of sketches are alike."""

    cells: object  # (cells, dim), divided by the multiplier
    constants: tuple  # four uint64 for each hash function, see `hashing.hash_constants`
    width: np.uint64
    multiplier: np.floating
    squared: bool
    heads: np.int64  # the first rows, which have a cell to themselves
    weights: NamedTuple
    rounding: NamedTuple


class MinimumCells(NamedTuple):
    """A count-min sketch to which steps add."""

    cells: object
    constants: tuple
    width: np.uint64
    multiplier: np.floating
    squared: bool
    heads: np.int64  # the first rows, which have a cell to themselves
    weights: NamedTuple
    rounding: NamedTuple


class MaximumCells(NamedTuple):
    """A count-min sketch whose cells steps raise to a target: the conservative update.

    Its numbers are not negative, and compare as integers of the same bits do.
    """

    cells: object
    constants: tuple
    width: np.uint64
    multiplier: np.floating
    squared: bool
    heads: np.int64  # the first rows, which have a cell to themselves
    weights: NamedTuple
    rounding: NamedTuple
    bits: object  # the same memory as integers


class PrivateCells(NamedTuple):
    """The exact variable: advanced by the thread that reads it."""

    cells: object  # (n, dim)
    keep_less_one: np.floating
    gain: np.floating
    multiplier: np.floating
    squared: bool
    weights: NamedTuple
    rounding: NamedTuple


class OwnAnswers(NamedTuple):
    """A sketch as it was before the step; a row is answered with its own update alone."""

    before: NamedTuple
    keep_less_one: np.floating
    gain: np.floating


class Factors(NamedTuple):
    """A rank-one store."""

    left: object  # (n,)
    right: object  # (dim,)
    total: object  # (1,), the sum of `right`
    squared: bool


class LargestCells(NamedTuple):
    """One cell a row, raised to the answer of the moment before it."""

    cells: object


class Opened(NamedTuple):
    """Private cells, and what one of them holds: read before any other is written."""

    variable: PrivateCells
    stored: object


# -- numbers of two bytes ----------------------------------------------------------------------


def _as_it_is(rounding, stored):
    return stored


def _widened(rounding, stored):
    return widened(stored)


@by_type({Unrounded: _as_it_is, RoundedToTwoBytes: _widened})
def number_of(rounding, stored):
    """What a number of a cell stands for."""


def _unchanged(rounding, value):
    return value


def _truncated(rounding, value):
    return rounded(value, np.uint16(0))


@by_type({Unrounded: _unchanged, RoundedToTwoBytes: _truncated})
def stored_of(rounding, value):
    """How a cell keeps what `rounded_at` gave."""


def _exactly(rounding, value, row, slot, c):
    return value


def _at_random(rounding, value, row, slot, c):
    place = random_place(np.uint64(row), np.uint64(slot), rounding.key)
    return widened(rounded(value, rounding.randoms[place + c]))


@by_type({Unrounded: _exactly, RoundedToTwoBytes: _at_random})
def rounded_at(rounding, value, row, slot, c):
    """The number that is kept of a value which a row leaves in column c of a cell."""


# -- one row's cells ---------------------------------------------------------------------------


@register_jitable
def slot_of(view, row, j):
    """The row's cell under hash function j, in the flattened table; all are one in the head."""
    if row < view.heads:
        return np.int64(row)
    multiplier, addend = view.constants[4 * j], view.constants[4 * j + 1]
    heads = np.uint64(view.heads)
    return hashing.cell(np.uint64(row), multiplier, addend, np.uint64(j), view.width, heads)


@register_jitable
def has_cell(view, row, j):
    """Whether the row's cell j is one more than its cells before: a row changes each cell once."""
    return j == 0 or row >= view.heads


def _hashed_sign(view, row, j, value):
    if row < view.heads:
        return value
    multiplier, addend = view.constants[4 * j + 2], view.constants[4 * j + 3]
    return -value if hashing.sign_bit(np.uint64(row), multiplier, addend) else value


def _no_sign(view, row, j, value):
    return value


@by_type({MedianCells: _hashed_sign, MinimumCells: _no_sign, MaximumCells: _no_sign})
def sign_of(view, row, j, value):
    """`value` with the row's sign under hash function j."""


@register_jitable
def signed_cell(view, row, j, c):
    """What the row's cell j says of column c."""
    stored = view.cells[slot_of(view, row, j), c]
    return sign_of(view, row, j, number_of(view.rounding, stored))


# -- a row's answer, of the divided table ------------------------------------------------------


def read(view, row, c):
    """The store's answer for column c of a row, not yet times the multiplier."""
    if type(view) is Factors:
        return _outer(view, row, c)
    single = view.cells.dtype.itemsize <= _SINGLE
    return _reader(type(view), len(view.constants) // 4, single)(view, row, c)


@overload(read)
def _compile_read(view, row, c):
    kind = class_of(view)
    if kind is Factors:
        return _outer
    if kind in (MedianCells, MinimumCells, MaximumCells):
        cells, constants = view.types[:2]
        return _choose(kind, len(constants) // 4, cells.dtype.bitwidth <= 8 * _SINGLE)
    return None


def _choose(kind, depth, single):
    """How a kind of view is read: in single precision, or in double."""
    if kind is not MedianCells:
        return _minimum
    return _middle if depth == 3 else _make_median(depth, np.float32 if single else np.float64)


@cache
def _reader(kind, depth, single):
    """What the simulator runs."""
    return device(_choose(kind, depth, single))


def _outer(view, row, c):
    return outer_estimate(view.left[row], view.right[c], view.total[0])


def _minimum(view, row, c):
    answer = signed_cell(view, row, 0, c)
    for j in range(1, len(view.constants) // 4):
        answer = lower(answer, signed_cell(view, row, j, c))
    return answer


def _middle(view, row, c):
    return median_of_three(
        signed_cell(view, row, 0, c), signed_cell(view, row, 1, c), signed_cell(view, row, 2, c)
    )


def _make_median(depth, dtype):
    """The median for any depth: insertion by exchanges, in registers, as the depth is fixed."""
    low, high, half = (depth - 1) // 2, depth // 2, dtype(0.5)

    def median(view, row, c):
        ordered = cuda.local.array(depth, dtype)
        for j in range(depth):
            largest = signed_cell(view, row, j, c)
            for p in range(j):
                smaller = lower(ordered[p], largest)
                largest = higher(ordered[p], largest)
                ordered[p] = smaller
            ordered[j] = largest
        return half * ordered[low] + half * ordered[high]

    return median


# -- a moment ----------------------------------------------------------------------------------


def _no_weight(weights, multiplier, row):
    return multiplier


def _by_weight(weights, multiplier, row):
    return weighted_scale(multiplier, weights.full, weights.values[row])


@by_type({NoWeights: _no_weight, RowWeights: _by_weight})
def row_scale(weights, multiplier, row):
    """What turns the divided table's answers for a row into the store's."""


def bits_of(value):
    """The bits of a float as a signed integer."""
    return value.view(np.int32 if value.dtype == np.float32 else np.int64)


@overload(bits_of)
def _compile_bits_of(value):
    bits = np.int32 if value.bitwidth == 32 else np.int64
    return lambda value: value.view(bits)


def _of_sketch(view, before, i, row, c, gradient):
    return row_scale(view.weights, view.multiplier, row) * read(view, row, c)


def _of_own(view, before, i, row, c, gradient):
    sketch = view.before
    added = contribution(sketch.squared, view.gain, gradient)
    value = own_cell(read(sketch, row, c), added, view.keep_less_one)
    return sketch.multiplier * value


def _of_private(view, before, i, row, c, gradient):
    variable = view.variable
    rounding = variable.rounding
    added = contribution(variable.squared, variable.gain, gradient)
    value = own_cell(number_of(rounding, view.stored), added, variable.keep_less_one)
    value = rounded_at(rounding, value, row, row, c)
    variable.cells[row, c] = stored_of(rounding, value)
    return row_scale(variable.weights, variable.multiplier, row) * value


def _of_factors(view, before, i, row, c, gradient):
    return read(view, row, c)


def _of_largest(view, before, i, row, c, gradient):
    value = higher(before, view.cells[row, c])
    view.cells[row, c] = value
    return value


#: How each kind of view is read; other modules add theirs.
MOMENTS = {
    MedianCells: _of_sketch,
    MinimumCells: _of_sketch,
    MaximumCells: _of_sketch,
    OwnAnswers: _of_own,
    Opened: _of_private,
    Factors: _of_factors,
    LargestCells: _of_largest,
}


def _open_cells(view, before, row, c):
    return Opened(view, view.cells[row, c])


def _as_they_are(view, before, row, c):
    return view


# The compiler may not move a load before a store that it knows nothing about: a thread that reads
# one variable, writes it and reads the next waits for the memory once for each.
@by_type({PrivateCells: _open_cells}, otherwise=_as_they_are)
def opened_at(view, before, row, c):
    """The view with which `moment_at` is called for column c of `row`."""


@by_type(MOMENTS)
def moment_at(view, before, i, row, c, gradient):
    """The moment of column c of item i, which is `row`, after its step; private cells take it here.

    `before` is the moment that the rule names before it, for the largest value of that.
    """
