"""The compiled CPU backend: rule × store loops in Numba, parallel, the same bits for any threads.

A step is (1) equal rows summed, (2) for every auxiliary variable the rows' cells found, grouped by
cell and advanced, (3) in one pass over the rows: the variables read, the rule applied, the
parameters moved. Cells are advanced by the thread that owns them, each adding its rows in
ascending order; therefore the result depends neither on the number of threads nor on the order in
which the caller listed the rows.
"""

import threading
from typing import NamedTuple

import numba
import numpy as np
from numba import prange
from numba.extending import register_jitable

from sketchlab import hashing
from sketchlab.kernels.columns import (
    add_gradient,
    add_signed,
    decay_cell,
    raise_cell,
    read_median,
    read_minimum,
    scale_positive,
    to_change,
    to_target,
)
from sketchlab.kernels.compile import kernel
from sketchlab.kernels.grouping import RADIX, group_starts, next_group, sort_stably
from sketchlab.kernels.host import OnHost
from sketchlab.kernels.prefetch import AHEAD, prefetch_cells, prefetch_row
from sketchlab.kernels.rule import update
from sketchlab.kernels.scratch import Scratch
from sketchlab.rules import added
from sketchlab.stores import CellStore
from sketchlab.stores.bucket_mean import BucketMeanStore

__all__ = ["CPU"]

# How a kernel advances the cells of a store.
ADD, LAZY, BUCKET, CONSERVATIVE = range(4)
MODES = {"global": ADD, "lazy": LAZY, "bucket": BUCKET}

# Numba's workqueue layer aborts the process when two Python threads run parallel kernels at once;
# a step uses all cores anyway, so steps take turns.
_ONE_AT_A_TIME = threading.Lock()


class View(NamedTuple):
    """A store made of cells, as kernels see it in one step.

    ``private`` cells belong to one row each and are advanced when they are read; so do the first
    ``heads`` cells of other stores, which all hash functions give to their row. A view of depth 0
    stands for a moment that the rule does not keep.
    """

    cells: np.ndarray  # (cells, dim)
    slots: np.ndarray  # (depth, k)
    signs: np.ndarray  # (depth, k)
    median: bool
    squared: bool
    private: bool
    keep_less_one: np.floating
    gain: np.floating
    scales: (
        np.ndarray
    )  # (k,), or (1,) for all rows: from the divided table's answers to the store's
    heads: int


@kernel
def sort_rows(rows, bits, distinct, order, starts):
    """Distinct rows in ascending order, and where each one's entries start in `order`."""
    counts = np.empty(RADIX, np.int64)
    sort_stably(rows, bits, order, starts, counts)
    groups = group_starts(rows, order, starts)
    for u in prange(groups):
        distinct[u] = rows[order[starts[u]]]
    return groups


@kernel
def sum_groups(values, order, starts, summed):
    """Row u of `summed` is the sum of group u's values, added in the order given."""
    for u in prange(summed.shape[0]):
        total, first = summed[u], values[order[starts[u]]]
        for c in range(total.size):
            total[c] = first[c]
        for e in range(starts[u] + 1, starts[u + 1]):
            more = values[order[e]]
            for c in range(total.size):
                total[c] += more[c]


@kernel
def locate(rows, constants, width, signed, slots, signs):
    """The cells of every row in the flattened table, and their signs."""
    for i in prange(rows.size):
        row = np.uint64(rows[i])
        for j in range(slots.shape[0]):
            found = hashing.bucket(row, constants[j, 0], constants[j, 1], np.uint64(width))
            slots[j, i] = np.int64(found) + j * width
            signs[j, i] = 1
            if signed and hashing.sign_bit(row, constants[j, 2], constants[j, 3]) != 0:
                signs[j, i] = -1


