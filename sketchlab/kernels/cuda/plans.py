"""How each kind of live store takes its step on the device.

A plan is made once for a kind of step and serves all that follow: it holds the view by which the
store's answers are read, and what has to be launched before and after they are, prepared. Before
each step it is told how many rows there are (`resize`), where it asks for memory, and what the
store's numbers are (`begin`). `step` puts the plans of all moments together.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from sketchlab.errors import ConfigurationError
from sketchlab.kernels.cuda import advance, factors, quantized, row_wise, sm3
from sketchlab.kernels.cuda.arguments import Array, Number
from sketchlab.kernels.cuda.elementwise import multiply
from sketchlab.kernels.cuda.launcher import Launcher
from sketchlab.kernels.cuda.views import (
    Factors,
    LargestCells,
    NoWeights,
    PrivateCells,
    RoundedToTwoBytes,
    RowWeights,
    Unrounded,
)
from sketchlab.kernels.scratch import Scratch
from sketchlab.stores.dense import DenseStore
from sketchlab.stores.quantized import QuantizedStore
from sketchlab.stores.rank1 import Rank1Store
from sketchlab.stores.row_wise import RowWiseStore
from sketchlab.stores.sm3 import SM3Store

__all__ = ["CellPlan", "Plan", "Rows", "check_known", "plan_for"]

# Groups of threads that add up columns, each over its share of the rows.
_PARTS = 2048


class Rows(NamedTuple):
    """The rows of a step and their gradients as kernels take them, and what plans are made with.

    Attributes
    ----------
    active : EveryRow or SortedRows
    items : Number
        Rows, equal ones counted.
    grads : Array
        (items, dim)
    run : Launcher
    scratch : Scratch
    deterministic : bool
    """

    active: NamedTuple
    items: Number
    grads: Array
    run: Launcher
    scratch: Scratch
    deterministic: bool

    def arguments(self):
        """What kernels over active rows take."""
        return self.active, self.items, self.grads


@singledispatch
def plan_for(store, moment, rows, items):
    """The plan of one store.

    Parameters
    ----------
    store : live store
    moment : Moment
    rows : Rows
    items : int
        Rows of the first step.

    Raises
    ------
    ConfigurationError
        If there is none for this kind of store.
    """
    raise ConfigurationError(
        f'{type(store).__name__}: backend="cuda" has no kernels for this kind of store, use '
        'backend="cpu" or "reference"'
    )


def check_known(store):
    """Refuse a store that has no plan, before anything is done with it."""
    kind = type(store)
    if plan_for.dispatch(kind) is plan_for.dispatch(object):
        plan_for(store, None, None, 0)


class Plan:
    """What all plans share.

    Attributes
    ----------
    view : NamedTuple
        By which the kernel that moves the parameters reads the store.
    always, early : list of callable
        Launched first; those of `always` also in a step of no rows.
    noted, added, late : list of parts
        See `advance`: taken before any cell moves, before the answers are read, and after that.
    owned, last : list of callable
        Launched after the parts of `noted`, and after those of `late`.
    decayed : list of Decayed
        Cells that decay after the answers have been read, by their active rows.
    """

    view: Any

    def __init__(self, store, moment, rows):
        self.store, self.moment, self.rows, self.run = store, moment, rows, rows.run
        number = store.dtype
        self.gain, self.less = Number(number), Number(number)
        self.multiplier, self.full = Number(number), Number(number)
        self.key = Number(np.uint64)
        self.always, self.early, self.owned, self.last = [], [], [], []
        self.noted, self.added, self.late, self.decayed = [], [], [], []

    def fits(self, items):
        """Whether the plan serves a step of so many rows."""
        return True

    def resize(self, items):
        """Get ready for so many rows, at least one; ask for the memory that they need."""

    def begin(self, keep, gain):
        """Count the step in the store, and tell the kernels its numbers."""
        store = self.store
        self.gain.set(store.begin_step(keep, gain))
        self.less.set(store.row_keep_less_one(keep))
        self.multiplier.set(store.multiplier)

    def scratch(self, array, name, shape, dtype=None):
        """Let an argument be scratch memory of that shape."""
        name = f"{name} of {self.moment.name}"
        array.set(self.rows.scratch.array(name, shape, dtype or self.store.dtype))


class CellPlan(Plan):
    """Plans of stores made of cells, which may keep weights of rows, or numbers of two bytes."""

    def rounding(self):
        """How numbers are put into cells, as kernels see it."""
        store = self.store
        if store.rounding is None:
            return Unrounded(store.dtype.type(1))
        return RoundedToTwoBytes(self.run.to_device(store.rounding.numbers), self.key)

    def weights(self):
        """The row weights as kernels see them; active rows are touched first."""
        store, rows = self.store, self.rows
        if store.weights is None:
            return NoWeights(store.dtype.type(1))
        weights = store.weights.memory
        arguments = weights, rows.active, rows.items, self.gain
        self.touch = self.run.prepare(advance.touch_rows, *arguments)
        self.early.append(self.touch)
        return RowWeights(self.full, weights)

    def resize(self, items):
        """See `Plan.resize`."""
        if self.store.weights is not None:
            self.touch.over(items)

    def begin(self, keep, gain):
        """See `Plan.begin`."""
        super().begin(keep, gain)
        if self.store.rounding is not None:
            self.key.set(self.store.rounding.key)
        if self.store.weights is not None:
            self.full.set(self.store.full_weight)


class ExactPlan(CellPlan):
    """Exact variables move where they are read, in the kernel that moves the parameters."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        self.cells = store.cells
        cells = store.flat_cells.memory
        weights = self.weights()
        if moment.largest:
            self.view = LargestCells(cells)
        else:
            numbers = self.less, self.gain, self.multiplier
            self.view = PrivateCells(cells, *numbers, moment.squared, weights, self.rounding())

    def fits(self, items):
        """See `Plan.fits`."""
        return self.store.cells is self.cells


