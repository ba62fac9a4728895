"""The compiled CPU backend: what a step runs, on which scratch memory.

A step is (1) equal rows summed, (2) every auxiliary variable advanced where rows share its cells,
(3) in one pass over the rows: the variables read, the rule applied, the parameters moved. Under
``bucket`` decay, and where answers are shrunken, (2) comes last, as these are of the cells before
it. The result is the same to the bit for any number of threads.
"""

import math

import numba
import numpy as np

from sketchlab.kernels.compile import told_if_long
from sketchlab.kernels.cpu.advance import advance
from sketchlab.kernels.cpu.coalesce import sort_rows, sum_groups
from sketchlab.kernels.cpu.magnitude import PARTS, sum_squares
from sketchlab.kernels.cpu.moments import (
    Step,
    advance_moment,
    advance_shared,
    arguments,
    view_before,
)
from sketchlab.kernels.cpu.move import move
from sketchlab.kernels.cpu.sorting import RADIX
from sketchlab.kernels.cpu.threads import check_not_lost, one_at_a_time
from sketchlab.kernels.cpu.views import ADD, answers_first, idle
from sketchlab.kernels.cpu.workspace import Workspace
from sketchlab.kernels.host import OnHost
from sketchlab.stores.arithmetic import contribution

__all__ = ["CPU"]

_SLACK = 1.01  # for rounding in sums of squares
_WORTH_THREADS = 1 << 14  # numbers in a step, below which threads cost more than they bring


class CPU(OnHost):
    """The backend of one optimizer; keeps its scratch memory between steps, see `Workspace`."""

    name = "cpu"

    def __init__(self):
        self._space = Workspace()
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
        sums = self._space.array("sums of squares", (PARTS,), grads.dtype)
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
        views = []
        for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
            store.make_room(contribution(moment.squared, gain, given.largest))
            step = Step(moment, rows, grads, source, keep, gain, len(rule.moments))
            views.append(advance_moment(store, step, self._space))
        fitted = advance_shared(views, rows, grads, source, self._space)
        others = arguments(fitted, fitted.views)
        move(scalars, table, rows, grads, source, *others)
        if any(map(answers_first, views)):
            advance(True, rows, grads, source, *others)

    def _prepare(self, rule, scalars, table, rows, grads, stores):
        """Ask for memory and have kernels compiled, by a step on no rows, before anything changes.

        What either of them raises, Ctrl-C included, then leaves the optimizer as it was.
        """
        views = [
            view_before(store, moment, self._space, table)
            for moment, store in zip(rule.moments, stores)
        ]
        fitted = self._space.fit(views, *grads.shape, grads.dtype)
        shared = any(view.mode >= ADD for view in views)
        key = type(scalars), table.dtype, shared
        if key not in self._compiled:
            others = arguments(fitted, map(idle, fitted.views))
            none = rows[:0]
            with told_if_long():
                if shared:
                    advance(False, none, grads, none, *others)
                move(scalars, table, none, grads, none, *others)
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
            rows = self._space.counting(n)
            return rows, grads, rows
        if self._ascending(rows):
            return _writeable(rows), grads, self._space.counting(len(rows))
        k, parts, array = len(rows), numba.get_num_threads(), self._space.array
        distinct, source = array("distinct", (k,), np.int64), array("source", (k,), np.int64)
        starts, keys = array("starts", (k + 1,), np.int64), array("keys", (2, k), np.uint64)
        counts = array("counts", (parts, RADIX), np.int64)
        groups = sort_rows(_writeable(rows), n, parts, keys, counts, distinct, source, starts)
        if groups == k:
            return distinct, grads, source
        summed = array("summed", (groups, grads.shape[1]), grads.dtype)
        sum_groups(grads, source, starts, groups, parts, summed)
        return distinct[:groups], summed, self._space.counting(groups)

    def _ascending(self, rows):
        """Whether every row is larger than the one before it."""
        descents = self._space.array("descents", (max(len(rows) - 1, 0),), np.bool_)
        return not np.less_equal(rows[1:], rows[:-1], out=descents).any()


def _writeable(array):
    """The array, or a copy of a read-only one, for which kernels would be compiled once more."""
    return array if array.flags.writeable else array.copy()
