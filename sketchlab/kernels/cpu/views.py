"""What kernels are given: a store made of cells, and scratch memory; which cells rows have."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab import hashing
from sketchlab.stores.shrinkage import median_variance

__all__ = [
    "ADD",
    "BUCKET",
    "CONSERVATIVE",
    "GIVEN",
    "LAZY",
    "NO_ROWS",
    "OWN",
    "SHRUNKEN",
    "UNKEPT",
    "Now",
    "View",
    "Work",
    "answers_first",
    "is_written",
    "locate",
    "now_of_cells",
    "unkept",
    "view_of_cells",
]

# How a step advances a moment. UNKEPT: the rule keeps none. GIVEN: the cells are answers already,
# one for each row of the step. OWN: every row of the table has a cell to itself. The others say how
# the cells of a sketch change; SHRUNKEN is ADD with answers that come first.
UNKEPT, GIVEN, OWN, ADD, LAZY, BUCKET, CONSERVATIVE, SHRUNKEN = range(8)
_MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}

NO_ROWS = np.empty(0, np.int64)
_NO_HASHES = np.empty((0, 4), np.uint64)
_ONE = {dtype: np.ones(1, dtype) for dtype in map(np.dtype, ("float32", "float64"))}


class View(NamedTuple):
    """How a moment is kept; it stays the same from step to step."""

    cells: np.ndarray  # (cells, dim)
    constants: np.ndarray  # (depth, 4), of the hash functions; (0, 4) without
    mode: int
    place: int  # 0 for m and 1 for v: where its slots are noted
    median: bool  # answers are medians, else minima
    squared: bool
    heads: int  # cells below this number belong to one row each, and are its only one
    width: int
    variance: float  # of a shrunken answer's noise, over that of one reading


class Now(NamedTuple):
    """What else a moment needs in one step on k rows."""

    keep_less_one: np.floating
    gain: np.floating
    scales: np.ndarray  # (k,), or (1,) for all: from the divided table's answers to the store's
    places: np.ndarray  # (k,): rows' cells in the head or -1; (0,) without a head
    past: np.ndarray  # (k,): rows' weights before the step, where answers are shrunken; else (0,)
    full: np.floating  # the weight of a row that every step touches


class Work(NamedTuple):
    """Scratch memory of a step: every array is at least as large as it needs."""

    slots: np.ndarray  # (2, depth, k): the cells of every row, for both moments
    signs: np.ndarray  # (2, depth, k)
    change: np.ndarray  # (k · dim,) for every lazy or conservative moment
    buffers: np.ndarray  # (threads, 4 + depth, columns of a tile)
    picked: np.ndarray  # (depth · owners, 2, CHUNK), for both moments
    active: np.ndarray  # (cells,): the step's rows in each, of every moment with bucket decay


def unkept(cells):
    """The view of a moment that is not kept, and its numbers."""
    zero, one = cells.dtype.type(0), _ONE[cells.dtype]
    view = View(
        cells,
        _NO_HASHES,
        UNKEPT,
        place=0,
        median=False,
        squared=False,
        heads=0,
        width=0,
        variance=0.0,
    )
    return view, Now(zero, zero, one, NO_ROWS, one[:0], zero)


def now_of_cells(store, step):
    """Begin a step of a store made of cells: its numbers."""
    number, rows = store.dtype.type, step.rows
    gain = number(store.begin_step(step.keep, step.gain))
    past = store.weights[rows] if store.shrunken else _ONE[store.dtype][:0]
    store.touch(rows, gain)
    return Now(
        number(store.row_keep_less_one(step.keep)),
        gain,
        _ONE[store.dtype] if store.shrunken else store.scales(rows),
        store.places(rows) if store.heads else NO_ROWS,
        past,
        number(store.multiplier * store.full_weight),
    )


def view_of_cells(store, moment):
    """The view of a store made of cells."""
    if store.private:
        return unkept(store.flat_cells)[0]._replace(mode=OWN, squared=moment.squared)
    return View(
        store.flat_cells,
        store.constants,
        mode=_mode(store),
        place=int(moment.squared),
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


@register_jitable
def is_written(view):
    """Whether the changes of all rows are written down before the first is made."""
    return view.mode == LAZY or view.mode == CONSERVATIVE


@register_jitable
def answers_first(view):
    """Whether a step reads the answers before it changes the cells."""
    return view.mode == BUCKET or view.mode == SHRUNKEN


@register_jitable
def locate(view, now, rows, start, stop, slots, signs):
    """Fill in the slots and signs of rows number `start` to `stop`."""
    constants, places = view.constants, now.places
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
