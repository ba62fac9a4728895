"""Bytes of stores as the library counts them, budgets, and the compression that fits one."""

import math
import re
import warnings

import numpy as np

from analysis.lab.errors import UsageError
from sketchlab.errors import StoreSizeWarning

_UNITS = {"": 1, "B": 1}
_UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate(("k", "M", "G", "T"), 1)}
_UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate(("K", "M", "G", "T"), 1)}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)")
#: Arrays of more numbers are not made, only counted.
_SMALL = 2**16


def budget_of(text):
    """Return the bytes that a text such as ``650MB`` or ``1.5 GiB`` names.

    Raises
    ------
    UsageError
        If it names none.

    Examples
    --------
    >>> budget_of("650MB"), budget_of("1.5 GiB"), budget_of("4096")
    (650000000, 1610612736, 4096)
    """
    units = {unit.lower(): bytes_ for unit, bytes_ in _UNITS.items()}
    found = _AMOUNT.fullmatch(str(text).strip())
    if not found or found[2].lower() not in units:
        known = ", ".join(unit for unit in _UNITS if unit)
        raise UsageError(f"budget {text!r}: give a number and a unit, 650MB for example ({known})")
    return math.floor(float(found[1]) * units[found[2].lower()])


def nbytes(store, n, dim, dtype=np.float32):
    """Return the bytes of a store: those of the live one, whose arrays are not made.

    Examples
    --------
    >>> import sketchlab as sl
    >>> nbytes(sl.CountMinSketch(compression=5), n=10**9, dim=256)
    204799997952
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreSizeWarning)
        return store.allocate(n, dim, dtype, zeros=_counted).nbytes


def _counted(shape, dtype):
    """An array of zeros; a large one takes no memory and cannot be written to."""
    if math.prod(shape) <= _SMALL:
        return np.zeros(shape, dtype)
    return np.broadcast_to(np.zeros((), dtype), shape)


def bytes_of(stores, n, dim, dtype=np.float32):
    """Return the bytes of each moment."""
    return {moment: nbytes(store, n, dim, dtype) for moment, store in stores.items()}


def fitting(way, n, dim, budget):
    """Return the smallest compression, to two digits, at which a way needs no more than a budget.

    Returns
    -------
    float or None
        None where it needs more at any compression, or has none and is too large.
    """
    if not way.sized:
        return 1.0 if _needs(way, n, dim, 1.0) <= budget else None
    low, high = 0, 90 * math.ceil(math.log10(4 * n))  # places on the grid
    if _needs(way, n, dim, _grid(high)) > budget:
        return None
    while low < high:
        middle = (low + high) // 2
        if _needs(way, n, dim, _grid(middle)) <= budget:
            high = middle
        else:
            low = middle + 1
    return _grid(low)


def smallest(way, n, dim):
    """Return the fewest bytes that a way can do with."""
    return _needs(way, n, dim, float(4 * n))


def _needs(way, n, dim, compression):
    return sum(bytes_of(way.describe(compression), n, dim).values())


def _grid(place):
    """Compressions from 1 on, two digits each, ninety to a decade."""
    decade, within = divmod(place, 90)
    return float(f"{(10 + within) / 10 * 10.0**decade:.2g}")
