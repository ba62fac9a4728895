"""How each kind of live store takes its step on the device.

A plan is made for one step: it asks for the scratch memory first, so that running out of it leaves
the optimizer unchanged; then it launches the kernels and gives the view by which the store's
answers are read; once they have been read, it finishes.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from sketchlab.errors import ConfigurationError
from sketchlab.kernels.cuda import advance, factors, quantized, row_wise, shrunken, sm3, sorting
from sketchlab.kernels.cuda.driver import Launcher
from sketchlab.kernels.cuda.elementwise import fill
from sketchlab.kernels.cuda.means import Means
from sketchlab.kernels.cuda.views import (
    Factors,
    MaximumCells,
    MedianCells,
    MinimumCells,
    NoWeights,
    OwnAnswers,
    PrivateCells,
    RowWeights,
)
from sketchlab.kernels.scratch import Scratch
from sketchlab.stores.bucket_mean import BucketMeanStore
from sketchlab.stores.dense import DenseStore
from sketchlab.stores.head_tail import HeadTailStore
from sketchlab.stores.quantized import QuantizedStore
from sketchlab.stores.rank1 import Rank1Store
from sketchlab.stores.row_wise import RowWiseStore
from sketchlab.stores.shrinkage import median_variance
from sketchlab.stores.sketches import SketchStore
from sketchlab.stores.sm3 import SM3Store

__all__ = ["Tools", "check_known", "plan_for"]

# Groups of threads that add up the columns of a rank-one store, each over its share of the rows.
_PARTS = 256


class Tools(NamedTuple):
    """What plans are made with."""

    run: Launcher
    scratch: Scratch
    deterministic: bool


@singledispatch
def plan_for(store, items, tools):
    """The plan of one store for a step of `items` rows; each kind of store registers its own.

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
        plan_for(store, 0, None)


def _keep_less_one(store, keep):
    """What the rows of a step lose, in the dtype of the store."""
    return store.dtype.type(store.row_keep_less_one(keep))


def _row_weights(store, run, active, items, gain):
    """Touch the active rows of a store that keeps row weights; the weights as kernels see them."""
    number = store.dtype.type
    if store.weights is None:
        return NoWeights(number(1))
    weights = store.weights.raw
    if items:
        run.flat(advance.touch_rows, items, weights, active, items, gain)
    return RowWeights(number(store.full_weight), weights)


class Plan:
    """What all plans share."""

    def finish(self):
        """Make the changes that the answers of this step were not to see: none, but for some."""


class ExactPlan(Plan):
    """Exact variables move where they are read, in the kernel that moves the parameters."""

    def __init__(self, store, items, tools):
        self.store, self.run = store, tools.run

    def advance(self, active, items, grads, moment, keep, gain):
        """The view of the store, with what a row's step needs."""
        store, number = self.store, self.store.dtype.type
        gain, less = number(store.begin_step(keep, gain)), _keep_less_one(store, keep)
        weights = _row_weights(store, self.run, active, items, gain)
        cells, multiplier = store.flat_cells.raw, number(store.multiplier)
        return PrivateCells(cells, less, gain, multiplier, moment.squared, weights)


