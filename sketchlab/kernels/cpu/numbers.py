"""Numbers of cells as kernels compute with them, and how they are put back.

Those of two bytes are widened, and rounded by random numbers of the cell's row; see
`sketchlab.stores.two_bytes`. All others are what they are.
"""

import numpy as np

from sketchlab.kernels.numba_private import by_bytes, inlined
from sketchlab.stores.two_bytes import random_place, rounded, widened

__all__ = ["number", "put", "randoms_of"]


@inlined
def _same(stored):
    return stored


@by_bytes(_same, inlined(widened))
def number(stored):
    """What a number of a cell stands for."""


@inlined
def random(randoms, c):
    """The random number of column c."""
    table, place = randoms
    return table[np.uintp(place + c)]  # unsigned: an index that could be negative is not vectorised


@inlined
def _put(cell, c, value, randoms):
    cell[c] = value


@inlined
def _put_rounded(cell, c, value, randoms):
    cell[c] = rounded(value, random(randoms, c))


@by_bytes(_put, _put_rounded)
def put(cell, c, value, randoms):
    """Put a value into column c of a cell; `randoms` are those of its row."""


@inlined
def _nowhere(cells, row, slot, key):
    return 0


@inlined
def _somewhere(cells, row, slot, key):
    return random_place(np.uint64(row), np.uint64(slot), key)


@by_bytes(_nowhere, _somewhere)
def place_of(cells, row, slot, key):
    """Where in their table the random numbers of a row's change to a cell begin."""


@inlined
def randoms_of(view, row, slot):
    """The random numbers of a row's change to a cell: their table, and where they begin there."""
    return view.randoms, place_of(view.cells, row, slot, view.key)
