"""What kernels are given of a store, with scratch memory; which cells rows have."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab import hashing
from sketchlab.kernels.numba_private import overload_inlined
from sketchlab.stores.shrinkage import median_variance

__all__ = [
    "ADD",
    "BUCKET",
    "CONSERVATIVE",
    "GIVEN",
    "LARGEST",
    "LAZY",
    "NO_ROWS",
    "OWN",
    "SHRUNKEN",
    "View",
    "answers_first",
    "grouped",
    "idle",
    "is_written",
    "locate",
    "view_of_answers",
    "view_of_cells",
]

# How a step advances a moment. GIVEN: the cells are answers already, one for each row of the step.
# OWN: every row of the table has a cell to itself. LARGEST: the same, and the cell is raised to the
# answer of the moment before. The others say how the cells of a sketch change; SHRUNKEN is ADD with
# answers that come first.
GIVEN, OWN, LARGEST, ADD, LAZY, BUCKET, CONSERVATIVE, SHRUNKEN = range(8)
_MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}

NO_ROWS = np.empty(0, np.int64)
_NO_HASHES = np.empty((0, 4), np.uint64)
_NO_SLOTS, _NO_SIGNS = np.empty((0, 0), np.int64), np.empty((0, 0), np.int8)
_NO_COUNTS = np.empty(0, np.int32)
_ONE = {dtype: np.ones(1, dtype) for dtype in map(np.dtype, ("float32", "float64"))}
_NONE = {dtype: np.empty(0, dtype) for dtype in _ONE}


class View(NamedTuple):
    """How a moment is kept, its numbers in one step on k rows, and scratch memory of its own.

    Scratch arrays are at least as large as the step needs, and empty where it does not.
    """

    cells: np.ndarray  # (cells, dim)
    constants: np.ndarray  # (depth, 4), of the hash functions; (0, 4) without
    mode: int
    median: bool  # answers are medians, else minima
    squared: bool
    heads: int  # cells below this number belong to one row each, and are its only one
    width: int
    variance: float  # of a shrunken answer's noise, over that of one reading
    keep_less_one: np.floating
    gain: np.floating
    scales: np.ndarray  # (k,), or (1,) for all: from the divided table's answers to the store's
    places: np.ndarray  # (k,): rows' cells in the head or -1; (0,) without a head
    past: np.ndarray  # (k,): rows' weights before the step, where answers are shrunken; else (0,)
    full: np.floating  # the weight of a row that every step touches
    slots: np.ndarray  # (depth, k): the cells of every row
    signs: np.ndarray  # (depth, k)
    change: np.ndarray  # (k · dim,) of a lazy or conservative moment
    picked: np.ndarray  # (depth · owners, CHUNK)
    active: np.ndarray  # (cells,): the step's rows in each, with bucket decay


_FIELDS = len(View._fields)


def view_of_answers(answers):
    """The view of a store that has advanced already, and has answered for the rows of the step."""
    zero = answers.dtype.type(0)
    return View(
        answers,
        _NO_HASHES,
        GIVEN,
        median=False,
        squared=False,
        heads=0,
        width=0,
        variance=0.0,
        keep_less_one=zero,
        gain=zero,
        scales=_ONE[answers.dtype],
        places=NO_ROWS,
        past=_NONE[answers.dtype],
        full=zero,
        slots=_NO_SLOTS,
        signs=_NO_SIGNS,
        change=_NONE[answers.dtype],
        picked=_NO_SLOTS,
        active=_NO_COUNTS,
    )


def view_of_cells(store, moment):
    """The view of a store made of cells."""
    view = view_of_answers(store.flat_cells)
    if store.private:
        return view._replace(mode=LARGEST if moment.largest else OWN, squared=moment.squared)
    return view._replace(
        constants=store.constants,
        mode=_mode(store),
        median=store.description.signed,
        squared=moment.squared,
        heads=store.heads,
        width=store.width,
        variance=median_variance(store.depth) if store.shrunken else 0.0,
    )


def _mode(store):
    """How the cells of a sketch change."""
    if store.shrunken:
        return SHRUNKEN
    return CONSERVATIVE if store.conservative else _MODES[store.decay]


def idle(view):
    """The view of a store that takes no part in a call of a kernel."""
    return view._replace(mode=GIVEN, constants=_NO_HASHES)


def grouped(fields):
    """The views whose fields, one behind the other, a kernel was given.

    Numba takes tuples into the body of a parallel loop, but no tuples of tuples.
    """
    return tuple(View(*fields[i : i + _FIELDS]) for i in range(0, len(fields), _FIELDS))


@overload_inlined(grouped)
def _compile_grouped(fields):
    if len(fields) == 0:
        return lambda fields: ()
    return lambda fields: (View(*fields[:_FIELDS]),) + grouped(fields[_FIELDS:])  # noqa: RUF005


@register_jitable
def is_written(view):
    """Whether the changes of all rows are written down before the first is made."""
    return view.mode == LAZY or view.mode == CONSERVATIVE


@register_jitable
def answers_first(view):
    """Whether a step reads the answers before it changes the cells."""
    return view.mode == BUCKET or view.mode == SHRUNKEN


@register_jitable
def locate(view, rows, start, stop):
    """Fill in the slots and signs of rows number `start` to `stop`."""
    constants, places, slots, signs = view.constants, view.places, view.slots, view.signs
    width, heads = np.uint64(view.width), np.uint64(view.heads)
    for j in range(constants.shape[0]):
        for i in range(start, stop):
            row = np.uint64(rows[i])
            factor, addend = constants[j, 0], constants[j, 1]
            slots[j, i] = hashing.cell(row, factor, addend, np.uint64(j), width, heads)
            signs[j, i] = 1
            if view.median:
                signs[j, i] = hashing.sign(row, constants[j, 2], constants[j, 3])
        if places.size > 0:
            for i in range(start, stop):
                if places[i] >= 0:
                    slots[j, i] = places[i]
                    signs[j, i] = 1
