"""The compiled CPU backend: what a step runs, on which scratch memory.

A step is (1) equal rows summed, (2) every auxiliary variable advanced where rows share its cells,
(3) in one pass over the rows: the variables read, the rule applied, the parameters moved. Under
``bucket`` decay, and where answers are shrunken, (2) comes last, as these are of the cells before
it. The result is the same to the bit for any number of threads.
"""

import math

import numpy as np

from sketchlab.kernels.compile import told_if_long
from sketchlab.kernels.cpu.advance import advance
from sketchlab.kernels.cpu.coalesce import sort_rows, sum_groups
from sketchlab.kernels.cpu.look import order_of, sum_few_squares, sum_squares
from sketchlab.kernels.cpu.move import move
from sketchlab.kernels.cpu.move_own import move_own
from sketchlab.kernels.cpu.parts import Step, part_of
from sketchlab.kernels.cpu.sorting import RADIX
from sketchlab.kernels.cpu.threads import PARTS, check_not_lost, one_at_a_time
from sketchlab.kernels.cpu.workspace import Workspace
from sketchlab.kernels.host import OnHost
from sketchlab.kernels.numba_private import count_threads, use_threads
from sketchlab.validation import refuse_outside, row_numbers

__all__ = ["CPU"]

_SLACK = 1.01  # for rounding in sums of squares
_WORTH_THREADS = 1 << 14  # numbers in a step, below which threads cost more than they bring


class CPU(OnHost):
    """The backend of one optimizer; keeps its scratch memory between steps, see `Workspace`."""

    name = "cpu"

    def __init__(self):
        self._space = Workspace()
        self._parts = None
        self._compiled = set()

    def __reduce__(self):
        return CPU, ()  # scratch memory is not copied

    def inspect_rows(self, rows, n):
        """Row numbers, and whether they ascend; see `OnHost.inspect_rows`."""
        numbers = _writeable(row_numbers(rows))
        if not numbers.size:
            return numbers, True
        least, largest, ascending = order_of(numbers)
        if least < 0 or largest >= n:
            refuse_outside(rows, n)
        return numbers, ascending

    def largest(self, grads):
        """A bound on the magnitudes in an array; see `OnHost.largest`.

        The root of their sum of squares, found in one pass: of many gradients by all threads.
        """
        values = _writeable(grads.reshape(-1))
        if values.size < _WORTH_THREADS:
            total = sum_few_squares(values)
        else:
            check_not_lost()
            sums = self._space.array("sums of squares", (PARTS,), grads.dtype)
            with one_at_a_time():
                sum_squares(values, sums)
            total = float(sums.sum(dtype=np.float64))
        bound = _SLACK * math.sqrt(total)
        return bound if math.isfinite(bound) else super().largest(grads)

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step; see `Backend.step`."""
        check_not_lost()
        with one_at_a_time():
            threads = count_threads()
            if given.grads.size >= _WORTH_THREADS or threads == 1:
                self._step(rule, scalars, table, given, stores, ready, threads)
                return
            use_threads(1)
            try:
                self._step(rule, scalars, table, given, stores, ready, 1)
            finally:
                use_threads(threads)

    def _step(self, rule, scalars, table, given, stores, ready, threads):
        rows, grads, source = self.coalesce(
            len(table), given.rows, _writeable(given.grads), given.ascending, threads
        )
        fitted = self._prepare(rule, scalars, table, rows, grads, stores, threads)
        ready()
        step = Step(rows, grads, source, given.largest)
        for part, (keep, gain) in zip(fitted.parts, rule.recursions()):
            part.begin(step, keep, gain)
        for parts in fitted.sharing:
            advance(False, rows, grads, source, *fitted.to_advance(parts))
        _move(fitted, scalars, table, rows, grads, source)
        if fitted.late:
            for parts in fitted.sharing:
                advance(True, rows, grads, source, *fitted.to_advance(parts))

    def _prepare(self, rule, scalars, table, rows, grads, stores, threads):
        """Ask for memory and have kernels compiled, by a step on no rows, before anything changes.

        What either of them raises, Ctrl-C included, then leaves the optimizer as it was.
        """
        parts = self._parts
        if parts is None or not all([part.fits(store) for part, store in zip(parts, stores)]):
            parts = self._parts = list(map(part_of, stores, rule.moments))
        fitted = self._space.fit(parts, len(rows), table.shape[1], table.dtype, threads)
        key = type(scalars), len(fitted.sharing)
        if key not in self._compiled:
            none = rows[:0]
            with told_if_long():
                for sharing in fitted.sharing:
                    advance(False, none, grads, none, *fitted.to_advance(sharing))
                _move(fitted, scalars, table, none, grads, none)
                for part in parts:
                    part.compile(Step(none, grads, none, 0.0))
            self._compiled.add(key)
        return fitted

    def coalesce(self, n, rows, grads, ascending, threads):
        """Distinct ascending rows, their gradients, and which gradient belongs to which row.

        Parameters
        ----------
        n : int
            Rows of the table.
        rows : ndarray of int64, (k,), or None
            In any order, or None for all.
        grads : ndarray, (k, dim)
        ascending : bool
            Whether every row is larger than the one before it.
        threads : int

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
        if ascending:
            return rows, grads, self._space.counting(len(rows))
        k, array = len(rows), self._space.array
        distinct, source = array("distinct", (k,), np.int64), array("source", (k,), np.int64)
        starts, keys = array("starts", (k + 1,), np.int64), array("keys", (2, k), np.uint64)
        counts = array("counts", (threads, RADIX), np.int64)
        groups = sort_rows(rows, n, threads, keys, counts, distinct, source, starts)
        if groups == k:
            return distinct, grads, source
        summed = array("summed", (groups, grads.shape[1]), grads.dtype)
        sum_groups(grads, source, starts, groups, threads, summed)
        return distinct[:groups], summed, self._space.counting(groups)


def _move(fitted, *step):
    """The last part of a step, by the kernel that its variables need."""
    last = move_own if fitted.own else move
    last(*step, *fitted.to_move())


def _writeable(array):
    """The array, or a copy of a read-only one, for which kernels would be compiled once more."""
    return array if array.flags.writeable else array.copy()
