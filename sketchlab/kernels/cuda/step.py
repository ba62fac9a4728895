"""A step prepared once: what is launched, in which order, and what changes from step to step."""

import numpy as np

from sketchlab.kernels.cuda import advance, bucket
from sketchlab.kernels.cuda import sketch_plans as _registered  # noqa: F401 - its plans
from sketchlab.kernels.cuda.active import EveryRow, SortedRows
from sketchlab.kernels.cuda.arguments import Array, Number
from sketchlab.kernels.cuda.groups import chunk_for, sum_groups
from sketchlab.kernels.cuda.move import move
from sketchlab.kernels.cuda.plans import Rows, plan_for
from sketchlab.kernels.cuda.sorting import RowKeys, Sorter

__all__ = ["PreparedStep"]


class Ordering:
    """The rows of a sparse step in ascending order, and the gradients of equal ones summed.

    Parameters
    ----------
    run : Launcher
    scratch : Scratch
    n : int
    dtype : dtype
        Of the row numbers.
    grads : Array
    dim : int
    """

    def __init__(self, run, scratch, n, dtype, grads, dim):
        self._run, self._scratch, self._dim = run, scratch, dim
        self._rows = Array(dtype, 1)
        self._sort = Sorter(run, scratch, "rows", RowKeys(self._rows, n), n.bit_length())
        self._sums, self._parts = Array(grads.dtype, 2), Array(grads.dtype, 2)
        self._chunk = Number(np.int64)
        self.active = SortedRows(n, self._sort.keys, self._sort.order, self._sums)
        given = self.active, grads, self._sort.repeated, self._sort.turn
        arguments = *given, self._chunk, self._parts, run.arrived
        self._sum = run.prepare(sum_groups, *arguments, together=True)

    def resize(self, items):
        """Get ready for so many rows."""
        chunk = chunk_for(items)
        parts, array = -(-items // chunk), self._scratch.array
        self._sort.resize(items)
        self._chunk.set(chunk)
        self._sums.set(array("sums of equal rows", ((items + 1) // 2, self._dim), self._sums.dtype))
        self._parts.set(array("parts of sums", (parts, self._dim), self._parts.dtype))
        self._sum.over_rows_together(parts, self._dim)

    def __call__(self, rows):
        """Sort the rows, and sum gradients."""
        self._rows.set(rows)
        self._sort()
        self._sum()


class PreparedStep:
    """Steps of one kind: of a rule on some stores, with rows of some type or dense.

    Parameters
    ----------
    run : Launcher
    scratch : Scratch
    deterministic : bool
    moments : tuple of Moment
    scalars : NamedTuple
        Of the first step, as the others are of all first.
    table : Memory, (n, dim)
    given : Given
    stores : list of live stores
    """

    def __init__(self, run, scratch, deterministic, moments, scalars, table, given, stores):
        (n, self._dim), rows = table.shape, given.rows
        self._table, self._grads = Array.of(table), Array(table.dtype, 2)
        self._items, self._ordering, active = Number(np.int64), None, EveryRow(n)
        if rows is not None:
            self._ordering = Ordering(run, scratch, n, rows.dtype, self._grads, self._dim)
            active = self._ordering.active
        self._scalars = type(scalars)(*(Number(table.dtype) for _ in scalars))
        parts = Rows(active, self._items, self._grads, run, scratch, deterministic)
        items = 0 if given.grads is None else given.grads.shape[0]
        self._plans = [
            plan_for(store, moment, parts, items) for moment, store in zip(moments, stores)
        ]
        self._size = None
        self._phases(run, parts.arguments())

    def _phases(self, run, arguments):
        """Prepare what is launched beside the plans' own kernels, and put all in order."""
        active, items, _ = arguments
        self._by_rows, self._by_items, views = [], [], tuple(plan.view for plan in self._plans)

        def over_rows(kernel, *more):
            self._by_rows.append(run.prepare(kernel, *more))
            return [self._by_rows[-1]]

        def over_items(kernel, *more):
            self._by_items.append(run.prepare(kernel, *more))
            return [self._by_items[-1]]

        def parts(name):
            found = tuple(self._all(name))
            return over_rows(advance.take_parts, found, *arguments) if found else []

        decayed = tuple(self._all("decayed"))
        self._launches = [*self._all("early"), *parts("noted"), *self._all("owned")]
        self._launches += parts("added")
        self._launches += over_rows(move, self._scalars, self._table, *arguments, views)
        if decayed:
            self._launches += over_items(bucket.count_rows, decayed, active, items)
            self._launches += over_rows(bucket.decay_cells, decayed, active, items, self._dim)
        self._launches += [*parts("late"), *self._all("last")]
        if decayed:
            self._launches += over_items(bucket.forget_counts, decayed, active, items)

    def _all(self, name):
        """What all plans have under a name."""
        return [entry for plan in self._plans for entry in getattr(plan, name)]

    def fits(self, items):
        """Whether a step of so many rows is of this kind."""
        return all(plan.fits(items) for plan in self._plans)

    def resize(self, items):
        """Get ready for so many rows; ask for memory."""
        if items in (0, self._size):
            return
        self._size = None
        if self._ordering is not None:
            self._ordering.resize(items)
        for plan in self._plans:
            plan.resize(items)
        for launch in self._by_rows:
            launch.over_rows(items, self._dim)
        for launch in self._by_items:
            launch.over(items)
        self._items.set(items)
        self._size = items

    def __call__(self, scalars, table, given, recursions):
        """Take the step, for which it has been resized."""
        for plan, (keep, gain) in zip(self._plans, recursions):
            plan.begin(keep, gain)
        for launch in self._all("always"):
            launch()
        if given.grads is None:
            return
        for number, value in zip(self._scalars, scalars):
            number.set(value)
        self._table.set(table)
        self._grads.set(given.grads)
        if self._ordering is not None:
            self._ordering(given.rows)
        for launch in self._launches:
            launch()
