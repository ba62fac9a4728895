"""The compiled CPU backend: what a step runs, on which scratch memory.

A step is (1) equal rows summed, (2) every auxiliary variable advanced where rows share its cells,
(3) in one pass over the rows: the variables read, the rule applied, the parameters moved. The
result is the same to the bit for any number of threads.
"""

import threading

import numba
import numpy as np

from sketchlab.kernels.cpu.advance import CHUNK, advance, owners
from sketchlab.kernels.cpu.coalesce import sort_rows, sum_groups
from sketchlab.kernels.cpu.move import move
from sketchlab.kernels.cpu.sorting import RADIX
from sketchlab.kernels.cpu.tiles import rows_in_tile
from sketchlab.kernels.cpu.views import ADD, BUCKET, CONSERVATIVE, GIVEN, LAZY, unkept
from sketchlab.kernels.host import OnHost
from sketchlab.kernels.scratch import Scratch
from sketchlab.rules import added
from sketchlab.stores import CellStore
from sketchlab.stores.bucket_mean import BucketMeanStore

__all__ = ["CPU"]

_MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}

# Numba's workqueue layer aborts the process when two Python threads run parallel kernels at once;
# a step uses all cores anyway, so steps take turns.
_ONE_AT_A_TIME = threading.Lock()


class CPU(OnHost):
    """The backend of one optimizer; keeps its scratch memory, O(k·dim) numbers, between steps."""

    name = "cpu"

    def __init__(self):
        self._scratch = Scratch()
        self._identity = np.arange(0)

    def step(self, rule, scalars, table, rows, grads, stores):
        """Take one step; see `Backend.step`."""
        with _ONE_AT_A_TIME:
            rows, grads, source = self.coalesce(len(table), rows, _writeable(grads))
            views = {"m": unkept(table), "v": unkept(table)}
            for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
                advanced = self._cells if isinstance(store, CellStore) else self._answers
                views[moment.name] = advanced(moment, store, rows, grads, source, keep, gain)
            depth = max(len(view.slots) for view in views.values())
            tile_rows = rows_in_tile(table.shape[1])
            buffers = self._buffers(depth, table)
            m, v = views["m"], views["v"]
            move(scalars, table, rows, grads, source, m, v, tile_rows, buffers)

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
        k, scratch = len(rows), self._scratch
        distinct = scratch.array("distinct", (k,), np.int64)
        source = scratch.array("source", (k,), np.int64)
        starts = scratch.array("starts", (k + 1,), np.int64)
        counts = scratch.array("counts", (1, RADIX), np.int64)
        groups = sort_rows(_writeable(rows), _bits(n), distinct, source, starts, counts[0])
        if groups == k:
            return distinct, grads, source
        summed = scratch.array("summed", (groups, grads.shape[1]), grads.dtype)
        sum_groups(grads, source, starts, summed)
        return distinct[:groups], summed, self._counting(groups)

    def _ascending(self, rows):
        """Whether every row is larger than the one before it."""
        descents = self._scratch.array("descents", (max(len(rows) - 1, 0),), np.bool_)
        return not np.less_equal(rows[1:], rows[:-1], out=descents).any()

    def _counting(self, count):
        """0, 1, 2, … up to `count`, kept from step to step."""
        if len(self._identity) < count:
            self._identity = np.arange(count)
        return self._identity[:count]

    def _cells(self, moment, store, rows, grads, source, keep, gain):
        """Advance a store made of cells; its view."""
        number = store.dtype.type
        gain = number(store.begin_step(keep, gain))
        store.touch(rows, gain)
        less = number(store.row_keep_less_one(keep))
        if store.private:
            view = unkept(store.flat_cells)._replace(slots=rows[None, :])
        else:
            view = self._located_by_hash(moment.name, store, rows)
        view = view._replace(
            scales=store.scales(rows), squared=moment.squared, keep_less_one=less, gain=gain
        )
        if not store.private:
            self._advance(view, rows, grads, source)
        return view

    def _located_by_hash(self, name, store, rows):
        """The view of a sketch; `advance` finds the cells of its rows."""
        shape, array = (store.depth, len(rows)), self._scratch.array
        view = unkept(store.flat_cells)
        return view._replace(
            slots=array(f"slots of {name}", shape, np.int64),
            signs=array(f"signs of {name}", shape, np.int8),
            constants=store.constants,
            places=store.places(rows) if store.heads else view.places,
            mode=CONSERVATIVE if store.conservative else _MODES[store.decay],
            median=store.description.signed,
            heads=store.heads,
            width=store.width,
        )

    def _advance(self, view, rows, grads, source):
        """Run `advance` with the scratch that it needs."""
        depth, k = view.slots.shape
        dim, dtype = view.cells.shape[1], view.cells.dtype
        threads = numba.get_num_threads()
        change_rows = k if view.mode in (LAZY, CONSERVATIVE) else 0
        sorted_rows = k if view.mode == BUCKET else 0
        divided = owners(depth, threads)
        array = self._scratch.array
        advance(
            view,
            rows,
            grads,
            source,
            rows_in_tile(dim),
            divided,
            array("change", (change_rows, dim), dtype),
            self._buffers(depth, view.cells),
            array("picked", (depth * divided, CHUNK), np.int64),
            _bits(len(view.cells)),
            array("order", (depth, sorted_rows), np.int64),
            array("spare", (depth, sorted_rows), np.int64),
            array("counts", (depth, RADIX), np.int64),
        )

    def _answers(self, moment, store, rows, grads, source, keep, gain):
        """Advance any other store by its own means; a view of its answers."""
        if isinstance(store, BucketMeanStore):
            self._advance_means(moment, store, rows, grads, source, keep, gain)
        else:
            store.advance(rows, added(moment.squared, grads[source]), keep, gain)
        answers = np.ascontiguousarray(store.estimate(rows))
        return unkept(answers)._replace(slots=self._counting(len(rows))[None, :], mode=GIVEN)

    def _advance_means(self, moment, store, rows, grads, source, keep, gain):
        """Advance both sketches of a store of means: of u, and of touches."""
        self._cells(moment, store.sums, rows, grads, source, keep, gain)
        touches = self._scratch.array("touches", (len(rows), 1), store.dtype)
        touches.fill(1)
        self._cells(moment, store.weights, rows, touches, self._counting(len(rows)), keep, gain)
        store.count_step(keep, gain)

    def _buffers(self, depth, like):
        """Buffers of tiles for every part: x, g, m, v, and one run for each hash function."""
        columns = like.shape[1] * rows_in_tile(like.shape[1])
        shape = numba.get_num_threads(), 4 + depth, columns
        return self._scratch.array("buffers", shape, like.dtype)


def _bits(count):
    """Bits of the largest number below `count`."""
    return int(count - 1).bit_length()


def _writeable(array):
    """The array, or a copy of a read-only one, for which kernels would be compiled once more."""
    return array if array.flags.writeable else array.copy()