class SketchPlan(Plan):
    """Sketches are advanced by atomics, before any answer is read; after it under `bucket`."""

    def __init__(self, store, items, tools):
        self.store, self.run, self.scratch = store, tools.run, tools.scratch
        self.cells = count, dim = store.flat_cells.shape
        # Changes that depend on answers need those of before the step: from a copy of the cells
        # or written down for each row, whichever is smaller.
        self.answers = store.conservative or store.decay == "lazy"
        self.copies = self.answers and count <= items
        self.later = None
        if self.answers:
            shape = self.cells if self.copies else (items, dim)
            self.before = self.scratch.array("before", shape, store.dtype)
        self.reserve(items)

    def reserve(self, items):
        """Ask for what bringing changes into cells needs."""
        if self.store.decay == "bucket":
            self.counts = self.scratch.array("active rows", self.cells[:1], np.int32)

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        number = self.store.dtype.type
        gain, less = number(self.store.begin_step(keep, gain)), _keep_less_one(self.store, keep)
        weights = _row_weights(self.store, self.run, active, items, gain)
        view = self._view(moment, weights)
        if not items:
            return view
        if self.store.decay == "bucket":
            self.later = advance.Plain(gain), view, active, items, grads, less
            return OwnAnswers(view, less, gain)
        source = self._source(view, active, items, grads, less, gain)
        self.change(source, view, active, items, grads, less)
        return view

    def finish(self):
        """Decay and add where the answers had to come first."""
        if self.later is not None:
            self.change(*self.later)

    def _view(self, moment, weights):
        store = self.store
        kind = MedianCells if store.description.signed else MinimumCells
        return (MaximumCells if store.conservative else kind)(
            store.flat_cells.raw,
            tuple(store.constants.ravel()),
            np.uint64(store.width),
            store.dtype.type(store.multiplier),
            moment.squared,
            np.int64(store.heads),
            weights,
        )

    def _source(self, view, active, items, grads, less, gain):
        """Where changes come from, ready to be read while cells move."""
        if not self.answers:
            return advance.Plain(gain)
        before = view
        if self.copies:
            self.before.copy_to_device(view.cells, stream=self.run.stream)
            before = view._replace(cells=self.before)
        source = advance.Lazy(before, less, gain)
        if self.store.conservative:
            source = advance.Target(before, gain)
        if self.copies:
            return source
        arguments = source, view, active, items, grads, self.before
        self.run.rows(advance.find_changes, items, self.store.dim, *arguments)
        return advance.Known(self.before)

    def change(self, source, view, active, items, grads, less):
        """Bring the changes into the cells."""
        if self.store.decay == "bucket":
            cells, dim = self.cells
            self.run.flat(fill, cells, self.counts, np.int32(0))
            self.run.flat(advance.count_rows, items, view, active, items, self.counts)
            self.run.rows(advance.decay_cells, cells, dim, view.cells, self.counts, less)
        arguments = source, view, active, items, grads
        self.run.rows(advance.change_cells, items, self.store.dim, *arguments)


class OwnedSketchPlan(SketchPlan):
    """The same without atomics on numbers: each cell is changed by threads that own it."""

    def reserve(self, items):
        """Ask for the list of the rows' cells, and for what sorting it needs."""
        self.entries = entries = items * self.store.depth
        self.slots = self.scratch.array("slots", (entries,), np.int64)
        self.order = self.scratch.array("entries", (entries,), np.int64)
        sorting.buffers(self.scratch, "slots", entries)

    def change(self, source, view, active, items, grads, less):
        """Sort the rows' cells, then go through them cell by cell."""
        run, bucket = self.run, self.store.decay == "bucket"
        run.flat(advance.list_cells, self.entries, view, active, items, self.slots, self.order)
        bits = self.cells[0].bit_length()
        found = sorting.sort(run, self.scratch, "slots", self.slots, self.order, bits)
        arguments = source, view, active, items, grads, *found, bucket, less
        run.rows(advance.change_owned_cells, self.entries, self.store.dim, *arguments)


class ShrunkenPlan(SketchPlan):
    """What the answers are made of is measured first; they are read before anything is added."""

    def reserve(self, items):
        """Ask for what is measured of each row, too."""
        super().reserve(items)
        array, dtype = self.scratch.array, self.store.dtype
        self.sums = array("sums of squares", (items, 2, shrunken.LANES), np.float64)
        self.parts = array("trusted parts", (items,), dtype)
        self.scales = array("scales", (items,), dtype)

    def advance(self, active, items, grads, moment, keep, gain):
        """Measure; the view of the store's answers."""
        store, run, number = self.store, self.run, self.store.dtype.type
        gain = number(store.begin_step(keep, gain))
        full = number(store.multiplier * store.full_weight)
        view = self._view(moment, RowWeights(full, store.weights.raw))
        if items:
            found = self.sums, self.parts, self.scales
            variance = np.float64(median_variance(store.depth))
            run.rows(shrunken.sum_squares, items, shrunken.LANES, view, active, items, self.sums)
            run.flat(shrunken.find_parts, items, view, variance, active, items, gain, *found)
            run.flat(advance.touch_rows, items, store.weights.raw, active, items, gain)
            less = _keep_less_one(store, keep)
            self.later = advance.Plain(gain), view, active, items, grads, less
        return shrunken.ShrunkenAnswers(view, self.parts, self.scales, gain)


class OwnedShrunkenPlan(ShrunkenPlan, OwnedSketchPlan):
    """The same without atomics on numbers."""


class TouchPlan(SketchPlan):
    """Weights of buckets: each touch adds the gain."""

    def _source(self, view, active, items, grads, less, gain):
        return advance.Touch(gain)


class OwnedTouchPlan(TouchPlan, OwnedSketchPlan):
    """The same without atomics on numbers."""


