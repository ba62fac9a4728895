"""The compiled CPU backend: what a step runs, on which scratch memory.

A step is (1) equal rows summed, (2) every auxiliary variable advanced where rows share its cells,
(3) in one pass over the rows: the variables read, the rule applied, the parameters moved. Under
``bucket`` decay (2) comes last, as its answers are of the cells before it. The result is the same
to the bit for any number of threads.
"""

import math
from weakref import WeakKeyDictionary

import numba
import numpy as np

from sketchlab.kernels.cpu.advance import CHUNK, advance, owners_of_cells
from sketchlab.kernels.cpu.coalesce import sort_rows, sum_groups
from sketchlab.kernels.cpu.magnitude import PARTS, sum_squares
from sketchlab.kernels.cpu.move import move
from sketchlab.kernels.cpu.sorting import RADIX
from sketchlab.kernels.cpu.threads import check_not_lost, one_at_a_time
from sketchlab.kernels.cpu.tiles import rows_in_tile
from sketchlab.kernels.cpu.views import (
    ADD,
    BUCKET,
    CONSERVATIVE,
    GIVEN,
    LAZY,
    OWN,
    UNKEPT,
    Now,
    View,
    Work,
    answers_first,
    is_written,
)
from sketchlab.kernels.host import OnHost
from sketchlab.kernels.scratch import Scratch, roomy
from sketchlab.stores import CellStore
from sketchlab.stores.arithmetic import contribution
from sketchlab.stores.bucket_mean import BucketMeanStore

__all__ = ["CPU"]

_MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}
_NO_HASHES, _NO_ROWS = np.empty((0, 4), np.uint64), np.empty(0, np.int64)
_ONE = {dtype: np.ones(1, dtype) for dtype in map(np.dtype, ("float32", "float64"))}

_LARGE = 1 << 22  # numbers in a step, above which both moments write changes in one place
_SLACK = 1.01  # for rounding in sums of squares
_WORTH_THREADS = 1 << 14  # numbers in a step, below which threads cost more than they bring


