"""What kernels are given of a store, with scratch memory; which cells rows have."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab import hashing
from sketchlab.kernels.cpu.heads import place_in_head
from sketchlab.kernels.numba_private import by_missing, overload_inlined
from sketchlab.stores.shrinkage import median_variance

__all__ = [
    "ADD",
    "BOUNDS",
    "BUCKET",
    "CODES",
    "CONSERVATIVE",
    "GIVEN",
    "LARGEST",
    "LAZY",
    "MEANS",
    "NO_CODES",
    "OWN",
    "RANK_ONE",
    "ROW_MEAN",
    "SHRUNKEN",
    "View",
    "answers_first",
    "by_kind",
    "grouped",
    "is_written",
    "locate",
    "view_of_answers",
    "view_of_cells",
]

# How a step advances a moment. GIVEN: the cells are answers already, one for each row of the step.
# OWN: every row of the table has a cell to itself. LARGEST: the same, and the cell is raised to the
# answer of the moment before. ROW_MEAN, CODES: the same, and the cell is one number, or coded in
# bytes. RANK_ONE, BOUNDS: every row and every column has a number, which have been advanced. The
# others say how the cells of a sketch change; SHRUNKEN is ADD with answers that come first, MEANS
# is ADD that counts the rows of every cell beside it.
GIVEN, OWN, LARGEST, ROW_MEAN, CODES, RANK_ONE, BOUNDS = range(7)
ADD, LAZY, BUCKET, CONSERVATIVE, SHRUNKEN, MEANS = range(7, 13)
_MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}

_FIRST_ROWS = np.empty((2, 0), np.int64)
_NO_HASHES = np.empty((0, 4), np.uint64)
_NO_SLOTS, _NO_SIGNS = np.empty((0, 0), np.int64), np.empty((0, 0), np.int8)
_NO_COUNTS, NO_CODES = np.empty(0, np.int32), np.empty((0, 0), np.uint8)
_NONE = {dtype: np.empty(0, dtype) for dtype in map(np.dtype, ("float32", "float64"))}


class View(NamedTuple):
    """How a moment is kept, its numbers in one step on k rows, and scratch memory of its own.

    Scratch arrays are at least as large as the step needs, and empty where it does not.
    """

    cells: np.ndarray  # (cells, dim); (n, 1) or (n, blocks) of a number a row, or a block
    randoms: np.ndarray | None  # that numbers of two bytes are rounded by; None of others
    constants: np.ndarray  # (depth, 4), of the hash functions; (0, 4) without
    mode: int
    signed: bool  # values have either sign, and a sketch's answers are medians; else minima
    squared: bool
    heads: int  # cells below this number belong to one row each, and are its only one
    residents: np.ndarray  # (2, heads): these rows, ascending, and their cells; (2, 0): the first
    width: int
    block: int  # columns of which a code's scale is shared
    variance: float  # of a shrunken answer's noise, over that of one reading
    common: np.ndarray  # numbers of the columns, of the codes or of the cells; (0,) without
    codes: np.ndarray | None  # (n, dim) of bytes; (0, 0) without; None: see `by_kind`
    weights: np.ndarray  # (n,): rows' weights; (0,) without
    keep_less_one: np.floating
    gain: np.floating
    multiplier: np.floating
    full: np.floating  # the weight of a row that every step touches
    key: np.uint64  # of the step, for these random numbers
    slots: np.ndarray | None  # (depth, k): the cells of every row; None: see `by_kind`
    signs: np.ndarray  # (depth, k)
    change: np.ndarray  # (k · dim,) of a lazy or conservative moment
    picked: np.ndarray  # (depth · owners, CHUNK)
    active: np.ndarray  # (cells,): the step's rows in each, with bucket decay


_FIELDS = len(View._fields)


def view_of_answers(answers):
    """The view of a store that has advanced already, and has answered for the rows of the step."""
    zero, one = answers.dtype.type(0), answers.dtype.type(1)
    return View(
        answers,
        None,
        _NO_HASHES,
        GIVEN,
        signed=False,
        squared=False,
        heads=0,
        residents=_FIRST_ROWS,
        width=0,
        block=0,
        variance=0.0,
        common=_NONE[answers.dtype],
        codes=NO_CODES,
        weights=_NONE[answers.dtype],
        keep_less_one=zero,
        gain=zero,
        multiplier=one,
        full=zero,
        key=np.uint64(0),
        slots=_NO_SLOTS,
        signs=_NO_SIGNS,
        change=_NONE[answers.dtype],
        picked=_NO_SLOTS,
        active=_NO_COUNTS,
    )


def view_of_cells(store, moment):
    """The view of a store made of cells."""
    view = _view_of_numbers(store)
    if store.weights is not None:
        view = view._replace(weights=store.weights)
    if store.private:
        mode = LARGEST if moment.largest else OWN
        return view._replace(mode=mode, squared=moment.squared, slots=None, codes=None)
    return view._replace(
        constants=store.constants,
        mode=_mode(store),
        codes=view.codes if store.shrunken else None,
        signed=store.description.signed,
        squared=moment.squared,
        heads=store.heads,
        width=store.width,
        variance=median_variance(store.depth) if store.shrunken else 0.0,
    )


def _view_of_numbers(store):
    """A view of a store's cells, for computing in the store's dtype."""
    if store.rounding is None:
        return view_of_answers(store.flat_cells)
    view = view_of_answers(np.empty((0, 0), store.dtype))
    return view._replace(cells=store.flat_cells, randoms=store.rounding.numbers)


def _mode(store):
    """How the cells of a sketch change."""
    if store.shrunken:
        return SHRUNKEN
    return CONSERVATIVE if store.conservative else _MODES[store.decay]


def by_kind(own, hashed, other, own_rounded=None, hashed_rounded=None):
    """A decorator: the function for a view's kind takes the place of the decorated one.

    Kinds of views have types of their own, by what is None in them, so that a kernel is compiled
    for those alone that it is given: rows with cells of their own (neither slots nor codes), the
    cells of a sketch (no codes), and all others; the `rounded` ones are for cells with
    numbers of two bytes (with random numbers).
    """
    kinds = {(True, True): own, (False, True): hashed, (False, False): other}
    functions = {
        (*kind, no_randoms): function
        for kind, function in kinds.items()
        for no_randoms in (True, False)
    }
    functions[True, True, False] = own_rounded or own
    functions[False, True, False] = hashed_rounded or hashed
    return by_missing(("slots", "codes", "randoms"), functions)


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
    constants, slots, signs = view.constants, view.slots, view.signs
    width, heads = np.uint64(view.width), np.uint64(view.heads)
    for j in range(constants.shape[0]):
        for i in range(start, stop):
            row = np.uint64(rows[i])
            factor, addend = constants[j, 0], constants[j, 1]
            slots[j, i] = hashing.cell(row, factor, addend, np.uint64(j), width, heads)
            signs[j, i] = 1
            if view.signed:
                signs[j, i] = hashing.sign(row, constants[j, 2], constants[j, 3])
    if view.heads > 0:
        for i in range(start, stop):
            place = place_in_head(view.heads, view.residents, rows[i])
            if place >= 0:
                slots[:, i] = place
                signs[:, i] = 1