class FactorPlan(Plan):
    """Row and column sums of rank-one stores, added up in a fixed order."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        run, most = self.run, store.dtype.type(np.finfo(store.dtype).max)
        left, right = store.left.memory, store.right.memory
        self.total, self.parts = Array(store.dtype, 1), Array(store.dtype, 2)
        self.view = Factors(left, right, self.total, moment.squared)
        self.count = run.prepare(factors.total_of, right, self.total, most).in_blocks(1)
        if store.decay == "global":
            source, self.keep = advance.Plain(self.gain), Number(store.dtype)
            for sums in (left, right):
                decay = run.prepare(multiply, sums, self.keep)
                self.always.append(decay.over(sums.size))
        else:
            source = advance.Lazy(self.view, self.less, self.gain)
            self.early.append(self.count)
        arguments = source, self.view, *rows.arguments()
        self.sum_columns = run.prepare(factors.sum_columns, *arguments, self.parts)
        self.sum_rows = run.prepare(factors.sum_rows, *arguments, most)
        self.add_columns = run.prepare(factors.add_column_sums, right, self.parts, most)
        # columns first: the sums of rows move, and lazy changes are read with them
        self.early += [self.sum_columns, self.sum_rows, self.add_columns, self.count]
        self.scratch(self.total, "total", (1,))

    def resize(self, items):
        """See `Plan.resize`."""
        parts, dim = min(_PARTS, items), self.store.dim
        self.scratch(self.parts, "parts", (parts, dim))
        self.sum_columns.over_rows(parts, dim)
        self.sum_rows.over_rows(items, dim)
        self.add_columns.over_columns(dim)

    def begin(self, keep, gain):
        """See `Plan.begin`."""
        if self.store.decay == "global":
            self.keep.set(keep)
        self.gain.set(gain)
        self.less.set(self.store.row_keep_less_one(keep))


class RowWisePlan(Plan):
    """One value a row, moved by the threads that have the row."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        self.view = row_wise.RowValues(store.values.memory, self.multiplier, moment.squared)
        arguments = self.view, *rows.arguments(), self.less, self.gain
        self.move = self.run.prepare(row_wise.move_row_values, *arguments)
        self.early.append(self.move)

    def resize(self, items):
        """See `Plan.resize`."""
        self.move.over_rows(items, self.store.dim)


class SM3Plan(Plan):
    """Bounds of rows and columns: all targets of columns are found before a row's bound moves."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        bounds, columns = store.row_bounds.memory, store.column_bounds.memory
        self.view = sm3.Bounds(bounds, columns, self.multiplier, moment.squared)
        self.parts = Array(store.dtype, 2)
        arguments = self.view, *rows.arguments(), self.gain
        self.find_columns = self.run.prepare(sm3.find_column_targets, *arguments, self.parts)
        self.raise_rows = self.run.prepare(sm3.raise_row_bounds, *arguments)
        self.raise_columns = self.run.prepare(sm3.raise_column_bounds, columns, self.parts)
        self.early += [self.find_columns, self.raise_rows, self.raise_columns]

    def resize(self, items):
        """See `Plan.resize`."""
        parts, dim = min(_PARTS, items), self.store.dim
        self.scratch(self.parts, "parts", (parts, dim))
        self.find_columns.over_rows(parts, dim)
        self.raise_rows.over_rows(items, dim)
        self.raise_columns.over_columns(dim)


class QuantizedPlan(Plan):
    """Blocks of codes, each decoded, advanced and coded anew."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        self.view = quantized.Codes(
            *(array.memory for array in (store.codes, store.scales, store.book, store.lines)),
            np.int64(store.block),
            store.description.signed,
            self.multiplier,
            moment.squared,
        )
        arguments = self.view, *rows.arguments(), self.less, self.gain
        self.code = self.run.prepare(quantized.code_blocks_anew, *arguments)
        self.early.append(self.code)

    def resize(self, items):
        """See `Plan.resize`."""
        self.code.over_rows(items, min(self.store.block, self.store.dim))


plan_for.register(DenseStore, ExactPlan)
plan_for.register(Rank1Store, FactorPlan)
plan_for.register(RowWiseStore, RowWisePlan)
plan_for.register(SM3Store, SM3Plan)
plan_for.register(QuantizedStore, QuantizedPlan)