class CPU(OnHost):
    """The backend of one optimizer; keeps its scratch memory between steps.

    It is O(k·dim) numbers, and one for every cell of a sketch with ``bucket`` decay.
    """

    name = "cpu"

    def __init__(self):
        self._scratch = Scratch()
        self._counted = np.arange(0)
        self._fitted = None, None
        self._views = WeakKeyDictionary()
        self._compiled = set()

    def __reduce__(self):
        return CPU, ()  # scratch memory is not copied

    def largest(self, grads):
        """A bound on the magnitudes in an array; see `OnHost.largest`.

        Of many gradients the root of their sum of squares, found in one pass by all threads.
        """
        if grads.size < _WORTH_THREADS:
            return super().largest(grads)
        check_not_lost()
        sums = self._scratch.array("sums of squares", (PARTS,), grads.dtype)
        with one_at_a_time():
            sum_squares(_writeable(grads.reshape(-1)), sums)
        bound = _SLACK * math.sqrt(float(sums.sum(dtype=np.float64)))
        return bound if math.isfinite(bound) else super().largest(grads)

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step; see `Backend.step`."""
        check_not_lost()
        with one_at_a_time():
            threads = numba.get_num_threads()
            if given.grads.size >= _WORTH_THREADS or threads == 1:
                self._step(rule, scalars, table, given, stores, ready)
                return
            numba.set_num_threads(1)
            try:
                self._step(rule, scalars, table, given, stores, ready)
            finally:
                numba.set_num_threads(threads)

    def _step(self, rule, scalars, table, given, stores, ready):
        rows, grads, source = self.coalesce(len(table), given.rows, _writeable(given.grads))
        self._prepare(rule, scalars, table, rows, grads, stores)
        ready()
        m = v = _unkept(table)
        for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
            advanced = self._cells if isinstance(store, CellStore) else self._answers
            store.make_room(contribution(moment.squared, gain, given.largest))
            kept = advanced(moment, store, rows, grads, source, keep, gain)
            m, v = (m, kept) if moment.squared else (kept, v)
        work, parts, tile_rows = self._advance(m, v, rows, grads, source)
        move(scalars, table, rows, grads, source, *m, *v, work, parts, tile_rows)
        if answers_first(m[0]) or answers_first(v[0]):
            advance(True, *m, *v, work, rows, grads, source, parts, tile_rows)

    def _prepare(self, rule, scalars, table, rows, grads, stores):
        """Ask for memory and have kernels compiled, by a step on no rows, before anything changes.

        What either of them raises, Ctrl-C included, then leaves the optimizer as it was.
        """
        m = v = unkept = _unkept(table)
        for moment, store in zip(rule.moments, stores):
            if isinstance(store, CellStore):
                view = self._view(moment, store), unkept[1]
                m, v = (m, view) if moment.squared else (view, v)
        work, parts, tile_rows, _ = self._work(m[0], v[0], *grads.shape)
        shared = any(map(_shares_cells, stores))
        key = type(scalars), table.dtype, shared
        if key not in self._compiled:
            none = rows[:0]
            if shared:
                advance(False, *unkept, *unkept, work, none, grads, none, parts, tile_rows)
            move(scalars, table, none, grads, none, *unkept, *unkept, work, parts, tile_rows)
            self._compiled.add(key)

    def coalesce(self, n, rows, grads):
        """Distinct ascending rows, their gradients, and which gradient belongs to which row.

        Parameters
        ----------
        n : int
            Rows of the table.
        rows : ndarray of int64, (k,), or None
            In any order, or None for all.
        grads : ndarray, (k, dim)

        Returns
        -------
        rows : ndarray of int64, (m,)
        grads : ndarray
            Those given, or sums of them in scratch memory, valid until the next step.
        source : ndarray of int64, (m,)
            Row number i has gradient ``grads[source[i]]``.
        """
        if rows is None:
            rows = self._counting(n)
            return rows, grads, rows
        if self._ascending(rows):
            return _writeable(rows), grads, self._counting(len(rows))
        k, parts, array = len(rows), numba.get_num_threads(), self._scratch.array
        distinct, source = array("distinct", (k,), np.int64), array("source", (k,), np.int64)
        starts, keys = array("starts", (k + 1,), np.int64), array("keys", (2, k), np.uint64)
        counts = array("counts", (parts, RADIX), np.int64)
        groups = sort_rows(_writeable(rows), n, parts, keys, counts, distinct, source, starts)
        if groups == k:
            return distinct, grads, source
        summed = array("summed", (groups, grads.shape[1]), grads.dtype)
        sum_groups(grads, source, starts, groups, parts, summed)
        return distinct[:groups], summed, self._counting(groups)

    def _ascending(self, rows):
        """Whether every row is larger than the one before it."""
        descents = self._scratch.array("descents", (max(len(rows) - 1, 0),), np.bool_)
        return not np.less_equal(rows[1:], rows[:-1], out=descents).any()

    def _counting(self, count):
        """0, 1, 2, … up to `count`, kept from step to step."""
        if len(self._counted) < count:
            self._counted = np.arange(max(count, roomy(len(self._counted))))
        return self._counted[:count]

    def _cells(self, moment, store, rows, grads, source, keep, gain):
        """The view of a store made of cells, and its numbers in this step."""
        number = store.dtype.type
        gain = number(store.begin_step(keep, gain))
        store.touch(rows, gain)
        view = self._view(moment, store)
        places = store.places(rows) if view.heads else _NO_ROWS
        less = number(store.row_keep_less_one(keep))
        return view, Now(less, gain, store.scales(rows), places)

    def _view(self, moment, store):
        """The view of a store, made anew when the store has got another table."""
        cells, view = self._views.get(store, (None, None))
        if cells is not store.cells:
            view = _view(moment, store)
            self._views[store] = store.cells, view
        return view

    def _answers(self, moment, store, rows, grads, source, keep, gain):
        """Advance any other store by its own means; a view of its answers."""
        if isinstance(store, BucketMeanStore):
            self._advance_means(moment, store, rows, grads, source, keep, gain)
        else:
            store.advance(rows, grads[source], keep, gain, moment.squared)
        answers = np.ascontiguousarray(store.estimate(rows))
        view, now = _unkept(answers)
        return view._replace(mode=GIVEN), now

    def _advance_means(self, moment, store, rows, grads, source, keep, gain):
        """Advance both sketches of a store of means: of u, and of touches."""
        touches = self._scratch.array("touches", (len(rows), 1), store.dtype)
        touches.fill(1)
        for sketch, given, at in (
            (store.sums, grads, source),
            (store.weights, touches, self._counting(len(rows))),
        ):
            sketched = self._cells(moment, sketch, rows, given, at, keep, gain)
            self._advance(sketched, _unkept(sketch.flat_cells), rows, given, at)
        store.count_step(keep, gain)

    def _advance(self, first, second, rows, grads, source):
        """Advance the cells that rows share; the scratch memory, parts and rows in a tile."""
        views = first[0], second[0]
        work, parts, tile_rows, apart = self._work(*views, len(rows), grads.shape[1])
        pairs = [(first, second)]
        if apart:
            pairs = [(first, _unkept(views[0].cells)), (_unkept(views[1].cells), second)]
        if any(view.mode >= ADD for view in views):
            for one, other in pairs:
                advance(False, *one, *other, work, rows, grads, source, parts, tile_rows)
        return work, parts, tile_rows

    def _work(self, first, second, k, dim):
        """Scratch memory, parts, rows in a tile, and whether moments are advanced one by one."""
        parts, views = numba.get_num_threads(), (first, second)
        # a large step writes down the changes of one moment in the place of the other's
        apart = k * dim > _LARGE and all(map(is_written, views))
        return self._fit(views, k, dim, parts, apart), parts, rows_in_tile(dim), apart

    def _fit(self, views, k, dim, parts, apart):
        """Scratch memory for a step on k rows."""
        dtype, array = views[0].cells.dtype, self._scratch.array
        depths, modes = [len(view.constants) for view in views], [view.mode for view in views]
        fitted, work = self._fitted
        counted = [len(view.cells) for view in views if view.mode == BUCKET]
        key = k, dim, parts, apart, dtype, depths, modes, counted
        if key == fitted:
            return work
        depth, both = max(depths), sum(depths)
        written = 1 if apart else sum(map(is_written, views))
        owners = max(map(owners_of_cells, (both, *depths), (parts,) * 3))
        work = Work(
            slots=array("slots", (2, depth, k), np.int64),
            signs=array("signs", (2, depth, k), np.int8),
            change=array("change", (written * k * dim,), dtype),
            buffers=array("buffers", (parts, 4 + depth, dim * rows_in_tile(dim)), dtype),
            picked=array("picked", (both * owners, 2, CHUNK), np.int64),
            active=array("active rows", (sum(counted),), np.int32),
        )
        self._fitted = key, work
        return work


def _unkept(cells):
    """The view of a moment that is not kept, and its numbers."""
    zero = cells.dtype.type(0)
    view = View(cells, _NO_HASHES, UNKEPT, place=0, median=False, squared=False, heads=0, width=0)
    return view, Now(zero, zero, _ONE[cells.dtype], _NO_ROWS)


def _view(moment, store):
    """The view of a store made of cells."""
    if store.private:
        return _unkept(store.flat_cells)[0]._replace(mode=OWN, squared=moment.squared)
    return View(
        store.flat_cells,
        store.constants,
        mode=CONSERVATIVE if store.conservative else _MODES[store.decay],
        place=int(moment.squared),
        median=store.description.signed,
        squared=moment.squared,
        heads=store.heads,
        width=store.width,
    )


def _writeable(array):
    """The array, or a copy of a read-only one, for which kernels would be compiled once more."""
    return array if array.flags.writeable else array.copy()


def _shares_cells(store):
    """Whether kernels advance cells of the store that several rows share."""
    return isinstance(store, BucketMeanStore) or (
        isinstance(store, CellStore) and not store.private
    )
