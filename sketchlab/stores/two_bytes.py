"""Cells of two bytes: the upper half of a float32 (bfloat16), rounded at random.

A bfloat16 has eight significant bits: rounded to the nearest, an addition of less than half a unit
of the last place is lost, however often it is made, and a second moment with a gain of 0.001 stops
below its truth. Here a number is rounded up with the probability with which it lies between its two
neighbours, so that the expectation is kept. The random numbers follow from the seed, from how often
the table was written, and from the row and the cell: a run gives the same bits every time.

Sources: Gupta et al. (2015) for stochastic rounding. A table of random numbers, instead of a hash
for every column, is our own: its columns are read one behind the other, which is vectorised.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba.extending import register_jitable

from sketchlab import hashing
from sketchlab.annotations import Array
from sketchlab.errors import ConfigurationError
from sketchlab.stores.arithmetic import active_cell

__all__ = ["TWO_BYTES", "Rounding", "random_place", "rounded", "rounding_for", "widened"]

TWO_BYTES = np.dtype(np.uint16)

_BITS = 12
_PLACES = 1 << _BITS  # where a row may begin in the table of random numbers
_AT_ONCE = 1 << 18  # numbers of a table that is written anew
_HALF = np.uint32(16)
_SHIFT = np.uint64(64 - _BITS)
# odd multipliers: steps of the golden section for rows, of √2 for cells
_ROW, _CELL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xB504F333F9DE6485)


@register_jitable
def widened(stored):
    """The float32 that two bytes (uint16, a scalar or an array) stand for."""
    return np.uint32(np.uint32(stored) << _HALF).view(np.float32)


@register_jitable
def rounded(number, random):
    """A float32 in two bytes: up or down, as a random number (uint16) decides.

    Without bias: `random` is uniform from 0 to 2¹⁶ − 1, and up is away from zero. Infinity stays
    what it is, and so does the NaN that arithmetic gives.
    """
    bits = np.float32(number).view(np.uint32)
    return np.uint16(np.uint32(bits + np.uint32(random)) >> _HALF)


@register_jitable
def random_place(row, cell, key):
    """Where in the table the random numbers of a row's change to a cell begin (all uint64)."""
    return np.int64((row * _ROW + cell * _CELL + key) >> _SHIFT)


@cache
def random_numbers(dim: int) -> Array:
    """The table of random numbers for rows of `dim` columns, uint16 (4096 + dim,).

    Numbers that are spread evenly, in random order, over and over: so each column meets each of
    them equally often, and what is rounded has no bias of the table's own.

    Examples
    --------
    >>> table = random_numbers(3)
    >>> table.shape, len(set(table[2:4098].tolist())), float(table[2:4098].mean())
    ((4099,), 4096, 32768.0)
    """
    order = np.argsort(np.array(hashing.splitmix64(0, _PLACES), np.uint64), kind="stable")
    spacing = (1 << 16) // _PLACES
    table = np.resize((order * spacing + spacing // 2).astype(np.uint16), _PLACES + dim)
    table.flags.writeable = False
    return table


class Rounding:
    """What rounds the numbers of one store.

    Attributes
    ----------
    numbers : ndarray of uint16
        See `random_numbers`.
    writes : int
        How often the table was written so far: by steps, and by passes over the whole of it.
    """

    def __init__(self, seed: int, dim: int) -> None:
        self.numbers = random_numbers(dim)
        self.writes = 0
        self._start = hashing.splitmix64(seed, 1)[0]

    def begin(self) -> None:
        """Count one more writing of the table."""
        self.writes += 1

    @property
    def key(self) -> int:
        """What tells this writing from all others, from 0 to 2⁶⁴ − 1."""
        return hashing.splitmix64((self._start + self.writes) % 2**64, 1)[0]

    def round(self, numbers: Array, rows: Array, cells: Array) -> Array:
        """Numbers (k, dim) that rows (k,) leave in cells (k,), as two bytes."""
        rows, cells = rows.astype(np.uint64), cells.astype(np.uint64)
        places = random_place(rows, cells, np.uint64(self.key))
        columns = np.arange(numbers.shape[1])
        return rounded(np.ascontiguousarray(numbers), self.numbers[places[:, None] + columns])

    def change(
        self,
        cells: Array,
        join: np.ufunc,
        rows: Array,
        slots: Array,
        values: Array,
        keep_less_one: float,
    ) -> None:
        """Join values (k, dim) to the cells of rows, under one hash function; each is rounded.

        As `CellStore` does it without rounding: one row after the other, after a decay of each cell
        by all of its rows where `keep_less_one` is not 0.
        """
        left = np.arange(len(rows))
        while len(left):
            # of the rows that share a cell, the first
            touched, first, count = np.unique(slots[left], return_index=True, return_counts=True)
            now, numbers = left[first], widened(cells[touched])
            if keep_less_one:
                active_rows = count.astype(np.float32)[:, None]
                numbers = active_cell(numbers, active_rows, keep_less_one)
            cells[touched] = self.round(join(numbers, values[now]), rows[now], touched)
            left, keep_less_one = np.delete(left, first), 0.0

    def rewrite(self, cells: Array, change: Callable[[Array, slice], Array]) -> None:
        """Write a table (cells, dim) anew, in one writing: a few cells at a time.

        Parameters
        ----------
        cells : ndarray of uint16
        change : callable
            Of some of the cells' numbers, and of which these are, as a slice: their new numbers.
        """
        self.begin()
        at_once = max(1, _AT_ONCE // cells.shape[1])
        for start in range(0, len(cells), at_once):
            part = slice(start, min(start + at_once, len(cells)))
            which = np.arange(part.start, part.stop)
            numbers = change(widened(cells[part]), part)
            cells[part][...] = self.round(numbers, np.zeros_like(which), which)


def rounding_for(description, dim, dtype):
    """What rounds the cells of a store; None where they are as the variable's numbers are.

    Raises
    ------
    ConfigurationError
        If two bytes are asked for and the variable is not of float32.
    """
    if getattr(description, "cells", None) is None:
        return None
    if dtype != np.float32:
        raise ConfigurationError(
            f'cells="bfloat16" with dtype={dtype.name}: they are computed in float32, use a '
            "float32 table, or leave cells out"
        )
    return Rounding(getattr(description, "seed", 0), dim)