class MeanPlan(Plan):
    """Sums and weights of buckets, each a sketch to which the step adds."""

    def __init__(self, store, items, tools):
        kinds = SketchPlan, TouchPlan
        if tools.deterministic:
            kinds = OwnedSketchPlan, OwnedTouchPlan
        both = zip(kinds, (store.sums, store.weights))
        self.store, self.plans = store, [kind(part, items, tools) for kind, part in both]

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        views = [plan.advance(active, items, grads, moment, keep, gain) for plan in self.plans]
        self.store.count_step(keep, gain)
        return Means(*views, self.store.dtype.type(self.store.full), moment.squared)


class FactorPlan(Plan):
    """Row and column sums of rank-one stores, added up in a fixed order."""

    def __init__(self, store, items, tools):
        self.store, self.run = store, tools.run
        self.total = tools.scratch.array("total", (1,), store.dtype)
        parts = min(_PARTS, max(items, 1))
        self.partial = tools.scratch.array("partial", (parts, store.dim), store.dtype)
        self.most = store.dtype.type(np.finfo(store.dtype).max)

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        store, run, number = self.store, self.run, self.store.dtype.type
        view = Factors(store.left.raw, store.right.raw, self.total, moment.squared)
        if store.decay == "global":
            store.scale(keep)
            source = advance.Plain(number(gain))
        else:
            source = advance.Lazy(view, _keep_less_one(store, keep), number(gain))
            run.block(factors.total_of, view.right, self.total, self.most)
        if items:
            parts, dim = self.partial.shape
            arguments = source, view, active, items, grads
            run.rows(factors.sum_columns, parts, dim, *arguments, self.partial)
            run.flat(factors.add_row_sums, items, *arguments, self.most)
            run.flat(factors.add_column_sums, dim, view.right, self.partial, self.most)
        run.block(factors.total_of, view.right, self.total, self.most)
        return view


class RowWisePlan(Plan):
    """One value a row, moved by the thread that has the row."""

    def __init__(self, store, items, tools):
        self.store, self.run = store, tools.run

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        store, number = self.store, self.store.dtype.type
        gain, less = number(store.begin_step(keep, gain)), _keep_less_one(store, keep)
        view = row_wise.RowValues(store.values.raw, number(store.multiplier), moment.squared)
        if items:
            arguments = view, active, items, grads, less, gain
            self.run.flat(row_wise.move_row_values, items, *arguments)
        return view


class SM3Plan(Plan):
    """Bounds of rows and columns: all targets of columns are found before a row's bound moves."""

    def __init__(self, store, items, tools):
        self.store, self.run = store, tools.run
        parts = min(_PARTS, max(items, 1))
        self.partial = tools.scratch.array("partial", (parts, store.dim), store.dtype)

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        store, run, number = self.store, self.run, self.store.dtype.type
        gain = number(store.begin_step(keep, gain))
        rows, columns = store.row_bounds.raw, store.column_bounds.raw
        view = sm3.Bounds(rows, columns, number(store.multiplier), moment.squared)
        if items:
            arguments = view, active, items, grads, gain
            run.rows(sm3.find_column_targets, *self.partial.shape, *arguments, self.partial)
            run.flat(sm3.raise_row_bounds, items, *arguments)
            run.flat(sm3.raise_column_bounds, store.dim, columns, self.partial)
        return view


class QuantizedPlan(Plan):
    """Blocks of codes, each advanced by one thread."""

    def __init__(self, store, items, tools):
        self.store, self.run = store, tools.run

    def advance(self, active, items, grads, moment, keep, gain):
        """Take the step; the view of the store."""
        store, number = self.store, self.store.dtype.type
        gain, less = number(store.begin_step(keep, gain)), _keep_less_one(store, keep)
        view = quantized.Codes(
            *(array.raw for array in (store.codes, store.scales, store.book, store.lines)),
            np.int64(store.block),
            store.description.signed,
            number(store.multiplier),
            moment.squared,
        )
        if items:
            arguments = view, active, items, grads, less, gain
            blocks = store.scales.shape[1]
            self.run.rows(quantized.code_blocks_anew, items, blocks, *arguments)
        return view


plan_for.register(DenseStore, ExactPlan)
plan_for.register(BucketMeanStore, MeanPlan)
plan_for.register(Rank1Store, FactorPlan)
plan_for.register(RowWiseStore, RowWisePlan)
plan_for.register(SM3Store, SM3Plan)
plan_for.register(QuantizedStore, QuantizedPlan)


@plan_for.register(SketchStore)
@plan_for.register(HeadTailStore)
def _plan_of_sketch(store, items, tools):
    plain, owned = SketchPlan, OwnedSketchPlan
    if store.shrunken:
        plain, owned = ShrunkenPlan, OwnedShrunkenPlan
    kind = owned if tools.deterministic and not store.conservative else plain
    return kind(store, items, tools)