@kernel
def advance(view, grads, source, mode, bits, order, spare, counts, change, ordered):
    """One step of a store whose rows share cells: x ← keep·x + gain·u, all reads before writes.

    `grads[source[i]]` is the gradient of row number i; cell numbers have `bits` bits. Scratch:
    `order`, `spare` (depth, k), `counts` (depth, RADIX), `change` (k, dim) and `ordered` (parts,
    depth, dim); the number of parts only splits the work.
    """
    cells, slots, signs, squared = view.cells, view.slots, view.signs, view.squared
    depth, k = slots.shape
    parts = ordered.shape[0]

    for j in prange(depth):
        sort_stably(slots[j], bits, order[j], spare[j], counts[j])

    if mode in (LAZY, CONSERVATIVE):
        for p in prange(parts):
            for i in range(k * p // parts, k * (p + 1) // parts):
                prefetch_cells(cells, slots, i + AHEAD)
                answer, gradient = change[i], grads[source[i]]
                if view.median:
                    read_median(cells, slots, signs, i, ordered[p], answer)
                else:
                    read_minimum(cells, slots, i, answer)
                if mode == LAZY:
                    to_change(answer, gradient, squared, view.keep_less_one, view.gain)
                else:
                    to_target(answer, gradient, squared, view.gain)

    # a part owns whole groups of entries, that is whole cells
    for q in prange(depth * parts):
        j, p = q // parts, q % parts
        slot, place = slots[j], order[j]
        end = next_group(slot, place, k * (p + 1) // parts)
        for e in range(next_group(slot, place, k * p // parts), end):
            i = place[e]
            if j > 0 and slot[i] < view.heads:
                continue  # the row's one cell, which the first hash function changes
            if e + AHEAD < k:
                later = place[e + AHEAD]
                prefetch_row(cells, slot[later])
                if change.shape[0] > 0:
                    prefetch_row(change, later)
                else:
                    prefetch_row(grads, source[later])
            cell = cells[slot[i]]
            sign = cells.dtype.type(signs[j, i])
            if mode == LAZY:
                add_signed(cell, sign, change[i])
            elif mode == CONSERVATIVE:
                raise_cell(cell, change[i])
            else:
                if mode == BUCKET and (e == 0 or slot[i] != slot[place[e - 1]]):
                    active_rows = next_group(slot, place, e + 1) - e
                    decay_cell(cell, cells.dtype.type(active_rows), view.keep_less_one)
                add_gradient(cell, sign * view.gain, grads[source[i]], squared)


@register_jitable
def read_moment(view, i, gradient, ordered, answer):
    """The answer of row number i as the rule may use it; private cells take their step first."""
    if view.slots.shape[0] == 0:
        return
    if view.private:
        cell = view.cells[view.slots[0, i]]
        decay_cell(cell, view.cells.dtype.type(1), view.keep_less_one)
        add_gradient(cell, view.gain, gradient, view.squared)
    if view.median:
        read_median(view.cells, view.slots, view.signs, i, ordered, answer)
    else:
        read_minimum(view.cells, view.slots, i, answer)
    scale_positive(answer, view.scales[min(i, view.scales.size - 1)], view.squared)


@kernel
def move(h, table, rows, grads, source, first, second, ordered, answers):
    """Read the moments of every row and move its parameters by the rule that `h` names.

    `first` and `second` are the views of m and v. `ordered` (parts, depth, dim) and `answers`
    (parts, 2, dim) are scratch.
    """
    parts, k = answers.shape[0], rows.size
    for p in prange(parts):
        m, v = answers[p, 0], answers[p, 1]
        for i in range(k * p // parts, k * (p + 1) // parts):
            prefetch_cells(first.cells, first.slots, i + AHEAD)
            prefetch_cells(second.cells, second.slots, i + AHEAD)
            if i + AHEAD < k:
                prefetch_row(table, rows[i + AHEAD])
            x, g = table[rows[i]], grads[source[i]]
            read_moment(first, i, g, ordered[p], m)
            read_moment(second, i, g, ordered[p], v)
            for c in range(x.size):
                x[c] = update(h, x[c], g[c], m[c], v[c])


class CPU(OnHost):
    """The backend of one optimizer; keeps its scratch memory, O(k·dim) numbers, between steps."""

    name = "cpu"

    def __init__(self):
        self._scratch = Scratch()

    def step(self, rule, scalars, table, rows, grads, stores):
        """Take one step; see `Backend.step`."""
        with _ONE_AT_A_TIME:
            rows, grads, source = self._coalesce(len(table), rows, _writeable(grads))
            views = {"m": _unkept(table), "v": _unkept(table)}
            for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
                advanced = self._cells if isinstance(store, CellStore) else self._answers
                views[moment.name] = advanced(moment, store, rows, grads, source, keep, gain)
            depth = max(len(view.slots) for view in views.values())
            ordered = self._columns("ordered", depth, table)
            answers = self._columns("answers", 2, table)
            move(scalars, table, rows, grads, source, views["m"], views["v"], ordered, answers)

    def _coalesce(self, n, rows, grads):
        """Distinct ascending rows (m,), gradients, and which gradient belongs to which row (m,)."""
        if rows is None:
            rows = np.arange(n)
            return rows, grads, rows
        if (rows[1:] > rows[:-1]).all():
            return _writeable(rows), grads, np.arange(len(rows))
        k, scratch = len(rows), self._scratch
        distinct = scratch.array("distinct", (k,), np.int64)
        source = scratch.array("source", (k,), np.int64)
        starts = scratch.array("starts", (k + 1,), np.int64)
        groups = sort_rows(_writeable(rows), _bits(n), distinct, source, starts)
        if groups == k:
            return distinct, grads, source
        summed = scratch.array("summed", (groups, grads.shape[1]), grads.dtype)
        sum_groups(grads, source, starts, summed)
        return distinct[:groups], summed, np.arange(groups)

    def _cells(self, moment, store, rows, grads, source, keep, gain):
        """Advance a store made of cells; its view."""
        number = store.dtype.type
        gain = number(store.begin_step(keep, gain))
        store.touch(rows, gain)
        less = number(store.row_keep_less_one(keep))
        depth, k = store.depth, len(rows)
        slots = self._scratch.array(f"slots of {moment.name}", (depth, k), np.int64)
        signs = self._scratch.array(f"signs of {moment.name}", (depth, k), np.int8)
        median = store.description.signed and not store.private
        if store.private:
            slots[0] = rows
        else:
            locate(rows, store.constants, store.width, median, slots, signs)
        if store.heads:
            store.own_cells(rows, slots, signs)
        view = View(
            store.flat_cells, slots, signs, median, moment.squared, store.private,
            less, gain, store.scales(rows), store.heads,
        )  # fmt: skip
        if not store.private:
            self._advance(view, store, grads, source)
        return view

    def _advance(self, view, store, grads, source):
        """Run `advance` with the scratch that it needs."""
        depth, k = view.slots.shape
        mode = CONSERVATIVE if store.conservative else MODES[store.decay]
        change_rows = k if mode in (LAZY, CONSERVATIVE) else 0
        array = self._scratch.array
        advance(
            view,
            grads,
            source,
            mode,
            _bits(len(view.cells)),
            array("order", (depth, k), np.int64),
            array("spare", (depth, k), np.int64),
            array("counts", (depth, RADIX), np.int64),
            array("change", (change_rows, store.dim), store.dtype),
            self._columns("ordered", depth, view.cells),
        )

    def _answers(self, moment, store, rows, grads, source, keep, gain):
        """Advance any other store by its own means; a view of its answers."""
        if isinstance(store, BucketMeanStore):
            self._advance_means(moment, store, rows, grads, source, keep, gain)
        else:
            store.advance(rows, added(moment.squared, grads[source]), keep, gain)
        answers = np.ascontiguousarray(store.estimate(rows))
        return _unkept(answers)._replace(
            slots=np.arange(len(rows))[None, :], squared=moment.squared
        )

    def _advance_means(self, moment, store, rows, grads, source, keep, gain):
        """Advance both sketches of a store of means: of u, and of touches."""
        self._cells(moment, store.sums, rows, grads, source, keep, gain)
        touches = np.ones((len(rows), 1), store.dtype)
        self._cells(moment, store.weights, rows, touches, np.arange(len(rows)), keep, gain)
        store.count_step(keep, gain)

    def _columns(self, name, count, like):
        """Buffers of `count` rows of columns for every part of the work."""
        return self._scratch.array(
            name, (numba.get_num_threads(), count, like.shape[1]), like.dtype
        )


def _unkept(cells):
    """The view of a moment that is not kept: no cells for any row."""
    zero = cells.dtype.type(0)
    none = np.empty((0, 0), np.int64)
    one = np.ones(1, cells.dtype)
    return View(cells, none, none.astype(np.int8), False, False, False, zero, zero, one, 0)


def _bits(count):
    """Bits of the largest number below `count`."""
    return int(count - 1).bit_length()


def _writeable(array):
    """The array, or a copy of a read-only one, for which kernels would be compiled once more."""
    return array if array.flags.writeable else array.copy()
